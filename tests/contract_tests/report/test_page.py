"""The page in a browser: it opens without a complaint and without asking anybody for anything, and its parts work."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contract_tests.report.html import to_html

SHOWN = "[...document.querySelectorAll('.clause')].filter(row => row.offsetParent !== null).map(row => row.dataset.kind)"


@pytest.fixture
def opened(page: Any, result: dict[str, Any], tmp_path: Path) -> Any:
    file = tmp_path / "report.html"
    file.write_text(to_html(result), encoding="utf-8")
    page.open(file.as_uri())
    page.address = file.as_uri()
    return page


def press_on(page: Any, selector: str, key: str, code: int, text: str = "") -> None:
    page.run(f"document.querySelector({selector!r}).focus()")
    page.press(key, code, text)


def test_it_opens_without_an_error_and_without_another_request(opened: Any) -> None:
    opened.run("document.querySelectorAll('details').forEach(it => { it.open = true; })")

    assert [opened.address] == opened.requests
    assert [] == opened.complaints
    assert opened.run("window.hacked") is None


def test_buttons_filter_from_the_keyboard_and_tell_the_address(opened: Any, result: dict[str, Any]) -> None:
    assert len(result["clauses"]) == len(opened.run(SHOWN))

    press_on(opened, "[data-show=fail]", "Enter", 13, "\r")

    assert ["fail"] * 3 == opened.run(SHOWN)
    assert "#show=fail" == opened.run("location.hash")
    assert "true" == opened.run("document.querySelector('[data-show=fail]').ariaPressed")
    assert f"3 of {len(result['clauses'])} clauses" == opened.run("document.querySelector('.shown').textContent")


def test_words_narrow_it_further_and_empty_sections_go(opened: Any) -> None:
    opened.run("document.querySelector('[data-show=fail]').click()")
    opened.run("document.getElementById('find').focus()")
    opened.send("Input.insertText", text="index EVENTS")

    assert ["fail"] == opened.run(SHOWN)
    assert "#show=fail&find=index+EVENTS" == opened.run("location.hash")
    assert ["Stream"] == opened.run("[...document.querySelectorAll('main > section:not([hidden]) h2')].map(it => it.textContent)")

    opened.send("Input.insertText", text=" no such words")

    assert [] == opened.run(SHOWN)
    assert opened.run("document.querySelector('.nothing').offsetParent !== null")


def test_the_state_comes_back_from_the_address_and_by_going_back(opened: Any) -> None:
    opened.open("about:blank")
    opened.open(f"{opened.address}#show=inconclusive")
    assert ["inconclusive"] == opened.run(SHOWN)

    opened.run("document.querySelector('[data-show=skip]').click()")
    assert ["skip"] == opened.run(SHOWN)

    opened.run("new Promise(done => { addEventListener('popstate', () => setTimeout(done)); history.back(); })")
    assert ["inconclusive"] == opened.run(SHOWN)


@pytest.mark.parametrize("anchor", ["#show=nonsense", "#%E0%A4%A", "#clause:none", "#=&&=%00", "#<img src=x>"])
def test_an_address_that_means_nothing_shows_everything(opened: Any, result: dict[str, Any], anchor: str) -> None:
    opened.open("about:blank")
    opened.open(opened.address + anchor)

    assert len(result["clauses"]) == len(opened.run(SHOWN))
    assert [] == opened.complaints


def test_a_link_to_a_clause_opens_its_violation_whatever_is_filtered(opened: Any) -> None:
    opened.run("document.querySelector('[data-show=skip]').click()")
    opened.run(
        "new Promise(done => { addEventListener('hashchange', () => setTimeout(done)); document.querySelector('nav a').click(); })"
    )

    assert opened.run("document.querySelector(':target .violation').open")
    assert opened.run("document.querySelector(':target').getBoundingClientRect().top") < 800


def test_a_violation_opens_from_the_keyboard(opened: Any) -> None:
    press_on(opened, ".violation > summary", "Enter", 13, "\r")

    assert opened.run("document.querySelector('.violation').open")


def test_the_copy_button_copies_the_curl_line(opened: Any) -> None:
    opened.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    opened.send("Page.bringToFront")
    opened.run("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    copied = opened.run(
        "(async () => { const button = document.querySelector('.copy'); button.click();"
        " await new Promise(done => setTimeout(done, 100));"
        " return [button.textContent, await navigator.clipboard.readText(), button.parentElement.querySelector('code').textContent]; })()"
    )

    assert "Copied" == copied[0]
    assert copied[1] == copied[2]
    assert copied[1].startswith("curl -sS -N -X POST http://127.0.0.1:8080/")


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(opened: Any, width: int) -> None:
    opened.resize(width)
    opened.run("document.querySelectorAll('details').forEach(it => { it.open = true; })")

    assert opened.run("document.documentElement.scrollWidth <= window.innerWidth")
    wider = "[...document.body.querySelectorAll('*')].filter(it => it.getBoundingClientRect().right > innerWidth + 1)"
    assert [] == opened.run(f"{wider}.map(it => it.outerHTML.slice(0, 99))")


def test_dark_mode_follows_the_reader(opened: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = opened.run(ground)
    opened.resize(1280, scheme="dark")

    assert light != opened.run(ground)


def test_on_paper_all_is_open_and_the_filter_is_gone(opened: Any) -> None:
    opened.run("dispatchEvent(new Event('beforeprint'))")
    opened.resize(1280, media="print", scheme="dark")

    assert opened.run("[...document.querySelectorAll('details')].every(it => it.open)")
    assert "none" == opened.run("getComputedStyle(document.querySelector('.filter')).display")
    assert "rgb(251, 250, 248)" == opened.run("getComputedStyle(document.body).backgroundColor")

    opened.run("dispatchEvent(new Event('afterprint'))")
    assert not opened.run("[...document.querySelectorAll('.violation')].some(it => it.open)")


def test_without_scripts_everything_is_there(opened: Any, result: dict[str, Any]) -> None:
    opened.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        opened.open("about:blank")
        opened.open(opened.address)
        assert len(result["clauses"]) == len(opened.run(SHOWN))
        assert opened.run("document.querySelector('.filter').hidden")
    finally:
        opened.send("Emulation.setScriptExecutionDisabled", value=False)


def test_every_control_has_a_name_and_headings_skip_no_level(opened: Any) -> None:
    opened.run("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    nodes = opened.send("Accessibility.getFullAXTree")["nodes"]
    controls = [
        node for node in nodes if node.get("role", {}).get("value") in ("button", "searchbox", "link", "DisclosureTriangle")
    ]

    assert controls
    assert all(node.get("name", {}).get("value", "").strip() for node in controls)
    levels = opened.run("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(it => Number(it.tagName[1]))")
    assert all(after - before <= 1 for before, after in pairwise(levels))
