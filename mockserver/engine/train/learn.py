"""The training itself: a float model that computes as the integer one will, so that rounding costs nothing at the end.

The only module that needs torch. On one machine and with one thread, the same settings give the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mockserver.engine.backends import Forward
from mockserver.engine.model import EOS_ID
from mockserver.engine.weights import LIMIT, Weights


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model, as in Weights."""

    vocabulary: int
    window: int = 16
    embedding: int = 32
    hidden: int = 320
    narrow: int = 56
    halving: float = 4.0  # tokens back at which a token's first influence is half


@dataclass(frozen=True, slots=True)
class Plan:
    steps: int = 18_000
    batch: int = 1024
    rate: float = 1e-2
    noise: float = 0.01  # of the tokens read are replaced by any token, so that the model finds back from a strange one
    seed: int = 0


PARAMETERS = ("embedding", "hidden", "hidden_bias", "narrow", "narrow_bias", "head", "head_bias")

# One step of each number, as a power of two: a float weight w stands for the integer w * 2^bits.
EMBEDDING_BITS, HIDDEN_BITS, NARROW_BITS, HEAD_BITS = 6, 6, 7, 5
ACTIVATION_BITS = 5
LOGIT_BITS = 10  # logits in units of 2^-10 nat: ACTIVATION_BITS + HEAD_BITS

FIRST_COUNTS = 4  # times that each of the two tokens after a prompt is learned
ENDING = 1.0  # nats that the end token gains when all is learned: without it, greedy text may go in circles and never end
AVERAGED = 0.005  # how far the averages move towards the weights at each step of the last quarter


class Learner:
    """The float twin of Weights: every weight and activation is rounded on the way forward, gradients pass as if it were not."""

    def __init__(self, shape: Shape) -> None:
        wide = shape.window * shape.embedding
        near = torch.exp2(torch.arange(1 - shape.window, 1) / shape.halving).repeat_interleave(shape.embedding)
        self.embedding = torch.randn(shape.vocabulary, shape.embedding) * 0.2  # so that a token never seen says little
        self.hidden = torch.randn(shape.hidden, wide) * near / near.square().sum().sqrt()
        self.hidden_bias = torch.zeros(shape.hidden)
        self.narrow = torch.randn(shape.narrow, shape.hidden) * shape.hidden**-0.5
        self.narrow_bias = torch.zeros(shape.narrow)
        self.head = torch.randn(shape.vocabulary, shape.narrow) * 0.5 * shape.narrow**-0.5
        self.head_bias = torch.zeros(shape.vocabulary)

    def parameters(self) -> list[Tensor]:
        return [getattr(self, name) for name in PARAMETERS]

    def logits(self, windows: Tensor) -> Tensor:
        """In nats (B, V), of windows (B, W)."""
        x = _steps(self.embedding, EMBEDDING_BITS)[windows].flatten(1)
        h = x @ _steps(self.hidden, HIDDEN_BITS).T + self.hidden_bias
        h = _floor(h.clamp(0, LIMIT / 2**ACTIVATION_BITS))
        n = h @ _steps(self.narrow, NARROW_BITS).T + self.narrow_bias
        n = _floor(n.clamp(-LIMIT / 2**ACTIVATION_BITS, LIMIT / 2**ACTIVATION_BITS))
        return n @ _steps(self.head, HEAD_BITS).T + self.head_bias

    def weights(self) -> Weights:
        """The integers."""
        return Weights(
            embedding=_int8(self.embedding, EMBEDDING_BITS),
            hidden=_int8(self.hidden, HIDDEN_BITS),
            hidden_bias=_int32(self.hidden_bias, EMBEDDING_BITS + HIDDEN_BITS),
            hidden_shift=EMBEDDING_BITS + HIDDEN_BITS - ACTIVATION_BITS,
            narrow=_int8(self.narrow, NARROW_BITS),
            narrow_bias=_int32(self.narrow_bias, ACTIVATION_BITS + NARROW_BITS),
            narrow_shift=NARROW_BITS,
            head=_int8(self.head, HEAD_BITS),
            head_bias=_int32(self.head_bias, LOGIT_BITS),
        )


