"""Recorded traffic -> exchanges: JSON lines as ``--record`` writes them, or HAR. Reads files, sends nothing, judges nothing.

Read one by one, so that a record may be longer than memory; only a HAR, which is one JSON value, is read whole.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract_tests.errors import UsageError
from contract_tests.exchange import Chunk, Exchange, case_of, from_json, header_pairs
from spec.secrets import secrets_of_headers

BROKEN = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, binascii.Error)
"""What a line that is no exchange may raise while it is read."""


def read_recording(path: Path, secrets: set[str] | None = None) -> Iterator[Exchange]:
    """The exchanges of a file; UsageError names the file, and the line that is broken.

    ``secrets`` grows by what the requests' headers hold of them, which is in no exchange, but which a reply may repeat.
    """
    log = _har_log(path)
    found: set[str] = set() if secrets is None else secrets
    yield from _read_lines(path, found) if log is None else _read_har(path, log, found)


def _har_log(path: Path) -> dict[str, Any] | None:
    """`log` of a HAR; None for a file whose first line is a JSON value by itself, or that is no HAR."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
        if _is_whole(first) and "log" not in first[:200]:
            return None
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        return None  # whichever line is to blame is told where lines are read
    return whole["log"] if isinstance(whole, dict) and isinstance(whole.get("log"), dict) else None


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _read_lines(path: Path, secrets: set[str]) -> Iterator[Exchange]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                try:
                    exchange = from_json(line.decode("utf-8-sig"), secrets)
                except BROKEN as error:
                    raise UsageError(f"line {number} of {path} is no exchange ({_words(error)}).") from None
                yield exchange


def _words(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"no JSON: {error.msg} at column {error.colno}"
        case UnicodeDecodeError():
            return "not UTF-8"
        case KeyError():
            return f"`{error.args[0]}` is missing"
        case RecursionError():
            return "nested too deeply"
    return str(error)


def _read_har(path: Path, log: dict[str, Any], secrets: set[str]) -> Iterator[Exchange]:
    """http://www.softwareishard.com/blog/har-12-spec/; a HAR holds no arrival times, so a stream is one chunk."""
    entries = log.get("entries")
    if not isinstance(entries, list):
        raise UsageError(f"{path} is a HAR without a list of `entries`.")
    for number, entry in enumerate(entries, 1):
        try:
            request, response = entry["request"], entry["response"]
            if request["method"] != "POST":
                continue
            secrets.update(secrets_of_headers(dict(header_pairs(request.get("headers")))))
            told = {"headers": request.get("headers"), "body": (request.get("postData") or {}).get("text")}
            content = response.get("content") or {}
            text = content.get("text") or ""
            data = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode("utf-8", "surrogatepass")
            headers = tuple((name.lower(), value) for name, value in header_pairs(response.get("headers")))
            seconds = float(entry.get("time") or 0.0) / 1000
            yield Exchange(case_of(told), str(request["url"]), int(response["status"]), headers, (Chunk(seconds, data),), seconds)
        except BROKEN as error:
            raise UsageError(f"entry {number} of {path} is no HTTP exchange ({_words(error)}).") from None
