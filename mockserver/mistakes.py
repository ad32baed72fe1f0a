"""How a command ends that cannot do what was asked: one sentence on standard error, and exit code 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


class MistakeError(click.ClickException):
    """The user's mistake, in one sentence."""

    exit_code = 2


class TellingGroup(click.Group):
    """Commands whose options, when they cannot be, are told in one sentence too, where click takes several lines."""

    def make_context(self, *words: Any, **more: Any) -> click.Context:
        with _told_in_a_sentence():
            return super().make_context(*words, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _told_in_a_sentence():
            return super().invoke(ctx)


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise  # click shows the help to who says nothing
    except click.UsageError as error:
        said = re.sub(r"\.? \(?Did you mean (.+?)\?\)?$", r" (did you mean \1?)", error.format_message()).rstrip(".")
        command = error.ctx.command_path if error.ctx else "textgen-mock"
        raise MistakeError(f"{said}: `{command} --help` tells what can be given") from None
