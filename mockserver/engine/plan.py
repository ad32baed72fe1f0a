"""What a generation will do, settled before it begins: rules between parameters, defaults, seeds, prompt tokens.

Everything that can be wrong with a request of well-formed parameters is found here, so the loop cannot fail on it.
The one place that fills what the client did not say. Makes no token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Protocol

from mockserver.engine.grammar import CompiledGrammar, compile_grammar
from mockserver.engine.vocabulary import Vocabulary
from mockserver.errors import ValidationError
from mockserver.messages import Grammar, Parameters, Request
from mockserver.sampler import Settings

SEED_BITS = 53
"""Seeds we draw ourselves are ones that every JSON reader keeps whole, JavaScript's too."""

TOLD_ONLY = frozenset({"best_of", "decoder_input_details", "details", "return_full_text", "seed", "top_n_tokens"})
"""Parameters that change what is told, not what is drawn: the seed we draw does not depend on them."""


class Limits(Protocol):
    """What the plan asks of the Config."""

    @property
    def seed(self) -> int: ...
    @property
    def max_input_tokens(self) -> int: ...
    @property
    def max_total_tokens(self) -> int: ...
    @property
    def default_max_new_tokens(self) -> int: ...
    @property
    def all_the_room(self) -> bool: ...
    @property
    def stop_at_token_end(self) -> bool: ...
    @property
    def router_sentences(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """One request, ready to run: ``settings`` holds one entry for each sequence of ``best_of``."""

    ids: tuple[int, ...]
    max_new_tokens: int
    stop: tuple[str, ...]
    settings: tuple[Settings, ...]
    prefill: bool = False
    grammar: CompiledGrammar | None = None
    stop_at_token_end: bool = False

    @property
    def best_of(self) -> int:
        return len(self.settings)


def plan(request: Request, vocabulary: Vocabulary, limits: Limits) -> Plan:
    """The Plan of ``request``. Raises ValidationError with text-generation-inference's sentences, in its order."""
    check_rules(request)
    given = request.parameters
    ids = vocabulary.encode(request.inputs)
    if given.truncate is not None:
        ids = ids[-given.truncate :]  # statement parameters.truncate.right-end
    max_new_tokens = _room(len(ids), given.max_new_tokens, limits)
    return Plan(
        ids=tuple(ids),
        max_new_tokens=max_new_tokens,
        stop=given.stop,
        stop_at_token_end=limits.stop_at_token_end,
        settings=_settings(request, limits.seed),
        prefill=bool(given.decoder_input_details),
        grammar=None if given.grammar is None else _grammar(given.grammar, vocabulary, limits),
    )


def samples(given: Parameters) -> bool:
    """Whether tokens are drawn: ``do_sample``, or any parameter that only means something when they are.

    As text-generation-inference decides (``tokens.py``, ``NextTokenChooser``): ``temperature`` 1.0 alone does not sample, and
    ``do_sample`` false does not take back ``top_k``. Penalties and the watermark work on greedy requests too.
    """
    return bool(
        given.do_sample
        or given.temperature not in (None, 1.0)
        or given.top_k is not None
        or (given.top_p is not None and given.top_p < 1.0)
        or (given.typical_p is not None and given.typical_p < 1.0)
    )


def check_rules(request: Request) -> None:
    """Refuse parameters that are at odds with each other, each rule with its place among the bounds."""
    given = request.parameters
    best_of = given.best_of or 1
    if request.stream and given.best_of not in (None, 1):
        raise ValidationError("`best_of` != 1 is not supported when streaming tokens")
    if request.stream and given.decoder_input_details:
        raise ValidationError("`decoder_input_details` == true is not supported when streaming tokens")
    if best_of > 1 and not samples(given):
        raise ValidationError("you must use sampling when `best_of` is > 1", after="best_of")
    if best_of > 1 and given.seed is not None:
        raise ValidationError("`seed` must not be set when `best_of` > 1", after="stop")


def _room(input_length: int, wanted: int | None, limits: Limits) -> int:
    """How many tokens may be generated after ``input_length`` of them."""
    total = limits.max_total_tokens
    if wanted is None:
        room = total - input_length
        wanted = max(1, room if limits.all_the_room else min(limits.default_max_new_tokens, room))
    if input_length + wanted > total:
        raise ValidationError(
            f"`inputs` tokens + `max_new_tokens` must be <= {total}. "
            f"Given: {input_length} `inputs` tokens and {wanted} `max_new_tokens`"
        )
    if input_length > limits.max_input_tokens:
        most = "less than" if limits.router_sentences else "at most"  # the router says so, and takes as many
        raise ValidationError(f"`inputs` must have {most} {limits.max_input_tokens} tokens. Given: {input_length}")
    return wanted


def _grammar(grammar: Grammar, vocabulary: Vocabulary, limits: Limits) -> CompiledGrammar:
    if not limits.router_sentences:
        return compile_grammar(grammar, vocabulary)
    try:
        compiled = compile_grammar(grammar, vocabulary)
    except ValidationError as error:
        raise ValidationError(error.sentence.replace("`grammar`", "grammar", 1)) from None
    schema = json.loads(grammar.value) if grammar.type == "json" else {"properties": {}}
    if not isinstance(schema, dict) or "properties" not in schema:
        raise ValidationError("grammar is not valid: Grammar must have a 'properties' field")
    return compiled


def _settings(request: Request, server_seed: int) -> tuple[Settings, ...]:
    given = request.parameters
    greedy = Settings(
        repetition_penalty=given.repetition_penalty,
        frequency_penalty=given.frequency_penalty,
        watermark=bool(given.watermark),
        top_n_tokens=given.top_n_tokens or 0,
    )
    if not samples(given):
        return (greedy,)
    drawn = replace(
        greedy,
        do_sample=True,
        temperature=1.0 if given.temperature is None else given.temperature,
        top_k=given.top_k,
        top_p=given.top_p,
        typical_p=given.typical_p,
    )
    seeds = [given.seed] if given.seed is not None else derive_seeds(request, server_seed, given.best_of or 1)
    return tuple(replace(drawn, seed=seed) for seed in seeds)


def derive_seeds(request: Request, server_seed: int, count: int) -> Sequence[int]:
    """A seed for each sequence of a request that brings none: the same draw of a request on the same server gives the same ones.

    Each is reported beside its sequence, and sent as ``seed`` with ``best_of`` 1 it gives that sequence again.
    """
    drawn = {name: value for name, value in asdict(request.parameters).items() if name not in TOLD_ONLY}
    again = [request.draw] if request.draw else []
    canonical = json.dumps([server_seed, request.model, request.inputs, drawn, *again], sort_keys=True).encode()
    return [
        int.from_bytes(blake2b(canonical, digest_size=8, salt=b"seed %d" % sequence).digest(), "little") >> (64 - SEED_BITS)
        for sequence in range(count)
    ]
