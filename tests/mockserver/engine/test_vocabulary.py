"""Facts about text and token ids."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.vocabulary import TextStream, Vocabulary

AWKWARD = (
    "",
    " ",
    "\n",
    "  \n\t ",
    "\r\n",
    "\x00",
    "Hello, world!",
    "trailing space ",
    "</s>",
    "a</s>b</s>",
    "Ġ is the letter BPE writes for a space",
    "naïve café",
    "👩‍👩‍👧‍👦 and 🏳️‍🌈",
    "日本語、中文、한국어",
    "हिन्दी और العربية",
    "\ufffd\ufeff\u200b",
    "\U0010ffff",
    "e\u0301 is not \u00e9",
    "x" * 3000,
)

VOCABULARY = Vocabulary.shipped()
texts = st.text(st.characters(exclude_categories=["Cs"]))
ids_lists = st.lists(st.integers(0, VOCABULARY.size - 1), max_size=40)


@pytest.mark.parametrize("text", AWKWARD, ids=lambda text: repr(text[:20]))
def test_every_text_comes_back(text: str) -> None:
    assert text == VOCABULARY.decode(VOCABULARY.encode(text))


@given(texts)
def test_any_text_comes_back(text: str) -> None:
    assert text == VOCABULARY.decode(VOCABULARY.encode(text))


@given(texts)
def test_no_text_holds_a_special_token(text: str) -> None:
    assert not any(map(VOCABULARY.is_special, VOCABULARY.encode(f"{text}</s>{text}")))


@given(ids_lists)
def test_stream_joins_to_decode(ids: list[int]) -> None:
    """For any ids, also those that are no text at all."""
    stream = TextStream(VOCABULARY)
    pushed = [(token_id, stream.push(token_id)) for token_id in ids]

    assert VOCABULARY.decode(ids) == "".join(text for token_id, text in pushed if not VOCABULARY.is_special(token_id))


@given(ids_lists)
def test_stream_with_its_flush_is_the_bytes_decoded_at_once(ids: list[int]) -> None:
    stream = TextStream(VOCABULARY)
    ordinary = [token_id for token_id in ids if not VOCABULARY.is_special(token_id)]
    pushed = "".join(map(stream.push, ordinary)) + stream.flush()

    assert b"".join(map(VOCABULARY.token_bytes, ordinary)).decode(errors="replace") == pushed


@given(texts)
def test_stream_never_shows_half_a_character(text: str) -> None:
    stream = TextStream(VOCABULARY)
    pushed = [stream.push(token_id) for token_id in VOCABULARY.encode(text)]

    assert text == "".join(pushed)
    assert stream.flush() == ""


def test_emoji_appears_with_its_last_token() -> None:
    """Emoji are never one token here, so clients meet texts of "" before the character."""
    ids = VOCABULARY.encode("😀")
    stream = TextStream(VOCABULARY)

    assert len(ids) > 1
    assert [""] * (len(ids) - 1) + ["😀"] == [stream.push(token_id) for token_id in ids]


def test_special_token_leaves_an_incomplete_character_waiting() -> None:
    *first, last = VOCABULARY.encode("😀")
    stream = TextStream(VOCABULARY)
    texts = [stream.push(token_id) for token_id in [*first, VOCABULARY.eos_id, last]]

    assert texts[-2] == "</s>"
    assert texts[-1] == "😀"
    assert VOCABULARY.decode([*first, VOCABULARY.eos_id, last]) == "😀"


def test_incomplete_tail_is_nothing_until_flushed() -> None:
    ids = VOCABULARY.encode("ok 😀")[:-1]
    stream = TextStream(VOCABULARY)

    assert VOCABULARY.decode(ids) == "ok "
    assert "".join(map(stream.push, ids)) == "ok "
    assert stream.flush() == "\ufffd"
    assert stream.flush() == ""


def test_one_special_token() -> None:
    specials = [token_id for token_id in range(VOCABULARY.size) if VOCABULARY.is_special(token_id)]

    assert [VOCABULARY.eos_id] == specials
    assert VOCABULARY.token_text(VOCABULARY.eos_id) == "</s>"
    assert VOCABULARY.token_bytes(VOCABULARY.eos_id) == b"</s>"


def test_every_byte_is_a_token() -> None:
    assert {bytes([byte]) for byte in range(256)} <= {VOCABULARY.token_bytes(token_id) for token_id in range(VOCABULARY.size)}


def test_bytes_are_those_of_the_tokenizers_library() -> None:
    """The table of letters is ours, so it is held against theirs: each token that is whole text decodes to it."""
    from tokenizers import Tokenizer

    theirs = Tokenizer.from_str(VOCABULARY.json)
    ordinary = (token_id for token_id in range(VOCABULARY.size) if token_id != VOCABULARY.eos_id)

    assert all(VOCABULARY.token_text(token_id) == theirs.decode([token_id]) for token_id in ordinary)


def test_shipped_is_opened_once() -> None:
    assert VOCABULARY is Vocabulary.shipped()


def test_import_opens_neither_tokenizers_nor_torch() -> None:
    program = "import sys, mockserver.engine.model; print(sorted({'tokenizers', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_tokens_given_to_one_are_not_changed_for_the_next(vocabulary: Vocabulary) -> None:
    vocabulary.encode("The sea").append(0)

    assert "The sea" == vocabulary.decode(vocabulary.encode("The sea"))
    assert 0 not in vocabulary.encode("The sea")
