#! -*- coding:utf-8 -*-
# 对抗训练：包装 train_function（Keras 3 里不可能，见 docs/migration.md）

from bert4keras.backend import keras, search_layer, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from keras.layers import Lambda, Dense

bert = build_transformer_model(
    'bert/bert_config.json', 'bert/bert_model.ckpt', return_keras_model=False
)
output = Lambda(lambda x: x[:, 0])(bert.model.output)
output = Dense(2, activation='softmax')(output)
model = keras.models.Model(bert.model.input, output)
model.compile(loss='sparse_categorical_crossentropy', optimizer=Adam(2e-5))


def adversarial_training(model, embedding_name, epsilon=1):
    if model.train_function is None:
        model._make_train_function()
    old_train_function = model.train_function
    for output in model.outputs:
        embedding_layer = search_layer(output, embedding_name)
        if embedding_layer is not None:
            break
    embeddings = embedding_layer.embeddings
    gradients = K.gradients(model.total_loss, [embeddings])
    gradients = K.zeros_like(embeddings) + gradients[0]
    inputs = model._feed_inputs + model._feed_targets + model._feed_sample_weights
    embedding_gradients = K.function(inputs=inputs, outputs=[gradients])

    def train_function(inputs):
        grads = embedding_gradients(inputs)[0]
        delta = epsilon * grads / ((grads**2).sum()**0.5 + 1e-8)
        K.set_value(embeddings, K.eval(embeddings) + delta)
        outputs = old_train_function(inputs)
        K.set_value(embeddings, K.eval(embeddings) - delta)
        return outputs

    model.train_function = train_function


adversarial_training(model, 'Embedding-Token', 0.5)
