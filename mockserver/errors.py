"""Everything a client can be told went wrong: one class per kind, with its status and ``error_type``.

Raised deep, turned into a reply in one place (``answer.py``). Knows no HTTP library.

| class                     | status | error_type             |
|---------------------------|--------|------------------------|
| BadJsonError              | 400    | invalid_json           |
| ControlError              | 400    | control                |
| UnauthorizedError         | 401    | none, as the hosted API |
| ForeignOriginError        | 403    | foreign_origin         |
| ModelNotFoundError        | 404    | none, as the hosted API |
| NotFoundError             | 404    | not_found              |
| UnmatchedError            | 404    | not_told               |
| OtherApiError             | 404    | other_api              |
| MethodNotAllowedError     | 405    | method_not_allowed     |
| TooLargeError             | 413    | too_large              |
| UnsupportedMediaTypeError | 415    | unsupported_media_type |
| ValidationError           | 422    | validation             |
| GenerationError           | 424    | generation             |
| RateLimitedError          | 429    | none, as the hosted API |
| OverloadedError           | 429    | overloaded             |
| InternalError             | 500    | internal               |
| ModelLoadingError         | 503    | none, as the hosted API |
| StateAwayError            | 503    | control                |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCS = "docs/clients.md of textgen-contract"
"""Where a client's user reads on."""


class ApiError(Exception):
    """One reply that is not the answer. ``message`` is the sentence the client reads in ``error``.

    ``plain`` is the sentence of dialects that refuse an unreadable body in text/plain; None where all refuse in JSON.
    ``streamed``: the client has asked for a stream, and some dialects tell the error in it; None: it has not.
    The number is that of the characters of its prompt.
    """

    status: int = 500
    error_type: str | None = "internal"
    plain: str | None = None
    streamed: int | None = None

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})

    def payload(self) -> dict[str, Any]:
        """The JSON object of the reply (statement errors.body)."""
        if self.error_type is None:
            return {"error": self.message}
        return {"error": self.message, "error_type": self.error_type}


class BadJsonError(ApiError):
    """The body is no JSON text."""

    status = 400
    error_type = "invalid_json"

    def __init__(self, message: str, *, plain: str | None = None) -> None:
        super().__init__(message)
        self.plain = plain or message


class UnauthorizedError(ApiError):
    """A token is needed, and the one that was sent, if any, is not it."""

    status = 401
    error_type = None

    def __init__(self) -> None:
        super().__init__(
            "Invalid or missing token: send `Authorization: Bearer` and a token that this server knows",
            headers={"www-authenticate": 'Bearer realm="Authentication required", charset="UTF-8"'},
        )


class ModelNotFoundError(ApiError):
    """No such model; the hosted API answers without ``error_type``."""

    status = 404
    error_type = None

    def __init__(self, model: str) -> None:
        super().__init__(f"Model {model} does not exist")


class NotFoundError(ApiError):
    """No such thing: a path, an adapter."""

    status = 404
    error_type = "not_found"


class OtherApiError(ApiError):
    """A route of an API that newer clients call and this server is not; ``path`` is where the documented one is."""

    status = 404
    error_type = "other_api"

    def __init__(self, name: str, path: str) -> None:
        super().__init__(
            f'This server speaks the text-generation API, not that of {name}: send {{"inputs": ...}} to {path[:200]}, '
            f"and see {DOCS} for how each client is told to"
        )


class MethodNotAllowedError(ApiError):
    status = 405
    error_type = "method_not_allowed"


class TooLargeError(ApiError):
    status = 413
    error_type = "too_large"
    plain = "Failed to buffer the request body: length limit exceeded"


class UnsupportedMediaTypeError(ApiError):
    status = 415
    error_type = "unsupported_media_type"
    plain = "Expected request with `Content-Type: application/json`"


class ValidationError(ApiError):
    """A field is missing, of the wrong type, out of bounds, or at odds with another.

    ``after``: of a rule between parameters, the one whose bound is looked at before it; "" for a rule that comes first.
    """

    status = 422
    error_type = "validation"

    def __init__(self, sentence: str, *, plain: str | None = None, after: str = "") -> None:
        super().__init__(f"Input validation error: {sentence}")
        self.sentence = sentence
        self.plain = plain
        self.after = after


class GenerationError(ApiError):
    """Generation failed on its way."""

    status = 424
    error_type = "generation"

    def __init__(self, sentence: str) -> None:
        super().__init__(f"Request failed during generation: {sentence}")


class RateLimitedError(ApiError):
    """Too many requests; ``seconds`` from now there is room again."""

    status = 429
    error_type = None

    def __init__(self, seconds: int) -> None:
        super().__init__("Rate limit reached. Please log in or use a HF access token", headers={"retry-after": str(seconds)})


class OverloadedError(ApiError):
    """As RateLimitedError, in the words of text-generation-inference."""

    status = 429
    error_type = "overloaded"

    def __init__(self, seconds: int) -> None:
        super().__init__("Model is overloaded", headers={"retry-after": str(seconds)})


class ModelLoadingError(ApiError):
    """The model is not ready yet; ``seconds`` are left."""

    status = 503
    error_type = None

    def __init__(self, model: str, seconds: float) -> None:
        super().__init__(f"Model {model} is currently loading")
        self.seconds = seconds

    def payload(self) -> dict[str, Any]:
        return {**super().payload(), "estimated_time": round(self.seconds, 3)}


class InternalError(ApiError):
    """We broke; the client learns no more than that."""

    def __init__(self) -> None:
        super().__init__("The server failed on this request; its log says why")


class ControlError(ApiError):
    """What was said to ``/_mock/...``, or in a header ``x-mock-...``, means nothing."""

    status = 400
    error_type = "control"


class StateAwayError(ControlError):
    """The Redis that holds what the workers share does not answer."""

    status = 503


class ForeignOriginError(ApiError):
    """A web page of another origin speaks to ``/_mock/...``."""

    status = 403
    error_type = "foreign_origin"


class UnmatchedError(ApiError):
    """No told answer matches, and only told answers are given (``--strict``)."""

    status = 404
    error_type = "not_told"


class ToldError(ApiError):
    """The error that a rule tells; its status and type are the rule's."""

    def __init__(self, message: str, *, status: int, error_type: str | None, headers: Mapping[str, str]) -> None:
        super().__init__(message, headers=headers)
        self.status = status
        self.error_type = error_type
