"""Server-Sent Events, decoded strictly: bytes -> events and what is wrong with the framing.

Written from the standard (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation),
not from any server. It knows nothing of JSON or of text generation.

The grammar in one place: a stream is UTF-8 with an optional byte order mark; lines end with LF, CR or CRLF; an empty line ends an
event; ``field: value`` drops one space behind the colon; a line that starts with a colon is a comment; several ``data`` lines join
with LF; an event without data is not dispatched; what stands behind the last empty line is lost, which is a fault of the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELDS = frozenset({"data", "event", "id", "retry"})


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One dispatched event; ``at`` is the arrival of the bytes that completed it, in seconds."""

    data: str
    event: str = "message"
    id: str = ""
    at: float = 0.0


@dataclass(slots=True)
class Decoder:
    """Feed it bytes as they come; ``events`` and ``problems`` grow. Call ``end`` once, at the end of the stream."""

    events: list[StreamEvent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _pending: bytes = b""
    _data: list[str] = field(default_factory=list)
    _event: str = ""
    _id: str = ""
    _open: bool = False
    _first: bool = True

    def feed(self, data: bytes, at: float = 0.0) -> None:
        """Take the next bytes, which arrived ``at`` seconds after the request."""
        buffer, start = self._pending + data, 0
        for match in _LINE_END.finditer(buffer):
            if match.group() == b"\r" and match.end() == len(buffer):
                break  # the LF of a CRLF may still be on its way
            self._line(buffer[start : match.start()], at)
            start = match.end()
        self._pending = buffer[start:]

    def end(self, at: float = 0.0) -> None:
        """The stream is over: whatever is not closed by an empty line is a problem."""
        if self._pending.endswith(b"\r"):
            line, self._pending = self._pending[:-1], b""
            self._line(line, at)
        if self._pending:
            self.problems.append(f"the stream ends inside a line: {_shown(self._pending)}")
        elif self._open:
            self.problems.append("the last event is not closed by an empty line: a client never sees it")

    def _line(self, line: bytes, at: float) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self.problems.append(f"not UTF-8: {_shown(line)}")
            text = line.decode("utf-8", "replace")
        if not text:
            self._dispatch(at)
        elif not text.startswith(":"):
            self._field(text)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        self._open = True
        if name not in _FIELDS:
            self.problems.append(f"a line that is no field of an event stream: {line[:120]!r}")
        elif name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value

    def _dispatch(self, at: float) -> None:
        if self._data:
            self.events.append(StreamEvent("\n".join(self._data), self._event or "message", self._id, at))
        self._data, self._event, self._open = [], "", False


def decode(chunks: Iterable[tuple[float, bytes]]) -> Decoder:
    """Decode a whole stream given as (arrival, bytes) pairs."""
    decoder = Decoder()
    at = 0.0
    for at, data in chunks:
        decoder.feed(data, at)
    decoder.end(at)
    return decoder


def _shown(data: bytes) -> str:
    return ascii(data[:120].decode("utf-8", "backslashreplace"))
