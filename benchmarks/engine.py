"""``python -m benchmarks.engine [--device cpu|torch|cuda]``: tokens per second of the model alone, beside the machine's own floor,
and the processor time of a whole request in process.

On a device other than the CPU, its logits are first compared bit by bit with numpy's.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # read when numpy is opened: one thread

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.report import processor
from mockserver.answer import Answerer
from mockserver.config import Config
from mockserver.engine.backends import Backend, BackendError, NumpyBackend, open_backend, proof_windows
from mockserver.engine.model import KEPT, Model
from mockserver.engine.weights import Weights

RESULTS = Path(__file__).parent / "results"
BATCHES = (1, 64, 4096)
BAR, AIM = 15_000, 30_000  # tokens per second of batch 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--device", default="cpu", help="auto, cpu (numpy), torch (torch on the CPU) or cuda")
    parser.add_argument("--out", type=Path, help="the file to write (default: benchmarks/results/engine.md)")
    options = parser.parse_args()
    try:
        backend = open_backend(options.device)
    except BackendError as error:
        sys.exit(str(error))
    weights = Weights.shipped()
    compare(backend, weights)
    text = "\n".join(page(backend, weights)) + "\n"
    print(text)
    name = "engine.md" if backend.name == "numpy" else f"engine-{backend.name.replace(' ', '-')}.md"
    out: Path = options.out or RESULTS / name
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


def compare(backend: Backend, weights: Weights) -> None:
    """Stop unless ``backend`` gives the integers of numpy in every batch measured."""
    ours, theirs = NumpyBackend().prepare(weights), backend.prepare(weights)
    for batch in BATCHES:
        windows = proof_windows(weights, batch)
        if not np.array_equal(ours(windows), theirs(windows)):
            sys.exit(f"{backend.name} differs from numpy in batch {batch}")


def page(backend: Backend, weights: Weights) -> Iterable[str]:
    """The result as Markdown."""
    bandwidth, rate = copy_speed(backend), product_speed(backend)
    yield f"# The model on {backend.name}"
    yield ""
    yield f"{machine(backend)}."
    yield f"Copies run at {bandwidth / 1e9:.1f} GB/s here, large float32 products at {rate / 1e9:.0f} GFLOP/s; CPU work on one thread."
    yield "The floor is the longer of: bytes moved (weights once, windows, logits) at the speed of copies, operations at the speed of"
    yield "large products. At batch 1 the weights stay in the processor's cache, so the floor in copies is not a hard one."
    yield "Median of 9 runs, in processor time on a CPU. Logits are compared with numpy's, bit by bit, before anything is measured."
    yield ""
    yield "| batch | tokens/s | µs per token | floor, µs per token | times the floor |"
    yield "|---:|---:|---:|---:|---:|"
    for batch in BATCHES:
        taken = seconds_per_batch(backend, weights, batch) / batch
        floor = max(bytes_moved(weights, batch) / bandwidth, operations(weights, batch) / rate) / batch
        yield f"| {batch} | {1 / taken:,.0f} | {taken * 1e6:.2f} | {floor * 1e6:.2f} | {taken / floor:.1f} |"
    if backend.name == "numpy":
        yield ""
        yield f"Batch 1 has a bar of {BAR:,} tokens/s and an aim of {AIM:,}."
        yield ""
        yield "| a request of 20 sampled tokens with details, in process, nothing cached | bar | aim |"
        yield "|---:|---:|---:|"
        yield f"| {seconds_per_request() * 1e3:.2f} ms of processor time | 4 ms | 2 ms |"


def seconds_per_request() -> float:
    """Median processor time from the bytes of a request to the bytes of its reply, each request another one."""
    answerer = Answerer(Config())
    taken = []
    for number in range(600):
        parameters = {"max_new_tokens": 20, "details": True, "do_sample": True, "seed": number}
        body = json.dumps({"inputs": f"Tell me story {number} about a fox", "parameters": parameters}).encode()
        start = time.process_time()
        reply = answerer.answer(lambda body=body: body, "application/json")
        spent = time.process_time() - start
        if json.loads(bytes(reply.body))["details"]["generated_tokens"] == 20:  # the others ended before
            taken.append(spent)
    return median(taken[len(taken) // 6 :])


def seconds_per_batch(backend: Backend, weights: Weights, batch: int) -> float:
    """As the generation loop calls it: contexts in, logits out, nothing cached."""
    model = Model(weights, backend)
    several = 2 * KEPT if batch == 1 else 1  # single contexts are remembered: by their next turn these are forgotten
    contexts = [[int(token_id) for token_id in row] * 2 for row in proof_windows(weights, batch * several)]
    turns = cycle([contexts[start : start + batch] for start in range(0, len(contexts), batch)])
    return seconds(backend, lambda: model.logits(next(turns)))


def bytes_moved(weights: Weights, batch: int) -> int:
    """Carried in float32: the weights once, what is looked up and the logits for each of the batch."""
    matrices = weights.hidden.size + weights.narrow.size + weights.head.size
    return 4 * int(matrices + batch * (weights.hidden.shape[1] + len(weights.head)))


def operations(weights: Weights, batch: int) -> int:
    return 2 * batch * int(weights.hidden.size + weights.narrow.size + weights.head.size)


def copy_speed(backend: Backend) -> float:
    """Bytes per second read and written by a copy of 256 MB."""
    if backend.name == "numpy":
        source = np.ones(2**26, np.float32)
        target = np.empty_like(source)
        return 2 * source.nbytes / seconds(backend, lambda: np.copyto(target, source), at_least=0.0)
    import torch

    tensor = torch.ones(2**26, device=_device(backend))
    other = torch.empty_like(tensor)
    return 2 * 4 * 2**26 / seconds(backend, _finished(backend, lambda: other.copy_(tensor)), at_least=0.0)


def product_speed(backend: Backend) -> float:
    """Operations per second of a float32 product of 2048 x 2048."""
    if backend.name == "numpy":
        square = np.ones((2048, 2048), np.float32)
        return 2 * 2048**3 / seconds(backend, lambda: square @ square, at_least=0.0)
    import torch

    matrix = torch.ones(2048, 2048, device=_device(backend))
    return 2 * 2048**3 / seconds(backend, _finished(backend, lambda: matrix @ matrix), at_least=0.0)


def seconds(backend: Backend, work: Callable[[], object], at_least: float = 0.05) -> float:
    """Median of 9 runs, each repeated until it lasts: of processor time, which a busy machine does not stretch, or of a GPU's time."""
    clock = time.perf_counter if _device(backend) == "cuda" else time.process_time
    work()
    start = clock()
    work()
    repeats = max(1, round(at_least / max(clock() - start, 1e-7)))
    return median(_timed(work, repeats, clock) for _ in range(9))


def _timed(work: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(repeats):
        work()
    return (clock() - start) / repeats


def _finished(backend: Backend, work: Callable[[], object]) -> Callable[[], object]:
    """The work, waited for."""
    import torch

    def run() -> None:
        work()
        if _device(backend) == "cuda":
            torch.cuda.synchronize()

    return run


def _device(backend: Backend) -> str:
    return backend.name.removeprefix("torch ")


def machine(backend: Backend) -> str:
    """What was measured on what."""
    parts = [f"Python {platform.python_version()}", f"numpy {version('numpy')}"]
    name = processor()
    if backend.name != "numpy":
        import torch

        torch.set_num_threads(1)
        parts.append(f"torch {torch.__version__}")
        name = torch.cuda.get_device_name() if _device(backend) == "cuda" else name
    return f"{name}, {platform.system()}, {', '.join(parts)}"


if __name__ == "__main__":
    main()
