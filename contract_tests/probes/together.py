"""Everything beside everything else, under grammars: where all of a law is told, and where the text is forced whatever else is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, combinations, count, cycle, islice, permutations, product
from typing import Any

from contract_tests import strategies
from contract_tests.clauses.together import whole_law
from contract_tests.laws import ACTIONS, Law, tells, tells_each, tells_from
from contract_tests.observation import Observation
from contract_tests.probes.laws import CERTAIN, ENDS
from contract_tests.probes.run import NEW_QUERY, Run, probe
from contract_tests.values import numbers

ABOUT = "parameters.together"

LETTERS = {"type": "regex", "value": "[A-E]"}
"""As many tokens as an endpoint tells candidates."""

NEVER = ["\u2603 never so \u2603"]
MANY = [f"{place}{NEVER[0]}" for place in range(3)]

COMPANY: tuple[dict[str, Any], ...] = (
    {"seed": 11, "max_new_tokens": 24, "truncate": 200, "decoder_input_details": True},
    {"seed": 12, "truncate": 200, "stream": True},
    {"best_of": 2, "max_new_tokens": 1, "decoder_input_details": True},
)
"""What leaves the law of the first token as it is, each with more of it; one has no limit, and a draw of the best of two no seed."""

FOREIGN = "Zażółć gęślą jaźń, \u6f22\u5b57, and a few words more before what is asked. "
"""Makes a prompt longer, and one that is not ASCII."""

BESIDES: dict[str, Any] = {"stop": NEVER, "return_full_text": True}

PENALTIES: tuple[dict[str, Any], ...] = ({"repetition_penalty": 1.9}, {"frequency_penalty": 2.0})
MOVERS = (*PENALTIES, {"watermark": True})

MILD: tuple[dict[str, Any], ...] = ({"repetition_penalty": 0.7}, {"repetition_penalty": 2}, {"frequency_penalty": 0.75})
"""Of another part of their ranges, or whole numbers."""

VALUES: dict[str, tuple[float, ...]] = {
    "temperature": (0.25, 0.6, 1.3, 2, 0.8),
    "top_k": (2, 3, 4),
    "top_p": (0.15, 0.4, 0.65, 0.85, 0.93),
    "typical_p": (0.15, 0.4, 0.65, 0.85, 0.93),
}
"""One of each part of a parameter's range, of which a server may know one only."""

MOST = 12
"""Requests at most that show sampling parameters beside each other."""


@probe("together", "parameters beside each other, under a grammar that leaves a few letters")
def send_together(run: Run) -> None:
    if run.lacks("do_sample", "details", "top_n_tokens", "grammar"):
        return
    _send_everything(run)
    if run.profile.prompts > 1:
        _send_laws(run)


def _send_laws(run: Run) -> None:
    """What is reported of a letter under some parameters, and under all but one."""
    tried = [_asking(run, inputs, do_sample=False, max_new_tokens=1) for inputs in strategies.PROMPTS[1:5]]
    flattest = sorted((greedy for greedy in tried if whole_law(greedy) is not None), key=_likeliest)
    convention = _convention(run) if flattest else []
    if not convention:
        return
    inputs, names = flattest[0].asked.inputs, [name for name in ACTIONS if not run.lacks(name)]
    foreign = _asking(run, FOREIGN + inputs, do_sample=False, max_new_tokens=1)
    shortest = min(flattest, key=lambda greedy: len(greedy.asked.inputs))
    for greedy, warpers, company in _covering((flattest[0], shortest, foreign), names):
        drawn = _asking(run, greedy.asked.inputs, do_sample=True, **warpers, **company, **BESIDES)
        run.evidence.relate("law-whole", (greedy, drawn, *convention))
    law = whole_law(flattest[0])
    for mass in _telling_masses(law) if law and "typical_p" in names else ():
        drawn = _asking(run, inputs, do_sample=True, seed=13, max_new_tokens=1, typical_p=mass)
        run.evidence.relate("whole-typical_p", (flattest[0], drawn, *convention))
    for other in (strategies.PROMPTS[4], FOREIGN + inputs):
        _send_penalties(run, other, convention[1:])
    _send_movers(run, flattest, convention)


def _convention(run: Run) -> list[Observation]:
    """A greedy token that is not certain, and requests that leave it alone, without any grammar; nothing where there is none."""
    for inputs in strategies.PROMPTS[1:4]:
        told = {"max_new_tokens": 1, "grammar": None}
        greedy = _asking(run, inputs, do_sample=False, **told)
        logprobs = numbers(token.get("logprob") for token in greedy.tokens or [])
        if logprobs and max(logprobs) < math.log(CERTAIN):
            return [greedy, *(_asking(run, inputs, do_sample=True, seed=1, **told, **end) for end in ENDS if not run.lacks(*end))]
    return []


def _likeliest(greedy: Observation) -> float:
    """The probability of the likeliest letter."""
    law = whole_law(greedy)
    return 1.0 if law is None else max(law.weights.values())


