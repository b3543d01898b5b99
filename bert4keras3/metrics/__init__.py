"""Metrics that stay in the graph: for `model.compile(metrics=[...])`."""

from bert4keras3.metrics.f1 import MultilabelF1 as MultilabelF1
from bert4keras3.metrics.f1 import SpanF1 as SpanF1
