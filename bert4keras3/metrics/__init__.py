"""Metrics: in the graph, for `model.compile(metrics=[...])`, and of generated texts."""

from bert4keras3.metrics.f1 import MultilabelF1 as MultilabelF1
from bert4keras3.metrics.f1 import SpanF1 as SpanF1
from bert4keras3.metrics.text import text_scores as text_scores
