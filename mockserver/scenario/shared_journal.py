"""The journal of several workers: its entries lie in Redis, under one count, in one order. Judges nothing.

While Redis is away each worker writes down for itself, and counts downwards from -1; what it wrote is forgotten when Redis is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from mockserver.scenario.journal import MOST_BYTES, MOST_REQUESTS, Asked, Journal, masked
from mockserver.store import PREFIX, Store

if TYPE_CHECKING:
    from redis import Redis

COUNT, ENTRIES, BYTES, GONE = (f"{PREFIX}journal/{name}" for name in ("count", "entries", "bytes", "gone"))
"""How many came; each entry by its number; the bytes of all; the highest number that made room."""

_WRITE = """
local number, entry, most, most_bytes = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local before = redis.call('HSTRLEN', KEYS[1], number)
if number <= tonumber(redis.call('GET', KEYS[3]) or 0) or (before == 0 and ARGV[5] == '') then
  return
end
redis.call('HSET', KEYS[1], number, entry)
local bytes = redis.call('INCRBY', KEYS[2], #entry - before)
local size = redis.call('HLEN', KEYS[1])
while size > most or (bytes > most_bytes and size > 1) do
  local oldest = redis.call('INCR', KEYS[3])
  local length = redis.call('HSTRLEN', KEYS[1], oldest)
  if length > 0 then
    redis.call('HDEL', KEYS[1], oldest)
    bytes, size = redis.call('DECRBY', KEYS[2], length), size - 1
  end
end
"""
"""Writes an entry, a new one or one that is still there, and lets the oldest make room."""

_FORGET = """
for index = 1, #ARGV do
  redis.call('DECRBY', KEYS[2], redis.call('HSTRLEN', KEYS[1], ARGV[index]))
  redis.call('HDEL', KEYS[1], ARGV[index])
end
"""


class SharedJournal(Journal):
    """The journal of all workers that share ``store``."""

    def __init__(self, store: Store, *, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(most_requests=most_requests, most_bytes=most_bytes)
        self._store = store
        self._limits = (most_requests, most_bytes)

    def open(self, *, time: float, scope: str, method: str, path: str, headers: Mapping[str, str]) -> Asked:
        number = self._store.ask(lambda redis: int(redis.incr(COUNT)), lambda: 0)
        if not number:
            entry = super().open(time=time, scope=scope, method=method, path=path, headers=headers)
            entry.number = -entry.number
            return entry
        entry = Asked(number=number, time=time, scope=scope, method=method, path=path, headers=masked(headers))
        self._write(entry, new=True)
        return entry

    def keep_body(self, entry: Asked, body: bytes) -> None:
        if entry.number > 0:
            entry.raw_body = body
            self._write(entry)
        else:
            super().keep_body(entry, body)

    def close(self, entry: Asked) -> None:
        if entry.number > 0:
            self._write(entry)

    def _write(self, entry: Asked, *, new: bool = False) -> None:
        told = (entry.number, msgspec.msgpack.encode(entry), *self._limits, "new" if new else "")
        self._store.ask(lambda redis: redis.eval(_WRITE, 3, ENTRIES, BYTES, GONE, *told), lambda: None)

    def entries(self, scope: str | None = None) -> list[Asked]:
        def read(redis: Redis) -> list[Asked]:
            decode = msgspec.msgpack.Decoder(Asked).decode
            held: list[bytes] = redis.hvals(ENTRIES)  # type: ignore[assignment]  # its types allow texts and a coroutine
            found = sorted(map(decode, held), key=lambda entry: entry.number)
            return [entry for entry in found if scope is None or entry.scope == scope]

        inherited = super().entries
        return self._store.ask(read, lambda: inherited(scope))

    def forget(self, scope: str | None = None) -> None:
        super().forget(scope)
        numbers = [entry.number for entry in self.entries(scope)]
        if numbers:
            self._store.ask(lambda redis: redis.eval(_FORGET, 2, ENTRIES, BYTES, *numbers), lambda: None)
