"""Streams that several clients ask for at once: made once, and given to each at its own pace. Knows no event and no clock.

A stream is shared from its second asking on, so that those that are asked for once are kept nowhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock

from mockserver.messages import Request

MOST_STREAMS = 64
"""Streams that are kept for who asks next; the least recently asked go first."""

MOST_BYTES = 16_000_000
"""Bytes of all of them together, or of the newest alone."""

MOST_SEEN = 4096
"""Requests that are remembered to have been asked once."""


class Shared:
    """One stream: what is made of it is kept, and who reads on makes the next frame. Safe among threads."""

    def __init__(self, frames: Iterator[bytes]) -> None:
        self.size = 0
        self._source = frames
        self._made: list[bytes] = []
        self._lock = Lock()

    def frames(self) -> Iterator[bytes]:
        """All of it, from the first frame on."""
        place = 0
        while place < len(self._made) or self._make(place):
            yield self._made[place]
            place += 1

    def _make(self, place: int) -> bool:
        """Make the frame at ``place`` unless somebody has; False where the stream has ended."""
        with self._lock:
            if place == len(self._made):
                for frame in self._source:
                    self._made.append(frame)
                    self.size += len(frame)
                    break
            return place < len(self._made)


class Streams:
    """The shared streams of one process. Safe among threads."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Request, None] = OrderedDict()
        self._shared: OrderedDict[Request, Shared] = OrderedDict()
        self._lock = Lock()

    def open(self, request: Request, make: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """The frames of ``request``: those of a stream that is on its way or was lately, or new ones by ``make``."""
        asked = replace(request, ignored=(), use_cache=True, wait_for_model=False)
        with self._lock:
            if asked in self._shared:
                self._shared.move_to_end(asked)
            elif asked in self._seen:
                self._shared[asked] = Shared(make())
                self._trim()
            else:
                self._seen[asked] = None
                if len(self._seen) > MOST_SEEN:
                    self._seen.popitem(last=False)
                return make()
            return self._shared[asked].frames()

    def _trim(self) -> None:
        while len(self._shared) > 1 and (
            len(self._shared) > MOST_STREAMS or sum(stream.size for stream in self._shared.values()) > MOST_BYTES
        ):
            self._shared.popitem(last=False)
