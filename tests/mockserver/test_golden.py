"""The same version and the same request give the same bytes, on every machine: digests of whole bodies over HTTP.

`python tests/mockserver/test_golden.py` writes the digests anew, after a change that is meant to change bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from mockserver import Config, create_app

FILE = Path(__file__).with_name("golden.json")
REQUESTS: dict[str, dict[str, Any]] = {
    "greedy": {"max_new_tokens": 40},
    "greedy with details": {"max_new_tokens": 40, "details": True, "top_n_tokens": 5},
    "penalised": {"max_new_tokens": 40, "details": True, "repetition_penalty": 1.3, "frequency_penalty": 0.7},
    "watermarked": {"max_new_tokens": 40, "details": True, "watermark": True},
    "seeded": {"max_new_tokens": 40, "details": True, "do_sample": True, "seed": 42},
    "hot": {"max_new_tokens": 40, "details": True, "temperature": 7.3, "seed": 2**64 - 1},
    "every warper": {
        "max_new_tokens": 40, "details": True, "top_n_tokens": 3, "seed": 0,
        "temperature": 0.7, "top_k": 50, "top_p": 0.95, "typical_p": 0.9, "repetition_penalty": 1.1,
    },
    "seedless": {"max_new_tokens": 40, "details": True, "do_sample": True},
    "stopped": {"max_new_tokens": 40, "details": True, "stop": ["e"], "return_full_text": True},
    "adapted": {"max_new_tokens": 40, "details": True, "adapter_id": "demo/haiku", "truncate": 3},
    "to a grammar": {"max_new_tokens": 40, "details": True, "grammar": {"type": "regex", "value": "[A-Z][a-z]{2,9}( [a-z]{1,9})*[.]"}},
}  # fmt: skip
PLAIN_ONLY: dict[str, dict[str, Any]] = {
    "prefilled": {"max_new_tokens": 5, "decoder_input_details": True},
    "best of two": {"max_new_tokens": 40, "details": True, "do_sample": True, "temperature": 1.5, "best_of": 2},
}
INPUTS = "The harbour was quiet. Ünïcödé 東京 🎉 said"


def cases() -> dict[str, dict[str, Any]]:
    plain = {name: {"inputs": INPUTS, "parameters": parameters} for name, parameters in {**REQUESTS, **PLAIN_ONLY}.items()}
    return plain | {f"{name}, streamed": {**plain[name], "stream": True} for name in REQUESTS}


def digest(app: Flask, payload: Any) -> str:
    response = app.test_client().post("/models/microsoft/phi-4", json=payload)
    assert response.status_code == 200
    return sha256(response.data).hexdigest()


@pytest.mark.parametrize("name", cases())
def test_the_bytes_are_those_of_this_version(serve: Callable[..., Flask], name: str) -> None:
    expected = json.loads(FILE.read_text())[name]

    assert expected == digest(serve(), cases()[name])


if __name__ == "__main__":
    server = create_app(Config())
    FILE.write_text(json.dumps({name: digest(server, payload) for name, payload in cases().items()}, indent=1) + "\n")
