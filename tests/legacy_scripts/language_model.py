#! -*- coding:utf-8 -*-
# 语言模型：application='lm'，权重来自 Keras 的 mask，随机采样续写

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import Loss
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding, text_segmentate
from bert4keras.snippets import DataGenerator, AutoRegressiveDecoder
from bert4keras.tokenizers import Tokenizer
from keras.models import Model

tokenizer = Tokenizer('bert/vocab.txt', do_lower_case=True)
sentences = []
with open('data/novel.txt', encoding='utf-8') as f:
    for line in f:
        sentences.extend(text_segmentate(line.strip(), 10, u'。，'))


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        batch_token_ids, batch_segment_ids = [], []
        for is_end, text in self.sample(random):
            token_ids, segment_ids = tokenizer.encode(text)
            batch_token_ids.append(token_ids)
            batch_segment_ids.append(segment_ids)
            if len(batch_token_ids) == self.batch_size or is_end:
                yield [
                    sequence_padding(batch_token_ids, 12),
                    sequence_padding(batch_segment_ids, 12)
                ], None
                batch_token_ids, batch_segment_ids = [], []


class CrossEntropy(Loss):
    """移位一格的交叉熵"""
    def compute_loss(self, inputs, mask=None):
        y_true, y_pred = inputs
        if mask[1] is None:
            y_mask = 1.0
        else:
            y_mask = K.cast(mask[1], K.floatx())[:, 1:]
        y_true = y_true[:, 1:]
        y_pred = y_pred[:, :-1]
        loss = K.sparse_categorical_crossentropy(y_true, y_pred)
        accuracy = K.cast(
            K.equal(K.argmax(y_pred, -1), K.cast(y_true, 'int64')), K.floatx()
        )
        self.add_metric(K.mean(accuracy), name='accuracy', aggregation='mean')
        return K.sum(loss * y_mask) / K.sum(y_mask)


model = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt', application='lm'
)
output = CrossEntropy(1)([model.inputs[0], model.outputs[0]])
model = Model(model.inputs, output)
model.compile(optimizer=Adam(5e-3))


class StoryCompletion(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps(default_rtype='probas')
    def predict(self, inputs, output_ids, states):
        token_ids = np.concatenate([inputs[0], output_ids], 1)
        segment_ids = np.zeros_like(token_ids)
        return self.last_token(model).predict([token_ids, segment_ids])

    def generate(self, text, n=1, topp=0.95):
        token_ids, _ = tokenizer.encode(text)
        results = self.random_sample([token_ids[:-1]], n, topp=topp)
        return [text + tokenizer.decode(ids) for ids in results]


story_completion = StoryCompletion(
    start_id=None, end_id=tokenizer._token_end_id, maxlen=2
)
generator = data_generator(sentences, 4)
generator.drop = None
history = model.fit(
    generator.forfit(),
    steps_per_epoch=len(generator),
    epochs=3,
)
stories = story_completion.generate(u'小明今天', 2)
