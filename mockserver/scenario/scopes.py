"""What is arranged in each scope: told rules, faults that wait, and how often each was counted.

It lies in the store as plain data, so that every worker which shares the store sees the same; a worker has its own only of what can
be made from that again: rules as they are read, and the hooks of faults. What a fault's hooks remember, one worker remembers.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from mockserver.messages import Request
from mockserver.scenario.armed import Armed, arm
from mockserver.scenario.rules import Rule, ScriptError
from mockserver.scenario.scripts import parse_rules
from mockserver.scenario.seams import Fault
from mockserver.store import SAME, Store

MOST_SCOPES = 1_000
MOST_FAULTS = 1_000
"""Faults that are counted in a scope because a header named them; beyond that, counting begins anew."""

MOST_RULES = 10_000

Named = tuple[str, Rule]
"""A rule, and the name under which its calls are counted."""

Record = dict[str, Any]
"""``edition`` of the rules ("" for none), ``calls``: [met, answered] of each rule by name,
``waiting``: [id, text, times, seen, struck] of each fault that waits, ``counts``: [seen, struck] of each other fault by its text."""


def _blank() -> Record:
    return {"edition": "", "calls": {}, "waiting": [], "counts": {}}


NOTHING = _blank()
"""The record of a scope in which nothing was arranged. Only to be read."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fault that was armed, and how often it will strike yet (None: always)."""

    name: str
    left: int | None


@dataclass(slots=True)
class _Made:
    """What one worker has made from a scope's record."""

    edition: str = ""
    rules: tuple[Rule, ...] = ()
    armed: dict[str, Armed] = field(default_factory=dict)


