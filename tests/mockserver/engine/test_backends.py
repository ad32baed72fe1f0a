"""The same integers on every backend, processor, thread count and batch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from mockserver.engine import backends
from mockserver.engine.backends import (
    BackendError,
    Forward,
    NumpyBackend,
    TorchBackend,
    digest,
    golden_digest,
    open_backend,
    proof_windows,
    prove,
)
from mockserver.engine.model import Model
from mockserver.engine.weights import Weights

GOLDEN = "7d0e5f0d8ca2df6389dbc1f3c2f2586e6e91a1e5ab7060f1c7cf1006ede295ae"
DIGEST_PROGRAM = (
    "from mockserver.engine.backends import NumpyBackend, digest\n"
    "from mockserver.engine.weights import Weights\n"
    "print(digest(NumpyBackend(), Weights.shipped()))"
)
CPU_FEATURES = ("", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4", "AVX2 FMA3 X86_V3")

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def cuda_or_skip() -> TorchBackend:
    pytest.importorskip("torch", reason="torch is not installed, so no GPU can be tried")
    try:
        return TorchBackend("cuda")
    except BackendError as error:
        pytest.skip(str(error))


def test_numpy_gives_the_golden_digest() -> None:
    """The value stands here as well as beside the weights: this version's integers are a promise."""
    assert GOLDEN == golden_digest() == digest(NumpyBackend(), Weights.shipped())


@pytest.mark.parametrize("features", CPU_FEATURES)
def test_digest_without_some_processor_features(features: str) -> None:
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": features, "OPENBLAS_CORETYPE": "Nehalem" if features else ""}
    environment = {name: value for name, value in environment.items() if value}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST_PROGRAM], capture_output=True, text=True, check=True, env=environment
    )

    assert done.stdout.strip() == GOLDEN


@pytest.mark.parametrize("threads", ["1", "2"])
def test_digest_with_threads(threads: str) -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    done = subprocess.run([sys.executable, "-c", DIGEST_PROGRAM], capture_output=True, text=True, check=True, env=environment)

    assert done.stdout.strip() == GOLDEN


@pytest.mark.parametrize("batch", [2, 3, 8, 64, 500])
def test_numpy_rows_do_not_depend_on_the_batch(batch: int) -> None:
    forward = NumpyBackend().prepare(Weights.shipped())
    windows = proof_windows(Weights.shipped(), batch)
    alone = np.concatenate([forward(windows[row : row + 1]) for row in range(batch)])

    assert np.array_equal(alone, forward(windows))


@needs_torch
@pytest.mark.parametrize("threads", [1, 2])
def test_torch_on_the_cpu_gives_the_golden_digest(threads: int) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert digest(TorchBackend("cpu"), Weights.shipped()) == GOLDEN
    finally:
        torch.set_num_threads(before)


@needs_torch
@pytest.mark.parametrize("batch", [1, 5, 300])
def test_torch_rows_are_those_of_numpy(batch: int) -> None:
    windows = proof_windows(Weights.shipped(), batch)
    ours, theirs = (backend.prepare(Weights.shipped())(windows) for backend in (NumpyBackend(), TorchBackend("cpu")))

    assert np.array_equal(ours, theirs)


@needs_torch
def test_a_model_speaks_alike_on_torch() -> None:
    ours, theirs = Model.load("my/thing"), Model.load("my/thing", backend=open_backend("torch"))

    for ids in ([], [300], [300, 301, 302]):
        assert np.array_equal(ours.prefill(ids), theirs.prefill(ids))
        assert np.array_equal(ours.next_logits(ids), theirs.next_logits(ids))


def test_cuda_gives_the_golden_digest() -> None:
    assert digest(cuda_or_skip(), Weights.shipped()) == GOLDEN


@pytest.mark.parametrize("batch", [1, 7, 64, 4096])
def test_cuda_rows_are_those_of_numpy(batch: int) -> None:
    windows = proof_windows(Weights.shipped(), batch)
    theirs = cuda_or_skip().prepare(Weights.shipped())(windows)

    assert np.array_equal(NumpyBackend().prepare(Weights.shipped())(windows), theirs)


def test_default_device_is_numpy() -> None:
    assert "numpy" == open_backend().name == open_backend("cpu").name


@pytest.mark.parametrize(("at_hand", "expected"), [(False, "cpu"), (True, "cuda")])
def test_auto_takes_a_gpu_where_there_is_one(at_hand: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    table: dict[str, Callable[[], Any]] = {
        name: lambda name=name: opened.append(name) or NumpyBackend() for name in backends.DEVICES
    }
    monkeypatch.setattr(backends, "_cuda_at_hand", lambda: at_hand)
    monkeypatch.setattr(backends, "DEVICES", table)
    open_backend.__wrapped__("auto")

    assert [expected] == opened


def test_unknown_device_is_named_with_the_known_ones() -> None:
    with pytest.raises(BackendError, match="must be one of auto, cpu, torch, cuda; given: 'tpu'"):
        open_backend("tpu")


def test_without_torch_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(BackendError, match=r'pip install "textgen-contract\[torch\]"'):
        TorchBackend("cuda")


def test_a_backend_with_other_integers_is_refused() -> None:
    class Careless(NumpyBackend):
        name = "careless"

        def prepare(self, weights: Weights) -> Forward:
            off_by_one = weights.head_bias.copy()
            off_by_one[17] += 1
            return super().prepare(replace(weights, head_bias=off_by_one))

    with pytest.raises(BackendError, match="careless does not give the exact integers of this version"):
        prove(Careless())
