"""Told answers: what a rule asks of a request, what it answers, and why it did not match.

Says what is to be answered; how it is said is for the engine. Reads no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Any

from mockserver.config import ConfigError
from mockserver.messages import FinishReason, Grammar, Request
from mockserver.scenario.seams import Fault

SHOWN = 80


class ScriptError(ConfigError):
    """A script that cannot be used; the message is one sentence that begins with the place."""


@dataclass(frozen=True, slots=True)
class Match:
    """``kind`` is ``exact``, ``contains`` or ``regex`` (found anywhere in the text)."""

    kind: str
    value: str

    def fits(self, text: str) -> bool:
        match self.kind:
            case "exact":
                return text == self.value
            case "contains":
                return self.value in text
            case _:
                return re.search(self.value, text) is not None

    def covers(self, other: Match) -> bool:
        """Whether it is certain that every text which fits ``other`` fits this too."""
        if self == other or (other.kind == "exact" and self.fits(other.value)):
            return True
        return self.kind == other.kind == "contains" and self.value in other.value

    def __str__(self) -> str:
        return {"exact": "", "contains": "a text that contains ", "regex": "a match of "}[self.kind] + show(self.value)

    def miss(self, what: str, text: str | None) -> str:
        return f"{what} is {'missing' if text is None else show(text)}, not {self}"


@dataclass(frozen=True, slots=True)
class ToldFailure:
    """An error that a rule tells."""

    status: int
    message: str
    error_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule answers; with neither text, template nor failure: as the model would. ``delay`` in milliseconds."""

    text: str | None = None
    template: str | None = None
    finish_reason: FinishReason | None = None
    failure: ToldFailure | None = None
    delay: float = 0.0
    faults: tuple[Fault, ...] = ()

    def render(self, variables: Mapping[str, Any]) -> str | None:
        """The text to say, None for the model's own. Raises ScriptError when the template asks for what is not there."""
        if self.template is None:
            return self.text
        from jinja2 import TemplateError

        try:
            return str(templates().from_string(self.template).render(variables))
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ScriptError(f"its template failed: {error}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What a request must be like, and the answer to it.

    ``place`` is its name in messages; ``where`` is the same with line and column, as far as those are known.
    """

    place: str
    answer: Answer
    where: str = ""
    prompt: Match | None = None
    model: Match | None = None
    parameters: tuple[tuple[str, Any], ...] = ()
    headers: tuple[tuple[str, Match], ...] = ()
    stream: bool | None = None
    call: int | None = None
    times: int | None = None

    def misses(self, request: Request, headers: Mapping[str, str]) -> Iterator[str]:
        """Each condition that ``request`` does not meet, as a clause of a sentence; ``call`` and ``times`` are not asked."""
        if self.prompt is not None and not self.prompt.fits(request.inputs):
            yield self.prompt.miss("the prompt", request.inputs)
        if self.model is not None and not self.model.fits(request.model):
            yield self.model.miss("the model", request.model)
        for name, wanted in self.parameters:
            given = getattr(request.parameters, name)
            if not _same(wanted, given):
                yield f"`{name}` is {show(given)}, not {show(wanted)}"
        for name, match in self.headers:
            if name not in headers or not match.fits(headers[name]):
                yield match.miss(f"the header {name}", headers.get(name))
        if self.stream is not None and self.stream != request.stream:
            yield f"`stream` is {show(request.stream)}, not {show(self.stream)}"

    def hides(self, later: Rule) -> bool:
        """Whether it is certain that ``later`` never answers while this rule stands before it."""
        if self.times is not None or (self.call is not None and self.call != later.call):
            return False
        return (
            _covers(self.prompt, later.prompt)
            and _covers(self.model, later.model)
            and all(
                any(name == other and _same(value, wanted) for other, wanted in later.parameters)
                for name, value in self.parameters
            )
            and all(
                any(name == other and match.covers(wanted) for other, wanted in later.headers) for name, match in self.headers
            )
            and self.stream in (None, later.stream)
        )


def _covers(match: Match | None, other: Match | None) -> bool:
    return match is None or (other is not None and match.covers(other))


def _same(wanted: Any, given: Any) -> bool:
    return bool(wanted == given) and isinstance(wanted, bool) == isinstance(given, bool)


def show(value: Any) -> str:
    """``value`` as JSON, cut where it is long."""
    if isinstance(value, Grammar):
        value = {"type": value.type, "value": value.value}
    text = "not given" if value is None or value == () else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def nearest(rules: Sequence[Rule], request: Request, headers: Mapping[str, str]) -> str:
    """Why nothing matched, told of the rule that came nearest: the fewest conditions unmet, then the likest prompt."""
    if not rules:
        return "no rule has been told"

    def distance(rule: Rule) -> tuple[int, float]:
        prompt = rule.prompt.value if rule.prompt else request.inputs
        return len([*rule.misses(request, headers)]), -SequenceMatcher(None, prompt[:1000], request.inputs[:1000]).ratio()

    rule = min(rules, key=distance)
    why = [*rule.misses(request, headers)]
    if not why:
        why = [f"it answers only call {rule.call}" if rule.call else f"it answers only {rule.times} times"]
    return f"the nearest is {rule.place}, but {' and '.join(why)}"


@cache
def templates() -> Any:
    """What templates are read by: a sandbox, in which a name that is not there is an error."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)  # the text is no HTML
