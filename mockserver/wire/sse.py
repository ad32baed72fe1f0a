"""Objects to the bytes of an event stream.

One event is ``data: ``, one line of JSON, and a blank line (WHATWG HTML, section 9.2.6); no other field, no comment, no sentinel
at the end. The JSON is ASCII, so that no client takes U+2028 or U+0085 for the end of a line. Never makes an event itself.
"""

from __future__ import annotations

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


def frame(event: Any) -> bytes:
    """The bytes of one event.

    >>> frame({"index": 1})
    b'data: {"index":1}\\n\\n'
    """
    return f"data: {write_json(event)}\n\n".encode("ascii")


def frames(events: Iterable[Any]) -> Generator[bytes]:
    """The bytes of each event; what goes wrong on the way is one last frame, for the status has long been sent."""
    try:
        for event in events:
            yield frame(event)
    except ApiError as error:
        yield frame(error.payload())
    except Exception:
        log.exception("a stream failed on its way")
        yield frame(InternalError().payload())
