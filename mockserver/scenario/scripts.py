"""Told answers: the rules of a script, what each asks of a request, and why one did not match.

A script is a YAML or TOML file, or the same in JSON, and is held against ``SCHEMA`` when it is read.
Says what is to be answered; how it is said is for the engine.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mockserver.config import ConfigError
from mockserver.messages import FinishReason, Grammar, Parameters, Request
from mockserver.scenario.armed import BadFaultError, arm
from mockserver.scenario.faults import UnknownFaultError
from mockserver.scenario.seams import Fault

LARGEST_SCRIPT = 10_000_000
SHOWN = 80
PARAMETERS = tuple(field.name for field in fields(Parameters))

Place = tuple[str | int, ...]
Locate = Callable[[Place], str]


class ScriptError(ConfigError):
    """A script that cannot be used; the message is one sentence that begins with the place."""


# ---------------------------------------------------------------- the nouns


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
            return str(_templates().from_string(self.template).render(variables))
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


# ---------------------------------------------------------------- reading


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of a script."""
    document: dict[str, Any] = json.loads((files(__package__) / "script.schema.json").read_text(encoding="utf-8"))
    document["$defs"]["rule"]["properties"]["parameters"]["propertyNames"] = {"enum": [*PARAMETERS]}
    return document


def read_script(path: Path) -> tuple[Rule, ...]:
    """The rules in a file, ``.toml`` or else YAML. Raises ScriptError."""
    try:
        data = path.read_bytes()[: LARGEST_SCRIPT + 1]
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror or error}") from None
    if len(data) > LARGEST_SCRIPT:
        raise ScriptError(f"{path}: a script has at most {LARGEST_SCRIPT} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}: it is not UTF-8 at byte {error.start}") from None
    document, locate = _read_toml(text, path) if path.suffix == ".toml" else _read_yaml(text, path)
    return parse_rules(document, locate, name=path.name)


def _read_toml(text: str, path: Path) -> tuple[Any, Locate]:
    try:
        return tomllib.loads(text), lambda place: f"{path}: {_name(place)}"
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"{path}: {error}") from None


def _read_yaml(text: str, path: Path) -> tuple[Any, Locate]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML without dates, which JSON does not have."""

        yaml_implicit_resolvers = {  # noqa: RUF012 (the base class's own attribute)
            first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
            for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        root = yaml.compose(text, Loader)
        _refuse_repeated_keys(root, path)
        document = yaml.load(text, Loader)  # noqa: S506 (a subclass of the safe loader)  # nosec B506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ScriptError(f"{path}{where}: it is no YAML: {getattr(error, 'problem', None) or error}") from None
    except (RecursionError, ValueError) as error:
        raise ScriptError(f"{path}: it is no YAML: {error}") from None
    return document, lambda place: _in_yaml(root, place, path)


def _refuse_repeated_keys(root: Any, path: Path) -> None:
    todo, known = [root], set()
    while todo:
        node = todo.pop()
        if node is None or id(node) in known:
            continue
        known.add(id(node))
        if node.id == "mapping":
            keys = set()
            for key, value in node.value:
                if key.id == "scalar" and key.value in keys:
                    mark = key.start_mark
                    raise ScriptError(f"{path}:{mark.line + 1}:{mark.column + 1}: `{key.value}` is given more than once")
                keys.add(key.value if key.id == "scalar" else id(key))
                todo.append(value)
        elif node.id == "sequence":
            todo += node.value


def _in_yaml(root: Any, place: Place, path: Path) -> str:
    """``file:line:column`` of the part at ``place``, and its name."""
    node = root
    for step in place:
        if node is not None and node.id == "sequence" and isinstance(step, int):
            node = node.value[step]
        elif node is not None and node.id == "mapping":
            node = next((value for key, value in node.value if key.value == step), None)
    mark = getattr(node, "start_mark", None)
    return f"{path}:{mark.line + 1}:{mark.column + 1}: {_name(place)}" if mark else f"{path}: {_name(place)}"


def _name(place: Place) -> str:
    """The name of a part: ``("rules", 0, "reply")`` is ``rules[0].reply``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".") or "the script"


def parse_rules(document: Any, locate: Locate = _name, *, name: str = "", before: Sequence[Rule] = ()) -> tuple[Rule, ...]:
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


# ---------------------------------------------------------------- templates


@cache
def _templates() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)  # the text is no HTML


def _check_template(template: str, place: Place, locate: Locate) -> None:
    from jinja2 import TemplateError

    try:
        _templates().from_string(template)
    except TemplateError as error:
        line = getattr(error, "lineno", 1)
        raise ScriptError(f"{locate(place)} is no template: {error} (line {line} of it)") from None
