"""How many requests are answered at a time: the others wait for a slot, first come, first served. Knows nothing of requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, get_ident

from mockserver.scenario.pacing import Clock, VirtualClock


class Slots:
    """Safe among threads; a thread that has to wait stands still until a slot is free.

    By a VirtualClock, a thread that holds a slot itself would wait for ever, since nobody else reads its streams: RuntimeError.
    """

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._free = count
        self._holders: list[int] = []
        self._line: deque[object] = deque()
        self._changed = Condition()

    @contextmanager
    def slot(self) -> Iterator[float]:
        """A slot for the length of the block, and the moment at which it was had."""
        me = get_ident()
        self._take(me)
        try:
            yield self._clock.now()
        finally:
            with self._changed:
                self._free += 1
                self._holders.remove(me)
                self._changed.notify_all()

    def _take(self, me: int) -> None:
        ticket = object()
        with self._changed:
            if self._free == 0 and me in self._holders and isinstance(self._clock, VirtualClock):
                raise RuntimeError("no slot is free, and this thread holds one itself: read the stream before this to its end")
            self._line.append(ticket)
            self._changed.wait_for(lambda: self._free > 0 and self._line[0] is ticket)
            self._line.popleft()
            self._free -= 1
            self._holders.append(me)
            self._changed.notify_all()  # there may be a second slot for who is next
