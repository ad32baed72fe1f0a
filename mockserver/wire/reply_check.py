"""What a real server's reply has that the contract does not allow: its media type, its JSON, and the schemas of ``spec/openapi.yaml``.

Enough to name a broken reply while it is recorded; ``textgen-contract judge`` knows every statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

import spec
from mockserver.errors import BadJsonError
from mockserver.wire.sse import EventReader
from mockserver.wire.strict_json import parse_json

LONGEST = 200
STREAM = "text/event-stream"


class ReplyCheck:
    """The compiled schemas of one dialect. Safe to share between threads."""

    def __init__(self, dialect: str) -> None:
        document = spec.openapi(dialect)
        self._switches = spec.switches(dialect)
        self._schemas = {
            name: jsonschema_rs.Draft202012Validator(spec.schema(name, document))
            for name in ("GenerateReply", "StreamEvent", "ErrorReply")
        }

    def complaint(self, payload: Any, status: int, content_type: str, body: bytes) -> str:
        """The first thing that is wrong with the reply to ``payload``; "" when nothing is, or when it is no request of this API."""
        if not isinstance(payload, dict) or "inputs" not in payload:
            return ""
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type == STREAM and status == 200:
            return next(self._stream(body), "")
        if status == 200 and payload.get("stream") is True:
            return f"a stream was asked for, and {media_type or 'a body without media type'} came"
        if status >= 400 and media_type == "text/plain" and self._switches.plain_text_refusals:
            return ""
        return next(self._whole(status, media_type, body), "")

    def _whole(self, status: int, media_type: str, body: bytes) -> Iterator[str]:
        if media_type != "application/json":
            yield f"the media type of the reply is {media_type or 'missing'}, not application/json"
        try:
            value = parse_json(body)
        except BadJsonError as error:
            yield f"the reply is no JSON: {error.message}"
            return
        if status == 200 and self._switches.list_of_one and isinstance(value, list) and len(value) == 1:
            value = value[0]
        yield from self._against("GenerateReply" if status < 400 else "ErrorReply", value, "the reply")

    def _stream(self, body: bytes) -> Iterator[str]:
        value: Any = None
        for number, data in enumerate(EventReader().feed(body), 1):
            try:
                value = parse_json(data.encode())
            except BadJsonError as error:
                yield f"event {number} is no JSON: {error.message}"
                return
            failed = isinstance(value, dict) and "error" in value
            yield from self._against("ErrorReply" if failed else "StreamEvent", value, f"event {number}")
            if failed:
                return
        if not isinstance(value, dict) or not isinstance(value.get("generated_text"), str):
            yield "the stream ends without an event that holds `generated_text`"

    def _against(self, name: str, value: Any, what: str) -> Iterator[str]:
        for error in map(_inmost, self._schemas[name].iter_errors(value)):
            place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path).lstrip(".")
            message = error.message if len(error.message) <= LONGEST else f"{error.message[: LONGEST - 3]}..."
            yield f"{what}{f', `{place}`' if place else ''}: {message}"


def _inmost(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """What is wrong with the value itself where it may also be null: the schema that is not for null says it."""
    while isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AnyOf):
        branches = [branch[0] for branch in error.kind.context if branch and "null" not in branch[0].message[-8:]]
        if not branches:
            break
        error = branches[0]
    return error
