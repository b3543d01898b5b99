"""What runs around `fit`, and what changes its steps."""

from bert4keras3.training.adversarial import FGM as FGM
from bert4keras3.training.adversarial import PGD as PGD
from bert4keras3.training.checkpoint import Checkpoint as Checkpoint
from bert4keras3.training.evaluation import Evaluation as Evaluation
from bert4keras3.training.methods import Method as Method
from bert4keras3.training.methods import with_methods as with_methods
