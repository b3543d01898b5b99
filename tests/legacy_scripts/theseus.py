#! -*- coding:utf-8 -*-
# BERT-of-Theseus：两个带前缀的模型，逐模块随机替换

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from keras.layers import Input, Lambda, Dense, Layer
from keras.models import Model


class BinaryRandomChoice(Layer):
    """训练时随机二选一，预测时取后者"""
    def call(self, inputs):
        source, target = inputs
        mask = K.random_binomial(shape=[1], p=0.5)
        output = mask * source + (1 - mask) * target
        return K.in_train_phase(output, target)


def bert_of_theseus(predecessor, successor, classfier):
    inputs = predecessor.inputs
    for layer in predecessor.model.layers:
        layer.trainable = False
    predecessor_outputs = predecessor.apply_embeddings(inputs)
    successor_outputs = successor.apply_embeddings(inputs)
    outputs = BinaryRandomChoice()([predecessor_outputs, successor_outputs])
    per_module = predecessor.num_hidden_layers // successor.num_hidden_layers
    for index in range(successor.num_hidden_layers):
        predecessor_outputs = outputs
        for sub_index in range(per_module):
            predecessor_outputs = predecessor.apply_main_layers(
                predecessor_outputs, per_module * index + sub_index
            )
        successor_outputs = successor.apply_main_layers(outputs, index)
        outputs = BinaryRandomChoice()([predecessor_outputs, successor_outputs])
    return Model(inputs, classfier(outputs))


predecessor = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt',
    return_keras_model=False, prefix='Predecessor-'
)
successor = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt',
    return_keras_model=False, num_hidden_layers=1, prefix='Successor-'
)
x_in = Input(shape=(None, 16))
x = Lambda(lambda x: x[:, 0])(x_in)
x = Dense(2, activation='softmax')(x)
classfier = Model(x_in, x)
before = K.get_value(predecessor.model.weights[-1])
theseus_model = bert_of_theseus(predecessor, successor, classfier)
theseus_model.compile(loss='sparse_categorical_crossentropy', optimizer=Adam(1e-2))
ids = np.ones((4, 16))
history = theseus_model.fit([ids, ids * 0], np.zeros((4, 1)), batch_size=4, epochs=2)
