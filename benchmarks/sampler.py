"""How long one step of the whole chain takes, against the logits processors of transformers, or a plain numpy oracle without it.

``python -m benchmarks.sampler`` prints a table and writes it to ``benchmarks/results/sampler.md``. Both sides run on one thread and
take turns in one run, and the figures are medians; ``--quick`` repeats less and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import shake_256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mockserver.sampler import Chain, Settings

try:
    import torch
    import transformers
except ImportError:
    transformers = None

RESULT = Path(__file__).with_name("results") / "sampler.md"
FULL = Settings(
    do_sample=True,
    seed=1,
    temperature=0.8,
    top_p=0.95,
    typical_p=0.9,
    repetition_penalty=1.2,
    frequency_penalty=0.5,
    top_n_tokens=5,
)
CONTEXT = 256


@dataclass(frozen=True)
class Work:
    """One line of the table: what is sampled, and the ratio that is asked for."""

    name: str
    vocabulary: int
    batch: int
    top_k: int | None
    bar: float
    aim: float


WORKS = (
    Work("full chain, top_k=50", 128_256, 1, 50, 50, 100),
    Work("full chain, top_k=50", 262_144, 8, 50, 80, 120),
    Work("full chain, no top_k", 128_256, 1, None, 8, 16),
    Work("full chain, top_k=50", 4_096, 1, 50, 4, 8),
    Work("full chain, no top_k", 4_096, 1, None, 4, 8),
)


def bell(rows: int, vocabulary: int) -> NDArray[np.int32]:
    """Logits of about N(0, 2.5 nat), the same on every machine: sums of twelve hashed numbers."""
    octets = np.frombuffer(shake_256(b"logits").digest(rows * vocabulary * 12), np.uint8).reshape(12, rows, vocabulary)
    spread = octets.astype(np.int64).sum(axis=0) * 2 - 12 * 255  # standard deviation 512.0
    return (spread * 5).astype(np.int32)


def contexts(rows: int, vocabulary: int) -> NDArray[np.int64]:
    words = np.frombuffer(shake_256(b"context").digest(rows * CONTEXT * 4), np.uint32).reshape(rows, CONTEXT)
    return words.astype(np.int64) % vocabulary


def ours(work: Work, logits: NDArray[np.int32], ids: NDArray[np.int64]) -> Callable[[int], object]:
    chain = Chain(Settings(**{**{f: getattr(FULL, f) for f in FULL.__slots__}, "top_k": work.top_k}))

    def step(number: int) -> object:
        return [chain.choose(row, seen, step=number, sequence=i) for i, (row, seen) in enumerate(zip(logits, ids, strict=True))]

    return step


def theirs(work: Work, logits: NDArray[np.int32], ids: NDArray[np.int64]) -> Callable[[int], object]:
    """transformers' processors in the same order, softmax, multinomial, log_softmax and topk in float32."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    processors = [transformers.RepetitionPenaltyLogitsProcessor(FULL.repetition_penalty)]
    warpers = [transformers.TemperatureLogitsWarper(FULL.temperature)]
    warpers += [transformers.TopKLogitsWarper(work.top_k)] if work.top_k else []
    warpers += [transformers.TopPLogitsWarper(FULL.top_p), transformers.TypicalLogitsWarper(FULL.typical_p)]
    before = torch.from_numpy(logits.astype(np.float32) / 1024)
    seen = torch.from_numpy(ids)
    share = torch.full(seen.shape, FULL.frequency_penalty / CONTEXT)

    def step(_: int) -> object:
        scores = before
        for processor in processors:
            scores = processor(seen, scores)
        scores = scores.scatter_add(1, seen, -share)  # frequency_penalty, which transformers does not have
        for warper in warpers:
            scores = warper(seen, scores)
        logprobs = torch.log_softmax(scores, dim=-1)
        chosen = torch.multinomial(torch.exp(logprobs), 1)
        return chosen.tolist(), logprobs.gather(1, chosen).tolist(), [t.tolist() for t in torch.topk(logprobs, FULL.top_n_tokens)]

    return step


