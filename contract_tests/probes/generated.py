"""Cases that Schemathesis draws from the OpenAPI document, right and wrong ones, judged by our own clauses.

The document is narrowed first to what any right server must take (`SANE`). Schemathesis' idea of negative data changes with its
releases, so what a wrong case must lead to is for our own validator: a refusal where nobody could mean it well, else no breakdown.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import count
from typing import Any

import schemathesis
from schemathesis import GenerationMode

import spec
from contract_tests import strategies
from contract_tests.drawing import drawn
from contract_tests.exchange import Case
from contract_tests.observation import Asked
from contract_tests.probes.run import Run, probe
from contract_tests.values import MISSING, is_integer, parse

SANE: dict[str, dict[str, Any]] = {
    "frequency_penalty": {"minimum": -2, "maximum": 2},
    "max_new_tokens": {"minimum": 1, "maximum": 8},
    "repetition_penalty": {"minimum": 0.5, "maximum": 3, "exclusiveMinimum": 0},
    "seed": {"minimum": 1, "maximum": 2**63 - 1},
    "temperature": {"minimum": 0.1, "maximum": 4, "exclusiveMinimum": 0},
    "top_k": {"minimum": 1, "maximum": 1000},
    "top_n_tokens": {"minimum": 1, "maximum": 5},
    "top_p": {"minimum": 0.01, "maximum": 0.99, "exclusiveMinimum": 0},
    "truncate": {"minimum": 1, "maximum": 512},
    "typical_p": {"minimum": 0.01, "maximum": 0.99, "exclusiveMinimum": 0},
}
LEFT_OUT = ("adapter_id", "best_of", "decoder_input_details", "grammar")
"""Parameters whose right values hang on others, or on the endpoint."""


def narrowed(absent: Collection[str]) -> dict[str, Any]:
    """The OpenAPI document with one operation, without null, and with bounds that any right server meets."""
    document = spec.openapi()
    properties = document["components"]["schemas"]["Parameters"]["properties"]
    for name in {*LEFT_OUT, *absent} & properties.keys():
        del properties[name]
    for name, schema in properties.items():
        schema["type"] = (
            next(kind for kind in schema["type"] if kind != "null") if isinstance(schema["type"], list) else schema["type"]
        )
        schema.update(SANE.get(name, {}))
    document["components"]["schemas"]["Parameters"]["required"] = ["max_new_tokens"]
    document["components"]["schemas"]["Parameters"]["additionalProperties"] = False
    document["components"]["schemas"]["GenerateRequest"]["required"] = ["inputs", "parameters"]
    document["paths"] = {"/": {"post": document["paths"]["/"]["post"] | {"parameters": [], "security": []}}}
    return document


@probe("generated", "cases drawn by Schemathesis")
def send_generated(run: Run) -> None:
    choose = run.random("generated")
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        bodies = _bodies(run.absent, mode, run.profile.generated, choose.getrandbits(64))
        cases = [case for body in bodies for case in _cases(_documented(body, run.absent), mode)]
        for case in _of_each_kind(cases)[: 1 + run.profile.generated // 4]:  # some draws bring many, and others few
            run.send(case)


@lru_cache(maxsize=8)  # of a run that is done again, as for another endpoint
def _bodies(absent: frozenset[str], mode: GenerationMode, most: int, number: int) -> tuple[Any, ...]:
    operation = schemathesis.openapi.from_dict(narrowed(absent))["/"]["POST"]
    return tuple(made.body for made in drawn(operation.as_strategy(generation_mode=mode), most, number))


def _of_each_kind(cases: Iterable[Case]) -> list[Case]:
    """Each once, the first about each statement before the second about any; bytes that are no JSON, all much alike, behind others."""
    different = {case.body: case for case in cases}.values()
    places = {about: count() for about in {case.about for case in different}}
    return sorted(different, key=lambda case: (next(places[case.about]), case.payload is None))


def _documented(body: Any, absent: Collection[str]) -> Any:
    """``body`` with documented names only: what others do to a server is asked elsewhere, one at a time; nor any that it lacks."""
    if not isinstance(body, dict):
        return body
    documented = strategies.parameters().keys() - absent
    kept = {name: value for name, value in body.items() if name in ("inputs", "parameters", "stream")}
    if isinstance(kept.get("parameters"), dict):
        kept["parameters"] = {name: value for name, value in kept["parameters"].items() if name in documented}
    return kept


def _cases(body: Any, mode: GenerationMode) -> Iterator[Case]:
    if isinstance(body, bytes):
        about = _broken_by(body)
        if about:
            yield Case(body=body, about=about, faulty=True)
        return
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError):
        return
    if mode is GenerationMode.POSITIVE:
        if isinstance(body, dict) and body.get("inputs") and not strategies.integers_as_floats(body):
            yield Case.of(body)
        return
    if not strategies.is_valid(body) and _is_short(body):
        about, subject = strategies.hopeless(body) or ("", "")
        yield Case.of(body, about=about, faulty=True, subject=subject)


def _is_short(body: Any) -> bool:
    """Whether a server that takes the wrong request for a right one would not have much to write."""
    limit = Asked(body).get("max_new_tokens")
    return limit is None or isinstance(limit, (list, dict)) or (is_integer(limit) and limit <= SANE["max_new_tokens"]["maximum"])


def _broken_by(body: bytes) -> str:
    """The statement that these bytes break, "" when they are an object in JSON after all."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return "errors.not-utf8"
    value = parse(body)
    if value is MISSING:
        return "errors.not-json"
    return "" if isinstance(value, dict) else "errors.not-an-object"
