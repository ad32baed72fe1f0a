"""The app against the mock: what it makes of good answers, and of bad days. No network, no model, no key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from summariser import INSTRUCTION, Summariser, SummaryError

from mockserver import TextgenMock, VirtualClock

STORY = "Once upon a time there was a small book. It was at home, and nobody read it."
PROMPT = INSTRUCTION.format(text=STORY)
MODEL = "google/gemma-2-2b-it"


@pytest.fixture
def summariser(textgen_mock: TextgenMock) -> Summariser:
    return Summariser(textgen_mock.model_url(MODEL))


# ---------------------------------------------------------------- a told answer


def test_the_answer_of_the_model_is_the_summary(textgen_mock: TextgenMock, summariser: Summariser) -> None:
    textgen_mock.script(prompt={"contains": "small book"}, reply=" Nobody read the book.")

    assert summariser.summarise(STORY) == "Nobody read the book."
    textgen_mock.assert_called(prompt=PROMPT, parameters={"max_new_tokens": 60}, stream=True, times=1)


def test_the_tokens_are_shown_as_they_come(textgen_mock: TextgenMock, summariser: Summariser) -> None:
    textgen_mock.script(reply="Nobody read it.")
    shown: list[str] = []
    summariser.summarise(STORY, shown.append)

    assert "".join(shown) == "Nobody read it."
    assert len(shown) > 1


# ---------------------------------------------------------------- a stream that is cut after three tokens


@pytest.mark.parametrize("fault", ["stream-cut-off", "connection-reset", "stream-error"])
def test_half_an_answer_is_no_summary(textgen_mock: TextgenMock, summariser: Summariser, fault: str) -> None:
    textgen_mock.script(reply={"text": "Nobody read the book at home.", "fault": fault})
    shown: list[str] = []

    with pytest.raises(SummaryError):
        summariser.summarise(STORY, shown.append)
    assert len(shown) == 3
    assert textgen_mock.verdict(accepted=[]) == []


# ---------------------------------------------------------------- a cold model


@pytest.fixture
def clock() -> VirtualClock:
    """Nothing waits by it, and yet all the waits can be read from it."""
    return VirtualClock()


@pytest.fixture
def cold(clock: VirtualClock) -> Iterator[TextgenMock]:
    with TextgenMock(dialect="hosted", cold=20, clock=clock) as mock:
        yield mock


def test_a_model_that_loads_is_waited_for(cold: TextgenMock, clock: VirtualClock) -> None:
    cold.script(reply="Nobody read it.")

    assert Summariser(cold.model_url(MODEL), sleep=clock.sleep).summarise(STORY) == "Nobody read it."
    assert [asked.status for asked in cold.requests] == [503, 200]
    assert cold.requests[1].headers["x-wait-for-model"] == "true"
    assert clock.now() == pytest.approx(20)


# ---------------------------------------------------------------- a rate limit


@pytest.fixture
def busy(clock: VirtualClock) -> Iterator[TextgenMock]:
    with TextgenMock(clock=clock) as mock:
        yield mock


def test_the_pause_that_the_server_asks_for_is_kept(busy: TextgenMock, clock: VirtualClock) -> None:
    busy.script(reply="Nobody read it.")
    busy.fault("http-429-retry-after", times=2)

    assert Summariser(busy.url, sleep=clock.sleep).summarise(STORY) == "Nobody read it."
    assert clock.now() == 2
    assert busy.verdict() == []


def test_it_gives_up_in_the_end(busy: TextgenMock, clock: VirtualClock) -> None:
    busy.fault("http-429-retry-after", times=None)

    with pytest.raises(SummaryError, match="still busy after 3 attempts"):
        Summariser(busy.url, sleep=clock.sleep).summarise(STORY)
    assert busy.verdict() == []


def test_what_is_refused_for_good_is_not_sent_again(textgen_mock: TextgenMock, summariser: Summariser) -> None:
    textgen_mock.script(reply={"error": {"status": 422, "message": "Input validation error: too long"}})

    with pytest.raises(SummaryError, match="too long"):
        summariser.summarise(STORY)
    textgen_mock.assert_called(times=1)
    assert textgen_mock.verdict() == []


# ---------------------------------------------------------------- a recorded session, replayed


def test_a_recorded_session_is_replayed_offline() -> None:
    with TextgenMock(replay=str(Path(__file__).with_name("session.jsonl"))) as mock:
        summary = Summariser(mock.model_url(MODEL)).summarise(STORY)

    assert summary == "the other guests wanted to find the key next week. The next day, I turned on the light again."
