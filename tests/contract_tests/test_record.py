"""The record of a run: whole lines, and no more of them than there is room for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.record import Record
from spec.secrets import Masker

EXCHANGE = Exchange(Case.of({"inputs": "hi"}), "http://x/", 200, (), (Chunk(0.1, b"{}"),))


def test_each_exchange_is_a_line(tmp_path: Path) -> None:
    record = Record(tmp_path / "record", Masker())
    for _ in range(3):
        record.write(EXCHANGE)
    record.close()

    assert [200] * 3 == [json.loads(line)["response"]["status"] for line in (tmp_path / "record").read_text().splitlines()]


def test_a_device_without_room_ends_the_record() -> None:
    record = Record(Path("/dev/full"), Masker())
    record.write(EXCHANGE)
    record.write(EXCHANGE)
    record.close()

    assert "the record /dev/full ends after 0 exchanges: No space left on device" == record.ended


def test_a_check_goes_on_without_room_for_its_record_and_says_so(live_mock: str, tmp_path: Path) -> None:
    script = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
from contract_tests.cli import main
main(["check", {live_mock!r}, "--max-requests", "60", "--record", "record"])
"""
    ended = subprocess.run(
        [sys.executable, "-B", "-c", script],  # -B: Python itself would cut the compiled modules that it writes
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        check=False,
    )
    lines = (tmp_path / "record").read_text().splitlines()

    assert 0 == ended.returncode
    assert f"textgen-contract: the record record ends after {len(lines)} exchanges: File too large" in ended.stderr
    assert all(json.loads(line)["request"]["method"] == "POST" for line in lines)
