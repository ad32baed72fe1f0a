"""Whether a server that runs for long grows: resident memory and open files, sampled while it is asked for everything that it does.

``python -m benchmarks soak --minutes 20`` prints a table and writes it to ``benchmarks/results/soak.md``. The first quarter, in which
caches and the journal fill, does not count for the slope. ``--quick`` takes a minute and writes nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import linear_regression

RESULT = Path(__file__).with_name("results") / "soak.md"
RATE = 25
"""Requests a second."""

SAMPLE = 5.0
"""Seconds between two looks at the process."""

JSON = {"content-type": "application/json"}
MODEL = "/models/google/gemma-2-2b-it"


@dataclass(frozen=True, slots=True)
class Sample:
    """What a server's processes take: kilobytes of memory, open files; ``at`` in minutes from the start."""

    at: float
    resident: int
    files: int


class Server:
    """A running mock, and the way to ask it."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address
        self._connection = http.client.HTTPConnection(address, timeout=30)

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> int:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        try:
            self._connection.request(method, path, data, JSON | (headers or {}))
            response = self._connection.getresponse()
        except (
            ConnectionError,
            http.client.RemoteDisconnected,
        ):  # closed by the server after a request whose body it did not read
            self._connection.close()
            self._connection.request(method, path, data, JSON | (headers or {}))
            response = self._connection.getresponse()
        response.read()
        return response.status

    def leave(self, body: object) -> int:
        """Ask for a stream, and go away after its first event."""
        with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
            connection.request("POST", MODEL, json.dumps(body), JSON)
            response = connection.getresponse()
            response.readline()
            return response.status

    def sample(self, started: float) -> Sample:
        """Its parent and its workers together."""
        pids = [self.process.pid, *_children(self.process.pid)]
        resident = sum(_resident(pid) for pid in pids)
        files = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
        return Sample((time.monotonic() - started) / 60, resident, files)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().removeprefix("listening on http://").strip())
    finally:
        process.terminate()
        process.wait(60)


def acts(server: Server, choose: random.Random) -> list[Callable[[], int]]:
    """What is asked for: each is as likely as the others, and each draws anew what it sends."""

    def payload(**more: object) -> dict[str, object]:
        parameters = {
            "max_new_tokens": choose.randrange(1, 40),
            "details": True,
            "do_sample": True,
            "seed": choose.randrange(1, 2**40),
        }
        return {"inputs": f"a prompt {choose.random()}", "parameters": parameters, **more}

    def scoped() -> dict[str, str]:
        return {"x-mock-scope": f"scope {choose.random()}"}

    def script() -> int:
        rule = {"prompt": f"{choose.random()}", "reply": "pong"}
        return server.ask("POST", "/_mock/scripts", {"rules": [rule]}, scoped())

    def fault() -> int:
        return server.ask("POST", "/_mock/faults", {"name": "stream-cut", "times": 1}, scoped())

    return [
        lambda: server.ask("POST", MODEL, payload()),
        lambda: server.ask("POST", MODEL, {"inputs": "the same prompt"}),
        lambda: server.ask("POST", MODEL, payload(stream=True)),
        lambda: server.leave(payload(stream=True)),
        lambda: server.ask("POST", MODEL, {"inputs": choose.randrange(10**9)}),
        lambda: server.ask("POST", MODEL, b"{" * choose.randrange(1, 10_000)),
        lambda: server.ask("POST", MODEL, payload(), {"x-mock-fault": f"status-202@0.{choose.randrange(1, 10**6)}"}),
        lambda: server.ask("POST", MODEL, payload(), scoped()),
        lambda: server.ask("POST", MODEL, payload(), {"x-use-cache": "false"}),
        lambda: server.ask("GET", f"/no/such/path/{choose.random()}"),
        lambda: server.ask("POST", f"/models/no/such{choose.random()}", payload()),
        lambda: server.ask("POST", "/tokenize", payload()),
        lambda: server.ask("GET", choose.choice(["/metrics", "/info", "/docs", "/openapi.json", "/_mock/verdict"])),
        script,
        fault,
    ]


def soak(minutes: float, seed: int) -> tuple[list[Sample], int, int]:
    """The samples, how many requests were sent, and how many of them ended in 5xx."""
    choose = random.Random(seed)
    samples: list[Sample] = []
    asked = failed = 0
    with serving() as server:
        todo = acts(server, choose)
        started = time.monotonic()
        next_sample, next_turn = started, started
        while (now := time.monotonic()) < started + 60 * minutes:
            if now >= next_sample:
                samples.append(server.sample(started))
                next_sample += SAMPLE
            asked += 1
            failed += choose.choice(todo)() >= 500
            next_turn += 1 / RATE
            time.sleep(max(0.0, next_turn - time.monotonic()))
        samples.append(server.sample(started))
    return samples, asked, failed


def table(samples: list[Sample], asked: int, failed: int, seed: int) -> str:
    settled = [sample for sample in samples if sample.at >= samples[-1].at / 4]
    times = [sample.at for sample in settled]
    rows = [("minute", "resident MB", "open files")]
    rows += [
        (f"{sample.at:.1f}", f"{sample.resident / 1024:.1f}", str(sample.files))
        for sample in samples[:: max(1, len(samples) // 12)]
    ]
    rows.append((f"{samples[-1].at:.1f}", f"{samples[-1].resident / 1024:.1f}", str(samples[-1].files)))
    slope = linear_regression(times, [sample.resident for sample in settled]).slope
    files = linear_regression(times, [sample.files for sample in settled]).slope
    versions = ", ".join(f"{name} {version(name)}" for name in ("flask", "granian", "numpy"))
    return "\n".join(
        [
            "# Soak",
            "",
            f"{samples[-1].at:.0f} minutes, {asked} requests of 15 kinds at {RATE} a second, {failed} answers of 5xx, seed {seed}.",
            f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores, {platform.machine()}.",
            f"From minute {settled[0].at:.0f} on: **{slope:+.1f} kB a minute** of resident memory, {files:+.2f} open files a minute.",
            "",
            *("| " + " | ".join(row) + " |" for row in (rows[0], ("---",) * 3, *rows[1:])),
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    told = table(*soak(1 if given.quick else given.minutes, given.seed), given.seed)
    print(told)
    if not given.quick:
        RESULT.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
