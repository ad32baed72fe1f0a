"""Clauses of the law of the next token: the logprobs that an endpoint reports are those that the sampling parameters leave. No statistics.

Greedy decoding tells the law before they act, and what each does to it is known exactly as far as the endpoint tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, combinations

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import LOGPROB_TOLERANCE, first_candidates, first_id, reports_final_logprobs
from contract_tests.laws import ACTIONS, Law, agrees, laws, told
from contract_tests.observation import Group, Observation, is_integer, is_number, shorten

FILTERS = ("top_p", "typical_p")
"""What a server may apply when it draws and leave out of the logprobs that it reports."""


@clause("parameters.temperature.scales", of="law-temperature")
@clause("parameters.top_k.keeps", of="law-top_k")
@clause("parameters.top_p.keeps", of="law-top_p")
@clause("parameters.together", of="law-together")
def reported_law_is_the_one_asked_for(group: Group) -> Outcome:
    """The first token greedy, then with sampling parameters; the third member has `top_k` 1 and tells the convention.

    Where logprobs are reported from before the parameters act they tell nothing, and draws do (``membership``, ``sampling``).
    """
    greedy, drawn, top_k_one = group.members
    raw, reported = first_candidates(greedy), first_candidates(drawn)
    if len(raw) < 2 or not reported:
        return Skip("the endpoint does not tell two `top_tokens` with logprobs at the first token")
    asked = _asked(drawn)
    possible = laws(told(raw), asked)
    if any(law is not None and _fits(reported, law, asked, drawn) for law in possible):
        return None
    if any(law is None for law in possible):
        return Skip("what the endpoint tells of the distribution does not say what these parameters leave", inconclusive=True)
    known = [law for law in possible if law is not None]
    final = reports_final_logprobs(top_k_one)
    drawn_id = first_id(drawn)
    if all(law.whole and drawn_id not in law.weights for law in known):
        return Violation(f"a token of {_shown(known[0])}: {_words(asked)}", shorten(drawn.tokens))
    for part in _parts(asked, FILTERS if final else tuple(ACTIONS)):
        if any(law is None or _fits(reported, law, part, drawn) for law in laws(told(raw), part)):
            return Skip(
                "the endpoint reports logprobs from before these parameters act: they tell nothing of it", inconclusive=True
            )
    return Violation(
        f"logprobs of the first token with {_words(asked)}: {_shown(known[0])}",
        f"{_rounded(reported)}, and without it {_rounded(raw)}",
    )


def _asked(drawn: Observation) -> dict[str, float]:
    given = {name: drawn.asked.get(name) for name in ACTIONS}
    return {name: value for name, value in given.items() if is_number(value)}


def _fits(reported: Mapping[int, float], law: Law, asked: Mapping[str, float], drawn: Observation) -> bool:
    most = drawn.asked.get("top_n_tokens")
    tolerance = LOGPROB_TOLERANCE / min(1.0, asked.get("temperature", 1.0))
    return agrees(reported, law, tolerance=tolerance, most=most if is_integer(most) else len(reported))


def _parts(asked: Mapping[str, float], optional: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """``asked`` without some of the ``optional`` parameters, at least one."""
    names = [name for name in asked if name in optional]
    for left_out in chain.from_iterable(combinations(names, count) for count in range(1, len(names) + 1)):
        yield {name: value for name, value in asked.items() if name not in left_out}


def _words(asked: Mapping[str, float]) -> str:
    return ", ".join(f"`{name}` {value:g}" for name, value in asked.items())


def _shown(law: Law) -> str:
    return _rounded(law.logprobs()) + ("" if law.whole else " (differences)")


def _rounded(logprobs: Mapping[int, float]) -> str:
    return shorten({str(id): round(value, 3) for id, value in logprobs.items()})
