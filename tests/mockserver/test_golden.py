"""The same version and the same request give the same bytes, on every machine: digests of whole bodies over HTTP.

`python tests/mockserver/test_golden.py` writes the digests anew, after a change that is meant to change bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask

from mockserver import Config, create_app
from mockserver.answer import Answerer
from mockserver.engine.backends import open_backend
from mockserver.engine.model import Model

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
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one thread, few processor features": {
        "OPENBLAS_NUM_THREADS": "1",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 X86_V3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4",
    },
    "two threads": {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
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


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_the_bytes_are_the_same_on_torch() -> None:
    backend = open_backend("torch")

    def load(voice: str, adapter_id: str | None) -> Model:
        return Model.load(voice, adapter_id=adapter_id, backend=backend)

    answerer = Answerer(Config(), load=load)
    bodies = (sent(answerer, payload) for payload in cases().values())

    assert json.loads(FILE.read_text()) == dict(zip(cases(), bodies, strict=True))


def sent(answerer: Answerer, payload: Any) -> str:
    body = answerer.answer(lambda: json.dumps(payload).encode(), "application/json", model="microsoft/phi-4").body
    return sha256(body if isinstance(body, bytes) else b"".join(body)).hexdigest()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_bytes_are_the_same_over_the_wire(environment: dict[str, str]) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "mockserver", "serve", "--port", "0"]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("listening on ").strip() + "/models/microsoft/phi-4"
            with httpx.Client() as client:
                found = {name: sha256(client.post(url, json=payload).content).hexdigest() for name, payload in cases().items()}
        finally:
            process.terminate()

    assert json.loads(FILE.read_text()) == found


if __name__ == "__main__":
    server = create_app(Config())
    FILE.write_text(json.dumps({name: digest(server, payload) for name, payload in cases().items()}, indent=1) + "\n")
