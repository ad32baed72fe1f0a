"""Faults against what only text-generation-inference promises: exact bounds, its limits, its rules between parameters, its forms.

They break statements that hold in its dialects alone; elsewhere most of them do nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mockserver.errors import ValidationError
from mockserver.messages import Reply, Request
from mockserver.scenario.alter import (
    Json,
    fault,
    parameters,
    payload,
    payload_parameters,
    refusals,
    with_content_type,
    without,
)
from mockserver.scenario.seams import Fault, Hooks
from mockserver.scenario.validation_faults import read_leniently

JUST_INSIDE: dict[str, tuple[Callable[[Any], bool], Any]] = {
    "frequency_penalty": (lambda value: 2 < abs(value) < 2.5, 2.0),
    "max_new_tokens": (lambda value: value == 0, 1),
    "repetition_penalty": (lambda value: value == 0, 1.0),
    "temperature": (lambda value: value == 0, 1.0),
    "top_k": (lambda value: value == 0, 1),
    "top_p": (lambda value: value == 1, 0.99),
    "truncate": (lambda value: value == 0, 1),
    "typical_p": (lambda value: value == 1, 0.99),
}
"""For each parameter which values lie on the wrong side of its edge, and what a lenient server takes them for."""

ZERO_IS_TAKEN = ("best_of", "seed", "top_n_tokens")
"""Parameters of which 0 is right."""

MOST = {"best_of": 2, "truncate": 4095}
"""The limits of a server that was told none."""

MOST_STOPS = 4
"""The same for members of `stop`."""

WARPERS = ("do_sample", "temperature", "top_k", "top_p", "typical_p")


def _edge_taken(name: str) -> Hooks:
    beyond, instead = JUST_INSIDE[name]

    def change(given: Json) -> Json:
        value = given.get(name)
        return {**given, name: instead} if value is not None and beyond(value) else given

    return payload_parameters(change)


def _zero_refused(name: str) -> Hooks:
    def change(given: Json) -> Json:
        if given.get(name) == 0:
            raise ValidationError(f"`{name}` must be strictly positive")
        return given

    return payload_parameters(change)


def _cut_to_the_limit(name: str) -> Hooks:
    return payload_parameters(
        lambda given: {**given, name: min(given[name], MOST[name])} if given.get(name) is not None else given
    )


def _of_each_parameter() -> Iterator[Fault]:
    for name in JUST_INSIDE:
        told = f"Takes a `{name}` that lies just outside its bounds for one just inside."
        yield fault(f"{name.replace('_', '-')}-edge-taken", f"parameters.{name}.edges", told, _edge_taken(name))
    for name in ZERO_IS_TAKEN:
        told = f"Refuses 0 for `{name}`."
        yield fault(f"{name.replace('_', '-')}-zero-refused", f"parameters.{name}.edges", told, _zero_refused(name))
    for name in MOST:
        told = f"Takes a `{name}` over the limit that `/info` tells for that limit."
        yield fault(f"{name.replace('_', '-')}-limit-unchecked", f"parameters.{name}.limit", told, _cut_to_the_limit(name))


def _room_unchecked(request: Request) -> Json:
    """As many tokens as fit behind a prompt that fills all the room there is for prompts."""
    return {"max_new_tokens": 1} if request.parameters.truncate == MOST["truncate"] else {}


def _dropped_when(name: str, wrong: Callable[[Json], bool]) -> Hooks:
    return payload_parameters(lambda given: without(given, name) if wrong(given) else given)


def _several(given: Json) -> bool:
    return (given.get("best_of") or 1) > 1


def _dropped_of_streams(name: str) -> Hooks:
    return payload(
        lambda body: {**body, "parameters": without(body["parameters"], name)}
        if body.get("stream") is True and isinstance(body.get("parameters"), dict)
        else body
    )


def _coerced(body: bytes) -> bytes:
    """The body with its parameters written as the types that they should have; one that is no JSON as it is."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return body
    given = whole.get("parameters") if isinstance(whole, dict) else None
    if not isinstance(given, dict):
        return body
    read = {name: read_leniently(name, value) for name, value in given.items()}
    return json.dumps({**whole, "parameters": read}).encode()


def _listed_twice(answer: Reply) -> Reply:
    whole = json.loads(answer.body) if isinstance(answer.body, bytes) and answer.status == 200 else None
    return replace(answer, body=json.dumps([*whole, *whole]).encode()) if isinstance(whole, list) else answer