def _asking(run: Run, inputs: str, **parameters: Any) -> Observation:
    """The first letter, its candidates told."""
    stream = parameters.pop("stream", False)
    given = {"details": True, "top_n_tokens": 5, "grammar": LETTERS, **parameters}
    told = run.taken(**{name: value for name, value in given.items() if value is not None})
    return run.ask({"inputs": inputs, "parameters": told, "stream": stream}, about=ABOUT, headers=NEW_QUERY)


def _covering(
    greedy: Sequence[Observation], names: Sequence[str]
) -> Iterator[tuple[Observation, dict[str, float], dict[str, Any]]]:
    """Parameters to send together, each time those that show most of what was not shown yet, behind one greedy reply after the other.

    Shown is a parameter beside another one, beside company, and in a part of its range, if the law is another without it.
    """
    laws = {base.asked.inputs: whole_law(base) for base in greedy}
    telling = {inputs: _telling(law, names) if law else {} for inputs, law in laws.items()}
    shown: set[tuple[object, ...]] = set()
    for number, base in islice(cycle(enumerate(greedy)), MOST):
        settings = telling[base.asked.inputs]
        best = max(settings, key=lambda each: len(_shows(each, settings[each], number) - shown), default=())
        new = _shows(best, settings.get(best, []), number) - shown
        if new:
            shown |= new
            yield base, dict(best), COMPANY[number]


Setting = tuple[tuple[str, float], ...]


def _shows(setting: Setting, told: Sequence[str], company: int) -> set[tuple[object, ...]]:
    pairs = {(name, other) for name, other in permutations(dict(setting), 2) if name in told}
    return pairs | {(name, value) for name, value in setting if name in told} | {(name, "company", company) for name in told}


def _telling(law: Law, names: Sequence[str]) -> dict[Setting, list[str]]:
    """Two or three parameters with their values, and which of them show."""
    found: dict[Setting, list[str]] = {}
    for most in (2, 3):
        for chosen in combinations(names, most):
            for values in product(*(VALUES[name][:: most - 1] for name in chosen)):
                setting = dict(zip(chosen, values, strict=True))
                found[tuple(setting.items())] = [name for name in chosen if tells(law, setting, name)]
    return found


MISTAKEN: tuple[Callable[[float], float], ...] = (
    lambda mass: round(mass, 1),
    lambda mass: mass + 0.1,
    lambda mass: mass - 0.1,
    lambda mass: max(mass, 0.2),
    lambda mass: min(mass, 0.5),
    lambda mass: min(mass, 0.8),
)
"""As what a wrong server may take a mass."""

MOST_MASSES = 3


def _telling_masses(law: Law) -> list[float]:
    """Values of `typical_p` near enough to where its set grows that each mistaken one, as far as that can be, keeps another set."""
    told = {
        mass: {
            place
            for place, other in enumerate(mistaken(mass) for mistaken in MISTAKEN)
            if 0 < other < 1 and tells_from(law, {"typical_p": mass}, {"typical_p": other})
        }
        for mass in (percent / 100 for percent in range(3, 98))
    }
    chosen: list[float] = []
    found: set[int] = set()
    for _ in range(MOST_MASSES):
        best = max(told, key=lambda mass: len(told[mass] - found))
        if not told[best] - found:
            break
        found |= told[best]
        chosen.append(best)
    return chosen


def _send_penalties(run: Run, inputs: str, one_left: Sequence[Observation]) -> None:
    """Several letters, so that each penalty has generated ones to act on."""
    several = {"max_new_tokens": 12, "grammar": {"type": "regex", "value": "([A-E] ){16}"}}
    plain = _asking(run, inputs, do_sample=False, **several)
    for penalty in PENALTIES:
        if one_left and not run.lacks(*penalty):
            penalized = _asking(run, inputs, do_sample=False, **several, **penalty)
            run.evidence.relate(f"penalty-{next(iter(penalty))}", (plain, penalized, one_left[0]))


def _send_movers(run: Run, flattest: Sequence[Observation], convention: list[Observation]) -> None:
    """Penalties and the watermark beside each other and beside sampling parameters, behind letters that occurred."""
    movers = [mover for mover in MOVERS if not run.lacks(*mover)]
    still_open = [(mover, name) for mover in range(len(movers)) for name in BESIDE_TEMPERATURE if not run.lacks(name)]
    for greedy in flattest[:PROMPTS_TRIED]:
        inputs = _occurring(greedy) + "\n" + greedy.asked.inputs
        bare = _asking(run, inputs, do_sample=False, max_new_tokens=1, decoder_input_details=True)
        moved = [_asking(run, inputs, do_sample=False, max_new_tokens=24, **mover) for mover in movers]
        for one, other in combinations(range(len(movers)), 2):
            both = _asking(run, inputs, do_sample=False, max_new_tokens=1, **movers[one], **movers[other])
            run.evidence.relate("law-movers", (bare, moved[one], moved[other], both))
        for alone in moved if greedy is flattest[0] else ():
            mild = [
                _asking(run, inputs, do_sample=False, max_new_tokens=1, **other)
                for other in MILD
                if alone.asked.get(next(iter(other)))
            ]
            if mild:
                run.evidence.relate("law-mild", (bare, alone, *mild))
        for place, name in list(still_open):
            setting = _telling_all(bare, moved[place], run.taken(temperature=0, **{name: 0}))
            if setting:
                company = COMPANY[(place + BESIDE_TEMPERATURE.index(name)) % len(COMPANY)]
                drawn = _asking(run, inputs, do_sample=True, **movers[place], **setting, **company, **BESIDES)
                run.evidence.relate("law-moved", (bare, moved[place], drawn, *convention))
                still_open.remove((place, name))
        if not still_open:
            return


