"""What a server stands: clients that begin and never end, more connections than it has threads, a worker that is killed."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

GEVENT = pytest.param("gevent", marks=pytest.mark.skipif(find_spec("gunicorn") is None, reason="gunicorn is not installed"))
SERVERS = ("granian", GEVENT)
HEAD = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
LONG = json.dumps({"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 4000, "temperature": 20.0, "seed": 1}})
BEGUN = {
    "half a head": HEAD[:30],
    "half a body": f'{HEAD}content-length: 100\r\n\r\n{{"inputs"',
    "an endless body in chunks": f"{HEAD}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n",
    "a stream that nobody reads": f"{HEAD}content-length: {len(LONG)}\r\n\r\n{LONG}",
}


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def begin(port: int, text: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(text.encode())
    return connection


def ask(port: int) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        body = json.dumps({"inputs": "hi", "parameters": {"max_new_tokens": 1}})
        connection.request("POST", "/", body, {"content-type": "application/json"})
        return connection.getresponse().status


@pytest.mark.parametrize("server", SERVERS)
def test_what_was_begun_and_never_ended_keeps_nobody_out(server: str) -> None:
    with serving("--server", server) as (_, port):
        connections = [begin(port, text) for text in BEGUN.values() for _ in range(50)]
        status = ask(port)
        for connection in connections:
            connection.close()

        assert (200, 200) == (status, ask(port))


@pytest.mark.parametrize("server", SERVERS)
def test_ten_thousand_connections_keep_nobody_out(server: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12_000:
        pytest.skip(f"a process may have only {hard} open files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with serving("--server", server, "--max-concurrent-requests", "10100") as (_, port):
            connections = [begin(port, BEGUN["half a head"]) for _ in range(10_000)]
            status = ask(port)
            for connection in connections:
                connection.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert 200 == status


@pytest.mark.parametrize("server", SERVERS)
def test_a_head_that_does_not_come_is_cut_off(server: str) -> None:
    with serving("--server", server, "--send-timeout", "0.5") as (_, port), closing(begin(port, BEGUN["half a head"])) as slow:
        assert b"" == slow.recv(100)


@pytest.mark.parametrize("text", ["half a body", "an endless body in chunks"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_body_that_does_not_come_is_cut_off(server: str, text: str) -> None:
    with serving("--server", server, "--send-timeout", "0.5") as (_, port), closing(begin(port, BEGUN[text])) as slow:
        told = b"".join(iter(lambda: slow.recv(1000), b""))

        assert b" 200 " not in told
        assert 200 == ask(port)


@pytest.mark.parametrize("server", SERVERS)
def test_a_head_without_end_is_refused(server: str) -> None:
    with serving("--server", server) as (_, port):
        told = b""
        with closing(begin(port, HEAD)) as endless, suppress(ConnectionError):
            for _ in range(200):
                endless.sendall(b"x-more: " + b"x" * 10_000 + b"\r\n")
            told = endless.recv(100)

        assert told == b"" or told.split()[1] in (b"400", b"431")
        assert 200 == ask(port)


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    tasks = Path(f"/proc/{process.pid}/task")
    return {int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()}


def owner_of(port: int, connection: socket.socket, workers: set[int]) -> int:
    """The worker that holds the other end of ``connection``."""
    wanted = {f"0100007F:{port:04X} 0100007F:{connection.getsockname()[1]:04X}"}
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if f"{row[1]} {row[2]}" in wanted}
    for worker in workers:
        for file in Path(f"/proc/{worker}/fd").iterdir():
            with suppress(OSError):
                if any(f"socket:[{inode}]" == os.readlink(file) for inode in inodes):
                    return worker
    raise AssertionError("nobody holds it")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("server", SERVERS)
def test_a_killed_worker_cuts_its_streams_and_no_others(server: str) -> None:
    # paced so slowly that no stream ends by itself before the worker is killed, however busy the machine
    with ExitStack() as opened, serving("--server", server, "--workers", "2", "--itl", "300") as (process, port):
        first = workers_of(process)
        streams = {}
        while len({*streams.values()}) < 2:  # until both workers have some
            connection = opened.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)))
            connection.request("POST", "/", LONG.replace("4000", "12"), {"content-type": "application/json"})
            response = opened.enter_context(closing(connection.getresponse()))
            assert response.readline().startswith(b"data: ")
            assert connection.sock is not None
            streams[response] = owner_of(port, connection.sock, first)
        victim = next(iter(streams.values()))
        os.kill(victim, signal.SIGKILL)
        for response, worker in streams.items():
            if worker == victim:
                with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                    response.read()
            else:
                assert b'"generated_text":"' in response.read().splitlines()[-2]
        assert {200} == {ask(port) for _ in range(20)}
        while len(workers_of(process) - {victim}) < 2:  # another takes its place
            assert process.poll() is None
    assert (0, victim in first) == (process.returncode, True)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_one_worker_of_granian_is_the_process_that_was_started() -> None:
    with serving() as (process, port):
        assert (200, set()) == (ask(port), workers_of(process))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("server", "workers"), [("granian", "1"), ("granian", "2"), pytest.param("gevent", "1", marks=GEVENT.marks)])
def test_who_is_told_again_and_again_to_end_lets_streams_end(server: str, workers: str) -> None:
    """A service manager tells every process, and the parent tells its workers besides."""
    with serving("--server", server, "--workers", workers, "--itl", "100") as (process, port):
        pids = (*workers_of(process), process.pid)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("POST", "/", LONG.replace("4000", "15"), {"content-type": "application/json"})
            with closing(connection.getresponse()) as response:
                assert response.readline().startswith(b"data: ")
                for told in (*pids, pids[0], pids[0]):
                    with suppress(ProcessLookupError):
                        os.kill(told, signal.SIGTERM)
                    time.sleep(0.1)
                assert b'"generated_text":"' in response.read().splitlines()[-2]
        process.wait(timeout=60)
    assert 0 == process.returncode
