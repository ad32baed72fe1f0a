"""The towers meet on the wire only, and imports point down."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "spec": ("mockserver", "contract_tests"),
    "mockserver": ("contract_tests",),
    "contract_tests": ("mockserver",),
    "mockserver/sampler": ("mockserver.engine", "mockserver.wire", "mockserver.app", "flask", "spec"),
    "mockserver/engine": ("mockserver.wire", "mockserver.app", "flask", "spec"),
    "mockserver/wire": ("mockserver.engine", "mockserver.sampler", "flask"),
    "contract_tests/clauses": ("contract_tests.client", "contract_tests.probes", "contract_tests.evidence", "httpx"),
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize(("room", "forbidden"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_imports_point_down(room: str, forbidden: tuple[str, ...]) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    wrong = [
        (str(path.relative_to(ROOT)), name)
        for path in files
        for name in imported(path)
        if any(name == other or name.startswith(f"{other}.") for other in forbidden)
    ]

    assert files
    assert wrong == []


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after ``statement``."""
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_pytest_plugin_loads_next_to_nothing() -> None:
    """It is loaded in every pytest run of everybody who has this package installed."""
    more = loaded_by("import pytest; import contract_tests.plugin") - loaded_by("import pytest")

    assert {"contract_tests", "contract_tests.plugin"} == more


def test_serving_loads_neither_test_tools_nor_torch() -> None:
    assert not {"schemathesis", "hypothesis", "pytest", "torch", "rich"} & loaded_by("import mockserver.cli, mockserver.app")


def test_only_a_load_itself_is_patched_for_gevent() -> None:
    assert not {"locust", "gevent"} & loaded_by("import contract_tests.cli, contract_tests.load.command, contract_tests.load.visitor")
