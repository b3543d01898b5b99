"""What runs around `fit`."""

from bert4keras3.training.evaluation import Evaluation as Evaluation
