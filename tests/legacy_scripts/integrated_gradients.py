#! -*- coding:utf-8 -*-
# 积分梯度：K.gradients 与 K.function（Keras 3 里不可能，见 docs/migration.md）

from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from keras.layers import Input, Lambda, Dense
from keras.models import Model

model = build_transformer_model('bert/bert_config.json', 'bert/bert_model.ckpt')
output = Lambda(lambda x: x[:, 0])(model.output)
output = Dense(2, activation='softmax')(output)
model = Model(model.inputs, output)

label_in = Input(shape=(1,))
label = Lambda(lambda x: K.cast(x, 'int32'))(label_in)
embedding = model.get_layer('Embedding-Token').output
grads = K.gradients(output[:, 0], [embedding])[0]
gradients = K.function(model.inputs + [label_in], [grads, embedding])
