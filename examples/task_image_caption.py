"""Captions of images: a language model told by its norms what MobileNetV2 sees.

The image's pooled features move the scales and offsets of every normalisation
(https://kexue.fm/archives/7124); MobileNetV2 itself stays as it is. --data is a json of
COCO's captions, --images the folder of its images (`pip install pillow`); the captions
of every tenth image are held out, and their perplexity tells which epoch is best.
    python examples/task_image_caption.py --data captions_train2014.json \
        --images train2014 --model FOLDER --learning-rate 1e-5
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np
from keras.applications import mobilenet_v2

from bert4keras3.generation import BeamSearch, Decoder
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 64
buckets = (16, 32, 64)  # lengths to pad to: compiled backends see these only
size = 299  # of an image, padded to a square


def make_images(folder):
    """Captions and images of noise in three colours, for --smoke."""
    coco = {"images": [], "annotations": []}
    for i in range(20):
        colour = i % 3
        pixels = np.random.default_rng(i).integers(0, 80, (48, 64, 3))
        pixels[..., colour] += 150
        keras.utils.save_img(folder / f"{i}.png", pixels, scale=False)
        coco["images"].append({"id": i, "file_name": f"{i}.png"})
        caption = f"a picture in {('red', 'green', 'blue')[colour]}"
        coco["annotations"].append({"image_id": i, "caption": caption})
    (folder / "captions.json").write_text(json.dumps(coco), encoding="utf-8")
    return folder / "captions.json", folder


def read(path, folder):
    """(train, dev): [(path of an image, caption), ...] of COCO's annotations."""
    coco = json.loads(Path(path).read_text(encoding="utf-8"))
    names = {one["id"]: one["file_name"] for one in coco["images"]}
    held = set(list(names)[::10])
    train, dev = [], []
    for one in coco["annotations"]:
        sample = Path(folder) / names[one["image_id"]], one["caption"].strip()
        (dev if one["image_id"] in held else train).append(sample)
    return train, dev


def read_image(path):
    """The pixels that MobileNetV2 reads, float32 (size, size, 3)."""
    try:
        from PIL import ImageOps
    except ImportError as error:
        raise ImportError("To read images: pip install pillow") from error
    image = ImageOps.pad(keras.utils.load_img(path), (size, size))
    return mobilenet_v2.preprocess_input(keras.utils.img_to_array(image))


def build_model(args):
    """The Transformer, whose last input is the image, and the model that trains it."""
    image = keras.Input((size, size, 3), name="Image")
    weights = None if args.smoke else "imagenet"  # which Keras downloads
    sees = mobilenet_v2.MobileNetV2(include_top=False, weights=weights, pooling="avg")
    sees.trainable = False
    bert = build_transformer_model(
        args.model,
        application="lm",
        layer_norm_cond=sees(image),
        layer_norm_cond_hidden_size=128,
        layer_norm_cond_hidden_act="swish",
        additional_input_layers=image,
        return_keras_model=False,
    )
    model = bert.training_model()
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def batches(generator):
    """Images are an input: the loss is that of the caption's tokens."""
    for inputs, images in generator.forfit():
        yield (*inputs, images), None


def perplexity(decoder, dev):
    """exp of the mean -log p of a token of the captions, given their images."""
    total, count = 0.0, 0
    for start in range(0, len(dev), decoder.batch_size):  # not all images at once
        part = dev[start : start + decoder.batch_size]
        images = np.stack([read_image(path) for path, _ in part])
        captions = [caption for _, caption in part]
        logs = decoder.token_log_probs([""] * len(part), captions, [images])
        total += sum(map(np.sum, logs))
        count += sum(map(len, logs))
    return float(np.exp(-total / count))


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="captions_train2014.json")
    parser.add_argument("--images", help="folder of the images")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--dev-size", type=int, default=500, help="captions to score")
    parser.add_argument("--smoke", action="store_true", help="made-up images")
    args = parser.parse_args(argv)
    if not args.smoke and not (args.data and args.images):
        parser.error("--data and --images are needed: https://cocodataset.org")
    return args


def run(args):
    """Train and evaluate; the best result."""
    keras.utils.set_random_seed(42)
    train, dev = read(args.data, args.images)
    dev = dev[: args.dev_size]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert, model = build_model(args)
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (tokenizer.encode(d[1], maxlen=maxlen), read_image(d[0])),
        buckets=buckets,
    )
    decoder = Decoder(bert, tokenizer, maxlen=4 if args.smoke else maxlen)

    def evaluate(model):
        some = dict(reversed(dev[:4]))
        images = np.stack([read_image(path) for path in some])
        texts = decoder([""] * len(some), BeamSearch(3), conditions=[images])
        for path, text in zip(some, texts, strict=True):
            print(f"\n{path.name}: {text} (one of its captions: {some[path]})", end="")
        return {"perplexity": perplexity(decoder, dev)}

    evaluation = Evaluation(evaluate, "perplexity", args.weights, mode="min")
    model.fit(
        batches(generator),
        steps_per_epoch=1 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
    )
    print("best:", evaluation.best_result)
    return evaluation.best_result


def main(argv=None):
    args = parse(argv)
    if not args.smoke:
        return run(args)
    with tempfile.TemporaryDirectory() as folder:
        args.data, args.images = make_images(Path(folder))
        args.batch_size = 4
        return run(args)


if __name__ == "__main__":
    main()
