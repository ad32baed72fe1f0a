"""What was asked: the last requests, with the secrets in their headers masked. Bounded in number and in bytes.

Reads a body only when somebody asks what was in it. Judges nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from threading import Lock
from typing import Any

import msgspec

from mockserver.errors import ApiError
from mockserver.wire.strict_json import parse_json
from spec.secrets import is_secret_name

MOST_REQUESTS = 1_000
MOST_BYTES = 32_000_000

MASK = "***"


class Asked(msgspec.Struct, kw_only=True):
    """One request, filled in as it goes its way; ``status`` is None until there is one."""

    number: int
    time: float
    scope: str
    method: str
    path: str
    headers: dict[str, str] = {}
    model: str | None = None
    raw_body: bytes = b""
    status: int | None = None
    retry_after: float | None = None
    rule: str | None = None
    faults: tuple[str, ...] = ()
    note: str | None = None
    ending: str | None = None
    """how the answer to a struck request ended: see watching.py"""
    sent: tuple[str, ...] = ()
    """the texts that a client may have made of such an answer, as far as it came"""
    pause: float = 0.0
    """seconds for which such an answer stood still at most"""

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "raw_body")
        return f"Asked({', '.join(shown)})"

    @property
    def body(self) -> Any:
        """The JSON value that was sent, or the text where it is no JSON; None for an empty body."""
        if not self.raw_body:
            return None
        try:
            return parse_json(self.raw_body)
        except ApiError:
            return self.raw_body.decode(errors="replace")

    @property
    def prompt(self) -> Any:
        body = self.body
        return body.get("inputs") if isinstance(body, dict) else None

    @property
    def parameters(self) -> dict[str, Any]:
        body = self.body
        parameters = body.get("parameters") if isinstance(body, dict) else None
        return parameters if isinstance(parameters, dict) else {}

    @property
    def stream(self) -> bool:
        body = self.body
        return self.path.endswith("/generate_stream") or (isinstance(body, dict) and body.get("stream") is True)

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "time": self.time,
            "scope": self.scope,
            "method": self.method,
            "path": self.path,
            "model": self.model,
            "headers": self.headers,
            "body": self.body,
            "status": self.status,
            "retry_after": self.retry_after,
            "rule": self.rule,
            "faults": list(self.faults),
            "note": self.note,
            "ending": self.ending,
        }


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """``headers``, their names in lower case; of a secret, only its scheme is left.

    >>> masked({"authorization": "Bearer hf_secret", "accept": "*/*"})
    {'authorization': 'Bearer ***', 'accept': '*/*'}
    """
    return {name: _mask(value) if is_secret_name(name) else value for name, value in headers.items()}


def _mask(value: str) -> str:
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASK}" if space and scheme.isalpha() else MASK


class Journal:
    """The last requests, newest last. Safe among threads."""

    def __init__(self, *, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES) -> None:
        self._entries: deque[Asked] = deque()
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._bytes = 0
        self._count = 0
        self._lock = Lock()

    def open(self, *, time: float, scope: str, method: str, path: str, headers: Mapping[str, str]) -> Asked:
        """The entry of a request that has just come."""
        shown = masked(headers)
        with self._lock:
            self._count += 1
            entry = Asked(number=self._count, time=time, scope=scope, method=method, path=path, headers=shown)
            self._entries.append(entry)
            if len(self._entries) > self._most_requests:
                self._trim()
        return entry

    def keep_body(self, entry: Asked, body: bytes) -> None:
        with self._lock:
            entry.raw_body = body
            self._bytes += len(body)
            if self._bytes > self._most_bytes:
                self._trim()

    def close(self, entry: Asked) -> None:
        """Nothing more will be said of ``entry``."""

    def _trim(self) -> None:
        while len(self._entries) > self._most_requests or (self._bytes > self._most_bytes and len(self._entries) > 1):
            self._bytes -= len(self._entries.popleft().raw_body)

    def entries(self, scope: str | None = None) -> list[Asked]:
        """Those of one scope, or all."""
        with self._lock:
            return [entry for entry in self._entries if scope is None or entry.scope == scope]

    def forget(self, scope: str | None = None) -> None:
        with self._lock:
            self._entries = deque(entry for entry in self._entries if scope is not None and entry.scope != scope)
            self._bytes = sum(len(entry.raw_body) for entry in self._entries)
