"""``python -m mockserver.engine.train``: makes tokenizer, weights and golden digest anew, from nothing but this folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mockserver.engine.backends import NumpyBackend, digest
from mockserver.engine.model import Model
from mockserver.engine.train.corpus import Document, documents
from mockserver.engine.train.tokenizer import SIZE, train_tokenizer
from mockserver.engine.vocabulary import Vocabulary
from mockserver.engine.weights import FOLDER

SEED = 0
HELD_OUT = 10_000_000  # the first of the documents never learned from
PROMPTS = ("", "Can you please let us know more details about your ", "My name is Olivier and I", "What is Deep Learning?")


def main() -> None:
    options = _options()
    start = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - start:6.0f} s  {line}", flush=True)

    make(options.out, documents_read=options.documents, steps=options.steps, size=options.size, report=report)


def make(out: Path, *, documents_read: int, steps: int, size: int, report: Callable[[str], None]) -> None:
    """Write ``tokenizer.json``, ``model.npz`` and ``golden.txt`` into ``out``."""
    from mockserver.engine.train.learn import Examples, Plan, Shape, learn, loss

    corpus = list(documents(SEED, 0, documents_read))
    tokenizer = train_tokenizer((text for document in corpus for text in (document.prompt, document.text)), size)
    vocabulary = Vocabulary(tokenizer)
    shape, plan = Shape(vocabulary.size), Plan(steps=steps, seed=SEED)

    def examples(texts: Iterable[Document]) -> Examples:
        encode = vocabulary.encode
        return Examples.of(((encode(text.prompt), encode(text.text)) for text in texts), shape.window, vocabulary.eos_id)

    told = examples(corpus)
    report(f"{len(corpus)} documents, {len(told.targets)} tokens to foretell, a vocabulary of {vocabulary.size}")
    weights = learn(told, shape, plan, report)
    held_out = examples(documents(SEED, HELD_OUT, HELD_OUT + documents_read // 100 + 1))
    backend = NumpyBackend()
    report(f"{loss(backend.prepare(weights), held_out, shape.window):.3f} nat per token of documents never seen, in integers")

    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    weights.write(out / "model.npz")
    (out / "golden.txt").write_text(digest(backend, weights) + "\n", encoding="ascii")
    model = Model(weights, backend)
    for prompt in PROMPTS:
        report(f"{prompt!r} goes on {continuation(model, vocabulary, prompt)!r}")


def continuation(model: Model, vocabulary: Vocabulary, prompt: str, limit: int = 60) -> str:
    """The likeliest next token, again and again."""
    ids = vocabulary.encode(prompt)
    new: list[int] = []
    while len(new) < limit and vocabulary.eos_id not in new:
        new.append(int(model.next_logits(ids + new).argmax()))
    return vocabulary.decode(new)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mockserver.engine.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder to write into (default: the shipped weights)")
    parser.add_argument("--documents", type=int, default=220_000, help="how many documents of the corpus are read")
    parser.add_argument("--steps", type=int, default=18_000, help="how many batches are learned")
    parser.add_argument("--size", type=int, default=SIZE, help="how many tokens the vocabulary may have")
    return parser.parse_args()


if __name__ == "__main__":
    main()
