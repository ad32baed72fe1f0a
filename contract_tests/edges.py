"""Requests on the very bounds of each parameter, and those that only text-generation-inference is known to refuse.

The bounds are those of its dialect in ``spec/``, and the limits that a server tells of itself at `/info`. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import spec
from contract_tests.exchange import Case
from contract_tests.strategies import COMPANIONS, INSIDE, LONG_PROMPT, PROMPTS
from contract_tests.values import is_integer

STEP = 0.01
"""How far a number lies from its bound to be just inside or just outside: no rounding to 32 bits undoes it."""

WHOLE_RANGE = frozenset({"seed"})
"""Integers whose largest value costs nothing and means something in every model."""

GENERATES = frozenset({"/", "/generate", "/generate_stream"})
"""Paths beside which the server itself tells its `/info`."""

MOST_SEQUENCES, MOST_STOPS, MOST_TOKENS = 4, 64, 8
"""Limits up to which a request that reaches them is sent: what it costs is known."""

SLICE = 1024
"""More new tokens than these are made in slices, and only one slice is counted against the room (validation.rs, validate_input)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What `/info` tells; None for what it does not."""

    max_best_of: int | None = None
    max_stop_sequences: int | None = None
    max_input_tokens: int | None = None
    max_total_tokens: int | None = None


def info_address(url: str) -> str:
    """Where the server behind ``url`` tells its limits."""
    return urljoin(url, "info" if urlsplit(url).path in GENERATES else "/info")


def read_limits(url: str, told: Any) -> Limits:
    """The limits in what `/info` told; none of them where it may be another server's, or another model's."""
    if not isinstance(told, dict) or told.get("router") != "text-generation-router":
        return Limits()
    path = urlsplit(url).path
    model = told.get("model_id")
    if path not in {"", *GENERATES} and not (isinstance(model, str) and model and path.endswith(f"/{model}")):
        return Limits()
    names = ("max_best_of", "max_stop_sequences", "max_input_tokens", "max_total_tokens")
    return Limits(**{name: told[name] for name in names if is_integer(told.get(name)) and 0 < told[name] < 2**31})


def _taken(about: str, name: str, value: Any, **beside: Any) -> Case:
    parameters = {"max_new_tokens": 1, **COMPANIONS.get(name, {}), **beside, name: value}
    return Case.of({"inputs": PROMPTS[0], "parameters": parameters}, about=about)


def _refused(about: str, name: str, value: Any, **beside: Any) -> Case:
    parameters = {"max_new_tokens": 1, **beside, name: value}
    return Case.of({"inputs": PROMPTS[0], "parameters": parameters}, about=about, faulty=True, subject=name)


def on_the_bounds(name: str) -> Iterator[Case]:
    """Parameter ``name`` just outside each of its bounds and just inside: what the page leaves open is refused first."""
    schema = spec.openapi("tgi")["components"]["schemas"]["Parameters"]["properties"][name]
    about = f"parameters.{name}.edges"
    for value in _outside(schema):
        yield _refused(about, name, value)
    for value in _inside(name, schema):
        if value not in INSIDE[name]:  # which is asked anyway
            yield _taken(about, name, value)


def _is_whole(schema: dict[str, Any]) -> bool:
    return "integer" in schema.get("type", ())


def _own_limit(schema: dict[str, Any]) -> bool:
    """Whether the upper bound is an option of each server."""
    return "x-limit" in schema


def _outside(schema: dict[str, Any]) -> Iterator[Any]:
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"]
    elif "minimum" in schema and (schema["minimum"] > 0 or not _is_whole(schema)):  # below zero see parameters.*.bounds
        yield schema["minimum"] - (1 if _is_whole(schema) else STEP)
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"]
    elif "maximum" in schema and not _own_limit(schema):
        yield schema["maximum"] + (1 if _is_whole(schema) else STEP)


def _inside(name: str, schema: dict[str, Any]) -> Iterator[Any]:
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"] + STEP
    elif "minimum" in schema:
        yield schema["minimum"]
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"] - STEP
    elif "maximum" in schema and (name in WHOLE_RANGE or not _is_whole(schema)):
        yield schema["maximum"]


def at_odds() -> Iterator[Case]:
    """Requests whose parameters are at odds with each other, or with what is asked; each by itself may be right."""
    yield _refused("parameters.best_of.samples-only", "best_of", 2, do_sample=False)
    yield _refused("parameters.best_of.no-seed", "best_of", 2, do_sample=True, seed=1)
    for best_of in (2, 0):
        yield as_stream(_refused("parameters.best_of.no-stream", "best_of", best_of, do_sample=True))
    yield as_stream(_refused("parameters.decoder_input_details.no-stream", "decoder_input_details", value=True))
    empty = Case.of(
        {"inputs": "", "parameters": {"max_new_tokens": 1}}, about="request.inputs.empty", faulty=True, subject="inputs"
    )
    yield empty
    yield as_stream(empty)


def not_as_serde_reads() -> Iterator[Case]:
    """Values that JSON Schema, or another reader, takes and serde does not; ``strategies.READABLE`` has the others."""
    about = "request.types.serde"
    for name, value in (("max_new_tokens", 5.0), ("top_k", 5.0), ("do_sample", None), ("details", None), ("stop", None)):
        yield _refused(about, name, value)
    yield Case.of({"inputs": PROMPTS[0], "parameters": None}, about=about, faulty=True, subject="parameters")


def at_the_limits(limits: Limits) -> Iterator[Case]:
    """Requests that just keep each limit that the server tells, and that just break it; for the room of all tokens see ``room``."""
    if limits.max_best_of is not None:
        about, most = "parameters.best_of.limit", limits.max_best_of
        yield _refused(about, "best_of", most + 1, do_sample=True)
        if 1 < most <= MOST_SEQUENCES:
            yield _taken(about, "best_of", most)
    if limits.max_stop_sequences is not None and limits.max_stop_sequences <= MOST_STOPS:
        about, stops = "parameters.stop.limit", [f"no such text {place}" for place in range(limits.max_stop_sequences + 1)]
        yield _refused(about, "stop", stops)
        yield _taken(about, "stop", stops[:-1])
    if limits.max_input_tokens is not None:
        about, most = "parameters.truncate.limit", limits.max_input_tokens
        yield _refused(about, "truncate", most + 1)
        yield _taken(about, "truncate", most)


def room(limits: Limits) -> tuple[Case, Case] | None:
    """A prompt that is cut to all the input tokens there may be, with all the new ones that then fit, or fewer, and with one too many.

    The second is wrong only where the reply to the first tells that so many input tokens were read.
    None where one slice of new tokens cannot reach the end of the room.
    """
    read, total = limits.max_input_tokens, limits.max_total_tokens
    if read is None or total is None or not 0 < total - read < SLICE:
        return None
    about, left = "parameters.max_new_tokens.room", total - read
    payload = {
        "inputs": LONG_PROMPT,
        "parameters": {"truncate": read, "max_new_tokens": min(left, MOST_TOKENS), "details": True, "do_sample": False},
        "stream": True,
    }
    over = {"inputs": LONG_PROMPT, "parameters": {"truncate": read, "max_new_tokens": left + 1}}
    return Case.of(payload, about=about), Case.of(over, about=about, faulty=True, subject="max_new_tokens")


def as_stream(case: Case) -> Case:
    """The same request, asked as a stream."""
    return Case.of({**case.payload, "stream": True}, about=case.about, faulty=case.faulty, subject=case.subject)
