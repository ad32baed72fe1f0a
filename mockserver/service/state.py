"""What a server remembers from one request to the next, in memory or in a Redis that several workers share.

A Redis that is down costs nothing but what it held: it is said once in a sentence, and memory stands in until it is back.
Never raises, and knows nothing of what is remembered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cachelib import BaseCache

log = logging.getLogger("mockserver")

PATIENCE = 1.0
"""Seconds that Redis is given to answer."""

PAUSE = 5.0
"""Seconds for which a Redis that failed is left alone."""


def address_of(url: str) -> str:
    """``url`` without the password that may stand in it, for messages."""
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{host}{parts.path}"


class State:
    """One room's memory: at most ``most`` names in memory (the oldest go first), or any number in Redis under ``room``."""

    def __init__(
        self, room: str, *, most: int = 1000, url: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from cachelib import SimpleCache

        self.shared = url is not None
        self._memory = SimpleCache(threshold=most, default_timeout=0)
        self._redis = None if url is None else _open_redis(url, room)
        self._where = "" if url is None else address_of(url)
        self._clock = clock
        self._back_at = -float("inf")
        self._lock = threading.RLock()

    def get(self, name: str) -> Any:
        """What is remembered under ``name``, None for nothing."""
        return self._ask(lambda cache: cache.get(name))

    def put(self, name: str, value: Any) -> None:
        self._ask(lambda cache: cache.set(name, value))

    def put_first(self, name: str, value: Any) -> Any:
        """``value`` unless another was there first: what is remembered from now on."""

        def settle(cache: BaseCache) -> Any:
            return value if cache.add(name, value) else cache.get(name)

        return self._ask(settle)

    def count(self, name: str) -> int:
        """How often ``name`` was counted, this time included."""
        return int(self._ask(lambda cache: cache.inc(name)) or 1)

    def forget(self, name: str) -> None:
        self._ask(lambda cache: cache.delete(name))

    def clear(self) -> None:
        self._ask(lambda cache: cache.clear())

    def _ask(self, question: Callable[[BaseCache], Any]) -> Any:
        if self._redis is not None and self._clock() >= self._back_at:
            try:
                return question(self._redis)
            except Exception as error:  # redis has a tree of errors of its own, and none of them is the client's concern
                self._back_at = self._clock() + PAUSE
                log.warning("Redis at %s does not answer (%s): going on without what it holds", self._where, type(error).__name__)
        with self._lock:  # cachelib counts in two steps
            return question(self._memory)


def _open_redis(url: str, room: str) -> BaseCache:
    import redis
    from cachelib import RedisCache

    client = redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    return RedisCache(client, default_timeout=0, key_prefix=f"textgen-mock/{room}/")
