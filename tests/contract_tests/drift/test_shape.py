"""The shape of replies: fields and their types, never their values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_tests.drift import Shape
from contract_tests.drift.shape import in_words
from contract_tests.exchange import Case, Chunk, Exchange


def reply(body: Any, *, status: int = 200, **headers: str) -> Exchange:
    told = tuple((name.replace("_", "-"), value) for name, value in {"content_type": "application/json", **headers}.items())
    return Exchange(Case.of({"inputs": "a"}), "http://a/", status, told, (Chunk(0.0, json.dumps(body).encode()),))


def shape(*replies: Exchange) -> Shape:
    found = Shape()
    for each in replies:
        found.add(each)
    return found


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "boolean"), (1, "integer"), (1.0, "number"), ("a", "string"), ([], "array"), ({}, "object")],
)
def test_each_json_type_is_known(value: Any, kind: str) -> None:
    assert {kind} == shape(reply({"a": value})).kinds(("reply", "a"))


def test_a_logprob_that_happens_to_be_whole_is_a_number() -> None:
    assert {"number"} == shape(reply({"logprob": 0})).kinds(("reply", "logprob"))


def test_a_field_that_one_reply_lacks_is_also_absent() -> None:
    assert {"integer", "absent"} == shape(reply({"a": 1}), reply({})).kinds(("reply", "a"))


def test_a_field_that_one_item_lacks_is_also_absent() -> None:
    assert {"integer", "absent"} == shape(reply([{"a": 1}, {}])).kinds(("reply", "[]", "a"))


def test_a_field_never_seen_is_absent_where_an_object_was() -> None:
    assert {"absent"} == shape(reply({"b": {}})).kinds(("reply", "b", "a"))


@pytest.mark.parametrize("body", [{"tokens": []}, {"tokens": None}, {}, "text"])
def test_nothing_is_known_of_what_could_not_be_seen(body: Any) -> None:
    assert frozenset() == shape(reply(body)).kinds(("reply", "tokens", "[]", "id"))


def test_headers_of_the_way_do_not_count() -> None:
    found = shape(reply({}, x_compute_type="cpu", x_amz_cf_id="1", date="today"))

    assert {"present"} == found.kinds(("header", "x-compute-type"))
    assert {"absent"} == found.kinds(("header", "x-amz-cf-id")) == found.kinds(("header", "x-other"))


def test_the_last_event_of_a_stream_has_a_place_of_its_own() -> None:
    frames = [b'data: {"index": 1, "generated_text": null}\n\n', b'data: {"index": 2, "generated_text": "a"}\n\n']
    case = Case.of({"inputs": "a", "stream": True})
    chunks = tuple(Chunk(0.0, frame) for frame in frames)
    found = shape(Exchange(case, "http://a/", 200, (("content-type", "text/event-stream"),), chunks))

    assert {"null"} == found.kinds(("event", "generated_text"))
    assert {"string"} == found.kinds(("last event", "generated_text"))


def test_a_body_that_is_no_json_has_no_fields() -> None:
    broken = Exchange(Case.of({"inputs": "a"}), "http://a/", 200, (), (Chunk(0.0, b"<html>"),))

    assert {"no JSON"} == shape(broken).kinds(("reply",))
    assert {"none"} == shape(broken).kinds(("content-type",))


def test_a_place_reads_as_people_write_it() -> None:
    assert "reply.details.tokens[].id" == in_words(("reply", "details", "tokens", "[]", "id"))
