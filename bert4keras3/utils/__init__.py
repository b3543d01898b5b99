"""Text, data, parallel and decoding helpers; numpy only."""

from bert4keras3.utils.bucketed import BucketedGenerator as BucketedGenerator
from bert4keras3.utils.bucketed import GroupedGenerator as GroupedGenerator
from bert4keras3.utils.bucketed import PairedGenerator as PairedGenerator
from bert4keras3.utils.data import DataGenerator as DataGenerator
from bert4keras3.utils.packing import PackedGenerator as PackedGenerator
from bert4keras3.utils.packing import Unpacked as Unpacked
from bert4keras3.utils.padding import LENGTHS as LENGTHS
from bert4keras3.utils.padding import LengthBuckets as LengthBuckets
from bert4keras3.utils.padding import sequence_padding as sequence_padding
