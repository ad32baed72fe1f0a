"""The shipped numbers, and the noun that holds them: ``model.npz`` and ``tokenizer.json``, made by ``engine/train``.

Holds integers and their bounds; computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
LIMIT = 127  # of every int8 weight and activation, both signs
EXACT = 2**24  # integers below this add exactly in float32, in any order

Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Weights:
    """A window perceptron in integers: W last tokens, E numbers each, then H, then N, then a logit for each of V tokens::

    x = embedding[window]                                    (W * E), int8
    h = clip((hidden @ x + hidden_bias) >> hidden_shift, 0, 127)       (H)
    n = clip((narrow @ h + narrow_bias) >> narrow_shift, -127, 127)    (N)
    logits = head @ n + head_bias            (V), int32 in units of 2^-10 nat
    """

    embedding: Int8  # (V, E)
    hidden: Int8  # (H, W * E)
    hidden_bias: Int32  # (H,)
    hidden_shift: int
    narrow: Int8  # (N, H)
    narrow_bias: Int32  # (N,)
    narrow_shift: int
    head: Int8  # (V, N), transposed: one token's row lies together
    head_bias: Int32  # (V,)

    def __post_init__(self) -> None:
        for matrix, bias in ((self.hidden, self.hidden_bias), (self.narrow, self.narrow_bias), (self.head, self.head_bias)):
            largest = np.abs(matrix.astype(np.int64)).sum(1) * LIMIT + np.abs(bias.astype(np.int64))
            if int(largest.max()) >= EXACT:
                raise ValueError(f"a sum of these weights can reach {largest.max()}, past the exact integers of float32")

    @property
    def window(self) -> int:
        """W: how many last tokens the model sees."""
        return int(self.hidden.shape[1] // self.embedding.shape[1])

    @classmethod
    @cache
    def shipped(cls) -> Weights:
        return cls.read(FOLDER / "model.npz")

    @classmethod
    def read(cls, path: Path) -> Weights:
        with np.load(path, allow_pickle=False) as data:
            numbers: dict[str, Any] = {name: data[name] if data[name].ndim else int(data[name]) for name in data.files}
        return cls(**numbers)

    def write(self, path: Path) -> None:
        """The same weights give the same bytes."""
        np.savez(path, allow_pickle=False, **{field.name: np.asarray(getattr(self, field.name)) for field in fields(self)})
