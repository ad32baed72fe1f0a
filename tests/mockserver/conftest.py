"""What the mock's tests share: an app in process, a way to ask it, and a model that says what it is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from mockserver import Config, create_app
from mockserver.engine.vocabulary import Vocabulary
from mockserver.serving import reserve

MODEL = "/models/google/gemma-2-2b-it"

Ask = Callable[..., TestResponse]


class Told:
    """A model that says ``ids``, and after them the end token, whatever the prompt was."""

    at_once = True

    def __init__(self, ids: Iterable[int], *, prompt: int = 1) -> None:
        self.vocabulary = Vocabulary.shipped()
        self._ids = [*ids]
        self._prompt = prompt

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        rows = np.zeros((len(contexts), self.vocabulary.size), np.int32)
        for row, context in zip(rows, contexts, strict=True):
            place = len(context) - self._prompt
            row[self._ids[place] if place < len(self._ids) else self.vocabulary.eos_id] = 20 * 1024
        return rows

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]:
        return np.zeros((len(ids), self.vocabulary.size), np.int32)


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary.shipped()


@pytest.fixture(scope="session")
def byte_ids(vocabulary: Vocabulary) -> Callable[[bytes], list[int]]:
    """The tokens of one byte each, so that characters fall apart."""
    by_byte = {vocabulary.token_bytes(token): token for token in range(vocabulary.size) if not vocabulary.is_special(token)}
    return lambda data: [by_byte[bytes([byte])] for byte in data]


@pytest.fixture(scope="session")
def told() -> type[Told]:
    return Told


@pytest.fixture(scope="session")
def serve() -> Callable[..., Flask]:
    """An app for some settings, made once for each."""
    return cache(lambda **settings: create_app(Config(**settings)))


@pytest.fixture(scope="session")
def ask(serve: Callable[..., Flask]) -> Ask:
    """Send a payload, or bytes as they are, to an app in process."""

    def send(payload: Any, path: str = MODEL, *, headers: dict[str, str] | None = None, **settings: Any) -> TestResponse:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"content-type": "application/json"} if headers is None else headers
        return serve(**settings).test_client().post(path, data=body, headers=sent)

    return send


@pytest.fixture(scope="session")
def read_events() -> Callable[[TestResponse], list[Any]]:
    """The objects of a stream whose frames are exactly as documented."""

    def read(response: TestResponse) -> list[Any]:
        assert response.content_type == "text/event-stream"
        *frames, rest = response.get_data(as_text=True).split("\n\n")
        assert rest == ""
        return [json.loads(frame.removeprefix("data: ")) for frame in frames]

    return read


class RedisServer:
    """A real Redis on a port of its own, that can be stopped and started again, empty."""

    def __init__(self, program: str, folder: Path) -> None:
        with reserve("127.0.0.1", 0) as reserved:
            port = str(reserved.getsockname()[1])
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [program, "--port", port, "--save", "", "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        while "Ready to accept connections" not in (line := self._process.stdout.readline()):
            assert line, "redis-server ended"

    def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            self._process.communicate()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    pytest.importorskip("redis", reason="redis is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on PATH")
    server = RedisServer(program, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url
