"""What every benchmark writes: a Markdown page that says on what it was measured, and when. Measures nothing."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def parser(name: str, doc: str, *, rounds: int = 5, seconds: float = 3.0) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    options = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=doc)
    options.add_argument("--rounds", type=int, default=rounds, help="rounds, in each of which every server has its turn")
    options.add_argument("--seconds", type=float, default=seconds, help="how long a turn lasts")
    options.add_argument("--out", type=Path, default=RESULTS / f"{name}.md", help="the file to write")
    return options


def write(out: Path, title: str, sentences: Iterable[str], *tables: Iterable[str]) -> None:
    """The page, on standard output and in ``out``."""
    text = "\n".join([f"# {title}", "", *machine(), *sentences, *(line for table in tables for line in ("", *table))]) + "\n"
    print(text)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table, numbers on the right.

    >>> table(["server", "rate"], [["ours", "7"]])
    ['| server | rate |', '|---|---:|', '| ours | 7 |']
    """
    line = "| {} |".format
    return [
        line(" | ".join(head)),
        "|---|" + "---:|" * (len(head) - 1),
        *(line(" | ".join(str(cell) for cell in row)) for row in rows),
    ]


def machine(*packages: str) -> list[str]:
    """What was measured on what, and when."""
    shown = ("flask", "werkzeug", "granian", "gunicorn", "gevent", "numpy", "tokenizers", *packages)
    versions = ", ".join(f"{name} {version(name)}" for name in shown)
    day = datetime.now(UTC).date().isoformat()
    return [f"{day}, {processor()}, {platform.system()}, Python {platform.python_version()}, {versions}."]


def processor() -> str:
    """The processor's name and the number of its cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()
