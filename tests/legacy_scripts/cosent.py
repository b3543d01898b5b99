#! -*- coding:utf-8 -*-
# CoSENT：相邻两行是一对句子，按余弦排序的损失

import numpy as np
import scipy.stats
from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import DataGenerator, sequence_padding
from bert4keras.tokenizers import Tokenizer
from keras.layers import Lambda
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
rows = [l.rstrip('\n').split('\t') for l in open('data/pairs.tsv', encoding='utf-8')]


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        batch_token_ids, batch_segment_ids, batch_labels = [], [], []
        for is_end, (text1, text2, label) in self.sample(random):
            for text in [text1, text2]:
                token_ids, segment_ids = tokenizer.encode(text, maxlen=16)
                batch_token_ids.append(token_ids)
                batch_segment_ids.append(segment_ids)
                batch_labels.append([float(label)])
            if len(batch_token_ids) == self.batch_size * 2 or is_end:
                yield [
                    sequence_padding(batch_token_ids), sequence_padding(batch_segment_ids)
                ], sequence_padding(batch_labels)
                batch_token_ids, batch_segment_ids, batch_labels = [], [], []


def cosent_loss(y_true, y_pred):
    y_true = y_true[::2, 0]
    y_true = K.cast(y_true[:, None] < y_true[None, :], K.floatx())
    y_pred = K.l2_normalize(y_pred, axis=1)
    y_pred = K.sum(y_pred[::2] * y_pred[1::2], 1) * 20
    y_pred = y_pred[:, None] - y_pred[None, :]
    y_pred = K.reshape(y_pred - (1 - y_true) * 1e12, [-1])
    y_pred = K.concatenate([[0], y_pred], axis=0)
    return K.logsumexp(y_pred)


base = build_transformer_model('bert/bert_config.json', 'bert/bert_model.ckpt')
output = Lambda(lambda x: x[:, 0])(base.output)
encoder = Model(base.inputs, output)
model = encoder
model.compile(loss=cosent_loss, optimizer=Adam(5e-3))


def l2_normalize(vecs):
    norms = (vecs**2).sum(axis=1, keepdims=True)**0.5
    return vecs / np.clip(norms, 1e-8, np.inf)


def evaluate(data):
    Y_true, Y_pred = [], []
    for x_true, y_true in data:
        Y_true.extend(y_true[::2, 0])
        x_vecs = l2_normalize(encoder.predict(x_true))
        Y_pred.extend((x_vecs[::2] * x_vecs[1::2]).sum(1))
    return scipy.stats.spearmanr(Y_true, Y_pred).correlation


train_generator = data_generator(rows, 4)
history = model.fit(
    train_generator.forfit(random=False), steps_per_epoch=len(train_generator), epochs=6
)
spearman = evaluate(train_generator)
