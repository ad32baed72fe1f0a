"""A text that a grammar forces, of words that the endpoint itself knows, with a choice at its end: what penalties make of each of them."""

from __future__ import annotations

import re
from typing import Any

from contract_tests.clauses.forced import moves_of
from contract_tests.observation import Observation
from contract_tests.probes.run import Run

PENALTIES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("repetition_penalty", (1.9, 0.7)),
    ("frequency_penalty", (0.7, 1.4, 2.0)),
)
"""One that says less than its neutral value too: it makes likelier what occurred. The second is twice the first; no two round to one."""


def send_forced(run: Run, plain: Observation, top_k_one: Observation) -> None:
    """``plain`` is a greedy reply with candidates, and ``top_k_one`` the same prompt's under `top_k` 1, which tells the convention."""
    words = _words(plain)
    if run.lacks("grammar") or len(words) < WORDS:
        return
    for order in (words, words[::-1]):
        parameters = _forced(run, *order)
        base = run.ask({"inputs": plain.asked.inputs, "parameters": parameters})
        if any(len(moves) >= TELLING for moves in moves_of(base, base)):
            break
    for name, values in PENALTIES:
        if not run.lacks(name):
            penalized = [run.ask({"inputs": plain.asked.inputs, "parameters": parameters | {name: value}}) for value in values]
            run.evidence.relate(f"forced-{name}", (plain, top_k_one, base, *penalized))


WORDS = 6

TELLING = 3
"""Words that occurred and are told where the last one is chosen, below which they are tried in another order."""


def _words(plain: Observation) -> list[str]:
    """Candidates that are a space and a word, which the prompt does not hold."""
    texts = [str(candidate.get("text")) for candidates in plain.top_tokens or [] for candidate in candidates]
    words = [text for text in texts if re.fullmatch(" [A-Za-z0-9]{2,}", text) and text not in plain.asked.inputs]
    return list(dict.fromkeys(words))[:WORDS]


def _forced(run: Run, early: str, often: str, late: str, never: str, *others: str) -> dict[str, Any]:
    """One word is forced first and not again, one many times, one last; the fourth never.

    A penalty that looks at the last few tokens only, at the first few, at the last one or at all but that one, or that counts where it
    should not, moves them otherwise.
    """
    between = "".join((often, *others)[int(place)] for place in ORDER)
    choice = "|".join((early, often, late, never))
    parameters = run.taken(max_new_tokens=2 * len(ORDER), details=True, top_n_tokens=5, do_sample=False)
    return parameters | {"grammar": {"type": "regex", "value": f"{early}{between}{late}({choice})"}}


ORDER = "010201022110201012"
"""The words between, in no order that a model would go on with; as many as a penalty may look back that forgets what is behind."""