def oracle(work: Work, logits: NDArray[np.int32], ids: NDArray[np.int64]) -> Callable[[int], object]:
    """The same chain as the papers have it, in float64 numpy: a whole sort for each warper."""

    def one(row: NDArray[np.int32], seen: NDArray[np.int64]) -> object:
        scores = row / 1024
        found, counts = np.unique(seen, return_counts=True)
        hit = scores[found]
        hit = np.where(hit < 0, hit * 1.2, hit / 1.2) - 0.5 * counts / CONTEXT
        scores[found] = hit
        scores /= 0.8
        if work.top_k:
            scores[scores < np.sort(scores)[-work.top_k]] = -np.inf
        order = np.argsort(scores)
        cumulative = np.cumsum(softmax(scores)[order])
        scores[order[:-1][cumulative[:-1] <= 1 - 0.95]] = -np.inf
        p = softmax(scores)
        with np.errstate(divide="ignore", invalid="ignore"):
            logp = np.log(p)
            shifted = np.abs(-logp + np.nansum(p * logp))
        order = np.argsort(shifted)
        last = min(int((np.cumsum(p[order]) < 0.9).sum()), p.size - 1)
        scores[shifted > shifted[order[last]]] = -np.inf
        p = softmax(scores)
        return int(np.searchsorted(np.cumsum(p), 0.5)), np.argsort(-p)[:5].tolist()

    return lambda _: [one(row, seen) for row, seen in zip(logits, ids, strict=True)]


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    p: NDArray[np.float64] = np.exp(scores - scores.max())
    return p / p.sum()


def by_turns(sides: list[Callable[[int], object]], seconds: float) -> list[float]:
    """Median processor seconds of a step of each side; they take turns of 50 ms, so that a busy machine is busy for both."""
    taken: list[list[float]] = [[] for _ in sides]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(taken[-1]) < 10:
        for side, times in zip(sides, taken, strict=True):
            side(0)  # warms what the other side has left cold
            start, steps = time.process_time(), 0
            while not steps or time.process_time() - start < 0.05:
                steps += 1
                side(steps)
            times.append((time.process_time() - start) / steps)
    return [statistics.median(times) for times in taken]


def machine() -> str:
    models = [line.split(":")[1].strip() for line in open_lines("/proc/cpuinfo") if line.startswith("model name")]
    return models[0] if models else platform.processor()


def open_lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def table(seconds: float) -> str:
    other = f"transformers {transformers.__version__}, torch {torch.__version__}" if transformers else "plain numpy oracle"
    lines = [
        "# Sampler: one step of the whole chain",
        "",
        f"numpy {np.__version__}, Python {platform.python_version()}, against {other}.",
        f"One thread of {machine()}, {os.cpu_count()} cores. Both sides by turns, medians of processor time.",
        "Logits of about N(0, 2.5 nat), 256 ids of context; repetition_penalty 1.2, frequency_penalty 0.5, temperature 0.8, top_p 0.95,",
        "typical_p 0.9, top_n_tokens 5. transformers has no frequency_penalty and gets one scatter_add for it.",
        "",
        "| work | V | batch | ours, µs | theirs, µs | ratio | bar | aim |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for work in WORKS:
        logits, ids = bell(work.batch, work.vocabulary), contexts(work.batch, work.vocabulary)
        rival = theirs if transformers else oracle
        mine, other_side = by_turns([ours(work, logits, ids), rival(work, logits, ids)], seconds)
        lines.append(
            f"| {work.name} | {work.vocabulary:,} | {work.batch} | {mine * 1e6:,.0f} | {other_side * 1e6:,.0f} "
            f"| {other_side / mine:.1f}x | {work.bar:g}x | {work.aim:g}x |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="repeat less and write nothing")
    quick = parser.parse_args().quick
    text = table(1.0 if quick else 8.0)
    print(text)
    if not quick:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
