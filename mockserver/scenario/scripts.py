"""A script to the rules that it tells. It is held against ``schema()`` first, and then against itself.

A script is a YAML or TOML file, or the same in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mockserver.messages import FinishReason, Grammar, Parameters
from mockserver.scenario.armed import BadFaultError, arm
from mockserver.scenario.faults import UnknownFaultError
from mockserver.scenario.rules import Answer, Match, Rule, ScriptError, ToldFailure, templates
from mockserver.scenario.script_files import Locate, Place, name_of, read_document
from mockserver.scenario.seams import Fault

PARAMETERS = tuple(field.name for field in fields(Parameters))


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of a script."""
    document: dict[str, Any] = json.loads((files(__package__) / "script.schema.json").read_text(encoding="utf-8"))
    document["$defs"]["rule"]["properties"]["parameters"]["propertyNames"] = {"enum": [*PARAMETERS]}
    return document


def read_script(path: Path) -> tuple[Rule, ...]:
    """The rules in a file, ``.toml`` or else YAML. Raises ScriptError."""
    document, locate = read_document(path)
    return parse_rules(document, locate, name=path.name)


def parse_rules(document: Any, locate: Locate = name_of, *, name: str = "", before: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """The rules of a decoded script, that are to stand behind those ``before``. Raises ScriptError."""
    _check_schema(document, locate)
    rules: list[Rule] = []
    for number, row in enumerate(document["rules"]):
        place: Place = ("rules", number)
        title = f" ({row['name']})" if "name" in row else ""
        rule = _rule(row, place, locate, f"{name}{':' if name else ''}rules[{number + len(before)}]{title}")
        hiding = next((earlier for earlier in [*before, *rules] if earlier.hides(rule)), None)
        if hiding is not None:
            raise ScriptError(f"{locate(place)} can never answer: {hiding.place}, which stands before it, takes all its requests")
        rules.append(rule)
    return tuple(rules)


def _check_schema(document: Any, locate: Locate) -> None:
    import jsonschema_rs

    try:
        errors = [*jsonschema_rs.Draft202012Validator(schema()).iter_errors(document)]
    except ValueError as error:
        raise ScriptError(f"{locate(())}: {error}") from None
    if errors:
        first = min(errors, key=lambda error: [(isinstance(step, str), str(step).zfill(9)) for step in error.instance_path])
        raise ScriptError(f"{locate(tuple(first.instance_path))}: {_say(first.message)}")


def _say(message: str) -> str:
    """A schema's complaint, with the name that was probably meant."""
    found = re.search(r"'([^']+)' was unexpected", message)
    known = ["name", "prompt", "model", "parameters", "headers", "stream", "call", "times", "reply", "text", "template", "error"]
    near = get_close_matches(found[1], [*known, "finish_reason", "delay", "fault", "status", "message"], n=1) if found else []
    message = message if len(message) <= 300 else f"{message[:297]}..."
    return f"{message} (did you mean `{near[0]}`?)" if near else message


def _rule(row: Mapping[str, Any], place: Place, locate: Locate, title: str) -> Rule:
    def match(*steps: str) -> Match:
        given: Any = row
        for step in steps:
            given = given[step]
        if isinstance(given, str):
            return Match("exact", given)
        ((kind, value),) = given.items()
        if kind == "regex":
            try:
                re.compile(value)
            except (re.error, RecursionError, OverflowError) as error:
                raise ScriptError(f"{locate((*place, *steps))} is no regular expression: {error}") from None
        return Match(kind, value)

    return Rule(
        place=title,
        where=locate(place),
        answer=_answer(row["reply"], (*place, "reply"), locate),
        prompt=match("prompt") if "prompt" in row else None,
        model=match("model") if "model" in row else None,
        parameters=tuple((key, _as_said(key, value)) for key, value in row.get("parameters", {}).items()),
        headers=tuple((key.lower(), match("headers", key)) for key in row.get("headers", {})),
        stream=row.get("stream"),
        call=row.get("call"),
        times=row.get("times"),
    )


def _as_said(name: str, value: Any) -> Any:
    """``value`` as a Request holds it."""
    if name == "stop":
        return tuple(value or ())
    if name == "grammar" and isinstance(value, dict):
        said = value.get("value")
        return Grammar(str(value.get("type")), said if isinstance(said, str) else json.dumps(said, separators=(",", ":")))
    return value


ONE_OF = ("text", "template", "error", "model")


def _answer(row: Any, place: Place, locate: Locate) -> Answer:
    if isinstance(row, str):
        return Answer(text=row)
    given = [name for name in ONE_OF if name in row]
    if len(given) > 1:
        raise ScriptError(f"{locate(place)}: `{given[0]}` and `{given[1]}` cannot both be the reply")
    if "finish_reason" in row and not {"text", "template"} & row.keys():
        raise ScriptError(f"{locate(place)}: `finish_reason` goes with `text` or `template`")
    if "template" in row:
        _check_template(row["template"], (*place, "template"), locate)
    failure = None
    if "error" in row:
        told = row["error"]
        headers = tuple(told.get("headers", {}).items())
        failure = ToldFailure(told["status"], told["message"], told.get("error_type"), headers)
    names = row.get("fault", ())
    return Answer(
        text=row.get("text"),
        template=row.get("template"),
        finish_reason=FinishReason(row["finish_reason"]) if "finish_reason" in row else None,
        failure=failure,
        delay=float(row.get("delay", 0.0)),
        faults=tuple(_faults([names] if isinstance(names, str) else names, (*place, "fault"), locate)),
    )


def _faults(names: Iterable[str], place: Place, locate: Locate) -> Iterator[Fault]:
    for name in names:
        try:
            armed = arm(name)
        except (UnknownFaultError, BadFaultError) as error:
            raise ScriptError(f"{locate(place)}: {error}") from None
        hooks = armed.fault.make()
        later = (
            hooks.on_request,
            hooks.on_deadlines,
            hooks.on_steps,
            hooks.on_reply,
            hooks.on_events,
            hooks.on_frames,
            hooks.on_answer,
        )
        if armed.times is not None or armed.after or armed.probability < 1:
            raise ScriptError(f"{locate(place)}: a rule's fault is a name alone; `times` and `call` of the rule say when")
        if not any(later):
            raise ScriptError(f"{locate(place)}: the fault {name} acts before any rule is asked: use --fault or x-mock-fault")
        yield armed.fault


def _check_template(template: str, place: Place, locate: Locate) -> None:
    from jinja2 import TemplateError

    try:
        templates().from_string(template)
    except TemplateError as error:
        line = getattr(error, "lineno", 1)
        raise ScriptError(f"{locate(place)} is no template: {error} (line {line} of it)") from None
