#! -*- coding:utf-8 -*-
# 自己写的层：注意力池化、双向 LSTM、Lambda 里的 mask、几个输入的 Lambda

import numpy as np
from bert4keras.backend import keras, K, search_layer
from bert4keras.layers import *
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding
from bert4keras.tokenizers import Tokenizer
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)


class AttentionPooling1D(Layer):
    """加性注意力，把序列合成一个向量"""
    def __init__(self, h_dim=None, **kwargs):
        super(AttentionPooling1D, self).__init__(**kwargs)
        self.h_dim = h_dim

    def build(self, input_shape):
        super(AttentionPooling1D, self).build(input_shape)
        if self.h_dim is None:
            self.h_dim = input_shape[-1]
        self.k_dense = Dense(units=self.h_dim, use_bias=False, activation='tanh')
        self.o_dense = Dense(units=1, use_bias=False)

    def call(self, inputs, mask=None):
        xo = inputs
        mask = K.cast(mask, K.floatx())
        mask = K.expand_dims(mask, 2)
        x = self.k_dense(xo)
        x = self.o_dense(x)
        x = x - (1 - mask) * 1e12
        x = K.softmax(x, axis=-2)
        return K.sum(x * xo, axis=-2)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]

    def get_config(self):
        config = {'h_dim': self.h_dim}
        base_config = super(AttentionPooling1D, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


def seq_gather(x):
    """seq 是 [None, seq_len, s_size]，idxs 是 [None, 1]"""
    seq, idxs = x
    idxs = K.cast(idxs, 'int32')
    return batch_gather(seq, idxs)[:, 0]


bert = build_transformer_model('bert/bert_config.json', 'bert/bert_model.ckpt')
position = Input(shape=(1,))
mask = Lambda(lambda x: K.cast(K.greater(K.expand_dims(x, 2), 0), 'float32'))(bert.inputs[0])
x = Bidirectional(LSTM(8, return_sequences=True))(bert.output)
x = Lambda(lambda z: z[0] * z[1], mask=lambda i, m: m[0])([x, mask])
pooled = AttentionPooling1D(name='pooling')(x)
picked = Lambda(seq_gather)([x, position])
average = Lambda(lambda z: K.sum(z[0] * z[1], 1) / K.sum(z[1], 1))([x, mask])
output = concatenate([pooled, picked, average])
output = Dense(2, activation='softmax')(output)
model = Model(bert.inputs + [position], output)
model.compile(loss='sparse_categorical_crossentropy', optimizer=Adam(5e-3))

rows = [l.strip().split('\t') for l in open('data/sentiment.tsv', encoding='utf-8')]
tokens = sequence_padding([tokenizer.encode(t)[0] for t, _ in rows], 14)
labels = np.array([[int(l)] for _, l in rows])
inputs = [tokens, np.zeros_like(tokens), np.full((len(rows), 1), 2)]
history = model.fit(inputs, labels, epochs=3, batch_size=4, verbose=0)
probas = model.predict(inputs, batch_size=4)

embedding_layer = search_layer(model.output, 'Embedding-Token')
model.save_weights('custom.weights')
config = model.get_layer('pooling').get_config()
again = AttentionPooling1D.from_config(config)
