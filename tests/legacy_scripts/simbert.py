#! -*- coding:utf-8 -*-
# SimBERT：生成与相似度两个任务，一个损失层，两个输出

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import Loss
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam, extend_with_weight_decay
from bert4keras.snippets import sequence_padding, DataGenerator, AutoRegressiveDecoder
from bert4keras.tokenizers import Tokenizer
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
pairs = [l.split('\t')[:2] for l in open('data/pairs.tsv', encoding='utf-8')]


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        X, S = [], []
        for is_end, (text, synonym) in self.sample(random):
            for a, b in [(text, synonym), (synonym, text)]:
                token_ids, segment_ids = tokenizer.encode(a, b, maxlen=24)
                X.append(token_ids)
                S.append(segment_ids)
            if len(X) == self.batch_size or is_end:
                yield [sequence_padding(X), sequence_padding(S)], None
                X, S = [], []


class TotalLoss(Loss):
    """seq2seq 的交叉熵与相似度的交叉熵相加"""
    def compute_loss(self, inputs, mask=None):
        loss1 = self.compute_loss_of_seq2seq(inputs, mask)
        loss2 = self.compute_loss_of_similarity(inputs, mask)
        self.add_metric(loss1, name='seq2seq_loss')
        self.add_metric(loss2, name='similarity_loss')
        return loss1 + loss2

    def compute_loss_of_seq2seq(self, inputs, mask=None):
        y_true, y_mask, _, y_pred = inputs
        y_true = y_true[:, 1:]
        y_mask = y_mask[:, 1:]
        y_pred = y_pred[:, :-1]
        loss = K.sparse_categorical_crossentropy(y_true, y_pred)
        return K.sum(loss * y_mask) / K.sum(y_mask)

    def compute_loss_of_similarity(self, inputs, mask=None):
        _, _, y_pred, _ = inputs
        y_true = self.get_labels_of_similarity(y_pred)
        y_pred = K.l2_normalize(y_pred, axis=1)
        similarities = K.dot(y_pred, K.transpose(y_pred))
        similarities = similarities - K.eye(K.shape(y_pred)[0]) * 1e12
        similarities = similarities * 30
        loss = K.categorical_crossentropy(y_true, similarities, from_logits=True)
        return loss

    def get_labels_of_similarity(self, y_pred):
        idxs = K.arange(0, K.shape(y_pred)[0])
        idxs_1 = idxs[None, :]
        idxs_2 = (idxs + 1 - idxs % 2 * 2)[:, None]
        labels = K.equal(idxs_1, idxs_2)
        return K.cast(labels, K.floatx())


bert = build_transformer_model(
    'bert/bert_config.json',
    'bert/bert_model.ckpt',
    with_pool='linear',
    application='unilm',
    return_keras_model=False,
)
encoder = Model(bert.model.inputs, bert.model.outputs[0])
seq2seq = Model(bert.model.inputs, bert.model.outputs[1])

outputs = TotalLoss([2, 3])(bert.model.inputs + bert.model.outputs)
model = Model(bert.model.inputs, outputs)
AdamW = extend_with_weight_decay(Adam, 'AdamW')
optimizer = AdamW(learning_rate=1e-2, weight_decay_rate=0.01)
model.compile(optimizer=optimizer)


class SynonymsGenerator(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps(default_rtype='probas')
    def predict(self, inputs, output_ids, step):
        token_ids, segment_ids = inputs
        token_ids = np.concatenate([token_ids, output_ids], 1)
        segment_ids = np.concatenate([segment_ids, np.ones_like(output_ids)], 1)
        return self.last_token(seq2seq).predict([token_ids, segment_ids])

    def generate(self, text, n=1, topp=0.95):
        token_ids, segment_ids = tokenizer.encode(text, maxlen=24)
        output_ids = self.random_sample([token_ids, segment_ids], n, topp=topp)
        return [tokenizer.decode(ids) for ids in output_ids]


synonyms_generator = SynonymsGenerator(
    start_id=None, end_id=tokenizer._token_end_id, maxlen=2
)


def gen_synonyms(text, n=4, k=2):
    """采样，再用 encoder 排序"""
    r = [text] + [i for i in set(synonyms_generator.generate(text, n)) if i != text]
    X, S = [], []
    for t in r:
        x, s = tokenizer.encode(t)
        X.append(x)
        S.append(s)
    Z = encoder.predict([sequence_padding(X, 16), sequence_padding(S, 16)])
    Z /= (Z**2).sum(axis=1, keepdims=True)**0.5
    argsort = np.dot(Z[1:], -Z[0]).argsort()
    return [r[i + 1] for i in argsort[:k]]


train_generator = data_generator(pairs, 8)
history = model.fit(
    train_generator.forfit(), steps_per_epoch=len(train_generator), epochs=4
)
synonyms = gen_synonyms(u'小明在哪里')
