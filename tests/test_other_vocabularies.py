"""The suite accuses no right server whose tokens are bytes and whose text is noise: characters cut anywhere, special tokens anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import shake_256
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from mockserver import Config, create_app
from mockserver.engine.checkpoint_files import CheckpointVocabulary
from mockserver.errors import NotFoundError

Check = Callable[..., dict[str, Any]]

SEEDS = sorted({19, *range(int(os.environ.get("TEXTGEN_VOCABULARIES", "0")))})  # by 19 the suite was once wrong
SPECIAL = ("</s>", "<|user|>", "<|end|>", "<|pad|>")


def bytes_and_special_tokens() -> CheckpointVocabulary:
    tokenizer = Tokenizer(models.BPE(dict(zip(sorted(pre_tokenizers.ByteLevel.alphabet()), range(256), strict=True)), []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*SPECIAL])
    return CheckpointVocabulary(tokenizer.to_str(), [tokenizer.token_to_id(SPECIAL[0])])


class Noise:
    """A model that knows nothing: what follows depends on the last two tokens, ``sharpness`` nats being one standard deviation."""

    at_once = False

    def __init__(self, vocabulary: CheckpointVocabulary, sharpness: float, seed: int) -> None:
        size = vocabulary.size
        words = np.frombuffer(shake_256(f"{seed}".encode()).digest(16 * size * size), "<i2").reshape(2, 4, size, size)
        self.vocabulary = vocabulary
        self._after = (words.sum(axis=1, dtype=np.int64) * sharpness * 1024 / 37_837).astype(np.int32)
        self._after[0, :, vocabulary.eos_id] += 1024

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        return np.array([self._after[0, ids[-1]] + self._after[1, ids[-2] if len(ids) > 1 else 0] // 2 for ids in contexts])

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]:
        return self.logits([ids[: end + 1] for end in range(len(ids))])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sharpness", [0.5, 4.0])
@pytest.mark.parametrize("dialect", ["documented", "tgi"])
def test_noise_keeps_the_contract(
    dialect: str, sharpness: float, seed: int, monkeypatch: pytest.MonkeyPatch, check_wsgi: Check
) -> None:
    model = Noise(bytes_and_special_tokens(), sharpness, seed)

    def load(_: str, adapter_id: str | None) -> Noise:
        if adapter_id is not None:
            raise NotFoundError(f"`adapter_id` {adapter_id!r} is unknown")
        return model

    monkeypatch.setattr("mockserver.answer.open_engine", lambda _: load)
    result = check_wsgi(create_app(Config(dialect=dialect)), seed=seed, dialect=dialect)

    found = [clause for clause in result["clauses"] if clause["verdict"] not in ("pass", "skip", "inconclusive")]
    assert [] == [(clause["id"], clause["reason"], clause["violations"]) for clause in found]
