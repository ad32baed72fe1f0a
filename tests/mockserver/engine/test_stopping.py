"""When a generation ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.stopping import StopSearch, finish_reason
from mockserver.messages import FinishReason

TEXT = st.text("ab", max_size=12)


@given(stop=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), parts=st.lists(TEXT, max_size=8))
def test_a_stop_sequence_is_found_with_the_first_part_that_completes_it(stop: list[str], parts: list[str]) -> None:
    search, text = StopSearch(stop), ""
    for part in parts:
        text += part
        found = search.push(part)
        assert found == any(member in text for member in stop)
        if found:
            break


def test_without_stop_sequences_nothing_stops() -> None:
    assert not StopSearch([]).push("anything")


def test_regular_expression_signs_mean_themselves() -> None:
    assert not StopSearch(["a.c"]).push("abc")
    assert StopSearch(["a.c"]).push("a.c")


@pytest.mark.parametrize(
    ("count", "ended", "stopped", "reason"),
    [
        (1, False, False, None),
        (1, False, True, FinishReason.STOP_SEQUENCE),
        (1, True, False, FinishReason.EOS_TOKEN),
        (1, True, True, FinishReason.EOS_TOKEN),
        (2, False, False, FinishReason.LENGTH),
        (2, True, True, FinishReason.LENGTH),
    ],
)
def test_length_comes_before_the_end_token_and_that_before_stop(
    count: int, ended: bool, stopped: bool, reason: FinishReason | None
) -> None:
    assert finish_reason(count=count, limit=2, ended=ended, stopped=stopped) == reason
