"""Mocks as users start them, each a process of its own; and what the tests ask of them directly."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import httpx

from rig.actions import MODEL


class Mock:
    """One ``textgen-mock serve``."""

    def __init__(self, *options: str) -> None:
        command = (sys.executable, "-m", "mockserver", "serve", "--port", "0", *options)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), f"{' '.join(command)} does not serve"
        self.root = line.removeprefix("listening on ").strip()
        self.url = f"{self.root}/models/{MODEL}"
        self._http = httpx.Client(timeout=30)

    def stop(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def control(self, path: str, body: Any = None) -> Any:
        """What ``/_mock/...`` answers."""
        url = f"{self.root}/_mock/{path}"
        reply = self._http.get(url) if body is None else self._http.post(url, json=body)
        reply.raise_for_status()
        return reply.json()

    def generate(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The wire's own reply to what a client asked, without stream and with all details."""
        parameters = {**payload.get("parameters", {}), "details": True}
        reply = self._http.post(self.url, json={"inputs": payload["inputs"], "parameters": parameters})
        reply.raise_for_status()
        body = reply.json()
        return body[0] if isinstance(body, list) else body


class Mocks:
    """Mocks by their options, each started when it is first wanted."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[tuple[str, ...], Mock] = {}

    def __call__(self, *options: str) -> Mock:
        if options not in self._running:
            mock = Mock(*options)
            self._stack.callback(mock.stop)
            self._running[options] = mock
        return self._running[options]
