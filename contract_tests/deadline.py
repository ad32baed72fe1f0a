"""A transport on which a whole exchange ends within its time, however slowly the server drips: head, body and TLS handshake alike.

httpx's own time-outs are for one read each, so that a byte now and then would keep a reply open for ever.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

SocketOptions = Iterable[Any] | None
KEEPALIVE = 2.0
"""Seconds after which an idle connection is not used again: less than any known server keeps one open."""


class _Deadline(threading.local):
    at = float("inf")

    def rest(self, timeout: float | None) -> float | None:
        """``timeout``, or what is left; httpcore.ReadTimeout when nothing is."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for the whole exchange is over")
        return left if timeout is None else min(timeout, left)


_DEADLINE = _Deadline()


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """What is sent and read on this thread inside the block takes no longer."""
    _DEADLINE.at = time.monotonic() + seconds
    try:
        yield
    finally:
        _DEADLINE.at = float("inf")


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _DEADLINE.rest(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _DEADLINE.rest(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _DEADLINE.rest(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._sockets.connect_tcp(host, port, _DEADLINE.rest(timeout), local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """HTTP/1.1 over sockets that know the deadline; no proxy and no certificates from the environment."""

    def __init__(self, *, connections: int, context: ssl.SSLContext | None = None) -> None:
        context = context or httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        # httpx offers no way to give its pool another backend; everything else of its transport stays as it is
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEPALIVE,
            network_backend=_Backend(),
        )
