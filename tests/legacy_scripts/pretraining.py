#! -*- coding:utf-8 -*-
# 掩码语言模型的预训练：LAMB + 梯度累积 + 学习率计划，tf.data 输入，输出就是损失

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.optimizers import extend_with_weight_decay
from bert4keras.optimizers import extend_with_layer_adaptation
from bert4keras.optimizers import extend_with_piecewise_linear_lr
from bert4keras.optimizers import extend_with_gradient_accumulation
from bert4keras.snippets import DataGenerator, parallel_apply_generator
from bert4keras.tokenizers import Tokenizer
from keras.layers import Input, Lambda
from keras.models import Model

sequence_length = 12
batch_size = 4
grad_accum_steps = 2
tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
texts = [l.split('\t')[0] for l in open('data/sentiment.tsv', encoding='utf-8')]


def random_masking(token_ids):
    rands = np.random.random(len(token_ids))
    source = [tokenizer._token_mask_id if r < 0.3 else t for r, t in zip(rands, token_ids)]
    target = [t + 1 if r < 0.3 else 0 for r, t in zip(rands, token_ids)]
    return source, target


class data_generator(DataGenerator):
    """逐个样本，由 tf.data 组成批"""
    def __iter__(self, random=False):
        def encode(text):
            ids = tokenizer.encode(text, maxlen=sequence_length)[0]
            source, target = random_masking(ids)
            padding = [0] * (sequence_length - len(ids))
            return ids + padding, source + padding, target + padding

        for _, text in self.sample(random):
            ids, source, target = encode(text)
            yield [source, [0] * sequence_length, ids, target], [0., 0.]


bert = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt',
    with_mlm='linear', return_keras_model=False
)
proba = bert.model.output
token_ids = Input(shape=(None,), dtype='int64', name='token_ids')
is_masked = Input(shape=(None,), dtype=K.floatx(), name='is_masked')


def mlm_loss(inputs):
    y_true, y_pred, mask = inputs
    loss = K.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
    mask = K.cast(K.greater(mask, 0), K.floatx())
    return K.sum(loss * mask) / (K.sum(mask) + K.epsilon())


def mlm_acc(inputs):
    y_true, y_pred, mask = inputs
    y_true = K.cast(y_true, K.floatx())
    mask = K.cast(K.greater(mask, 0), K.floatx())
    acc = keras.metrics.sparse_categorical_accuracy(y_true, y_pred)
    return K.sum(acc * mask) / (K.sum(mask) + K.epsilon())


mlm_loss = Lambda(mlm_loss, name='mlm_loss')([token_ids, proba, is_masked])
mlm_acc = Lambda(mlm_acc, name='mlm_acc')([token_ids, proba, is_masked])
train_model = Model(bert.model.inputs + [token_ids, is_masked], [mlm_loss, mlm_acc])

loss = {
    'mlm_loss': lambda y_true, y_pred: y_pred,
    'mlm_acc': lambda y_true, y_pred: K.stop_gradient(y_pred),
}
OPT = extend_with_weight_decay(Adam, name='AdamW')
OPT = extend_with_layer_adaptation(OPT, name='LAMB')
OPT = extend_with_piecewise_linear_lr(OPT, name='LAMBLR')
OPT = extend_with_gradient_accumulation(OPT, name='LAMBLRG')
optimizer = OPT(
    learning_rate=1e-2,
    lr_schedule={2 * grad_accum_steps: 1.0, 100 * grad_accum_steps: 0.0},
    weight_decay_rate=0.01,
    exclude_from_weight_decay=['Norm', 'bias'],
    exclude_from_layer_adaptation=['Norm', 'bias'],
    bias_correction=False,
    grad_accum_steps=grad_accum_steps,
)
train_model.compile(loss=loss, optimizer=optimizer)

train_generator = data_generator(texts, batch_size)
dataset = train_generator.to_dataset(
    types=[('int32', 'int32', 'int64', 'float32'), ('float32', 'float32')],
    shapes=[([None], [None], [None], [None]), ([], [])],
    names=[('Input-Token', 'Input-Segment', 'token_ids', 'is_masked'), ('mlm_loss', 'mlm_acc')],
    padded_batch=True
)


class ModelCheckpoint(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        train_model.save_weights('bert_model.weights', overwrite=True)
        bert.save_weights_as_checkpoint('trained/bert_model.ckpt')


history = train_model.fit(
    dataset,
    steps_per_epoch=4,
    epochs=2,
    callbacks=[ModelCheckpoint(), keras.callbacks.CSVLogger('training.log')],
)
