"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ("chain", "choice", "penalties", "ranking", "warpers", "watermark", "weights")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    result = doctest.testmod(import_module(f"mockserver.sampler.{name}"))

    assert result.attempted > 0
    assert result.failed == 0