class Scopes:
    """The scopes of one server. ``standing`` are the faults that are counted in each of them from the beginning."""

    def __init__(self, store: Store, standing: Sequence[str] = (), *, seed: int = 0) -> None:
        self._records = store.room("scopes", most=MOST_SCOPES)
        self._documents = store.room("rules", most=MOST_SCOPES)
        self._standing = tuple(standing)
        self._seed = seed
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._lock = RLock()

    # ------------------------------------------------------------ faults

    def strike(self, scope: str, wanted: Sequence[str] = ()) -> list[Fault]:
        """The faults that strike the request which has just come; those of its header are ``wanted``, and counted by their text.

        Raises BadFaultError, UnknownFaultError.
        """
        for text in wanted:
            self._armed(scope, text, text)
        if not wanted and not self._standing and not (self._records.get(scope) or NOTHING)["waiting"]:
            return []

        def step(record: Record | None) -> tuple[Record, list[Fault]]:
            record = record or _blank()
            return record, [*self._strike(record, scope, wanted)]

        return self._records.change(scope, step)

    def _strike(self, record: Record, scope: str, wanted: Sequence[str]) -> Iterator[Fault]:
        if len(record["counts"]) > MOST_FAULTS:
            record["counts"] = {text: count for text, count in record["counts"].items() if text in self._standing}
        yield from self._count(record["counts"], scope, self._standing)
        left = []
        for id, text, times, seen, struck in record["waiting"]:
            armed = self._armed(scope, id, text, times)
            strikes = armed.strikes(seen, struck)
            if strikes:
                yield armed.fault
            if armed.times is None or struck + strikes < armed.times:
                left.append([id, text, times, seen + 1, struck + strikes])
        record["waiting"] = left
        yield from self._count(record["counts"], scope, wanted)

    def _count(self, counts: dict[str, list[int]], scope: str, texts: Sequence[str]) -> Iterator[Fault]:
        for text in texts:
            armed = self._armed(scope, text, text)
            seen, struck = counts.get(text, (0, 0))
            strikes = armed.strikes(seen, struck)
            counts[text] = [seen + 1, struck + strikes]
            if strikes:
                yield armed.fault

    def arm(self, scope: str, text: str, times: int | None) -> None:
        """Let a fault strike the next requests. Raises BadFaultError, UnknownFaultError."""
        arm(text)
        waiting = [secrets.token_hex(8), text, times, 0, 0]

        def step(record: Record | None) -> tuple[Record, None]:
            record = record or _blank()
            record["waiting"] = [*record["waiting"], waiting]
            return record, None

        self._records.change(scope, step)

    def waiting(self, scope: str) -> list[Waiting]:
        """The faults that were armed and have not struck to their end."""
        found = []
        for id, text, times, _, struck in (self._records.get(scope) or NOTHING)["waiting"]:
            armed = self._armed(scope, id, text, times)
            found.append(Waiting(armed.fault.name, None if armed.times is None else armed.times - struck))
        return found

    def disarm(self, scope: str) -> None:
        """Forget the faults that wait."""
        self._records.change(scope, lambda record: ({**record, "waiting": []} if record else SAME, None))

    def _armed(self, scope: str, id: str, text: str, times: int | None = None) -> Armed:
        with self._lock:
            made = self._of(scope)
            if id not in made.armed:
                if len(made.armed) >= MOST_FAULTS:
                    made.armed.clear()
                made.armed[id] = arm(text, times=times, seed=self._seed)
            return made.armed[id]

    # ------------------------------------------------------------ rules

    def rules(self, scope: str) -> tuple[Rule, ...]:
        """The rules told in a scope, in the order in which they were told."""
        return self._rules(scope, (self._records.get(scope) or NOTHING)["edition"])

    def _rules(self, scope: str, edition: str) -> tuple[Rule, ...]:
        if not edition:
            return ()
        with self._lock:
            made = self._of(scope)
            if made.edition != edition:
                rules: list[Rule] = []
                for document in self._documents.get(edition) or ():
                    rules += parse_rules(document, before=rules)
                made.edition, made.rules = edition, tuple(rules)
            return made.rules

    def tell(self, scope: str, document: Any, fit: Callable[[Sequence[Rule]], None]) -> tuple[Rule, ...]:
        """Add the rules of a decoded script behind those told before, all of them or none; ``fit`` may refuse them.

        Raises ScriptError.
        """
        while True:
            before: str = (self._records.get(scope) or NOTHING)["edition"]
            told = self._rules(scope, before)
            added = parse_rules(document, before=told)
            fit(added)
            if len(told) + len(added) > MOST_RULES:
                raise ScriptError(f"at most {MOST_RULES} rules can be told")
            after = secrets.token_hex(8)
            self._documents.put(after, [*(self._documents.get(before) or ()), document])
            if self._replace(scope, before, after):  # else another worker was told something meanwhile
                with self._lock:
                    made = self._of(scope)
                    made.edition, made.rules = after, (*told, *added)
                    return made.rules

    def forget_rules(self, scope: str) -> None:
        """Forget the rules told in a scope, and how often they were met."""
        before = (self._records.get(scope) or NOTHING)["edition"]
        if before and not self._replace(scope, before, ""):
            self.forget_rules(scope)

    def _replace(self, scope: str, before: str, after: str) -> bool:
        def step(record: Record | None) -> tuple[Record, bool]:
            record = record or _blank()
            if record["edition"] != before:
                return SAME, False
            return {**record, "edition": after, "calls": record["calls"] if after else {}}, True

        replaced = self._records.change(scope, step)
        self._documents.forget(before if replaced else after)
        return replaced

    def choose(self, scope: str, rules: Sequence[Named], request: Request, headers: Mapping[str, str]) -> tuple[Rule | None, int]:
        """The first rule that answers, and which call of it this is; each whose conditions are met counts the call."""

        def step(record: Record | None) -> tuple[Record, tuple[Rule | None, int]]:
            record = record or _blank()
            found = _choose(rules, request, headers, record["calls"])
            return (SAME, (None, 0)) if found is None else (record, found)

        return self._records.change(scope, step)

    # ------------------------------------------------------------ all of it

    def forget(self, scope: str | None) -> None:
        """Forget what one scope was told, or all of them."""
        with self._lock:
            if scope is None:
                self._made.clear()
            else:
                self._made.pop(scope, None)
        if scope is None:
            self._records.clear()
            self._documents.clear()
        else:
            self._documents.forget((self._records.get(scope) or NOTHING)["edition"])
            self._records.forget(scope)

    def _of(self, scope: str) -> _Made:
        if scope in self._made:
            self._made.move_to_end(scope)
        else:
            self._made[scope] = _Made()
            if len(self._made) > MOST_SCOPES:
                self._made.popitem(last=False)
        return self._made[scope]


def _choose(
    rules: Sequence[Named], request: Request, headers: Mapping[str, str], calls: dict[str, list[int]]
) -> tuple[Rule | None, int] | None:
    """As ``choose``, counting in ``calls``; None when no condition was met."""
    chosen: tuple[Rule, int] | None = None
    met = False
    for name, rule in rules:
        if chosen is not None and rule.call is None:
            continue
        if next(rule.misses(request, headers), None) is not None:
            continue
        met = True
        call, answered = calls.get(name, (0, 0))
        call += 1
        if chosen is None and rule.call in (None, call) and (rule.times is None or answered < rule.times):
            chosen = rule, call
            answered += 1
        calls[name] = [call, answered]
    return (chosen or (None, 0)) if met else None
