#! -*- coding:utf-8 -*-
# 条件语言模型：条件经 Embedding 进入每一层的 LayerNormalization

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import Loss
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding, open
from bert4keras.snippets import DataGenerator, AutoRegressiveDecoder
from bert4keras.tokenizers import Tokenizer
from keras.layers import Input, Embedding, Reshape
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
data = []
with open('data/sentiment.tsv', encoding='utf-8') as f:
    for l in f:
        text, label = l.strip().split('\t')
        data.append((text, int(label)))


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        T, S, C = [], [], []
        for is_end, (text, label) in self.sample(random):
            token_ids, segment_ids = tokenizer.encode(text, maxlen=16)
            T.append(token_ids)
            S.append(segment_ids)
            C.append([label])
            if len(T) == self.batch_size or is_end:
                yield [sequence_padding(T), sequence_padding(S), sequence_padding(C)], None
                T, S, C = [], [], []


class CrossEntropy(Loss):
    def compute_loss(self, inputs, mask=None):
        y_true, y_pred = inputs
        if mask[1] is None:
            y_mask = 1.0
        else:
            y_mask = K.cast(mask[1], K.floatx())[:, 1:]
        loss = K.sparse_categorical_crossentropy(y_true[:, 1:], y_pred[:, :-1])
        return K.sum(loss * y_mask) / K.sum(y_mask)


c_in = Input(shape=(1,))
c = Embedding(2, 8)(c_in)
c = Reshape((8,))(c)

model = build_transformer_model(
    'bert/bert_config.json',
    'bert/bert_model.ckpt',
    application='lm',
    layer_norm_cond=c,
    additional_input_layers=c_in,
)
output = CrossEntropy(1)([model.inputs[0], model.outputs[0]])
model = Model(model.inputs, output)
model.compile(optimizer=Adam(5e-3))


class RandomSentiment(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps(default_rtype='probas')
    def predict(self, inputs, output_ids, states):
        token_ids = output_ids
        segment_ids = np.zeros_like(token_ids)
        return self.last_token(model).predict([token_ids, segment_ids, inputs[0]])

    def generate(self, label, n=1, topp=0.95):
        results = self.random_sample([[label]], n, topp=topp)
        return [tokenizer.decode(ids) for ids in results]


random_sentiment = RandomSentiment(
    start_id=tokenizer._token_start_id, end_id=tokenizer._token_end_id, maxlen=2
)
train_generator = data_generator(data, 4)
history = model.fit(
    train_generator.forfit(), steps_per_epoch=len(train_generator), epochs=2
)
texts = random_sentiment.generate(1, 2)
