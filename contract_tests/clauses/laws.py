"""Clauses of the law of the next token: the logprobs that an endpoint reports are those that the sampling parameters leave. No statistics.

Greedy decoding tells the law before they act, and what each does to it is known exactly as far as the endpoint tells of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import REPEATED_TOLERANCE, Place, first_candidates, reports_final_logprobs, same_contexts
from contract_tests.laws import ACTIONS, Law, agrees, laws, told
from contract_tests.observation import Group, Observation
from contract_tests.values import is_integer, is_number, shorten

FILTERS = ("top_k", "top_p", "typical_p")
"""What a server may apply when it draws and leave out of the logprobs that it reports; at its end, each leaves one token, of logprob 0."""


@clause("parameters.temperature.scales", of="law-temperature")
@clause("parameters.top_k.keeps", of="law-top_k")
@clause("parameters.top_p.keeps", of="law-top_p")
@clause("parameters.typical_p.keeps", of="law-typical_p")
@clause("parameters.together", of="law-together")
@clause("parameters.together", of="law-many")
def reported_law_is_the_one_asked_for(group: Group) -> Outcome:
    """Greedy, then drawn with sampling parameters: each place behind the same tokens. The others tell the convention.

    Where logprobs are reported from before the parameters act they tell nothing, and draws do (``membership``, ``sampling``).
    """
    greedy, drawn, *witnesses = group.members
    optional = behind_what_is_reported(greedy, witnesses)
    outcomes = [judge_place(place, told(place.before), drawn, optional) for place in same_contexts(greedy, drawn)]
    if not outcomes:
        return Skip("the endpoint does not tell two `top_tokens` with logprobs at the first token")
    wrong = next((outcome for outcome in outcomes if isinstance(outcome, Violation)), None)
    return wrong if wrong or None in outcomes else outcomes[0]


@clause("parameters.top_k.keeps", of="law-wide")
def more_are_kept_by_a_larger_top_k(group: Group) -> Outcome:
    """The first token with all candidates, with ``LARGER`` of them, and with ``SMALLER``: the fewer, the more each has of the whole.

    If the smaller `top_k` leaves less than all and the larger changes nothing, the tokens that only the larger keeps have no share.
    All that are left out are less likely still, and no vocabulary is large enough for them to have together what is missing.
    """
    everything, larger, smaller = (first_candidates(member) for member in group.members)
    ids = everything.keys() & larger.keys() & smaller.keys()
    if len(ids) < 3 or all(round(value, 4) == value for law in (larger, smaller) for value in law.values()):
        return Skip("the endpoint does not tell three `top_tokens` with exact logprobs at the first token")
    left_out = 1.0 - math.exp(max(everything[id] - smaller[id] for id in ids))
    if left_out < MISSING_SHARE:
        return Skip(f"with `top_k` {SMALLER} hardly anything is left out", inconclusive=True)
    if any(abs(larger[id] - smaller[id]) > EXACT for id in ids):
        return None
    return Violation(
        f"with `top_k` {LARGER} more tokens than with {SMALLER}, which leaves out {left_out:.0%} of the whole",
        f"the same logprobs with both: {rounded(larger)}",
    )


SMALLER, LARGER = 100, 1000
"""Values of `top_k` beyond what is told, and below any vocabulary."""

EXACT = 1e-5
"""Nats by which logprobs differ that are computed alike and told to six digits."""

MISSING_SHARE = 0.05
"""Share of the whole that 2**20 tokens cannot have of which 900 likelier ones have less than ``EXACT``."""


def behind_what_is_reported(greedy: Observation, witnesses: Iterable[Observation]) -> tuple[str, ...]:
    """Sampling parameters that may act behind the logprobs that are reported; requests that leave one token tell which do not."""
    final = {
        name for one in witnesses if reports_final_logprobs(one, greedy) for name in FILTERS if one.asked.get(name) is not None
    }
    return tuple(name for name in FILTERS if name not in final) if "top_k" in final else tuple(ACTIONS)


def judge_place(place: Place, before: Law, drawn: Observation, optional: tuple[str, ...]) -> Outcome:
    """Whether what is reported of one place is what the parameters leave of its law; ``optional`` ones may act behind what is reported."""
    raw, reported = place.before, place.after
    if len(raw) < 2 or not reported:
        return Skip("the endpoint does not tell two `top_tokens` with logprobs")
    asked = asked_of(drawn)
    possible = [law for law in laws(before, asked) if law is not None]
    fitting = [law for law in possible if fits(reported, law, asked, drawn)]
    if any(law.certain for law in fitting):
        return None
    if fitting or not possible:
        return Skip("what the endpoint tells of the distribution does not say what these parameters leave", inconclusive=True)
    if all(place.other in law.out or (law.whole and place.other not in law.weights) for law in possible):
        return Violation(f"as token {place.number} one of {_shown(possible[0])}: {in_words(asked)}", shorten(drawn.tokens))
    for part in parts_of(asked, optional):
        if any(law is None or fits(reported, law, part, drawn) for law in laws(before, part)):
            return Skip(
                "the endpoint reports logprobs from before these parameters act: they tell nothing of it", inconclusive=True
            )
    return Violation(
        f"logprobs of token {place.number} with {in_words(asked)}: {_shown(possible[0])}",
        f"{rounded(reported)}, and without it {rounded(raw)}",
    )


def asked_of(drawn: Observation) -> dict[str, float]:
    given = {name: drawn.asked.get(name) for name in ACTIONS}
    return {name: value for name, value in given.items() if is_number(value)}


def fits(reported: Mapping[int, float], law: Law, asked: Mapping[str, float], drawn: Observation) -> bool:
    most = drawn.asked.get("top_n_tokens")
    tolerance = REPEATED_TOLERANCE / min(1.0, asked.get("temperature", 1.0))
    return agrees(reported, law, tolerance=tolerance, most=most if is_integer(most) else len(reported))


def parts_of(asked: Mapping[str, float], optional: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """``asked`` without some of the ``optional`` parameters, at least one."""
    names = [name for name in asked if name in optional]
    for left_out in chain.from_iterable(combinations(names, count) for count in range(1, len(names) + 1)):
        yield {name: value for name, value in asked.items() if name not in left_out}


def in_words(asked: Mapping[str, float]) -> str:
    return ", ".join(f"`{name}` {value:g}" for name, value in asked.items())


def _shown(law: Law) -> str:
    return rounded(law.logprobs()) + ("" if law.whole else " (differences)")


def rounded(logprobs: Mapping[int, float]) -> str:
    return shorten({str(id): round(value, 3) for id, value in logprobs.items()})
