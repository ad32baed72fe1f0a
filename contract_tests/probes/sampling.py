"""Draws: the extremes that leave the greedy tokens, several seeds, best_of, grammars, and what temperature does to reported logprobs."""

from __future__ import annotations

import math
from typing import Any

from contract_tests import statistics, strategies
from contract_tests.clauses.sampling import COLD, LOOKS, READINGS, SMALL, chance_of_repetition
from contract_tests.clauses.shared import NEAR_TIE
from contract_tests.nucleus import entropy_bounds, surely_not_typical
from contract_tests.observation import ABOVE_ZERO, Observation
from contract_tests.probes.forced import send_forced
from contract_tests.probes.run import NEW_QUERY, Run, probe
from contract_tests.values import numbers


@probe("extremes", "sampling parameters at their ends, and a seed alone")
def send_extremes(run: Run) -> None:
    """Each extreme on one prompt after the other until its clause could judge a text that is not likely anyway."""
    if run.lacks("do_sample"):
        return
    choose = run.random("extremes")
    open_extremes: dict[str, dict[str, Any]] = {
        "top_k-one": {"top_k": 1},
        "top_p-small": {"top_p": SMALL},
        "temperature-cold": {"temperature": COLD},
    }
    if run.profile.prompts > 1:
        open_extremes["seeded-greedy"] = {"do_sample": False, "seed": choose.randrange(1, 2**31)}
    for inputs in strategies.PROMPTS[1:]:  # what follows the first is likely anyway
        bases: dict[int, Observation] = {}
        for relation, warper in list(open_extremes.items()):
            if run.lacks(*warper):
                continue
            # the more tokens, the nearer come two of them once, which at no temperature are told apart
            count = 6 if "temperature" in warper else 12
            limit = run.taken(max_new_tokens=count)
            greedy = {**limit, **run.taken(details=True, top_n_tokens=5, do_sample=False)}
            base = bases[count] = bases.get(count) or run.ask({"inputs": inputs, "parameters": greedy})
            # as little as can be asked: what holds beside much else is shown elsewhere (together)
            drawn = {**limit, "do_sample": True, **run.taken(seed=choose.randrange(1, 2**63))}
            beside = greedy if "do_sample" in warper else drawn
            judged = run.compare(relation, base, run.ask({"inputs": inputs, "parameters": {**beside, **warper}}))
            if judged and (base.path is None or base.path < UNLIKELY):
                del open_extremes[relation]
        if not open_extremes:
            return


UNLIKELY = math.log(0.05)
"""Log of the chance of a text above which a draw that takes no notice of anything may well be it."""


def _ask_top_k_one(run: Run, inputs: str) -> Observation:
    """The request whose logprobs tell whether they are final or raw."""
    return run.ask({"inputs": inputs, "parameters": run.taken(max_new_tokens=2, details=True, do_sample=True, seed=1, top_k=1)})


WEAK = 1.05
"""A `repetition_penalty` that leaves most tokens as they are, so that what it does to the others shows at many places."""


@probe("penalties", "penalties on text that repeats")
def send_penalties(run: Run) -> None:
    strong = {"repetition_penalty": 1.5, "frequency_penalty": 2.0}
    first: tuple[Observation, ...] = ()
    for inputs in (*strategies.REPETITIVE, *strategies.PROMPTS):
        greedy = run.taken(max_new_tokens=32, details=True, top_n_tokens=5, do_sample=False)
        told = greedy | run.taken(decoder_input_details=True)  # the prompt's own tokens have occurred too
        base = run.ask({"inputs": inputs, "parameters": told})
        top_k_one = _ask_top_k_one(run, inputs)
        first = first or (base, top_k_one)
        for name, value in strong.items():
            if run.lacks(name) or run.judged(f"parameters.{name}.penalizes"):
                continue
            penalized = run.ask({"inputs": inputs, "parameters": {**greedy, name: value}})
            run.evidence.relate(f"penalty-{name}", (base, penalized, top_k_one))
            if name == "repetition_penalty" and run.profile.prompts > 1:
                again, weak = (
                    run.ask({"inputs": inputs, "parameters": parameters}) for parameters in (told, {**greedy, name: WEAK})
                )
                run.evidence.relate(f"penalty-{name}", (base, weak, top_k_one))
                run.evidence.relate(f"penalties-{name}", (base, again, weak))
            if name == "frequency_penalty" and run.profile.prompts > 1:
                single, negative = (run.ask({"inputs": inputs, "parameters": {**greedy, name: other}}) for other in (1.0, -2.0))
                run.evidence.relate(f"penalties-{name}", (base, single, penalized, negative))
    if run.profile.prompts > 1:
        send_forced(run, *first)


