"""The Markdown summary, by a parser of Markdown: its tables keep their shape whatever a server says, and nothing of it becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from contract_tests.report.markdown import LIMIT, escaped, fenced, to_markdown

ALLOWED = {"h2", "h3", "p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "em"}


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: set[str] = set()
        self.cells: list[int] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.cells.append(0)
        elif tag in ("td", "th"):
            self.cells[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


def rendered(markdown: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def test_a_hostile_server_breaks_out_of_nothing(result: dict[str, Any]) -> None:
    tags = Tags(rendered(to_markdown(result)))

    assert set(tags.seen) <= ALLOWED
    assert tags.attributes <= {"class"}
    assert [] == tags.open


def test_every_row_of_the_violated_clauses_has_six_cells(result: dict[str, Any]) -> None:
    part = to_markdown(result).split("### Violated clauses")[1].split("<details>")[0]

    assert [6] * 4 == Tags(rendered(part)).cells
    assert "<code>stream.index.counts</code>" in part
    assert "<code>index</code> counts the events" in part


def test_verdict_and_figures_stand_first(result: dict[str, Any]) -> None:
    head = to_markdown(result).split("### ")[0]

    assert head.startswith("## ❌ Breaks the contract\n")
    for figure in ("| 12 |", "| 345 |", "| 6.8 |", "| 7 |", f"| {result['tool']['version']} |"):
        assert figure in head


def test_the_details_hold_the_curl_line_and_the_stream(result: dict[str, Any]) -> None:
    markdown = to_markdown(result)

    assert result["clauses"][0]["verdict"] == "pass"
    assert """```sh\ncurl -sS -N -X POST http://127.0.0.1:8080/""" in markdown
    assert "    0.100 s  data:" in markdown
    assert "Compared with 1 other request" in markdown


def test_what_was_not_judged_says_why(result: dict[str, Any]) -> None:
    assert "| inconclusive | <code>stream.events</code> | <code>needs &#124; 400 requests</code> |" in to_markdown(result)


def test_a_clean_run_is_short(result: dict[str, Any]) -> None:
    result["clauses"] = [clause for clause in result["clauses"] if clause["verdict"] == "pass"]
    result["summary"] |= {"fail": 0, "verdict": "pass"}
    markdown = to_markdown(result)

    assert markdown.startswith("## ✅ Keeps the contract")
    assert "###" not in markdown
    assert len(markdown) < 1_000


def test_deviations_are_told_apart_from_violations(result: dict[str, Any]) -> None:
    known, stale = (next(it for it in result["clauses"] if it["verdict"] == verdict) for verdict in ("fail", "pass"))
    known["deviation"] = {"why": "the gateway", "link": "", "stale": False}
    stale["deviation"] = {"why": "the gateway", "link": "", "stale": True}
    table, *details = to_markdown(result).split("<details>")

    assert f"stale | <code>{stale['id'].replace('_', '&#95;')}</code>" in table
    assert known["id"] not in table
    assert f"| known | <code>{known['id'].replace('_', '&#95;')}</code> | <code>the gateway</code> |" in details[-1]


@pytest.mark.parametrize("copies", [40, 400])
def test_a_server_that_breaks_everything_fits_a_summary(result: dict[str, Any], copies: int) -> None:
    broken = [clause for clause in result["clauses"] if clause["verdict"] == "fail"]
    for clause in broken:
        clause["violations"][0] |= {"actual": "é|" * 20_000, "expected": "\U0001f600`" * 20_000, "curl": "x" * 30_000}
    result["clauses"] += broken * copies
    markdown = to_markdown(result)

    assert len(markdown.encode()) < LIMIT + 200
    assert [] == Tags(rendered(markdown)).open
    assert "more stand in results.json" in markdown


@given(st.text(alphabet=st.sampled_from("|`\\\n<>&*_[]()!#@$:~wwe.htps/- \x00\u202e\ud800é"), max_size=60))
def test_any_text_stays_in_its_cell(text: str) -> None:
    html = rendered(f"| a | b |\n| --- | --- |\n| <code>{escaped(text)}</code> | x |\n")

    assert ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"] == Tags(html).seen
    assert "<td>x</td>" in html


@given(st.text(alphabet="`~\n </details>x", max_size=60))
def test_any_text_stays_in_its_block(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(fenced(text) + "\nafter\n")

    assert ["fence", "paragraph_open", "inline", "paragraph_close"] == [token.type for token in tokens]


def test_nothing_is_linked_or_mentioned(result: dict[str, Any]) -> None:
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", to_markdown(result))

    assert not re.search(r"www\.|https?://|@\w", outside)
