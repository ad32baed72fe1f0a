"""Servers that are strange on the wire, each on a socket of its own: a verdict in the end, within the time-out, and never a crash."""

from __future__ import annotations

import gzip
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import Any

import pytest

from contract_tests.contract_run import ContractRun
from contract_tests.errors import UnreachableError
from contract_tests.settings import Settings

Say = Callable[[Any], Iterable[bytes]]
"""What a server says to a request's JSON value (None for none), in bytes as they go out; nothing: it closes the line."""

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
TOKEN = {"id": 5, "text": " a", "logprob": -0.5, "special": False}
EVENT = b"data: " + json.dumps({"index": 1, "token": TOKEN, "generated_text": None, "details": None}).encode() + b"\n\n"
LAST = b"data: " + json.dumps({"index": 2, "token": TOKEN, "generated_text": " a a", "details": None}).encode() + b"\n\n"


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


PLAIN = whole(b'{"generated_text": " a a"}')


def streams(*parts: bytes, headers: bytes = b"", then: Iterable[bytes] = ()) -> Say:
    """A right plain reply, and this for a stream."""

    def say(payload: Any) -> Iterable[bytes]:
        if isinstance(payload, dict) and payload.get("stream") is True:
            yield STREAM + headers + b"\r\n"
            yield from parts
            yield from then
        else:
            yield PLAIN

    return say


def always(*parts: bytes, then: Iterable[bytes] = ()) -> Say:
    def say(_: Any) -> Iterable[bytes]:
        yield from parts
        yield from then

    return say


def refusing(*parts: bytes) -> Say:
    """A right reply to what is JSON with a text for `inputs`, and this to anything else."""

    def say(payload: Any) -> Iterable[bytes]:
        right = isinstance(payload, dict) and isinstance(payload.get("inputs"), str)
        yield from [PLAIN] if right else parts

    return say


class Hold(bytes):
    """Nothing more is said, and the line is held."""


class Reset(bytes):
    """The line is cut with a reset."""


