#! -*- coding:utf-8 -*-
# 阅读理解选择题：每题四个选项各成一行，AdaFactor + 梯度累积

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import AdaFactor, extend_with_gradient_accumulation
from bert4keras.snippets import sequence_padding, DataGenerator, truncate_sequences
from bert4keras.tokenizers import Tokenizer
from keras.layers import Dense, Lambda
from keras.models import Model

num_choices = 4
tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
names = ['小明', '小红', '北京', '上海']
data = [('今天%s开会了' % n, '是什么', names, i) for i, n in enumerate(names)]


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        batch_token_ids, batch_segment_ids, batch_labels = [], [], []
        for is_end, (p, q, choices, a) in self.sample(random):
            for i, c in enumerate(choices):
                p_ids = tokenizer.encode(p)[0]
                q_ids = tokenizer.encode(q)[0][1:]
                c_ids = tokenizer.encode(c)[0][1:]
                truncate_sequences(14, -2, c_ids, q_ids, p_ids)
                token_ids = p_ids + q_ids + c_ids
                batch_token_ids.append(token_ids)
                batch_segment_ids.append([0] * len(token_ids))
                batch_labels.append([a])
            if len(batch_token_ids) == self.batch_size * num_choices or is_end:
                yield [
                    sequence_padding(batch_token_ids), sequence_padding(batch_segment_ids)
                ], sequence_padding(batch_labels)
                batch_token_ids, batch_segment_ids, batch_labels = [], [], []


def multichoice_crossentropy(y_true, y_pred):
    y_true = K.cast(y_true, 'int32')[::num_choices]
    y_pred = K.reshape(y_pred, (-1, num_choices))
    return K.mean(K.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True))


def multichoice_accuracy(y_true, y_pred):
    y_true = K.cast(y_true, 'int32')[::num_choices, 0]
    y_pred = K.reshape(y_pred, (-1, num_choices))
    y_pred = K.cast(K.argmax(y_pred, axis=1), 'int32')
    return K.mean(K.cast(K.equal(y_true, y_pred), K.floatx()))


base = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt',
    application='unilm', return_keras_model=False
)
output = base.model.get_layer('Transformer-1-FeedForward-Norm').output
output = Lambda(lambda x: x[:, 0], name='Pooler')(output)
output = Dense(units=1, kernel_initializer=base.initializer)(output)
model = Model(base.model.inputs, output)

AdaFactorG = extend_with_gradient_accumulation(AdaFactor, name='AdaFactorG')
optimizer = AdaFactorG(
    learning_rate=5e-3,
    beta1=0.9,
    min_dim_size_to_factor=10**6,
    grad_accum_steps=2
)
model.compile(
    loss=multichoice_crossentropy,
    optimizer=optimizer,
    metrics=[multichoice_accuracy]
)
train_generator = data_generator(data, 2)
history = model.fit(
    train_generator.forfit(), steps_per_epoch=len(train_generator), epochs=3
)


def predict_to_file(out_file):
    y_pred = np.array([], dtype=int)
    for x_true, _ in train_generator:
        y_pred = np.append(y_pred, model.predict(x_true).reshape((-1, 4)).argmax(axis=1))
    with open(out_file, 'w', encoding='utf-8') as f:
        for y in y_pred:
            f.write('%d\n' % y)


predict_to_file('c3_predict.txt')
