"""How many exchanges ``textgen-contract check`` judges per second: in process, of our own server on the other core, and of one that waits.

What the suite itself costs is the CPU that its processes use; 1 / that is what one core could judge of a server that answers at once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import httpx
import psutil

from benchmarks import report
from benchmarks.servers import LOAD_CORE, MODEL_PATH, OURS, Kind, Server, go_first, on_core, running

SEED = 7

WAIT_MS = 30
"""What an endpoint elsewhere takes to its first token, at the least."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the suite took."""

    exchanges: int
    seconds: float
    cpu: float
    peak_mb: float


def main() -> None:
    options = report.parser("check", __doc__ or "", rounds=3)
    options.add_argument("--profile", action="append", help="quick, standard or deep; repeatable (default: all three)")
    given = options.parse_args()
    profiles = given.profile or ["quick", "standard", "deep"]
    go_first()
    alone = [row_in_process(profile, given.rounds) for profile in profiles]
    at_once = Kind(name="textgen-mock", version="", command=[*OURS, "{port}"], body=b'{"inputs": "hi"}')
    waits = replace(at_once, command=[*at_once.command, "--ttft", str(WAIT_MS)])
    served = [row("at once", at_once, profile, 1, given.rounds) for profile in profiles]
    served += [row(f"after {WAIT_MS} ms", waits, "standard", jobs, given.rounds) for jobs in (1, 2, 4)]
    sentences = [
        f"Medians of {given.rounds} runs with --seed {SEED}.",
        "In process: suite and server in one process on one core, without a socket, once both are imported, each time with the "
        "next seed; what the server uses counts too.",
        "Over a socket: the suite on one core (with jobs: on both), the server on the other. "
        "`seconds` include the start of the suite, which a short run feels most; "
        "peak memory is the largest sum seen over the suite's processes.",
        "Several jobs spare waiting, not work, so they are measured on a server that waits before it answers.",
        "Repeat with `python -m benchmarks check`.",
    ]
    head = ["in process", "exchanges", "seconds", "exchanges/s"]
    more = ["answers", "profile", "jobs", *head[1:], "CPU ms of the suite an exchange", "of one core", "peak MB"]
    report.write(given.out, "The suite's own speed", sentences, report.table(head, alone), report.table(more, served))


def row_in_process(profile: str, rounds: int) -> list[str]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        runs = pool.apply(check_in_process, (profile, rounds))
    exchanges, seconds = (median(each) for each in zip(*runs, strict=True))
    return [profile, f"{exchanges:,.0f}", f"{seconds:.2f}", f"{exchanges / seconds:,.0f}"]


def check_in_process(profile: str, rounds: int) -> list[tuple[int, float]]:
    """Exchanges and seconds of each run but the first, which imports what the others find there; each has another seed."""
    from contract_tests.contract_run import ContractRun
    from contract_tests.settings import Settings
    from mockserver import create_app

    os.sched_setaffinity(0, {LOAD_CORE})
    go_first()
    runs = []
    for seed in range(SEED, SEED + rounds + 1):
        began = time.perf_counter()
        settings = Settings(url=f"http://127.0.0.1{MODEL_PATH}", seed=seed, profile=profile)
        run = ContractRun(settings, transport=httpx.WSGITransport(app=create_app()))
        run.complete()
        runs.append((int(run.finish()["spent"]["requests"]), time.perf_counter() - began))
    return runs[1:]


def row(answers: str, kind: Kind, profile: str, jobs: int, rounds: int) -> list[str]:
    runs = []
    for _ in range(rounds):
        with running(kind) as server:
            runs.append(check(server, profile, jobs))
    cost = median(run.cpu / run.exchanges for run in runs)
    return [
        answers,
        profile,
        str(jobs),
        f"{median(run.exchanges for run in runs):,.0f}",
        f"{median(run.seconds for run in runs):.1f}",
        f"{median(run.exchanges / run.seconds for run in runs):,.0f}",
        f"{cost * 1000:.2f}",
        f"{1 / cost:,.0f}",
        f"{max(run.peak_mb for run in runs):.0f}",
    ]


def check(server: Server, profile: str, jobs: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        options = ["--profile", profile, "--seed", str(SEED), "--json", str(results), "--jobs", str(jobs)]
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
