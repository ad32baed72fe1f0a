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
    """What the loop asks of a model; ``at_once`` says whether several contexts at once cost less than one after the other."""

    @property
    def at_once(self) -> bool: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]: ...

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]: ...


def generate(plan: Plan, model: LanguageModel, *, sequence: int = 0) -> Iterator[Prefill | Step]:
    """One sequence of ``plan``: a Prefill, then 1 to ``max_new_tokens`` Steps, of which the last alone has ``finished``."""
    yield _read(plan, model)
    writer = _Writer(plan, model.vocabulary, sequence)
    while not writer.finished:
        yield writer.write(model.logits([writer.context])[0])


def generate_all(plan: Plan, model: LanguageModel) -> Iterator[list[Prefill | Step]]:
    """Every sequence of ``plan``, the next tokens of all of them computed at once: the same steps as one by one."""
    if not model.at_once:
        yield from (list(generate(plan, model, sequence=sequence)) for sequence in range(plan.best_of))
        return
    prefill = _read(plan, model)
    writers = [_Writer(plan, model.vocabulary, sequence) for sequence in range(plan.best_of)]
    made: list[list[Prefill | Step]] = [[prefill] for _ in writers]
    while waiting := [place for place, writer in enumerate(writers) if not writer.finished]:
        rows = model.logits([writers[place].context for place in waiting])
        for place, row in zip(waiting, rows, strict=True):
            made[place].append(writers[place].write(row))
    yield from made


class _Writer:
    """One sequence as it grows: a row of logits in, a Step out."""

    def __init__(self, plan: Plan, vocabulary: Vocabulary, sequence: int) -> None:
        self.context: list[int] = list(plan.ids)
        self.finished = False
        self._plan, self._vocabulary, self._settings = plan, vocabulary, plan.settings[sequence]
        self._chain, self._text = Chain(self._settings), TextStream(vocabulary)
        self._search = TokenEndSearch(plan.stop) if plan.stop_at_token_end else StopSearch(plan.stop)
        self._walk = None if plan.grammar is None else plan.grammar.begin()
        self._parts: list[str] = []
        self._count = 0

    def write(self, logits: NDArray[np.int32]) -> Step:
        """The step that ``logits``, those of what follows ``context``, give."""
        plan, settings, vocabulary = self._plan, self._settings, self._vocabulary
        if self._walk is not None and self._count:
            self._walk.accept(self.context[-1])
        allowed = None if self._walk is None else self._walk.allowed()
        choice = self._chain.choose(logits, self.context, step=self._count, allowed=allowed)
        self.context.append(choice.id)
        self._count += 1
        special = vocabulary.is_special(choice.id)
        added = self._text.push(choice.id)
        if not special:
            self._parts.append(added)
        reason = finish_reason(
            count=self._count,
            limit=plan.max_new_tokens,
            ended=choice.id == vocabulary.eos_id,
            stopped=not special and self._search.push(added),
        )
        self.finished = reason is not None
        seed = settings.seed if settings.do_sample else None
        return Step(
            index=self._count,
            token=Token(choice.id, added, choice.logprob, special),
            top_tokens=_name(choice.top, vocabulary) if settings.top_n_tokens else None,
            finished=None if reason is None else Finished(reason, "".join(self._parts), self._count, seed),
        )


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


def _read(plan: Plan, model: LanguageModel) -> Prefill:
    """The prompt's tokens if they were asked for, each with its raw logprob after those before it; nothing comes before the first."""
    if not plan.prefill:
        return Prefill(len(plan.ids))
    rows, text = model.prefill(plan.ids), model.vocabulary.token_text
    logprobs = [None, *(raw_logprob(row, following) for row, following in zip(rows, plan.ids[1:], strict=False))]
    tokens = (PrefillToken(read, text(read), logprob) for read, logprob in zip(plan.ids, logprobs, strict=True))
    return Prefill(len(plan.ids), tuple(tokens))


def _name(top: Iterable[tuple[int, float]], vocabulary: Vocabulary) -> tuple[Token, ...]:
    return tuple(Token(near, vocabulary.token_text(near), logprob, vocabulary.is_special(near)) for near, logprob in top)
