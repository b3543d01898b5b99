"""bert4keras's `snippets`: the small tools scripts import from one place."""

from bert4keras3.generation.autoregressive import (
    AutoRegressiveDecoder as AutoRegressiveDecoder,
)
from bert4keras3.serving.legacy import WebServing as WebServing
from bert4keras3.utils.bucketed import BucketedGenerator as BucketedGenerator
from bert4keras3.utils.bucketed import GroupedGenerator as GroupedGenerator
from bert4keras3.utils.bucketed import PairedGenerator as PairedGenerator
from bert4keras3.utils.data import DataGenerator as DataGenerator
from bert4keras3.utils.data import repeat_rows as repeat_rows
from bert4keras3.utils.files import find_file as find_file
from bert4keras3.utils.files import open as open
from bert4keras3.utils.misc import delete_arguments as delete_arguments
from bert4keras3.utils.misc import insert_arguments as insert_arguments
from bert4keras3.utils.misc import is_one_of as is_one_of
from bert4keras3.utils.misc import softmax as softmax
from bert4keras3.utils.misc import to_array as to_array
from bert4keras3.utils.packing import PackedGenerator as PackedGenerator
from bert4keras3.utils.packing import Unpacked as Unpacked
from bert4keras3.utils.padding import LENGTHS as LENGTHS
from bert4keras3.utils.padding import LengthBuckets as LengthBuckets
from bert4keras3.utils.padding import sequence_padding as sequence_padding
from bert4keras3.utils.parallel import parallel_apply as parallel_apply
from bert4keras3.utils.parallel import (
    parallel_apply_generator as parallel_apply_generator,
)
from bert4keras3.utils.parallel import prefetch as prefetch
from bert4keras3.utils.prediction import predict_batches as predict_batches
from bert4keras3.utils.prediction import predict_each as predict_each
from bert4keras3.utils.resize import orthogonally_resize as orthogonally_resize
from bert4keras3.utils.text import convert_to_str as convert_to_str
from bert4keras3.utils.text import convert_to_unicode as convert_to_unicode
from bert4keras3.utils.text import is_string as is_string
from bert4keras3.utils.text import (
    longest_common_subsequence as longest_common_subsequence,
)
from bert4keras3.utils.text import (
    longest_common_substring as longest_common_substring,
)
from bert4keras3.utils.text import lowercase_and_normalize as lowercase_and_normalize
from bert4keras3.utils.text import string_matching as string_matching
from bert4keras3.utils.text import strQ2B as strQ2B
from bert4keras3.utils.text import text_segmentate as text_segmentate
from bert4keras3.utils.text import truncate_sequences as truncate_sequences
from bert4keras3.utils.viterbi import ViterbiDecoder as ViterbiDecoder

# Scripts import it for Chinese output on Python 2; Python 3 needs nothing.
uniout = None
