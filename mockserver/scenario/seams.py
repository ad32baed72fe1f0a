"""The places where a scenario may take hold of a request on its way, and the Fault that does so.

The clean server walks the same way with nothing at the seams. Knows no fault by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mockserver.messages import Prefill, Reply, Request, Step

Events = Iterator[Prefill | Step]
Objects = Iterator[Any]
Frames = Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What is done at each seam, in the order a request passes them. The Request is the one that the client sent."""

    on_headers: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None
    """the headers of the request, names in lower case: to look at, and to refuse"""
    on_body: Callable[[bytes], bytes] | None = None
    """the bytes of the body"""
    on_payload: Callable[[Any], Any] | None = None
    """the decoded body, before it is checked"""
    on_request: Callable[[Request], Request] | None = None
    """the checked request, before anything is planned"""
    on_deadlines: Callable[[Iterator[float]], Iterator[float]] | None = None
    """the seconds after which each token is due"""
    on_steps: Callable[[Events, Request], Events] | None = None
    """the steps of one sequence"""
    on_reply: Callable[[Any, Request], Any] | None = None
    """the object of a reply without stream"""
    on_events: Callable[[Objects, Request], Objects] | None = None
    """the objects of a stream"""
    on_frames: Callable[[Frames, Request], Frames] | None = None
    """the bytes of a stream"""
    on_answer: Callable[[Reply], Reply] | None = None
    """status, headers and body of any answer, a refusal too"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the contract: ``statement`` is the id of the promise it breaks, ``sentence`` says what the server does.

    ``make`` gives the hooks anew for each server, so that what one remembers is its own.
    """

    name: str
    statement: str
    sentence: str
    make: Callable[[], Hooks]


class Seams:
    """The hooks of some faults, one after the other, as one function for each seam."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        hooks = [fault.make() for fault in faults]
        self.headers: Callable[[Mapping[str, str]], Mapping[str, str]] = _chain(each.on_headers for each in hooks)
        self.body: Callable[[bytes], bytes] = _chain(each.on_body for each in hooks)
        self.payload: Callable[[Any], Any] = _chain(each.on_payload for each in hooks)
        self.request: Callable[[Request], Request] = _chain(each.on_request for each in hooks)
        self.deadlines: Callable[[Iterator[float]], Iterator[float]] = _chain(each.on_deadlines for each in hooks)
        self.paced = any(each.on_deadlines is not None for each in hooks)
        self.steps: Callable[[Events, Request], Events] = _chain(each.on_steps for each in hooks)
        self.reply: Callable[[Any, Request], Any] = _chain(each.on_reply for each in hooks)
        self.events: Callable[[Objects, Request], Objects] = _chain(each.on_events for each in hooks)
        self.frames: Callable[[Frames, Request], Frames] = _chain(each.on_frames for each in hooks)
        self.answer: Callable[[Reply], Reply] = _chain(each.on_answer for each in hooks)


def _chain(hooks: Iterable[Callable[..., Any] | None]) -> Callable[..., Any]:
    present = tuple(hook for hook in hooks if hook is not None)

    def run(value: Any, *request: Request) -> Any:
        for hook in present:
            value = hook(value, *request)
        return value

    return run
