"""Requests that differ in one thing: a parameter at its neutral value, details told or not, the prompt prepended, a stop sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, cycle
from typing import Any

from contract_tests import strategies
from contract_tests.observation import Observation
from contract_tests.probes.run import MOST_PAIRS, NEW_QUERY, Run, probe
from contract_tests.values import CUT, objects

REPEATS = "parameters.seed.repeats"

NEUTRAL = {"repetition_penalty": 1.0, "frequency_penalty": 0.0}


def _greedy(run: Run, **more: Any) -> dict[str, Any]:
    return run.taken(max_new_tokens=12, do_sample=False, details=True, **more)


def _long(run: Run, **more: Any) -> dict[str, Any]:
    """Long enough for tokens to occur again, with candidates that show where a penalty went."""
    return run.taken(max_new_tokens=32, do_sample=False, details=True, top_n_tokens=5, **more)


@probe("pairs", "pairs that differ in one parameter")
def send_pairs(run: Run) -> None:
    choose = run.random("pairs")
    for stream in (False, True)[: run.profile.prompts]:
        inputs = choose.choice(strategies.PROMPTS)

        def ask(parameters: dict[str, Any], inputs: str = inputs, stream: bool = stream) -> Observation:
            said = {name: value for name, value in parameters.items() if value is not None}
            return run.ask({"inputs": inputs, "parameters": said, "stream": stream})

        base = ask(_greedy(run))
        run.evidence.relate("repeat-greedy", (base, ask(_greedy(run))))
        if run.profile.prompts > 1:
            beside = _long(run, **BESIDE[stream])
            run.evidence.relate("repeat-greedy", [ask(beside, strategies.PROMPTS[1]) for _ in range(2)])
        repetitive = choose.choice(strategies.REPETITIVE)
        without, again = (ask(_long(run), repetitive) for _ in range(2))
        for name, value in NEUTRAL.items():
            if not run.lacks(name):
                run.evidence.relate(name, (without, again, ask(_long(run, **{name: value}), repetitive)))
        untold = [name for name in ("top_n_tokens", "details") if not run.lacks(name)]
        penalized = _long(run, **({"frequency_penalty": 2.0} if stream else {"repetition_penalty": 1.9}))
        tale = strategies.PROMPTS[2 if stream else 1]
        told = ask(penalized, tale)
        for name in untold:
            run.compare(name, ask({**penalized, name: None}, tale), told)
        if not run.lacks("do_sample", "seed"):
            seeds = (choose.randrange(1, 2 ** (6 if stream else 63)) for _ in range(1 + MOST_PAIRS))
            seeded = [{**_long(run), "do_sample": True, "seed": seed} for seed in seeds]
            zero = {"parameters": {**_long(run), "do_sample": True, "seed": 0}}
            each_twice = (inputs for inputs in cycle(strategies.PROMPTS) for _ in range(2))  # what follows one may be nearly certain
            zeros = (run.ask({"inputs": inputs, **zero}, about=REPEATS, headers=NEW_QUERY) for inputs in each_twice)
            if stream and run.profile.prompts > 1 and (first := next(zeros)).generated:  # else it takes no such seed
                draws = chain([first], zeros)
                run.relate_draws("repeat-seeded", zip(draws, draws, strict=False), least=2)
            if run.relate_draws("repeat-seeded", ((ask(each), ask(each)) for each in seeded)):
                for shown in SHOWN[: 1 if stream else run.profile.prompts]:
                    drawn = ({**each, **run.taken(**shown)} for each in seeded)
                    _relate_untold(run, untold, drawn, partial(ask, inputs=tale))
        if not run.lacks("return_full_text"):
            without_prompt, with_prompt = (
                ask(_greedy(run, return_full_text=full), strategies.MARKED_UP) for full in (False, True)
            )
            run.compare("full_text", without_prompt, with_prompt)


def _relate_untold(
    run: Run, untold: list[str], drawn: Iterable[dict[str, Any]], ask: Callable[[dict[str, Any]], Observation]
) -> None:
    """Draws with all that may be told, each with the same draw without one part of it."""
    asked = list(drawn)
    told: dict[int, Observation] = {}

    def pairs(name: str) -> Iterator[tuple[Observation, Observation]]:
        for place, parameters in enumerate(asked):
            told[place] = told.get(place) or ask(parameters)
            yield ask({**parameters, name: None}), told[place]

    for name in untold:
        run.relate_draws(f"{name}-drawn", pairs(name))


BESIDE: tuple[dict[str, Any], ...] = (
    {"frequency_penalty": 0.5, "return_full_text": True},
    {"grammar": {"type": "regex", "value": "[A-E]{24}"}},
)
"""What is no draw by itself, and may be taken for one."""


SHOWN: tuple[dict[str, Any], ...] = (
    {"top_k": 3, "frequency_penalty": 2.0},
    {"top_p": 0.6, "repetition_penalty": 1.9},
    {"temperature": 0.3, "typical_p": 0.3, "watermark": True},
)
"""What makes another text of nearly every draw, so that it shows where a server takes notice of it only when it is to tell."""


@probe("stop", "stop sequences that occur, and one that does not")
def send_stop_sequences(run: Run) -> None:
    """The stop sequence is taken from what the endpoint itself generates, so that it must occur."""
    if run.lacks("stop"):
        return
    for inputs, company in zip(strategies.PROMPTS[: min(2, run.profile.prompts)], COMPANY, strict=False):
        parameters = {**_greedy(run), "max_new_tokens": 20, **run.taken(**company)}
        base = run.ask({"inputs": inputs, "parameters": parameters})
        for stop in (stops := _stops(base)):
            given = {**parameters, "stop": stop}
            if stop is stops[0]:  # it occurs early, so that nothing else need end the text
                del given["max_new_tokens"]
            for stream in (False, True):
                run.evidence.relate("stop", (base, run.ask({"inputs": inputs, "parameters": given, "stream": stream})))
        literal = _not_literally(base.new_text or "")
        if literal:
            run.compare("stop-literal", base, run.ask({"inputs": inputs, "parameters": {**parameters, "stop": literal}}))


COMPANY: tuple[dict[str, Any], ...] = (
    {},
    {"do_sample": True, "seed": 5, "top_n_tokens": 2, "truncate": 200, "return_full_text": True},
)
"""What `stop` is sent beside, prompt by prompt: a server may look at it only when it is alone."""


def _not_literally(text: str) -> list[str]:
    """Stop sequences that ``text`` does not hold, but would if case did not count, spaces were dropped, or they were expressions."""
    words = [word for word in text.split() if len(word) > 1 and word.isalpha()]
    kinds = (
        [f" {word[1:]}" for word in words],
        [f"{word}\n" for word in words],
        [word.swapcase() for word in words],
        [f"{word[0]}.{word[2:]}" for word in words if len(word) > 2],
    )
    return [absent[0] for kind in kinds if (absent := [one for one in kind if one not in text])]


def _stops(base: Observation) -> list[list[str]]:
    """Stop lists for a reply: one that ends with a token, one that spans two, one inside a token, several, none that occurs.

    Of the last one member stands in the prompt, where a server may look for it that looks into all of its text.
    """
    texts = [
        text for token in base.tokens or [] if isinstance(text := token.get("text"), str) and token.get("special") is not True
    ]
    words = [text for text in texts if text.strip() and CUT not in text]  # nobody promises when a cut character shows
    whole = base.new_text or ""
    never = "\u2603 never so \u2603"
    absent = [never, *[word for word in reversed(base.asked.inputs.split()) if len(word) > 2 and word not in whole][:1]]
    if not whole:
        return []
    if len(words) < 6:
        pieces = [piece for piece in whole[len(whole) // 2 :].split(CUT) if piece]
        return [[pieces[0][:4]], absent] if pieces else []
    long = next((text for text in words[3:] if len(text.strip()) > 2), words[3])
    behind = "".join(texts[texts.index(words[3]) + 1 :][:1]).partition(CUT)[0]
    return [
        [words[3]],
        [words[3] + behind],
        [never, long.strip()[:2]],
        [_late(words), never],
        absent,
    ]


def _late(words: list[str]) -> str:
    """The last of the words that none before it holds."""
    return next(word for place, word in reversed(list(enumerate(words))) if word not in "".join(words[:place]))


@probe("truncate", "long inputs cut to size")
def send_truncated(run: Run) -> None:
    if run.lacks("truncate"):
        return
    inputs = " ".join(strategies.PROMPTS * 3)  # longer than what is asked elsewhere
    parameters = run.taken(do_sample=False, details=True)
    for size in (1, 5, 20, 4000) if run.profile.prompts > 1 else (1, 20):
        drawn = {"do_sample": True} if size == 5 and not run.lacks("do_sample") else {}
        limit = {"max_new_tokens": 3} if size != 20 or run.lacks("grammar") else strategies.ENDING
        whole, cut = (
            run.ask({"inputs": inputs, "parameters": {**limit, **parameters, **drawn, **more}, "stream": True})
            for more in (run.taken(return_full_text=True), {"truncate": size})
        )
        run.evidence.relate("truncate", (whole, cut))
    if not run.lacks("decoder_input_details"):
        told = {"max_new_tokens": 3, **parameters, "decoder_input_details": True}
        whole, cut = (run.ask({"inputs": inputs, "parameters": {**told, **more}}) for more in ({}, {"truncate": 5}))
        run.evidence.relate("truncate-prefill", (whole, cut))
        kept = "".join(str(token.get("text")) for token in objects(cut.detail("prefill")))
        if kept:
            run.evidence.relate("truncate-read", (cut, run.ask({"inputs": kept, "parameters": told})))
