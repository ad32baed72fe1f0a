"""A request's bytes to one frozen Request, or the first thing that is wrong with them. Knows no Flask and counts no tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal
from urllib.parse import quote

from mockserver.errors import BadJsonError, TooLargeError, UnsupportedMediaTypeError, ValidationError
from mockserver.messages import Grammar, Parameters, Request
from mockserver.wire.contract import Contract
from mockserver.wire.headers import HeaderSource, Wishes, read_wishes
from mockserver.wire.router import read_as_router
from mockserver.wire.strict_json import name_of, parse_json, quoted, write_json

LARGEST_BODY = 2_000_000  # bytes; text-generation-inference's own limit
PIECE = 65_536

TOP_LEVEL = frozenset({"inputs", "parameters", "stream"})
TOLERATED = frozenset({"options", "model"})  # the hosted API's older clients send them, and it took no notice

LONGEST_NAME = 64
MOST_NAMES = 16

Alter = Callable[[Any], Any]
Rules = Callable[[Request], None]


def read_body(read: Callable[[int], bytes], content_length: int | None) -> bytes:
    """The whole body, never more than the limit of it, whether its length was declared or it comes in chunks."""
    if content_length is not None and content_length > LARGEST_BODY:
        raise _too_large()
    pieces: list[bytes] = []
    if content_length is not None:
        pieces.append(read(content_length))
        if len(pieces[0]) == content_length:
            return pieces[0]
    size = sum(map(len, pieces))
    try:
        while piece := read(PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_BODY:
                raise _too_large()
    except OSError:  # as gunicorn calls it when a client goes away, or sends chunks that are none
        raise BadJsonError("The request body broke off, or its chunks are none") from None
    return b"".join(pieces)


def _too_large() -> TooLargeError:
    return TooLargeError(f"The request body is larger than {LARGEST_BODY} bytes")


def parse_request(
    body: bytes,
    content_type: str | None,
    contract: Contract,
    *,
    model: str,
    stream: bool | None = None,
    full_text: bool = False,
    unknown_parameters: Literal["ignore", "refuse"] = "ignore",
    alter: Alter | None = None,
    headers: HeaderSource | None = None,
    rules: Rules | None = None,
) -> Request:
    """The Request in ``body``. ``stream`` given overrides the body's own; ``alter`` changes the payload before it is checked.

    ``full_text`` is what ``return_full_text`` is when it is not said. ``rules`` between parameters are given in dialects that look at
    them among the bounds, as text-generation-inference does.
    Raises UnsupportedMediaTypeError, BadJsonError, ValidationError.
    """
    check_media_type(content_type)
    switches = contract.switches
    read = read_as_router(body, contract.document) if switches.plain_text_refusals else parse_json(body)
    payload = read if alter is None else alter(read)
    if stream is None:
        stream = isinstance(payload, dict) and payload.get("stream", False) is True
    try:
        wishes = read_wishes(headers or {}, payload) if switches.front_door else Wishes()
        wrong = contract.first_complaint(payload)
        if wrong is not None and (rules is None or payload is not read):
            raise ValidationError(wrong[1])
        request = _request(payload, contract, wishes, model=model, stream=stream, full_text=full_text)
        if rules is not None:
            _check_in_order(rules, request, contract, wrong)
        if request.ignored and unknown_parameters == "refuse":
            raise ValidationError(_did_you_mean(_unknown(payload, contract)[:MOST_NAMES], contract.parameters))
    except ValidationError as error:
        inputs = payload.get("inputs") if isinstance(payload, dict) else None
        error.streamed = (len(inputs) if isinstance(inputs, str) else 0) if stream else None
        raise
    return request


def read_inputs(body: bytes, content_type: str | None, contract: Contract) -> str:
    """The prompt alone, as `/tokenize` wants it: the router checks the types of the parameters there, and none of their bounds.

    Raises UnsupportedMediaTypeError, BadJsonError, ValidationError.
    """
    if not contract.switches.plain_text_refusals:
        return parse_request(body, content_type, contract, model="", stream=False).inputs
    check_media_type(content_type)
    inputs: str = read_as_router(body, contract.document)["inputs"]
    return inputs


def _check_in_order(rules: Rules, request: Request, contract: Contract, wrong: tuple[int, str] | None) -> None:
    """Raise the first of what is ``wrong`` and of what the rules find."""
    try:
        rules(request)
    except ValidationError as broken:
        if wrong is None or contract.comes_before(broken.after, wrong[0]):
            raise
    if wrong is not None:
        raise ValidationError(wrong[1])


def _request(payload: dict[str, Any], contract: Contract, wishes: Wishes, *, model: str, stream: bool, full_text: bool) -> Request:
    parameters = _parameters(payload.get("parameters", {}), contract)
    if full_text and parameters.return_full_text is None:
        parameters = replace(parameters, return_full_text=True)
    if contract.switches.samples_without_parameters and "parameters" not in payload:
        parameters = replace(parameters, do_sample=True)
    return Request(
        model=model,
        inputs=payload["inputs"],
        parameters=parameters,
        stream=stream,
        ignored=tuple(".".join(path) for path in _unknown(payload, contract)),
        use_cache=wishes.use_cache is not False,
        wait_for_model=wishes.wait_for_model is True,
    )


def _unknown(payload: dict[str, Any], contract: Contract) -> list[tuple[str, ...]]:
    """The paths of the names that the page does not know."""
    unknown: list[tuple[str, ...]] = [(name,) for name in payload if name not in TOP_LEVEL and name not in TOLERATED]
    return unknown + [("parameters", name) for name in payload.get("parameters", {}) if name not in contract.parameters]


def check_media_type(content_type: str | None) -> None:
    """``application/json`` and ``application/*+json``, with any parameter, are JSON; nothing else is."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    kind, _, subtype = essence.partition("/")
    if kind == "application" and (subtype == "json" or (subtype.endswith("+json") and subtype != "+json")):
        return
    given = f"Given: {content_type[:LONGEST_NAME]!r}" if content_type else "None was given"
    raise UnsupportedMediaTypeError(f"Expected request with `Content-Type: application/json`. {given}")


def _parameters(given: dict[str, Any], contract: Contract) -> Parameters:
    known = {name: value for name, value in given.items() if value is not None and name in contract.parameters}
    for name in contract.numbers & known.keys():
        known[name] = float(known[name])
    if "stop" in known:
        known["stop"] = tuple(known["stop"])
    if "grammar" in known:
        kind, value = known["grammar"]["type"], known["grammar"]["value"]
        if kind == "json_schema":
            value = value["schema"]
        kind = "regex" if kind == "regex" else "json"
        known["grammar"] = Grammar(type=kind, value=value if isinstance(value, str) else write_json(value))
    return Parameters(**known)


def _did_you_mean(unknown: Iterable[tuple[str, ...]], parameters: tuple[str, ...]) -> str:
    parts = []
    for path in unknown:
        name = name_of(path)
        if len(path) == 1 and name in parameters:
            parts.append(f"{quoted(name)} stands beside `parameters`, not in it")
            continue
        near = [match for match in parameters if match in name] or get_close_matches(name[:LONGEST_NAME], parameters, n=1)
        parts.append(f"unknown parameter {quoted(name)}" + (f" (did you mean `{near[0]}`?)" if near else ""))
    return "; ".join(parts)


def ignored_header(names: tuple[str, ...]) -> str:
    """``names`` for a header: safe in any header, and short whatever the client sent."""
    shown = [quote(name, safe="._-[]")[:LONGEST_NAME] for name in names[:MOST_NAMES]]
    return ", ".join(shown) + (f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
