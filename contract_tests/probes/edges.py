"""What text-generation-inference alone is known to refuse or to take: sent where its dialect is judged, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from contract_tests import edges, strategies
from contract_tests.exchange import Case
from contract_tests.probes.faults import send_between_good_ones
from contract_tests.probes.run import Run, probe

QUICK_SHARE = 6
"""A quick run sends one of so many, others with another seed."""


@probe("edges", "exact bounds and limits of text-generation-inference")
def send_edges(run: Run) -> None:
    cases = [case for case in (*_cases(), *_at_the_limits(run)) if _is_judged(run, case)]
    if run.profile.wrong_types == 1:
        cases = cases[run.seed % QUICK_SHARE :: QUICK_SHARE]
    if cases:
        send_between_good_ones(run, cases)


def _is_judged(run: Run, case: Case) -> bool:
    """Whether a clause of this run is about it, and nothing in it is known to be absent for another reason."""
    given = case.payload["parameters"] or {}
    return case.about in run.evidence.tallies and (run.without if case.faulty else run.absent).isdisjoint(given)


def _cases() -> Iterator[Case]:
    for name in strategies.parameters():
        on_the_bounds = list(edges.on_the_bounds(name))
        yield from on_the_bounds
        # the edge that the page leaves open, as a stream too
        yield from (edges.as_stream(case) for case in islice(on_the_bounds, 1) if case.faulty)
    yield from edges.at_odds()
    yield from edges.not_as_serde_reads()


LIMITS = (
    "parameters.best_of.limit",
    "parameters.stop.limit",
    "parameters.truncate.limit",
    "parameters.max_new_tokens.room",
)
"""What can be asked only where the server tells its limits."""


def _at_the_limits(run: Run) -> Iterator[Case]:
    if run.evidence.tallies.keys().isdisjoint(LIMITS) or run.profile.wrong_types == 1:
        return
    url = run.client.url
    limits = edges.read_limits(url, run.client.look_up(edges.info_address(url)))
    yield from edges.at_the_limits(limits)
    pair = edges.room(limits)
    if pair is not None and _is_judged(run, pair[0]):
        filled, over = pair
        if run.send(filled).detail("input_length") == limits.max_input_tokens:
            yield over
