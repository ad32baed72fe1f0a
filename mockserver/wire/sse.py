"""Objects to the bytes of an event stream.

One event is ``data: ``, one line of JSON, and a blank line (WHATWG HTML, section 9.2.6); no other field, no comment, no sentinel
at the end. The space behind the colon may be left out, as servers before 2025 did (``--frames tight``). The JSON is ASCII, so that
no client takes U+2028 or U+0085 for the end of a line. Never makes an event itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterable
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
