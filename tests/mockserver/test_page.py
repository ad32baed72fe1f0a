"""The page to try the server with: who gets it, what it asks for, and, in a browser, that its parts work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
from flask import Flask

from mockserver.live import TextgenMock
from mockserver.page.routes import FILES

Serve = Callable[..., Flask]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked=1"> \u202e ok'


# ---------------------------------------------------------------- over HTTP


@pytest.mark.parametrize("dialect", ["documented", "tgi", "hosted"])
def test_a_browser_gets_the_page_at_the_root(serve: Serve, dialect: str) -> None:
    client = serve(dialect=dialect).test_client()

    assert client.get("/docs").data == client.get("/", headers={"accept": BROWSER}).data


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain, */*", ""])
def test_any_other_client_of_the_root_gets_what_it_got_before(serve: Serve, accept: str) -> None:
    refused = serve().test_client().get("/", headers={"accept": accept})

    assert 405 == refused.status_code
    assert {"POST", "OPTIONS"} == {*refused.headers["allow"].split(", ")}
    assert b"" == serve(dialect="tgi").test_client().get("/", headers={"accept": accept}).data


def test_each_file_is_served_under_a_strict_policy(serve: Serve) -> None:
    client = serve().test_client()
    for path in ("/docs", "/docs/desk.json", *(f"/docs/{name}" for name in sorted(FILES))):
        response = client.get(path)

        assert 200 == response.status_code
        assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in response.headers["content-security-policy"]
        assert "nosniff" == response.headers["x-content-type-options"]


def test_no_other_file_is_served(serve: Serve) -> None:
    client = serve().test_client()

    assert {404} == {client.get(f"/docs/{name}").status_code for name in ("routes.py", "__init__.py", "page.html", "..%2fapp.py")}


def test_a_file_that_the_browser_has_is_not_sent_again(serve: Serve) -> None:
    client = serve().test_client()
    tag = client.get("/docs/page.css").headers["etag"]

    assert 304 == client.get("/docs/page.css", headers={"if-none-match": tag}).status_code


def test_every_file_of_the_package_is_served_and_names_nobody_else() -> None:
    parts = [file for file in files("mockserver.page").iterdir() if file.name.endswith((".html", ".css", ".js"))]
    texts = {file.name: file.read_text(encoding="utf-8") for file in parts}

    assert {*FILES, "page.html"} == texts.keys()
    assert {"http://www.w3.org/2000/svg"} == {found for text in texts.values() for found in re.findall(r"https?://[\w./]+", text)}
    assert not [
        name for name, text in texts.items() if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    ]


def test_looking_at_the_page_is_no_request(serve: Serve) -> None:
    client = serve(seed=1).test_client()
    client.post("/_mock/reset", json={})
    client.get("/", headers={"accept": BROWSER})
    for path in ("/docs", "/docs/page.js", "/docs/desk.json", "/openapi.json"):
        client.get(path)

    assert [] == client.get("/_mock/requests").get_json()


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def mock() -> Iterator[TextgenMock]:
    with TextgenMock() as mock:
        yield mock


@pytest.fixture
def opened(page: Any, mock: TextgenMock) -> Any:
    mock.reset()
    page.open(f"{mock.url}/docs")
    page.until("document.body.dataset.ready")
    return page


def send(page: Any) -> None:
    """Press Send, and wait for the end of the answer."""
    page.run("document.getElementById('send').click()")
    page.until("document.getElementById('stop').hidden")


def put(page: Any, selector: str, text: str) -> None:
    """Type into a field what was not there."""
    page.run(f"{{ const field = document.querySelector({selector!r}); field.focus(); field.select(); }}")
    page.send("Input.insertText", text=text)


def text(page: Any, selector: str) -> str:
    return str(page.run(f"document.querySelector({selector!r}).innerText"))


def tokens(page: Any) -> list[str]:
    found: list[str] = page.run("[...document.querySelectorAll('.token')].map(it => it.textContent)")
    return found


def test_it_opens_without_a_complaint_and_asks_nobody_else(opened: Any, mock: TextgenMock) -> None:
    send(opened)

    assert [] == opened.complaints
    assert {mock.url} == {"/".join(address.split("/")[:3]) for address in opened.requests if not address.startswith("data:")}


def test_the_form_has_every_parameter_with_its_bounds(opened: Any, mock: TextgenMock) -> None:
    import spec

    names = opened.run("[...document.querySelectorAll('#parameters .field')].map(it => it.dataset.name)")

    assert [*spec.openapi()["components"]["schemas"]["Parameters"]["properties"]] == names
    assert text(opened, "#about-top_p").endswith("(> 0, ≤ 1)")
    assert text(opened, "#about-best_of").endswith(f"(≥ 1, ≤ {mock.config.max_best_of})")
    assert text(opened, "#about-seed").endswith("(≥ 0, < 2^64)")


def test_what_is_typed_is_sent_and_the_answer_comes_token_by_token(opened: Any, mock: TextgenMock) -> None:
    put(opened, "#inputs", "Good morning")
    put(opened, "[data-name=max_new_tokens] input", "7")
    send(opened)

    (asked,) = mock.requests
    assert {"details": True, "max_new_tokens": 7, "top_n_tokens": 5} == asked.parameters
    assert ("Good morning", True) == (asked.prompt, asked.stream)
    assert 7 == len(tokens(opened))
    assert "200 OK\nlength" == text(opened, "#outcome")


def test_the_answer_without_stream_has_the_same_tokens(opened: Any, mock: TextgenMock) -> None:
    send(opened)
    streamed = tokens(opened)
    opened.run("document.getElementById('stream').click()")
    send(opened)

    assert [True, False] == [asked.stream for asked in mock.requests]
    assert streamed == tokens(opened)


def test_less_likely_tokens_are_shaded_more(opened: Any) -> None:
    send(opened)
    shades = opened.run("""
        [...document.querySelectorAll('.token')].map(it =>
            [Number(it.dataset.doubt), parseFloat(it.ariaLabel.split(', ').at(-1)), getComputedStyle(it).backgroundColor])
    """)

    assert all((likely > 80) == (doubt == 0) for doubt, likely, _ in shades)
    assert len({doubt for doubt, _, _ in shades}) == len({colour for _, _, colour in shades}) > 1


@pytest.mark.parametrize("way", ["focus", "hover", "tap"])
def test_pointing_at_a_token_shows_what_it_could_have_been(opened: Any, way: str) -> None:
    send(opened)
    box = "document.querySelectorAll('.token')[3].getBoundingClientRect()"
    x, y = opened.run(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({box})")
    if way == "focus":
        opened.run("document.querySelectorAll('.token')[2].focus()")
        opened.press("ArrowRight", 39)
    elif way == "hover":
        opened.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    else:
        opened.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        opened.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    opened.until("!document.getElementById('tip').hidden")

    assert "token 4, id" in text(opened, "#tip")
    assert 5 == opened.run("document.querySelectorAll('#tip tr').length")
    assert opened.run("document.querySelectorAll('.token')[3].ariaSelected") == "true"


def test_a_fault_at_a_click_shows_its_error(opened: Any) -> None:
    opened.run("document.getElementById('tab-faults').click()")
    put(opened, "#fault-find", "http-503-retry")
    opened.run("document.querySelector('#fault-list li:not([hidden]) button').click()")
    opened.until("document.querySelector('#armed li')")

    assert "http-503-retry-after ×1" == text(opened, "#armed")
    send(opened)
    assert "overloaded Model is overloaded (Retry-After: 1)" == text(opened, "#trouble")
    opened.until("!document.querySelector('#armed li')")


def test_a_fault_can_be_taken_away(opened: Any) -> None:
    opened.run("document.getElementById('tab-faults').click()")
    opened.run("document.getElementById('fault-times').value = ''")
    opened.run("document.querySelector('#fault-list button').click()")
    opened.until("document.querySelector('#armed li')")
    opened.run("document.getElementById('disarm').click()")
    opened.until("!document.querySelector('#armed li')")
    send(opened)

    assert "200 OK" in text(opened, "#outcome")


def test_an_error_in_mid_stream_leaves_the_tokens_before_it(opened: Any, mock: TextgenMock) -> None:
    mock.fault("stream-error")
    send(opened)

    assert 3 == len(tokens(opened))
    assert text(opened, "#trouble").startswith("generation The stream told an error: Request failed")


@pytest.mark.parametrize(("fault", "said"), [("stream-cut", "Cut short"), ("stream-cut-off", "Broken off")])
def test_a_cut_stream_is_not_taken_for_a_whole_one(opened: Any, mock: TextgenMock, fault: str, said: str) -> None:
    mock.fault(fault)
    send(opened)

    assert said in text(opened, "#trouble")


@pytest.mark.parametrize("fault", ["frames-crlf", "frames-comments", "frames-split", "frames-joined", "frames-byte-by-byte"])
def test_frames_that_are_hard_to_read_are_read(opened: Any, mock: TextgenMock, fault: str) -> None:
    send(opened)
    plain = tokens(opened)
    mock.fault(fault)
    send(opened)

    assert plain == tokens(opened)
    assert "200 OK" in text(opened, "#outcome")


def test_a_value_out_of_bounds_is_marked_and_the_refusal_shown(opened: Any) -> None:
    put(opened, "[data-name=top_p] input", "1.5")
    send(opened)

    assert "true" == opened.run("document.querySelector('[data-name=top_p] input').ariaInvalid")
    assert text(opened, "#trouble").endswith("`top_p` must be > 0.0 and <= 1.0. Given: 1.5")


def test_a_seed_of_64_bits_is_sent_as_it_is_written(opened: Any, mock: TextgenMock) -> None:
    put(opened, "[data-name=seed] input", "18446744073709551615")
    send(opened)

    assert 18446744073709551615 == mock.requests[0].parameters["seed"]


def test_an_answer_is_told_at_a_click(opened: Any) -> None:
    opened.run("document.getElementById('tab-told').click()")
    put(opened, "#rule-prompt", "Once upon a time")
    put(opened, "#rule-text", "a told end")
    opened.run("document.getElementById('rule').requestSubmit()")
    opened.until("document.querySelector('#rules li')")
    send(opened)

    assert 'the prompt is "Once upon a time": says "a told end"' in text(opened, "#rules")
    assert "a told end</s>" == "".join(tokens(opened))


def test_a_rule_that_cannot_be_is_refused_in_the_servers_words(opened: Any) -> None:
    opened.run("document.getElementById('tab-told').click()")
    opened.run("document.getElementById('rule-kind').value = 'regex'")
    put(opened, "#rule-prompt", "(")
    put(opened, "#rule-text", "x")
    opened.run("document.getElementById('rule').requestSubmit()")
    opened.until("!document.getElementById('rule-trouble').hidden")

    assert "rules[0].prompt is no regular expression" in text(opened, "#rule-trouble")


def test_the_journal_is_live(opened: Any, mock: TextgenMock) -> None:
    mock.app.test_client().post("/", json={"inputs": "from elsewhere"})
    opened.until("document.querySelector('#entries li')")

    assert "from elsewhere" in text(opened, "#entries")


def test_a_request_of_the_journal_goes_back_into_the_form(opened: Any, mock: TextgenMock) -> None:
    mock.app.test_client().post("/generate", json={"inputs": "from elsewhere", "parameters": {"stop": ["a", "b"]}})
    opened.until("document.querySelector('#entries li')")
    opened.run("document.querySelector('#entries summary').click()")
    opened.run("document.querySelector('#entries button').click()")

    assert ["generate", "from elsewhere", "a\nb"] == opened.run(
        "['#address', '#inputs', '[data-name=stop] textarea'].map(it => document.querySelector(it).value)"
    )


def test_nothing_hostile_is_taken_for_html(opened: Any, mock: TextgenMock) -> None:
    mock.script([{"name": HOSTILE[:100], "prompt": HOSTILE, "reply": HOSTILE}])
    put(opened, "#inputs", HOSTILE)
    put(opened, "[data-name=max_new_tokens] input", "100")
    send(opened)
    opened.until("document.querySelector('#entries li')")
    opened.run("document.getElementById('tab-told').click()")
    opened.until("document.querySelector('#rules li')")

    assert f"{HOSTILE}</s>" == "".join(tokens(opened)).replace("·", "")  # a dot where a token has no text yet
    assert opened.run("window.hacked") is None
    assert 0 == opened.run("document.querySelectorAll('main img, main script').length")
    assert [] == opened.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(opened: Any, scheme: str) -> None:
    opened.resize(390, 844, scheme=scheme)
    send(opened)
    opened.run("document.querySelector('.token:last-of-type').focus()")
    for name in ("journal", "told", "faults", "routes"):
        opened.run(f"document.getElementById('tab-{name}').click()")

        assert 390 == opened.run("document.documentElement.scrollWidth")


def test_dark_mode_is_dark_and_readable(opened: Any) -> None:
    colours = "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name].match(/\\d+/g).map(Number))"
    opened.resize(1280, scheme="dark")
    ground, letters = opened.run(colours)

    assert max(ground) < 50 < 200 < min(letters)


def test_without_control_there_is_no_desk(page: Any) -> None:
    with TextgenMock(control=False) as mock:
        page.open(mock.url + "/docs")
        page.until("document.body.dataset.ready")
        send(page)

        assert "--no-control" in text(page, "#desk")
        assert len(tokens(page)) > 10


def test_a_desk_behind_a_token_opens_with_it(page: Any) -> None:
    with TextgenMock(control_token="sesame") as mock:
        mock.script(prompt="a", reply="b")
        page.open(mock.url + "/docs")
        page.until("document.body.dataset.ready && !document.getElementById('key').hidden")
        put(page, "#key-token", "sesame")
        page.run("document.getElementById('key').requestSubmit()")
        page.until("document.querySelector('#rules li')")

        assert page.run("document.getElementById('key').hidden")


def test_what_keeps_the_desk_shut_is_said(page: Any) -> None:
    with TextgenMock(workers=2) as mock:  # whose processes would have a journal each
        page.open(mock.url + "/docs")
        page.until("!document.getElementById('said').hidden")

        assert "control needs --workers 1" in text(page, "#said")


@pytest.mark.parametrize("dialect", ["tgi", "hosted"])
def test_the_habits_of_other_dialects_are_no_matter(page: Any, dialect: str) -> None:
    with TextgenMock(dialect=dialect) as mock:
        page.open(mock.url + "/docs")
        page.until("document.body.dataset.ready")
        send(page)
        streamed = tokens(page)
        page.run("document.getElementById('stream').click()")
        send(page)

        assert streamed == tokens(page)
        put(page, "[data-name=top_p] input", "7")
        send(page)
        assert "top_p" in text(page, "#trouble")
