"""Scores of texts: log-likelihoods, keywords, sentence vectors."""

import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.generation import (
    Decoder,
    keyword_array,
    log_likelihood,
    mean_vectors,
    occurs,
    pseudo_likelihood,
)
from bert4keras3.tokenizers import Tokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"今天气很好我想去学校"]
TOKENIZER = Tokenizer({one: i for i, one in enumerate(TOKENS)})
TEXTS = [[2, 5, 6, 8, 9, 3], [2, 13, 14, 3, 0, 0]]
IDS = ops.convert_to_tensor(np.array(TEXTS, "int32"))
LENGTHS = ops.convert_to_tensor(np.array([6, 4], "int32"))


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_log_likelihood_is_that_of_the_decoder(family):
    t = build(family, "lm", **({"with_mlm": True} if family == "bert" else {}))
    rows = [TEXTS[0], TEXTS[1][:4]]
    expected = Decoder(t, end_id=()).log_prob(
        [one[:1] for one in rows], [one[1:] for one in rows]
    )
    found = ops.convert_to_numpy(log_likelihood(t)(IDS, LENGTHS))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_pseudo_likelihood_masks_one_token_at_a_time():
    t = build("bert", with_mlm=True)
    found = ops.convert_to_numpy(pseudo_likelihood(t, TOKENIZER)(IDS, LENGTHS))
    for row, length in enumerate((6, 4)):
        total = 0.0
        for place in range(1, length - 1):
            ids = np.array([TEXTS[row][:length]])
            ids[0, place] = 4
            p = ops.convert_to_numpy(t.model([ids, np.zeros_like(ids)]))
            total += np.log(p[0, place, TEXTS[row][place]])
        assert found[row] == pytest.approx(total, rel=1e-4)


def test_mean_vectors_know_no_padding():
    vectors = mean_vectors(build("roformer"))
    found = ops.convert_to_numpy(vectors(IDS, LENGTHS))
    np.testing.assert_allclose((found**2).sum(axis=1), 1.0, rtol=1e-5)
    alone = ops.convert_to_numpy(vectors(IDS[1:, :4], LENGTHS[1:]))
    np.testing.assert_allclose(found[1:], alone, rtol=1e-4, atol=1e-5)


def test_keywords_occur_in_one_piece():
    words = keyword_array(TOKENIZER, [["今天", "天很", "今很", "好"], ["校", "学校今"]])
    found = ops.convert_to_numpy(occurs(IDS, ops.convert_to_tensor(words)))
    # The second text has two keywords only; what fills up its row is no demand.
    assert found.tolist() == [[True, True, False, True], [True, False, True, True]]
    with pytest.raises(ValueError, match="keyword of no token"):
        keyword_array(TOKENIZER, [["今天", ""]])


def test_errors():
    with pytest.raises(ValueError, match="application='lm'"):
        log_likelihood(build("bert", with_mlm=True))
    with pytest.raises(ValueError, match="pseudo_likelihood needs an encoder"):
        pseudo_likelihood(build("bert"), TOKENIZER)
