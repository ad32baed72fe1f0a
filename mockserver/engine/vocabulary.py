"""Text to token ids and back: the byte-level BPE that ships with the engine.

Knows nothing of models, sampling or HTTP; opens the ``tokenizers`` library and the package data on first use only.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EOS_TEXT = "</s>"

KNOWN_TEXTS = 64
"""Texts whose tokens are remembered; the least recently asked go first."""

LONGEST_KNOWN = 16_384
"""Characters of the longest of them."""

KNOWN_WORDS = 512
"""Words whose tokens the tokenizer remembers."""


class Vocabulary:
    """A byte-level BPE with one special token, the end token ``</s>``; there is no begin token.

    Every text has an encoding and ``decode(encode(text)) == text``: the 256 bytes are tokens themselves.
    """

    def __init__(self, tokenizer_json: str) -> None:
        from tokenizers import Tokenizer

        tokenizer: Tokenizer = Tokenizer.from_str(tokenizer_json)
        tokenizer.encode_special_tokens = True  # "</s>" written in a prompt is five characters, not the end token
        # its memory of words grows to 10,000, however long they are: megabytes, for a few microseconds a prompt
        tokenizer.model._resize_cache(KNOWN_WORDS)
        self._tokenizer = tokenizer
        self.json = tokenizer_json
        self.size: int = tokenizer.get_vocab_size()
        ids = tokenizer.get_vocab()
        self.eos_id: int = ids[EOS_TEXT]
        self.eos_text = EOS_TEXT
        spelled = str.maketrans(_byte_of_letter())
        self._bytes = [
            token.encode() if token == EOS_TEXT else token.translate(spelled).encode("latin-1")
            for token in sorted(ids, key=ids.__getitem__)
        ]

    @classmethod
    @cache
    def shipped(cls) -> Vocabulary:
        """The vocabulary the shipped weights were trained with."""
        return cls((files(__package__) / "weights" / "tokenizer.json").read_text(encoding="utf-8"))

    def encode(self, text: str) -> list[int]:
        """Token ids of any text without lone surrogates; never a special token. Prompts asked again are not read again."""
        return [*_encode_again(self, text)] if len(text) <= LONGEST_KNOWN else self._encode(text)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids`` without special tokens.

        Bytes that cannot be UTF-8 become U+FFFD; a character still incomplete at the end becomes nothing.
        """
        return _utf8().decode(b"".join(self._bytes[token_id] for token_id in ids if token_id != self.eos_id))

    def is_special(self, token_id: int) -> bool:
        return token_id == self.eos_id

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that ``token_id`` stands for; those of its name for a special token."""
        return self._bytes[token_id]

    def token_text(self, token_id: int) -> str:
        """Token ``token_id`` shown by itself: bytes that are no whole character are U+FFFD."""
        return self._bytes[token_id].decode(errors="replace")


class TextStream:
    """The text of one sequence, token by token.

    The texts pushed for ordinary tokens, joined, are ``Vocabulary.decode`` of all of them, wherever characters were split.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._utf8 = _utf8()

    def push(self, token_id: int) -> str:
        """The text this token adds: ``""`` while a character is incomplete, the whole character with its last byte.

        A special token gives its own name and leaves an incomplete character waiting.
        """
        data = self._vocabulary.token_bytes(token_id)
        return data.decode() if self._vocabulary.is_special(token_id) else self._utf8.decode(data)

    def flush(self) -> str:
        """What is still incomplete at the end, as U+FFFD; the stream is then as new."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text


@lru_cache(KNOWN_TEXTS)
def _encode_again(vocabulary: Vocabulary, text: str) -> list[int]:
    return vocabulary._encode(text)


def _utf8() -> codecs.IncrementalDecoder:
    """Bytes to text, whole characters only: invalid bytes become U+FFFD at once, incomplete ones wait."""
    return codecs.getincrementaldecoder("utf-8")("replace")


def _byte_of_letter() -> dict[str, int]:
    """The letters that byte-level BPE writes for the bytes 0 to 255 (Radford et al., GPT-2, ``bytes_to_unicode``).

    A printable Latin-1 character stands for itself; the others, in order, are the letters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}
