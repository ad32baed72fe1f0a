"""The server as a user starts it: a process, a port, a line, signals."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from mockserver.serving import CannotListenError, reserve

MODEL = "/models/google/gemma-2-2b-it"
HEADERS = {"content-type": "application/json"}
LONG = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 4000, "temperature": 20.0, "seed": 1}}
"""So hot that the end token is as unlikely as any other."""


class Server:
    """A running `textgen-mock serve`."""

    def __init__(self, process: subprocess.Popen[bytes], line: str) -> None:
        self.process = process
        self.line = line
        self.host, _, port = line.removeprefix("listening on http://").strip().rpartition(":")
        self.port = int(port)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=20)

    def post(self, payload: Any, path: str = MODEL) -> tuple[int, bytes]:
        with closing(self.connect()) as connection:
            connection.request("POST", path, json.dumps(payload), HEADERS)
            response = connection.getresponse()
            return response.status, response.read()


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "mockserver", "serve", *options]


@contextmanager
def running(*options: str) -> Iterator[Server]:
    process = subprocess.Popen(
        command("--port", "0", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().decode())
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def needs(kind: str) -> None:
    if kind == "gevent":
        pytest.importorskip("gunicorn")
        pytest.importorskip("gevent")


SERVERS = pytest.mark.parametrize("kind", ["granian", "gevent"])


@pytest.fixture(scope="module", params=["granian", "gevent"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    needs(request.param)
    with running("--server", request.param) as server:
        yield server


def test_one_line_says_where_it_listens(server: Server) -> None:
    assert re.fullmatch(r"listening on http://127\.0\.0\.1:\d+\n", server.line)


def test_a_request_is_answered(server: Server) -> None:
    status, body = server.post({"inputs": "hi", "parameters": {"max_new_tokens": 3}})

    assert status == 200
    assert [*json.loads(body)] == ["generated_text"]


def test_each_event_is_a_chunk_of_its_own(server: Server) -> None:
    with closing(socket.create_connection((server.host, server.port), timeout=20)) as connection:
        body = json.dumps({"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 5, "temperature": 20.0, "seed": 1}})
        head = f"POST {MODEL} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    chunks = re.findall(rb"[0-9A-F]+\r\n(data: \{.*?\}\n\n)\r\n", answer)

    assert len(chunks) == 5
    assert answer.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_body_in_chunks_is_read_to_the_limit(server: Server, size: int) -> None:
    text = json.dumps({"inputs": "x " * (size // 2), "parameters": {"truncate": 5, "max_new_tokens": 1}}).encode()
    pieces = (text[start : start + 100_000] for start in range(0, len(text), 100_000))
    with closing(server.connect()) as connection:
        try:
            connection.request("POST", MODEL, pieces, HEADERS, encode_chunked=True)
        except OSError:
            assert size > 10  # the server has answered and does not read on
            return
        assert connection.getresponse().status == (200 if size == 10 else 413)


def test_a_client_that_goes_away_does_no_harm(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.request("POST", MODEL, json.dumps(LONG), HEADERS)
        assert connection.getresponse().readline().startswith(b"data: ")

    assert server.post({"inputs": "hi", "parameters": {"max_new_tokens": 1}})[0] == 200


def test_two_workers_give_the_answers_of_one(server: Server) -> None:
    payload = {"inputs": "The sea", "parameters": {"do_sample": True, "max_new_tokens": 20}}
    with running("--workers", "2") as two:
        answers = {two.post(payload) for _ in range(8)}

    assert answers == {server.post(payload)}


def send_to(process: subprocess.Popen[bytes], how: str) -> None:
    if how == "ctrl-c":  # the terminal tells the whole group
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.Signals[how])


@SERVERS
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "ctrl-c"])
def test_a_signal_lets_open_streams_end_and_exits_0(how: str, kind: str) -> None:
    needs(kind)
    with running("--server", kind) as server, closing(server.connect()) as connection:
        connection.request("POST", MODEL, json.dumps(LONG), HEADERS)
        response = connection.getresponse()
        first = response.readline()
        send_to(server.process, how)
        *_, last = [line for line in response.read().split(b"\n") if line]
        out, error = server.process.communicate(timeout=20)

    assert first.startswith(b'data: {"index":1,')
    assert json.loads(last.removeprefix(b"data: "))["generated_text"]
    assert (server.process.returncode, out, error) == (0, b"", b"")


@SERVERS
def test_a_second_ctrl_c_cuts_open_streams(kind: str) -> None:
    needs(kind)
    with running("--server", kind, "--itl", "1000") as server, closing(server.connect()) as connection:
        connection.request("POST", MODEL, json.dumps(LONG), HEADERS)
        response = connection.getresponse()
        response.readline()
        send_to(server.process, "ctrl-c")
        time.sleep(1.2)  # sooner, it would be the same press
        send_to(server.process, "ctrl-c")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        out, error = server.process.communicate(timeout=20)

    assert (server.process.returncode, out, error) == (0, b"", b"")


@SERVERS
@pytest.mark.parametrize("how", ["SIGTERM", "ctrl-c"])
def test_a_signal_right_after_the_line_ends_every_worker(how: str, kind: str) -> None:
    needs(kind)
    with running("--server", kind, "--workers", "2") as server:
        send_to(server.process, how)
        out, error = server.process.communicate(timeout=20)

    assert (server.process.returncode, out, error) == (0, b"", b"")


@SERVERS
def test_workers_end_with_a_parent_that_was_killed(kind: str) -> None:
    needs(kind)
    with running("--server", kind, "--workers", "2") as server:
        server.process.kill()
        server.process.wait(timeout=20)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                reserve(server.host, server.port).close()
                return
            except CannotListenError:
                continue
    raise AssertionError("the port is still taken")


def test_a_port_in_use_is_one_sentence_and_exit_2(server: Server) -> None:
    ended = subprocess.run(command("--port", str(server.port)), capture_output=True, timeout=20, check=False)

    assert ended.returncode == 2
    assert ended.stdout == b""
    assert ended.stderr.decode() == f"Error: cannot listen on 127.0.0.1:{server.port}: Address already in use\n"


def test_a_port_of_port_0_is_free_and_ours() -> None:
    with closing(reserve("127.0.0.1", 0)) as one, closing(reserve("127.0.0.1", 0)) as other:
        assert one.getsockname()[1] != other.getsockname()[1]


@pytest.mark.parametrize("host", ["256.1.1.1", "no such host", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_one_sentence(host: str) -> None:
    with pytest.raises(CannotListenError, match=f"cannot listen on {host}:0: ."):
        reserve(host, 0)


def read_until_reset(served: Server) -> int:
    """The status of a stream that a reset ends, 0 where the reset came before it; fails where none comes."""
    status = 0
    with closing(served.connect()) as connection:
        try:
            connection.request("POST", MODEL, json.dumps(LONG), HEADERS)
            response = connection.getresponse()
            status = response.status
            response.read()
        except ConnectionResetError:
            return status
    raise AssertionError("the stream came to an end")


@SERVERS
def test_a_fault_resets_the_connection_and_the_server_lives_on(kind: str) -> None:
    needs(kind)
    with running("--fault", "connection-reset", "--server", kind) as served:
        read = [read_until_reset(served) for _ in range(5)]
        with closing(served.connect()) as connection:
            connection.request("GET", "/health")
            assert 200 == connection.getresponse().status
    assert 200 in read  # on a busy machine the reset may overtake a head