@probe("repetition", "a penalty on a prompt that holds the likeliest tokens")
def send_what_occurred(run: Run) -> None:
    """The endpoint's own candidates are put before the prompt, so that several of them have occurred."""
    if run.lacks("repetition_penalty", "top_n_tokens", "details", "decoder_input_details"):
        return
    parameters = run.taken(max_new_tokens=1, details=True, top_n_tokens=5, do_sample=False)
    for visited, inputs in enumerate(strategies.PROMPTS[: min(3, run.profile.prompts)], 1):
        candidates = (run.ask({"inputs": inputs, "parameters": parameters}).top_tokens or [[]])[0]
        texts = [str(candidate.get("text")) for candidate in candidates]
        prompt = "".join(texts + texts[1:2]) + ". " + inputs  # one of them twice, which is to count once
        told = parameters | {"decoder_input_details": True}
        base, again = (run.ask({"inputs": prompt, "parameters": told}) for _ in range(2))
        penalized = run.ask({"inputs": prompt, "parameters": parameters | {"repetition_penalty": WEAK}})
        run.evidence.relate("penalties-repetition_penalty", (base, again, penalized))
        if visited == 1 and run.profile.prompts > 1 and not run.lacks("do_sample"):
            for penalty in ({"repetition_penalty": 1.2}, {"frequency_penalty": 2.0}):
                chosen = {**parameters, **run.taken(**penalty)}
                ways = (chosen, {**chosen, "do_sample": True, **run.taken(seed=1)})
                run.evidence.relate("drawn-penalized", [run.ask({"inputs": prompt, "parameters": way}) for way in ways])
        if run.judged("parameters.repetition_penalty.divides"):
            return


