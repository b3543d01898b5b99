"""What runs around `fit`, and what makes its batches."""

from bert4keras3.training.cloze import Cloze as Cloze
from bert4keras3.training.evaluation import Evaluation as Evaluation
