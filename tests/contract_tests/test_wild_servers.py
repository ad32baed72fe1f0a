"""A server that answers right, but for some replies in which something is anything at all: the run ends with verdicts, never broken.

Drawn by seed, over whole runs: what a probe does with a reply is at stake here, not only what a clause says of it.
Then servers that are drawn whole, by Hypothesis: a few replies in turn, of any status, with any headers and body.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import spec
from contract_tests.contract_run import ContractRun
from contract_tests.errors import UnreachableError
from contract_tests.report.result import exit_code
from contract_tests.report.results_file import read_result
from contract_tests.settings import Settings
from mockserver import Config, create_app

Check = Callable[..., dict[str, Any]]
Path_ = tuple[Any, ...]

ATOMS: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 2**200, -(2**70), 10**400, -(10**400), 1e308, -1e308, 0.5, 1.0, -0.5,
    "", "a", "\ud800", "\x00\u2028", "x" * 50, "NaN", [], {}, [[]], [None], [{}], [1, "a", None],
    {"error": [1]}, {"token": None}, {"id": []}, {"a": {"b": [{}]}},
]  # fmt: skip
NAMES = [
    "id", "text", "logprob", "special", "tokens", "details", "generated_text", "error", "error_type", "prefill", "top_tokens",
    "finish_reason", "seed", "generated_tokens", "best_of_sequences", "index", "token", "input_length", "estimated_time", "",
]  # fmt: skip
STATUSES = ["200 OK", "204 NO CONTENT", "304 NOT MODIFIED", "500 X", "417 X", "418 X", "400 X", "599 X", "206 P", "302 F", "999 Z", "201 C"]
TYPES = ["text/plain", "text/event-stream", "text/html", "application/json; charset=utf-16", "", "x"]
ENDS = ["\n\n", "\n\n", "\r\n\r\n", "\n", "\r\r", "\n\nevent: x\n"]


def anything(choose: random.Random, depth: int = 0) -> Any:
    kind = choose.random()
    if kind < 0.6 or depth > 2:
        return choose.choice(ATOMS)
    if kind < 0.8:
        return [anything(choose, depth + 1) for _ in range(choose.randrange(4))]
    return {choose.choice(NAMES): anything(choose, depth + 1) for _ in range(choose.randrange(4))}


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*path, key))


def mutated(choose: random.Random, value: Any) -> Any:
    """The value with one place in it replaced, taken out, or followed by something new."""
    *path, last = choose.choice(list(places(value))) or (None,)
    if last is None:
        return anything(choose)
    place = value
    for key in path:
        place = place[key]
    what = choose.random()
    if what < 0.6:
        place[last] = anything(choose)
    elif what < 0.8:
        del place[last]
    elif isinstance(place, list):
        place.insert(last, anything(choose))
    else:
        place[choose.choice(NAMES)] = anything(choose)
    return value


def written(choose: random.Random, value: Any) -> bytes:
    """JSON, or nearly."""
    text = json.dumps(value, ensure_ascii=choose.random() < 0.7)
    what = choose.random()
    if what < 0.05:
        text = text.replace("0", "NaN", 1)
    elif what < 0.1:
        text = text.replace(":", ":" + "[" * 3000, 1)
    elif what < 0.13:
        text = text.replace("{", '{"a":1,"a":2,', 1)
    return text.encode("utf-8", "surrogatepass")


def rewritten(choose: random.Random, body: bytes, *, stream: bool) -> bytes:
    try:
        if not stream:
            return written(choose, mutated(choose, json.loads(body)))
        events = [json.loads(part.removeprefix("data:")) for part in body.decode().split("\n\n") if part]
    except ValueError:
        return body
    changed = mutated(choose, events)
    return b"".join(
        b"data: " + written(choose, event) + choose.choice(ENDS).encode()
        for event in (changed if isinstance(changed, list) else [changed])
    )


def wild(seed: int, share: float) -> Any:
    """The mock, of whose replies a ``share`` is anything."""
    choose, app = random.Random(seed), create_app(Config())

    def server(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        told: list[Any] = []
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        reply = b"".join(app(environ, lambda status, headers, _=None: told.extend((status, headers))))
        status, headers = told[0], [(name.lower(), value) for name, value in told[1] if name.lower() != "content-length"]
        if choose.random() < share:
            what = choose.random()
            if what < 0.7:
                reply = rewritten(choose, reply, stream=dict(headers).get("content-type") == "text/event-stream")
            elif what < 0.8:
                status = choose.choice(STATUSES)
            elif what < 0.9:
                reply = choose.randbytes(choose.randrange(60))
            else:
                headers = [("content-type", choose.choice(TYPES)), ("x-a", "1"), ("x-a", "2"), ("content-type", "a/b")]
        start_response(status, headers)
        return [reply]

    return server


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_wild_server_never_breaks_the_suite(seed: int, share: float, check_wsgi: Check, tmp_path: Path) -> None:
    files = {form: tmp_path / form for form in ("json", "junit", "html", "markdown", "record")}
    result = check_wsgi(wild(seed, share), seed=seed, profile="quick", **files)

    assert [] == [(clause["id"], clause["reason"]) for clause in result["clauses"] if clause["verdict"] == "error"]
    assert "fail" == result["summary"]["verdict"]
    assert result["summary"] == read_result(files["json"])["summary"]
    assert len(result["clauses"]) == len(ET.parse(files["junit"]).getroot().findall(".//testcase"))
    assert all(file.stat().st_size for file in files.values())


# ---------------------------------------------------------------- servers drawn whole
@dataclass(frozen=True)
class Told:
    """One reply of a drawn server: its body in the pieces in which it comes."""

    status: int
    headers: list[tuple[str, str]]
    pieces: list[bytes]


ANYTHING = st.recursive(
    st.sampled_from(ATOMS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """As it should be in seven of eight draws, so that the draw gets further than to the first wrong thing; else anything."""
    return st.integers(0, 7).flatmap(lambda which: right if which else ANYTHING)


def perhaps(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these members, each mostly as it should be, or with some of them; or anything."""
    some = {name: mostly(right) for name, right in members.items()}
    return mostly(st.fixed_dictionaries(some) | st.fixed_dictionaries({}, optional=some))


