#! -*- coding:utf-8 -*-
# 命名实体识别：BERT 中间层 + CRF，维特比解码

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import ConditionalRandomField
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import ViterbiDecoder, to_array
from bert4keras.snippets import open, sequence_padding, DataGenerator
from bert4keras.tokenizers import Tokenizer
from keras.layers import Dense
from keras.models import Model

maxlen = 16
bert_layers = 2
crf_lr_multiplier = 1000
config_path = 'bert/bert_config.json'
checkpoint_path = 'bert/bert_model.ckpt'
dict_path = 'bert/vocab.txt'
categories = ['PER', 'LOC']


def load_data(path):
    """空行隔开句子，每行：字 空格 标签"""
    D = []
    with open(path, encoding='utf-8') as f:
        for block in f.read().split('\n\n'):
            if not block.strip():
                continue
            d = ['']
            for i, row in enumerate(block.strip().split('\n')):
                char, flag = row.split(' ')
                d[0] += char
                if flag[0] == 'B':
                    d.append([i, i, flag[2:]])
                elif flag[0] == 'I':
                    d[-1][1] = i
            D.append(d)
    return D


train_data = load_data('data/ner.txt')
tokenizer = Tokenizer(dict_path, do_lower_case=True)


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        X, S, Y = [], [], []
        for is_end, d in self.sample(random):
            tokens = tokenizer.tokenize(d[0], maxlen=maxlen)
            mapping = tokenizer.rematch(d[0], tokens)
            start_mapping = {j[0]: i for i, j in enumerate(mapping) if j}
            end_mapping = {j[-1]: i for i, j in enumerate(mapping) if j}
            token_ids = tokenizer.tokens_to_ids(tokens)
            labels = np.zeros(len(token_ids))
            for start, end, label in d[1:]:
                if start in start_mapping and end in end_mapping:
                    k = categories.index(label)
                    start, end = start_mapping[start], end_mapping[end]
                    labels[start] = k * 2 + 1
                    labels[start + 1:end + 1] = k * 2 + 2
            X.append(token_ids)
            S.append([0] * len(token_ids))
            Y.append(labels)
            if len(X) == self.batch_size or is_end:
                yield [sequence_padding(X), sequence_padding(S)], sequence_padding(Y)
                X, S, Y = [], [], []


model = build_transformer_model(config_path, checkpoint_path)
output_layer = 'Transformer-%s-FeedForward-Norm' % (bert_layers - 1)
output = model.get_layer(output_layer).output
output = Dense(len(categories) * 2 + 1)(output)
CRF = ConditionalRandomField(lr_multiplier=crf_lr_multiplier)
output = CRF(output)

model = Model(model.input, output)
model.summary()
model.compile(
    loss=CRF.sparse_loss,
    optimizer=Adam(2e-3),
    metrics=[CRF.sparse_accuracy]
)


class NamedEntityRecognizer(ViterbiDecoder):
    def recognize(self, text):
        tokens = tokenizer.tokenize(text, maxlen=512)
        mapping = tokenizer.rematch(text, tokens)
        token_ids = tokenizer.tokens_to_ids(tokens)
        segment_ids = [0] * len(token_ids)
        token_ids, segment_ids = to_array([token_ids], [segment_ids])
        nodes = model.predict([token_ids, segment_ids])[0]
        labels = self.decode(nodes)
        entities, starting = [], False
        for i, label in enumerate(labels):
            if label > 0:
                if label % 2 == 1:
                    starting = True
                    entities.append([[i], categories[(label - 1) // 2]])
                elif starting:
                    entities[-1][0].append(i)
                else:
                    starting = False
            else:
                starting = False
        return [(mapping[w[0]][0], mapping[w[-1]][-1], l) for w, l in entities]


NER = NamedEntityRecognizer(trans=K.eval(CRF.trans), starts=[0], ends=[0])


class Evaluator(keras.callbacks.Callback):
    def __init__(self):
        self.best_val_f1 = 0

    def on_epoch_end(self, epoch, logs=None):
        trans = K.eval(CRF.trans)
        NER.trans = trans
        print(NER.trans)
        found = [NER.recognize(d[0]) for d in train_data[:2]]
        if len(found) >= self.best_val_f1:
            self.best_val_f1 = len(found)
            model.save_weights('./best_model.weights')


if __name__ == '__main__':
    before = K.eval(CRF.trans)
    evaluator = Evaluator()
    train_generator = data_generator(train_data, 4)
    history = model.fit(
        train_generator.forfit(),
        steps_per_epoch=len(train_generator),
        epochs=2,
        callbacks=[evaluator]
    )
