"""Objects to the bytes of an event stream, and the data of events out of such bytes.

One event is ``data: ``, one line of JSON, and a blank line (WHATWG HTML, section 9.2.6); no other field, no comment, no sentinel
at the end. The space behind the colon may be left out, as servers before 2025 did (``--frames tight``). The JSON is ASCII, so that
no client takes U+2028 or U+0085 for the end of a line. Never makes an event itself.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from mockserver.errors import ApiError, InternalError
from mockserver.wire.strict_json import write_json

log = logging.getLogger("mockserver")

HEADERS: tuple[tuple[str, str], ...] = (
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)


FIELDS: dict[str, str] = {"spaced": "data: ", "tight": "data:"}
"""How a frame begins: as axum 0.7 writes it, and so the hosted API since January 2025; and as axum 0.6 did."""


def frame(event: Any, form: str = "spaced") -> bytes:
    """The bytes of one event.

    >>> frame({"index": 1})
    b'data: {"index":1}\\n\\n'
    >>> frame({"index": 1}, "tight")
    b'data:{"index":1}\\n\\n'
    """
    return f"{FIELDS[form]}{write_json(event)}\n\n".encode("ascii")


def split_frame(piece: bytes) -> tuple[bytes, Any]:
    """How a frame begins, and its event.

    >>> split_frame(b'data: {"index":1}\\n\\n')
    (b'data: ', {'index': 1})
    """
    field, brace, rest = piece.partition(b"{")
    return field, json.loads(brace + rest)


def frames(events: Iterable[Any], form: str = "spaced") -> Generator[bytes]:
    """The bytes of each event; what goes wrong on the way is one last frame, for the status has long been sent."""
    try:
        for event in events:
            yield frame(event, form)
    except ApiError as error:
        yield frame(error.payload(), form)
    except Exception:
        log.exception("a stream failed on its way")
        yield frame(InternalError().payload(), form)


_LINE_END = re.compile(r"\r\n|\r(?!\Z)|\n")
"""The three of the standard; a CR that comes last may be half of a CR LF, and waits for what follows."""


class EventReader:
    """The data of each event of a stream that comes piece by piece. One that no blank line ends is none.

    >>> reader = EventReader()
    >>> [*reader.feed(b": hello\\n\\ndata: a\\r\\ndata:b\\r")], [*reader.feed(b"\\n\\r\\ndata: c")]
    ([], ['a\\nb'])
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[str]:
        *lines, self._rest = _LINE_END.split(self._rest + self._decoder.decode(piece))
        for line in lines:
            if line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))
            elif not line and self._data:
                yield "\n".join(self._data)
                self._data = []
