#! -*- coding:utf-8 -*-
# 情感分类：取 [CLS] 接全连接层，学习率先升后降

import numpy as np
from bert4keras.backend import keras, set_gelu
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam, extend_with_piecewise_linear_lr
from bert4keras.snippets import DataGenerator, open, sequence_padding
from bert4keras.tokenizers import Tokenizer
from keras.layers import Lambda, Dense

set_gelu('tanh')  # albert_small 用 tanh 近似的 gelu

num_labels = 2
max_tokens = 16
config_path = 'albert/albert_config.json'
checkpoint_path = 'albert/model.ckpt'
dict_path = 'albert/vocab.txt'


def read_lines(path):
    """每行：文本 TAB 标签"""
    samples = []
    with open(path, encoding='utf-8') as f:
        for line in f:
            text, label = line.strip().split('\t')
            samples.append((text, int(label)))
    return samples


train_data = read_lines('data/sentiment.tsv')
valid_data = train_data[:4]
tokenizer = Tokenizer(dict_path, do_lower_case=True)


class Batches(DataGenerator):
    def __iter__(self, random=False):
        tokens, segments, labels = [], [], []
        for last, (text, label) in self.sample(random):
            t, s = tokenizer.encode(text, maxlen=max_tokens)
            tokens.append(t)
            segments.append(s)
            labels.append([label])
            if last or len(tokens) == self.batch_size:
                yield [sequence_padding(tokens), sequence_padding(segments)], \
                    sequence_padding(labels)
                tokens, segments, labels = [], [], []


train_generator = Batches(train_data, 4)
valid_generator = Batches(valid_data, 4)

bert = build_transformer_model(
    config_path=config_path,
    checkpoint_path=checkpoint_path,
    model='albert',
    return_keras_model=False,
)
output = Lambda(lambda x: x[:, 0], name='CLS-token')(bert.model.output)
output = Dense(
    units=num_labels,
    activation='softmax',
    kernel_initializer=bert.initializer
)(output)
model = keras.models.Model(bert.model.input, output)
model.summary()

AdamLR = extend_with_piecewise_linear_lr(Adam, name='AdamLR')
model.compile(
    loss='sparse_categorical_crossentropy',
    optimizer=AdamLR(learning_rate=1e-2, lr_schedule={
        2: 1,
        20: 0.1
    }),
    metrics=['accuracy'],
)


def evaluate(data):
    total, right = 0., 0.
    for x_true, y_true in data:
        y_pred = model.predict(x_true).argmax(axis=1)
        y_true = y_true[:, 0]
        total += len(y_true)
        right += (y_true == y_pred).sum()
    return right / total


class Evaluator(keras.callbacks.Callback):
    def __init__(self):
        self.best_val_acc = -1.

    def on_epoch_end(self, epoch, logs=None):
        val_acc = evaluate(valid_generator)
        if val_acc > self.best_val_acc:
            self.best_val_acc = val_acc
            model.save_weights('best_model.weights')
        print(u'val_acc: %.5f, best_val_acc: %.5f\n' % (val_acc, self.best_val_acc))


if __name__ == '__main__':
    evaluator = Evaluator()
    history = model.fit(
        train_generator.forfit(),
        steps_per_epoch=len(train_generator),
        epochs=5,
        callbacks=[evaluator]
    )
    model.load_weights('best_model.weights')
    print(u'final acc: %.5f\n' % evaluate(valid_generator))
else:
    model.load_weights('best_model.weights')
