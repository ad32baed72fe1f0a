"""The page, by parsing: what stands where, that nothing from outside becomes markup, that its policy allows its own parts only."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from contract_tests.clauses import CLAUSES
from contract_tests.report.html import to_html

VOID = {"meta", "link", "input", "rect", "wbr", "br", "img"}


class Tree(HTMLParser):
    """Every element with its attributes and its own text; refuses tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert [] == self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> str:
        return "".join(self.texts.get(tag, []))


def test_the_page_nests_and_names_every_clause_once_in_order(result: dict[str, Any]) -> None:
    tree = Tree(to_html(result))

    ids = [it["id"] for it in tree.all("li") if "data-kind" in it]
    assert [f"clause:{id}" for id in CLAUSES] == ids


def test_every_id_of_the_page_stands_once(result: dict[str, Any]) -> None:
    tree = Tree(to_html(result))

    ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_what_a_server_says_becomes_no_element(result: dict[str, Any]) -> None:
    page = to_html(result)
    tree = Tree(page)

    assert [{}] == tree.all("script")
    assert [] == tree.all("img")
    assert [] == tree.all("b") or all(not it for it in tree.all("b"))
    assert "&lt;/script&gt;&lt;script&gt;window.hacked" in page
    assert "nothing &lt;b&gt;showed&lt;/b&gt; it" in page


def test_no_attribute_holds_a_script_a_style_or_an_address_elsewhere(result: dict[str, Any]) -> None:
    tree = Tree(to_html(result))

    for tag, attributes in tree.elements:
        assert not any(name.startswith("on") or name in ("src", "style", "action") for name in attributes), tag
        assert (attributes.get("href") or "#").startswith(("#", "data:,")), attributes


def test_nothing_in_the_page_is_invisible_or_beyond_utf8(result: dict[str, Any]) -> None:
    page = to_html(result)

    page.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)
    assert "\\u202e" in page
    assert "\\x00" in page


def test_the_policy_holds_the_digests_of_the_very_style_and_script(result: dict[str, Any]) -> None:
    page = to_html(result)
    policy = next(it["content"] for it in Tree(page).all("meta") if it.get("http-equiv") == "Content-Security-Policy")

    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_style_and_script_ask_for_nothing_from_elsewhere(result: dict[str, Any]) -> None:
    tree = Tree(to_html(result))

    assert not re.search(r"url\(|@import|http", tree.text("style"))
    assert not re.search(r"fetch\(|XMLHttp|eval\(|Function\(|innerHTML|import\(", tree.text("script"))


def test_the_top_tells_verdict_figures_seed_and_version(result: dict[str, Any]) -> None:
    head = to_html(result).split("<main", 1)[0]

    for words in ("breaks the contract", ">12<", ">345<", "6.789 s", ">7<", ">documented<", result["tool"]["version"], "grammar"):
        assert words in head, words


def test_skipped_and_inconclusive_clauses_say_why(result: dict[str, Any]) -> None:
    page = to_html(result)

    assert "Inconclusive: needs | 400 requests" in page
    assert "Skipped: nothing &lt;b&gt;" in page


def test_a_stream_is_told_piece_by_piece_with_arrival_and_token(result: dict[str, Any]) -> None:
    page = to_html(result)

    assert "3 pieces, the first after 0.100 s, the last after 0.400 s" in page
    assert page.count('<span class="token">') == 1
    assert "&#34; café&#34;" in page
    assert "data:\\xff\\r↵" in page


def test_a_pair_shows_both_requests_and_both_curl_lines(result: dict[str, Any]) -> None:
    part = to_html(result).split('id="clause:parameters.seed.repeats"')[1].split("</section>")[0]

    assert "Request 1 of 2" in part
    assert "Request 2 of 2, which shows it" in part
    assert 2 == part.count('class="copy js"')


def test_a_result_of_an_earlier_version_without_exchanges_is_shown_too(result: dict[str, Any]) -> None:
    for clause in result["clauses"]:
        for violation in clause["violations"]:
            del violation["exchange"]
    del result["strict"]

    assert "breaks the contract" in to_html(result)


@pytest.mark.parametrize(("verdict", "word", "stale"), [("fail", "known", False), ("pass", "stale", True)])
def test_a_listed_deviation_says_why(result: dict[str, Any], verdict: str, word: str, stale: bool) -> None:
    clause = next(it for it in result["clauses"] if it["verdict"] == verdict)
    clause["deviation"] = {"why": "the <gateway>", "link": "javascript:alert(1)", "stale": stale}
    page = to_html(result)
    part = page.split(f'id="clause:{clause["id"]}"')[1].split("</li>")[0]

    assert f"</span> {word}</span>" in part
    assert "the &lt;gateway&gt;" in part
    assert 'href="javascript' not in part


def test_a_run_that_judged_nothing_claims_nothing(result: dict[str, Any]) -> None:
    result["clauses"] = []
    result["summary"] |= {"pass": 0, "fail": 0, "skip": 0, "inconclusive": 0, "verdict": "pass"}

    assert "could not be judged: nothing was shown" in to_html(result)


def colours(style: str, dark: bool) -> dict[str, str]:
    light_part, dark_part = style.split("@media screen and (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light_part))
    return found | (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark_part)) if dark else {})


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_has_a_contrast_of_4_5(result: dict[str, Any], dark: bool) -> None:
    found = colours(Tree(to_html(result)).text("style"), dark)
    pairs = [(text, ground) for text in ("text", "soft", "link") for ground in ("ground", "card", "sunk")]
    pairs += [(kind, "card") for kind in ("pass", "fail", "warn", "inconclusive", "skip", "error")]
    pairs += [(kind, f"{kind}-ground") for kind in ("fail", "warn", "inconclusive", "error")]

    for text, ground in pairs:
        lighter, darker = sorted((luminance(found[text]), luminance(found[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)
