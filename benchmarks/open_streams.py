"""Many streams held open by one small asyncio client, which notes when each event arrives. Judges nothing."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from benchmarks.servers import LOAD_CORE, go_first

AT_A_TIME = 50
"""Connections that are opened at once."""

PATIENCE = 20.0
"""Seconds that all streams are given to begin, or to end."""


@dataclass(slots=True)
class Seen:
    """What was seen of all streams while the window was open."""

    seconds: float = 0.0
    stream_seconds: float = 0.0
    """Of all streams together, as a text may end by itself."""
    held: int = 0
    ended: int = 0
    failed: int = 0
    events: int = 0
    together: int = 0
    gaps: list[float] = field(default_factory=list)
    to_first: list[float] = field(default_factory=list)

    def gap_ms(self, share: float) -> float:
        """The gap that ``share`` of all gaps do not exceed; events that come together have none between them."""
        found = sorted(self.gaps)
        return found[min(len(found) - 1, int(share * len(found)))] * 1000 if found else float("nan")


class _Stream(asyncio.Protocol):
    """One connection, and one stream on it."""

    def __init__(self, request: bytes, seen: Seen, is_open: Callable[[], bool]) -> None:
        self._request, self._seen, self._is_open = request, seen, is_open
        self._now = asyncio.get_running_loop().time
        self._last = 0.0
        self.live = False
        self.ended = math.inf
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._began = self._now()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now, seen = self._now(), self._seen
        count = data.count(b"data: ")
        if count and not self.live:
            self.live = True
            seen.to_first.append(now - self._began)
        elif count and self._is_open():
            seen.events += count
            seen.together += count - 1
            seen.gaps.append(now - self._last)
            seen.gaps.extend([0.0] * (count - 1))
        if count:
            self._last = now
        if data.endswith(b"0\r\n\r\n"):
            self.live, self.ended = False, now
            seen.ended += 1

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the base class's)
        if self.ended == math.inf and self._is_open():
            self._seen.failed += 1
        self.live = False


def hold(port: int, path: str, bodies: list[bytes], *, window: float, at_each_end: Callable[[], None]) -> Seen:
    """Open one stream for each of ``bodies``, wait until all give tokens, then watch for ``window`` seconds.

    ``at_each_end`` is called as the window opens and as it closes. Then all connections are broken off.
    """
    return _on_load_core(_hold(port, path, bodies, window, at_each_end))


def let_end(port: int, path: str, bodies: list[bytes], *, once_open: Callable[[], None]) -> Seen:
    """Open the streams, call ``once_open`` when all give tokens, and wait until each has ended or was cut."""
    return _on_load_core(_let_end(port, path, bodies, once_open))


def _on_load_core(work: Coroutine[None, None, Seen]) -> Seen:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    go_first()
    try:
        return asyncio.run(work)
    finally:
        os.sched_setaffinity(0, before)


async def _hold(port: int, path: str, bodies: list[bytes], window: float, at_each_end: Callable[[], None]) -> Seen:
    seen, watching = Seen(seconds=window), False
    streams = await _open(port, path, bodies, seen, lambda: watching)
    await asyncio.sleep(1.0)
    at_each_end()
    opened, watching = asyncio.get_running_loop().time(), True
    await asyncio.sleep(window)
    watching = False
    at_each_end()
    seen.stream_seconds = sum(max(0.0, min(window, stream.ended - opened)) for stream in streams)
    seen.held = sum(stream.live for stream in streams)
    for stream in streams:
        if stream.transport is not None:
            stream.transport.abort()
    await asyncio.sleep(0.1)
    return seen


async def _let_end(port: int, path: str, bodies: list[bytes], once_open: Callable[[], None]) -> Seen:
    seen = Seen()
    streams = await _open(port, path, bodies, seen, lambda: True)
    seen.held = sum(stream.live for stream in streams)
    once_open()
    await _until(lambda: not any(stream.live for stream in streams))
    return seen


async def _open(port: int, path: str, bodies: list[bytes], seen: Seen, is_open: Callable[[], bool]) -> list[_Stream]:
    loop = asyncio.get_running_loop()
    streams: list[_Stream] = []
    for start in range(0, len(bodies), AT_A_TIME):
        some = [_Stream(request(path, body), seen, is_open) for body in bodies[start : start + AT_A_TIME]]
        await asyncio.gather(*(loop.create_connection(lambda stream=stream: stream, "127.0.0.1", port) for stream in some))
        streams += some
        await asyncio.sleep(0.02)
    await _until(lambda: all(stream.live for stream in streams))
    return streams


async def _until(happened: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not happened() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)


def request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
