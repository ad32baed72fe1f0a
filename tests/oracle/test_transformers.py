"""The sampler against the logits processors of transformers (tox environment ``oracle``; skipped where it is not installed)."""

from __future__ import annotations

import random
from collections import Counter
from hashlib import shake_256
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mockserver.sampler import Chain, Settings

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CASES = [(vocabulary, number) for vocabulary in (8, 50, 400, 4096, 32_000) for number in range(40)]


def make_logits(vocabulary: int, number: int) -> NDArray[np.int32]:
    """About N(0, 2.5 nat)."""
    octets = np.frombuffer(shake_256(f"{vocabulary} {number}".encode()).digest(vocabulary * 12), np.uint8)
    return ((octets.reshape(12, vocabulary).astype(np.int64).sum(axis=0) - 1530) * 10).astype(np.int32)


def make_parameters(vocabulary: int, number: int) -> tuple[dict[str, Any], list[int]]:
    source = random.Random(f"{vocabulary} {number}")
    parameters = {
        "repetition_penalty": source.choice([None, 0.7, 1.1, 1.3, 2.0]),
        "temperature": source.choice([0.3, 0.7, 1.0, 1.5, 3.0]),
        "top_k": source.choice([None, 1, 5, 50, 500]),
        "top_p": source.choice([None, 0.1, 0.5, 0.9, 0.95]),
        "typical_p": source.choice([None, 0.2, 0.5, 0.9, 0.95]),
    }
    return parameters, [source.randrange(vocabulary) for _ in range(source.choice([1, 20, 200]))]


def their_logprobs(logits: NDArray[np.int32], context: list[int], parameters: dict[str, Any]) -> NDArray[np.float64]:
    """Their processors in the order of the chain, in float64."""
    processors = [
        ("repetition_penalty", transformers.RepetitionPenaltyLogitsProcessor),
        ("temperature", transformers.TemperatureLogitsWarper),
        ("top_k", transformers.TopKLogitsWarper),
        ("top_p", transformers.TopPLogitsWarper),
        ("typical_p", transformers.TypicalLogitsWarper),
    ]
    ids = torch.tensor([context])
    scores = torch.from_numpy(logits / 1024)[None]
    for name, processor in processors:
        if parameters[name] is not None:
            scores = processor(parameters[name])(ids, scores)
    logprobs: NDArray[np.float64] = torch.log_softmax(scores, dim=-1)[0].numpy()
    return logprobs


@pytest.mark.parametrize(("vocabulary", "number"), CASES)
def test_the_distribution_is_that_of_transformers(vocabulary: int, number: int) -> None:
    """Kept tokens are equal but for ties; total variation is at most 2e-3."""
    logits = make_logits(vocabulary, number)
    parameters, context = make_parameters(vocabulary, number)
    expected = their_logprobs(logits, context, parameters)
    law = Chain(Settings(do_sample=True, **parameters)).distribution(logits, context)
    seen = set(context)

    def tied(tokens: list[int]) -> Counter[tuple[int, bool]]:
        """Tokens that tie are one and the same here."""
        return Counter((int(logits[token]), token in seen) for token in tokens)

    assert tied(np.flatnonzero(expected > -np.inf).tolist()) == tied(law.ids.tolist())
    found = np.sort(np.exp(law.logprobs))
    assert np.abs(found - np.sort(np.exp(expected[expected > -np.inf]))).sum() / 2 <= 2e-3
