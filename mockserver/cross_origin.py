"""What browsers are told of replies to pages of other origins, in the form of each known server (switch ``cors``)."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, Response, request

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """``always`` stands on every reply; ``preflight`` on the answer to an OPTIONS that asks for leave.

    ``names_origin``: a page is told its own origin, and that only if it has said it.
    """

    always: Pairs
    preflight: Pairs
    names_origin: bool = False


FORMS: dict[str, CrossOrigin] = {
    "none": CrossOrigin((), ()),
    # tower-http 0.5 as text-generation-inference sets it (router/src/server.rs): no other header than content-type may be sent
    "router": CrossOrigin(
        (("access-control-allow-origin", "*"), ("vary", "origin, access-control-request-method, access-control-request-headers")),
        (("access-control-allow-methods", "GET,POST"), ("access-control-allow-headers", "content-type")),
    ),
    # recorded hosted replies
    "front-door": CrossOrigin(
        (
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        ),
        (
            ("access-control-allow-methods", "GET,POST,OPTIONS"),
            ("access-control-allow-headers", "authorization, content-type, x-use-cache, x-wait-for-model"),
        ),
        names_origin=True,
    ),
}


def add_cross_origin(app: Flask, form: str) -> None:
    """Answer preflights before anything else looks at them, and mark every reply; for "none" nothing."""
    said = FORMS[form]
    if not said.always:
        return

    @app.before_request
    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS":
            return None
        response = Response(status=200, headers=[*said.preflight])
        del response.headers["content-type"]  # of a body that is not there
        return response

    @app.after_request
    def mark(response: Response) -> Response:
        if not request.path.startswith("/_mock/"):
            for name, value in said.always:
                response.headers[name] = value
            if said.names_origin:
                _name_origin(response, request.headers.get("origin"))
        return response


def _name_origin(response: Response, origin: str | None) -> None:
    """As the front door does, to whose ``vary`` a reply of the router behind it brings one of its own."""
    if "access-control-allow-origin" in response.headers:
        response.headers["vary"] = f"origin, {response.headers['vary']}"
    if origin is not None:
        response.headers["access-control-allow-origin"] = origin
