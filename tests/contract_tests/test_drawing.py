"""What is drawn hangs on the seed alone, and on nobody's code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from contract_tests.drawing import drawn

RARE = st.text(st.characters(min_codepoint=0xE000, max_codepoint=0xF8FF), max_size=6)
"""Nothing that stands in other code is among these, so Hypothesis would take the planted one once in twenty draws."""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """What stands in a module of the user's own, which is loaded; another in each test, as Hypothesis forgets none."""
    word = "".join(chr(0xE000 + ord(letter)) for letter in request.node.name[-6:])
    (tmp_path / "module_of_a_user.py").write_text(f"PASSWORD = {word!r}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("module_of_a_user")
    yield word
    del sys.modules["module_of_a_user"]


def test_what_stands_in_a_users_modules_is_not_drawn(planted: str) -> None:
    assert planted not in drawn(RARE, 500, 1)


def test_the_same_seed_draws_the_same_whatever_is_loaded(request: pytest.FixtureRequest) -> None:
    before = drawn(RARE, 300, 2)
    request.getfixturevalue("planted")

    assert before == drawn(RARE, 300, 2)


def test_hypothesis_is_left_as_it_was() -> None:
    from hypothesis.internal.conjecture import providers

    before = providers._get_local_constants, providers.CONSTANTS_CACHE
    drawn(RARE, 3, 3)

    assert before == (providers._get_local_constants, providers.CONSTANTS_CACHE)
