#! -*- coding:utf-8 -*-
# mT5 / T5-PEGASUS：编码器、解码器各自的模型，损失层，逐词解码

import numpy as np
from bert4keras.backend import keras, K
from bert4keras.layers import Loss
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import sequence_padding, to_array
from bert4keras.snippets import DataGenerator, AutoRegressiveDecoder
from bert4keras.tokenizers import Tokenizer
from keras.models import Model

max_c_len, max_t_len = 12, 8
tokenizer = Tokenizer(
    't5/vocab.txt', do_lower_case=True, pre_tokenize=lambda s: [s[i:i + 2] for i in range(0, len(s), 2)]
)
lines = [l.strip().split('\t') for l in open('data/titles.tsv', encoding='utf-8')]


class data_generator(DataGenerator):
    def __iter__(self, random=False):
        batch_c, batch_t = [], []
        for is_end, (title, content) in self.sample(random):
            c, _ = tokenizer.encode(content, maxlen=max_c_len)
            t, _ = tokenizer.encode(title, maxlen=max_t_len)
            batch_c.append(c)
            batch_t.append(t)
            if len(batch_c) == self.batch_size or is_end:
                batch_c = sequence_padding(batch_c)
                batch_t = sequence_padding(batch_t)
                yield [batch_c, batch_t], None
                batch_c, batch_t = [], []


class CrossEntropy(Loss):
    def compute_loss(self, inputs, mask=None):
        y_true, y_pred = inputs
        y_mask = K.cast(mask[1], K.floatx())[:, :-1]
        y_true = y_true[:, 1:]  # 目标
        y_pred = y_pred[:, :-1]
        loss = K.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        return K.sum(loss * y_mask) / K.sum(y_mask)


t5 = build_transformer_model(
    config_path='t5/config.json',
    checkpoint_path='t5/model.ckpt',
    model='mt5.1.1',
    with_lm='linear',
    return_keras_model=False,
    name='T5',
)
encoder = t5.encoder
decoder = t5.decoder
model = t5.model
output = CrossEntropy(1)([model.inputs[1], model.outputs[0]])
model = Model(model.inputs, output)
model.compile(optimizer=Adam(5e-3))


class AutoTitle(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps(default_rtype='logits')
    def predict(self, inputs, output_ids, states):
        c_encoded = inputs[0]
        return self.last_token(decoder).predict([c_encoded, output_ids])

    def generate(self, text, topk=1):
        c_token_ids, _ = tokenizer.encode(text, maxlen=max_c_len)
        c_encoded = encoder.predict(np.array([c_token_ids]))[0]
        output_ids = self.beam_search([c_encoded], topk=topk)
        return tokenizer.decode([int(i) for i in output_ids])


autotitle = AutoTitle(
    start_id=tokenizer._token_start_id, end_id=tokenizer._token_end_id, maxlen=2
)
train_generator = data_generator(lines, 4)
history = model.fit(
    train_generator.forfit(),
    steps_per_epoch=len(train_generator),
    epochs=3,
)
title = autotitle.generate(u'今天小明去北京开会', topk=2)
