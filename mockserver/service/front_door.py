"""The front door of the hosted service, in the order in which a request passes it: token, loading model, kept reply, new draw.

Knows no wire and generates nothing: what answers is handed to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from mockserver.config import Config
from mockserver.messages import Reply, Request
from mockserver.release import distribution_version
from mockserver.service.authorization import check_authorization
from mockserver.service.cache import BUCKETS, MOST, ReplyCache
from mockserver.service.loading import Loading
from mockserver.store import Store

Generate = Callable[[Request], Reply]


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> float: ...

    def time(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class FrontDoor:
    """One server's."""

    def __init__(self, config: Config, clock: Clock, store: Store) -> None:
        self._tokens = config.tokens
        self._switches = config.switches
        # a clock that several processes share, where they share what it is compared with
        self.loading = Loading(config.cold, store.room("models"), clock=clock.time if store.shared else clock.now, sleep=clock.sleep)
        self.cache = ReplyCache(
            _identity(config),
            store.room("replies", most=MOST, as_it_is=True),
            store.room("draws", most=2 * BUCKETS),
            whole=self._switches.whole_cached_streams,
        )

    def admit(self, authorization: str | None) -> None:
        """Raises UnauthorizedError."""
        check_authorization(authorization, self._tokens, colon_after_bearer=self._switches.colon_after_bearer)

    def wait(self, request: Request) -> None:
        """Let a request through when its model is ready. Raises ModelLoadingError."""
        if self._switches.front_door:
            self.loading.check(request.model, wait=request.wait_for_model)

    def key(self, request: Request, form: str) -> str:
        """The name of the reply to ``request``; ``form`` is what it depends on beside the request."""
        return self.cache.key(request, form)

    def answer(self, request: Request, generate: Generate, *, key: str, kept: bool = True) -> Reply:
        """What ``generate`` answers to a new query, or what it answered to the same one before; ``key`` is the request's own.

        Statements headers.use-cache.type and headers.use-cache.new-query.
        ``kept`` False: what was arranged for this request is not to be kept, nor passed over for what was.
        """
        if not self._switches.front_door:
            return generate(replace(request, draw=self.cache.next_draw(key) - 1))
        if not request.use_cache:
            return generate(replace(request, draw=self.cache.next_draw(key)))
        if not kept:
            return generate(request)
        return self.cache.find(key) or self.cache.keep(key, generate(request))


def _identity(config: Config) -> str:
    """What a reply depends on beside the request; not where the server listens, nor how many processes it has."""
    apart = replace(config, host="", port=0, workers=1, server="granian", max_concurrent_requests=1, rate_limit=None, cold=0.0)
    return f"{distribution_version()} {apart}"
