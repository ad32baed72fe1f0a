"""The files of a checkpoint: whether they are there, what its config.json says, and its tokenizer.json as a vocabulary.

Opens no torch and no transformers, so that what is missing is told before they are opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mockserver.engine.vocabulary import TextStream, Vocabulary, _byte_of_letter

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
CONTEXT_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")


class CheckpointError(Exception):
    """A checkpoint that cannot be served, and why, in one sentence."""


class CheckpointVocabulary(Vocabulary):
    """A checkpoint's own tokenizer: byte-level BPE (GPT-2, Llama 3, Qwen) or SentencePiece (Llama 2, Gemma).

    Text is encoded as text-generation-inference does it: with the tokens that the tokenizer puts before a prompt, and the name of a
    special token in the text is that token. ``decode`` gives text that goes on from other text, so a space at the front stays.
    ``size`` is one more than the highest id; an id without a token has no bytes and is never likely.
    """

    def __init__(self, tokenizer_json: str, end_ids: Sequence[int]) -> None:
        from tokenizers import Tokenizer

        described = json.loads(tokenizer_json)
        spell = _spelling(described.get("decoder"))
        tokenizer: Tokenizer = Tokenizer.from_str(tokenizer_json)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokens = {token_id: token for token, token_id in tokenizer.get_vocab().items()}
        added = tokenizer.get_added_tokens_decoder()
        self._tokenizer = tokenizer
        self._special = {token_id for token_id, token in added.items() if token.special} | set(end_ids)
        self.json = tokenizer_json
        self.size = max(tokens) + 1
        if not end_ids or not set(end_ids) <= set(tokens):
            raise CheckpointError(f"the end token has the ids {list(end_ids)}, and tokenizer.json does not know them all")
        self.end_ids = tuple(end_ids)
        self.eos_id = self.end_ids[0]
        self.eos_text = tokens[self.eos_id]
        self.unnamed_ids = tuple(token_id for token_id in range(self.size) if token_id not in tokens)
        self._bytes = [
            tokens[token_id].encode() if token_id in self._special else spell(tokens.get(token_id, ""))
            for token_id in range(self.size)
        ]

    @classmethod
    def read(cls, directory: Path) -> CheckpointVocabulary:
        """The vocabulary of a checkpoint. Raises CheckpointError."""
        check_folder(directory)
        try:
            return cls((directory / "tokenizer.json").read_text(encoding="utf-8"), _end_ids(directory))
        except CheckpointError as error:
            raise CheckpointError(f"{directory} cannot be served: {error}") from None
        except Exception as error:  # tokenizers raises no narrower class
            raise CheckpointError(f"{directory / 'tokenizer.json'} cannot be read: {first_line(error)}") from error

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids`` without special tokens, bytes as in :class:`Vocabulary`."""
        stream = TextStream(self)
        return "".join(stream.push(token_id) for token_id in ids if not self.is_special(token_id))

    def is_special(self, token_id: int) -> bool:
        return token_id in self._special


def context_length(directory: str | Path) -> int | None:
    """How many tokens the checkpoint reads, as its config.json says; None where it does not. Raises CheckpointError."""
    check_folder(Path(directory))
    config = _read_object(Path(directory) / "config.json")
    said = [part.get(name) for part in (config, _object(config.get("text_config"))) for name in CONTEXT_LENGTHS]
    return next((length for length in said if isinstance(length, int) and length > 0), None)


def check_folder(directory: Path) -> None:
    """Raise CheckpointError unless the files of a checkpoint are there, naming every one that is not."""
    if not directory.is_dir():
        raise CheckpointError(f"{directory} is no folder")
    wanted = {"config.json": ("config.json",), "model.safetensors": WEIGHTS, "tokenizer.json": ("tokenizer.json",)}
    missing = [name for name, ways in wanted.items() if not any((directory / way).is_file() for way in ways)]
    if missing:
        pickled = "model.safetensors" in missing and any(directory.glob("*.bin"))
        why = " (weights in *.bin are pickles, which are not read)" if pickled else ""
        raise CheckpointError(f"{directory} is no checkpoint: it has no {' and no '.join(missing)}{why}")


def _end_ids(directory: Path) -> tuple[int, ...]:
    """The end tokens, first the one that the tokenizer names as its own."""
    for name in ("generation_config.json", "config.json"):
        config = _read_object(directory / name)
        said = config.get("eos_token_id", _object(config.get("text_config")).get("eos_token_id"))
        ids = [said] if isinstance(said, int) else said
        if ids:
            named = _end_name(directory)
            return tuple(sorted(dict.fromkeys(ids), key=lambda token_id: token_id != named))
    raise CheckpointError("neither config.json nor generation_config.json has an `eos_token_id`")


def _end_name(directory: Path) -> int | None:
    """The id of ``eos_token`` in tokenizer_config.json."""
    said = _read_object(directory / "tokenizer_config.json").get("eos_token")
    name = said.get("content") if isinstance(said, dict) else said
    added = _read_object(directory / "tokenizer.json").get("added_tokens", [])
    return next((token["id"] for token in added if token["content"] == name), None)


def _read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, empty where there is no file. Raises CheckpointError."""
    try:
        return _object(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _spelling(decoder: dict[str, Any] | None) -> Callable[[str], bytes]:
    """From a token as tokenizer.json writes it to its bytes, by the decoder in that file. Raises CheckpointError."""
    steps = (decoder or {}).get("decoders", [decoder or {}])
    kinds = {step.get("type") for step in steps}
    if "ByteLevel" in kinds:
        return _spell_letters
    replaced = [_replacement(step) for step in steps if step.get("type") in ("Metaspace", "Replace")]
    if not replaced or not kinds <= {"Metaspace", "Replace", "ByteFallback", "Fuse", "Strip"}:
        named = ", ".join(sorted(map(str, kinds - {None}))) or "nothing"
        raise CheckpointError(f"tokens are decoded by {named}, and only byte-level BPE and SentencePiece are understood")

    def spell(token: str) -> bytes:
        if "ByteFallback" in kinds and re.fullmatch("<0x[0-9A-F]{2}>", token):
            return bytes([int(token[3:5], 16)])
        for old, new in replaced:
            token = token.replace(old, new)
        return token.encode()

    return spell


def _replacement(step: dict[str, Any]) -> tuple[str, str]:
    """What a decoder of SentencePiece writes for what: a space for U+2581."""
    if step["type"] == "Metaspace":
        return step["replacement"], " "
    if "String" not in step["pattern"]:
        raise CheckpointError("tokens are decoded by a regular expression, which is not understood")
    return step["pattern"]["String"], step["content"]


_ALPHABET = _byte_of_letter()


def _spell_letters(token: str) -> bytes:
    """Bytes of a byte-level token; a token with any other letter was added to the vocabulary and stands for itself."""
    if all(letter in _ALPHABET for letter in token):
        return bytes(_ALPHABET[letter] for letter in token)
    return token.encode()


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
