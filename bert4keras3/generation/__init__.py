"""Generation: decoders, ways to choose tokens, and rules for them."""

from bert4keras3.generation.autoregressive import (
    AutoRegressiveDecoder as AutoRegressiveDecoder,
)
from bert4keras3.generation.beam import BeamSearch as BeamSearch
from bert4keras3.generation.contrastive import ContrastiveSearch as ContrastiveSearch
from bert4keras3.generation.decoder import Decoder as Decoder
from bert4keras3.generation.gibbs import GibbsSampler as GibbsSampler
from bert4keras3.generation.logits import Allow as Allow
from bert4keras3.generation.logits import CopySpan as CopySpan
from bert4keras3.generation.logits import Forbid as Forbid
from bert4keras3.generation.logits import Force as Force
from bert4keras3.generation.logits import MinLength as MinLength
from bert4keras3.generation.logits import NoRepeatNgram as NoRepeatNgram
from bert4keras3.generation.logits import RepetitionPenalty as RepetitionPenalty
from bert4keras3.generation.paraphrasing import Paraphraser as Paraphraser
from bert4keras3.generation.sampling import Greedy as Greedy
from bert4keras3.generation.sampling import Sampling as Sampling
from bert4keras3.generation.search import TextSearch as TextSearch
from bert4keras3.generation.text_scores import keyword_array as keyword_array
from bert4keras3.generation.text_scores import log_likelihood as log_likelihood
from bert4keras3.generation.text_scores import mean_vectors as mean_vectors
from bert4keras3.generation.text_scores import occurs as occurs
from bert4keras3.generation.text_scores import pseudo_likelihood as pseudo_likelihood