@probe("nucleus", "draws of a first token under top_k, top_p and typical_p")
def send_first_tokens(run: Run) -> None:
    if run.lacks("do_sample", "seed", "top_n_tokens", "details"):
        return
    choose = run.random("nucleus")
    told = run.taken(details=True, top_n_tokens=5)
    if not run.lacks("top_k"):
        for k in (2, 3, 4):
            sampled = {"do_sample": True, "seed": choose.randrange(1, 2**63), "top_k": k, **run.taken(temperature=2.0)}
            run.ask({"inputs": choose.choice(strategies.PROMPTS), "parameters": {**told, "max_new_tokens": 40, **sampled}})
    if run.profile.first_tokens >= ENOUGH_DRAWS:
        _draw_at_temperatures(run)
    for name, choose_mass in (("top_p", _telling_top_p), ("typical_p", _telling_typical_p)):
        if run.lacks(name):
            continue
        for inputs in strategies.PROMPTS:
            base = run.ask({"inputs": inputs, "parameters": {**told, "max_new_tokens": 1, "do_sample": False}})
            law = numbers(candidate.get("logprob") for candidate in (base.top_tokens or [[]])[0])
            mass = None if law is None or max(law) > ABOVE_ZERO else choose_mass(sorted(law, reverse=True))
            if mass is None:
                continue
            parameters = {**told, "max_new_tokens": 1, "do_sample": True, name: mass}
            seeds = [choose.randrange(1, 2**63) for _ in range((run.profile.first_tokens + 1) // 2)]
            drawn = [run.ask({"inputs": inputs, "parameters": {**parameters, "seed": seed}}) for seed in seeds]
            run.evidence.relate(f"first-{name}", (base, *drawn))
            break


ENOUGH_DRAWS = 20
"""First tokens below which frequencies tell nothing worth their requests."""


TEMPERATURES = (0.5, 2.0)


def _draw_at_temperatures(run: Run) -> None:
    """First tokens at two temperatures, each on the prompt where they tell most; at 1 every place of a longer draw tells (``draws``)."""
    if run.lacks("temperature"):
        return
    choose = run.random("temperatures")
    told = run.taken(max_new_tokens=1, details=True, top_n_tokens=5)
    bases = [run.ask({"inputs": inputs, "parameters": {**told, "do_sample": False}}) for inputs in strategies.PROMPTS]
    laws = [base for base in bases if len(base.top_tokens or [[]]) and len((base.top_tokens or [[]])[0]) > 1]
    members: list[Observation] = []
    for temperature in TEMPERATURES if laws else ():
        base = min(laws, key=lambda base: _draws_needed(base, temperature))
        parameters = {**told, "do_sample": True, "temperature": temperature}
        seeds = [choose.randrange(1, 2**63) for _ in range(run.profile.first_tokens)]
        drawn = [run.ask({"inputs": base.asked.inputs, "parameters": {**parameters, "seed": seed}}) for seed in seeds]
        members += (base, *drawn)
    if members:
        run.evidence.relate("first-temperature", members)


def _draws_needed(base: Observation, temperature: float) -> int:
    """How many draws of this first token it takes to tell the temperature from those as which a wrong server may act."""
    told = (base.top_tokens or [[]])[0]
    law = dict(enumerate(numbers(candidate.get("logprob") for candidate in told) or [0.0, 0.0]))
    others = [statistics.tempered(law, reading(temperature)) for reading in READINGS.values()]
    return statistics.draws_needed(statistics.tempered(law, temperature), others)


def _telling_top_p(law: list[float]) -> float | None:
    """A mass midway between two cumulative sums, where the first token left out is likely and no tie; None for a law too peaked."""
    probabilities = [math.exp(value) for value in law]
    likely = [place for place in range(1, len(probabilities)) if probabilities[place - 1] > 0.02 and probabilities[place] > 0.02]
    places = [place for place in likely if law[place - 1] - law[place] > 2 * NEAR_TIE]
    if not places:
        return None
    place = max(places, key=lambda place: probabilities[place] / sum(probabilities[: place + 1]))
    mass = round(sum(probabilities[:place]) - probabilities[place - 1] / 2, 4)
    return mass if 0 < mass < 1 else None  # logprobs that are wrong may come to more than the whole


def _telling_typical_p(law: list[float]) -> float | None:
    """A mass under which the likeliest tokens are surely not typical; None when none is."""
    surprisals = [-value for value in law]
    bounds = entropy_bounds(surprisals)
    out = {
        mass: sum(math.exp(law[place]) for place in range(len(law)) if surely_not_typical(surprisals, mass, place, bounds))
        for mass in (0.05, 0.1, 0.2, 0.3)
    }
    best = max(out, key=lambda mass: out[mass])
    return best if out[best] > 0.15 else None


APART = (1, 2**31 * 5**9 * 63)
"""How far apart seeds lie, so that a server shows that counts a few of their bits or digits only, or all but the last.

The second is a multiple of many numbers by which a seed may be divided, and none of 2**32: a generator in use may keep 32 bits.
"""

HIGHEST = 2**63
"""The highest of 64 bits."""

FAR = "parameters.seed.high-bits"


@probe("draws", "draws with several seeds")
def send_draws(run: Run) -> None:
    if run.lacks("do_sample", "seed"):
        return
    choose = run.random("draws")
    parameters = run.taken(max_new_tokens=40, details=True, top_n_tokens=5)
    every: list[Observation] = []
    pairs: dict[int, list[Observation]] = {apart: [] for apart in (*APART, HIGHEST)}
    convention: tuple[Observation, ...] = ()
    for visited, inputs in enumerate(choose.sample(strategies.PROMPTS, len(strategies.PROMPTS)), 1):
        greedy = run.ask({"inputs": inputs, "parameters": {**parameters, "do_sample": False}})
        base = choose.randrange(1, 2**62)
        sampled = {**parameters, "do_sample": True}
        drawn = [
            run.ask({"inputs": inputs, "parameters": {**sampled, "seed": base + apart}})
            for apart in (0, *APART)[: run.profile.seeds]
        ]
        run.evidence.relate("draws", (greedy, *drawn))
        if run.profile.seeds > len(APART) and FAR in run.evidence.tallies:
            far = {"inputs": inputs, "parameters": {**sampled, "seed": base + HIGHEST}}
            drawn.append(run.ask(far, about=FAR, headers=NEW_QUERY))
        for apart, other in zip(pairs, drawn[1:], strict=False):
            pairs[apart] += (drawn[0], other)
        every += [draw for draw in drawn if draw.generated]
        if not run.lacks("temperature") and run.profile.prompts > 1:
            warm = {**parameters, "do_sample": True, "temperature": TEMPERATURES[visited % 2]}
            every += [run.ask({"inputs": inputs, "parameters": {**warm, "seed": base + 2 + place}}) for place in range(3)]
        convention = convention or (greedy, _ask_top_k_one(run, inputs))
        if (
            visited >= run.profile.seeds // 2
            and run.judged("parameters.seed.differs")
            and run.judged("parameters.do_sample.samples")
            and all(_parts(some) for some in pairs.values())
        ):
            break
    if run.profile.prompts > 1 and not run.lacks("grammar"):
        free = {**run.taken(details=True, top_n_tokens=5), **strategies.ENDING}
        ways = ({"max_new_tokens": 64, "do_sample": False}, {"do_sample": True, "seed": choose.randrange(1, 2**63)})
        run.evidence.relate("unlimited-draw", [run.ask({"inputs": strategies.PROMPTS[1], "parameters": free | way}) for way in ways])
    for apart, some in pairs.items():
        if some:
            run.evidence.relate("far-seeds" if apart == HIGHEST else "near-seeds", some)
    run.evidence.relate("all-draws", (*convention, *every))


def _parts(pairs: list[Observation]) -> bool:
    """Whether one of these pairs parts or was refused, or all together are too unlikely to be the same by chance."""
    texts = [draw.new_text if draw.generated else object() for draw in pairs]
    chance = chance_of_repetition(pairs[::2])
    return not pairs or texts[::2] != texts[1::2] or (chance is not None and chance < statistics.ALPHA / LOOKS)


@probe("best_of", "the best of two, and the prompt's own tokens")
def send_best_of(run: Run) -> None:
    choose = run.random("best_of")
    details = run.taken(max_new_tokens=16, details=True)
    if not run.lacks("best_of", "do_sample"):
        much = run.taken(decoder_input_details=True, top_n_tokens=2, return_full_text=True)
        free = details if run.profile.prompts == 1 or run.lacks("grammar") else run.taken(details=True) | strategies.ENDING
        prompts = (strategies.PROMPTS[1], *choose.sample(strategies.PROMPTS, 2))  # what follows the first of these is open
        for inputs, asked in zip(prompts, (details | run.taken(max_new_tokens=32), free, details | much), strict=True):
            run.ask({"inputs": inputs, "parameters": {**asked, "best_of": 2, "do_sample": True}})
    if not run.lacks("decoder_input_details"):
        for inputs in (strategies.PROMPTS[0], strategies.MANY_SCRIPTS[2])[: run.profile.prompts]:
            told = run.ask({"inputs": inputs, "parameters": {**details, "decoder_input_details": True}})
            streamed = run.ask({"inputs": inputs, "parameters": details, "stream": True})
            run.evidence.relate("prefill-and-stream", (told, streamed))
            longer = {"inputs": f"{inputs} and then some more words", "parameters": {**details, "decoder_input_details": True}}
            run.evidence.relate("prefill-prefix", (told, run.ask(longer)))
            if run.profile.prompts > 1 and not run.lacks("do_sample", "temperature"):
                sampled = {**details, "decoder_input_details": True, "do_sample": True, "temperature": 0.5}
                run.evidence.relate("prefill-prefix", (told, run.ask({"inputs": inputs, "parameters": sampled})))
        _read_what_was_drawn(run)


def _read_what_was_drawn(run: Run) -> None:
    """A text drawn at temperature 1, then prompt and text as a prompt: what was generated must be read the same way."""
    if run.lacks("do_sample", "details"):
        return
    for inputs in strategies.PROMPTS[: min(3, run.profile.prompts)]:
        parameters = run.taken(max_new_tokens=8, details=True, do_sample=True, seed=3)
        drawn = run.ask({"inputs": inputs, "parameters": parameters})
        told = run.taken(max_new_tokens=1, details=True, decoder_input_details=True, do_sample=False)
        if drawn.joined:
            run.evidence.relate("continued", (drawn, run.ask({"inputs": inputs + drawn.joined, "parameters": told})))
        if run.judged("details.prefill.agrees"):
            return


@probe("grammar", "text under a grammar")
def send_grammars(run: Run) -> None:
    if run.lacks("grammar"):
        return
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 10, "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 99},
            "alive": {"type": "boolean"},
        },
        "required": ["name", "age", "alive"],
        "additionalProperties": False,
    }
    city = {"city": {"enum": ["Rome", "Oslo"]}}
    nested = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["cat", "dog"]},
            "sizes": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}, "minItems": 2, "maxItems": 3},
            "owner": {"type": "object", "properties": city, "required": ["city"], "additionalProperties": False},
        },
        "required": ["kind", "sizes", "owner"],
        "additionalProperties": False,
    }
    grammars = (
        {"type": "regex", "value": "[A-Z]{6}-[0-9]{3}-[a-f]{2}"},  # capitals, and so many, as no model writes by itself
        {"type": "regex", "value": "(yes|no|maybe)"},
        {"type": "json", "value": schema},
        {"type": "json", "value": nested},
    )
    for grammar in grammars:
        for stream in (False, True):
            parameters = run.taken(max_new_tokens=96, details=True, do_sample=False, grammar=grammar)
            run.ask({"inputs": strategies.PROMPTS[0], "parameters": parameters, "stream": stream})
