#! -*- coding:utf-8 -*-
# 关系抽取：先抽主体，再以主体为条件抽客体；评估时换上滑动平均权重

import numpy as np
from bert4keras.backend import keras, K, batch_gather
from bert4keras.layers import Loss
from bert4keras.layers import LayerNormalization
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam, extend_with_exponential_moving_average
from bert4keras.snippets import sequence_padding, to_array, DataGenerator
from bert4keras.tokenizers import Tokenizer
from keras.layers import Input, Dense, Lambda, Reshape
from keras.models import Model

predicates = ['去', '在']
tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
spos = [
    ('小明今天去北京', ('小明', 0, '北京')),
    ('小红今天在上海', ('小红', 1, '上海')),
    ('今天小明在上海', ('小明', 1, '上海')),
    ('今天小红去北京', ('小红', 0, '北京')),
]


def span(text, piece):
    start = text.index(piece) + 1
    return start, start + len(piece) - 1


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        rows = [[] for _ in range(5)]
        for is_end, (text, (s, p, o)) in self.sample(random):
            token_ids, segment_ids = tokenizer.encode(text)
            subject_labels = np.zeros((len(token_ids), 2))
            object_labels = np.zeros((len(token_ids), len(predicates), 2))
            subject_labels[span(text, s)[0], 0] = 1
            subject_labels[span(text, s)[1], 1] = 1
            object_labels[span(text, o)[0], p, 0] = 1
            object_labels[span(text, o)[1], p, 1] = 1
            values = token_ids, segment_ids, subject_labels, span(text, s), object_labels
            for row, value in zip(rows, values):
                row.append(value)
            if len(rows[0]) == self.batch_size or is_end:
                rows[0] = sequence_padding(rows[0])
                rows[1] = sequence_padding(rows[1])
                rows[2] = sequence_padding(rows[2])
                rows[3] = np.array(rows[3])
                rows[4] = sequence_padding(rows[4])
                yield rows, None
                rows = [[] for _ in range(5)]


def extract_subject(inputs):
    """按首尾下标取出主体的向量"""
    output, subject_ids = inputs
    start = batch_gather(output, subject_ids[:, :1])
    end = batch_gather(output, subject_ids[:, 1:])
    subject = K.concatenate([start, end], 2)
    return subject[:, 0]


bert = build_transformer_model(
    config_path='bert/bert_config.json',
    checkpoint_path='bert/bert_model.ckpt',
    return_keras_model=False,
)

subject_labels = Input(shape=(None, 2), name='Subject-Labels')
subject_ids = Input(shape=(2,), name='Subject-Ids')
object_labels = Input(shape=(None, len(predicates), 2), name='Object-Labels')

output = Dense(
    units=2, activation='sigmoid', kernel_initializer=bert.initializer
)(bert.model.output)
subject_preds = Lambda(lambda x: x**2)(output)
subject_model = Model(bert.model.inputs, subject_preds)

# 最后一层归一化之前的输出
output = bert.model.layers[-2].get_output_at(-1)
subject = Lambda(extract_subject)([output, subject_ids])
output = LayerNormalization(conditional=True)([output, subject])
output = Dense(
    units=len(predicates) * 2,
    activation='sigmoid',
    kernel_initializer=bert.initializer
)(output)
output = Lambda(lambda x: x**4)(output)
object_preds = Reshape((-1, len(predicates), 2))(output)
object_model = Model(bert.model.inputs + [subject_ids], object_preds)


class TotalLoss(Loss):
    """两部分 loss 之和，都是输入"""
    def compute_loss(self, inputs, mask=None):
        subject_labels, object_labels = inputs[:2]
        subject_preds, object_preds, _ = inputs[2:]
        if mask[4] is None:
            mask = 1.0
        else:
            mask = K.cast(mask[4], K.floatx())
        subject_loss = K.binary_crossentropy(subject_labels, subject_preds)
        subject_loss = K.mean(subject_loss, 2)
        subject_loss = K.sum(subject_loss * mask) / K.sum(mask)
        object_loss = K.binary_crossentropy(object_labels, object_preds)
        object_loss = K.sum(K.mean(object_loss, 3), 2)
        object_loss = K.sum(object_loss * mask) / K.sum(mask)
        return subject_loss + object_loss


subject_preds, object_preds = TotalLoss([2, 3])([
    subject_labels, object_labels, subject_preds, object_preds, bert.model.output
])
train_model = Model(
    bert.model.inputs + [subject_labels, subject_ids, object_labels],
    [subject_preds, object_preds]
)
AdamEMA = extend_with_exponential_moving_average(Adam, name='AdamEMA')
optimizer = AdamEMA(learning_rate=1e-2)
train_model.compile(optimizer=optimizer)


def extract_spoes(text):
    token_ids, segment_ids = tokenizer.encode(text)
    token_ids, segment_ids = to_array([token_ids], [segment_ids])
    subject_preds = subject_model.predict([token_ids, segment_ids])
    subjects = np.array([[1, 2]])
    token_ids = np.repeat(token_ids, len(subjects), 0)
    segment_ids = np.repeat(segment_ids, len(subjects), 0)
    object_preds = object_model.predict([token_ids, segment_ids, subjects])
    return subject_preds, object_preds


class Evaluator(keras.callbacks.Callback):
    def __init__(self):
        self.kernels = []

    def on_epoch_end(self, epoch, logs=None):
        kernel = subject_model.layers[-2].kernel
        before = K.get_value(kernel)
        optimizer.apply_ema_weights()
        averaged = K.get_value(kernel)
        extract_spoes('小明今天去北京')
        train_model.save_weights('best_model.weights')
        optimizer.reset_old_weights()
        self.kernels.append((before, averaged, K.get_value(kernel)))


if __name__ == '__main__':
    train_generator = data_generator(spos * 2, 4)
    evaluator = Evaluator()
    history = train_model.fit(
        train_generator.forfit(),
        steps_per_epoch=len(train_generator),
        epochs=2,
        callbacks=[evaluator]
    )
