"""Pretraining input: corpora as token shards, objectives, batches; numpy only."""

from bert4keras3.pretraining.encoding import read_documents as read_documents
from bert4keras3.pretraining.encoding import split_sentences as split_sentences
from bert4keras3.pretraining.masking import MaskedLM as MaskedLM
from bert4keras3.pretraining.next_tokens import CausalLM as CausalLM
from bert4keras3.pretraining.next_tokens import UniLM as UniLM
from bert4keras3.pretraining.objective import Objective as Objective
from bert4keras3.pretraining.pairs import NextSentence as NextSentence
from bert4keras3.pretraining.pairs import SentenceOrder as SentenceOrder
from bert4keras3.pretraining.shards import TokenShards as TokenShards
from bert4keras3.pretraining.shards import Vocabulary as Vocabulary
from bert4keras3.pretraining.spans import SpanCorruption as SpanCorruption
from bert4keras3.pretraining.spans import sentinel_ids as sentinel_ids
from bert4keras3.pretraining.stream import PretrainingData as PretrainingData
from bert4keras3.pretraining.summaries import PseudoSummaries as PseudoSummaries
from bert4keras3.pretraining.writing import ShardWriter as ShardWriter
from bert4keras3.pretraining.writing import write_shards as write_shards
