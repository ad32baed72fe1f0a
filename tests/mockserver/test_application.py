"""Flask as it is used here does what Flask does."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask, g, request, request_started, session

from mockserver.application import KNOWN_PATHS, Answer, Application, current_request


@pytest.fixture
def app() -> Application:
    app = Application("here")
    app.add_url_rule("/things/<name>", "thing", lambda name: Answer(name.encode(), 200, [("x-seen", name)]), methods=["GET", "POST"])
    return app


def test_a_whole_reply_is_one_piece_with_its_length(app: Application) -> None:
    response = app.test_client().get("/things/one")

    assert (b"one", 200) == (response.data, response.status_code)
    assert {"content-length": "3", "x-seen": "one"} == dict(response.headers)


def test_a_stream_has_no_length_and_is_closed_at_its_end(app: Application) -> None:
    ended = []

    def pieces() -> object:
        try:
            yield b"a"
            yield b"b"
        finally:
            ended.append(True)

    app.add_url_rule("/stream", "stream", lambda: Answer(pieces(), 200, []))  # type: ignore[arg-type]
    response = app.test_client().get("/stream")

    assert (b"ab", None, [True]) == (response.data, response.headers.get("content-length"), ended)


def test_head_has_the_headers_of_get_and_no_body(app: Application) -> None:
    response = app.test_client().head("/things/one")

    assert (b"", 200, "3") == (response.data, response.status_code, response.headers["content-length"])


def test_a_path_that_is_remembered_keeps_its_values_apart(app: Application) -> None:
    client = app.test_client()
    names = [f"n{number % (KNOWN_PATHS + 50)}" for number in range(3 * KNOWN_PATHS)]

    assert [name.encode() for name in names] == [client.get(f"/things/{name}").data for name in names]


def test_what_is_nowhere_or_not_allowed_is_so_each_time(app: Application) -> None:
    client = app.test_client()

    assert [404, 404, 405, 405, 200] == [
        client.open(path, method=method).status_code
        for path, method in (("/x", "GET"), ("/x", "GET"), ("/things/a", "PUT"), ("/things/a", "PUT"), ("/things/a", "OPTIONS"))
    ]


def test_hooks_run_in_flasks_order_and_the_first_answer_wins(app: Application) -> None:
    app.before_request(lambda: None)
    app.before_request(lambda: Answer(b"before", 200, []) if request.path == "/things/no" else None)
    order: list[str] = []

    def mark(name: str) -> object:
        return lambda response: order.append(name) or response

    app.after_request(mark("first"))  # type: ignore[arg-type]
    app.after_request(mark("second"))  # type: ignore[arg-type]
    client = app.test_client()

    assert [b"yes", b"before"] == [client.get("/things/yes").data, client.get("/things/no").data]
    assert ["second", "first"] * 2 == order


def test_an_error_in_a_view_comes_to_its_handler(app: Application) -> None:
    def fail() -> None:
        raise LookupError("gone")

    app.add_url_rule("/fails", "fails", fail)
    app.register_error_handler(LookupError, lambda error: Answer(str(error).encode(), 410, []))

    assert (b"gone", 410) == (app.test_client().get("/fails").data, app.test_client().get("/fails").status_code)


def test_blueprints_teardowns_and_signals_of_others_still_work(app: Application) -> None:
    seen: list[str] = []
    added = Blueprint("added", "here")
    added.before_request(lambda: seen.append("blueprint"))  # type: ignore[arg-type, func-returns-value]
    added.add_url_rule("/added", "added", lambda: Answer(b"added", 200, []))
    app.register_blueprint(added)
    app.teardown_request(lambda _: seen.append("teardown"))

    def note(_sender: Flask, **_: object) -> None:
        seen.append("signal")

    with request_started.connected_to(note, app):
        app.test_client().get("/added")
        app.test_client().get("/added")

    assert ["signal", "blueprint", "teardown"] * 2 == seen


def test_each_request_has_a_g_of_its_own_and_nobody_a_session(app: Application) -> None:
    def look() -> Answer:
        fresh = "mark" not in g
        g.mark = True
        return Answer(f"{fresh} {dict(session)}".encode(), 200, [])

    app.add_url_rule("/look", "look", look)
    client = app.test_client()

    assert [b"True {}", b"True {}"] == [client.get("/look").data, client.get("/look").data]


def test_the_request_is_the_one_behind_flasks_proxy(app: Application) -> None:
    with app.test_request_context("/things/one"):
        assert current_request() is request._get_current_object()  # type: ignore[attr-defined]
