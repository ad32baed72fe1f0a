"""A run and what a probe is: sending, observing, relating, and remembering which parameters the endpoint refuses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from contract_tests.budget import BudgetSpent
from contract_tests.clauses.shared import parting
from contract_tests.client import Client, asked_to_wait, was_given_up
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Exchange, Headers
from contract_tests.observation import Observation
from contract_tests.statistics import ENOUGH, log_e_of_partings


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much a run sends: a count for each kind of probe."""

    name: str
    draws: int
    """twins drawn over all parameters"""
    generated: int
    """cases that Schemathesis draws, of right and of wrong ones each"""
    seeds: int
    """draws of one request that must differ"""
    first_tokens: int
    """draws of a first token for each membership test"""
    values: int
    """values inside the bounds of each parameter"""
    wrong_types: int
    """values of a wrong type or out of bounds of each kind"""
    prompts: int
    """prompts, and scripts, that a probe goes through"""


QUICK = Profile(name="quick", draws=4, generated=3, seeds=2, first_tokens=4, values=1, wrong_types=1, prompts=1)
STANDARD = Profile(name="standard", draws=26, generated=12, seeds=4, first_tokens=20, values=3, wrong_types=3, prompts=8)
DEEP = Profile(name="deep", draws=400, generated=150, seeds=8, first_tokens=100, values=9, wrong_types=9, prompts=8)
PROFILES = {profile.name: profile for profile in (QUICK, STANDARD, DEEP)}


UNANSWERED = 3
"""Requests in a row without an answer after which no more of their kind are sent, or nothing at all."""

MOST_PAIRS = 16
"""Further pairs of the same draw after which a server whose draws part now and then is not asked more."""

NEW_QUERY = (("x-use-cache", "false"),)
"""Keeps a cache from answering a repeated request (statement headers.use-cache.new-query)."""


@dataclass(slots=True)
class Run:
    """One run against one endpoint. ``seed`` is the only source of randomness.

    ``without`` holds what its owner declared absent (names of parameters, "stream"), ``refused`` the parameters that it turned out not
    to take. ``unanswered`` counts, for each kind of request, those in a row that were left without an answer.
    """

    client: Client
    evidence: Evidence
    seed: int
    profile: Profile = STANDARD
    without: frozenset[str] = frozenset()
    refused: set[str] = field(default_factory=set)
    unanswered: dict[str, int] = field(default_factory=lambda: {"plain": 0, "stream": 0, "faulty": 0})

    def random(self, name: str) -> random.Random:
        """A generator of its own for each probe, so that one probe's draws do not move another's."""
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 (draws of tests, no secret)

    def send(self, case: Case) -> Observation:
        """Send a case and judge what came; where streams are declared absent, or never end, without asking for one."""
        if _asks_for_stream(case) and ("stream" in self.without or self.gave_up("stream")):
            case = _as_plain(case)
        if case.faulty and self.gave_up("faulty"):
            return Observation(Exchange(case, self.client.url, 0, failure="not sent: none before it was answered"))
        exchange = self.client.send(case)
        for told, waited in self.client.told_loading():
            self.evidence.relate("loading", (self.evidence.observe(told), Observation(waited)))
        busy = asked_to_wait(exchange) is not None
        self._count(exchange, busy=busy)
        # a rate limit that outlasts all patience says nothing of the contract
        return Observation(exchange) if busy else self.evidence.observe(exchange)

    def gave_up(self, kind: str) -> bool:
        """Whether requests of this kind (plain, stream, faulty) were left unanswered too often: each costs the whole time-out."""
        return self.unanswered[kind] >= UNANSWERED

    def _count(self, exchange: Exchange, *, busy: bool) -> None:
        """Count what was left unanswered in a row; BudgetSpent at the last such plain request that is worth its time."""
        kind = "faulty" if exchange.case.faulty else "stream" if _asks_for_stream(exchange.case) else "plain"
        broke = not exchange.status and kind != "faulty"  # what a faulty request breaks is told by its clauses
        self.unanswered[kind] = self.unanswered[kind] + 1 if busy or broke or was_given_up(exchange) else 0
        if kind == "plain" and self.gave_up(kind):
            if not busy:
                self.evidence.observe(exchange)
            how = f"answered with status {exchange.status} for a minute" if busy else f"left unanswered ({exchange.failure})"
            raise BudgetSpent(f"the run was ended, as {UNANSWERED} requests in a row were {how},")

    def ask(self, payload: dict[str, Any], *, about: str = "", headers: Headers = ()) -> Observation:
        """Send a valid request; one that is to be compared with others asks for a real new query, not for a reply of before."""
        return self.send(Case.of(payload, about=about, headers=headers or (() if about else NEW_QUERY)))

    def compare(self, relation: str, one: Observation, other: Observation) -> bool:
        """Relate two observations; where their texts differ, ask both again first, to see whether the endpoint repeats itself."""
        members: tuple[Observation, ...] = (one, other)
        if one.generated and other.generated and one.new_text != other.new_text:
            members += (self.send(one.case), self.send(other.case))
        return self.evidence.relate(relation, members)

    def relate_draws(self, relation: str, pairs: Iterable[tuple[Observation, Observation]], *, least: int = 1) -> bool:
        """Relate pairs that should draw the same: the ``least`` where none parts, else as many as it takes to know. Whether none did.

        None is left out, lest those that part weigh more than they may.
        """
        members: list[Observation] = []
        places: list[int | None] = []
        for pair in islice(pairs, least + MOST_PAIRS):
            members += pair
            places.append(parting(*pair))
            known = not any(places) or abs(log_e_of_partings(places)) > ENOUGH
            if known and len(places) >= least:
                break
        if members:
            self.evidence.relate(relation, members)
        return not any(places)

    def judged(self, id: str) -> bool:
        """Whether clause ``id`` could judge yet, so that it needs no further requests; true as well when it is not selected."""
        tally = self.evidence.tallies.get(id)
        return tally is None or tally.judged > 0

    def lacks(self, *names: str) -> bool:
        """Whether one of these parameters is declared absent, or is refused by itself."""
        return not self.absent.isdisjoint(names)

    @property
    def absent(self) -> frozenset[str]:
        return self.without | self.refused

    def taken(self, **parameters: Any) -> dict[str, Any]:
        """``parameters`` without those that the endpoint lacks."""
        return {name: value for name, value in parameters.items() if name not in self.absent}


def _asks_for_stream(case: Case) -> bool:
    return isinstance(case.payload, dict) and case.payload.get("stream") is True


def _as_plain(case: Case) -> Case:
    plain = Case.of({name: value for name, value in case.payload.items() if name != "stream"})
    return replace(case, body=plain.body, payload=plain.payload)


@dataclass(frozen=True, slots=True)
class Probe:
    """A named part of a run; ``sentence`` is shown while it runs."""

    name: str
    sentence: str
    send: Callable[[Run], None]


def probe(name: str, sentence: str) -> Callable[[Callable[[Run], None]], Probe]:
    """Make a function that sends into a probe."""
    return lambda send: Probe(name, sentence, send)
