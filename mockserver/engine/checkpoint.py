"""A local checkpoint as the model: a folder of ``config.json``, ``model.safetensors`` and ``tokenizer.json``, run by transformers.

What it promises: the same context gives the same logits again with the same releases of this project, torch and transformers on the
same platform and the same device. Nothing is promised across releases, platforms or devices; the exact model is ``model.py``.

How it keeps that. Sums of real numbers depend on their order, and the order on the shape of what is computed, so a context is always
read in the same pieces, alone: blocks of BLOCK tokens as far as they are whole, the rest token by token. What was read is kept
(keys and values) and reused only where the pieces are the same, so what was asked before cannot change an answer.

Never opens the network, runs no code from the folder and reads no pickle. Opens torch and transformers on load only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from itertools import pairwise, takewhile
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mockserver.engine.checkpoint_files import CheckpointError, CheckpointVocabulary, context_length, first_line
from mockserver.engine.model import NAT
from mockserver.errors import GenerationError, NotFoundError

BLOCK = 16  # tokens read at once: a prompt is read fast, and each BLOCK steps cost one reading more
LIMIT = 1 << 24  # units: 16,384 nat, as far as float32 counts
DEVICES = ("auto", "cpu", "cuda")


class CheckpointModel:
    """A causal language model of transformers in float32, one context at a time. Make it by :meth:`load`.

    A checkpoint with several end tokens is served with one: in ``logits`` it has the probability of all of them together.
    ``max_tokens`` is how many tokens it can read, None where the checkpoint does not say.
    """

    at_once = False  # contexts are read one by one, and what was read for one is kept for its next token

    def __init__(self, reader: Reader, vocabulary: CheckpointVocabulary, *, max_tokens: int | None, device: str) -> None:
        self._reader = reader
        self.vocabulary = vocabulary
        self.max_tokens = max_tokens
        self.device = device

    @classmethod
    def load(cls, directory: str | Path, device: str = "auto") -> CheckpointModel:
        """The checkpoint in ``directory`` on ``device``: cpu, cuda, or auto, which is cuda where there is a GPU. Raises CheckpointError.

        Sets torch's switches of repeatability for the whole process, and one thread.
        """
        directory = Path(directory)
        vocabulary = CheckpointVocabulary.read(directory)
        torch, transformers = _open_libraries()
        device = _choose_device(torch, device)
        _be_repeatable(torch)
        network = _open_network(torch, transformers, directory).to(device)
        known = network.config.get_text_config().vocab_size
        if vocabulary.size > known:
            raise CheckpointError(
                f"{directory} cannot be served: tokenizer.json has {vocabulary.size} ids, the model only {known}"
            )
        model = cls(
            Reader(torch, network, _cache_class(transformers, network)),
            vocabulary,
            max_tokens=context_length(directory),
            device=device,
        )
        model.logits([[]])  # what fails on this device fails now
        return model

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        """Logits (B, V) of what follows each context, one context after the other. Raises GenerationError."""
        rows = np.empty((len(contexts), self.vocabulary.size), np.int32)
        for row, context in zip(rows, contexts, strict=True):
            row[:] = self._quantise(self._reader.read_last(self._check(context)), ends=self.vocabulary.end_ids)
        return rows

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]:
        """Logits (len(ids), V): row i is of what follows ``ids[: i + 1]``, up to a unit or so. Raises GenerationError."""
        if not len(ids):
            return np.empty((0, self.vocabulary.size), np.int32)
        return np.concatenate([self._quantise(piece) for piece in self._reader.read_all(self._check(ids))])

    def _check(self, ids: Sequence[int]) -> list[int]:
        """A context that the network can read: not empty, not too long."""
        if self.max_tokens is not None and len(ids) > self.max_tokens:
            raise GenerationError(f"the checkpoint reads at most {self.max_tokens} tokens. Given: {len(ids)}")
        return list(ids) or [self.vocabulary.eos_id]

    def _quantise(self, nats: NDArray[np.float32], *, ends: Sequence[int] = ()) -> NDArray[np.int32]:
        nats = nats[:, : self.vocabulary.size]
        if np.isnan(nats).any():
            raise GenerationError("the checkpoint gave a logit that is not a number")
        if len(ends) > 1:
            together = np.logaddexp.reduce(nats[:, ends], axis=1)
            nats[:, ends] = -np.inf
            nats[:, ends[0]] = together
        if self.vocabulary.unnamed_ids:
            nats[:, self.vocabulary.unnamed_ids] = -np.inf
        return quantise(nats)


class Reader:
    """Runs the network over contexts, each in its own fixed pieces, and keeps what it read last. Safe between threads."""

    def __init__(self, torch: Any, network: Any, cache_class: Callable[[], Any] | None) -> None:
        self._torch = torch
        self._network = network
        self._cache_class = cache_class
        self._cache_name = _cache_name(network)
        self._cache: Any = None
        self._ids: list[int] = []
        self._lock = Lock()
        self.passes = 0  # how often the network ran

    def read_last(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits (1, V) in nats of what follows ``ids``."""
        with self._lock:
            for rows in self._read(ids, kept_tokens(self._ids, ids)):
                last = rows[-1:]
            return self._bring(last)

    def read_all(self, ids: list[int]) -> list[NDArray[np.float32]]:
        """Logits (n, V) in nats of what follows each token, in pieces."""
        with self._lock:
            return [self._bring(rows) for rows in self._read(ids, 0)]

    def _read(self, ids: list[int], kept: int) -> Iterator[Any]:
        """The network's logits for each piece after the first ``kept`` tokens."""
        if self._cache_class is None:
            yield self._run(ids, None)
            return
        had, self._ids = len(self._ids), []  # forgotten until all went well
        if not kept:
            self._cache = self._cache_class()
        elif kept < had:
            self._cache.crop(kept - had)
        for start, end in pieces(kept, len(ids)):
            yield self._run(ids[start:end], self._cache)
        self._ids = ids

    def _run(self, ids: list[int], cache: Any) -> Any:
        self.passes += 1
        with self._torch.inference_mode():
            given = self._torch.tensor([ids], device=self._network.device)
            return self._network(input_ids=given, use_cache=cache is not None, **{self._cache_name: cache}).logits[0]

    def _bring(self, rows: Any) -> NDArray[np.float32]:
        brought: NDArray[np.float32] = rows.float().cpu().numpy()
        return brought


