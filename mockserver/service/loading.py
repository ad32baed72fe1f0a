"""Which models are ready: with ``seconds`` to load, one starts at its first request. Waits with the clock that it is given."""

from __future__ import annotations

from collections.abc import Callable

from mockserver.errors import ModelLoadingError
from mockserver.store import Room

GLANCE = 0.25
"""Seconds after which a request that waits looks again: the model may have been loaded or evicted from outside."""

LOADED = -1.0
"""Remembered in place of a start for a model that is loaded whatever the clock says."""


class Loading:
    """The state of each model. ``seconds`` 0: all are always ready.

    Where the state is shared the clock must be one that all workers share; one that is set back makes a model load anew at most.
    """

    def __init__(self, seconds: float, state: Room, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._state = state
        self._clock = clock
        self._sleep = sleep

    def check(self, model: str, *, wait: bool) -> None:
        """Let a request for ``model`` through once the model is ready, or raise ModelLoadingError.

        Statements headers.wait-for-model.503 and headers.wait-for-model.waits.
        """
        while left := self._left(model):
            if not wait:
                raise ModelLoadingError(model, left)
            self._sleep(min(left, GLANCE))

    def state(self, model: str) -> str:
        """cold, loading or loaded; asking starts nothing."""
        if not self._seconds:
            return "loaded"
        started = self._state.get(model)
        if started is None:
            return "cold"
        return "loading" if self._since(started) else "loaded"

    def evict(self, model: str) -> None:
        """``model`` is cold: its next request starts loading it."""
        self._state.forget(model)

    def load(self, model: str) -> None:
        """``model`` is loaded at once."""
        self._state.put(model, LOADED)

    def _left(self, model: str) -> float:
        """Seconds until ``model`` is ready; the first to ask starts it."""
        if not self._seconds:
            return 0.0
        started = self._state.put_first(model, self._clock())
        return self._since(self._clock() if started is None else started)

    def _since(self, started: float) -> float:
        if started == LOADED:
            return 0.0
        return min(self._seconds, max(0.0, started + self._seconds - self._clock()))