TOKENS = perhaps(id=st.integers(0, 9), text=st.text(max_size=3), logprob=st.floats(-9, 0), special=st.booleans())
COUNTED: dict[str, st.SearchStrategy[Any]] = {
    "finish_reason": st.sampled_from(["length", "eos_token", "stop_sequence"]),
    "generated_tokens": st.integers(0, 9),
    "seed": st.none() | st.integers(0, 2**64),
    "input_length": st.integers(0, 9),
}
LISTS = {"tokens": st.lists(TOKENS, max_size=3), "prefill": st.lists(TOKENS, max_size=3)}
TOP = {"top_tokens": st.lists(st.lists(TOKENS, max_size=2), max_size=3)}
DETAILS = perhaps(**COUNTED, **LISTS, **TOP, best_of_sequences=st.lists(perhaps(**COUNTED, **LISTS, **TOP), max_size=2))
WHOLE = perhaps(generated_text=st.text(), details=DETAILS, error=st.text(), error_type=st.text())
EVENT = perhaps(
    index=st.integers(0, 5), token=TOKENS, top_tokens=st.lists(TOKENS, max_size=2), generated_text=st.text(), details=DETAILS
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


FRAMES = st.builds(
    lambda field, event, end: field + as_json(event) + end.encode(),
    st.sampled_from([b"data: ", b"data:", b"event: x\ndata:", b": ", b"", b"\xff"]),
    EVENT,
    st.sampled_from(ENDS),
)
BODIES = st.one_of(
    WHOLE.map(as_json),
    st.lists(WHOLE, max_size=2).map(as_json),
    st.lists(FRAMES, max_size=4).map(b"".join),
    st.binary(max_size=60),
    st.just(b"<!doctype html><title>a</title>"),
)
MEDIA = st.sampled_from(["application/json", "text/event-stream", *TYPES])
# 429 and 503 are waited for, up to a minute: test_client has them
STATUSES_TOLD = st.sampled_from([200] * 6 + [201, 204, 301, 400, 401, 404, 417, 422, 424, 500, 599])


@st.composite
def replies(draw: st.DrawFn) -> Told:
    body = draw(BODIES)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    more = draw(st.lists(st.tuples(st.sampled_from(["x-compute-type", "x-a", "retry-after", "location"]), st.text("ab1 ", max_size=4))))
    return Told(draw(STATUSES_TOLD), [("content-type", draw(MEDIA)), *more], pieces)


class _Pieces(httpx.SyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


WORKING = Told(200, [("content-type", "application/json")], [b'{"generated_text": "a"}'])


@settings(
    settings.get_profile("exploring"),
    max_examples=int(os.environ.get("TEXTGEN_WILD_SERVERS", "10")),
    suppress_health_check=list(HealthCheck),
)
@example([WORKING], "documented", 0)
@given(st.lists(replies(), min_size=5, max_size=30), st.sampled_from(spec.DIALECTS), st.integers(0, 99))
def test_no_server_breaks_the_suite(told: list[Told], dialect: str, seed: int) -> None:
    turns = cycle([WORKING, *told])

    def answer(request: httpx.Request) -> httpx.Response:
        reply = next(turns)
        return httpx.Response(reply.status, headers=reply.headers, stream=_Pieces(reply.pieces), request=request)

    chosen = Settings(url="http://any.test/", dialect=dialect, seed=seed, profile="quick", shrink=True)
    run = ContractRun(chosen, transport=httpx.MockTransport(answer))
    run.complete()
    result = run.finish()

    assert [] == [(clause["id"], clause["reason"]) for clause in result["clauses"] if clause["verdict"] == "error"]
    assert exit_code(result) in (0, 1)


@settings(settings.get_profile("exploring"), max_examples=100, suppress_health_check=list(HealthCheck))
@given(replies())
def test_a_server_whose_first_reply_is_anything_is_checked_or_said_to_be_none(told: Told) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(told.status, headers=told.headers, stream=_Pieces(told.pieces), request=request)

    said = ""
    try:
        ContractRun(Settings(url="http://any.test/"), transport=httpx.MockTransport(answer))
    except UnreachableError as error:
        said = str(error)

    assert said.isprintable()
