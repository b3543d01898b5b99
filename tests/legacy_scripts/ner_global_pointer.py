#! -*- coding:utf-8 -*-
# 实体识别：ALBERT 的中间层（get_output_at）接 GlobalPointer

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.backend import multilabel_categorical_crossentropy
from bert4keras.layers import GlobalPointer
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding, DataGenerator
from bert4keras.tokenizers import Tokenizer
from keras.models import Model

albert_layers = 2
types = ['人名', '地名']
tokenizer = Tokenizer('albert/vocab.txt', do_lower_case=True)
samples = [
    ('今天小明去北京', [(2, 3, 0), (5, 6, 1)]),
    ('小红不在上海了', [(0, 1, 0), (4, 5, 1)]),
    ('明天在北京开会', [(3, 4, 1)]),
    ('小明和小红同学', [(0, 1, 0), (3, 4, 0)]),
]


class Generator(DataGenerator):
    def __iter__(self, random=False):
        ids, types_, spans = [], [], []
        for is_end, (text, entities) in self.sample(random):
            token_ids, segment_ids = tokenizer.encode(text)
            labels = np.zeros((len(types), len(token_ids), len(token_ids)))
            for start, end, label in entities:
                labels[label, start + 1, end + 1] = 1
            ids.append(token_ids)
            types_.append(segment_ids)
            spans.append(labels)
            if len(ids) == self.batch_size or is_end:
                yield [sequence_padding(ids), sequence_padding(types_)], \
                    sequence_padding(spans, seq_dims=3)
                ids, types_, spans = [], [], []


def global_pointer_crossentropy(y_true, y_pred):
    """多标签交叉熵用到每一类实体"""
    bh = K.prod(K.shape(y_pred)[:2])
    y_true = K.reshape(y_true, (bh, -1))
    y_pred = K.reshape(y_pred, (bh, -1))
    return K.mean(multilabel_categorical_crossentropy(y_true, y_pred))


def global_pointer_f1_score(y_true, y_pred):
    y_pred = K.cast(K.greater(y_pred, 0), K.floatx())
    return 2 * K.sum(y_true * y_pred) / K.sum(y_true + y_pred)


model = build_transformer_model('albert/albert_config.json', 'albert/model.ckpt', 'albert')
output_layer = 'Transformer-FeedForward-Norm'
output = model.get_layer(output_layer).get_output_at(albert_layers - 1)
output = GlobalPointer(heads=len(types), head_size=8)(output)
model = Model(model.input, output)
model.compile(
    loss=global_pointer_crossentropy,
    optimizer=Adam(5e-3),
    metrics=[global_pointer_f1_score]
)
generator = Generator(samples, 4)
history = model.fit(generator.forfit(), steps_per_epoch=len(generator), epochs=3)

text = '小明在上海'
tokens = tokenizer.tokenize(text)
mapping = tokenizer.rematch(text, tokens)
token_ids, segment_ids = tokenizer.encode(text)
scores = model.predict([np.array([token_ids]), np.array([segment_ids])])[0]
scores[:, [0, -1]] -= np.inf
scores[:, :, [0, -1]] -= np.inf
entities = [
    (mapping[start][0], mapping[end][-1], types[l])
    for l, start, end in zip(*np.where(scores > 0))
]
