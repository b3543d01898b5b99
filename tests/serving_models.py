"""A tiny model that fills masks, compares and generates; a task without a model."""

import functools
import threading
import time

import keras
from tiny_models import build

from bert4keras3.layers import Dense, FirstToken
from bert4keras3.serving import Classify, FillMask, Generate, Similar
from bert4keras3.tokenizers import Tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = "今天气很好我们去公园玩科学技术是第一生产力房间干净服务也银行怎么开通手机"


@functools.cache
def tokenizer():
    tokens = [*SPECIAL, *dict.fromkeys(TEXT)]
    return Tokenizer({token: i for i, token in enumerate(tokens)})


@functools.cache
def unilm():
    return build("bert", "unilm", num_hidden_layers=1)


@functools.cache
def classifier():
    bert = build("bert", num_hidden_layers=1)
    head = Dense(2, activation="softmax", kernel_initializer="random_normal")
    return keras.Model(bert.model.inputs, head(FirstToken()(bert.model.output)))


@functools.cache
def tasks():
    """One task of each kind, by name."""
    size = {"batch_size": 4}
    made = [
        FillMask(unilm(), tokenizer(), **size),
        Classify(classifier(), tokenizer(), ["差评", "好评"], **size),
        Similar(unilm(), tokenizer(), **size),
        Generate(unilm(), tokenizer(), **size),
    ]
    return {one.name: one for one in made}


class Echo:
    """A task that notes its calls; it takes anything but an empty text."""

    name = "fill-mask"
    batch_size = 8

    def __init__(self, seconds=0.0):
        self.seconds, self.calls, self.threads = seconds, [], set()
        self.go = threading.Event()
        self.go.set()

    def prepare(self, item, settings):
        if not item:
            raise ValueError("an empty text")
        return item

    def results(self, samples, settings):
        self.calls.append((list(samples), settings))
        self.threads.add(threading.get_ident())
        self.go.wait(10)
        time.sleep(self.seconds)
        if "broken" in samples:
            raise RuntimeError("the model broke")
        return [{"text": one, "masks": []} for one in samples]

    def shown(self, result, topk):
        return result

    def stream(self, sample, settings):
        self.threads.add(threading.get_ident())
        for one in sample:
            self.calls.append(([one], "stream"))
            time.sleep(self.seconds)
            yield one
