"""Faults in how bad requests are met: accepted, or refused in the wrong way. Good requests are answered as before."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import local
from typing import Any

from mockserver.errors import InternalError
from mockserver.messages import Reply, Request
from mockserver.scenario.alter import fault, refusals, with_content_type, with_error
from mockserver.scenario.seams import Fault, Hooks

HTML = b"<!doctype html><title>Error</title><h1>Something went wrong</h1>"
ANYTHING = b'{"inputs": " "}'


def _not_json_accepted(body: bytes) -> bytes:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return ANYTHING
    return body


def _silent_stream() -> Hooks:
    """A refused stream is a stream without an event."""
    asked = local()

    def on_body(body: bytes) -> bytes:
        asked.stream = False
        return body

    def on_payload(payload: Any) -> Any:
        asked.stream = isinstance(payload, dict) and payload.get("stream") is True
        return payload

    def on_answer(answer: Reply) -> Reply:
        if answer.status < 400 or not getattr(asked, "stream", False):
            return answer
        return Reply(200, (("content-type", "text/event-stream"),), iter([b": nothing\n\n"]))

    return Hooks(on_body=on_body, on_payload=on_payload, on_answer=on_answer)


def _after_a_refusal() -> Hooks:
    """The answer after a refusal is a failure."""
    refused = [False]

    def on_answer(answer: Reply) -> Reply:
        if refused[0]:
            refused[0] = False
            body = json.dumps(InternalError().payload()).encode()
            return Reply(500, (("content-type", "application/json"),), body)
        refused[0] = answer.status >= 400
        return answer

    return Hooks(on_answer=on_answer)


def _other_prompt_after_a_refusal() -> Hooks:
    """The request after a refusal is read as if it had another prompt."""
    refused = [False]

    def on_request(request: Request) -> Request:
        return replace(request, inputs=f"{request.inputs} and") if refused[0] else request

    def on_answer(answer: Reply) -> Reply:
        refused[0] = answer.status >= 400
        return answer

    return Hooks(on_request=on_request, on_answer=on_answer)


ERROR_FAULTS: tuple[Fault, ...] = (
    fault(
        "status-202",
        "introduction.generates",
        "Answers good requests with status 202.",
        Hooks(
            on_answer=lambda answer: replace(answer, status=202) if answer.status == 200 else answer,
        ),
    ),
    fault(
        "array-accepted",
        "errors.not-an-object",
        "Answers a body that is JSON but no object.",
        Hooks(
            on_payload=lambda payload: payload if isinstance(payload, dict) else {"inputs": " "},
        ),
    ),
    fault("not-json-accepted", "errors.not-json", "Answers a body that is not JSON.", Hooks(on_body=_not_json_accepted)),
    fault(
        "not-utf8-accepted",
        "errors.not-utf8",
        "Reads what is not UTF-8 as well as it can.",
        Hooks(
            on_body=lambda body: body.decode(errors="replace").encode(),
        ),
    ),
    fault(
        "stream-refused-silently", "errors.in-stream", "Answers a bad request for a stream with an empty stream.", _silent_stream
    ),
    fault(
        "error-500",
        "errors.never-5xx",
        "Answers 500 to a bad request.",
        refusals(
            lambda answer: replace(answer, status=500) if answer.status in (400, 422) else answer,
        ),
    ),
    fault(
        "error-200", "errors.not-json", "Answers errors with status 200.", refusals(lambda answer: replace(answer, status=200))
    ),
    fault(
        "error-renamed",
        "errors.body",
        "Writes `detail` for `error`.",
        refusals(
            lambda answer: with_error(answer, lambda body: {"detail": body["error"]}),
        ),
    ),
    fault(
        "error-html",
        "errors.body",
        "Answers errors in HTML.",
        refusals(
            lambda answer: replace(with_content_type(answer, "text/html; charset=utf-8"), body=HTML),
        ),
    ),
    fault(
        "error-called-html",
        "errors.body",
        "Answers errors in JSON, and says that it is HTML.",
        refusals(lambda answer: with_content_type(answer, "text/html; charset=utf-8")),
    ),
    fault(
        "error-vague",
        "errors.names-parameter",
        "Says no more than that the request is invalid.",
        refusals(
            lambda answer: with_error(answer, lambda body: {**body, "error": "Invalid request"}),
        ),
    ),
    fault("error-then-500", "errors.goes-on", "Fails at the request after a bad one.", _after_a_refusal),
    fault(
        "error-then-other-prompt",
        "errors.goes-on",
        "Reads another prompt at the request after a bad one.",
        _other_prompt_after_a_refusal,
    ),
)
