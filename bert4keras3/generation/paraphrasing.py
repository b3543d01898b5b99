"""Similar sentences from one model that writes them and ranks them: SimBERT."""

import keras
import numpy as np

from bert4keras3.generation.decoder import Decoder
from bert4keras3.generation.sampling import Sampling
from bert4keras3.utils.vectors import sentence_vectors


class Paraphraser:
    """Writes sentences that mean the same, the most similar ones first.

    transformer: a Transformer or the Keras model of build_transformer_model, with
    application="unilm" and with_pool="linear" (SimBERT, RoFormer-Sim); tokenizer: of
    the sentences; maxlen: new tokens at most, and tokens of a sentence; settings:
    those of `Decoder`. `vectors` gives sentence vectors for search.
    Raises ValueError for a model without a pooler.
    https://kexue.fm/archives/7427

        paraphraser = Paraphraser(model, tokenizer)
        paraphraser("微信和支付宝哪个好？", n=100, k=10)
    """

    def __init__(self, transformer, tokenizer, maxlen=32, **settings):
        self.decoder = Decoder(transformer, tokenizer, maxlen=maxlen, **settings)
        t = self.decoder.transformer
        if not getattr(t, "with_pool", False) or t.with_nsp:
            raise ValueError(
                "Paraphraser ranks by the pooled vector, and this "
                f"{type(t).__name__} has none: build it with application='unilm' and "
                "with_pool='linear'."
            )
        self.tokenizer, self.maxlen = tokenizer, maxlen
        self.encoder = keras.Model(t.model.inputs, t.model.outputs[0])

    def __call__(self, texts, n=100, k=20, strategy=None, seed=0):
        """The k best of n drawn sentences: a list of (sentence, cosine), best first.

        texts: a list of sentences, for each of which there is a list, or a single one;
        n: sentences drawn per text; k: returned at most, drawn ones that are empty,
        repeated or the text itself are left out; strategy: default Sampling(topp=0.95);
        seed: see `row_keys`.
        """
        single = isinstance(texts, str)
        texts = [texts] if single else list(texts)
        strategy = strategy or Sampling(topp=0.95)
        prompts = [self.tokenizer.encode(text, maxlen=self.maxlen) for text in texts]
        drawn = self.decoder.generate(prompts, strategy, n, seed)
        found = [
            self._others(prompt[0], [self.decoder.decode(one.ids) for one in row])
            for prompt, row in zip(prompts, drawn, strict=True)
        ]
        ranked = self._ranked(texts, found, k)
        return ranked[0] if single else ranked

    def vectors(self, texts, batch_size=64):
        """Sentence vectors of length one, float32 (N, D); see `sentence_vectors`."""
        return sentence_vectors(
            self.encoder, self.tokenizer, texts, self.maxlen, batch_size
        )

    def _others(self, ids, sentences):
        """The sentences without repeats, empty ones and the text of these ids."""
        # Compared as the tokenizer writes it: a lower-cased text is no new one.
        itself = self.decoder.decode(ids)
        return [one for one in dict.fromkeys(sentences) if one and one != itself]

    def _ranked(self, texts, found, k):
        """The k of each list that are nearest to their text, with cosines."""
        vectors = self.vectors([*texts, *(one for row in found for one in row)])
        parts = np.cumsum([len(texts), *map(len, found)])[:-1]
        queries, *candidates = np.split(vectors, parts)
        ranked = []
        for query, row, own in zip(queries, found, candidates, strict=True):
            scores = own @ query
            order = np.argsort(-scores, kind="stable")[:k]
            ranked.append([(row[i], float(scores[i])) for i in order])
        return ranked
