"""Values drawn by Hypothesis under a seed: the same on every machine, and from nothing but what the strategies say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

_drawing = Lock()


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """``count`` different values drawn by Hypothesis under seed ``number``: explored anew with each seed, never from a database."""
    values: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        if value not in values:
            values.append(value)

    with _nobodys_constants():
        collect()
    return values


@contextmanager
def _nobodys_constants() -> Iterator[None]:
    """Hypothesis draws strings and numbers that it finds in the modules of whoever runs it.

    They could be passwords, and would be sent to the endpoint; and the same seed would draw otherwise where other modules are loaded.
    """
    nothing = Constants()
    instead = {"_get_local_constants": lambda: nothing, "CONSTANTS_CACHE": {}}
    with _drawing:  # what stands there is for all threads
        before = {name: getattr(providers, name) for name in instead}
        for name, value in instead.items():
            setattr(providers, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(providers, name, value)
