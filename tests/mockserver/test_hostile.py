"""What a request cannot do: reach a file, or have its own markup shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

import mockserver
from mockserver import Config, create_app

MARKUP = "<script>alert(1)</script>"
PATHS = (
    "/../../../../etc/passwd",
    "/docs/../../etc/passwd",
    "/docs/%2e%2e/%2e%2e/pyproject.toml",
    "/docs/page.html%00.js",
    "/docs/..%5c..%5csecret",
    "/models/../../etc/passwd",
    "/models/%2fetc%2fpasswd",
    "/models/file:///etc/passwd",
    "/_mock/models/../../etc/passwd",
    "//etc/passwd",
)
OPENED: list[str] = []
WATCHING = False


def note(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        OPENED.append(str(arguments[0]))


sys.addaudithook(note)


@contextmanager
def watching() -> Iterator[list[str]]:
    """Every file that is opened meanwhile."""
    global WATCHING
    OPENED.clear()
    WATCHING = True
    yield OPENED
    WATCHING = False


@pytest.mark.parametrize("dialect", ["documented", "tgi", "hosted"])
def test_no_request_opens_a_file(dialect: str) -> None:
    client = create_app(Config(dialect=dialect)).test_client()
    with watching() as opened:
        for path in PATHS:
            for method in ("GET", "POST", "DELETE"):
                client.open(path, method=method, json={"inputs": "hi"})
        for value in ("../../etc/passwd", "/etc/passwd", "file:///etc/passwd"):
            client.post("/", json={"inputs": value, "parameters": {"adapter_id": value}})
            client.post("/", json={"inputs": "hi"}, headers={"x-mock-fault": value, "x-mock-scope": value})
            client.post(
                "/_mock/scripts", json={"rules": [{"prompt": value, "reply": {"template": "{% include '" + value + "' %}"}}]}
            )
            client.post("/", json={"inputs": value})
            client.post("/_mock/faults", json={"name": value})

    # parts of the program that are read when they are first needed
    ours = [name for name in opened if name.startswith((sys.base_prefix, sys.prefix, str(Path(mockserver.__file__).parent)))]
    assert [] == [name for name in opened if name not in ours]
    assert not any(word in name for name in ours for word in ("passwd", "pyproject", "secret"))


def test_the_watch_sees_a_file() -> None:
    with watching() as opened, open(__file__):
        pass

    assert [__file__] == opened


@pytest.mark.parametrize("dialect", ["documented", "tgi", "hosted"])
def test_no_markup_of_a_request_comes_back_as_html(dialect: str) -> None:
    client = create_app(Config(dialect=dialect)).test_client()
    headers = {"accept": "text/html", "x-use-cache": MARKUP, "x-mock-fault": MARKUP, "x-mock-scope": MARKUP}
    replies = [
        client.open(
            f"{path}?prompt={quote(MARKUP)}&{quote(MARKUP)}=1", method=method, data=data, content_type=media_type, headers=headers
        )
        for path in (
            f"/{quote(MARKUP)}",
            f"/models/{quote(MARKUP)}",
            f"/docs/{quote(MARKUP)}",
            "/",
            "/docs",
            "/_mock/requests",
            "/_mock/faults",
        )
        for method in ("GET", "POST", "DELETE")
        for data, media_type in (
            (MARKUP, "application/json"),
            (MARKUP, MARKUP),
            (f'{{"inputs": {{"{MARKUP}": 1}}}}', "application/json"),
        )
    ]
    as_html = [reply for reply in replies if reply.mimetype not in ("application/json", "text/plain", "text/event-stream", "")]

    assert any(MARKUP in reply.get_data(as_text=True) for reply in replies)  # it is said, but as data
    assert not any("script>alert" in reply.get_data(as_text=True) for reply in as_html)
    assert not any(MARKUP in str(value) for reply in replies for value in reply.headers.values())
