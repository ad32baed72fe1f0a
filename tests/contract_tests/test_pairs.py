"""Stop sequences that a reply does not hold as they stand, each of which a careless server sees in it."""

from __future__ import annotations

import re

import pytest

from contract_tests.probes.pairs import _not_literally

TEXT = " The driver learned to study the climate."


def test_none_of_them_occurs() -> None:
    assert not [stop for stop in _not_literally(TEXT) if stop in TEXT]


@pytest.mark.parametrize(
    "careless",
    [
        lambda stop: stop.lstrip() in TEXT,
        lambda stop: stop.rstrip() in TEXT,
        lambda stop: stop.lower() in TEXT.lower(),
        lambda stop: re.search(stop, TEXT) is not None,
        lambda stop: re.search(re.escape(stop).replace(r"\.", "."), TEXT) is not None,
    ],
    ids=["spaces before it dropped", "spaces behind it dropped", "in any case", "as an expression", "a dot for any character"],
)
def test_each_careless_way_of_reading_finds_one(careless: object) -> None:
    assert any(careless(stop) for stop in _not_literally(TEXT))  # type: ignore[operator]


def test_no_more_than_servers_take() -> None:
    assert len(_not_literally(TEXT)) <= 4
