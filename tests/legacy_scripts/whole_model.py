#! -*- coding:utf-8 -*-
# 特征、掩码预测、整个模型的保存与读取，Embedding 表的读写

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import *
from bert4keras.models import build_transformer_model
from bert4keras.snippets import to_array
from bert4keras.tokenizers import Tokenizer

config_path = 'bert/bert_config.json'
checkpoint_path = 'bert/bert_model.ckpt'
dict_path = 'bert/vocab.txt'

tokenizer = Tokenizer(dict_path, do_lower_case=True)
model = build_transformer_model(config_path, checkpoint_path)

token_ids, segment_ids = tokenizer.encode(u'今天小明')
nested = model.predict([[token_ids], [segment_ids]])
token_ids, segment_ids = to_array([token_ids], [segment_ids])
features = model.predict([token_ids, segment_ids])
print(features)

model.save('test.keras')
del model
model = keras.models.load_model('test.keras')
reloaded = model.predict([token_ids, segment_ids])

# 词向量表加一点扰动，再还原
embeddings = model.get_layer('Embedding-Token').embeddings
table = K.get_value(embeddings)
K.set_value(embeddings, table + 0.1 * np.random.randn(*table.shape))
perturbed = model.predict([token_ids, segment_ids])
K.set_value(embeddings, table)
restored = model.predict([token_ids, segment_ids])

# 掩码语言模型
mlm = build_transformer_model(config_path, checkpoint_path, with_mlm=True)
token_ids, segment_ids = tokenizer.encode(u'今天小明')
token_ids[3] = token_ids[4] = tokenizer._token_mask_id
token_ids, segment_ids = to_array([token_ids], [segment_ids])
probas = mlm.predict([token_ids, segment_ids])[0]
guess = tokenizer.decode(probas[3:5].argmax(axis=1))
