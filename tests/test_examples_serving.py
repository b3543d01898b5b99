"""The example that serves runs, in seconds, with --smoke."""

import pytest
from test_examples import load

pytest.importorskip("fastapi")


@pytest.mark.slow
def test_similar_questions(capsys):
    module = load("basic_simple_web_serving_simbert")
    module.maxlen = 12
    found = module.main(["--smoke", "--data", "手机银行"])
    assert len(found) <= 2 and str(found) in capsys.readouterr().out
    assert all(one and one != "手机银行" for one in found)
