"""``textgen-contract load``: starts Locust as a process of its own, and makes the result of what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contract_tests.contract_run import selected
from contract_tests.errors import RunError, UnreachableError, UsageError
from contract_tests.evidence import Evidence
from contract_tests.load.order import OUTCOME, VARIABLE, Order
from contract_tests.load.outcome import NOT_UNDER_LOAD, add
from contract_tests.report.result import Spent, make_result

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_TIMEOUT = 10
"""Seconds that open requests are given to end at the end of a load."""

MOST_SPAWNED = 100
"""Users that start in one second; beyond that Locust warns."""


def split_words(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The address among the words of the command line, and what is for Locust."""
    if words and not words[0].startswith("-"):
        return words[0], tuple(words[1:])
    place = next((place for place, word in enumerate(words) if word.startswith(("http://", "https://"))), None)
    return (None, tuple(words)) if place is None else (words[place], (*words[:place], *words[place + 1 :]))


def check_installed() -> None:
    """Raises UsageError."""
    if find_spec("locust") is None:
        raise UsageError("`load` needs Locust: pip install 'textgen-contract[load]'")


def locust_command(url: str | None, order: Order, duration: float, role: str | None, passed: Sequence[str]) -> list[str]:
    """The command line of Locust. ``role`` is master, worker or None; ``passed`` counts for more than what we say."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--skip-log-setup"]  # only warnings, plain
    if role == "worker":
        return [*command, "--worker", *passed]
    said = {
        "--host": url or "",
        "--users": str(order.users),
        "--spawn-rate": str(min(order.users, MOST_SPAWNED)),
        "--run-time": f"{max(1, round(duration))}s",
        "--stop-timeout": str(STOP_TIMEOUT),
    }
    return [*command, "--headless", *(word for pair in said.items() for word in pair), *(["--master"] if role else []), *passed]


def run_locust(command: Sequence[str], order: Order, *, show: bool) -> dict[str, Any]:
    """Run Locust to its end; what it has left, which is nothing from a worker. Raises RunError, UsageError when it does not run."""
    with tempfile.TemporaryDirectory(prefix="textgen-contract-") as folder:
        file = Path(folder) / "outcome.json"
        told = {**os.environ, VARIABLE: order.to_json(), OUTCOME: str(file)}
        with (
            subprocess.Popen(  # noqa: S603 (our own interpreter)
                command,
                env=told,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                process_group=0,  # Ctrl-C comes from us, once
            ) as child,
            _passing_signals(child),
            Progress(TextColumn("load"), TimeElapsedColumn(), transient=True, disable=not show) as progress,
        ):
            progress.add_task("load", total=None)
            assert child.stderr is not None
            complaint = _relay(child.stderr)
        if complaint:
            raise UsageError(f"Locust does not take that: {complaint}.")
        if file.exists():
            outcome: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return outcome
        if child.returncode == 0:
            return {}
        raise RunError(f"Locust ended with {child.returncode} before it had anything to tell: what it said stands above.")


def _relay(lines: Iterable[str]) -> str:
    """Pass on what Locust says, but of a complaint about its options keep the sentence, which is returned."""
    complaint = ""
    for line in lines:
        _, error, sentence = line.strip().partition(": error: ")
        if error and not complaint:
            complaint = sentence
        elif not complaint and not line.startswith("usage:"):
            sys.stderr.write(line)
    return complaint


@contextmanager
def _passing_signals(child: subprocess.Popen[str]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the load, not us: what it has learnt until then is told."""
    before = {number: signal.signal(number, lambda *_: child.terminate()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def result_of(outcome: dict[str, Any], order: Order, url: str, started: float, *, strict: bool) -> dict[str, Any]:
    """The result of a load, as of any run; with what Locust measured under ``load``. Raises UnreachableError, RunError."""
    if outcome["broken"]:
        raise RunError(f"the suite itself broke under load: {outcome['broken'][0]}")
    figures = outcome["figures"]
    if not figures:
        raise UnreachableError(f"nothing was sent to {url}: did a worker come, and was the duration long enough?")
    evidence = Evidence(selected(order.select, order.dialect))
    add(evidence, outcome["tallies"])
    for id, why in NOT_UNDER_LOAD.items():
        if id in evidence.tallies:
            evidence.tallies[id].skipped = why
    spent = outcome["spent"]
    result = make_result(
        evidence,
        url=url,
        dialect=order.dialect,
        seed=order.seed,
        spent=Spent(spent["requests"], spent["tokens"], time.monotonic() - started),
        strict=strict,
        without=order.without,
        token_env=order.token_env or "",
    )
    load = {"users": order.users, "processes": outcome["processes"], "generated": spent["generated"], "figures": figures}
    return result | {"load": load}


def figures_table(load: dict[str, Any]) -> Table:
    """What Locust measured, for people; milliseconds."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    columns = {
        "count": "count",
        "rate": "per second",
        "failed": "failed",
        "p50": "p50 ms",
        "p90": "p90",
        "p99": "p99",
        "max": "max",
    }
    for title in columns.values():
        table.add_column(title, justify="right")
    for row in load["figures"]:
        table.add_row(row["name"], *(f"{row[name]:g}" if name in row else "" for name in columns))
    return table
