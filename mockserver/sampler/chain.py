"""The chain: logits in, one token out; the order of all parameters, said once.

watermark, repetition_penalty, frequency_penalty, grammar, temperature, top_k, top_p, typical_p, choice
(as text-generation-inference has it, ``server/text_generation_server/utils/tokens.py``).
Never sees text, and keeps nothing between two steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mockserver.sampler.choice import count_top, draw, random_word, target
from mockserver.sampler.penalties import penalise
from mockserver.sampler.ranking import Ranking, Scores, weighed
from mockserver.sampler.warpers import keep_top_k, keep_top_p, keep_typical, share
from mockserver.sampler.watermark import WINDOW, apply_watermark
from mockserver.sampler.weights import STEP_BITS, logarithm, report, report_all, weigh, weigh_vocabulary

_GREEDY = 0  # the word that always draws the first of the ranking
_NOTHING = np.array([], np.int64)


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers only, each neutral unless said. ``do_sample`` False is greedy: the likeliest token, the lowest id on ties."""

    do_sample: bool = False
    seed: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    watermark: bool = False
    top_n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """The token, its logprob in the final distribution (6 decimals), and the likeliest ``top_n_tokens`` beside it."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The tokens that are left, likeliest first (ties by lowest id), with exact weights and what is reported of them."""

    ids: NDArray[np.int64]
    weights: NDArray[np.int64]
    total: int
    logprobs: NDArray[np.float64]


