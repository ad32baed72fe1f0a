"""YAML and TOML to what JSON would hold, and where in the file each part of it stands. Knows nothing of rules."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockserver.scenario.rules import ScriptError

LARGEST_SCRIPT = 10_000_000

Place = tuple[str | int, ...]
Locate = Callable[[Place], str]


def read_document(path: Path) -> tuple[Any, Locate]:
    """What is in a file, ``.toml`` or else YAML, and what names the place of a part. Raises ScriptError."""
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
    return _read_toml(text, path) if path.suffix == ".toml" else _read_yaml(text, path)


def _read_toml(text: str, path: Path) -> tuple[Any, Locate]:
    try:
        return tomllib.loads(text), lambda place: f"{path}: {name_of(place)}"
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
    return f"{path}:{mark.line + 1}:{mark.column + 1}: {name_of(place)}" if mark else f"{path}: {name_of(place)}"


def name_of(place: Place) -> str:
    """The name of a part: ``("rules", 0, "reply")`` is ``rules[0].reply``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".") or "the script"
