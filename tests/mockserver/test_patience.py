"""A connection that stands still is shut down, and no other."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from mockserver.patience import Patience, Wait, cut_requests, shut_down_connections

PEER = ("127.0.0.1", "5000")


class Late:
    """A Patience by a clock that is set by hand; ``peers`` are those that it has shut down."""

    def __init__(self, app: Any) -> None:
        self.now = 0.0
        self.peers: list[set[tuple[str, str]]] = []
        self.patience = Patience(
            10.0, clock=lambda: self.now, shut_down=lambda late: self.peers.append({wait.peer for wait in late})
        )
        self.app = self.patience.over(app)

    def ask(self, body: Any = None) -> Iterable[bytes]:
        environ = {"REMOTE_ADDR": PEER[0], "REMOTE_PORT": int(PEER[1]), "wsgi.input": body}
        return self.app(environ | ({"CONTENT_LENGTH": "5"} if body is not None else {}), lambda *_: None)

    def look_after(self, seconds: float) -> None:
        self.now += seconds
        self.patience.look()


class Drip(io.RawIOBase):
    """A body of which each byte takes four seconds."""

    def __init__(self, late: Late) -> None:
        self.late = late

    def read(self, _: int = -1) -> bytes:
        self.late.look_after(4.0)
        return b"x"


def read_all(environ: dict[str, Any], _: Any) -> list[bytes]:
    return [environ["wsgi.input"].read(1) for _ in range(5)]


def test_a_body_that_drips_is_cut_off_when_all_of_it_takes_too_long() -> None:
    late = Late(read_all)
    late.ask(Drip(late))

    assert {PEER} in late.peers


def test_a_body_that_comes_in_time_is_not() -> None:
    late = Late(read_all)
    late.ask(io.BytesIO(b"12345"))
    late.look_after(100.0)

    assert [] == late.peers


def test_an_answer_that_nobody_takes_is_cut_off() -> None:
    late = Late(lambda *_: iter([b"1", b"2"]))
    pieces = iter(late.ask())
    next(pieces)
    late.look_after(11.0)

    assert [{PEER}] == late.peers


def test_an_answer_that_is_long_in_the_making_is_not() -> None:
    def make(*_: Any) -> Iterator[bytes]:
        late.look_after(1000.0)
        yield b"1"
        late.look_after(1000.0)
        yield b"2"

    late = Late(make)

    assert [b"1", b"2"] == [*late.ask()]
    assert [] == late.peers


def test_an_answer_that_ended_is_looked_after_no_more() -> None:
    late = Late(lambda *_: iter([b"1"]))
    pieces: Any = late.ask()
    next(pieces)
    pieces.close()
    late.look_after(100.0)

    assert [] == late.peers


def test_only_the_connection_of_the_peer_is_shut_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients = [socket.create_connection(listener.getsockname(), timeout=20) for _ in range(2)]
        served = [listener.accept()[0] for _ in range(2)]
        host, port = clients[0].getsockname()
        shut_down_connections([Wait((host, str(port)))])
        served[1].sendall(b"still here")

        assert (b"", b"still here") == (clients[0].recv(100), clients[1].recv(100))
        for connection in (*clients, *served):
            connection.close()


@pytest.mark.parametrize("peers", [[], [("", "")], [("127.0.0.1", "1")]])
def test_an_unknown_peer_costs_nobody_a_connection(peers: list[tuple[str, str]]) -> None:
    one, other = socket.socketpair()
    with one, other:
        shut_down_connections(map(Wait, peers))
        one.sendall(b"x")

        assert b"x" == other.recv(1)


class Held:
    """A body that comes when it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def read(self, _: int = -1) -> bytes:
        self.asked.set()
        assert self.let_go.wait(20)
        return b""


class Proto:
    """What granian hands to the caller of an app; ``answers`` are those that were given past the app."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []

    def response_iter(self, status: int, _: Any, pieces: Any) -> None:
        self.answers.append((status, pieces))


def test_only_the_request_that_takes_too_long_is_cut() -> None:
    now = 0.0
    patience = Patience(10.0, clock=lambda: now, shut_down=cut_requests, answers=False)
    app = patience.over(read_all)
    bodies, protos = [Held(), Held()], [Proto(), Proto()]

    def run(proto: Proto, body: Held) -> None:  # noqa: ARG001 (looked for among the callers of the app, where granian has it)
        app({"CONTENT_LENGTH": "5", "wsgi.input": body}, lambda *_: None)  # type: ignore[arg-type]

    threads = [threading.Thread(target=run, args=pair) for pair in zip(protos, bodies, strict=True)]
    for thread, body in zip(threads, bodies, strict=True):
        thread.start()
        assert body.asked.wait(20)
        now += 6.0
    patience.look()
    for thread, body in zip(threads, bodies, strict=True):
        body.let_go.set()
        thread.join(20)

    assert [[408], []] == [[status for status, _ in proto.answers] for proto in protos]
    with pytest.raises(ConnectionAbortedError):
        next(protos[0].answers[0][1])


def test_who_waits_without_granian_is_left_alone() -> None:
    cut_requests([Wait(PEER)])
