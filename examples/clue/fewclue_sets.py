"""FewCLUE's nine sets as tasks: three of its own, the others as in CLUE."""

from examples import task_pet
from examples.clue.chid import ChID
from examples.clue.choices import Choices, Question
from examples.clue.classification import Classification
from examples.clue.csl import CSL
from examples.clue.data import field, read_records
from examples.clue.iflytek import IFLYTEK
from examples.clue.ocnli import OCNLI
from examples.clue.tnews import TNEWS
from examples.clue.wsc import WSC


class EPRSTMT(Classification):
    """Reviews of a shop: content or not."""

    labels = ("Positive", "Negative")
    row_length = 128

    def texts(self, record):
        """The review."""
        return (field(record, "sentence"),)


class BUSTM(Classification):
    """Two things said to an assistant: whether they ask for the same."""

    labels = ("0", "1")
    row_length = 64

    def texts(self, record):
        """Both."""
        return field(record, "sentence1"), field(record, "sentence2")


class CSLDCP(Classification):
    """The discipline of a paper, one of 67, told from its abstract."""

    labels = tuple(task_pet.DISCIPLINES)
    maxlen = 256

    def texts(self, record):
        """The abstract."""
        return (field(record, "content"),)


class FewChID(ChID):
    """One blank a line, "#idiom#", and its answer in the line."""

    def read(self, path, labelled=True):
        """See `Task`."""

        def parse(record):
            options = tuple(field(record, "candidates", list))
            pieces = field(record, "content").split("#idiom#")
            if len(pieces) != 2:
                raise ValueError("'content' must have #idiom# once")
            label = field(record, "answer", int) if labelled else None
            if labelled and not 0 <= label < len(options):
                raise ValueError(f"the answer {label} is none of the candidates")
            number = field(record, "id", (int, str))
            context = (number, (pieces[0], "#idiom#", pieces[1]), 1)
            return Question(number, context, options, label)

        return read_records(path, parse)

    choose, score = Choices.choose, Choices.score  # nothing to assign jointly

    def answers(self, samples, predictions):
        """{"id", "answer"} of every line."""
        pairs = zip(samples, self.choose(samples, predictions), strict=True)
        return [{"id": one.id, "answer": number} for one, number in pairs]


SETS = {  # name of the folder: class, submission
    "eprstmt": (EPRSTMT, "eprstmt_predict.json"),
    "bustm": (BUSTM, "bustm_predict.json"),
    "csldcp": (CSLDCP, "csldcp_predict.json"),
    "tnews": (TNEWS, "tnewsf_predict.json"),
    "iflytek": (IFLYTEK, "iflytekf_predict.json"),
    "ocnli": (OCNLI, "ocnlif_predict.json"),
    "csl": (CSL, "cslf_predict.json"),
    "chid": (FewChID, "chidf_predict.json"),
    "cluewsc": (WSC, "cluewscf_predict.json"),
}


def few_shot(name: str, split: str = "few_all") -> type:
    """The class of a set that reads the files of a split."""
    cls, submission = SETS[name]
    files = {
        "name": name,
        "folders": (),
        "train": (f"train_{split}.json",),
        "dev": (f"dev_{split}.json",),
        "tests": {"test_public.json": "public.json", "test.json": submission},
        "batch_size": min(16, cls.batch_size),
        "epochs": 20,
    }
    return type(cls.__name__, (cls,), files)