def _refused_in_json(answer: Reply) -> Reply:
    told = dict(answer.headers).get("content-type", "")
    if not isinstance(answer.body, bytes) or not told.startswith("text/plain") or not answer.body:
        return answer
    body = json.dumps({"error": answer.body.decode(), "error_type": "validation"}).encode()
    return replace(with_content_type(answer, "application/json"), body=body)


def _refused_in_text(answer: Reply) -> Reply:
    if not isinstance(answer.body, bytes) or answer.status != 422 or not answer.body.startswith(b"{"):
        return answer
    return replace(with_content_type(answer, "text/plain"), body=json.loads(answer.body)["error"].encode())


def _bare_event(events: Iterator[bytes]) -> Iterator[bytes]:
    for frame in events:
        told = json.loads(frame.removeprefix(b"data:")) if frame.startswith(b"data:") else {}
        yield b"data: " + json.dumps({"error": told["error"]}).encode() + b"\n\n" if "error" in told else frame


def _without_header(name: str) -> Hooks:
    return Hooks(
        on_answer=lambda answer: replace(answer, headers=tuple(pair for pair in answer.headers if pair[0].lower() != name))
    )


DIALECT_FAULTS: tuple[Fault, ...] = (
    fault(
        "inputs-empty-taken",
        "request.inputs.empty",
        "Takes empty `inputs` for a space.",
        payload(lambda body: {**body, "inputs": body.get("inputs") or " "}),
    ),
    fault(
        "types-coerced",
        "request.types.serde",
        'Reads true and "5" as numbers, and 1 as true, before it looks at types.',
        Hooks(on_body=_coerced),
    ),
    *_of_each_parameter(),
    fault(
        "stop-limit-unchecked",
        "parameters.stop.limit",
        "Takes the first members of a `stop` that is too long.",
        payload_parameters(lambda given: {**given, "stop": given["stop"][:MOST_STOPS]} if "stop" in given else given),
    ),
    fault(
        "room-unchecked",
        "parameters.max_new_tokens.room",
        "Generates what fits where prompt and `max_new_tokens` are too many together.",
        parameters(_room_unchecked),
    ),
    fault(
        "best-of-greedy-taken",
        "parameters.best_of.samples-only",
        "Takes no notice of `best_of` where nothing samples.",
        _dropped_when("best_of", lambda given: _several(given) and not any(given.get(name) for name in WARPERS)),
    ),
    fault(
        "best-of-seed-ignored",
        "parameters.best_of.no-seed",
        "Takes no notice of `seed` beside `best_of`.",
        _dropped_when("seed", _several),
    ),
    fault(
        "best-of-stream-taken",
        "parameters.best_of.no-stream",
        "Takes no notice of `best_of` on a stream.",
        _dropped_of_streams("best_of"),
    ),
    fault(
        "prefill-stream-taken",
        "parameters.decoder_input_details.no-stream",
        "Takes no notice of `decoder_input_details` on a stream.",
        _dropped_of_streams("decoder_input_details"),
    ),
    fault(
        "return-full-text-unsaid",
        "parameters.return_full_text.default",
        "Puts the prompt before the text only when it is told to.",
        payload(
            lambda body: {**body, "parameters": {"return_full_text": False, **body.get("parameters", {"do_sample": True})}}
        ),
    ),
    fault("compute-untold", "headers.compute", "Leaves `x-compute-type` out.", _without_header("x-compute-type")),
    fault("request-id-untold", "headers.request-id", "Leaves `x-request-id` out.", _without_header("x-request-id")),
    fault("reply-listed-twice", "reply.list", "Answers a list that holds the object twice.", Hooks(on_answer=_listed_twice)),
    fault("refusals-in-json", "errors.two-forms", "Refuses wrong types in JSON too.", Hooks(on_answer=_refused_in_json)),
    fault("refusals-in-text", "errors.two-forms", "Refuses values out of bounds in text/plain too.", refusals(_refused_in_text)),
    fault(
        "validation-400",
        "errors.validation-status",
        "Refuses what is wrong in a request with status 400.",
        refusals(lambda answer: replace(answer, status=400) if answer.status == 422 else answer),
    ),
    fault(
        "stream-refused-briefly",
        "errors.in-stream.event",
        "Leaves `error_type` out of the event that refuses a stream.",
        Hooks(
            on_answer=lambda answer: replace(answer, body=_bare_event(iter(answer.body)))
            if not isinstance(answer.body, bytes)
            else answer
        ),
    ),
)
"""Those whose statements hold in the dialects of text-generation-inference only."""
