"""All named faults, and how a name finds its fault. What each does stands in the tables that this gathers."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import spec
from mockserver.config import ConfigError
from mockserver.scenario.dialect_faults import DIALECT_FAULTS
from mockserver.scenario.error_faults import ERROR_FAULTS
from mockserver.scenario.network_faults import NETWORK_FAULTS
from mockserver.scenario.parameter_faults import PARAMETER_FAULTS
from mockserver.scenario.reply_faults import REPLY_FAULTS
from mockserver.scenario.sampling_faults import SAMPLING_FAULTS
from mockserver.scenario.seams import Fault
from mockserver.scenario.service_faults import SERVICE_FAULTS
from mockserver.scenario.stream_faults import STREAM_FAULTS
from mockserver.scenario.token_faults import TOKEN_FAULTS
from mockserver.scenario.validation_faults import VALIDATION_FAULTS

FAULTS: tuple[Fault, ...] = (
    *VALIDATION_FAULTS,
    *PARAMETER_FAULTS,
    *SAMPLING_FAULTS,
    *TOKEN_FAULTS,
    *REPLY_FAULTS,
    *STREAM_FAULTS,
    *ERROR_FAULTS,
    *SERVICE_FAULTS,
)
"""Those that break a statement of the contract in its default dialect."""

ALL_FAULTS: tuple[Fault, ...] = (*FAULTS, *DIALECT_FAULTS, *NETWORK_FAULTS)


class UnknownFaultError(ConfigError):
    """A fault name that is not one of ours; the message is one sentence with the nearest names."""


def faults_that_break(level: str) -> tuple[Fault, ...]:
    """Those of ``FAULTS`` whose statement is a ``level``, one of `spec.LEVELS`.

    `textgen-contract check` fails on a fault that breaks a ``must``; of one that breaks a ``should`` it warns, unless told ``--strict``.
    """
    levels = {statement.id: statement.level for statement in spec.statements()}
    return tuple(fault for fault in FAULTS if levels[fault.statement] == level)


def faults_of_dialect(dialect: str) -> tuple[Fault, ...]:
    """Those that break a statement which holds in ``dialect`` and not in the default one."""
    return tuple(fault for fault in DIALECT_FAULTS if dialect in spec.statement(fault.statement).dialects)


def find_faults(names: Iterable[str]) -> tuple[Fault, ...]:
    """The faults called ``names``, in the order of ``ALL_FAULTS``. Raises UnknownFaultError."""
    wanted = set(names)
    for name in sorted(wanted - {fault.name for fault in ALL_FAULTS}):
        near = get_close_matches(name, [fault.name for fault in ALL_FAULTS], n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(near)}?" if near else "`textgen-mock faults` lists them"
        raise UnknownFaultError(f"there is no fault called {name!r}: {hint}")
    return tuple(fault for fault in ALL_FAULTS if fault.name in wanted)
