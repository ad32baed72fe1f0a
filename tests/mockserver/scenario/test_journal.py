"""What was asked is written down: bounded, and without secrets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mockserver.scenario.journal import Asked, Journal, masked


def ask(journal: Journal, body: bytes = b"", scope: str = "", **headers: str) -> Asked:
    entry = journal.open(time=1.0, scope=scope, method="POST", path="/", headers=headers)
    journal.keep_body(entry, body)
    return entry


def bodies(journal: Journal) -> list[Any]:
    return [entry.body for entry in journal.entries()]


def test_the_newest_is_last() -> None:
    journal = Journal()
    ask(journal, b"1")
    ask(journal, b"2")

    assert [1, 2] == bodies(journal)


def test_the_oldest_make_room() -> None:
    journal = Journal(most_requests=2)
    for body in (b"1", b"2", b"3"):
        ask(journal, body)

    assert [2, 3] == bodies(journal)


def test_large_bodies_make_room_too() -> None:
    journal = Journal(most_bytes=250)
    for letter in b"abc":
        ask(journal, bytes([letter]) * 100)

    assert ["b" * 100, "c" * 100] == bodies(journal)


def test_numbers_go_on_when_the_oldest_have_gone() -> None:
    journal = Journal(most_requests=1)
    ask(journal)
    ask(journal)

    assert [2] == [entry.number for entry in journal.entries()]


def test_no_request_is_lost_among_threads() -> None:
    journal = Journal()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(journal, b"{}"), range(500)))

    assert {*range(1, 501)} == {entry.number for entry in journal.entries()}


def test_one_scope_can_be_forgotten() -> None:
    journal = Journal()
    ask(journal, b"1", scope="a")
    ask(journal, b"2", scope="b")
    journal.forget("a")

    assert [2] == bodies(journal)


def test_secrets_are_masked() -> None:
    told = masked({"authorization": "Bearer hf_x", "cookie": "a=b", "x-api-key": "hf_x", "x-other": "kept"})

    assert {"authorization": "Bearer ***", "cookie": "***", "x-api-key": "***", "x-other": "kept"} == told


def test_a_token_without_a_scheme_is_masked_whole() -> None:
    assert {"authorization": "***"} == masked({"authorization": "hf_x"})


def test_a_body_that_is_no_json_is_shown_as_text() -> None:
    assert "{oh\ufffd" == ask(Journal(), b"{oh\xff").body


def test_what_is_no_object_has_neither_prompt_nor_parameters() -> None:
    entry = ask(Journal(), b'[{"inputs": 1}]')

    assert (None, {}) == (entry.prompt, entry.parameters)
