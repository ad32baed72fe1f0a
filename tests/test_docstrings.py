"""The examples in the docstrings are true, and the sampler has one for each function."""

from __future__ import annotations

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

import contract_tests
import mockserver
import spec

PACKAGES = [Path(str(package.__file__)).parent for package in (spec, mockserver, contract_tests)]
FILES = [file for package in PACKAGES for file in sorted(package.rglob("*.py")) if ">>> " in file.read_text(encoding="utf-8")]
SAMPLER = sorted((PACKAGES[1] / "sampler").glob("[!_]*.py"))
SOURCES = ("http", "tatement", "text-generation-inference", "RFC")


def name(file: Path) -> str:
    package = next(package for package in PACKAGES if file.is_relative_to(package))
    return ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("file", FILES, ids=name)
def test_the_examples_are_true(file: Path) -> None:
    result = doctest.testmod(import_module(name(file)))

    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize("file", SAMPLER, ids=lambda file: file.stem)
def test_each_function_of_the_sampler_has_an_example_and_it_or_its_module_a_source(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    told = {function.name: ast.get_docstring(function) or "" for function in functions}
    told.pop("ends_in_nothing", None)  # a property: one comparison
    module = ast.get_docstring(tree) or ""

    assert told
    assert [] == [function for function, text in told.items() if ">>> " not in text]
    assert [] == [function for function, text in told.items() if not any(source in text + module for source in SOURCES)]
