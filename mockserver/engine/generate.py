"""THE LOOP: the one place where tokens are made, for a plain reply and a stream alike.

It gives what it read (Prefill) and then a Step for each token as it is made; the last Step says how it ended. A stream writes the
steps as they come; a plain reply is the fold ``collect`` over the very same steps.

What text a token has
    A special token has its own name as text, and counts as a token, but adds nothing to ``generated_text``.
    A token that ends inside a character has the text "", and the token that completes the character has it whole.
    A character still incomplete when the generation ends is no text at all, neither in a token nor in ``generated_text``:
    so the texts of the tokens that are not special always join to ``generated_text``, and a generation cut earlier is always
    a beginning of the longer one.

Knows no HTTP, no JSON, and no parameter by name: those are settled in ``plan.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mockserver.engine.plan import Plan
from mockserver.engine.stopping import StopSearch, TokenEndSearch, finish_reason
from mockserver.engine.vocabulary import TextStream, Vocabulary
from mockserver.messages import Completion, Finished, Prefill, PrefillToken, Step, Token
from mockserver.sampler import Chain, raw_logprob


class LanguageModel(Protocol):
    """What the loop asks of a model."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]: ...

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]: ...


def generate(plan: Plan, model: LanguageModel, *, sequence: int = 0) -> Iterator[Prefill | Step]:
    """One sequence of ``plan``: a Prefill, then 1 to ``max_new_tokens`` Steps, of which the last alone has ``finished``."""
    vocabulary, settings = model.vocabulary, plan.settings[sequence]
    yield Prefill(len(plan.ids), _read(plan, model) if plan.prefill else ())
    chain, text = Chain(settings), TextStream(vocabulary)
    search = TokenEndSearch(plan.stop) if plan.stop_at_token_end else StopSearch(plan.stop)
    walk = None if plan.grammar is None else plan.grammar.begin()
    context: list[int] = list(plan.ids)
    parts: list[str] = []
    seed = settings.seed if settings.do_sample else None
    for index in range(1, plan.max_new_tokens + 1):
        allowed = None if walk is None else walk.allowed()
        choice = chain.choose(model.logits([context])[0], context, step=index - 1, allowed=allowed)
        context.append(choice.id)
        special = vocabulary.is_special(choice.id)
        added = text.push(choice.id)
        if not special:
            parts.append(added)
        reason = finish_reason(
            count=index,
            limit=plan.max_new_tokens,
            ended=choice.id == vocabulary.eos_id,
            stopped=not special and search.push(added),
        )
        yield Step(
            index=index,
            token=Token(choice.id, added, choice.logprob, special),
            top_tokens=_name(choice.top, vocabulary) if settings.top_n_tokens else None,
            finished=None if reason is None else Finished(reason, "".join(parts), index, seed),
        )
        if reason is not None:
            return
        if walk is not None:
            walk.accept(choice.id)


def collect(events: Iterable[Prefill | Step]) -> Completion:
    """The fold: everything that one generation gave."""
    first, *rest = events
    assert isinstance(first, Prefill)
    steps = tuple(step for step in rest if isinstance(step, Step))
    finished = steps[-1].finished
    assert finished is not None
    return Completion(first, steps, finished)


def rank(completions: Sequence[Completion]) -> list[Completion]:
    """The sequence with the highest mean logprob first, the others in their order; the earlier one on a tie.

    Statement parameters.best_of.best; text-generation-inference, ``router/src/infer/mod.rs``, ``generate_best_of``.
    """
    best = max(completions, key=_mean_logprob)
    return [best, *(completion for completion in completions if completion is not best)]


def _mean_logprob(completion: Completion) -> float:
    return sum(step.token.logprob for step in completion.steps) / len(completion.steps)


def _read(plan: Plan, model: LanguageModel) -> tuple[PrefillToken, ...]:
    """The prompt's tokens, each with its raw logprob after those before it; nothing comes before the first."""
    rows, text = model.prefill(plan.ids), model.vocabulary.token_text
    logprobs = [None, *(raw_logprob(row, following) for row, following in zip(rows, plan.ids[1:], strict=False))]
    return tuple(PrefillToken(read, text(read), logprob) for read, logprob in zip(plan.ids, logprobs, strict=True))


def _name(top: Iterable[tuple[int, float]], vocabulary: Vocabulary) -> tuple[Token, ...]:
    return tuple(Token(near, vocabulary.token_text(near), logprob, vocabulary.is_special(near)) for near, logprob in top)
