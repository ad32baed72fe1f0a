"""Headers of requests and replies: the documented ones read, those of known servers written. Decides nothing about either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_urlsafe
from typing import Any, Protocol

from mockserver.errors import ValidationError
from mockserver.messages import Completion
from mockserver.wire.strict_json import show

TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})

OPTIONS = {"use_cache": "x-use-cache", "wait_for_model": "x-wait-for-model"}
"""The members of the body's old `options` field, and the headers that took their place."""


class HeaderSource(Protocol):
    """A request's headers, asked by name in any case."""

    def get(self, name: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client asked of the front door; None: it did not say."""

    use_cache: bool | None = None
    wait_for_model: bool | None = None


def read_wishes(headers: HeaderSource, payload: Any) -> Wishes:
    """The wishes in the headers or else in the body's ``options``. Raises ValidationError for what is neither true nor false.

    Statements headers.use-cache.type and headers.wait-for-model.type.
    """
    options = payload.get("options") if isinstance(payload, dict) else None
    if options is not None and not isinstance(options, dict):
        raise ValidationError(f"`options` must be an object. Given: {show(options)}")
    said = {}
    for name, header in OPTIONS.items():
        said[name] = read_boolean(header, headers.get(header))
        option = (options or {}).get(name)
        if option is not None and not isinstance(option, bool):
            raise ValidationError(f"`options.{name}` must be a boolean. Given: {show(option)}")
        if said[name] is None:
            said[name] = option
    return Wishes(**said)


def read_boolean(name: str, value: str | None) -> bool | None:
    """What header ``name`` says; None when it was not sent.

    >>> read_boolean("x-use-cache", "False")
    False
    """
    if value is None:
        return None
    word = value.strip().lower()
    if word not in TRUE | FALSE:
        raise ValidationError(f"`{name}` must be true or false. Given: {show(value)}")
    return word in TRUE


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that a reply took, as the router counts them."""

    validation: float
    queue: float
    inference: float


def compute_headers(characters: int, compute_type: str) -> tuple[tuple[str, str], ...]:
    """What every generated reply of text-generation-inference carries, streams too (``router/src/server.rs``)."""
    return (("x-compute-type", compute_type), ("x-compute-characters", str(characters)))


def timing_headers(completion: Completion, timing: Timing) -> tuple[tuple[str, str], ...]:
    """What a whole reply carries besides; the counts are those of the sequence that won."""
    total, count = timing.validation + timing.queue + timing.inference, completion.finished.generated_tokens
    told: Mapping[str, str] = {
        "x-compute-time": f"{total:.9f}",
        "x-total-time": _milliseconds(total),
        "x-validation-time": _milliseconds(timing.validation),
        "x-queue-time": _milliseconds(timing.queue),
        "x-inference-time": _milliseconds(timing.inference),
        "x-time-per-token": _milliseconds(timing.inference / count),
        "x-prompt-tokens": str(completion.prefill.input_length),
        "x-generated-tokens": str(count),
    }
    return tuple(told.items())


def behind_headers() -> tuple[tuple[str, str], ...]:
    """What tells a reply of the router behind the hosted front door from one of the front door itself (recorded hosted replies)."""
    return (("access-control-allow-origin", "*"),)


def request_headers(model: str) -> tuple[tuple[str, str], ...]:
    """A name for this very reply, and one for the state of the model, as the hosted API sends them."""
    return (("x-request-id", token_urlsafe(16)[:21]), ("x-sha", blake2b(model.encode(), digest_size=20).hexdigest()))


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
