"""The endpoint as a service: several requests at once, and clients that leave in mid-stream."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from contract_tests import strategies
from contract_tests.exchange import Case
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
    with ThreadPoolExecutor(AT_ONCE) as pool:
        exchanges = list(pool.map(lambda seen: run.client.send(seen.case), alone))
    for before, exchange in zip(alone, exchanges, strict=True):
        run.compare("among-others", before, run.evidence.observe(exchange))


@probe("disconnect", "clients that leave in mid-stream")
def leave_early(run: Run) -> None:
    if "stream" in run.without:
        return
    payload = {"inputs": strategies.PROMPTS[1], "parameters": run.taken(max_new_tokens=48), "stream": True}
    before = run.ask(payload)
    for _ in range(2):
        run.client.leave(Case.of(payload))
    run.evidence.relate("after-disconnect", (before, run.send(before.case)))
