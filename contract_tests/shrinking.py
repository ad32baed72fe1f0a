"""A smaller request that still shows a violation: fewer parameters, fewer tokens, a shorter prompt. Sends only where it is allowed to.

Only drawn requests are made smaller, alone or as twins: any part of such a request may go, and it is still a right request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from contract_tests.budget import BudgetSpent
from contract_tests.evidence import Evidence, Finding, Tally
from contract_tests.exchange import Case
from contract_tests.probes.run import Run
from contract_tests.probes.twins import ask_twins

MOST_TRIES = 40
"""Smaller requests, or pairs of them, that are tried for one clause."""

KEPT_ALWAYS = frozenset({"max_new_tokens"})
"""Without it a request would cost more, not less."""

REPEATS = frozenset({"do_sample", "seed"})
"""What makes twins the same draw, so that it stays where twins are compared."""


def shrink(run: Run) -> None:
    """For each violated clause look for smaller requests that violate it too, until none is found or the budget is spent."""
    for tally in run.evidence.tallies.values():
        start = _drawn(tally)
        if start is None:
            continue
        try:
            for finding in _smaller_findings(run, tally, start):
                tally.keep(finding)
        except BudgetSpent:
            return


def _drawn(tally: Tally) -> Finding | None:
    """The smallest finding whose request was drawn."""
    return next((finding for finding in tally.findings if _is_drawn(finding)), None)


def _is_drawn(finding: Finding) -> bool:
    cases = [exchange.case for exchange in finding.exchanges]
    return finding.relation in ("", "twin") and all(
        not case.about and not case.faulty and isinstance(case.payload, dict) and isinstance(case.payload.get("parameters"), dict)
        for case in cases
    )


def _smaller_findings(run: Run, tally: Tally, start: Finding) -> Iterator[Finding]:
    """Each smaller than the one before."""
    case, twins = start.exchanges[0].case, start.relation == "twin"
    smallest = case.payload
    smaller = smaller_payloads(smallest, _kept(smallest, twins=twins))
    too_few: set[frozenset[str]] = set()  # sets of parameters that did not show it
    tries = 0
    while tries < MOST_TRIES and (payload := next(smaller, None)) is not None:
        names = frozenset(payload["parameters"])
        if names in too_few:
            continue
        tries += 1
        found = _try(run, tally, replace(Case.of(payload), headers=case.headers), twins=twins)
        if found is not None:
            yield found
            smallest = payload
            smaller = smaller_payloads(smallest, _kept(smallest, twins=twins))
        elif len(names) < len(smallest["parameters"]):
            too_few.add(names)


def _kept(payload: Mapping[str, Any], *, twins: bool) -> frozenset[str]:
    """The parameters that must stay, lest the request is no right one any more, or its twins need not be the same."""
    sampled = frozenset({"do_sample"}) if "best_of" in payload["parameters"] else frozenset()
    return KEPT_ALWAYS | sampled | (REPEATS if twins else frozenset())


def _try(run: Run, tally: Tally, case: Case, *, twins: bool) -> Finding | None:
    """What the clause of ``tally`` finds in ``case``, or in its twins."""
    alone = replace(run, evidence=Evidence({tally.clause.id: tally.clause}))
    if twins:
        ask_twins(alone, {**case.payload, "stream": False})
    else:
        alone.send(case)
    return next(iter(alone.evidence.tallies[tally.clause.id].findings), None)


def smaller_payloads(payload: Mapping[str, Any], kept: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Requests that are smaller than ``payload`` in one way each, the greatest steps first; parameters in ``kept`` stay.

    >>> [it["parameters"] for it in smaller_payloads({"inputs": "a", "parameters": {"top_k": 3, "seed": 1}}, frozenset())]
    [{}, {'seed': 1}, {'top_k': 3}]
    """
    given: dict[str, Any] = payload["parameters"]
    droppable = [name for name in given if name not in kept]
    size = len(droppable)
    while size:
        for begin in range(0, len(droppable), size):
            dropped = droppable[begin : begin + size]
            yield {**payload, "parameters": {name: value for name, value in given.items() if name not in dropped}}
        size //= 2
    stop, limit, inputs = given.get("stop"), given.get("max_new_tokens"), payload["inputs"]
    if isinstance(stop, list) and len(stop) > 1:
        for place in range(len(stop)):
            yield {**payload, "parameters": {**given, "stop": [*stop[:place], *stop[place + 1 :]]}}
    if isinstance(limit, int) and limit > 1:
        for fewer in sorted({1, limit // 2, limit - 1}):
            yield {**payload, "parameters": {**given, "max_new_tokens": fewer}}
    if isinstance(inputs, str):
        for half in (inputs[: len(inputs) // 2], inputs[len(inputs) // 2 :]):
            if half.strip() and half != inputs:  # some tokenizers make nothing of spaces alone
                yield {**payload, "inputs": half}
