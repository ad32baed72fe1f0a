"""Facts about the making of the shipped weights: the corpus always, the learning where torch is."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from mockserver.engine.train.corpus import KINDS, document, documents, parse_rules, references, shipped_rules
from mockserver.engine.train.tokenizer import train_tokenizer
from mockserver.engine.vocabulary import Vocabulary
from mockserver.engine.weights import FOLDER, Weights

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed, and learning needs it")

CORPUS = "116d645eefa523a5c7187891a818531f7af74ef026e289394d6a812b339d711b"
"""SHA-256 of the first 300 documents."""


def test_a_document_is_always_the_same() -> None:
    assert list(documents(3, 10, 40)) == [document(3, index) for index in range(10, 40)]


def test_this_is_the_corpus_the_weights_were_made_of() -> None:
    """A change of the grammar or of its dice is a change of the weights."""
    texts = (part for each in documents(0, 0, 300) for part in (each.prompt, each.text))

    assert sha256("\0".join(texts).encode()).hexdigest() == CORPUS


def test_seeds_differ() -> None:
    assert list(documents(0, 0, 20)) != list(documents(1, 0, 20))


def test_every_reference_of_the_grammar_has_a_rule() -> None:
    rules = shipped_rules()
    assert {kind for kind, _ in KINDS} <= set(rules)
    for rule, texts in rules.items():
        for name in references(texts, rules["topic"]):
            assert name in rules, f"{rule} speaks of {name}"


def test_nothing_of_the_grammar_shows_in_its_texts() -> None:
    for made in documents(0, 0, 3000):
        text = made.prompt + made.text
        assert text
        assert "<^" not in text
        assert "<@" not in text
        assert "\\n" not in text
        assert "&lt;" not in text


def test_documents_are_of_many_kinds() -> None:
    texts = [made.prompt + made.text for made in documents(0, 0, 2000)]

    for sign in ("def ", "{", "你", "です", "है", "ا", "ß", "ł", "ñ", "é", "😀", "\u200d", "?\n\n", "Dear "):
        assert any(sign in text for text in texts), sign


def test_rules_are_written_once() -> None:
    with pytest.raises(ValueError, match="'colour' is written twice"):
        parse_rules(["colour", "    red", "colour", "    blue"])


def test_tokenizer_training_repeats_byte_for_byte() -> None:
    texts = [made.text for made in documents(0, 0, 300)]

    assert train_tokenizer(texts, 600) == train_tokenizer(texts, 600)


def test_tokenizer_of_a_tiny_corpus_has_every_byte() -> None:
    vocabulary = Vocabulary(train_tokenizer(["a a a"], 300))

    assert vocabulary.decode(vocabulary.encode("👩‍👩‍👧 日本 \x00")) == "👩‍👩‍👧 日本 \x00"
    assert vocabulary.eos_id == 0


def test_shipped_weights_fit_the_shipped_vocabulary() -> None:
    assert Vocabulary.shipped().size == len(Weights.shipped().embedding) == len(Weights.shipped().head)


def test_shipped_files_are_small() -> None:
    assert (FOLDER / "model.npz").stat().st_size < 2_000_000
    assert (FOLDER / "tokenizer.json").stat().st_size < 500_000


def test_the_grammar_ships() -> None:
    names = {entry.name for entry in (files("mockserver.engine.train") / "phrases").iterdir()}

    assert {"everyday.txt", "answers.txt", "languages.txt", "machine.txt"} <= names


def test_weights_are_written_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        Weights.shipped().write(tmp_path / name)

    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes() == (FOLDER / "model.npz").read_bytes()


@needs_torch
def test_learning_repeats_byte_for_byte(tmp_path: Path) -> None:
    from mockserver.engine.train.__main__ import make

    for name in ("a", "b"):
        make(tmp_path / name, documents_read=60, steps=12, size=400, report=lambda _: None)

    for file in ("tokenizer.json", "model.npz", "golden.txt"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@needs_torch
def test_the_integer_model_is_the_learned_one() -> None:
    """What the float twin foretells and what the integers give differ by less than the rounding of the biases can explain."""
    import torch

    from mockserver.engine.backends import NumpyBackend, proof_windows
    from mockserver.engine.model import NAT
    from mockserver.engine.train.learn import Learner, Shape

    torch.manual_seed(0)
    learner = Learner(Shape(300))
    weights = learner.weights()
    windows = proof_windows(weights, 16)
    with torch.no_grad():
        expected = learner.logits(torch.from_numpy(windows)).numpy()

    assert expected == pytest.approx(NumpyBackend().prepare(weights)(windows) / NAT, abs=2e-3)
