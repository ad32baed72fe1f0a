"""Reports as files: which option writes which form."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_tests.errors import UsageError
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


def check_writable(*paths: Path | None) -> None:
    """UsageError, before anything is sent, for a path that no report could be written to."""
    for path in filter(None, paths):
        folder = path.parent
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name a file to write the report to.")
        if not folder.is_dir():
            raise UsageError(f"{path} cannot be written: there is no folder {folder}.")
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise UsageError(f"{path} cannot be written: permission denied.")
