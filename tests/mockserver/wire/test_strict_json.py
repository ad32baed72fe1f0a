"""JSON is read strictly, and written so that every client can read it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.errors import ApiError, BadJsonError, ValidationError
from mockserver.wire.strict_json import DEEPEST, name_of, parse_json, show, write_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    assert parse_json(write_json(value).encode()) == value


@given(VALUES)
def test_any_json_text_reads_as_the_standard_library_reads_it(value: Any) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.text())
def test_written_json_is_one_line_for_every_client(text: str) -> None:
    written = write_json({"text": text})

    assert written.isascii()
    assert written.splitlines() == [written]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it is empty at line 1 column 1"),
        (b"  \n ", "it is empty"),
        (b"{", "at line 1 column 2"),
        (b'{"a":1}x', "Extra data at line 1 column 8"),
        (b'{"a":1}{"a":1}', "Extra data"),
        (b"{'a':1}", "line 1 column 2"),
        (b'{"a":01}', "line 1"),
        (b'{"a":1,}', "line 1"),
        (b'{"a":"\x01"}', "control character"),
        (b'{"a":NaN}', "NaN is not a JSON value"),
        (b'{"a":Infinity}', "Infinity is not a JSON value"),
        (b'{"a":-Infinity}', "-Infinity is not a JSON value"),
        (b'{"a":"\xff"}', "not UTF-8: byte 0xff at position 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8: byte 0xed at position 6"),
        ('{"a":"é"}'.encode("latin-1"), "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
        (b"[" * 100_000, f"nested more than {DEEPEST} deep"),
        (b'{"a":' * 100_000 + b"1", f"nested more than {DEEPEST} deep"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), f"nested more than {DEEPEST} deep"),
        (b'{"a": 1e999{}}', "Expecting ',' delimiter at line 1 column 12"),
    ],
)
def test_no_json_is_refused_with_400(body: bytes, words: str) -> None:
    with pytest.raises(BadJsonError, match=words) as refused:
        parse_json(body)

    assert refused.value.status == 400
    assert refused.value.message.startswith("Failed to parse the request body as JSON: ")


def test_the_deepest_nesting_is_read() -> None:
    assert parse_json(b"[" * DEEPEST + b"]" * DEEPEST)


def test_brackets_in_strings_are_not_nesting() -> None:
    assert parse_json(json.dumps('[{"\\' * 500).encode()) == '[{"\\' * 500


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"inputs":"a","inputs":"b"}', "`inputs` is given more than once"),
        (b'{"parameters":{"seed":1,"seed":1}}', "`seed` is given more than once"),
        (b'{"\\u0000\\u2028":1,"\\u0000\\u2028":1}', "`\\u0000\\u2028` is given more than once"),
        (b'{"inputs":"\\ud800"}', "`inputs` holds half of a surrogate pair, which is no character"),
        (b'{"parameters":{"stop":["ok","a\\uDFFFb"]}}', "`stop[1]` holds half of a surrogate pair, which is no character"),
        (b'{"parameters":{"\\ud83d":1}}', "`\\ud83d` holds half of a surrogate pair, which is no character"),
        (b'"\\ud83d"', "the body holds half of a surrogate pair, which is no character"),
        (
            b'{"parameters":{"seed":18446744073709551616}}',
            "`seed` must be an integer of 64 bits. Given: 18446744073709551616",
        ),
        (b'{"parameters":{"top_k":-9223372036854775809}}', "`top_k` must be an integer of 64 bits. Given: -9223372036854775809"),
        (b'{"parameters":{"temperature":1e400}}', "`temperature` must be a number that a double holds. Given: 1e400"),
        (b'{"inputs":1' + b"0" * 5000 + b"}", f"`inputs` must be an integer of 64 bits. Given: 1{'0' * 96}..."),
        (b"1e999", "the body must be a number that a double holds. Given: 1e999"),
    ],
)
def test_json_that_no_value_holds_is_refused_by_name(body: bytes, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse_json(body)

    assert refused.value.message == f"Input validation error: {sentence}"


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83c\\udf89"') == "🎉"


@pytest.mark.parametrize("text", ["18446744073709551615", "-9223372036854775808", "1e308", "-0.0", "1E+2"])
def test_numbers_at_the_edge_are_read(text: str) -> None:
    assert parse_json(text.encode()) == json.loads(text)


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_an_api_error(body: bytes) -> None:
    with suppress(ApiError):
        parse_json(body)


def test_long_values_are_shown_short() -> None:
    assert show("x" * 1000) == '"' + "x" * 96 + "..."


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("inputs",), "inputs"),
        (("parameters",), "parameters"),
        (("parameters", "stop", 0), "stop[0]"),
        (("parameters", "grammar", "value"), "grammar.value"),
        ((0, "a"), "[0].a"),
    ],
)
def test_a_place_is_named_as_the_client_knows_it(path: tuple[str | int, ...], name: str) -> None:
    assert name_of(path) == name


@pytest.mark.parametrize("rest", ["", "}", ',"b":}', ',"b":NaN}', ',"a":1}', "} more", ',"b":"\\ud800"}', ',"b":1e999}'])
def test_a_number_that_does_not_fit_is_refused_whatever_stands_behind_it(rest: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_json(f'{{"a":{"9" * 400}{rest}'.encode())

    assert 400 <= refused.value.status < 500
