#! -*- coding:utf-8 -*-
# GAU-α：脚本自己定义模型类，换掉基本模块，自定义初始化与权重映射

import numpy as np
from bert4keras.models import *
from bert4keras.snippets import to_array
from bert4keras.tokenizers import Tokenizer


class GatedRoFormer(RoFormerV2):
    """RoFormerV2 的每一层换成一个 GAU"""
    def initializer(self, shape, dtype=None, order=3, gain=1.0):
        return super(GatedRoFormer, self).initializer(shape, dtype, order, gain)

    def apply_main_layers(self, inputs, index):
        name = 'Transformer-%d-GatedAttentionUnit' % index
        bias = self.compute_attention_bias(index)
        position = self.compute_position_bias(inputs)
        x = [inputs, position]
        arguments = {'a_bias': None, 'p_bias': 'rotary'}
        if bias is not None:
            arguments['a_bias'] = True
            x.insert(1, bias)
        x = self.apply(
            inputs=x,
            layer=GatedAttentionUnit,
            arguments=arguments,
            units=self.intermediate_size,
            key_size=self.attention_key_size,
            activation=self.hidden_act,
            use_bias=False,
            normalization='softmax_plus',
            attention_dropout=self.attention_dropout_rate,
            kernel_initializer=self.initializer,
            name=name
        )
        x = self.apply(
            inputs=x, layer=Dropout, rate=self.dropout_rate, name='%s-Dropout' % name
        )
        x = self.apply(inputs=[inputs, x], layer=Add, name='%s-Add' % name)
        return self.apply(
            inputs=x,
            layer=LayerNormalization,
            zero_mean=False,
            scale=False,
            offset=False,
            name='%s-Norm' % name
        )

    def variable_mapping(self):
        mapping = {
            'Embedding-Token': ['bert/embeddings/word_embeddings'],
            'Embedding-Segment': ['bert/embeddings/token_type_embeddings'],
        }
        for i in range(self.num_hidden_layers):
            prefix = 'GAU_alpha/encoder/layer_%d/gau/' % i
            mapping['Transformer-%d-GatedAttentionUnit' % i] = [
                prefix + 'i_dense/kernel',
                prefix + 'o_dense/kernel',
                prefix + 'q_scaleoffset/gamma',
                prefix + 'k_scaleoffset/gamma',
            ]
        return mapping


tokenizer = Tokenizer('gau/vocab.txt', do_lower_case=True)
token_ids, segment_ids = to_array(*[[z] for z in tokenizer.encode(u'今天小明去北京')])
model = build_transformer_model('gau/config.json', 'gau/model.ckpt', model=GatedRoFormer)
features = model.predict([token_ids, segment_ids])

random_model = build_transformer_model('gau/config.json', model=GatedRoFormer)
kernel = K.eval(
    random_model.get_layer('Transformer-0-GatedAttentionUnit').weights[0]
)