class Chain:
    """One request's way from logits to tokens."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._temperature = _positive("temperature", settings.temperature) or 1.0
        self._top_k = settings.top_k if settings.top_k and settings.top_k > 0 else None
        self._top_p = _part("top_p", settings.top_p)
        self._typical_p = _part("typical_p", settings.typical_p)
        self._repetition_penalty = _unless_neutral(_positive("repetition_penalty", settings.repetition_penalty), 1.0)
        self._frequency_penalty = _unless_neutral(_finite("frequency_penalty", settings.frequency_penalty), 0.0)
        self._penalises = self._repetition_penalty is not None or self._frequency_penalty is not None
        if not 0 <= settings.seed < 2**64:
            raise ValueError(f"`seed` must be in 0..2^64-1. Given: {settings.seed}")

    def choose(
        self,
        logits: NDArray[np.int32],
        context: Sequence[int] | NDArray[np.integer],
        *,
        step: int,
        sequence: int = 0,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Choice:
        """The token after ``context``, with its logprob (statement details.tokens.logprob).

        logits: (V,) int32 in 2^-10 nat, V at most 2^20, never modified. context: ids of the prompt and of what was generated.
        allowed: (V,) the grammar's mask. step counts from 0, sequence tells the sequences of ``best_of`` apart.
        Raises ValueError when ``allowed`` allows no token.

        >>> Chain(Settings(top_n_tokens=1)).choose(np.array([0, 1024, 0], np.int32), [0], step=0)
        Choice(id=1, logprob=-0.551445, top=((1, -0.551445),))
        """
        word = random_word(self.settings.seed, step, sequence) if self.settings.do_sample else _GREEDY
        kept = self._keep(logits, context, allowed, word)
        place = draw(kept.cumulative, word, kept.total)
        log_total = logarithm(kept.total)
        logprob = report(int(kept.distances[place]), self._temperature, log_total)
        return Choice(int(kept.ids[place]), logprob, self._top(kept, log_total))

    def distribution(
        self,
        logits: NDArray[np.int32],
        context: Sequence[int] | NDArray[np.integer],
        allowed: NDArray[np.bool_] | None = None,
    ) -> Distribution:
        """Everything that is left after the warpers (statement parameters.do_sample.probabilities).

        >>> Chain(Settings(top_k=2)).distribution(np.array([0, 1024, -1024], np.int32), []).ids.tolist()
        [1, 0]
        """
        kept = self._keep(logits, context, allowed, None)
        logprobs = report_all(kept.distances, self._temperature, logarithm(kept.total))
        return Distribution(kept.ids, kept.weights, kept.total, logprobs)

    def _keep(
        self,
        logits: NDArray[np.int32],
        context: Sequence[int] | NDArray[np.integer],
        allowed: NDArray[np.bool_] | None,
        word: int | None,
    ) -> Ranking:
        """What the warpers leave. With a word, tokens behind the one that it draws may be missing; without, none is."""
        ranking = self._rank(self._score(logits, context, allowed), word)
        if self._top_k is not None:
            ranking = ranking.first(keep_top_k(ranking.distances, self._top_k))
        if self._top_p is not None:
            ranking = ranking.first(keep_top_p(ranking.cumulative, ranking.total, self._top_p))
        if self._typical_p is not None:
            start, end = keep_typical(ranking.distances, ranking.weights, ranking.cumulative, self._typical_p)
            ranking = ranking.first(end)
            if start:  # weights count from the best token that is left
                distances = ranking.distances[start:] - ranking.distances[start]
                ranking = weighed(ranking.ids[start:], distances, weigh(distances, self._temperature))
        return ranking

    def _score(
        self, logits: NDArray[np.int32], context: Sequence[int] | NDArray[np.integer], allowed: NDArray[np.bool_] | None
    ) -> Scores:
        """watermark, repetition_penalty, frequency_penalty, grammar."""
        ids, scores = _NOTHING, _NOTHING
        if self.settings.watermark and len(context):
            logits = apply_watermark(logits, [int(id) for id in context[-WINDOW:]])
        if self._penalises and len(context):
            ids, scores = penalise(
                logits,
                np.asarray(context, dtype=np.int64),
                repetition_penalty=self._repetition_penalty,
                frequency_penalty=self._frequency_penalty,
            )
        if allowed is None:
            return Scores(logits, ids, scores, self._temperature)
        tokens = np.flatnonzero(allowed)
        if not tokens.size:
            raise ValueError("the grammar allows no token at this place")
        stays = allowed[ids]
        return Scores(logits[tokens], tokens.searchsorted(ids[stays]), scores[stays], self._temperature, tokens)

    def _rank(self, scores: Scores, word: int | None) -> Ranking:
        """As much of the ranking as the parameters ask for."""
        if self._top_k is not None:
            return scores.nearest(self._top_k)
        top_p = self._top_p
        if top_p is not None:
            return scores.covering(lambda total: share(top_p, total), 0)
        if self._typical_p is not None or word is None:
            return scores.all()
        return scores.covering(lambda total: target(word, total) + 1, self.settings.top_n_tokens)

    def _top(self, kept: Ranking, log_total: float) -> tuple[tuple[int, float], ...]:
        if not self.settings.top_n_tokens:
            return ()
        end = count_top(kept.distances, self.settings.top_n_tokens)
        distances = kept.distances[:end].tolist()
        logprobs = [report(distance, self._temperature, log_total) for distance in distances]
        pairs = zip(kept.ids[:end].tolist(), logprobs, strict=True)
        return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def raw_logprob(logits: NDArray[np.int32], id: int) -> float:
    """log_softmax of the untouched logits at ``id``, as reported for the prompt (statement details.prefill.logprob).

    >>> raw_logprob(np.array([0, 0], np.int32), 1)
    -0.693147
    """
    best = int(logits.max())
    log_total = logarithm(weigh_vocabulary(logits, best, 0, 1.0))
    return report((best - int(logits[id])) << STEP_BITS, 1.0, log_total)


def _finite(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be a finite number. Given: {value}")
    return min(max(float(value), -1e100), 1e100)  # beyond this nothing changes, and nothing overflows


def _positive(name: str, value: float | None) -> float | None:
    if value is not None and not value > 0.0:
        raise ValueError(f"`{name}` must be above 0. Given: {value}")
    finite = _finite(name, value)
    return None if finite is None else max(finite, 1e-100)


def _part(name: str, value: float | None) -> float | None:
    """None when it keeps everything, as 1 does."""
    if value is None:
        return None
    if math.isnan(value) or value < 0.0:
        raise ValueError(f"`{name}` must not be below 0. Given: {value}")
    return float(value) if value < 1.0 else None


def _unless_neutral(value: float | None, neutral: float) -> float | None:
    return None if value == neutral else value
