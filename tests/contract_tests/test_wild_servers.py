"""A server that answers right, but for some replies in which something is anything at all: the run ends with verdicts, never broken.

Drawn by seed, over whole runs: what a probe does with a reply is at stake here, not only what a clause says of it.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from contract_tests.report.results_file import read_result
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
