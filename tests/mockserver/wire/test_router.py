"""What the router's JSON reader says of bodies that do not fit, with line and column."""

from __future__ import annotations

import json

import pytest

import spec
from mockserver.errors import ApiError, BadJsonError, ValidationError
from mockserver.wire.router import read_as_router

DOCUMENT = spec.openapi("tgi")
FITS = "Failed to deserialize the JSON body into the target type: "
PARSES = "Failed to parse the request body as JSON: "


def refused(body: bytes | str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_as_router(body.encode() if isinstance(body, str) else body, DOCUMENT)
    return caught.value


def test_the_three_recorded_sentences_are_those() -> None:
    asked = {"model": "tgi", "messages": [{"role": "user", "content": "Complete the equation 1+1= ,just the answer"}],
             "max_tokens": 500, "temperature": 0.1, "seed": 0, "stream": True}  # fmt: skip

    missing = refused(json.dumps(asked, separators=(",", ":"))).plain
    assert missing == f"{FITS}missing field `inputs` at line 1 column 158"
    assert refused('{"inputs": {"text": "Hi, who are you?"}}').plain == (
        f"{FITS}inputs: invalid type: map, expected a string at line 1 column 11"
    )
    assert refused('{"inputs": ["Hi"]}').plain == f"{FITS}inputs: invalid type: sequence, expected a string at line 1 column 11"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ('"top_k":1.5', "top_k: invalid type: floating point `1.5`, expected i32"),
        ('"seed":-1', "seed: invalid value: integer `-1`, expected u64"),
        ('"max_new_tokens":4294967296', "max_new_tokens: invalid value: integer `4294967296`, expected u32"),
        ('"do_sample":null', "do_sample: invalid type: null, expected a boolean"),
        ('"temperature":true', "temperature: invalid type: boolean `true`, expected f32"),
        ('"watermark":"no"', 'watermark: invalid type: string "no", expected a boolean'),
        ('"grammar":{"type":"ebnf","value":""}',
         "grammar: unknown variant `ebnf`, expected one of `json`, `json_object`, `regex`, `json_schema`"),
        ('"grammar":{"type":"json"}', "grammar: missing field `value`"),
    ],
)  # fmt: skip
def test_a_parameter_that_does_not_fit_is_told_with_its_path_and_its_end(parameters: str, words: str) -> None:
    begin = '{"inputs":"x",\n"parameters":{'
    column = len(f'"parameters":{{{parameters}')

    assert refused(f"{begin}{parameters}}}}}").plain == f"{FITS}parameters.{words} at line 2 column {column}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"inputs":7}', "inputs: invalid type: integer `7`, expected a string at line 1 column 11"),
        ('{"inputs":null}', "inputs: invalid type: null, expected a string at line 1 column 14"),
        ('{"inputs":"x","stream":"yes"}', 'stream: invalid type: string "yes", expected a boolean at line 1 column 28'),
        ('{"parameters":null}', "parameters: invalid type: null, expected struct GenerateParameters at line 1 column 18"),
        ('{"parameters":{"stop":["a",7]}}', "parameters.stop[1]: invalid type: integer `7`, expected a string at line 1 column 29"),
        ('{"inputs":"x","inputs":"y"}', "duplicate field `inputs` at line 1 column 23"),
        ('"text"', 'invalid type: string "text", expected struct CompatGenerateRequest at line 1 column 6'),
    ],
)
def test_a_misfit_is_told_where_it_stands(body: str, words: str) -> None:
    error = refused(body)

    assert isinstance(error, ValidationError)
    assert error.plain == FITS + words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"not json", "expected value at line 1 column 1"),
        (b'{"inputs": "x"', "EOF while parsing an object at line 1 column 15"),
        (b"{'inputs': 'x'}", "key must be a string at line 1 column 2"),
        (b'{"inputs" "x"}', "expected `:` at line 1 column 11"),
    ],
)
def test_what_is_no_json_is_told_so(body: bytes, words: str) -> None:
    error = refused(body)

    assert isinstance(error, BadJsonError)
    assert error.plain == PARSES + words


@pytest.mark.parametrize(
    "body",
    [b'{"inputs": "\xff"}', b'{"inputs": "\\ud800"}', b'{"inputs":"x","parameters":{"temperature":1e400}}', b'{"inputs": NaN}',
     b'{"inputs":"x","parameters":{"seed":' + b"9" * 5000 + b"}}", b"[" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200],
)  # fmt: skip
def test_what_no_reader_takes_is_refused_in_text(body: bytes) -> None:
    error = refused(body)

    assert error.status in (400, 422)
    assert error.plain


@pytest.mark.parametrize("prompt", ["[{" * 100, "\ufffd"])
def test_what_is_no_json_is_told_so_whatever_stands_before_it(prompt: str) -> None:
    """A key that is written twice is not all that is wrong with these, and was once mistaken for it."""
    error = refused(f'{{"inputs": "{prompt}", "seed": 1, "seed": 2, no json}}'.encode())

    assert isinstance(error, BadJsonError)
    assert error.plain.startswith(f"{PARSES}key must be a string at line 1 column ")


@pytest.mark.parametrize("prompt", ["x", "[{" * 100, "\ufffd"])
@pytest.mark.parametrize("tail", [b"", b" and more", b"}", b"\n"])
def test_what_stands_behind_the_body_is_not_looked_at(prompt: str, tail: bytes) -> None:
    assert read_as_router(f' {{"inputs": "{prompt}"}}'.encode() + tail, DOCUMENT) == {"inputs": prompt}


def test_unknown_keys_are_not_looked_at() -> None:
    assert read_as_router(b'{"model": 7, "inputs": "x", "parameters": {"n": []}}', DOCUMENT)["model"] == 7
