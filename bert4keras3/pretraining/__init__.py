"""Pretraining corpora: a global shuffle of text that is larger than memory."""

from bert4keras3.pretraining.shuffle import ShuffleReport as ShuffleReport
from bert4keras3.pretraining.shuffle import shuffle_corpus as shuffle_corpus
