"""What a server can see of a client's manners."""

from __future__ import annotations

import pytest

from mockserver import TextgenMock
from mockserver.scenario.journal import Asked
from mockserver.scenario.verdict import judge


def sent(*answers: tuple[float, int], retry_after: float | None = None, bodies: bytes = b"aaaaaaaaaa") -> list[str]:
    """What is said of requests at some times that met some statuses."""
    entries = [
        Asked(
            number=n, time=time, scope="", method="POST", path="/", raw_body=bytes([body]), status=status, retry_after=retry_after
        )
        for n, ((time, status), body) in enumerate(zip(answers, bodies, strict=False))
    ]
    return [finding.name for finding in judge(entries)]


def test_a_client_that_waits_as_told_is_well_behaved() -> None:
    assert [] == sent((0.0, 429), (1.0, 429), (2.1, 200), retry_after=1.0)


def test_one_that_does_not_wait_as_told_is_not() -> None:
    assert ["retry-after-ignored"] == sent((0.0, 429), (0.5, 200), retry_after=1.0)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_was_refused_for_good_is_not_to_be_sent_again(status: int) -> None:
    assert ["retried-in-vain"] == sent((0.0, status), (5.0, status))


def test_another_request_is_no_retry() -> None:
    assert [] == sent((0.0, 422), (0.0, 422), bodies=b"ab")


def test_the_same_request_after_an_answer_is_no_retry() -> None:
    assert [] == sent((0.0, 200), (0.0, 200), (0.0, 200))


def test_a_request_may_be_tried_five_times() -> None:
    assert [] == sent(*((2.0**n, 503) for n in range(5)))
    assert ["retry-storm"] == sent(*((2.0**n, 503) for n in range(6)))


def test_two_hasty_retries_are_no_back_off() -> None:
    assert ["no-back-off"] == sent((0.0, 503), (0.01, 503), (0.02, 503))
    assert [] == sent((0.0, 503), (0.2, 503), (0.6, 503))


def test_one_hasty_retry_may_be_chance() -> None:
    assert [] == sent((0.0, 503), (0.01, 200))


def test_the_fixture_tells_it(textgen_mock: TextgenMock) -> None:
    client = textgen_mock.app.test_client()
    textgen_mock.fault("http-503-retry-after", times=2)
    for _ in range(2):
        client.post("/", json={"inputs": "ping"})

    assert ["retry-after-ignored"] == [finding.name for finding in textgen_mock.verdict()]
    assert "retry-after-ignored" == client.get("/_mock/verdict").get_json()[0]["name"]
