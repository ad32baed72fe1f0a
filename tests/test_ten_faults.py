"""Faults put on the wire in front of the mock, which knows nothing of them: those on which other tools were measured.

Plain Schemathesis (4.32.5, its defaults, all checks and phases, OpenAPI 3.2 with `itemSchema`) finds the five that are marked.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from mockserver import Config, create_app

SURROGATE = re.compile(rb"\xed[\xa0-\xbf]|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD])")
"""One half of a pair by itself, as bytes or escaped."""

Check = Callable[..., dict[str, Any]]
Json = dict[str, Any]
Request = Any
"""The JSON value that was sent, None for bytes that are none."""


def _token(change: Callable[[Json], object]) -> Callable[[Any], None]:
    """Change each token, of plain replies and of streams."""

    def alter(value: Any) -> None:
        for token in [*(value.get("details") or {}).get("tokens", []), *([value["token"]] if "token" in value else [])]:
            change(token)

    return alter


def _details(change: Callable[[Json], object]) -> Callable[[Any], None]:
    return lambda value: change(value["details"]) if value.get("details") else None  # type: ignore[return-value]


def _no_final_details(events: list[Json]) -> None:
    events[-1]["details"] = None


def _text_differs(events: list[Json]) -> None:
    events[-1]["generated_text"] = f"{events[-1]['generated_text']}!"


def _index_goes_back(events: list[Json]) -> None:
    for event in events[1:]:
        event["index"] = events[0]["index"]


def each(alter: Callable[[Any], None]) -> Callable[[Any], None]:
    """For a reply by itself, and for each event of a stream."""

    def both(value: Any) -> None:
        for one in value if isinstance(value, list) else [value]:
            alter(one)

    return both


def of_streams(alter: Callable[[list[Json]], None]) -> Callable[[Any], None]:
    return lambda value: alter(value) if isinstance(value, list) and value else None


def _warm(request: Request) -> Request:
    """What a server does that takes any temperature: a wrong one is as if it were not there."""
    parameters = request.get("parameters") if isinstance(request, dict) else None
    if isinstance(parameters, dict) and isinstance(parameters.get("temperature"), (int, float)) and parameters["temperature"] <= 0:
        return {**request, "parameters": {name: value for name, value in parameters.items() if name != "temperature"}}
    return request


Alter = Callable[[Any], None]
# fault -> (what is done to a reply's value, to the request, to the head), the clauses of which one must accuse, found by Schemathesis
FAULTS: dict[str, tuple[Alter | None, Callable[[Request], Request] | None, str, set[str], bool]] = {
    "a token without special": (each(_token(lambda it: it.pop("special"))), None, "", {"details.tokens.type"}, True),
    "a logprob that is a string": (
        each(_token(lambda it: it.update(logprob=str(it["logprob"])))), None, "", {"details.tokens.logprob"}, True,
    ),
    "a finish_reason that nobody knows": (
        each(_details(lambda it: it.update(finish_reason="done"))), None, "", {"details.finish_reason.enum"}, True,
    ),
    "generated_tokens off by one": (
        each(_details(lambda it: it.update(generated_tokens=it["generated_tokens"] + 1))),
        None, "", {"details.generated_tokens.counts"}, False,
    ),
    "a stream whose text is not what its tokens say": (of_streams(_text_differs), None, "", {"details.tokens.join"}, False),
    "a temperature of zero and less is taken": (None, _warm, "", {"parameters.temperature.bounds"}, True),
    "500 on a lone surrogate": (None, None, "surrogate", {"errors.never-5xx"}, False),
    "a stream without details at its end": (of_streams(_no_final_details), None, "", {"stream.details.last"}, False),
    "an index that does not count": (of_streams(_index_goes_back), None, "", {"stream.index.counts"}, False),
    "a stream in text/plain": (None, None, "text/plain", {"stream.content-type"}, True),
}  # fmt: skip


def wrong(alter: Alter | None, ask: Callable[[Request], Request] | None, head: str) -> Any:
    """The clean mock behind a proxy that puts the fault in."""
    app = create_app(Config())

    def proxy(environ: Json, start_response: Callable[..., object]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if head == "surrogate" and SURROGATE.search(body):
            start_response("500 INTERNAL SERVER ERROR", [("content-type", "text/plain")])
            return [b"Internal Server Error"]
        if ask is not None:
            body = _asked(body, ask)
        told: list[Any] = []
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        reply = b"".join(app(environ, lambda status, headers, _=None: told.extend((status, headers))))
        status, headers = told[0], [(name.lower(), value) for name, value in told[1] if name.lower() != "content-length"]
        stream = dict(headers).get("content-type", "").startswith("text/event-stream")
        if alter is not None and status.startswith("200"):
            reply = _altered(reply, alter, stream=stream)
        if head == "text/plain" and stream:
            headers = [(name, head if name == "content-type" else value) for name, value in headers]
        start_response(status, headers)
        return [reply]

    return proxy


def _asked(body: bytes, ask: Callable[[Request], Request]) -> bytes:
    try:
        return json.dumps(ask(json.loads(body))).encode()
    except (ValueError, RecursionError):
        return body


def _altered(reply: bytes, alter: Alter, *, stream: bool) -> bytes:
    if not stream:
        value = json.loads(reply)
        alter(value)
        return json.dumps(value).encode()
    events = [json.loads(part.removeprefix("data:")) for part in reply.decode().split("\n\n") if part]
    if any("token" not in event for event in events):
        return reply
    alter(events)
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_wire_is_found_by_the_clause_that_names_it(fault: str, check_wsgi: Check) -> None:
    alter, ask, head, clauses, _ = FAULTS[fault]
    result = check_wsgi(wrong(alter, ask, head), seed=5)
    accused = {clause["id"] for clause in result["clauses"] if clause["verdict"] == "fail"}

    assert clauses <= accused
    assert [] == [clause["reason"] for clause in result["clauses"] if clause["verdict"] == "error"]


def test_the_proxy_by_itself_is_accused_of_nothing(check_wsgi: Check) -> None:
    result = check_wsgi(wrong(lambda _: None, lambda request: request, ""), seed=5)

    assert [] == [clause["id"] for clause in result["clauses"] if clause["verdict"] in ("fail", "error")]


def test_they_are_the_ten_of_which_plain_schemathesis_finds_five() -> None:
    assert (10, 5) == (len(FAULTS), sum(found for *_, found in FAULTS.values()))
