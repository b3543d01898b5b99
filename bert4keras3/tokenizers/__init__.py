"""Tokenizers with bert4keras's ids, vocabularies, batch encoding."""

from bert4keras3.tokenizers.base import TextTypeError as TextTypeError
from bert4keras3.tokenizers.base import TokenizerBase as TokenizerBase
from bert4keras3.tokenizers.rust import HFTokenizer as HFTokenizer
from bert4keras3.tokenizers.sentencepiece import SpTokenizer as SpTokenizer
from bert4keras3.tokenizers.vocab import load_vocab as load_vocab
from bert4keras3.tokenizers.vocab import save_vocab as save_vocab
from bert4keras3.tokenizers.wordpiece import Tokenizer as Tokenizer
from bert4keras3.tokenizers.words import jieba_pre_tokenize as jieba_pre_tokenize
