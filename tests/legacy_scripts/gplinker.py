#! -*- coding:utf-8 -*-
# GPLinker：三个 EfficientGlobalPointer，稀疏多标签交叉熵

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.backend import sparse_multilabel_categorical_crossentropy
from bert4keras.layers import EfficientGlobalPointer as GlobalPointer
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding, DataGenerator, to_array
from bert4keras.tokenizers import Tokenizer

predicate2id = {'去': 0, '在': 1}
tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
data = [
    ('小明今天去北京', [(1, 2, 0, 6, 7)]),
    ('小红今天在上海', [(1, 2, 1, 6, 7)]),
    ('今天小明在上海', [(3, 4, 1, 6, 7)]),
    ('今天小红去北京', []),
]


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        ids, segments = [], []
        entity, head, tail = [], [], []
        for is_end, (text, spoes) in self.sample(random):
            token_ids, segment_ids = tokenizer.encode(text)
            entity_labels = [set() for _ in range(2)]
            head_labels = [set() for _ in predicate2id]
            tail_labels = [set() for _ in predicate2id]
            for sh, st, p, oh, ot in spoes:
                entity_labels[0].add((sh, st))
                entity_labels[1].add((oh, ot))
                head_labels[p].add((sh, oh))
                tail_labels[p].add((st, ot))
            for label in entity_labels + head_labels + tail_labels:
                if not label:  # 至少要有一个标签
                    label.add((0, 0))
            ids.append(token_ids)
            segments.append(segment_ids)
            entity.append(sequence_padding([list(l) for l in entity_labels]))
            head.append(sequence_padding([list(l) for l in head_labels]))
            tail.append(sequence_padding([list(l) for l in tail_labels]))
            if len(ids) == self.batch_size or is_end:
                yield [sequence_padding(ids), sequence_padding(segments)], [
                    sequence_padding(entity, seq_dims=2),
                    sequence_padding(head, seq_dims=2),
                    sequence_padding(tail, seq_dims=2)
                ]
                ids, segments = [], []
                entity, head, tail = [], [], []


def globalpointer_crossentropy(y_true, y_pred):
    shape = K.shape(y_pred)
    y_true = y_true[..., 0] * K.cast(shape[2], K.floatx()) + y_true[..., 1]
    y_pred = K.reshape(y_pred, (shape[0], -1, K.prod(shape[2:])))
    loss = sparse_multilabel_categorical_crossentropy(y_true, y_pred, True)
    return K.mean(K.sum(loss, 1))


base = build_transformer_model(
    config_path='bert/bert_config.json',
    checkpoint_path='bert/bert_model.ckpt',
    return_keras_model=False
)
output = base.model.output
entity_output = GlobalPointer(heads=2, head_size=8)(output)
head_output = GlobalPointer(
    heads=len(predicate2id), head_size=8, RoPE=False, tril_mask=False
)(output)
tail_output = GlobalPointer(
    heads=len(predicate2id), head_size=8, RoPE=False, tril_mask=False
)(output)
outputs = [entity_output, head_output, tail_output]

model = keras.models.Model(base.model.inputs, outputs)
model.compile(loss=globalpointer_crossentropy, optimizer=Adam(1e-2))
train_generator = data_generator(data, 4)
history = model.fit(
    train_generator.forfit(), steps_per_epoch=len(train_generator), epochs=3
)
token_ids, segment_ids = to_array([tokenizer.encode(data[0][0])[0]], [tokenizer.encode(data[0][0])[1]])
outputs = model.predict([token_ids, segment_ids])
outputs = [o[0] for o in outputs]
outputs[0][:, [0, -1]] -= np.inf
subjects = [(h, t) for l, h, t in zip(*np.where(outputs[0] > 0)) if l == 0]
