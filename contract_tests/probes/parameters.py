"""The page's own request, then every documented parameter by itself: what the endpoint takes at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, islice
from typing import Any

from contract_tests import strategies
from contract_tests.exchange import Case
from contract_tests.observation import Observation
from contract_tests.probes.run import Run, probe
from contract_tests.values import is_integer

FEW = {"max_new_tokens": 4}


@probe("example", "the page's own request")
def send_the_page_example(run: Run) -> None:
    run.ask({"inputs": strategies.PROMPTS[0]}, about="introduction.example")
    run.ask({"inputs": strategies.PROMPTS[0], "parameters": {}}, about="request.parameters.optional")
    run.ask({"inputs": strategies.PROMPTS[1], "parameters": FEW})
    run.ask({"inputs": strategies.PROMPTS[1], "parameters": FEW, "stream": False})
    run.ask({"inputs": strategies.PROMPTS[1], "stream": True})
    long = {"inputs": strategies.LONG_PROMPT, "parameters": {"max_new_tokens": 1}}
    whole = run.ask(long, about="request.inputs.long")
    cut = run.ask({**long, "parameters": {"max_new_tokens": 1, "truncate": 8}}, about="request.inputs.long")
    run.evidence.relate("long-inputs", (whole, cut))


@probe("parameters", "each parameter by itself, plain and as a stream")
def send_each_parameter(run: Run) -> None:
    for name in strategies.parameters():
        if name in run.without:
            continue
        for payload in islice(strategies.single_parameter_payloads(name), run.profile.values):
            about = f"parameters.{name}.accepted"
            plain = run.ask(payload, about=about)
            if not plain.answered:
                run.refused.add(name)
                break
            if name not in strategies.WITHOUT_STREAM:
                run.ask({**payload, "stream": True}, about=about)


@probe("unusual", "what the page does not mention, and clients send")
def send_unusual(run: Run) -> None:
    for case in strategies.unusual_requests({**FEW, **run.taken(details=True)}):
        run.send(case)


@probe("scripts", "prompts in many scripts")
def send_many_scripts(run: Run) -> None:
    parameters = run.taken(max_new_tokens=6, details=True, do_sample=False)
    for inputs in run.random("scripts").sample(
        strategies.MANY_SCRIPTS, min(2 * run.profile.prompts, len(strategies.MANY_SCRIPTS))
    ):
        plain = run.ask({"inputs": inputs, "parameters": parameters}, about="request.inputs.any-text")
        stream = run.ask({"inputs": inputs, "parameters": parameters, "stream": True}, about="request.inputs.any-text")
        run.evidence.relate("twin", (plain, stream))
        full = {"inputs": inputs, "parameters": {**parameters, **run.taken(return_full_text=True)}}
        for streamed in (False, True):
            run.ask({**full, "stream": streamed}, about="request.inputs.any-text")


@probe("headers", "the documented headers")
def send_headers(run: Run) -> None:
    payload = {"inputs": strategies.PROMPTS[0], "parameters": run.taken(max_new_tokens=16, do_sample=False, details=True)}
    cached, fresh = (
        run.ask(payload, about="headers.use-cache.type", headers=(("x-use-cache", value),)) for value in ("true", "false")
    )
    run.compare("use-cache", cached, fresh)
    for value in ("false", "true"):
        run.ask(payload, about="headers.wait-for-model.type", headers=(("x-wait-for-model", value),))
    run.ask(payload, about="headers.authorization.accepted")
    if run.client.has_token:
        none, wrong = (
            run.send(Case.of(payload, about="headers.authorization.wrong", faulty=True, headers=(("authorization", value),)))
            for value in ("", "Bearer hf_wrong")
        )
        run.evidence.relate("authorization", (none, wrong))
    if not run.lacks("do_sample"):
        seedless = {"inputs": strategies.PROMPTS[1], "parameters": run.taken(max_new_tokens=20, do_sample=True, details=True)}
        draws = [run.ask(seedless, about="headers.use-cache.type", headers=(("x-use-cache", "false"),)) for _ in range(3)]
        run.evidence.relate("fresh-draws", draws)
        if not run.lacks("seed"):
            run.relate_draws("told-seed", _with_told_seeds(run, seedless, draws))


def _with_told_seeds(run: Run, seedless: dict[str, Any], draws: list[Observation]) -> Iterator[tuple[Observation, Observation]]:
    """Draws without a seed, each with the same request and the seed that was told of it."""
    more = (run.ask(seedless, about="headers.use-cache.type", headers=(("x-use-cache", "false"),)) for _ in count())
    for drawn in chain(draws, more):
        seed = drawn.detail("seed")
        if not is_integer(seed):
            return
        yield drawn, run.ask({**seedless, "parameters": {**seedless["parameters"], "seed": seed}})
