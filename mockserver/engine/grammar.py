"""Which tokens a grammar allows next: regular expressions and JSON Schemas, by llguidance.

A grammar that is wrong, asks for something that cannot be enforced, matches nothing, or costs too much is refused when it is compiled;
nothing is enforced by halves. Knows no logits and draws no token; opens llguidance on first use only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mockserver.engine.schema_costs import why_too_costly
from mockserver.engine.schema_numbers import narrow_numbers
from mockserver.engine.vocabulary import Vocabulary
from mockserver.errors import GenerationError, ValidationError
from mockserver.messages import Grammar

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

LONGEST_PATTERN = 5_000
"""Signs of a regular expression with its repetitions written out: the time of each step grows with them."""

LEXER_STATES = 50_000
"""Bounds the memory of one request to about 100 MB."""

TRIAL = 3
"""Steps that are tried before a grammar is accepted: the costly ones fail in the first."""

DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"
DRAFTS = re.compile(r"https?://json-schema\.org/(draft-0[467]|draft/2019-09|draft/2020-12)/schema#?")

LONGEST_REASON = 200


class CompiledGrammar:
    """A grammar that is known to allow a beginning."""

    def __init__(self, matcher: LLMatcher, vocabulary: Vocabulary) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def begin(self) -> Walk:
        return Walk(self._matcher.deep_copy(), self._vocabulary)


class Walk:
    """One sequence's way through a grammar."""

    def __init__(self, matcher: LLMatcher, vocabulary: Vocabulary) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._eos_id = vocabulary.eos_id
        self._special = _special(vocabulary)

    def allowed(self) -> NDArray[np.bool_]:
        """(V,) True for each token that may come next, the end token where the text may end. Raises GenerationError."""
        mask = np.frombuffer(self._matcher.compute_logit_bias(), np.uint8)
        self._check()
        allowed = np.not_equal(mask, 0)
        if allowed[self._special].any() and not self._matcher.is_accepting():
            self._spell_names(allowed)
        return allowed

    def _spell_names(self, allowed: NDArray[np.bool_]) -> None:
        """Where only one text may follow and it has the name of a special token in it: that text, letter by letter.

        The library takes the name for the token, which would end the text inside the grammar.
        """
        allowed[self._special] = False
        if not allowed.any():
            text, spelled = self._matcher.compute_ff_bytes(), self._vocabulary.token_bytes
            allowed[[token for token in range(len(allowed)) if spelled(token) and text.startswith(spelled(token))]] = True
            allowed[self._special] = False

    def accept(self, token: int) -> None:
        """Go on with ``token``, one of those allowed. Raises GenerationError."""
        if token != self._eos_id:
            self._matcher.consume_token(token)
            self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GenerationError(f"`grammar` cannot go on: {_reason(self._matcher.get_error())}")


def compile_grammar(grammar: Grammar, vocabulary: Vocabulary) -> CompiledGrammar:
    """``grammar`` over the tokens of ``vocabulary``. Raises ValidationError with the reason."""
    from llguidance import LLMatcher, LLParserLimits

    limits = LLParserLimits(max_lexer_states=LEXER_STATES, verbose_errors=False)
    for source in (_regex(grammar.value),) if grammar.type == "regex" else _json(grammar.value):
        matcher = LLMatcher(_tokenizer(vocabulary), source, log_level=0, limits=limits)
        if "Unsatisfiable" not in matcher.get_error():
            break
    if matcher.is_error():
        raise _refusal(matcher.get_error())
    compiled = CompiledGrammar(matcher, vocabulary)
    _try(compiled.begin(), vocabulary)
    return compiled


@lru_cache(maxsize=4)
def _tokenizer(vocabulary: Vocabulary) -> LLTokenizer:
    from llguidance import LLTokenizer

    return LLTokenizer(vocabulary.json, n_vocab=vocabulary.size, eos_token=vocabulary.eos_id)


@lru_cache(maxsize=4)
def _special(vocabulary: Vocabulary) -> NDArray[np.int64]:
    return np.array([token for token in range(vocabulary.size) if vocabulary.is_special(token)], np.int64)