PROMPTS_TRIED = 2
"""Prompts after which what still does not show is not asked further."""

BESIDE_TEMPERATURE = ("top_k", "top_p", "typical_p")

OFTEN = (5, 2, 1)
"""How often the letters occur that the endpoint finds likeliest: a penalty then makes the law flatter, by other amounts for each."""


def _occurring(greedy: Observation) -> str:
    """The likeliest letters, a line each, so that their tokens are those of the grammar."""
    texts = [str(candidate.get("text")).strip() for candidate in (greedy.top_tokens or [[]])[0]]
    return "".join(f"{text}\n" * count for text, count in zip(texts, OFTEN, strict=False))


def _telling_all(bare: Observation, moved: Observation, names: Iterable[str]) -> dict[str, float] | None:
    """Values of these parameters that all show beside what moved the law, which shows as well."""
    raw, law = whole_law(bare), whole_law(moved)
    if raw is None or law is None:
        return None
    names = list(names)
    settings = (dict(zip(names, values, strict=True)) for values in product(*(MOVED_VALUES[name] for name in names)))
    return next((setting for setting in settings if tells_each(raw, law, setting)), None)


MASSES = (0.93, 0.85, 0.4, 0.6, 0.15, 0.7, 0.25, 0.5)
MOVED_VALUES = {"temperature": (2, 1.5, 3, 0.5, 1.2, 2.5), "top_k": (2, 3, 4), "top_p": MASSES, "typical_p": MASSES}
"""A law behind letters that occurred is peaked: at a high temperature more of it shows."""

EVERYTHING: dict[str, Any] = {
    "temperature": 1.3,
    "top_k": 30,
    "top_p": 0.95,
    "typical_p": 0.95,
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.3,
    "watermark": True,
    "truncate": 6,
    "top_n_tokens": 3,
    "details": True,
    "return_full_text": True,
    "do_sample": True,
}

FORCED = (("coffee\nTea and milk", "\nTea"), ("un caf\u00e9 noir", "\u00e9"))
"""A text that a grammar forces, whatever else is asked, and a stop sequence in it that models seldom write by themselves."""


def _send_everything(run: Run) -> None:
    """All parameters at once, where each shows by itself: what is forced is stopped, cut, repeated, told and read out."""
    choose = run.random("everything")
    prefill = run.taken(decoder_input_details=True)

    def ask(inputs: str, pattern: str, parameters: dict[str, Any], *, stream: bool = False) -> Observation:
        given = {**EVERYTHING, "grammar": {"type": "regex", "value": pattern}, **parameters}
        kept = run.taken(**{name: value for name, value in given.items() if value is not None})
        return run.ask({"inputs": inputs, "parameters": kept, "stream": stream}, about=ABOUT, headers=NEW_QUERY)

    short, long = strategies.PROMPTS[4], FOREIGN + strategies.PROMPTS[0]
    limit = {"max_new_tokens": 32}
    (text, stop), (other, other_stop) = FORCED
    ask(short, text, {**limit, **prefill, "stop": [*MANY, stop], "seed": choose.randrange(1, 2**63)})
    # nothing but `do_sample` makes this one a draw
    undistorted = dict.fromkeys(ACTIONS)
    ask(long, other, {**limit, **undistorted, "stop": [*MANY, other_stop], "seed": choose.randrange(1, 2**63)}, stream=True)
    if run.profile.prompts > 1:
        ask(long, text, {**limit, **prefill, "stop": [*MANY, stop], "best_of": 2})
    kinds = ((strategies.PROMPTS[0], 16, SEEDS[0]), (long, None, SEEDS[1]))
    for more, (inputs, most, seeds) in product(({}, {"best_of": 2}), kinds):
        if run.lacks("seed", *more) or ((more or inputs == long) and run.profile.prompts == 1):
            continue
        seeded = {**more, **prefill, "stop": NEVER, "max_new_tokens": most}
        draws = (ask(inputs, ANY_LETTERS, {**seeded, "seed": choose.choice(seeds)}) for _ in count())
        first = next(draws)
        if first.generated:  # else it does not take a seed beside `best_of`
            run.relate_draws("repeat-seeded", ((draw, run.send(draw.case)) for draw in chain([first], draws)))


SEEDS = (range(2**62 + 1, 2**63, 2), range(2, 2**32, 2))
"""Large and odd ones, small and even ones: a server may know one kind only."""

ANY_LETTERS = "[a-p]{64}"
