"""httpx requests, sync and async, answered by the app in this process. Opens no socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from flask import Flask


@contextmanager
def _as_on_the_wire() -> Iterator[None]:
    """What httpx says when a server drops a connection, for what the app raises to have it dropped."""
    try:
        yield
    except ConnectionResetError as error:
        raise httpx.ReadError(str(error)) from error
    except ConnectionError as error:
        raise httpx.RemoteProtocolError(str(error)) from error


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that both kinds of client can read piece by piece."""

    def __init__(self, body: httpx.SyncByteStream) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        with _as_on_the_wire():
            yield from self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self._body.close()

    async def aclose(self) -> None:
        self._body.close()


def answer_in_process(app: Flask) -> Callable[[httpx.Request], httpx.Response]:
    """What answers a request with the app, for ``respx`` (``side_effect``) or ``httpx.MockTransport``."""
    transport = httpx.WSGITransport(app=app)

    def answer(request: httpx.Request) -> httpx.Response:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        with _as_on_the_wire():
            response = transport.handle_request(copy)
        assert isinstance(response.stream, httpx.SyncByteStream)
        return httpx.Response(response.status_code, headers=response.headers, stream=_Pieces(response.stream))

    return answer
