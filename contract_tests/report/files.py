"""Reports as files: which option writes which form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_tests.report.html import to_html
from contract_tests.report.junit import to_junit
from contract_tests.report.markdown import to_markdown
from contract_tests.report.result import to_json

FORMS: dict[str, Callable[[dict[str, Any]], str]] = {"json": to_json, "junit": to_junit, "html": to_html, "markdown": to_markdown}
"""Option name -> what makes the file's text from a result."""


def write_reports(result: dict[str, Any], **paths: Path | None) -> None:
    """Write each form that a path was given for. ``result`` is masked already."""
    for form, path in paths.items():
        if path is not None:
            path.write_text(FORMS[form](result), encoding="utf-8")
