"""Bodies: what each endpoint reads, checked before anything else happens.

Needs pydantic, which fastapi brings along.
"""

import json
import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bert4keras3.generation import BeamSearch, Greedy, Sampling
from bert4keras3.serving.fill_mask import TOP
from bert4keras3.serving.generate import Plan
from bert4keras3.serving.limits import Refusal
from bert4keras3.serving.similar import cosines, ranked

Texts = Annotated[list[str], Field(min_length=1)]
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]
# Every other value is another compiled program: they are steps of 0.05.
Share = Annotated[float, Field(gt=0, le=1, multiple_of=0.05)]
Heat = Annotated[float, Field(ge=0.05, le=2, multiple_of=0.05)]


class Body(BaseModel):
    """Base of the bodies; fields that are not declared are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    texts: Texts

    def check(self, limits):
        """Raise a Refusal for more than the server accepts."""
        limits.check_texts(self.texts)

    def items(self):
        """What the task is given, one for each result."""
        return self.texts

    def settings(self):
        """What may share a batch has equal settings."""
        return ()

    def answer(self, task, results):
        """The JSON of the results."""
        return {"results": results}


class FillMaskBody(Body):
    """POST /fill-mask."""

    topk: int = Field(5, ge=1, le=TOP)

    def answer(self, task, results):
        return {"results": [task.shown(one, self.topk) for one in results]}


class ClassifyBody(Body):
    """POST /classify."""

    texts: Annotated[list[str | Pair], Field(min_length=1)]
    truncate: bool = False

    def settings(self):
        return self.truncate


class SimilarBody(Body):
    """POST /similar."""

    candidates: Texts | None = None
    topk: int | None = Field(None, ge=1)
    truncate: bool = False

    def check(self, limits):
        super().check(limits)
        limits.check_texts(self.candidates or [], "candidates")

    def items(self):
        return [*self.texts, *(self.candidates or ())]

    def settings(self):
        return self.truncate

    def answer(self, task, results):
        if self.candidates is None:
            return {"scores": cosines(results, results)}
        return {"results": ranked(results, self.candidates, self.topk)}


class GenerateBody(Body):
    """POST /generate."""

    maxlen: int = Field(32, ge=1)
    n: int = Field(1, ge=1)
    beams: int | None = Field(None, ge=1)
    temperature: Heat | None = None
    topk: int | None = Field(None, ge=1, le=1000)
    topp: Share | None = None
    seed: int = Field(default_factory=lambda: secrets.randbelow(2**31), ge=0, lt=2**63)
    stream: bool = False

    @property
    def sampled(self):
        """Whether tokens are drawn at random."""
        return any(x is not None for x in (self.temperature, self.topk, self.topp))

    @model_validator(mode="after")
    def _fits(self):
        if self.beams and (self.sampled or self.stream):
            raise ValueError("beams go with neither sampling nor stream")
        if self.n > (self.beams or (self.n if self.sampled else 1)):
            raise ValueError("n answers need sampling, or as many beams")
        if self.stream and (self.n > 1 or len(self.texts) > 1):
            raise ValueError("stream makes one answer to one text")
        return self

    def check(self, limits):
        super().check(limits)
        for name, most in (
            ("maxlen", limits.new_tokens),
            ("n", limits.answers),
            ("beams", limits.answers),
        ):
            if (getattr(self, name) or 0) > most:
                raise Refusal(
                    422, "invalid", f"{name} may be {most} on this server.", name
                )

    def items(self):
        return [(text, self.seed) for text in self.texts]

    def settings(self):
        return Plan(self.maxlen, self._strategy(), self.n)

    def answer(self, task, results):
        return {"results": [{"answers": one} for one in results], "seed": self.seed}

    def _strategy(self):
        if self.beams:
            return BeamSearch(self.beams, length_penalty=1.0)
        if self.sampled:
            return Sampling(self.temperature or 1.0, self.topk, self.topp)
        return Greedy()


BODIES = {
    "fill-mask": FillMaskBody,
    "classify": ClassifyBody,
    "similar": SimilarBody,
    "generate": GenerateBody,
}


def parsed(cls, content):
    """The Body of that class that the bytes are; a Refusal (400, 422) if none.

    JSON as RFC 8259 has it: UTF-8, no NaN, no repeated names.
    """
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse
        )
        if b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(400, "not_utf8", "The body must be UTF-8.") from error
    except UnicodeEncodeError as error:
        told = "A text has an escape that is half of a character (\\ud800 to \\udfff)."
        raise Refusal(400, "malformed_json", told) from error
    except RecursionError as error:
        raise Refusal(400, "too_deep", "The JSON is nested too deeply.") from error
    except ValueError as error:
        raise Refusal(400, "malformed_json", f"No valid JSON: {error}") from error
    try:
        return cls.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message, field = first["msg"], _place(first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(cls.model_fields)
            message = f"Unknown field. Expected some of: {known}"
        raise Refusal(422, "invalid", message, field) from error


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _refuse(constant):
    raise ValueError(f"{constant} is no JSON number")


def _place(parts):
    """("texts", 3) -> "texts[3]"."""
    text = ""
    for one in parts:
        text += f"[{one}]" if isinstance(one, int) else f".{one}"
    return text.removeprefix(".")[:100] or None