def pieces(kept: int, count: int) -> Iterator[tuple[int, int]]:
    """Where the pieces of a context of ``count`` tokens begin and end, after the first ``kept`` tokens.

    >>> list(pieces(0, 2 * BLOCK + 2)) == [(0, BLOCK), (BLOCK, 2 * BLOCK), (2 * BLOCK, 2 * BLOCK + 1), (2 * BLOCK + 1, 2 * BLOCK + 2)]
    True
    """
    whole = _whole(count)
    return pairwise([*range(kept, whole, BLOCK), *range(max(kept, whole), count), count])


def kept_tokens(had: Sequence[int], ids: Sequence[int]) -> int:
    """How many tokens at the front of ``ids`` need not be read again after ``had``; the last is always read again.

    Blocks may stay. What was read token by token may stay only where it is to be read token by token again.

    >>> kept_tokens([5, 6], [5, 6, 7]), kept_tokens([5, 6], [5, 9, 7])
    (2, 1)
    """
    whole, had_whole = _whole(len(ids)), _whole(len(had))
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(had, ids[:-1], strict=False)))
    if whole == had_whole and same >= whole:
        return same
    return _whole(min(same, had_whole))


def _whole(count: int) -> int:
    """How many of ``count`` tokens are in whole blocks."""
    return count // BLOCK * BLOCK


def quantise(nats: NDArray[np.floating]) -> NDArray[np.int32]:
    """Logits in nats to the nearest 2^-10 nat, clipped to LIMIT.

    >>> quantise(np.array([1.0, -0.0004, -np.inf])).tolist()
    [1024, 0, -16777216]
    """
    units: NDArray[np.int32] = np.clip(np.rint(nats * NAT), -LIMIT, LIMIT).astype(np.int32)
    return units


def open_checkpoint(directory: str | Path, device: str = "auto") -> Callable[[str, str | None], CheckpointModel]:
    """Load a checkpoint, and answer every model id with it: what ``Answerer`` takes as ``load``. Raises CheckpointError."""
    model = CheckpointModel.load(directory, device)

    def load(_voice: str, adapter_id: str | None) -> CheckpointModel:
        if adapter_id is not None:
            raise NotFoundError(f"`adapter_id` {adapter_id!r} is unknown: a checkpoint is served without adapters")
        return model

    return load


def _open_libraries() -> tuple[Any, Any]:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    try:
        return import_module("torch"), import_module("transformers")
    except ImportError as error:
        raise CheckpointError(
            'a checkpoint needs torch and transformers, and one is not installed: pip install "textgen-contract[checkpoint]"'
        ) from error


def _choose_device(torch: Any, device: str) -> str:
    if device not in DEVICES:
        raise CheckpointError(f"`device` of a checkpoint must be one of {', '.join(DEVICES)}; given: {device!r}")
    at_hand = torch.cuda.is_available()
    if device == "cuda" and not at_hand:
        raise CheckpointError("device `cuda` was asked for, but torch finds no CUDA device here")
    if device == "auto":
        return "cuda" if at_hand else "cpu"
    return device


def _be_repeatable(torch: Any) -> None:
    """https://docs.pytorch.org/docs/stable/notes/randomness.html, and one thread, so that sums are cut in one way."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False


def _open_network(torch: Any, transformers: Any, directory: Path) -> Any:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        network, found = transformers.AutoModelForCausalLM.from_pretrained(
            str(directory),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
        )
    except Exception as error:  # whatever the architecture's own code raises
        raise CheckpointError(f"{directory} cannot be read as a causal language model: {first_line(error)}") from error
    if found["missing_keys"]:  # transformers would fill them with random numbers
        missing = sorted(found["missing_keys"])
        raise CheckpointError(f"{directory} lacks {len(missing)} of the weights that its config.json asks for: {missing[0]}, ...")
    return network.eval()


def _cache_class(transformers: Any, network: Any) -> Callable[[], Any] | None:
    """What keeps keys and values, or None for a network that keeps anything else: its contexts are read whole, each time anew."""
    layers = transformers.cache_utils
    supported = getattr(network, "_supports_default_dynamic_cache", lambda: False)()
    kinds = {type(layer) for layer in transformers.DynamicCache(config=network.config.get_text_config()).layers}
    cache_class: Callable[[], Any] = transformers.DynamicCache
    return cache_class if supported and kinds <= {layers.DynamicLayer, layers.DynamicSlidingWindowLayer} else None


def _cache_name(network: Any) -> str:
    """The argument for keys and values: transformers 5.24 renamed it, network by network."""
    return "cache" if "cache" in signature(network.forward).parameters else "past_key_values"
