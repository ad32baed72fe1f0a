"""Reports as files: which option writes which form, and that no secret gets into any."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from contract_tests.report.html import to_html
from contract_tests.report.junit import to_junit
from contract_tests.report.markdown import to_markdown
from contract_tests.report.masking import mask
from contract_tests.report.result import to_json

FORMS: dict[str, Callable[[dict[str, Any]], str]] = {"json": to_json, "junit": to_junit, "html": to_html, "markdown": to_markdown}
"""Option name -> what makes the file's text from a result."""


def write_reports(result: dict[str, Any], secrets: Iterable[str], **paths: Path | None) -> None:
    """Write each form that a path was given for, without ``secrets``, wherever an endpoint may have echoed them."""
    told = mask(result, secrets)
    for form, path in paths.items():
        if path is not None:
            path.write_text(FORMS[form](told), encoding="utf-8")


def masked(text: str, secrets: Iterable[str]) -> str:
    """``text`` without ``secrets``; what is shorter than four signs is no secret, and would tear the text."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "****")
    return text
