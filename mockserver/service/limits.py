"""How often one client may ask: Flask-Limiter around the routes that generate, counting by address."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flask import Flask, Response
from flask_limiter import Limiter, RateLimitExceeded
from flask_limiter.util import get_remote_address
from limits import parse_many

from mockserver.config import ConfigError


def check_rate(rate: str) -> None:
    """Raises ConfigError for what is no rate."""
    try:
        parse_many(rate)
    except ValueError:
        raise ConfigError(f"{rate!r} is no rate: write one such as 60/minute, or several such as 5/second;1000/day") from None


def limit_routes(
    app: Flask, rate: str, endpoints: Iterable[str], refuse: Callable[[int], Response], *, state: str | None = None
) -> None:
    """Let each client ask the ``endpoints``, taken together, no more often than ``rate``; ``refuse`` tells it in how many seconds again.

    Raises ConfigError for a bad rate. Where the Redis at ``state`` is down, each process counts for itself.
    """
    check_rate(rate)
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri=state or "memory://",
        in_memory_fallback=[rate] if state else [],
        in_memory_fallback_enabled=state is not None,
    )
    limited = limiter.shared_limit(rate, scope="generate")
    for name in endpoints:
        app.view_functions[name] = limited(app.view_functions[name])  # type: ignore[assignment]  # its types allow a coroutine

    @app.errorhandler(RateLimitExceeded)
    def tell(_: RateLimitExceeded) -> Response:
        broken = limiter.current_limit
        return refuse(max(1, int(broken.reset_at - time.time())) if broken is not None else 1)