@dataclass(frozen=True, slots=True)
class Examples:
    """``tokens`` is documents with W end tokens before each; ``targets`` are the positions to be foretold."""

    tokens: NDArray[np.int32]
    targets: NDArray[np.int64]

    @classmethod
    def of(cls, documents: Iterable[tuple[Sequence[int], Sequence[int]]], window: int, eos_id: int) -> Examples:
        """From (given, to write) pairs of token ids; each ends with the end token, which is to be written too.

        The tokens right after a prompt count several times: they are what people see first.
        """
        tokens: list[int] = []
        targets: list[int] = []
        for prompt, text in documents:
            tokens += [eos_id] * window
            tokens += prompt
            targets += range(len(tokens), len(tokens) + len(text) + 1)
            targets += [len(tokens), len(tokens) + 1][: len(text)] * (FIRST_COUNTS - 1 if prompt else 0)
            tokens += text
            tokens.append(eos_id)
        return cls(np.array(tokens, np.int32), np.array(targets))

    def batch(self, picked: NDArray[np.int64], window: int) -> tuple[Tensor, Tensor]:
        ends = self.targets[picked]
        windows = self.tokens[ends[:, np.newaxis] + np.arange(-window, 0)]
        return torch.from_numpy(windows).long(), torch.from_numpy(self.tokens[ends]).long()


def learn(examples: Examples, shape: Shape, plan: Plan, report: Callable[[str], None] = print) -> Weights:
    """Weights that foretell the examples: Adam, the rate falling as a cosine, the last quarter of the way averaged."""
    with _repeatable(plan.seed):
        return _learn(examples, shape, plan, report)


def _learn(examples: Examples, shape: Shape, plan: Plan, report: Callable[[str], None]) -> Weights:
    learner = Learner(shape)
    parameters = [parameter.requires_grad_() for parameter in learner.parameters()]
    averages = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    order = _orders(len(examples.targets), plan)
    seen = 0.0
    for step in range(plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1.0, (step + 1) / 100) * 0.5 * (1.02 + math.cos(math.pi * step / plan.steps))
        windows, wanted = examples.batch(next(order), shape.window)
        strange = torch.rand(windows.shape) < plan.noise
        windows = torch.where(strange, torch.randint_like(windows, shape.vocabulary), windows)
        cost = torch.nn.functional.cross_entropy(learner.logits(windows), wanted)
        optimizer.zero_grad()
        torch.autograd.backward(cost)
        optimizer.step()
        for average, parameter in zip(averages, parameters, strict=True):
            average.lerp_(parameter.detach(), AVERAGED if step >= plan.steps * 3 // 4 else 1.0)
        seen += (cost.item() - seen) / min(step + 1, 100)
        if (step + 1) % max(1, plan.steps // 20) == 0:
            report(f"step {step + 1} of {plan.steps}: {seen:.3f} nat per token")
    for name, average in zip(PARAMETERS, averages, strict=True):
        setattr(learner, name, average)
    learner.head_bias[EOS_ID] += ENDING
    return learner.weights()


def loss(forward: Forward, examples: Examples, window: int) -> float:
    """Mean nat per token that the integer model pays for the examples."""
    total, count = 0.0, len(examples.targets)
    for start in range(0, count, 1024):
        windows, wanted = examples.batch(np.arange(start, min(start + 1024, count)), window)
        logits = torch.from_numpy(forward(windows.numpy())) / 2**LOGIT_BITS
        total += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
    return total / count


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One thread, no algorithm that may differ from run to run, and torch left as it was found."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def _orders(count: int, plan: Plan) -> Iterator[NDArray[np.int64]]:
    """Batches of example numbers, every example once before any comes again."""
    source = torch.Generator().manual_seed(plan.seed)
    while True:
        order = torch.randperm(count, generator=source).numpy()
        for start in range(0, max(1, count - plan.batch + 1), plan.batch):
            yield order[start : start + plan.batch]


def _steps(weight: Tensor, bits: int) -> Tensor:
    """Rounded and clipped to what int8 holds."""
    rounded = (weight * 2**bits).round().clamp(-LIMIT, LIMIT) / 2**bits
    passed: Tensor = weight + (rounded - weight).detach()
    return passed


def _floor(activation: Tensor) -> Tensor:
    floored = (activation * 2**ACTIVATION_BITS).floor() / 2**ACTIVATION_BITS
    passed: Tensor = activation + (floored - activation).detach()
    return passed


def _int8(weight: Tensor, bits: int) -> NDArray[np.int8]:
    integers: NDArray[np.int8] = (weight.detach() * 2**bits).round().clamp(-LIMIT, LIMIT).numpy().astype(np.int8)
    return integers


def _int32(bias: Tensor, bits: int) -> NDArray[np.int32]:
    integers: NDArray[np.int32] = (bias.detach() * 2**bits).round().numpy().astype(np.int32)
    return integers
