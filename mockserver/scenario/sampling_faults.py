"""Faults in how tokens are chosen: a seed, a temperature, a filter or a penalty ignored, or taken otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from mockserver.messages import Request
from mockserver.scenario.alter import Json, at_most, fault, ignored, parameters
from mockserver.scenario.seams import Fault, Hooks

NO_PENALTIES: Json = {"repetition_penalty": None, "frequency_penalty": None}


def _seed_reported(change: Callable[[Request], Json]) -> Hooks:
    """As ``parameters``, but the seed that was sent is the one that is reported."""

    def report(whole: Any, request: Request) -> Any:
        details = whole.get("details")
        if not details or request.parameters.seed is None or details["seed"] is None:
            return whole
        return {**whole, "details": {**details, "seed": request.parameters.seed}}

    return Hooks(
        on_request=parameters(change).on_request,
        on_reply=report,
        on_events=lambda objects, request: (report(event, request) for event in objects),
    )


def _any_seed(beside: str = "seed", below: int = 2**64) -> Hooks:
    seeds = count(below)

    def change(request: Request) -> Json:
        seed = request.parameters.seed
        lost = seed is not None and seed < below and getattr(request.parameters, beside) is not None
        return {"seed": next(seeds) % 2**64} if lost else {}

    return _seed_reported(change)


def _seed_cut(below: int) -> Hooks:
    return _seed_reported(lambda request: {} if request.parameters.seed is None else {"seed": request.parameters.seed % below})


def _drawn_under_a_grammar() -> Hooks:
    seeds = count(1)

    def change(request: Request) -> Json:
        greedy = request.parameters.grammar is not None and not request.parameters.do_sample
        return {"do_sample": True, "seed": next(seeds)} if greedy else {}

    return parameters(change)


def _never_the_same() -> Hooks:
    """Greedy requests are drawn, and nobody is told."""
    seeds = count(1)
    sampling = ("do_sample", "temperature", "top_k", "top_p", "typical_p")

    def on_request(request: Request) -> Request:
        if any(getattr(request.parameters, name) for name in sampling):
            return request
        return replace(request, parameters=replace(request.parameters, do_sample=True, temperature=2.0, seed=next(seeds)))

    def untold(whole: Any, _: Request) -> Any:
        return {**whole, "details": {**whole["details"], "seed": None}} if whole.get("details") else whole

    return Hooks(
        on_request=on_request, on_reply=untold, on_events=lambda events, request: (untold(event, request) for event in events)
    )


def _shifted_frequency_penalty(request: Request) -> Json:
    given = request.parameters.frequency_penalty
    return {} if given is None else {"frequency_penalty": given - 1.0}


SAMPLING_FAULTS: tuple[Fault, ...] = (
    fault(
        "frequency-penalty-absolute",
        "parameters.frequency_penalty.scales",
        "Takes no notice of the sign of `frequency_penalty`.",
        parameters(lambda request: {"frequency_penalty": abs(request.parameters.frequency_penalty or 0.0)}),
    ),
    fault("greedy-varies", "parameters.do_sample.greedy", "Draws tokens although nothing asks for it.", _never_the_same),
    fault(
        "grammar-samples",
        "parameters.do_sample.greedy",
        "Draws tokens whenever a `grammar` is sent.",
        _drawn_under_a_grammar,
    ),
    fault(
        "penalties-not-when-sampling",
        "parameters.do_sample.penalties",
        "Takes no notice of penalties when tokens are drawn.",
        parameters(lambda request: NO_PENALTIES if request.parameters.do_sample else {}),
    ),
    fault(
        "do-sample-not-without-limit",
        "parameters.do_sample.samples",
        "Takes no notice of `do_sample` where no `max_new_tokens` is given.",
        parameters(lambda request: {"do_sample": None} if request.parameters.max_new_tokens is None else {}),
    ),
    fault("do-sample-ignored", "parameters.do_sample.samples", "Takes no notice of `do_sample`.", ignored("do_sample")),
    fault(
        "frequency-penalty-ignored",
        "parameters.frequency_penalty.penalizes",
        "Takes no notice of `frequency_penalty`.",
        ignored("frequency_penalty"),
    ),
    fault(
        "frequency-penalty-at-most-1",
        "parameters.frequency_penalty.penalizes",
        "Takes a `frequency_penalty` above 1 for 1.",
        at_most("frequency_penalty", 1.0),
    ),
    fault(
        "frequency-penalty-neutral-at-1",
        "parameters.frequency_penalty.neutral",
        "Takes 1.0 for no penalty, as a row of the page says.",
        parameters(_shifted_frequency_penalty),
    ),
    fault(
        "repetition-penalty-ignored",
        "parameters.repetition_penalty.penalizes",
        "Takes no notice of `repetition_penalty`.",
        ignored("repetition_penalty"),
    ),
    fault(
        "repetition-penalty-doubled",
        "parameters.repetition_penalty.neutral",
        "Takes 0.5 for no penalty: the value is doubled.",
        parameters(lambda request: {"repetition_penalty": (request.parameters.repetition_penalty or 0.5) * 2.0}),
    ),
    fault(
        "repetition-penalty-cubed",
        "parameters.repetition_penalty.divides",
        "Applies `repetition_penalty` three times.",
        parameters(lambda request: {"repetition_penalty": (request.parameters.repetition_penalty or 1.0) ** 3}),
    ),
    fault("seed-ignored", "parameters.seed.repeats", "Draws by another seed each time, and reports the one sent.", _any_seed),
    fault(
        "seed-samples",
        "parameters.seed.greedy",
        "Draws tokens whenever a `seed` is sent.",
        parameters(lambda request: {} if request.parameters.seed is None else {"do_sample": True}),
    ),
    fault(
        "seed-zero-ignored",
        "parameters.seed.repeats",
        "Takes seed 0 for none, and reports it.",
        lambda: _any_seed(below=1),
    ),
    fault(
        "seed-ignored-below-100",
        "parameters.seed.repeats",
        "Draws by another seed each time where the one sent is below 100, and reports the one sent.",
        lambda: _any_seed(below=100),
    ),
    fault(
        "seed-constant",
        "parameters.seed.differs",
        "Draws by the same seed whatever was sent, and reports the one sent.",
        _seed_reported(lambda request: {"seed": 7} if request.parameters.seed is not None else {}),
    ),
    fault(
        "seed-of-16-bits",
        "parameters.seed.differs",
        "Keeps 16 bits of a seed, and reports the one sent.",
        _seed_cut(2**16),
    ),
    fault(
        "seed-of-63-bits",
        "parameters.seed.high-bits",
        "Loses the highest bit of a seed, and reports the one sent.",
        _seed_cut(2**63),
    ),
    fault(
        "seed-not-with-grammar",
        "parameters.seed.repeats",
        "Takes no notice of `seed` beside `grammar`.",
        lambda: _any_seed(beside="grammar"),
    ),
    fault(
        "temperature-ignored",
        "parameters.temperature.scales",
        "Samples, at temperature 1 always.",
        ignored("temperature", do_sample=True),
    ),
    fault(
        "temperature-warm",
        "parameters.temperature.cold",
        "Takes a `temperature` below 0.05 for 1.5.",
        parameters(lambda request: {"temperature": 1.5} if (request.parameters.temperature or 1.0) < 0.05 else {}),
    ),
    fault(
        "temperature-not-with-others",
        "parameters.together",
        "Takes no notice of `temperature` beside `top_k`.",
        parameters(lambda request: {"temperature": None} if request.parameters.top_k else {}),
    ),
    fault(
        "repetition-penalty-not-with-another",
        "parameters.together",
        "Takes no notice of `repetition_penalty` beside `frequency_penalty`.",
        parameters(lambda request: {"repetition_penalty": None} if request.parameters.frequency_penalty else {}),
    ),
    fault(
        "watermark-not-with-others",
        "parameters.together",
        "Takes no notice of `watermark` beside `temperature`.",
        parameters(lambda request: {"watermark": None} if request.parameters.temperature else {}),
    ),
    fault(
        "top-k-ignored",
        "parameters.top_k.keeps",
        "Samples, from all tokens whatever `top_k` is.",
        ignored("top_k", do_sample=True),
    ),
    fault(
        "top-k-at-most-50",
        "parameters.top_k.keeps",
        "Takes a `top_k` above 50 for 50.",
        at_most("top_k", 50),
    ),
    fault(
        "top-k-plus-one",
        "parameters.top_k.one",
        "Keeps one token too many.",
        parameters(lambda request: {"top_k": request.parameters.top_k + 1} if request.parameters.top_k else {}),
    ),
    fault(
        "top-p-ignored",
        "parameters.top_p.keeps",
        "Samples, from all tokens whatever `top_p` is.",
        ignored("top_p", do_sample=True),
    ),
    fault(
        "top-p-at-least-0.9",
        "parameters.top_p.small",
        "Takes a `top_p` below 0.9 for 0.9.",
        parameters(lambda request: {"top_p": max(request.parameters.top_p or 1.0, 0.9)} if request.parameters.top_p else {}),
    ),
    fault(
        "typical-p-at-most-0.5",
        "parameters.typical_p.keeps",
        "Takes a `typical_p` above 0.5 for 0.5.",
        at_most("typical_p", 0.5),
    ),
    fault(
        "typical-p-ignored",
        "parameters.typical_p.keeps",
        "Samples, from all tokens whatever `typical_p` is.",
        ignored("typical_p", do_sample=True),
    ),
)
