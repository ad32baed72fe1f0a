"""The nouns that travel through the mock: what was asked and what was made.

Frozen, without behaviour, importing nothing of ours.
``None`` in :class:`Parameters` means "the client did not say"; the one place that fills defaults is ``engine/generate.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class FinishReason(StrEnum):
    """Why a generation ended; the page's three values."""

    LENGTH = "length"
    EOS_TOKEN = "eos_token"  # noqa: S105 (the API's spelling, not a secret)
    STOP_SEQUENCE = "stop_sequence"


@dataclass(frozen=True, slots=True)
class Grammar:
    """``type`` is ``json`` or ``regex``; ``value`` is the JSON Schema as JSON text, or the regular expression."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """``parameters`` of the page, in the page's order and spelling. None: the client did not say (or said null)."""

    adapter_id: str | None = None
    best_of: int | None = None
    decoder_input_details: bool | None = None
    details: bool | None = None
    do_sample: bool | None = None
    frequency_penalty: float | None = None
    grammar: Grammar | None = None
    max_new_tokens: int | None = None
    repetition_penalty: float | None = None
    return_full_text: bool | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_k: int | None = None
    top_n_tokens: int | None = None
    top_p: float | None = None
    truncate: int | None = None
    typical_p: float | None = None
    watermark: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One checked request: everything past ``wire/request.py`` may rely on its types and bounds."""

    model: str
    inputs: str
    parameters: Parameters = field(default_factory=Parameters)
    stream: bool = False
    ignored: tuple[str, ...] = ()  # what the client sent that the page does not know
    use_cache: bool = True
    wait_for_model: bool = False
    draw: int = 0  # which of several draws of the same request without a seed this is; the first is 0


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token. ``text`` is what the token adds to the reply: ``""`` while a character is incomplete."""

    id: int
    text: str
    logprob: float
    special: bool


@dataclass(frozen=True, slots=True)
class PrefillToken:
    """One prompt token; the first has no logprob."""

    id: int
    text: str
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Prefill:
    """What the engine read before its first step: ``tokens`` only when asked for, ``input_length`` always."""

    input_length: int
    tokens: tuple[PrefillToken, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """How it ended. ``seed`` is None when nothing was drawn (greedy)."""

    finish_reason: FinishReason
    generated_text: str
    generated_tokens: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One generated token with its place (1..n) and, when asked for, the likeliest candidates at that place.

    The last step says how it ended, as the last event of a stream does: so an event can be written the moment its step is made.
    """

    index: int
    token: Token
    top_tokens: tuple[Token, ...] | None = None
    finished: Finished | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One whole generation: the fold over what the loop gave."""

    prefill: Prefill
    steps: tuple[Step, ...]
    finished: Finished


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: whole, or piece by piece as it is made."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | Iterator[bytes]
    chunked: bool = False
    """Sent without a content-length though it may be whole."""