BOMB = gzip.compress(b" " * 50_000_000)
ODD: dict[str, Say] = {
    "an endless stream": streams(then=repeat(EVENT)),
    "a stream of endless comments": streams(then=repeat(b": still here\n\n")),
    "a stream that is one endless line": streams(b"data: ", then=repeat(b"x" * 9000)),
    "a stream that falls silent": streams(EVENT, Hold()),
    "a silent stream": streams(Hold()),
    "a stream that is reset": streams(EVENT, Reset()),
    "a stream that is cut in a character": streams(b'data: {"token": {"text": "\xc3'),
    "a stream of invalid UTF-8": streams(b"data: \xff\xfe\n\n", LAST),
    "a stream without empty lines": streams(EVENT.strip() + b"\n" + LAST.strip() + b"\n"),
    "a stream with a field that does not exist": streams(b"date: 1\n\n", EVENT, LAST, b"data: [DONE]\n\n"),
    "a stream with a wrong chunk length": streams(b"zz\r\n", headers=b"transfer-encoding: chunked\r\n"),
    "a stream with trailers": streams(
        b"%x\r\n%b\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(LAST), LAST), headers=b"transfer-encoding: chunked\r\n"
    ),
    "a gzipped stream": streams(gzip.compress(EVENT + LAST), headers=b"content-encoding: gzip\r\n"),
    "a gigantic body": always(b"HTTP/1.1 200 OK\r\n\r\n", then=repeat(b'{"generated_text": "' + b"x" * 100_000)),
    "a gzip bomb": always(whole(BOMB, "content-encoding: gzip")),
    "gzip that is none": always(whole(b"plain", "content-encoding: gzip")),
    "an encoding that nobody knows": always(whole(b"{}", "content-encoding: zip")),
    "a right reply, gzipped": always(whole(gzip.compress(b'{"generated_text": "x"}'), "content-encoding: gzip")),
    "a body that is shorter than it says": always(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}"),
    "a body that is longer than it says": always(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"generated_text": "x"}'),
    "a reset in the middle of a body": always(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"gen', Reset()),
    "headers said twice": always(whole(b'{"generated_text": "x"}', "content-type: text/html", "x-a: 1", "x-a: 2")),
    "a header that is no text": always(whole(b'{"generated_text": "x"}').replace(b"content-type", b"x-a: \xfe\r\ncontent-type")),
    "a status without a body": always(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "nothing is new": always(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "a status that nobody knows": always(whole(b"{}", status="799 Odd")),
    "interim replies before the right one": always(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", PLAIN),
    "HTTP/1.0 without a length": always(b'HTTP/1.0 200 OK\r\n\r\n{"generated_text": "x"}'),
    "a line that breaks at each bad request": refusing(),
    "a reset at each bad request": refusing(Reset()),
    "silence at each bad request": refusing(Hold()),
    "a traceback at each bad request": refusing(
        whole(b"Traceback (most recent call last):\n", status="500 Internal Server Error")
    ),
    "lone surrogates": always(whole(b'{"generated_text": "\\ud800", "details": {"tokens": [{"text": "\\udfff"}]}}')),
    "numbers that are none": always(whole(b'{"generated_text": "x", "details": {"seed": NaN, "tokens": [-Infinity]}}')),
    "UTF-16": always(whole('{"generated_text": "x"}'.encode("utf-16"))),
}
NOTHING: dict[str, tuple[Say, str]] = {
    "silence": (always(Hold()), "could not be reached (no data within the time-out)"),
    "a line that breaks": (always(), "could not be reached (not HTTP as it should be"),
    "a reset": (always(Reset()), "could not be reached"),
    "another protocol": (always(b"SSH-2.0-OpenSSH_9.2\r\n"), "could not be reached (not HTTP as it should be"),
    "a head without an end": (always(b"HTTP/1.1 200 OK\r\n", then=repeat(b"x-a: b\r\n")), "could not be reached"),
    "a switch of protocols": (always(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", Hold()), "could not be reached"),
    "a page": (always(whole(b"<!doctype html><title>x</title>")), "answers with an HTML page"),
    "no such path": (always(whole(b"{}", status="404 Not Found")), "is it the address of a model?"),
    "another address": (always(whole(b"", "location: /login", status="307 T")), "redirects to /login"),
    "no token": (always(whole(b'{"error": "token"}', status="401 Unauthorized")), "wants another token"),
    "a limit that lasts": (
        always(whole(b"", "retry-after: 3600", status="429 Too Many Requests")),
        "asks to come back in 3600 s (status 429, an empty body)",
    ),
    "a model that loads for long": (
        always(whole(b'{"error": "loading", "estimated_time": 1809.2}', status="503 Service Unavailable")),
        "asks to come back in 1809 s",
    ),
}


@contextmanager
def serving(say: Say) -> Iterator[str]:
    """The address of a server that says so to everybody."""
    over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                for part in say(_json(self.rfile.read(length))):
                    if isinstance(part, Hold):
                        over.wait(20)
                    if isinstance(part, Reset):
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    self.wfile.write(part)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            over.set()
            server.shutdown()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def check(url: str, **settings: Any) -> dict[str, Any]:
    run = ContractRun(Settings(url=url, seed=1, profile="quick", timeout=0.6, **settings))
    run.complete()
    return run.finish()


@pytest.mark.parametrize("say", ODD.values(), ids=ODD)
def test_an_odd_server_gets_a_verdict(say: Say) -> None:
    with serving(say) as url:
        result = check(url)

    assert [] == [(clause["id"], clause["reason"]) for clause in result["clauses"] if clause["verdict"] == "error"]
    assert "fail" == result["summary"]["verdict"]


@pytest.mark.parametrize(("say", "words"), NOTHING.values(), ids=NOTHING)
def test_what_cannot_be_judged_is_told_in_a_sentence(say: Say, words: str) -> None:
    with serving(say) as url, pytest.raises(UnreachableError) as raised:
        check(url)

    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a silent stream", "an endless stream", "a stream that falls silent"])
def test_streams_that_never_end_are_asked_for_three_times_and_no_more(name: str) -> None:
    asked: list[bool] = []

    def say(payload: Any) -> Iterable[bytes]:
        asked.append(isinstance(payload, dict) and payload.get("stream") is True and isinstance(payload.get("inputs"), str))
        return ODD[name](payload)

    with serving(say) as url:
        result = check(url)

    # those of the probes that watch clients leave and many at a time count none
    assert sum(asked) < 12
    reasons = {
        clause["reason"] for clause in result["clauses"] if clause["id"].startswith("stream.") and clause["verdict"] == "skip"
    }
    assert "3 streams in a row were left unanswered, and no more were asked for" in reasons


def test_a_server_that_dies_ends_the_run_with_a_violation() -> None:
    left = iter(range(20))

    def say(_: Any) -> Iterable[bytes]:
        return [PLAIN] if next(left, None) is not None else []

    with serving(say) as url:
        result = check(url)

    assert "fail" == result["summary"]["verdict"]
    assert result["spent"]["requests"] < 40
    assert any("3 requests in a row were left unanswered" in clause["reason"] for clause in result["clauses"])


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (ODD["an endless stream"], 1),
        (ODD["a stream of invalid UTF-8"], 1),
        (NOTHING["silence"][0], 3),
        (NOTHING["a reset"][0], 3),
    ],
    ids=["an endless stream", "a stream of invalid UTF-8", "silence", "a reset"],
)
def test_the_command_ends_with_the_right_code_and_without_a_traceback(say: Say, code: int) -> None:
    with serving(say) as url:
        command = [sys.executable, "-m", "contract_tests", "check", url, "--profile", "quick", "--timeout", "0.3"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ, check=False)

    assert code == done.returncode, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert code == 1 or done.stderr.count("\n") == 1
