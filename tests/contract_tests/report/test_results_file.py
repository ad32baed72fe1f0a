"""results.json: the published schema takes what the suite writes and nothing that is broken; replies stand in it as they came."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from contract_tests.errors import UsageError
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.report.result import SHOWN_BYTES, SHOWN_BYTES_TOGETHER, _answer, to_json
from contract_tests.report.results_file import read_result, results_schema


def fault_of(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(clause for clause in result["clauses"] if clause["verdict"] == "fail")
    return found


def reply(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = fault_of(result)["violations"][0]["exchange"][0]
    return found


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no summary": lambda it: it.pop("summary"),
    "another schema": lambda it: it.update(schema=2),
    "a seed as text": lambda it: it.update(seed="7"),
    "a verdict of its own": lambda it: it["clauses"][0].update(verdict="maybe"),
    "a pass that judged nothing": lambda it: it["clauses"][0].update(judged=0),
    "a fail without a violation": lambda it: fault_of(it).update(violations=[]),
    "a skip without a reason": lambda it: it["clauses"][0].update(verdict="skip", reason=""),
    "a level of its own": lambda it: it["clauses"][0].update(level="shall"),
    "a violation without curl": lambda it: fault_of(it)["violations"][0].pop("curl"),
    "an authorization": lambda it: fault_of(it)["violations"][0]["case"]["headers"].update(authorization="x"),
    "a reply without a status": lambda it: reply(it).pop("status"),
    "a reply with body and chunks": lambda it: reply(it).update(body="", chunks=[]),
    "a reply with neither": lambda it: (reply(it).pop("body", None), reply(it).pop("chunks", None)),
    "a list": lambda it: it.update(clauses={}),
    "a deviation without a reason": lambda it: fault_of(it).update(deviation={"why": "", "link": "", "stale": False}),
}


def test_the_schema_is_one_of_draft_2020_12() -> None:
    jsonschema_rs.meta.validate(results_schema())
    assert "https://json-schema.org/draft/2020-12/schema" == results_schema()["$schema"]


def test_a_result_reads_back_as_it_was(result: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(to_json(result), encoding="utf-8")

    assert result == read_result(file)


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_result_is_refused_in_one_sentence(result: dict[str, Any], tmp_path: Path, broken: str) -> None:
    value = copy.deepcopy(result)
    BREAKS[broken](value)
    file = tmp_path / "results.json"
    file.write_text(to_json(value), encoding="utf-8")

    with pytest.raises(UsageError, match=r"is no results\.json of this version: at `") as told:
        read_result(file)
    assert len(str(told.value)) < 600


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n"schema": 1,\n', "line 3: no JSON"),
        (b'{\n"schema": "\xff"}', "line 2: not UTF-8"),
        (b"", "line 1: no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5_000, "a number too long"),
        (b"[]", "at `the whole`"),
    ],
)
def test_a_file_that_is_no_result_names_its_line(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)

    with pytest.raises(UsageError, match=words):
        read_result(file)


def answer(*chunks: bytes, kind: str = "application/json", limit: int = 100) -> dict[str, Any]:
    came = tuple(Chunk(0.1 * place, data) for place, data in enumerate(chunks, 1))
    return _answer(Exchange(Case.of({}), "http://x/", 200, (("content-type", kind),), came, 0.5), limit)


def test_a_plain_reply_is_one_body_and_a_stream_its_chunks() -> None:
    assert "ab" == answer(b"a", b"b")["body"]
    assert [{"at": 0.1, "data": "data:a"}, {"at": 0.2, "data": "b"}] == answer(b"data:a", b"b", kind="text/event-stream")[
        "chunks"
    ]


def test_a_stream_under_a_wrong_name_is_a_stream() -> None:
    assert 2 == len(answer(b"data:", b" {}", kind="text/plain")["chunks"])


def test_bytes_that_are_no_utf8_are_base64() -> None:
    assert {"base64": "/w=="} == answer(b"\xff")["body"]
    assert {"base64": "ZGF0YTrD"} == answer(b"data:\xc3", b"\xa9")["chunks"][0]["data"]


def test_what_is_long_is_cut_between_characters_and_says_so() -> None:
    told = answer("é".encode() * 60, limit=99)

    assert {"body": "é" * 49, "cut": True, "bytes": 120} == {name: told[name] for name in ("body", "cut", "bytes")}
    assert answer(b"a" * 100)["cut"] is False


def test_a_stream_that_comes_byte_by_byte_is_cut_earlier() -> None:
    told = answer(b"data:", *[b"x"] * 10_000, kind="text/event-stream", limit=4_000)

    assert told["cut"]
    assert len(json.dumps(told)) < 6_000
    assert 10_005 == told["bytes"]


def test_a_header_that_comes_twice_keeps_both_values(result: dict[str, Any]) -> None:
    clause = next(it for it in result["clauses"] if it["id"] == "reply.json")

    assert "1, 2" == clause["violations"][0]["exchange"][0]["headers"]["x-a"]


def test_no_reply_at_all_says_why() -> None:
    told = _answer(Exchange(Case.of({}), "http://x/", 0, failure="connection refused"), 100)

    assert (0, "connection refused", 0, "") == (told["status"], told["failure"], told["bytes"], told["body"])


def test_many_replies_of_one_violation_share_what_it_may_hold() -> None:
    assert 5 * SHOWN_BYTES == SHOWN_BYTES_TOGETHER
