"""Requests with one fault, and bodies that are no request; between them the good request that must go on working."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from contract_tests import strategies
from contract_tests.edges import as_stream
from contract_tests.exchange import Case
from contract_tests.observation import Observation
from contract_tests.probes.run import NEW_QUERY, Run, probe


def _few_of_each(cases: Iterable[Case], count: int) -> Iterable[Case]:
    for _, same in groupby(cases, key=lambda case: case.about):
        yield from list(same)[:count]


LENIENT = "request.types.strict"
"""What a server that reads one parameter leniently does to all: a quick run tries one."""


def send_between_good_ones(run: Run, cases: Iterable[Case]) -> None:
    """Send ``cases``; a good request before them and now and then between them shows that the server goes on."""
    before = _good(run)
    rest = iter(cases)
    size = 1  # a good request right behind the first bad one, then now and then
    while some := list(islice(rest, size)):
        for case in some:
            run.send(case)
        _relate(run, before, run.send(before.case))
        size = GOOD_AFTER


def _good(run: Run) -> Observation:
    """A good request, greedy and with all told where the endpoint takes that, so that a reply to it can be compared with another.

    What the endpoint refuses is not asked, since it may be learned at the same time (jobs.UNTAUGHT), nor judged here: it is tried.
    """
    short, told = ({"max_new_tokens": 3}, {"details": True, "do_sample": False})
    parameters = {name: value for name, value in (short | told).items() if name not in run.without}
    payload = {"inputs": strategies.PROMPTS[0], "parameters": parameters}
    exchange = run.client.send(Case.of(payload, headers=NEW_QUERY))
    if Observation(exchange).generated:
        return run.evidence.observe(exchange)
    return run.ask({**payload, "parameters": {name: value for name, value in short.items() if name not in run.without}})


def _relate(run: Run, before: Observation, after: Observation) -> None:
    """The good request before and after bad ones; where the texts differ, once more, to see which of the two is the exception."""
    again = (run.send(before.case),) if after.generated and before.new_text != after.new_text else ()
    run.evidence.relate("after-faults", (before, after, *again))


GOOD_AFTER = 30
"""Bad requests after which a good one is asked."""


@probe("faulty-fields", "requests with one fault beside the parameters")
def send_faulty_fields(run: Run) -> None:
    send_between_good_ones(run, strategies.faulty_fields())


@probe("faulty-parameters", "requests with one faulty parameter")
def send_faulty_parameters(run: Run) -> None:
    send_between_good_ones(run, _faulty_parameters(run))


def _faulty_parameters(run: Run) -> Iterator[Case]:
    for place, name in enumerate(strategies.parameters()):
        if name not in run.without:
            cases = list(_few_of_each(strategies.faulty_parameters(name), run.profile.wrong_types))
            if run.profile.wrong_types == 1 and name != "max_new_tokens":
                cases = [case for case in cases if case.about != LENIENT]
            yield from cases
            if run.profile.wrong_types > 1 or place % 4 == 0:
                yield as_stream(cases[-1])


@probe("hostile", "bodies that are no request")
def send_hostile_bodies(run: Run) -> None:
    bodies = list(strategies.hostile_bodies())
    send_between_good_ones(run, bodies if run.profile.wrong_types > 1 else bodies[run.seed % 2 :: 2])
