"""A disk that is full while a recording is written: it ends with its last whole line, says so, and requests go on."""

from __future__ import annotations

import json
import logging
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mockserver.scenario.cassette import Recorder, Tape
from mockserver.scenario.pacing import SystemClock

HEADERS = {"content-type": "application/json"}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes meanwhile, and no compiled module is written, which would be cut."""
    before, uncompiled = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = uncompiled


def test_the_recording_ends_whole_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tape = tmp_path / "tape"
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"generated_text": "x" * 300}))
    recorder = Recorder(tape, "http://upstream", SystemClock(), transport=answer)
    with caplog.at_level(logging.WARNING, "mockserver"), files_of_at_most(2_000):
        replies = [recorder.answer("/", b'{"inputs": "hi"}', HEADERS) for _ in range(8)]
    recorder.close()
    lines = tape.read_text().splitlines()

    assert [200] * 8 == [reply.status for reply in replies]
    assert 0 < len(lines) < 8
    assert ["hi"] * len(lines) == [json.loads(line)["request"]["body"]["inputs"] for line in lines]
    assert [f"{tape}: File too large: the recording ends here, after {len(lines)} exchanges; requests go on"] == [
        record.getMessage() for record in caplog.records
    ]


def test_a_recording_that_ended_does_not_begin_again(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "tape")
    with files_of_at_most(10):
        tape.write("a line that is too long")
    tape.write("short")

    assert "" == (tmp_path / "tape").read_text()


def test_a_device_without_room_is_told_as_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with caplog.at_level(logging.WARNING, "mockserver"):
        Tape(Path("/dev/full")).write("a line")

    assert "/dev/full: No space left on device: the recording ends here, after 0 exchanges; requests go on" in caplog.text
