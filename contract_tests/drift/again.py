"""The requests of a recording, asked again, and what came in another shape than before. Sends through a Client; prints nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit, urlunsplit

from contract_tests.budget import BudgetSpent
from contract_tests.drift.shape import OF_THE_WAY, Shape, in_words
from contract_tests.exchange import Case, Exchange

PASSING = frozenset({0, 408, 429, 500, 502, 503, 504})
"""Statuses that tell of a moment and not of the server; 0 is no reply at all."""

DECISIVE = (("status",), ("content-type",))

Send = Callable[[str, Case], Exchange]


@dataclass(frozen=True, slots=True)
class Asking:
    """One request of a recording, and all that was answered to it."""

    path: str
    case: Case
    answers: list[Exchange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Change:
    """One place at which something came that the recording does not show. ``exchange`` is the smallest that shows it."""

    place: str
    before: frozenset[str]
    now: frozenset[str]
    count: int
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Drift:
    """What came of asking again. ``unanswered`` were not compared, for the reasons told; ``left`` were not asked."""

    compared: int
    unanswered: dict[str, int]
    left: int
    changes: list[Change]

    @property
    def sentence(self) -> str:
        """For people."""
        words = [f"asked {self.compared + sum(self.unanswered.values())} recorded requests again, compared {self.compared}"]
        words += [f"{count} could not be compared ({why})" for why, count in self.unanswered.items()]
        if self.left:
            words.append(f"{self.left} were not asked, as the budget is spent")
        return "; ".join(words)


def askings(recorded: Iterable[Exchange]) -> list[Asking]:
    """Each request of a recording once, in its order, with the answers that say something about the server."""
    found: dict[tuple[str, str, bytes], Asking] = {}
    for exchange in recorded:
        if exchange.case.unknown or exchange.status in PASSING or exchange.failure:
            continue
        path = urlsplit(exchange.url).path or "/"
        case = replace(exchange.case, headers=tuple(pair for pair in exchange.case.headers if _is_meant(pair[0])))
        key = (path, json.dumps(case.headers), case.body)
        found.setdefault(key, Asking(path, case)).answers.append(exchange)
    return list(found.values())


def _is_meant(name: str) -> bool:
    """Whether a request's header is the client's wish, and no matter of its connection."""
    return name in ("content-type", "accept") or (name.startswith("x-") and not name.startswith(OF_THE_WAY))


def address_of(url: str, path: str) -> str:
    """Where to ask again: at ``url`` as it is, or, when it has no path, at the path where it was recorded.

    >>> address_of("http://127.0.0.1:8080", "/models/gpt2"), address_of("http://127.0.0.1:8080/", "/models/gpt2")
    ('http://127.0.0.1:8080/models/gpt2', 'http://127.0.0.1:8080/')
    """
    parts = urlsplit(url)
    return url if parts.path else urlunsplit(parts._replace(path=path))


def ask_again(asked: Iterable[Asking], send: Send) -> Drift:
    """Ask each once, and compare. ``send`` takes the recorded path and the case."""
    compared, left, unanswered = 0, 0, dict[str, int]()
    changes: dict[tuple[str, frozenset[str]], Change] = {}
    for asking in asked:
        try:
            now = send(asking.path, asking.case)
        except BudgetSpent:
            left += 1
            continue
        if now.failure or now.status in PASSING:
            why = f"status {now.status}" if now.status in PASSING and now.status else now.failure
            unanswered[why] = unanswered.get(why, 0) + 1
            continue
        compared += 1
        for change in _compare(asking.answers, now):
            known = changes.get((change.place, change.now))
            changes[change.place, change.now] = change if known is None else _merge(known, change)
    return Drift(compared, unanswered, left, sorted(changes.values(), key=_rank))


def _compare(answers: list[Exchange], now: Exchange) -> Iterator[Change]:
    before, after = Shape(), Shape()
    for answer in answers:
        before.add(answer)
    after.add(now)
    # what follows from another status or media type is not told besides
    for place in (*DECISIVE, *sorted({*before.places, *after.places} - {*DECISIVE})):
        was, came = before.kinds(place), after.kinds(place)
        if was and came - was:
            yield Change(in_words(place), was, came - was, 1, now)
            if place in DECISIVE:
                return


def _rank(change: Change) -> tuple[int, str]:
    """What a client notices first comes first: another status or media type, then fields, headers last."""
    first, _, _ = change.place.partition(".")
    return {"status": 0, "content-type": 1, "header": 3}.get(first, 2), change.place


def _merge(one: Change, other: Change) -> Change:
    smallest = min(one.exchange, other.exchange, key=lambda exchange: exchange.case.size)
    return Change(one.place, one.before | other.before, one.now, one.count + other.count, smallest)
