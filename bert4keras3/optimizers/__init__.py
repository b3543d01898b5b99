"""Optimizers: bert4keras's, Keras's with rules, and what extends both."""

from bert4keras3.optimizers.accumulation import FlushGradients as FlushGradients
from bert4keras3.optimizers.adafactor import AdaFactor as AdaFactor
from bert4keras3.optimizers.adam import Adam as Adam
from bert4keras3.optimizers.adam import AdamW as AdamW
from bert4keras3.optimizers.adam import Lamb as Lamb
from bert4keras3.optimizers.legacy import (
    extend_with_exponential_moving_average as extend_with_exponential_moving_average,
)
from bert4keras3.optimizers.legacy import (
    extend_with_gradient_accumulation as extend_with_gradient_accumulation,
)
from bert4keras3.optimizers.legacy import (
    extend_with_layer_adaptation as extend_with_layer_adaptation,
)
from bert4keras3.optimizers.legacy import (
    extend_with_lazy_optimization as extend_with_lazy_optimization,
)
from bert4keras3.optimizers.legacy import extend_with_lookahead as extend_with_lookahead
from bert4keras3.optimizers.legacy import (
    extend_with_parameter_wise_lr as extend_with_parameter_wise_lr,
)
from bert4keras3.optimizers.legacy import (
    extend_with_piecewise_linear_lr as extend_with_piecewise_linear_lr,
)
from bert4keras3.optimizers.legacy import (
    extend_with_weight_decay as extend_with_weight_decay,
)
from bert4keras3.optimizers.rulebook import layerwise_decay as layerwise_decay
from bert4keras3.optimizers.rules import with_rules as with_rules
from bert4keras3.optimizers.schedules import PiecewiseLinear as PiecewiseLinear
from bert4keras3.optimizers.schedules import Warmup as Warmup
from bert4keras3.optimizers.signs import Lion as Lion
from bert4keras3.optimizers.signs import Tiger as Tiger
