#! -*- coding:utf-8 -*-
# 两个句子共用一个编码器；同一个 BERT 再接一个 MLM 头（apply_final_layers）

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import GlobalAveragePooling1D
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding
from bert4keras.tokenizers import Tokenizer
from keras.layers import Input, Lambda, Dense, Concatenate
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
bert = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt', return_keras_model=False
)
x = GlobalAveragePooling1D()(bert.model.output)
encoder = Model(bert.model.inputs, x)

x1_in = Input(shape=(None,))
s1_in = Input(shape=(None,))
x2_in = Input(shape=(None,))
s2_in = Input(shape=(None,))
u = encoder([x1_in, s1_in])
v = encoder([x2_in, s2_in])
difference = Lambda(lambda z: K.abs(z[0] - z[1]))([u, v])
x = Concatenate()([u, v, difference])
p = Dense(2, activation='softmax', use_bias=False)(x)
model = Model([x1_in, s1_in, x2_in, s2_in], p)
model.compile(loss='sparse_categorical_crossentropy', optimizer=Adam(1e-3), metrics=['accuracy'])

left, right, labels = [], [], []
for line in open('data/pairs.tsv', encoding='utf-8'):
    a, b, label = line.strip().split('\t')
    left.append(tokenizer.encode(a)[0])
    right.append(tokenizer.encode(b)[0])
    labels.append([int(label)])
left, right, labels = [sequence_padding(z, 12) if len(z[0]) > 1 else np.array(z) for z in (left, right, labels)]
zeros = np.zeros_like(left)
history = model.fit([left, zeros, right, zeros], labels, epochs=2, batch_size=4)
loss, accuracy = model.evaluate([left, zeros, right, zeros], labels, batch_size=4)

# 把中间层的结果接到另一个输入上：共享全部层
second = build_transformer_model(
    'bert/bert_config.json', None, with_mlm='linear',
    layers=bert.layers, return_keras_model=False
)
hidden = second.apply_embeddings([x2_in, s2_in])
for i in range(second.num_hidden_layers):
    hidden = second.apply_main_layers(hidden, i)
logits = second.apply_final_layers(hidden)
branch = Model([x2_in, s2_in], logits)
