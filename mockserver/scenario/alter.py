"""Ways to take hold of one part of what passes a seam: each function here makes hooks out of a change to that part.

The tables of faults are written with them. Breaks nothing by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mockserver.messages import Prefill, Reply, Request, Step
from mockserver.scenario.seams import Events, Fault, Frames, Hooks, Objects

Json = dict[str, Any]


def fault(name: str, statement: str, sentence: str, hooks: Hooks | Callable[[], Hooks]) -> Fault:
    """A Fault; give a function where the hooks remember something."""
    return Fault(name, statement, sentence, hooks if callable(hooks) else lambda: hooks)


# ---------------------------------------------------------------- on the way in


def parameters(change: Callable[[Request], Json]) -> Hooks:
    """``change`` gives the parameters that are other than the client said."""

    def on_request(request: Request) -> Request:
        return replace(request, parameters=replace(request.parameters, **change(request)))

    return Hooks(on_request=on_request)


def ignored(*names: str, **instead: Any) -> Hooks:
    """A request that names one of these parameters is taken as if it did not; then ``instead`` holds."""
    nothing = {name: () if name == "stop" else None for name in names}

    def change(request: Request) -> Json:
        given = any(getattr(request.parameters, name) != value for name, value in nothing.items())
        return {**nothing, **instead} if given else {}

    return parameters(change)


def at_most(name: str, limit: float) -> Hooks:
    """A parameter called ``name`` above ``limit`` is taken for ``limit``."""

    def change(request: Request) -> Json:
        given = getattr(request.parameters, name)
        return {} if given is None else {name: min(given, limit)}

    return parameters(change)


def payload(change: Callable[[Json], Any]) -> Hooks:
    """``change`` sees the body, where it is a JSON object."""
    return Hooks(on_payload=lambda given: change(given) if isinstance(given, dict) else given)


def payload_parameters(change: Callable[[Json], Json]) -> Hooks:
    """``change`` gives the ``parameters`` object that is checked instead of the one in the body."""

    def on_payload(payload: Any) -> Any:
        if isinstance(payload, dict) and isinstance(payload.get("parameters"), dict):
            return {**payload, "parameters": change(payload["parameters"])}
        return payload

    return Hooks(on_payload=on_payload)


# ---------------------------------------------------------------- on the way out


def steps(change: Callable[[Step, Request], Step]) -> Hooks:
    def on_steps(events: Events, request: Request) -> Events:
        for event in events:
            yield event if isinstance(event, Prefill) else change(event, request)

    return Hooks(on_steps=on_steps)


def reply(change: Callable[[Any, Request], Any]) -> Hooks:
    return Hooks(on_reply=change)


def details(change: Callable[[Json, Request], Any]) -> Hooks:
    """``change`` sees the details of a plain reply, its ``best_of_sequences``, and those of a stream's last event."""

    def on_reply(whole: Json, request: Request) -> Json:
        if "details" not in whole:
            return whole
        inner = whole["details"]
        if "best_of_sequences" in inner:
            inner = {**inner, "best_of_sequences": [change(other, request) for other in inner["best_of_sequences"]]}
        return {**whole, "details": change(inner, request)}

    def on_events(objects: Objects, request: Request) -> Objects:
        for event in objects:
            yield event if event.get("details") is None else {**event, "details": change(event["details"], request)}

    return Hooks(on_reply=on_reply, on_events=on_events)


def plain_details(change: Callable[[Json, Request], Any]) -> Hooks:
    """As ``details``, but streams stay clean."""
    return Hooks(on_reply=details(change).on_reply)


def tokens(change: Callable[[Json], Json]) -> Hooks:
    """``change`` sees each generated token's object, in plain replies and in streams."""
    inside = plain_details(lambda inner, _: {**inner, "tokens": [change(token) for token in inner["tokens"]]})
    each = events(lambda event, _: {**event, "token": change(event["token"])})
    return Hooks(on_reply=inside.on_reply, on_events=each.on_events)


def events(change: Callable[[Json, Request], Any]) -> Hooks:
    """``change`` sees each event of a stream."""

    def on_events(objects: Objects, request: Request) -> Objects:
        for event in objects:
            yield change(event, request)

    return Hooks(on_events=on_events)


def last_event(change: Callable[[Json, Request], Any]) -> Hooks:
    """``change`` sees the last event of a stream only."""
    return events(lambda event, request: event if event.get("generated_text") is None else change(event, request))


def frames(change: Callable[[Iterator[bytes]], Iterator[bytes]]) -> Hooks:
    def on_frames(stream: Frames, _: Request) -> Frames:
        return change(stream)

    return Hooks(on_frames=on_frames)


def refusals(change: Callable[[Reply], Reply]) -> Hooks:
    """``change`` sees each answer that is an error."""
    return Hooks(on_answer=lambda reply: change(reply) if reply.status >= 400 else reply)


# ---------------------------------------------------------------- replies


def is_stream(reply: Reply) -> bool:
    return not isinstance(reply.body, bytes)


def with_content_type(reply: Reply, content_type: str) -> Reply:
    others = tuple((name, value) for name, value in reply.headers if name != "content-type")
    return replace(reply, headers=(("content-type", content_type), *others))


def with_error(reply: Reply, change: Callable[[Json], Json]) -> Reply:
    assert isinstance(reply.body, bytes)
    return replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())


def without(whole: Json, key: str) -> Json:
    return {name: value for name, value in whole.items() if name != key}
