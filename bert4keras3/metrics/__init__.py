"""Metrics: in the graph, for `model.compile(metrics=[...])`; of texts and of pairs."""

from bert4keras3.metrics.f1 import MultilabelF1 as MultilabelF1
from bert4keras3.metrics.f1 import SpanF1 as SpanF1
from bert4keras3.metrics.pairs import best_threshold as best_threshold
from bert4keras3.metrics.pairs import pair_scores as pair_scores
from bert4keras3.metrics.pairs import spearman as spearman
from bert4keras3.metrics.text import text_scores as text_scores
