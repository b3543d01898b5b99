"""What runs around `fit`, makes its batches and changes its steps."""

from bert4keras3.training.adversarial import FGM as FGM
from bert4keras3.training.adversarial import PGD as PGD
from bert4keras3.training.attributions import IntegratedGradients as IntegratedGradients
from bert4keras3.training.attributions import (
    integrated_gradients as integrated_gradients,
)
from bert4keras3.training.averages import EMAEvaluation as EMAEvaluation
from bert4keras3.training.checkpoint import Checkpoint as Checkpoint
from bert4keras3.training.cloze import Cloze as Cloze
from bert4keras3.training.evaluation import Evaluation as Evaluation
from bert4keras3.training.lazy_rows import LazyRows as LazyRows
from bert4keras3.training.methods import Method as Method
from bert4keras3.training.methods import with_methods as with_methods
from bert4keras3.training.nan_guard import NaNGuard as NaNGuard
from bert4keras3.training.penalties import GradientPenalty as GradientPenalty
from bert4keras3.training.penalties import RDrop as RDrop
from bert4keras3.training.penalties import VirtualAdversarial as VirtualAdversarial
from bert4keras3.training.tasks import TaskBalance as TaskBalance
from bert4keras3.training.tensorboard import TensorBoardLog as TensorBoardLog
from bert4keras3.training.theseus import theseus_model as theseus_model
from bert4keras3.training.throughput import Throughput as Throughput
from bert4keras3.training.unfreezing import GradualUnfreezing as GradualUnfreezing
