"""Every extraction example runs, in seconds, with --smoke, and writes what it found."""

import json

import pytest
from test_examples import EXAMPLES, load

DATA = EXAMPLES / "data"
NER = "task_sequence_labeling_ner_"


def lines(path):
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")


def some_of(path, folder):
    """A file with the first lines of another one."""
    (folder / path.name).write_text("\n".join(lines(path)[:6]), encoding="utf-8")
    return folder / path.name


def run(name, folder, *arguments):
    weights = folder / "best.weights.h5"
    arguments = ["--smoke", "--batch-size=8", f"--weights={weights}", *arguments]
    module = load(name)
    # One shape to compile.
    module.maxlen, module.buckets = 64, (64 if hasattr(module, "maxlen") else 128,)
    best = module.main(arguments)
    assert weights.exists()
    return best


@pytest.mark.parametrize(
    "name, arguments",
    [
        (NER + "crf", ["--head=crf", f"--data={DATA / 'cluener'}"]),
        pytest.param(NER + "crf", ["--head=memm"], marks=pytest.mark.slow),
        pytest.param(NER + "globalpointer", ["--head=gp"], marks=pytest.mark.slow),
        (NER + "globalpointer", ["--head=egp", f"--data={DATA / 'people_daily_ner'}"]),
    ],
)
def test_entities(name, arguments, tmp_path, capsys):
    source, out = some_of(DATA / "cluener" / "dev.json", tmp_path), tmp_path / "out"
    best = run(name, tmp_path, *arguments, f"--predict={source}", f"--output={out}")
    assert 0 <= best <= 1
    texts = [json.loads(line)["text"] for line in lines(source)]
    found = [json.loads(line) for line in lines(out)]
    assert [line["id"] for line in found] == list(range(len(texts)))
    for text, line in zip(texts, found, strict=True):
        for mentions in line["label"].values():
            for mention, places in mentions.items():
                assert all(text[i : j + 1] == mention for i, j in places)
    assert "micro" in capsys.readouterr().out


def test_words(tmp_path):
    source, out = tmp_path / "texts", tmp_path / "out"
    texts = ["结合成分子时", "", "a" * 20 + "，你好。" * 60]
    source.write_text("\n".join(texts), encoding="utf-8")
    arguments = [f"--predict={source}", f"--output={out}"]
    assert 0 <= run("task_sequence_labeling_cws_crf", tmp_path, *arguments) <= 1
    assert ["".join(line.split()) for line in lines(out)] == texts


@pytest.mark.parametrize(
    "name", ["task_relation_extraction_gplinker", "task_relation_extraction"]
)
def test_relations(name, tmp_path):
    source, out = some_of(DATA / "duie" / "dev_data.json", tmp_path), tmp_path / "out"
    best = run(name, tmp_path, f"--predict={source}", f"--output={out}")
    assert 0 <= best <= 1
    texts = [json.loads(line)["text"] for line in lines(source)]
    found = [json.loads(line) for line in lines(out)]
    assert [line["text"] for line in found] == texts
    keys = {"subject", "predicate", "object", "subject_type", "object_type"}
    assert all(set(spo) == keys for line in found for spo in line["spo_list"])


@pytest.mark.parametrize(
    "kind", ["duee", pytest.param("duee_fin", marks=pytest.mark.slow)]
)
def test_events(kind, tmp_path):
    source, out = some_of(DATA / kind / f"{kind}_dev.json", tmp_path), tmp_path / "out"
    arguments = [f"--predict={source}", f"--output={out}"]
    arguments += ["--fin"] if kind == "duee_fin" else []
    best = run("task_event_extraction_gplinker", tmp_path, *arguments)
    assert set(best) == {"event_f1", "argument_f1"}
    ids = [json.loads(line)["id"] for line in lines(source)]
    found = [json.loads(line) for line in lines(out)]
    assert [line["id"] for line in found] == ids
    assert all(e["event_type"] for line in found for e in line["event_list"])


def test_multilabel_classification(tmp_path):
    assert 0 <= run("task_multilabel_classification", tmp_path) <= 1
