"""results.json read back: parsed and checked once, so that nothing behind it asks again whether a field is there."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs

from contract_tests.errors import UsageError
from contract_tests.report.printable import clip


@cache
def results_schema() -> dict[str, Any]:
    """The published JSON Schema of results.json (draft 2020-12)."""
    schema: dict[str, Any] = json.loads(
        files("contract_tests.report").joinpath("results.schema.json").read_text(encoding="utf-8")
    )
    return schema


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(results_schema())


def read_result(path: Path) -> dict[str, Any]:
    """The result in ``path``; UsageError with the line, or the place within, when it is none. OSError when it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: no JSON ({error.msg}): give a file that --json wrote.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: not UTF-8: give a file that --json wrote.") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: nested too deeply, or with a number too long: give a file that --json wrote.") from None
    # a surrogate without its other half is JSON, but the validator's own messages cannot carry it
    well_formed = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    for problem in _validator().iter_errors(well_formed):
        place = "/".join(str(part) for part in problem.instance_path) or "the whole"
        words = clip(problem.message, 200)
        raise UsageError(f"{path} is no results.json of this version: at `{place}`: {words}")
    result: dict[str, Any] = value
    return result
