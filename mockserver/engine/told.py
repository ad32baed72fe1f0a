"""A model that says what it is told, so that a told text goes the very way of a generated one.

Its logits are those of the model behind it, with the told token in the lead. The lead is the smallest of a few at which the
loop, with all its penalties, draws and grammars, chooses the told tokens; so logprobs stay such as a model might report.
Nothing is bent: where no lead is large enough, there is no such answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mockserver.engine.generate import LanguageModel, generate
from mockserver.engine.grammar import CompiledGrammar
from mockserver.engine.plan import Plan
from mockserver.engine.vocabulary import Vocabulary
from mockserver.errors import GenerationError
from mockserver.messages import FinishReason, Prefill, Step

LEADS = (4, 64, 4_096, 1 << 18)
"""Nats by which the told token is before all others, tried in this order."""

UNITS = 1024
SHOWN = 60


class ToldModel:
    """``model`` with the words put into its mouth: ``ids`` after a prompt of ``prompt_length`` tokens, then the end token."""

    at_once = True

    def __init__(self, model: LanguageModel, ids: Sequence[int], *, prompt_length: int, lead: int) -> None:
        self._model = model
        self._ids = ids
        self._prompt_length = prompt_length
        self._lead = lead * UNITS

    @property
    def vocabulary(self) -> Vocabulary:
        return self._model.vocabulary

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        """All others at or below 0 and the told one above it: a penalty that divides or multiplies cannot turn them round."""
        rows = self._model.logits(contexts).copy()
        rows -= rows.max(axis=1, keepdims=True)
        for row, context in zip(rows, contexts, strict=True):
            place = len(context) - self._prompt_length
            row[self._ids[place] if place < len(self._ids) else self.vocabulary.eos_id] = self._lead
        return rows

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]:
        return self._model.prefill(ids)


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be said: ``who`` says so (for messages), and how it must end, if that was said too."""

    who: str
    text: str
    finish_reason: FinishReason | None = None


def tell(plan: Plan, model: LanguageModel, told: Told, *, sequence: int = 0) -> list[Prefill | Step]:
    """What the loop gives for ``plan`` when the model says ``told``, made whole before the first of it is sent.

    Raises GenerationError when the request's own parameters do not allow that answer.
    """
    vocabulary = model.vocabulary
    ids = vocabulary.encode(told.text) if plan.grammar is None else spell(told.text, plan.grammar, vocabulary)
    whole = [*ids, vocabulary.eos_id]
    for lead in LEADS:
        speaker = ToldModel(model, ids, prompt_length=len(plan.ids), lead=lead)
        events = list(generate(plan, speaker, sequence=sequence))
        said = [event.token.id for event in events if isinstance(event, Step)]
        if said == whole[: len(said)]:
            _check_end(events, told, plan)
            return events
    place = next(place for place, (one, other) in enumerate(zip(said, whole, strict=False)) if one != other)
    begun = vocabulary.decode(whole[:place])
    wanted = "end" if place == len(ids) else f"go on with {vocabulary.token_text(whole[place])!r}"
    why = "the request's `grammar` does not" if plan.grammar else "the request's parameters do not"
    raise GenerationError(f"{told.who} tells a text that {why} allow: after {begun[-SHOWN:]!r} it cannot {wanted}")


def spell(text: str, grammar: CompiledGrammar, vocabulary: Vocabulary) -> list[int]:
    """The tokens of ``text`` as ``grammar`` allows them: at each place the longest; ordinary ones from where it allows none.

    A grammar may allow a text and not the tokens that it would have by itself: it prescribes those of its fixed parts.
    """
    by_bytes, longest = _by_bytes(vocabulary)
    walk, rest, ids = grammar.begin(), text.encode(), list[int]()
    while rest:
        allowed = walk.allowed()
        beginnings = (by_bytes.get(rest[:length]) for length in range(min(longest, len(rest)), 0, -1))
        token = next((token for token in beginnings if token is not None and allowed[token]), None)
        if token is None:
            return ids + vocabulary.encode(rest.decode(errors="replace"))
        walk.accept(token)
        ids.append(token)
        rest = rest[len(vocabulary.token_bytes(token)) :]
    return ids


@lru_cache(maxsize=4)
def _by_bytes(vocabulary: Vocabulary) -> tuple[dict[bytes, int], int]:
    ordinary = [token for token in range(vocabulary.size) if not vocabulary.is_special(token)]
    found = {vocabulary.token_bytes(token): token for token in ordinary}
    return found, max(map(len, found))


def _check_end(events: Sequence[Prefill | Step], told: Told, plan: Plan) -> None:
    last = events[-1]
    assert isinstance(last, Step)
    assert last.finished is not None
    finished = last.finished
    if not told.text.startswith(finished.generated_text):
        raise GenerationError(f"{told.who} tells a text that this model's tokens cannot write: {told.text[:SHOWN]!r}")
    if told.finish_reason not in (None, finished.finish_reason):
        raise GenerationError(
            f"{told.who} tells a text that ends by {told.finish_reason}, but with this request's "
            f"`max_new_tokens` ({plan.max_new_tokens}) and `stop` it ends by {finished.finish_reason} "
            f"after {finished.generated_tokens} tokens"
        )
