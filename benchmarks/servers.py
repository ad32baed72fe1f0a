"""A server as a process on a core of its own: started, asked, weighed, ended. Knows no server by name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

SERVER_CORE, LOAD_CORE = (0, min(1, (os.cpu_count() or 1) - 1))
PATIENCE = 60.0
"""Seconds that a server is given to answer."""

OURS = [sys.executable, "-m", "mockserver", "serve", "--port"]
MODEL_PATH = "/models/google/gemma-2-2b-it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a server is started and what it is asked: ``{port}`` in ``command`` is the port."""

    name: str
    version: str
    command: Sequence[str]
    path: str = MODEL_PATH
    body: bytes = b""
    environ: Mapping[str, str] = field(default_factory=dict)


class Server:
    """A running one; ``first_answer`` is how many seconds after the command it gave its first."""

    def __init__(self, kind: Kind, process: subprocess.Popen[bytes], port: int) -> None:
        self.kind = kind
        self.url = f"http://127.0.0.1:{port}{kind.path}"
        self.port = port
        self.first_answer = float("nan")
        self._process = psutil.Process(process.pid)
        self._client = httpx.Client(timeout=PATIENCE, verify=False, trust_env=False)  # nothing but the loopback is asked

    def ask(self, body: bytes | None = None) -> httpx.Response:
        sent = self.kind.body if body is None else body
        return self._client.post(self.url, content=sent, headers={"content-type": "application/json"})

    def close(self) -> None:
        self._client.close()

    def terminate(self) -> None:
        """SIGTERM, as a user or an orchestrator sends it."""
        self._process.terminate()

    def wait(self) -> None:
        self._process.wait(PATIENCE)

    def processes(self) -> list[psutil.Process]:
        """The one that was started and all below it."""
        return [self._process, *self._process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """What all its processes have used so far."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self.processes()))

    def resident_mb(self) -> float:
        """Resident memory of all its processes, what they share counted in each."""
        return sum(process.memory_info().rss for process in self.processes()) / 1e6

    def proportional_mb(self) -> float:
        """The same, what they share counted once."""
        return sum(process.memory_full_info().pss for process in self.processes()) / 1e6


def on_core(core: int) -> list[str]:
    """What a command is put behind to run on one core."""
    return [need("taskset"), "-c", str(core)]


def go_first(pid: int | str = "self") -> None:
    """Let a process's session go before all else on the machine, where that is allowed: neighbours then disturb less.

    On Linux the scheduler weighs sessions, and ``nice`` alone only weighs the processes of one (sched(7), autogroup).
    """
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("-20", encoding="ascii")


def free_port() -> int:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@contextmanager
def running(kind: Kind, *, core: int = SERVER_CORE) -> Iterator[Server]:
    """``kind`` on a free port, once it has answered its request with 200."""
    port = free_port()
    command = [part.replace("{port}", str(port)) for part in kind.command]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*on_core(core), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **kind.environ},
        start_new_session=True,
    )
    go_first(process.pid)
    server = Server(kind, process, port)
    try:
        wait_for(server, process)
        server.first_answer = time.perf_counter() - began
        yield server
    finally:
        server.close()
        end(process, server)


def end(process: subprocess.Popen[bytes], server: Server) -> None:
    """SIGTERM, and SIGKILL to those of its processes that are there ten seconds later."""
    alive = server.processes() if process.poll() is None else []
    process.terminate()
    for each in psutil.wait_procs(alive, timeout=10)[1]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


@contextmanager
def all_running(kinds: Sequence[Kind]) -> Iterator[list[Server]]:
    """All of them, on the same core."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(kind)) for kind in kinds]


def wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Until it answers; ends the benchmark when it does not."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if server.ask().status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.005)
    sys.exit(f"{server.kind.name} did not answer within {PATIENCE:.0f} s: {' '.join(server.kind.command)}")


def need(program: str) -> str:
    """Where ``program`` is; ends the benchmark in one sentence when it is nowhere."""
    found = shutil.which(program)
    if found is None:
        sys.exit(f"this benchmark needs {program}: on Debian, apt-get install {'util-linux' if program == 'taskset' else program}")
    return found


def cache_folder() -> Path:
    """Where peers are installed: ignored by git, and kept from run to run."""
    folder = Path(__file__).parent.parent / ".cache" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
