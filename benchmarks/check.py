"""How many exchanges ``textgen-contract check`` judges per second against our own server: suite on one core, server on the other.

What the suite itself costs is the CPU that its processes use; 1 / that is what one core could judge of a server that answers at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks import report
from benchmarks.servers import LOAD_CORE, OURS, Kind, Server, go_first, on_core, running

SEED = 7


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the suite took."""

    exchanges: int
    seconds: float
    cpu: float
    peak_mb: float


def main() -> None:
    options = report.parser("check", __doc__ or "", rounds=3)
    options.add_argument("--profile", action="append", help="quick, standard or deep; repeatable (default: quick and standard)")
    given = options.parse_args()
    kind = Kind(name="textgen-mock", version="", command=[*OURS, "{port}"], body=b'{"inputs": "hi"}')
    go_first()
    rows = []
    for profile in given.profile or ["quick", "standard"]:
        for jobs in (1, 2) if knows_jobs() else (1,):
            runs = []
            for _ in range(given.rounds):
                with running(kind) as server:
                    runs.append(check(server, profile, jobs))
            rows.append(row(profile, jobs, runs))
    sentences = [
        f"Medians of {given.rounds} runs with --seed {SEED}. `seconds` include the start of the suite, which a short run feels most.",
        "With two jobs the suite has both cores, one of which it shares with the server. "
        "Peak memory is the largest sum seen over the suite's processes.",
        "Repeat with `python -m benchmarks check`.",
    ]
    head = ["profile", "jobs", "exchanges", "seconds", "exchanges/s", "CPU ms of the suite an exchange", "of one core", "peak MB"]
    report.write(given.out, "The suite's own speed", sentences, report.table(head, rows))


def row(profile: str, jobs: int, runs: list[Run]) -> list[str]:
    cost = median(run.cpu / run.exchanges for run in runs)
    return [
        profile,
        str(jobs),
        f"{median(run.exchanges for run in runs):,.0f}",
        f"{median(run.seconds for run in runs):.1f}",
        f"{median(run.exchanges / run.seconds for run in runs):,.0f}",
        f"{cost * 1000:.2f}",
        f"{1 / cost:,.0f}",
        f"{max(run.peak_mb for run in runs):.0f}",
    ]


def knows_jobs() -> bool:
    told = subprocess.run([sys.executable, "-m", "contract_tests", "check", "--help"], check=True, capture_output=True, text=True)
    return "--jobs" in told.stdout


def check(server: Server, profile: str, jobs: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        options = ["--profile", profile, "--seed", str(SEED), "--json", str(results), *(["--jobs", str(jobs)] if jobs > 1 else [])]
        command = [sys.executable, "-m", "contract_tests", "check", server.url, *options]
        began = time.monotonic()
        process = psutil.Popen([*([] if jobs > 1 else on_core(LOAD_CORE)), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peak, cpu = watch(process)
        seconds = time.monotonic() - began
        exchanges = json.loads(results.read_text(encoding="utf-8"))["spent"]["requests"]
    return Run(exchanges, seconds, cpu, peak)


def watch(process: psutil.Popen) -> tuple[float, float]:
    """The most memory that the process and those below it had, and the CPU seconds that they used."""
    peak = 0.0
    before = os.times()
    while process.poll() is None:
        try:
            peak = max(peak, sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6)
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.1)
    after = os.times()
    return peak, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
