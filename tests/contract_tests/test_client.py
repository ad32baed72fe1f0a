"""The client sends bytes as they are, waits where it is asked to, and turns every failure into an Exchange."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from contract_tests import client as client_module
from contract_tests.budget import Budget, BudgetSpent
from contract_tests.client import Client, asked_to_wait, was_given_up
from contract_tests.exchange import Case, Chunk, Exchange, to_json

URL = "http://endpoint.test/models/a/b"


def client(handler: Callable[[httpx.Request], httpx.Response], **keywords: object) -> Client:
    return Client(URL, transport=httpx.MockTransport(handler), **keywords)  # type: ignore[arg-type]  # keywords by name


def ask(endpoint: Client) -> Exchange:
    with closing(endpoint):
        return endpoint.send(Case.of({}))


def ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"generated_text": "x"})


def test_the_body_is_sent_byte_by_byte() -> None:
    sent: list[bytes] = []
    client(lambda request: sent.append(request.content) or ok(request)).send(Case(body=b'{"inputs": "\xff"'))

    assert sent == [b'{"inputs": "\xff"']


def test_the_url_is_posted_to_verbatim() -> None:
    seen: list[httpx.Request] = []
    client(lambda request: seen.append(request) or ok(request)).send(Case.of({}))

    assert (seen[0].method, str(seen[0].url)) == ("POST", URL)


def test_the_token_is_sent_and_kept_out_of_the_exchange() -> None:
    seen: list[str] = []
    exchange = client(lambda request: seen.append(request.headers["authorization"]) or ok(request), token="hf_secret").send(
        Case.of({})
    )

    assert seen == ["Bearer hf_secret"]
    assert "hf_secret" not in repr(exchange) + to_json(exchange)


def loading() -> httpx.Response:
    return httpx.Response(503, json={"error": "Model a/b is currently loading", "estimated_time": 7.5})


@pytest.mark.parametrize(
    ("url", "token", "sent"),
    [
        ("http://me:p%40ss@mock.test/", "", "Basic bWU6cEBzcw=="),
        ("http://me:p%40ss@mock.test/", "hf_token", "Bearer hf_token"),
        ("http://mock.test/", "", None),
    ],
)
def test_who_stands_in_the_url_is_told_unless_a_token_is(url: str, token: str, sent: str | None) -> None:
    told: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.headers.get("authorization"))
        return httpx.Response(200, json={})

    Client(url, token=token, transport=httpx.MockTransport(answer)).send(Case.of({"inputs": "x"}))

    assert [sent] == told


def test_no_cookie_is_sent_back_and_no_redirect_followed() -> None:
    told: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append((str(request.url), request.headers.get("cookie")))
        return httpx.Response(307, headers={"location": "http://elsewhere.test/", "set-cookie": "a=b"})

    client = Client("http://mock.test/", transport=httpx.MockTransport(answer))

    assert [307, 307] == [client.send(Case.of({"inputs": "x"})).status for _ in range(2)]
    assert [("http://mock.test/", None)] * 2 == told


def test_a_loading_model_is_asked_again_with_the_header_that_waits() -> None:
    asked: list[str | None] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("x-wait-for-model"))
        return ok(request) if asked[-1] else loading()

    endpoint = client(handle)
    exchange = endpoint.send(Case.of({}))

    assert [None, "true"] == asked
    assert 200 == exchange.status
    assert [(503, 200)] == [(told.status, waited.status) for told, waited in endpoint.told_loading()]


def test_a_model_that_does_not_let_wait_is_asked_again_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("contract_tests.budget.time.sleep", slept.append)
    replies = iter([loading(), loading(), loading()])
    exchange = client(lambda request: next(replies, None) or ok(request)).send(Case.of({}))

    assert exchange.status == 200
    assert slept == pytest.approx([7.5, 7.5], abs=0.1)


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {"retry-after": "3"}, b"", 3.0),
        (429, {}, b"", 1.0),
        (503, {"retry-after": "2"}, b"", 2.0),
        (429, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, b"", 0.0),
        (429, {"retry-after": "soon"}, b"", 1.0),
        (503, {"retry-after": "-1"}, b"", None),
        (503, {}, b'{"error": "loading", "estimated_time": -5}', 0.1),
        (503, {}, b'{"error": "loading", "estimated_time": 1' + b"0" * 400 + b"}", None),
        (503, {}, b'{"error": "loading", "estimated_time": 20.0}', 20.0),
        (503, {}, b"Service Unavailable", None),
        (200, {"retry-after": "3"}, b"", None),
    ],
)
def test_what_counts_as_being_asked_to_wait(status: int, headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    exchange = Exchange(Case.of({}), URL, status, tuple(headers.items()), (Chunk(0.0, body),))

    assert seconds == asked_to_wait(exchange)


def test_a_retry_after_is_waited_for_before_the_next_request_of_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr("contract_tests.budget.time.sleep", lambda seconds: done.append(f"slept {seconds:.0f}"))
    replies = iter([httpx.Response(429, headers={"retry-after": "3"})])

    def handle(request: httpx.Request) -> httpx.Response:
        done.append("asked")
        return next(replies, None) or ok(request)

    client(handle).send(Case.of({}))

    assert ["asked", "slept 3", "asked"] == done


def test_a_retry_after_that_is_a_date_is_waited_for() -> None:
    after = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    exchange = Exchange(Case.of({}), URL, 429, (("retry-after", after),))

    assert asked_to_wait(exchange) == pytest.approx(90, abs=5)


def test_a_line_that_broke_once_is_tried_again_and_no_more() -> None:
    asked: list[int] = []

    def handle(_: httpx.Request) -> httpx.Response:
        asked.append(1)
        raise httpx.ReadError("connection reset")

    assert 0 == client(handle).send(Case.of({})).status
    assert 2 == len(asked)


def test_more_patience_than_a_minute_is_not_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract_tests.budget.time.sleep", lambda _: None)
    exchange = client(lambda _: httpx.Response(503, json={"error": "x", "estimated_time": 1e6})).send(Case.of({}))

    assert exchange.status == 503


def test_the_budget_ends_before_a_request_is_sent() -> None:
    asked = client(ok, budget=Budget(max_requests=1))
    asked.send(Case.of({}))

    with pytest.raises(BudgetSpent, match="1 requests"):
        asked.send(Case.of({}))


def test_tokens_are_booked_as_asked() -> None:
    budget = Budget(max_tokens=50)
    client(ok, budget=budget).send(Case.of({"inputs": "x", "parameters": {"max_new_tokens": 20, "best_of": 2}}))

    assert budget.tokens == 40


def test_a_gigantic_body_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LARGEST_BODY", 1000)
    exchange = client(lambda _: httpx.Response(200, content=iter([b"x" * 600] * 9))).send(Case.of({}))

    assert (exchange.failure, len(exchange.content)) == ("the reply is larger than 1000 bytes", 1200)


def test_of_a_gigantic_body_only_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "KEPT_BODY", 700)
    monkeypatch.setattr(client_module, "LARGEST_BODY", 1000)
    exchange = client(lambda _: httpx.Response(200, content=iter([b"x" * 600] * 9))).send(Case.of({}))

    assert (700, 500) == (len(exchange.content), exchange.unkept)


# ---------------------------------------------------------------- over a socket: what a transport in process cannot show
def read_request(connection: socket.socket) -> None:
    """All of it: a socket that is closed with something unread resets the connection, and takes the reply with it."""
    received = connection.recv(65536)
    while received.startswith(b"POST") and not _is_whole(received):
        received += connection.recv(65536)


def _is_whole(request: bytes) -> bool:
    head, gap, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    return bool(gap) and len(body) >= int(length[1] if length else 0)


@contextmanager
def server(reply: bytes, *, hold: bool = False, drip: bytes = b"") -> Iterator[str]:
    """A socket that says ``reply`` to everybody, and then closes, holds the line, or lets ``drip`` fall again and again."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                read_request(connection)
                connection.sendall(reply)
                while drip and not done.wait(0.02):
                    connection.sendall(drip)
                if hold:
                    done.wait(5)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BROKEN = {
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP as it should be"),
    "closed at once": (b"", "not HTTP as it should be"),
    "cut": (HEAD + b'content-length: 99\r\n\r\n{"gen', "not HTTP as it should be"),
    "wrong encoding": (HEAD + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain", "not encoded as its headers say"),
}


@pytest.mark.parametrize(("reply", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_reply_is_a_failure_in_words(reply: bytes, words: str) -> None:
    with server(reply) as url:
        exchange = ask(Client(url))

    assert words in exchange.failure


def test_silence_ends_with_the_time_out() -> None:
    with server(HEAD + b"content-length: 9\r\n\r\n", hold=True) as url:
        exchange = ask(Client(url, timeout=0.2))

    assert exchange.failure == "no data within the time-out"


DRIPS = {
    "a head": (b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n", "no data within the time-out"),
    "a status line": (b"HTTP/1.1 200 ", b"O", "no data within the time-out"),
    "interim replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "no data within the time-out"),
    "a body": (HEAD + b"content-length: 99999\r\n\r\n", b" ", "the reply did not end within 0.2 s"),
    "a stream": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"8\r\ndata: {}\r\n", "the reply did not end within 0.2 s"),
}


@pytest.mark.parametrize(("reply", "drip", "words"), DRIPS.values(), ids=DRIPS)
def test_a_reply_that_drips_for_ever_ends_with_the_time_out(reply: bytes, drip: bytes, words: str) -> None:
    with server(reply, drip=drip) as url:
        exchange = ask(Client(url, timeout=0.2))

    assert words == exchange.failure
    assert was_given_up(exchange)


def test_what_speaks_no_tls_is_told_in_words() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        exchange = ask(Client(url.replace("http:", "https:")))

    assert 0 == exchange.status
    assert exchange.failure.startswith("no connection: [SSL")


def test_nobody_listening_is_a_failure_without_a_status() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    exchange = ask(Client(f"http://127.0.0.1:{port}/"))

    assert exchange.status == 0
    assert exchange.failure.startswith("no connection")
