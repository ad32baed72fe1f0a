"""Options that several commands share, and the numbers and files that they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

import spec
from contract_tests.errors import UsageError

DIALECT_HELP = "Which server's habits to expect."
F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
LONGEST = 1_000_000
"""Seconds, or requests a second, beyond which a number is a slip."""


class Finite(click.FloatRange):
    """A range that NaN, which is neither below nor above anything, is not in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is no number.", param, ctx)
        return number


ABOVE_ZERO = Finite(min=0, min_open=True, max=LONGEST)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def judging(command: F) -> F:
    """The options of every command that judges."""
    for option in (
        click.option("--strict", is_flag=True, help="Count `should` as failures."),
        click.option("--select", multiple=True, metavar="PREFIX", help="Judge only clauses whose id begins so; repeatable."),
        click.option(
            "--dialect", type=click.Choice(spec.DIALECTS), default=spec.DIALECTS[0], show_default=True, help=DIALECT_HELP
        ),
    ):
        command = option(command)
    return command


def reporting(command: F) -> F:
    """The options that name a report to write."""
    for option in (
        click.option("--markdown", type=FILE, help="Write Markdown, as a CI step summary takes it."),
        click.option("--html", type=FILE, help="Write one self-contained HTML page."),
        click.option("--junit", type=FILE, help="Write JUnit XML, one test case a clause."),
        click.option("--json", type=FILE, help="Write results.json."),
    ):
        command = option(command)
    return command


def apart(**files: Path | None) -> None:
    """UsageError when two options write to one file."""
    named = [(f"--{option.replace('_', '-')}", file.absolute()) for option, file in files.items() if file is not None]
    for place, (option, file) in enumerate(named):
        for other, same in named[:place]:
            if file == same:
                raise UsageError(f"{other} and {option} name the same file, {file}: give each its own.")
