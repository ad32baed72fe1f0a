"""The same request plain and as a stream: drawn over all parameters, and of each kind once by hand."""

from __future__ import annotations

from typing import Any

from contract_tests import strategies
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
    number = run.random("twins").getrandbits(64)
    for payload in strategies.drawn(strategies.repeatable_payloads(without=run.absent), run.profile.draws, number):
        ask_twins(run, payload)


@probe("long-twins", "longer replies, plain and as a stream")
def send_long_twins(run: Run) -> None:
    choose = run.random("long-twins")
    for inputs in strategies.PROMPTS[: min(2, run.profile.prompts)]:
        common = run.taken(max_new_tokens=48, details=True, top_n_tokens=2)
        ask_twins(run, {"inputs": inputs, "parameters": common | run.taken(do_sample=False)})
        if not run.lacks("do_sample", "seed"):
            drawn = run.taken(do_sample=True, seed=choose.randrange(1, 2**63), temperature=1.3)
            ask_twins(run, {"inputs": inputs, "parameters": common | drawn})
    full = run.taken(max_new_tokens=4, details=True, return_full_text=True, do_sample=False)
    ask_twins(run, {"inputs": strategies.PROMPTS[2], "parameters": full})
    ask_twins(run, {"inputs": strategies.PROMPTS[2], "parameters": run.taken(max_new_tokens=1, details=True)})
    ask_twins(run, {"inputs": strategies.PROMPTS[2], "parameters": run.taken(max_new_tokens=4, do_sample=False)})
