"""Contract under load on the loopback: alone, and one master with two workers. Short, and bounded by a rate."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from contract_tests.endpoint import local_fake
from mockserver.serving import reserve

# not importorskip: importing it patches this whole process for gevent
pytestmark = pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed")

QUIETLY = ("--users", "4", "--rate", "40", "--seed", "1")


def load(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "contract_tests", "load", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def clauses(file: Path) -> dict[str, Any]:
    return {clause["id"]: clause for clause in json.loads(file.read_text())["clauses"]}


def test_a_right_server_keeps_the_contract_under_load(live_mock: str, tmp_path: Path) -> None:
    with load(live_mock, *QUIETLY, "--duration", "8", "--json", str(tmp_path / "results.json")) as ended:
        out, error = ended.communicate(timeout=60)
    found = clauses(tmp_path / "results.json")

    assert (0, "") == (ended.returncode, error)
    assert "keeps the contract" in out
    assert {"plain", "stream"} <= {line.split("  ")[0] for line in out.split("\n")}
    assert all(found[id]["judged"] for id in ("reply.generated_text.type", "stream.complete"))


def test_a_master_and_two_workers_tell_a_violation_with_its_curl_line(tmp_path: Path) -> None:
    with closing(reserve("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with ExitStack() as stack:
        url = stack.enter_context(local_fake("--fault", "stream-index-gap"))
        workers = [stack.enter_context(load("--worker", "--master-port", port)) for _ in range(2)]
        leading = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
        master = stack.enter_context(load(url, *QUIETLY, "--duration", "8", *leading, "--json", str(tmp_path / "results.json")))
        error = master.communicate(timeout=90)[1]
        codes = [worker.wait(30) for worker in workers]
    result = json.loads((tmp_path / "results.json").read_text())
    violated = [clause for clause in result["clauses"] if clause["verdict"] == "fail"]

    assert (1, "", [0, 0]) == (master.returncode, error, codes)
    assert ["stream.index.counts"] == [clause["id"] for clause in violated]
    assert violated[0]["violations"][0]["curl"].startswith("curl ")
    assert 2 == result["load"]["processes"]
    assert sum(row["count"] for row in result["load"]["figures"] if "rate" in row) == result["spent"]["requests"] > 0


def test_an_option_that_locust_does_not_know_is_one_sentence(live_mock: str) -> None:
    with load(live_mock, "--userz", "4") as ended:
        _, error = ended.communicate(timeout=60)

    assert (2, "textgen-contract: Locust does not take that: unrecognized arguments: --userz.\n") == (ended.returncode, error)
