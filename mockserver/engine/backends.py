"""Where the model's products are computed: numpy, torch on the CPU, torch on CUDA. The same integers everywhere, or refused.

Every product is int8 x int8 and every sum stays below 2^24, so float32 carries them exactly: neither the order of summation,
nor fused multiply-add, nor the batch can change a bit. Shifts are folded into the weights as powers of two, which is exact too.
Knows no text and no sampling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mockserver.engine.weights import FOLDER, LIMIT, Weights

Windows = NDArray[np.int64]  # (B, W) token ids, the end token where there is no text yet
Logits = NDArray[np.int32]  # (B, V) in units of 2^-10 nat
Carried = NDArray[np.float32]  # integers below 2^24, or below 2^24 steps of a power of two
Forward = Callable[[Windows], Logits]

PROOF_BATCHES = (1, 64)


class BackendError(Exception):
    """A device that cannot be used, and why, in one sentence."""


class Backend(Protocol):
    name: str

    def __hash__(self) -> int: ...

    def prepare(self, weights: Weights) -> Forward:
        """The function from windows to logits, with the weights laid out for this device."""
        ...


class NumpyBackend:
    """The default: numpy alone."""

    name = "numpy"

    def prepare(self, weights: Weights) -> Forward:
        embedding, hidden, hidden_bias, narrow, narrow_bias, head, head_bias = _carried(weights)

        def forward(windows: Windows) -> Logits:
            batch = len(windows)
            if batch == 1:  # the same with vectors, a tenth quicker
                x = embedding.take(windows[0], axis=0).reshape(-1)
                h = _clip(np.dot(hidden, x), hidden_bias, 0)
                n = _clip(np.dot(narrow, h), narrow_bias, -LIMIT)
                row: Carried = np.dot(head, n)
                row += head_bias
                return row.astype(np.int32)[np.newaxis]
            x = embedding.take(windows, axis=0).reshape(batch, hidden.shape[1])
            h = _clip(x @ hidden.T, hidden_bias, 0)
            n = _clip(h @ narrow.T, narrow_bias, -LIMIT)
            rows = n @ head.T
            rows += head_bias
            return rows.astype(np.int32)

        return forward


class TorchBackend:
    """The same on torch, ``device`` being "cpu" or "cuda"."""

    def __init__(self, device: str) -> None:
        self._torch = _import_torch()
        if device == "cuda" and not self._torch.cuda.is_available():
            raise BackendError("device `cuda` was asked for, but torch finds no CUDA device here")
        self._device = device
        self.name = f"torch {device}"

    def prepare(self, weights: Weights) -> Forward:
        torch, device = self._torch, self._device
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.allow_tf32 = False
        carried = [torch.from_numpy(array).to(device) for array in _carried(weights)]
        embedding, hidden, hidden_bias, narrow, narrow_bias, head, head_bias = carried

        def forward(windows: Windows) -> Logits:
            with torch.inference_mode(), torch.autocast(device, enabled=False):
                ids = torch.from_numpy(windows).to(device)
                x = embedding[ids].reshape(len(ids), hidden.shape[1])
                h = (x @ hidden.T + hidden_bias).floor_().clamp_(0, LIMIT)
                n = (h @ narrow.T + narrow_bias).floor_().clamp_(-LIMIT, LIMIT)
                rows: Logits = (n @ head.T + head_bias).to(torch.int32).cpu().numpy()
                return rows

        return forward


@cache
def open_backend(device: str = "cpu") -> Backend:
    """The backend for ``--device``, proved against the golden digest before anyone uses it.

    ``cpu`` is numpy, ``torch`` is torch on the CPU, ``cuda`` is torch on a GPU; ``auto`` is cuda where there is a GPU and torch,
    else numpy. Raises BackendError.
    """
    if device == "auto":
        device = "cuda" if _cuda_at_hand() else "cpu"
    if device not in DEVICES:
        raise BackendError(f"`device` must be one of auto, {', '.join(DEVICES)}; given: {device!r}")
    backend = DEVICES[device]()
    prove(backend)
    return backend


DEVICES: dict[str, Callable[[], Backend]] = {
    "cpu": NumpyBackend,
    "torch": lambda: TorchBackend("cpu"),
    "cuda": lambda: TorchBackend("cuda"),
}


def prove(backend: Backend) -> None:
    """Raise BackendError unless ``backend`` gives the golden integers."""
    found, golden = digest(backend, Weights.shipped()), golden_digest()
    if found != golden:
        raise BackendError(
            f"{backend.name} does not give the exact integers of this version "
            f"(digest {found[:16]}..., expected {golden[:16]}...), so it is refused: use --device cpu"
        )


def digest(backend: Backend, weights: Weights) -> str:
    """SHA-256 of the logits (int32, little endian) of fixed windows, in batches of 1 and of 64."""
    forward = backend.prepare(weights)
    total = hashlib.sha256()
    for batch in PROOF_BATCHES:
        total.update(forward(proof_windows(weights, batch)).astype("<i4").tobytes())
    return total.hexdigest()


def proof_windows(weights: Weights, batch: int) -> Windows:
    """Windows of tokens drawn by hash, the first of them beginning with growing runs of nothing."""
    vocabulary, window = len(weights.embedding), weights.window
    draws = np.frombuffer(hashlib.shake_256(b"windows %d" % batch).digest(batch * window * 4), "<u4")
    windows = (draws % vocabulary).astype(np.int64).reshape(batch, window)
    for row in range(min(batch, window)):
        windows[row, : window - row] = 0
    return windows


def golden_digest(folder: Path = FOLDER) -> str:
    """The digest that came with the shipped weights."""
    return (folder / "golden.txt").read_text(encoding="ascii").strip()


def _carried(weights: Weights) -> tuple[Carried, ...]:
    """The integers in float32, each layer divided by its shift."""
    down = np.ldexp(np.float32(1), -weights.hidden_shift), np.ldexp(np.float32(1), -weights.narrow_shift)
    return (
        weights.embedding.astype(np.float32),
        weights.hidden.astype(np.float32) * down[0],
        weights.hidden_bias.astype(np.float32) * down[0],
        weights.narrow.astype(np.float32) * down[1],
        weights.narrow_bias.astype(np.float32) * down[1],
        weights.head.astype(np.float32),
        weights.head_bias.astype(np.float32),
    )


def _clip(sums: Carried, bias: Carried, low: int) -> Carried:
    """``clip((sums + bias) >> shift, low, 127)``, the shift being in the weights already; in place."""
    sums += bias
    np.floor(sums, out=sums)
    np.maximum(sums, low, out=sums)
    np.minimum(sums, LIMIT, out=sums)
    return sums


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise BackendError('this device needs torch, which is not installed: pip install "textgen-contract[torch]"') from error
    return torch


def _cuda_at_hand() -> bool:
    """Whether torch and a GPU are here; torch, slow to open, is opened only where a driver shows."""
    driver = any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/dxg")) or which("nvidia-smi") is not None
    return driver and find_spec("torch") is not None and bool(_import_torch().cuda.is_available())
