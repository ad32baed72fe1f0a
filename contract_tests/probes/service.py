"""The endpoint as a service: several requests at once, and clients that leave in mid-stream."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from contract_tests import strategies
from contract_tests.clauses.stream import late_at_once
from contract_tests.exchange import Case, Exchange
from contract_tests.observation import Observation
from contract_tests.probes.run import Run, probe

AT_ONCE = 4


@probe("concurrency", "the same requests alone and at the same time")
def send_at_once(run: Run) -> None:
    choose = run.random("concurrency")
    parameters = run.taken(max_new_tokens=16, details=True)
    drawn = [
        {**parameters, **run.taken(do_sample=False)},
        {**parameters, **run.taken(do_sample=True, seed=choose.randrange(1, 2**63))},
    ]
    payloads = [
        {"inputs": inputs, "parameters": drawn[place % 2], "stream": place % 4 > 1}
        for place, inputs in enumerate(choose.sample(strategies.PROMPTS, AT_ONCE))
    ]
    alone = [run.ask(payload) for payload in payloads]
    ready = Barrier(AT_ONCE)

    def send_with_the_others(case: Case) -> Exchange:
        ready.wait()
        return run.client.send(case)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        exchanges = list(pool.map(send_with_the_others, (seen.case for seen in alone)))
    for before, exchange in zip(alone, exchanges, strict=True):
        members = [before, run.evidence.observe(exchange)]
        if members[0].new_text != members[1].new_text:
            members.append(run.send(before.case))
        run.evidence.relate("among-others", members)


ENOUGH_EVENTS = 16
"""Events below which another prompt is tried, once: a short reply tells little of when its tokens came."""

ROUNDS = 4
"""Streams of one token and of many that must all say that the many are held back."""


@probe("arrival", "streams of one token and of many")
def time_arrivals(run: Run) -> None:
    if "stream" in run.without:
        return

    def ask(inputs: str, count: int) -> Observation:
        return run.ask({"inputs": inputs, "parameters": run.taken(max_new_tokens=count, do_sample=False), "stream": True})

    members: list[Observation] = []
    inputs = strategies.PROMPTS[0]
    for _ in range(ROUNDS):
        one, many = ask(inputs, 1), ask(inputs, 48)
        if len(many.events) < ENOUGH_EVENTS and not members:
            inputs = strategies.PROMPTS[5]
            one, many = ask(inputs, 1), ask(inputs, 48)
        members += [one, many]
        if not late_at_once(one, many):
            break
    run.evidence.relate("arrival", members)


@probe("disconnect", "clients that leave in mid-stream")
def leave_early(run: Run) -> None:
    if "stream" in run.without:
        return
    payload = {"inputs": strategies.PROMPTS[1], "parameters": run.taken(max_new_tokens=48), "stream": True}
    before = run.ask(payload)
    for _ in range(2):
        run.client.leave(Case.of(payload))
    run.evidence.relate("after-disconnect", (before, run.send(before.case)))
