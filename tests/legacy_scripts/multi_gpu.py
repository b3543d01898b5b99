#! -*- coding:utf-8 -*-
# 多卡：数据并行、tf.data、最后才读入预训练权重

import numpy as np
from bert4keras.backend import keras, get_available_gpus
from bert4keras.models import build_transformer_model, data_parallel
from bert4keras.optimizers import Adam
from bert4keras.snippets import DataGenerator
from bert4keras.tokenizers import Tokenizer
from keras.layers import Lambda, Dense
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
train_data = [l.strip().split('\t') for l in open('data/sentiment.tsv', encoding='utf-8')]


class data_generator(DataGenerator):
    """只需要单条返回"""
    def __iter__(self, random=False):
        for is_end, (text, label) in self.sample(random):
            token_ids, segment_ids = tokenizer.encode(text, maxlen=16)
            yield [token_ids, segment_ids], [int(label)]


print('GPUs:', get_available_gpus())
bert = build_transformer_model(
    'bert/bert_config.json',
    checkpoint_path=None,
    return_keras_model=False,
)
output = Lambda(lambda x: x[:, 0])(bert.model.output)
output = Dense(2, activation='softmax', kernel_initializer=bert.initializer)(output)
model = Model(bert.model.inputs, output)
train_model = data_parallel(model)
train_model.compile(
    loss='sparse_categorical_crossentropy',
    optimizer=Adam(1e-3),
    metrics=['sparse_categorical_accuracy'],
)
bert.load_weights_from_checkpoint('bert/bert_model.ckpt')

train_generator = data_generator(train_data, 4)
dataset = train_generator.to_dataset(
    types=[('float32', 'float32'), 'float32'],
    shapes=[([None], [None]), [1]],
    padded_batch=True,
)


class Evaluator(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.accuracy = logs['sparse_categorical_accuracy']


evaluator = Evaluator()
history = train_model.fit(
    dataset, steps_per_epoch=len(train_generator), epochs=1, callbacks=[evaluator]
)
