#! -*- coding:utf-8 -*-
# 句对相似度：两句拼在一起，with_pool 的向量接二分类

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding, DataGenerator
from bert4keras.tokenizers import Tokenizer
from keras.layers import Dropout, Dense
from keras.models import Model

maxlen = 24
config_path = 'bert/bert_config.json'
checkpoint_path = 'bert/bert_model.ckpt'
dict_path = 'bert/vocab.txt'

pairs = []
with open('data/pairs.tsv', encoding='utf-8') as f:
    for line in f:
        a, b, label = line.strip().split('\t')
        pairs.append((a, b, int(label)))

tokenizer = Tokenizer(dict_path, do_lower_case=True)


class PairGenerator(DataGenerator):
    def __iter__(self, random=False):
        batch = [[], [], []]
        for end, (a, b, label) in self.sample(random):
            ids, types = tokenizer.encode(a, b, maxlen=maxlen)
            for column, value in zip(batch, (ids, types, [label])):
                column.append(value)
            if end or len(batch[0]) == self.batch_size:
                ids, types, labels = [sequence_padding(c) for c in batch]
                yield [ids, types], labels
                batch = [[], [], []]


bert = build_transformer_model(
    config_path, checkpoint_path, with_pool=True, return_keras_model=False
)
output = Dropout(rate=0.1)(bert.model.output)
output = Dense(
    2, activation='softmax', kernel_initializer=bert.initializer
)(output)
model = Model(bert.model.inputs, output)


def masked_free_loss(y_true, y_pred):
    # 标签在旧版里是浮点数
    return K.mean(K.sparse_categorical_crossentropy(y_true, y_pred))


model.compile(
    loss=masked_free_loss,
    optimizer=Adam(learning_rate=1e-2),
    metrics=['sparse_categorical_accuracy'],
)

train_generator = PairGenerator(pairs, 4)
history = model.fit(
    train_generator.forfit(random=False),
    steps_per_epoch=len(train_generator),
    epochs=4,
)
scores = model.predict(
    train_generator.fortest(), steps=len(train_generator)
)[:, 1]
