#! -*- coding:utf-8 -*-
# 梯度惩罚：损失函数里的 K.gradients（Keras 3 里不可能，见 docs/migration.md）

import numpy as np
from bert4keras.backend import keras, search_layer, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from keras.layers import Lambda, Dense

bert = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt', return_keras_model=False
)
output = Lambda(lambda x: x[:, 0])(bert.model.output)
output = Dense(2, activation='softmax')(output)
model = keras.models.Model(bert.model.input, output)


def loss_with_gradient_penalty(y_true, y_pred, epsilon=1):
    loss = K.mean(K.sparse_categorical_crossentropy(y_true, y_pred))
    embeddings = search_layer(model.output, 'Embedding-Token').embeddings
    gp = K.sum(K.gradients(loss, [embeddings])[0]**2)
    return loss + 0.5 * epsilon * gp


model.compile(loss=loss_with_gradient_penalty, optimizer=Adam(2e-5))
ids = np.ones((4, 6))
model.fit([ids, ids * 0], np.zeros((4, 1)), batch_size=4)
