"""The examples of language models run, in seconds, with --smoke."""

import pytest
from test_examples import load


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2_ml", "nezha_gen_gpt"])
def test_texts_of_a_folder(name, tmp_path, capsys):
    """A folder's model says the same as the model it was saved from."""
    module = load(f"basic_language_model_{name}")
    made = []

    def kept(args):
        made.append(build(args))
        return made[0]

    build, module.build = module.build, kept
    texts = module.main(["--smoke", "--text=今天", "--answers=1"])
    assert texts[0].startswith("今天") and len(texts[0]) > 4
    module.build = build
    made[0][0].transformer.save(tmp_path, format="tf", vocab="zh-tiny")
    arguments = ["--smoke", "--text=今天", "--answers=1", f"--model={tmp_path}"]
    assert module.main(arguments) == texts
    with pytest.raises(SystemExit):
        module.main([])
    assert "https://github.com" in capsys.readouterr().err


def test_cpm_answers_by_example(capsys):
    pytest.importorskip("jieba")
    pytest.importorskip("sentencepiece")
    module = load("basic_language_model_cpm_lm")
    assert len(module.main(["--smoke"])) == 3
    _, tokenizer = module.build(module.parse(["--smoke"]))
    for prompt in module.prompts.values():
        ids = tokenizer.encode(prompt)[0]
        assert ids.count(3) == prompt.count("\n")  # id 3 is <cls>, as of CPM
        text = module.plain(tokenizer.decode(ids))
        assert text == prompt.replace("：", ":")  # sentencepiece's NFKC


@pytest.mark.slow
def test_roformer_gpt():
    module = load("basic_language_model_nezha_gen_gpt")
    (text,) = module.main(["--smoke", "--family=roformer", "--answers=1"])
    assert text.startswith("科学技术")
