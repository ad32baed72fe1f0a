"""A client at work in a process of its own, asked by lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rig.environments import Environment

TOKENS = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACEHUB_API_TOKEN",
    "HF_API_TOKEN",
    "PYTHONPATH",
    "PYTHONWARNINGS",
    "VIRTUAL_ENV",
)
"""What no client is to find in its environment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client showed its user. ``error`` is the name of an exception and ``message`` its text."""

    text: str | None = None
    pieces: list[str] = field(default_factory=list)
    ids: list[int] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    message: str = ""
    cannot: str | None = None


class Driver:
    """``with Driver(environment) as driver: driver.ask(action="plain", url=...)``; ``settings`` stand in the client's environment."""

    def __init__(self, environment: Environment, **settings: str) -> None:
        self._settings = settings
        self._command = environment.command
        self._process: subprocess.Popen[str] | None = None
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Driver:
        environ = {name: value for name, value in os.environ.items() if name not in TOKENS}
        quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HAYSTACK_TELEMETRY_ENABLED": "False", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environ | quiet | self._settings,
        )
        self.versions = self._read()["versions"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def ask(self, **question: Any) -> Outcome:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        error = answer.pop("error", None)
        if error is not None:
            answer |= {"error": error["type"], "message": error["message"]}
        return Outcome(**answer)

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, f"{' '.join(self._command)} ended: run it by hand to see why"
        return json.loads(line)
