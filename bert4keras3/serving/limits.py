"""What a server accepts, and the errors that say so."""

import dataclasses
import math
from dataclasses import dataclass


class Refusal(Exception):
    """A request that is not served: an HTTP status, a short code and a message.

    field: the place in the body that is meant, such as "texts[3]"; retry_after:
    seconds, for a client that may try again.
    """

    def __init__(self, status, code, message, field=None, retry_after=None):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.field, self.retry_after = field, retry_after

    def body(self):
        """The JSON of the answer: {"error": {"code", "message"[, "field"]}}."""
        error = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return {"error": error}

    def headers(self):
        """The headers of the answer."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(max(1, math.ceil(self.retry_after)))}


def busy(code, message):
    """The Refusal of a server that cannot now, but soon: 503 with Retry-After."""
    return Refusal(503, code, message, retry_after=1)


@dataclass(frozen=True)
class Limits:
    """What one server accepts.

    body_bytes: size of a request; texts: of one request; characters: of one text;
    new_tokens: `maxlen` of generation; answers: `n` and the size of a beam search;
    queue: texts that may wait for the model, of all requests; streams: answers that
    are streamed at a time; timeout: seconds for a body to come, then for the answer, or
    for each piece of a stream; grace: seconds for the requests in
    flight when the server is told to stop. Raises ValueError unless all are positive
    and one request fits into the queue.
    """

    body_bytes: int = 1 << 20
    texts: int = 64
    characters: int = 2000
    new_tokens: int = 128
    answers: int = 4
    queue: int = 1024
    streams: int = 16
    timeout: float = 30.0
    grace: float = 20.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise ValueError(
                    f"{field.name} must be a positive number. Received: {value!r}"
                )
        if self.queue < self.texts:
            raise ValueError(
                f"queue={self.queue} is less than texts={self.texts}: a request of "
                "that many texts would never be served. Raise queue."
            )

    def check_texts(self, texts, field="texts"):
        """Raise a Refusal (413) for too many texts or characters.

        texts: list of texts, or of pairs of texts.
        """
        if len(texts) > self.texts:
            raise Refusal(
                413,
                "too_many_texts",
                f"{len(texts)} texts are more than the {self.texts} of one request: "
                "send several requests.",
                field,
            )
        for number, one in enumerate(texts):
            size = len(one) if isinstance(one, str) else sum(map(len, one))
            if size > self.characters:
                raise Refusal(
                    413,
                    "text_too_long",
                    f"a text of {size} characters is longer than the "
                    f"{self.characters} this server accepts: shorten or split it.",
                    f"{field}[{number}]",
                )
