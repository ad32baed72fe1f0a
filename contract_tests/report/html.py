"""The result as one HTML file that needs nothing else: no network, no fonts, no scripts but its own short one.

Everything that is shown passes through the template's escaping; page.html.jinja says how it looks, page.css and page.js are put into it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup, escape

from contract_tests.report.printable import as_bytes, as_text, clip, formatted, printable, reformatted
from contract_tests.report.verdicts import KINDS, TO_LOOK_AT, ending, kinds
from contract_tests.sse import Decoder

SUMMARY_LENGTH = 240
"""Characters of a violation that stand on its closed line."""
PLACES = 1000
"""Width of the picture of a stream, in its own units."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk of a stream: when it came, in the picture's units too; the texts of the tokens that it completed; all of it."""

    at: str
    place: int
    tokens: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Section:
    """Clauses of one section of the page, each with its kind, and how many of each kind there are."""

    name: str
    clauses: list[tuple[str, dict[str, Any]]]
    counts: list[tuple[str, int]]


def to_html(result: dict[str, Any]) -> str:
    """The page of a result as results.json holds it. Pure: the same result gives the same page."""
    style, script = part("page.css"), part("page.js")
    outcomes = kinds(result)
    page = template("page.html.jinja").render(
        result=result,
        ending=ending(result),
        counts=_counts(outcomes),
        to_look_at=[(name, it) for name, it in zip(outcomes, result["clauses"], strict=True) if name in TO_LOOK_AT],
        sections=list(_sections(result, outcomes)),
        style=Markup(style),  # noqa: S704 (our own file)  # nosec B704
        script=Markup(script),  # noqa: S704 (our own file)  # nosec B704
        policy=f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
    )
    return page + "\n"


@cache
def template(name: str) -> jinja2.Template:
    """The template of that file name, escaping all that it shows."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else printable(str(value)),
    )
    environment.globals |= {"KINDS": KINDS, "exchanges": _exchanges, "pieces": _pieces, "reply_texts": _reply_texts}
    environment.globals["request_text"] = _request_text
    environment.filters |= {"brief": _brief, "seconds": _seconds, "line_ends": _line_ends, "quoted": _quoted}
    environment.filters |= {"with_code": _with_code, "breakable": _breakable}
    return environment.from_string(part(name))


def part(name: str) -> str:
    """The text of one of the files that a page is made of."""
    return files("contract_tests.report").joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """How a content security policy names a style or a script of the page itself."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _counts(outcomes: list[str]) -> list[tuple[str, int]]:
    return [(name, outcomes.count(name)) for name in KINDS if name in outcomes]


def _sections(result: dict[str, Any], outcomes: list[str]) -> Iterator[Section]:
    for name, rows in groupby(zip(outcomes, result["clauses"], strict=True), key=lambda row: row[1]["section"]):
        clauses = list(rows)
        yield Section(name, clauses, _counts([outcome for outcome, _ in clauses]))


def _exchanges(violation: dict[str, Any]) -> list[dict[str, Any]]:
    """Each request of a violation with its reply and its curl line; the one to repeat comes last, as in results.json."""
    case = violation["case"]
    requests = [*case.get("compared_with", []), case]
    replies = violation.get("exchange") or [None] * len(requests)  # results of an earlier version hold none
    lines = violation["curl"].split("\n")
    if len(lines) != len(requests):
        lines = [""] * (len(requests) - 1) + [violation["curl"]]
    return [
        {"request": request, "reply": reply, "curl": line} for request, reply, line in zip(requests, replies, lines, strict=False)
    ]


def _request_text(request: dict[str, Any]) -> str:
    """The body of a request: JSON for reading where it was JSON, else the very text."""
    body = request["body"]
    if isinstance(body, dict) and set(body) == {"base64"}:
        return as_text(body)
    return body if isinstance(body, str) else formatted(body)


def _reply_texts(reply: dict[str, Any]) -> tuple[str, str]:
    """A plain reply as it is best read, and as it came; the second is "" when they are the same."""
    came = as_text(reply["body"])
    nice = reformatted(came)
    return (came, "") if nice is None or nice == came.strip() else (nice, came)


def _pieces(reply: dict[str, Any]) -> list[Piece]:
    decoder, pieces = Decoder(), []
    latest = max((chunk["at"] for chunk in reply["chunks"]), default=0.0) or 1.0
    for chunk in reply["chunks"]:
        before = len(decoder.events)
        decoder.feed(as_bytes(chunk["data"]), chunk["at"])
        tokens = tuple(text for event in decoder.events[before:] for text in _token_text(event.data))
        pieces.append(Piece(_seconds(chunk["at"]), round(chunk["at"] / latest * PLACES), tokens, as_text(chunk["data"])))
    return pieces


def _token_text(data: str) -> Iterator[str]:
    value = _parsed(data)
    token = value.get("token") if isinstance(value, dict) else None
    if isinstance(token, dict) and isinstance(token.get("text"), str):
        yield token["text"]


def _parsed(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _with_code(sentence: str) -> Markup:
    """A sentence of the ledger, with what stands in backquotes as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(printable(sentence)))))  # noqa: S704 (escaped before)  # nosec B704


def _breakable(id: str) -> Markup:
    """A clause's id, with the places where a narrow page may break it."""
    return Markup(re.sub("([._])", r"\1<wbr>", str(escape(printable(id)))))  # noqa: S704 (escaped before)  # nosec B704


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _line_ends(text: str) -> str:
    r"""Line ends made visible: where a stream's lines end is part of its meaning. The last one does not open an empty line."""
    return text.replace("\n", "↵\n").removesuffix("\n")


def _seconds(value: float) -> str:
    if value < 0.1:
        return f"{1000 * value:.1f} ms"
    return f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def _brief(text: str) -> str:
    return clip(" ".join(text.split()), SUMMARY_LENGTH)
