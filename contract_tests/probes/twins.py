"""The same request plain and as a stream: drawn over all parameters, and of each kind once by hand."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, count
from typing import Any

from contract_tests import strategies
from contract_tests.drawing import drawn
from contract_tests.observation import Observation
from contract_tests.probes.run import Run, probe


def ask_twins(run: Run, payload: dict[str, Any]) -> tuple[Observation, Observation]:
    """Ask plain and as a stream, and relate the two; a third, plain again, shows whether the endpoint repeats itself."""
    plain = run.ask(payload)
    stream = run.ask({**payload, "stream": True})
    relate_twins(run, plain, stream)
    return plain, stream


def relate_twins(run: Run, plain: Observation, stream: Observation) -> None:
    """Relate two that were asked; where they differ, ask plain again first."""
    members = [plain, stream]
    if plain.generated and stream.generated and (plain.new_text, plain.joined) != (stream.new_text, stream.joined):
        members.append(run.send(plain.case))
    run.evidence.relate("twin", members)


@probe("twins", "draws over all parameters, each plain and as a stream")
def send_drawn_twins(run: Run) -> None:
    choose = run.random("twins")
    number = choose.getrandbits(64)
    payloads = _payloads(run.absent, run.profile.draws, number)
    sampled = [twins for twins in [ask_twins(run, payload) for payload in payloads] if twins[0].asked.samples]
    if sampled and not run.lacks("details"):
        common = run.taken(max_new_tokens=16, details=True, do_sample=True)
        seeded = ({**common, "seed": choose.randrange(1, 2**63)} for _ in count())
        more = (ask_twins(run, {"inputs": strategies.PROMPTS[0], "parameters": parameters}) for parameters in seeded)
        run.relate_draws("seeded-twins", chain(sampled, more), least=len(sampled))


@lru_cache(maxsize=8)  # of a run that is done again, as for another endpoint
def _payloads(absent: frozenset[str], count: int, number: int) -> tuple[dict[str, Any], ...]:
    return tuple(drawn(strategies.repeatable_payloads(without=absent), count, number))


WARPED = ({"temperature": 1.3, "top_k": 3}, {"top_p": 0.6, "typical_p": 0.6})
"""What shows in the candidates of every place: a stream that takes no notice of one of these tells others."""


LONGEST = 140
LETTERS = {"type": "regex", "value": "[A-E]{150}"}
"""Keeps a text from ending by itself, where such letters are tokens."""


@probe("long-twins", "longer replies, plain and as a stream")
def send_long_twins(run: Run) -> None:
    choose = run.random("long-twins")
    for inputs, warpers in zip(strategies.PROMPTS[: min(2, run.profile.prompts)], WARPED, strict=False):
        common = run.taken(max_new_tokens=48, details=True, top_n_tokens=4)
        ask_twins(run, {"inputs": inputs, "parameters": common | run.taken(do_sample=False)})
        if not run.lacks("do_sample", "seed"):
            sampled = common | run.taken(do_sample=True, **warpers)
            seeded = ({**sampled, "seed": choose.randrange(1, 2**63)} for _ in count())
            run.relate_draws("seeded-twins", (ask_twins(run, {"inputs": inputs, "parameters": each}) for each in seeded))
    if run.profile.prompts > 1:
        longest = run.taken(max_new_tokens=LONGEST, details=True, do_sample=False, grammar=LETTERS)
        run.ask({"inputs": strategies.PROMPTS[1], "parameters": longest})
    full = run.taken(max_new_tokens=4, details=True, return_full_text=True, do_sample=False)
    ask_twins(run, {"inputs": strategies.PROMPTS[2], "parameters": full})
    ask_twins(run, {"inputs": strategies.PROMPTS[2], "parameters": run.taken(max_new_tokens=1, details=True)})
    ask_twins(run, {"inputs": strategies.PROMPTS[2], "parameters": run.taken(max_new_tokens=4, do_sample=False)})
