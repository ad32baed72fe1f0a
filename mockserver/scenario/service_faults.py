"""Faults of the service around the model: headers, loading, and requests that get in each other's way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock

from mockserver.errors import InternalError, UnauthorizedError, UnsupportedMediaTypeError, ValidationError
from mockserver.messages import Reply, Request
from mockserver.scenario.alter import fault
from mockserver.scenario.seams import Fault, Frames, Hooks

Headers = Mapping[str, str]

MEANWHILE = 0.02
"""Seconds that a request waits for others to come at the same time: the exact engine alone is too fast to be met by any."""


def _refused(name: str, wrong: Callable[[str], bool]) -> Hooks:
    """A request whose header ``name`` is ``wrong`` is refused."""

    def on_headers(headers: Headers) -> Headers:
        value = headers.get(name)
        if value is not None and wrong(value):
            raise ValidationError(f"`{name}` is not supported")
        return headers

    return Hooks(on_headers=on_headers)


def _charset_refused(headers: Headers) -> Headers:
    if "charset" in (headers.get("content-type") or ""):
        raise UnsupportedMediaTypeError("The content type must be application/json")
    return headers


def _any_token(headers: Headers) -> Headers:
    if not headers.get("authorization"):
        raise UnauthorizedError
    return headers


def _other_text_without_cache(request: Request) -> Request:
    if request.use_cache:
        return request
    return replace(request, parameters=replace(request.parameters, repetition_penalty=5.0))


def _first_answers(count: int, told: dict[str, object]) -> Callable[[], Hooks]:
    """The first ``count`` answers of a server are 503 and ``told``."""

    def make() -> Hooks:
        left = [count]

        def on_answer(answer: Reply) -> Reply:
            if not left[0]:
                return answer
            left[0] -= 1
            return Reply(503, (("content-type", "application/json"),), json.dumps(told).encode())

        return Hooks(on_answer=on_answer)

    return make


def _mixed() -> Hooks:
    """A request that is not alone is answered as if its prompt went on."""
    lock, here = Lock(), [0]

    def on_request(request: Request) -> Request:
        with lock:
            here[0] += 1
        time.sleep(MEANWHILE)
        with lock:
            alone = here[0] == 1
        return request if alone else replace(request, inputs=f"{request.inputs} and")

    def on_answer(answer: Reply) -> Reply:
        with lock:
            here[0] = max(0, here[0] - 1)
        return answer

    return Hooks(on_request=on_request, on_answer=on_answer)


def _hurt_by_leaving() -> Hooks:
    """A client that leaves in mid-stream makes the next requests fail."""
    left = [0]

    def on_headers(headers: Headers) -> Headers:
        if left[0]:
            left[0] -= 1
            raise InternalError
        return headers

    def on_frames(stream: Frames, _: Request) -> Frames:
        try:
            yield from stream
        except GeneratorExit:
            left[0] = 2
            raise

    return Hooks(on_headers=on_headers, on_frames=on_frames)


SERVICE_FAULTS: tuple[Fault, ...] = (
    fault(
        "charset-refused",
        "request.content-type",
        "Answers 415 to `application/json; charset=utf-8`.",
        Hooks(on_headers=_charset_refused),
    ),
    fault(
        "wrong-token-accepted",
        "headers.authorization.wrong",
        "Wants a token, and takes any.",
        Hooks(on_headers=_any_token),
    ),
    fault(
        "use-cache-refused",
        "headers.use-cache.type",
        "Answers 422 to `x-use-cache: true`.",
        _refused("x-use-cache", lambda value: value == "true"),
    ),
    fault(
        "use-cache-changes-text",
        "headers.use-cache.neutral",
        "Generates other text with `x-use-cache: false`.",
        Hooks(on_request=_other_text_without_cache),
    ),
    fault(
        "use-cache-ignored",
        "headers.use-cache.new-query",
        "Gives the same draw again, with `x-use-cache: false` too.",
        Hooks(on_request=lambda request: replace(request, draw=0)),
    ),
    fault(
        "wait-for-model-refused",
        "headers.wait-for-model.type",
        "Answers 422 to any `x-wait-for-model`.",
        _refused("x-wait-for-model", lambda _: True),
    ),
    fault(
        "loading-without-error",
        "headers.wait-for-model.503",
        "Says of a model that loads how long it takes, without an `error`.",
        _first_answers(1, {"estimated_time": 0.1}),
    ),
    fault(
        "loading-not-waited-for",
        "headers.wait-for-model.waits",
        "Answers 503 while a model loads, with `x-wait-for-model: true` too.",
        _first_answers(2, {"error": "The model is currently loading", "estimated_time": 0.1}),
    ),
    fault("requests-mixed", "reply.independent", "Lets requests that come at the same time change each other's text.", _mixed),
    fault(
        "leaving-breaks-next",
        "stream.disconnect",
        "Fails at the next two requests when a client has left in mid-stream.",
        _hurt_by_leaving,
    ),
)
