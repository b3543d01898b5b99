"""Extract the vectors of a sentence, save the whole model and load it again.

    python examples/basic_extract_features.py --model /path/to/chinese_L-12_H-768_A-12

With Google's chinese_L-12_H-768_A-12 bert4keras prints for 语言模型:
[[[-0.63251007  0.2030236   0.07936534 ...  0.49122632 -0.20493352  0.2575253 ]
  [-0.7588351   0.09651865  1.0718756  ... -0.6109694   0.04312154  0.03881441] ...
"""

import argparse
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import to_array
from bert4keras3.tokenizers import Tokenizer


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="语言模型", help="the sentence")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--smoke", action="store_true", help="nothing to shorten here")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    model = build_transformer_model(args.model)

    token_ids, segment_ids = tokenizer.encode(args.data)
    token_ids, segment_ids = to_array([token_ids], [segment_ids])
    print("===== predicting =====")
    vectors = model.predict([token_ids, segment_ids])
    print(vectors)

    print("===== saving and loading =====")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "encoder.keras")
        model.save(path)
        del model
        model = keras.models.load_model(path)
    again = model.predict([token_ids, segment_ids])
    print("largest difference:", np.abs(again - vectors).max())
    return vectors, again


if __name__ == "__main__":
    main()
