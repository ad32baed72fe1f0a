"""No secret in a result, however the endpoint sends it back; and nothing else touched."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from contract_tests.report.masking import mask
from spec.secrets import Masker

TOKEN = "hf_abcdefghijklmnop"


def violation_of(result: dict[str, Any], id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(it for it in result["clauses"] if it["id"] == id)["violations"][0]
    return found


def test_a_token_in_words_headers_body_and_address_is_masked(result: dict[str, Any]) -> None:
    violation = violation_of(result, "reply.json")
    violation["actual"] += TOKEN
    violation["exchange"][0]["headers"] |= {"x-echo": f"Bearer {TOKEN}", TOKEN: "1"}
    violation["exchange"][0]["body"] = f"a {TOKEN} b {TOKEN}"
    result["endpoint"]["url"] += f"?key={TOKEN}"
    masked = mask(result, Masker([TOKEN]))

    assert TOKEN not in json.dumps(masked)
    assert "a **** b ****" == violation_of(masked, "reply.json")["exchange"][0]["body"]
    assert TOKEN in json.dumps(result)


@pytest.mark.parametrize("at", [1, 5, len(TOKEN) - 1])
def test_a_token_torn_across_chunks_is_masked(result: dict[str, Any], at: int) -> None:
    reply = violation_of(result, "stream.index.counts")["exchange"][0]
    parts = [f"data: é {TOKEN[:at]}", TOKEN[at:] + "x", f"{TOKEN}\n\n"]
    reply["chunks"] = [{"at": 0.1, "data": part} for part in parts]
    masked = violation_of(mask(result, Masker([TOKEN])), "stream.index.counts")["exchange"][0]

    assert ["data: é ****", "x", "****\n\n"] == [chunk["data"] for chunk in masked["chunks"]]


def test_a_token_in_base64_is_masked(result: dict[str, Any]) -> None:
    reply = violation_of(result, "reply.json")["exchange"][0]
    reply["body"] = {"base64": base64.b64encode(b"\xff" + TOKEN.encode()).decode()}
    masked = violation_of(mask(result, Masker([TOKEN])), "reply.json")["exchange"][0]

    assert b"\xff****" == base64.b64decode(masked["body"]["base64"])


@pytest.mark.parametrize("value", ["pass", "must", "fail", "documented", "status", "clauses"])
def test_a_header_value_that_is_a_word_of_ours_leaves_verdicts_alone(result: dict[str, Any], value: str) -> None:
    masked = mask(result, Masker([value]))

    assert result["summary"] == masked["summary"]
    assert [(it["id"], it["verdict"], it["level"]) for it in result["clauses"]] == [
        (it["id"], it["verdict"], it["level"]) for it in masked["clauses"]
    ]


@pytest.mark.parametrize("secrets", [[], [""], ["abc"]])
def test_without_a_secret_nothing_changes(result: dict[str, Any], secrets: list[str]) -> None:
    assert result == mask(result, Masker(secrets))
