"""How a command ends that cannot do what was asked: one sentence on standard error, and the exit code for whose fault it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from contract_tests.errors import RunError
from spec.secrets import Masker


class TellingGroup(click.Group):
    """Commands that end so, whatever ends them: a slip in their options as well as a run that cannot be."""

    def make_context(self, *words: Any, **more: Any) -> click.Context:
        with telling_errors():
            return super().make_context(*words, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with telling_errors():
            return super().invoke(ctx)


@contextmanager
def telling_errors() -> Iterator[None]:
    try:
        yield
    except (click.exceptions.NoArgsIsHelpError, BrokenPipeError):
        raise  # click shows the help to who says nothing, and nothing to who listens no more
    except click.UsageError as error:
        _end(usage_sentence(error), error.exit_code)
    except RunError as error:
        _end(str(error), error.exit_code)
    except OSError as error:
        _end(f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror or error), 2)


def _end(sentence: str, code: int) -> None:
    click.echo(f"textgen-contract: {Masker().text(sentence)}", err=True)
    sys.exit(code)


def usage_sentence(error: click.UsageError) -> str:
    """What click says in several lines, in one sentence, with where to read on."""
    said = re.sub(r"\.? \(?Did you mean (.+?)\?\)?$", r" (did you mean \1?)", error.format_message()).rstrip(".")
    return f"{said}: `{error.ctx.command_path if error.ctx else 'textgen-contract'} --help` tells what can be given."
