"""The exact integer language model: token ids in, int32 logits in units of 2^-10 nat out.

The same version gives the same integers on every machine, device and batch. Knows no HTTP and draws no token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mockserver.engine.backends import Backend, Windows, open_backend
from mockserver.engine.weights import LIMIT, Weights

if TYPE_CHECKING:
    from mockserver.engine.vocabulary import Vocabulary

NAT = 1024  # units of a logit in one nat
EOS_ID = 0
ADAPTERS: tuple[str, ...] = ("demo/haiku", "demo/harbour", "demo/orchard")
ADAPTER_RANK = 8
VOICE_DICE = 9  # of the dice tried, one by which the six recommended voices differ on every prompt tried and end by themselves
VOICE_STEP = 8  # units by which a hash moves a logit: 0.8 nat is one standard deviation
ROWS = 512  # windows computed at a time, so that a long prefill needs no more memory than its result
KEPT = 64  # rows that are kept, 16 KB each: what follows a prompt is asked again with other parameters, or for another draw


class UnknownAdapter(KeyError):  # noqa: N818 (what it says is what is wrong)
    """An ``adapter_id`` that is not one of ``ADAPTERS``."""

    def __init__(self, adapter_id: str) -> None:
        super().__init__(adapter_id)
        self.adapter_id = adapter_id

    def __str__(self) -> str:
        return f"`adapter_id` {self.adapter_id!r} is unknown; known adapters: {', '.join(ADAPTERS)}"


class Model:
    """One voice of the model, ready on one backend. Make it by :meth:`load`; it holds no state between calls."""

    at_once = True

    def __init__(self, weights: Weights, backend: Backend) -> None:
        self._forward = forward = backend.prepare(weights)
        self._follows = lru_cache(maxsize=KEPT)(lambda window: _shared(forward(np.array([window]))))
        self.window = weights.window
        self.backend = backend

    @classmethod
    def load(cls, voice: str, *, adapter_id: str | None = None, backend: Backend | None = None) -> Model:
        """The shipped model as ``voice`` (any model id), through the adapter if one is named. Raises UnknownAdapter."""
        return _load(voice, adapter_id, backend or open_backend("cpu"))

    @classmethod
    def plain(cls) -> Model:
        """The shipped model as it was trained, in no voice: what a text is judged by when nobody says who wrote it."""
        return cls(Weights.shipped(), open_backend("cpu"))

    @property
    def vocabulary(self) -> Vocabulary:
        from mockserver.engine.vocabulary import Vocabulary

        return Vocabulary.shipped()

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        """Logits (B, V) of what follows each context: prompt and generated ids, of any length, also none. Not to be written to."""
        if len(contexts) == 1:
            return self._follows(tuple(self._last(contexts[0])))
        return self._rows(np.array([self._last(context) for context in contexts], np.int64).reshape(-1, self.window))

    def next_logits(self, ids: Sequence[int]) -> NDArray[np.int32]:
        """Logits (V,) of what follows ``ids``."""
        row: NDArray[np.int32] = self.logits([ids])[0]
        return row

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]:
        """Logits (len(ids), V): row i is of what follows ``ids[: i + 1]``, so ``ids[i]`` itself is judged by row i - 1."""
        padded = np.array([EOS_ID] * (self.window - 1) + list(ids), np.int64)
        if not len(ids):
            return self._rows(np.empty((0, self.window), np.int64))
        return self._rows(np.lib.stride_tricks.sliding_window_view(padded, self.window))

    def _last(self, ids: Sequence[int]) -> list[int]:
        """The window at the end of ``ids``, filled up on the left."""
        last = list(ids[-self.window :])
        return last if len(last) == self.window else [EOS_ID] * (self.window - len(last)) + last

    def _rows(self, windows: Windows) -> NDArray[np.int32]:
        if len(windows) <= ROWS:
            return self._forward(windows.copy())
        return np.concatenate([self._forward(windows[start : start + ROWS].copy()) for start in range(0, len(windows), ROWS)])


def _shared(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """``rows``, which nobody may write to from now on."""
    rows.flags.writeable = False
    return rows


@lru_cache(maxsize=32)
def _load(voice: str, adapter_id: str | None, backend: Backend) -> Model:
    weights = speak_as(Weights.shipped(), voice)
    return Model(weights if adapter_id is None else adapt(weights, adapter_id), backend)


def speak_as(weights: Weights, voice: str) -> Weights:
    """The weights with each token a little more or less likely, by a hash of the voice's name."""
    noise = _draws(f"voice {VOICE_DICE} {voice}", (2, len(weights.head_bias))).astype(np.int32).sum(0)  # standard deviation 104
    noise[EOS_ID] = 0
    return replace(weights, head_bias=weights.head_bias + noise * VOICE_STEP)


def adapt(weights: Weights, adapter_id: str) -> Weights:
    """The weights with a seeded change of rank ADAPTER_RANK added to the head, as a merged LoRA adapter is. Raises UnknownAdapter."""
    if adapter_id not in ADAPTERS:
        raise UnknownAdapter(adapter_id)
    size, width = weights.head.shape
    up = (_draws(f"adapter {adapter_id} up", (size, ADAPTER_RANK)) + np.int32(43)) // 86  # -1, 0 or 1
    down = (_draws(f"adapter {adapter_id} down", (ADAPTER_RANK, width)) + np.int32(43)) // 86
    up[EOS_ID] = 0
    return replace(weights, head=np.clip(weights.head + up @ down, -LIMIT, LIMIT).astype(np.int8))


def _draws(seed: str, shape: tuple[int, int]) -> NDArray[np.int8]:
    """Numbers from -128 to 127 by SHAKE-256, the same on every machine."""
    data = hashlib.shake_256(seed.encode("utf-8", "surrogatepass")).digest(shape[0] * shape[1])
    return np.frombuffer(data, np.int8).reshape(shape)
