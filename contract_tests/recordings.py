"""Recorded traffic -> exchanges: JSON lines as ``--record`` writes them, or HAR. Reads files, sends nothing, judges nothing.

A recording does not say what a request was for.
So each is put to the documented schema: a right request is judged as such, one with a fault that nobody could mean well must be
refused, and of any other only the manner of its refusal is judged.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from contract_tests import strategies
from contract_tests.errors import UsageError
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Chunk, Exchange, case_of, from_json, header_pairs
from contract_tests.observation import Asked, Observation

RECORDED = "recorded"
"""`about` of a recorded request without a fault: its refusal may have reasons that the record does not show."""


def read_recording(path: Path) -> Iterator[Exchange]:
    """The exchanges of a file; UsageError names the file, and the line that is broken."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a recording ({error}).") from None
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("log"), dict):
        yield from _read_har(path, whole["log"])
    else:
        yield from _read_lines(path, text.split("\n"))


def _read_lines(path: Path, lines: Iterable[str]) -> Iterator[Exchange]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield from_json(line)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UsageError(f"line {number} of {path} is no exchange ({error}).") from None


def _read_har(path: Path, log: dict[str, Any]) -> Iterator[Exchange]:
    """http://www.softwareishard.com/blog/har-12-spec/; a HAR holds no arrival times, so a stream is one chunk."""
    for number, entry in enumerate(log.get("entries") or [], 1):
        try:
            request, response = entry["request"], entry["response"]
            if request["method"] != "POST":
                continue
            told = {"headers": request.get("headers"), "body": (request.get("postData") or {}).get("text", "")}
            content = response.get("content") or {}
            text = content.get("text", "")
            data = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
            headers = tuple((name.lower(), value) for name, value in header_pairs(response.get("headers")))
            seconds = float(entry.get("time") or 0.0) / 1000
            yield Exchange(case_of(told), str(request["url"]), int(response["status"]), headers, (Chunk(seconds, data),), seconds)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise UsageError(f"entry {number} of {path} is no HTTP exchange ({error}).") from None


def with_purpose(exchange: Exchange) -> Exchange:
    """The exchange with what its request can be held to, unless the record says it."""
    case = exchange.case
    return exchange if case.about or case.faulty else replace(exchange, case=replace(case, **_purpose(case)))


def _purpose(case: Case) -> dict[str, Any]:
    if case.payload is None:
        return {"faulty": True}
    if strategies.is_valid(case.payload):
        return {"about": RECORDED}
    about, subject = strategies.hopeless(case.payload) or ("", "")
    return {"faulty": True, "about": about, "subject": subject}


def judge_recordings(exchanges: Iterable[Exchange], evidence: Evidence) -> int:
    """Judge each exchange, then the twins among them; how many there were."""
    twins: dict[str, list[Observation]] = {}
    count = 0
    for count, exchange in enumerate(exchanges, 1):  # noqa: B007 (the count is the result)
        if _is_another_task(exchange.case.payload):
            continue
        seen = evidence.observe(with_purpose(exchange))
        if seen.generated and _repeats(seen.asked):
            key = json.dumps([exchange.url, {**seen.asked.body, "stream": None}], sort_keys=True)
            twins.setdefault(key, []).append(seen)
    for members in twins.values():
        plain, streams = ([seen for seen in members if seen.asked.stream is stream] for stream in (False, True))
        # only where the record shows that the endpoint repeats itself: whether it does is another clause's
        if len(plain) > 1 and streams:
            evidence.relate("twin", (plain[0], streams[0], plain[-1]))
    return count


def _is_another_task(payload: Any) -> bool:
    """Lists of messages belong to chat completion (statement introduction.chat)."""
    return isinstance(payload, dict) and "messages" in payload and "inputs" not in payload


def _repeats(asked: Asked) -> bool:
    """Whether a server must answer the request the same way each time."""
    return asked.get("do_sample") is False or (asked.samples and asked.get("seed") is not None)
