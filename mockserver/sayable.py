"""What keeps a server from ever giving a told answer, found when the rule is read and before anybody asks. Answers nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mockserver.config import Config
from mockserver.engine.plan import check_rules, plan
from mockserver.engine.told import Told, tell
from mockserver.engine.vocabulary import Vocabulary
from mockserver.errors import GenerationError, ValidationError
from mockserver.messages import Grammar, Parameters, Request
from mockserver.scenario.rules import Rule, ScriptError
from mockserver.scenario.scripts import read_script
from mockserver.wire.contract import Contract

ENDING = ("max_new_tokens", "stop")
"""The parameters that say where a told text ends."""


MANY = 1 << 31
ANY_SERVER = Config(
    max_input_tokens=MANY, max_total_tokens=MANY + 1, max_best_of=MANY, max_stop_sequences=MANY, max_top_n_tokens=MANY
)
"""A server of which nothing is known: what it cannot answer, none can."""


def read_checked(path: Path, config: Config | None) -> tuple[Rule, ...]:
    """The rules of a script that the server of ``config`` (None: any server) can answer. Raises ScriptError."""
    rules = read_script(path)
    known = config or ANY_SERVER
    sayable = Sayable(known, Contract(known), Vocabulary.shipped(), models=config is not None)
    for rule in rules:
        if complaint := sayable.complaint(rule):
            raise ScriptError(f"{rule.where} {complaint}")
    return rules


class Speechless:
    """A model to which all tokens are alike: enough to try whether a told text can be said."""

    at_once = True

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def logits(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        return np.zeros((len(contexts), self.vocabulary.size), np.int32)

    def prefill(self, ids: Sequence[int]) -> NDArray[np.int32]:
        return self.logits([ids] * len(ids))


class Sayable:
    """``models`` says whether rules for models that are not served are complained about, too."""

    def __init__(self, config: Config, contract: Contract, vocabulary: Vocabulary, *, models: bool = True) -> None:
        self._config = config
        self._contract = contract
        self._model = Speechless(vocabulary)
        self._models = models

    def complaint(self, rule: Rule) -> str:
        """Why the answer of ``rule`` can never be given, as the end of a sentence; "" when nothing is known against it."""
        return next(self._complaints(rule), "")

    def _complaints(self, rule: Rule) -> Iterator[str]:
        if self._models and rule.model is not None and not any(rule.model.fits(model) for model in self._config.models):
            yield f"can never answer: none of the models served here is {rule.model}"
        request = Request(self._config.models[0], _prompt(rule), Parameters(**dict(rule.parameters)), bool(rule.stream))
        refusal = self._refusal(request)
        if refusal:
            yield f"can never answer, for such a request is refused: {refusal}"
            return
        if rule.answer.text is None:
            return
        length, room = len(self._model.vocabulary.encode(rule.answer.text)), self._config.max_total_tokens - 1
        if length > room:
            yield f"tells a text of {length} tokens, but this server has room for {room}"
        elif _fixes_the_end(rule):
            yield from self._trial(rule, request)

    def _refusal(self, request: Request) -> str:
        said = {name: getattr(request.parameters, name) for name in request.parameters.__slots__}
        parameters = {name: _as_json(value) for name, value in said.items() if value not in (None, ())}
        wrong = self._contract.complaint({"inputs": request.inputs, "parameters": parameters, "stream": request.stream})
        if wrong:
            return wrong
        try:
            check_rules(request)
        except ValidationError as error:
            return error.sentence
        return ""

    def _trial(self, rule: Rule, request: Request) -> Iterator[str]:
        """Say it to a model that would say anything."""
        try:
            todo = plan(request, self._model.vocabulary, self._config)
            tell(todo, self._model, Told("it", rule.answer.text or "", rule.answer.finish_reason))
        except ValidationError as error:
            yield f"can never answer, for such a request is refused: {error.sentence}"
        except GenerationError as error:
            yield f"can never answer: {error.message.removeprefix('Request failed during generation: ')}"


def _prompt(rule: Rule) -> str:
    return rule.prompt.value if rule.prompt is not None and rule.prompt.kind == "exact" else "a"


def _fixes_the_end(rule: Rule) -> bool:
    """Whether the rule itself says enough of its requests to try its text on one."""
    said = {name for name, value in rule.parameters if value not in (None, ())}
    return "grammar" in said or (rule.answer.finish_reason is not None and not said.isdisjoint(ENDING))


def _as_json(value: Any) -> Any:
    if isinstance(value, Grammar):
        return {"type": value.type, "value": json.loads(value.value) if value.type == "json" else value.value}
    return list(value) if isinstance(value, tuple) else value
