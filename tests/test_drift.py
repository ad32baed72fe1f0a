"""A recording made by the mock, asked again by the suite: the same server has not changed, a broken one has."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mockserver.live import TextgenMock

MODEL = "/models/google/gemma-2-2b-it"
REQUESTS = [
    {"inputs": "One", "parameters": {"details": True, "top_n_tokens": 2, "max_new_tokens": 3}},
    {"inputs": "One", "parameters": {"details": True, "max_new_tokens": 3}, "stream": True},
    {"inputs": "One", "parameters": {"top_p": 2}},
]


def drift(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "contract_tests", "drift", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What a real server answered, written down by the mock that passed it on."""
    file = tmp_path_factory.mktemp("tape") / "tape.jsonl"
    with TextgenMock() as real, TextgenMock(record=str(file), upstream=real.url) as recorder:
        for request in REQUESTS:
            httpx.post(recorder.url + MODEL, json=request, headers={"authorization": "Bearer hf_secret"})
    return file


def test_the_same_server_has_not_changed(tape: Path) -> None:
    with TextgenMock(seed=5) as now:
        url = now.url
        told = drift(str(tape), url)

    assert (0, "") == (told.returncode, told.stderr)
    assert f"asked 3 recorded requests again, compared 3\n{url} answers in the shape that was recorded\n" == told.stdout
    assert [MODEL] * 3 == [asked.path for asked in now.requests]


def test_a_changed_server_is_told_field_by_field(tape: Path, tmp_path: Path) -> None:
    report = tmp_path / "drift.json"
    with TextgenMock(faults=("token-id-as-string", "generated-text-renamed", "stream-input-length-missing")) as now:
        told = drift(str(tape), now.url, "--json", str(report))

    assert 1 == told.returncode
    places = {change["place"]: (change["before"], change["now"]) for change in json.loads(report.read_text())["changes"]}
    assert {
        "reply.generated_text",
        "reply.details.tokens[].id",
        "event.token.id",
        "last event.details.input_length",
    } <= places.keys()
    assert (["string"], ["absent"]) == places["reply.generated_text"]
    for place, (before, after) in places.items():
        assert f"{place}: was {' or '.join(before)}, came {' or '.join(after)} (in " in told.stdout
    assert "repeat: curl -sS -N -X POST http://127.0.0.1:" in told.stdout


def test_no_token_is_needed_to_be_told_and_none_is_shown(tape: Path) -> None:
    with TextgenMock(tokens=("hf_other",)) as now:
        told = drift(str(tape), now.url)

    assert 1 == told.returncode
    assert "status: was 200 or 422, came 401 (in 3 replies of 3)" in told.stdout
    assert "secret" not in told.stdout + tape.read_text()


def test_nobody_there_is_exit_code_3(tape: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = drift(str(tape), f"http://127.0.0.1:{port}/")

    assert 3 == told.returncode
    assert "answered none of the recorded requests (no connection" in told.stderr


def test_an_empty_recording_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    told = drift(str(tmp_path / "empty.jsonl"), "http://127.0.0.1:9/")

    assert 2 == told.returncode
    assert "holds no request that was answered" in told.stderr
    assert "Traceback" not in told.stderr