def _regex(pattern: str) -> str:
    from llguidance import LLMatcher

    _check_length(pattern)
    source: str = LLMatcher.grammar_from_regex(pattern)
    return source


def _json(text: str) -> Iterator[str]:
    """Without white space between the parts: a model that may write some goes on writing it.

    First with narrower numbers, then, where they are at odds with other parts of the schema, as it is.
    """
    from llguidance import LLMatcher

    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal(f"`value` is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise _refusal("a JSON Schema is an object here")
    if why := why_too_costly(schema):
        raise _refusal(f"it is too costly: {why}")
    schema.pop("x-guidance", None)  # the library's own switches are not part of the API
    _check_schema(schema)
    for pattern in _patterns(schema):
        _check_length(pattern)
    narrowed = narrow_numbers(schema)
    for version in (schema,) if narrowed == schema else (narrowed, schema):
        try:
            yield LLMatcher.grammar_from_json_schema(version, overrides={"whitespace_flexible": False})
        except ValueError as error:
            raise _refusal(str(error)) from None


def _check_schema(schema: dict[str, Any]) -> None:
    """Whether it is one by the metaschema of its draft, 2020-12 unless it says another; nothing is fetched."""
    import jsonschema_rs

    if not DRAFTS.fullmatch(str(schema.get("$schema", DRAFT_2020_12))):
        raise _refusal(f"its `$schema` {schema['$schema']!r} is unknown")
    try:
        jsonschema_rs.meta.validate({"$schema": DRAFT_2020_12, **schema})
    except jsonschema_rs.ValidationError as error:
        where = "/".join(map(str, error.instance_path))
        raise _refusal(f"{error.message}" + (f" (at {where})" if where else "")) from None


def _try(walk: Walk, vocabulary: Vocabulary) -> None:
    """Take the first steps, each with the longest token that is allowed."""
    try:
        for _ in range(TRIAL):
            allowed = np.flatnonzero(walk.allowed())
            longest = max(allowed.tolist(), key=lambda token: (token != vocabulary.eos_id, len(vocabulary.token_bytes(token))))
            if longest == vocabulary.eos_id:
                return
            walk.accept(longest)
    except GenerationError as error:
        reason = error.message.rpartition("cannot go on: ")[2]
        raise _refusal("it matches nothing" if "NoExtension" in reason else f"it is too costly: {reason}") from None


def _patterns(schema: Any) -> Iterator[str]:
    """Every regular expression in a JSON Schema, and nothing less: a property of that name does no harm."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        yield from _patterns(part)


def _check_length(pattern: str) -> None:
    length = written_out(pattern)
    if length > LONGEST_PATTERN:
        raise _refusal(f"it is too costly: written out, its repetitions are longer than {LONGEST_PATTERN} signs")


_SIGNS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|.", re.DOTALL)


def written_out(pattern: str) -> int:
    """How many signs ``pattern`` has when each ``{n}`` is written out; a class or an escape is one sign.

    >>> written_out("a{3}b"), written_out("(ab{2}){10}"), written_out("[a-z]+")
    (4, 30, 1)
    """
    lengths, last = [0], 0
    for sign in _SIGNS.finditer(pattern):
        text = sign[0]
        if sign[1]:
            times = min(max(int(sign[1][:6]), int((sign[2] or "1")[:6])), LONGEST_PATTERN + 1)
            lengths[-1] += last * (times - 1)
            last *= max(times, 1)
        elif text == "(":
            lengths.append(0)
        elif text == ")" and len(lengths) > 1:
            last = lengths.pop()
            lengths[-1] += last
        elif text not in ("*", "+", "?", "|"):
            last = 1
            lengths[-1] += 1
    return sum(lengths)


def _refusal(message: str) -> ValidationError:
    return ValidationError(f"`grammar` is not valid: {_reason(message)}")


def _reason(message: str) -> str:
    """The part of a library's message that says why, on one line."""
    found = re.search(r"^error: (.+)$", message, re.MULTILINE)
    lines = [line.strip() for line in message.splitlines() if line.strip() and not line.startswith("<")]
    reason = found[1] if found else re.sub(r"^at \d+\(\d+\): ", "", lines[0] if lines else "no reason given")
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 3]}..."
