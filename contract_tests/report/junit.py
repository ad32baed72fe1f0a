"""The result as JUnit XML: one test case for each clause, so that CI systems count clauses and not requests."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from contract_tests.report.result import counts_as_failure

# XML 1.0 has no way to write these, not even escaped
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def to_junit(result: dict[str, Any]) -> str:
    """XML text; a violated clause that does not fail the run (`should` without strict) is told in system-out."""
    clauses, summary = result["clauses"], result["summary"]
    failing = [clause for clause in clauses if counts_as_failure(clause, strict=result["strict"])]
    suite = ET.Element(
        "testsuite",
        name="textgen-contract",
        tests=str(len(clauses)),
        failures=str(len(failing)),
        errors=str(summary["error"]),
        skipped=str(summary["skip"] + summary["inconclusive"]),
        time=str(result["spent"]["seconds"]),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("endpoint", result["endpoint"]["url"]),
        ("seed", result["seed"]),
        ("requests", result["spent"]["requests"]),
    ):
        ET.SubElement(properties, "property", name=name, value=_clean(str(value)))
    for clause in clauses:
        case = ET.SubElement(suite, "testcase", classname=f"textgen-contract.{clause['section']}", name=clause["id"])
        words = _clean("\n\n".join(_told(violation) for violation in clause["violations"]))
        if counts_as_failure(clause, strict=result["strict"]):
            ET.SubElement(case, "failure", message=_clean(clause["sentence"])).text = words
        elif clause["verdict"] == "error":
            ET.SubElement(case, "error", message="the suite itself broke").text = _clean(clause["reason"])
        elif clause["verdict"] in ("skip", "inconclusive"):
            ET.SubElement(case, "skipped", message=_clean(f"{clause['verdict']}: {clause['reason']}"))
        elif words:
            ET.SubElement(case, "system-out").text = words
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _told(violation: dict[str, Any]) -> str:
    return f"expected: {violation['expected']}\nactual:   {violation['actual']}\n{violation['curl']}"
