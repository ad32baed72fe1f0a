"""The result as Markdown for a CI job's summary: the verdict, its figures, a table of what was violated, and the details folded away.

What came from the endpoint stands in two places only: in table cells with every character that means something in Markdown or HTML
written as a number, and in code blocks with a fence longer than any in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from contract_tests.report.printable import as_text, clip, printable
from contract_tests.report.verdicts import KINDS, TO_LOOK_AT, ending, kinds, remark

LIMIT = 900_000
"""Bytes of the whole; a summary on GitHub holds 1 MiB."""
NOT_JUDGED = ("known", "inconclusive", "skip")
CELL, BLOCK = 300, 2_000
"""Characters of a cell, and of a block in the details."""

# what begins something in Markdown, HTML, a mention, a reference, a formula, a short name of an emoji; and in a bare address
_MARKS = re.compile(r"[&<>|\\`*_~\[\]()!#@$]|:(?=[^ ])|(?<=www)\.", re.IGNORECASE)


def to_markdown(result: dict[str, Any]) -> str:
    """Markdown of a result as results.json holds it, below :data:`LIMIT` bytes."""
    rows = list(zip(kinds(result), result["clauses"], strict=True))
    shown = [(outcome, clause) for outcome, clause in rows if outcome in TO_LOOK_AT]
    others = [(outcome, clause) for outcome, clause in rows if outcome in NOT_JUDGED]
    text = "".join(_head(result, [outcome for outcome, _ in rows]))
    left_out = "_{} more stand in results.json: this page has an end._\n\n"
    for blocks in (_violated(shown), _details(shown), _not_judged(others)):
        told = list(blocks)
        size = len(text.encode())
        for place, block in enumerate(told):
            size += len(block.encode())
            if size > LIMIT:
                text += "\n" + left_out.format(len(told) - place)
                break
            text += block
        text += "\n" if told else ""
    return text.rstrip("\n") + "\n"


def escaped(text: str) -> str:
    """``text`` on one line, with nothing in it that Markdown or HTML would take for its own.

    >>> escaped("a|b\\n<i>")
    'a&#124;b &#60;i&#62;'
    """
    return _MARKS.sub(lambda match: f"&#{ord(match.group())};", " ".join(printable(text).split()))


def fenced(text: str, language: str = "") -> str:
    """``text`` as a code block that nothing in it can end."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _cell(text: str) -> str:
    return f"<code>{escaped(clip(text, CELL))}</code>" if text.strip() else ""


def _sentence(text: str) -> str:
    """A sentence of the ledger: what stands in backquotes is code."""
    return re.sub("&#96;(.+?)&#96;", r"<code>\1</code>", escaped(text))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(names: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    heads = list(names)
    yield _row(*heads) + _row(*["---"] * len(heads))
    yield from rows


def _head(result: dict[str, Any], outcomes: list[str]) -> Iterator[str]:
    spent, tool = result["spent"], result["tool"]
    verdict = result["summary"]["verdict"]
    mark = {"pass": "✅", "fail": "❌", "error": "💥"}[verdict]
    words = ending(result)
    yield f"## {mark} {words[0].upper()}{words[1:]}\n\n<code>{escaped(result['endpoint']['url'])}</code>\n\n"
    figures = [
        (word, str(outcomes.count(name))) for name, (_, word) in KINDS.items() if name in outcomes or name in ("fail", "pass")
    ]
    figures += [
        ("requests", str(spent["requests"])),
        ("tokens, at most", str(spent["tokens"])),
        ("seconds", f"{spent['seconds']:.1f}"),
    ]
    figures += [("seed", str(result["seed"])), ("dialect", escaped(result["endpoint"]["dialect"]))]
    figures += [("strict", "yes")] if result.get("strict") else []
    figures += [(escaped(tool["name"]), escaped(tool["version"]))]
    yield from _table([name for name, _ in figures], [_row(*(value for _, value in figures))])
    yield "\n"
    for name, words in (
        ("without", "Declared absent"),
        ("refused", "Refused by the endpoint, and left out of the other requests"),
    ):
        names = result["endpoint"]["capabilities"].get(name)
        if names:
            yield f"{words}: {', '.join(map(_cell, names))}\n\n"


def _violated(rows: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    if not rows:
        return
    yield "### Violated clauses\n\n"
    yield from _table(("", "clause", "level", "statement", "expected", "actual"), map(_violated_row, rows))


def _violated_row(row: tuple[str, dict[str, Any]]) -> str:
    outcome, clause = row
    first = clause["violations"][0] if clause["violations"] else {"expected": "", "actual": remark(clause)}
    mark, word = KINDS[outcome]
    level = clause["level"] + (", does not fail the run" if outcome == "warn" else "")
    return _row(
        f"{mark} {word}",
        _cell(clause["id"]),
        level,
        _sentence(clause["sentence"]),
        _cell(first["expected"]),
        _cell(first["actual"]),
    )


def _details(rows: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    for outcome, clause in rows:
        mark, _ = KINDS[outcome]
        times = f", violated in {clause['violated']} of {clause['judged']}" if clause["violated"] else ""
        words = f"{escaped(clause['level'])}, {escaped(clause['basis'])}, {escaped(clause['source'])}{times}"
        parts = [
            f"<details><summary>{mark} <code>{escaped(clause['id'])}</code>: {words}</summary>\n\n{_sentence(clause['sentence'])}\n\n"
        ]
        if outcome == "error":
            parts.append(_block("Where the suite broke", clause["reason"]))
        elif clause["violations"]:
            parts += _violation(clause["violations"][0])
        else:
            parts.append(f"{escaped(remark(clause))}\n\n")
        yield "".join(parts) + "</details>\n"


def _violation(violation: dict[str, Any]) -> Iterator[str]:
    yield _block("Expected", violation["expected"])
    yield _block("Actual", violation["actual"])
    if violation.get("exchange"):
        reply = violation["exchange"][-1]
        yield _block(f"Reply: status {reply['status']}, {reply['seconds']:.3f} s", _reply(reply))
    lines = violation["curl"].split("\n")
    *others, last = lines
    yield _block("Repeat it", last, "sh", limit=10 * BLOCK)
    if others:
        yield f"Compared with {len(others)} other {'request' if len(others) == 1 else 'requests'}; all of them stand in results.json.\n\n"


def _reply(reply: dict[str, Any]) -> str:
    if "chunks" in reply:
        return "".join(f"{chunk['at']:9.3f} s  {as_text(chunk['data']).rstrip()}\n" for chunk in reply["chunks"]).rstrip("\n")
    return as_text(reply["body"]) or reply.get("failure", "")


def _block(title: str, text: str, language: str = "", *, limit: int = BLOCK) -> str:
    return f"{title}\n\n{fenced(clip(printable(text), limit), language)}\n"


def _not_judged(rows: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    if not rows:
        return
    words = ", ".join(
        f"{count} {KINDS[name][1]}" for name in NOT_JUDGED if (count := sum(outcome == name for outcome, _ in rows))
    )
    # one block: a folded table that is cut would swallow what follows
    lines = _table(("", "clause", "reason"), [_row(KINDS[name][1], _cell(it["id"]), _cell(remark(it))) for name, it in rows])
    yield f"<details><summary>{words}</summary>\n\n{''.join(lines)}\n</details>\n"
