"""What a task of CLUE is to the runner: reading, batches, a model, scores, answers."""

import dataclasses
from pathlib import Path

import keras
import numpy as np

from bert4keras3.layers import GlobalAveragePooling1D, GlobalMaxPooling1D, PackedPooling
from bert4keras3.models import build_transformer_model
from bert4keras3.models.config_files import read_config
from bert4keras3.optimizers import AdamW, Warmup
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.utils.assets import asset_path
from examples.clue import data

POOLINGS = {"mean": GlobalAveragePooling1D, "max": GlobalMaxPooling1D}


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says of a training; None: what the task itself says.

    data: CLUE's folder; checkpoint: name or folder of a model with its vocabulary;
    family: of the model, if its config does not tell; cased: its vocabulary knows
    capitals; packing: several short texts in a row; random_weights: the same model,
    not pretrained; limit: training samples at most; pooling: "first" token's vector of
    a text, or the "mean" or "max" of all; the sizes are those of `Task`.
    """

    data: Path
    checkpoint: str = "zh-tiny"
    family: str | None = None
    cased: bool = False
    maxlen: int | None = None
    batch_size: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    packing: bool = True
    random_weights: bool = False
    limit: int | None = None
    pooling: str = "first"


class Task:
    """A task: subclass it in a file of its own.

    name: of the file, the folder and the submission; folders: further names of the
    folder; train, dev: file names, the first there is; tests: {file: submission};
    metric: the key of `score` that is the task's; maxlen, batch_size, epochs: of the
    training; row_length: tokens of a row that several texts share, None if they are
    too long for that.
    `samples` are what `read` returns, a list; `features` what `encode` makes of them.
    """

    name = ""
    folders = ()
    train, dev = ("train.json",), ("dev.json",)
    tests = {}
    metric = "accuracy"
    maxlen, batch_size, epochs = 128, 32, 10
    row_length = None

    def __init__(self, options: Options):
        self.options = options
        self.folder = data.task_folder(options.data, (self.name, *self.folders))
        for size in ("maxlen", "batch_size", "epochs"):
            if getattr(options, size) is not None:
                setattr(self, size, getattr(options, size))
        if self.batch_size % device_count():
            raise ValueError(
                f"{self.name}: batches of {self.batch_size} cannot be shared by "
                f"{device_count()} devices. Give another --batch-size."
            )
        self.packed = options.packing and self.row_length is not None
        self.tokenizer = Tokenizer(options.checkpoint, do_lower_case=not options.cased)

    # --- what a task says ------------------------------------------------------

    def read(self, path, labelled=True) -> list:
        """The samples of an official file; ValueError with file and line."""
        raise NotImplementedError

    def encode(self, samples):
        """What `batches` and `predict` take."""
        raise NotImplementedError

    def batches(self, features, seed: int):
        """A DataGenerator of training batches."""
        raise NotImplementedError

    def build(self, steps: int) -> keras.Model:
        """The model, compiled for `steps` updates."""
        raise NotImplementedError

    def predict(self, model, features) -> list:
        """One answer for every sample."""
        raise NotImplementedError

    def score(self, samples, predictions) -> dict[str, float]:
        """{metric: value from 0 to 1, ...} of labelled samples."""
        raise NotImplementedError

    def majority(self, train, dev) -> list:
        """Answers to `dev` of who has only counted the answers of `train`."""
        raise NotImplementedError

    def answers(self, samples, predictions):
        """What the submission file holds: a list (json lines) or a dict (JSON)."""
        raise NotImplementedError

    # --- the same for all ------------------------------------------------------

    def files(self, part: str) -> list[Path]:
        """The files that "train" or "dev" is read from."""
        return [data.find(self.folder, getattr(self, part))]

    def split(self, part: str) -> list:
        """The samples of "train" (at most options.limit) or "dev"."""
        samples = [one for path in self.files(part) for one in self.read(path)]
        limit = self.options.limit
        if part == "dev" or limit is None or limit >= len(samples):
            return samples
        chosen = np.random.default_rng(0).permutation(len(samples))[:limit]
        return [samples[place] for place in sorted(chosen)]

    def test_files(self) -> dict[Path, str]:
        """{official test file: name of its submission} of those that are there.

        Of two files for one submission (test.json, test1.0.json) it is the later one.
        """
        names = {self.folder / name: answer for name, answer in self.tests.items()}
        found = {answer: path for path, answer in names.items() if path.is_file()}
        return {path: answer for answer, path in found.items()}

    def encoder(self, **kwargs):
        """The pretrained Transformer (`return_keras_model=False`)."""
        source = self.options.checkpoint
        if self.options.random_weights:
            source = read_config(asset_path(source))[1]
        family = {"model": self.options.family} if self.options.family else {}
        return build_transformer_model(
            source, return_keras_model=False, **family, **kwargs
        )

    def text_vectors(self, packed=False):
        """(encoder, a vector of every text: (B, D), packed (B, N, D))."""
        pooling = self.options.pooling
        first = pooling == "first"
        bert = self.encoder(packed=packed, with_first_token=first)
        x = bert.model.output
        if first:
            return bert, x
        if packed:
            return bert, PackedPooling(pooling)([x, bert.model.inputs[-1]])
        return bert, POOLINGS[pooling]()(x)

    def compiled(self, model, loss, steps: int, **kwargs) -> keras.Model:
        """`model` with AdamW, warm-up in a tenth of the steps and linear decay."""
        rate = self.options.learning_rate or default_rate(self.options.checkpoint)
        schedule = Warmup(rate, steps)
        optimizer = AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0)
        model.compile(optimizer, loss, **kwargs)
        return model


def device_count() -> int:
    """Devices that share a batch: 1, unless --devices says more."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def default_rate(checkpoint) -> float:
    """2e-5, and 3e-4 for models narrower than 512 numbers a token, such as zh-tiny."""
    config = read_config(asset_path(checkpoint))[1]
    return 2e-5 if config.get("hidden_size", 768) >= 512 else 3e-4
