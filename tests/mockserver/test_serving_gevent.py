"""Replies in turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("gevent")
pytest.importorskip("gunicorn")

import gevent

from mockserver.serving_gevent import PIECES, InTurns


def test_a_long_stream_lets_a_short_one_through() -> None:
    order: list[str] = []

    def app(environ: dict[str, str], _: object) -> Iterator[bytes]:
        name = environ["name"]
        for _piece in range(3 * PIECES if name == "long" else 1):
            order.append(name)
            yield b"x"

    served = InTurns(app)  # type: ignore[arg-type]
    read = lambda name: [*served({"name": name}, None)]  # type: ignore[arg-type]  # noqa: E731
    gevent.joinall([gevent.spawn(read, "long"), gevent.spawn(read, "short")], raise_error=True)

    assert order.index("short") < 2 * PIECES
    assert 3 * PIECES == order.count("long")


def test_a_reader_that_leaves_closes_the_stream() -> None:
    closed: list[bool] = []

    def app(_environ: object, _start: object) -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    reader = iter(InTurns(app)({}, None))  # type: ignore[arg-type]
    next(reader)
    reader.close()  # type: ignore[attr-defined]

    assert [True] == closed
