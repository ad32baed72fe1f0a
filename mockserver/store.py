"""What a server remembers from one request to the next, in memory or in a Redis that several workers share.

A Redis that is down costs nothing but what it held: it is said once in a sentence, and memory stands in until it is back.
Knows nothing of what is remembered, but that it is plain data: what lies in Redis is read as such, and never run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from mockserver.config import ConfigError

if TYPE_CHECKING:
    from cachelib import BaseCache
    from redis import Redis

log = logging.getLogger("mockserver")

PREFIX = "textgen-mock/"
"""What our names in Redis begin with."""

PATIENCE = 1.0
"""Seconds that Redis is given to answer."""

PAUSE = 5.0
"""Seconds for which a Redis that failed is left alone."""

SAME: Any = object()
"""What a step gives that changes nothing."""

T = TypeVar("T")


def address_of(url: str) -> str:
    """``url`` without the password that may stand in it, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def answers_now(url: str) -> bool:
    """Whether there is a Redis at ``url`` that answers; False where it may yet, as before it has started.

    Raises ConfigError for what does not mend itself: a name that leads nowhere, a Redis that does not let us in, another server.
    """
    from redis.exceptions import BusyLoadingError

    try:
        client = _connect(url)
        client.ping()
        client.close()
    except Exception as error:
        if isinstance(error, BusyLoadingError) or isinstance(_cause_of(error), (ConnectionRefusedError, TimeoutError)):
            return False
        raise ConfigError(f"the Redis at {address_of(url)} cannot be used ({type(error).__name__}): correct `--state`") from None
    return True


def _cause_of(error: BaseException) -> BaseException:
    """What the operating system said, under what redis made of it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


class Store:
    """The memory of one server: its rooms, and the Redis behind them where it has one."""

    def __init__(self, url: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.shared = url is not None
        self.where = "" if url is None else address_of(url)
        self._redis = None if url is None else _connect(url)
        self._clock = clock
        self._back_at: float | None = None
        self._rooms: dict[str, Room] = {}

    def room(self, name: str, *, most: int = 1000, as_it_is: bool = False) -> Room:
        """What is remembered under ``name``: at most ``most`` things in memory (the oldest go first), or any number in Redis.

        ``as_it_is``: nobody changes what is remembered, and memory need not keep a copy of it.
        """
        return self._rooms.setdefault(name, Room(self, name, most, as_it_is=as_it_is))

    def ask(self, question: Callable[[Redis], T], otherwise: Callable[[], T]) -> T:
        """What Redis answers; what ``otherwise`` does where there is none, or while it is down."""
        if self._redis is None or (self._back_at is not None and self._clock() < self._back_at):
            return otherwise()
        try:
            answer = question(self._redis)
        except Exception as error:  # redis has a tree of errors of its own, and none of them is the client's concern
            self._back_at = self._clock() + PAUSE
            log.warning("Redis at %s does not answer (%s): going on without what it holds", self.where, type(error).__name__)
            return otherwise()
        if self._back_at is not None:
            self._back_at = None
            log.warning("Redis at %s answers again", self.where)
        return answer

    @property
    def answers(self) -> bool:
        """Whether what is remembered can be reached."""
        return not self.shared or self.ask(lambda redis: bool(redis.ping()), lambda: False)


class Room:
    """One kind of things, each under its name. Safe among threads, and among the processes that share it."""

    def __init__(self, store: Store, name: str, most: int, *, as_it_is: bool = False) -> None:
        from cachelib import SimpleCache

        self._store = store
        self._prefix = f"{PREFIX}{name}/"
        self._memory = SimpleCache(threshold=most, default_timeout=0)
        if as_it_is:
            self._memory.serializer = _Same()  # type: ignore[assignment]  # its own pickles
        self._used = store.shared
        self._cache: BaseCache | None = None
        self._lock = threading.RLock()

    def get(self, name: str) -> Any:
        """What is remembered under ``name``, None for nothing."""
        if self._store.shared:
            return self._ask(lambda cache: cache.get(name))
        return self._memory.get(name) if self._used else None

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

    def change(self, name: str, step: Callable[[Any], tuple[Any, T]]) -> T:
        """Take what is remembered under ``name`` on by one step, which nobody sees half done; the step's own result.

        ``step`` is given what is there (None for nothing) and gives what is to be there, or SAME. It may be taken more than once.
        """

        def in_memory() -> T:
            with self._lock:
                self._used = True
                value, result = step(self._memory.get(name))
                if value is not SAME:
                    self._memory.set(name, value)
            return result

        def in_redis(redis: Redis) -> T:
            def attempt(pipe: Any) -> T:
                held = pipe.get(self._prefix + name)
                value, result = step(None if held is None else _PLAIN.loads(held))
                pipe.multi()
                if value is not SAME:
                    pipe.set(self._prefix + name, _PLAIN.dumps(value))
                return result

            transaction: Any = redis.transaction  # its types do not know the result of a callable
            result: T = transaction(attempt, self._prefix + name, value_from_callable=True)
            return result

        return self._store.ask(in_redis, in_memory)

    def forget(self, name: str) -> None:
        self._ask(lambda cache: cache.delete(name))

    def clear(self) -> None:
        self._ask(lambda cache: cache.clear())

    def _ask(self, question: Callable[[BaseCache], Any]) -> Any:
        def in_memory() -> Any:
            with self._lock:  # cachelib counts in two steps
                self._used = True
                return question(self._memory)

        return self._store.ask(lambda redis: question(self._in(redis)), in_memory)

    def _in(self, redis: Redis) -> BaseCache:
        if self._cache is None:
            from cachelib import RedisCache

            cache = RedisCache(redis, default_timeout=0, key_prefix=self._prefix)
            cache.serializer = _PLAIN  # type: ignore[assignment]  # its own would run what it reads
            self._cache = cache
        return self._cache


class _Same:
    """Values as they are."""

    def dumps(self, value: Any) -> Any:
        return value

    def loads(self, value: Any) -> Any:
        return value


class _Plain:
    """Plain data to bytes and back; integers as Redis counts them."""

    def dumps(self, value: Any) -> bytes:
        import msgspec

        return b"%d" % value if type(value) is int else b"=" + msgspec.msgpack.encode(value)

    def loads(self, data: bytes | None) -> Any:
        import msgspec

        if data is None:
            return None
        return msgspec.msgpack.decode(data[1:]) if data.startswith(b"=") else int(data)


_PLAIN = _Plain()


def _connect(url: str) -> Redis:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # once more: a connection that was open when Redis restarted fails, and the next one does not
    once_more = Retry(NoBackoff(), 1)
    return redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE, retry=once_more)
