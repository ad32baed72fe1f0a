"""Prints a digest of some hundred choices and of exact weights: run by test_determinism.py, also with processor features switched off."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from mockserver.sampler import Chain, Settings, raw_logprob

SETTINGS = (
    Settings(top_n_tokens=3),
    Settings(do_sample=True, seed=1),
    Settings(do_sample=True, seed=2, temperature=0.7, top_k=50, top_p=0.95, typical_p=0.9, top_n_tokens=5),
    Settings(do_sample=True, seed=3, temperature=1.7, top_p=0.9, repetition_penalty=1.2, frequency_penalty=0.5),
    Settings(do_sample=True, seed=4, temperature=30.0, typical_p=0.5, repetition_penalty=0.8),
    Settings(do_sample=True, seed=2**64 - 1, temperature=0.1, frequency_penalty=-2.0, watermark=True, top_n_tokens=2),
)


def logits(vocabulary: int, step: int) -> NDArray[np.int32]:
    octets = np.frombuffer(hashlib.shake_256(f"golden {step}".encode()).digest(vocabulary * 12), np.uint8)
    return ((octets.reshape(12, vocabulary).astype(np.int64).sum(axis=0) - 1530) * 10).astype(np.int32)


def run() -> str:
    lines = []
    for vocabulary, steps in ((50, 60), (4096, 30), (40_000, 4)):
        for settings in SETTINGS:
            chain, ids = Chain(settings), [1]
            for step in range(steps):
                scores = logits(vocabulary, step)
                choice = chain.choose(scores, ids, step=step, sequence=step % 3)
                ids.append(choice.id)
                if step < 3:
                    weights = chain.distribution(scores, ids).weights.astype("<i8").tobytes()
                    lines.append(hashlib.sha256(weights).hexdigest())
                lines.append(json.dumps([choice.id, choice.logprob, choice.top, raw_logprob(scores, step % 50)]))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    print(run())
