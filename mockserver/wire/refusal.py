"""An ApiError to the reply that tells it, in the form of the dialect. The one place where a dialect's forms of errors are decided."""

from __future__ import annotations

import spec
from mockserver.errors import ApiError, MethodNotAllowedError, ModelNotFoundError, NotFoundError, UnauthorizedError
from mockserver.messages import Reply
from mockserver.wire import sse
from mockserver.wire.headers import behind_headers, compute_headers
from mockserver.wire.strict_json import write_json

JSON_HEADERS = (("content-type", "application/json"),)
TEXT_HEADERS = (("content-type", "text/plain; charset=utf-8"),)


def refusal(error: ApiError, switches: spec.Switches, frames: str = "spaced") -> Reply:
    """The reply that tells ``error``; ``frames`` is the form of an event."""
    told = tuple(error.headers.items())
    behind = switches.router_behind and error.error_type is not None  # the front door's own errors have no type
    if behind:
        told = (*told, *behind_headers())
    if switches.bare_refusals and isinstance(
        error, (UnauthorizedError, NotFoundError, ModelNotFoundError, MethodNotAllowedError)
    ):
        allowed = error.headers.get("allow")
        return Reply(error.status, () if allowed is None else (("allow", allowed.replace(" ", "")),), b"")
    if switches.plain_text_refusals and error.plain is not None:
        # it may quote half of a surrogate pair
        return Reply(error.status, (*TEXT_HEADERS, *told), error.plain.encode(errors="backslashreplace"), behind)
    if switches.errors_in_stream and error.streamed is not None and error.error_type is not None:
        counted = compute_headers(error.streamed, switches.compute_type) if switches.compute_type else ()
        return Reply(200, (*sse.HEADERS, *counted, *told), iter([sse.frame(error.payload(), frames)]))
    return Reply(error.status, (*JSON_HEADERS, *told), write_json(error.payload()).encode("ascii"), behind)
