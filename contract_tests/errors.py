"""What ends a run before it can judge. Each message is one sentence that names the thing, shows the value and says what to do."""

from __future__ import annotations


class RunError(Exception):
    """Base of all: ``exit_code`` is what the command and pytest end with."""

    exit_code = 4


class UsageError(RunError):
    """The caller asked for something that cannot be."""

    exit_code = 2


class UnreachableError(RunError):
    """The endpoint could not be reached, or what answers there is no such API."""

    exit_code = 3
