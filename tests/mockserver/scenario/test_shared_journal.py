"""The journal in Redis: bounded as the one in memory is, over all workers."""

from __future__ import annotations

from mockserver.scenario.journal import Asked
from mockserver.scenario.shared_journal import SharedJournal
from mockserver.store import Store


def ask(journal: SharedJournal, body: bytes = b"", scope: str = "") -> Asked:
    entry = journal.open(time=1.0, scope=scope, method="POST", path="/", headers={})
    journal.keep_body(entry, body)
    return entry


def test_the_oldest_of_all_workers_make_room(redis_url: str) -> None:
    one, other = (SharedJournal(Store(redis_url), most_requests=3) for _ in range(2))
    for _ in range(3):
        ask(one)
        ask(other)

    assert [4, 5, 6] == [entry.number for entry in one.entries()]


def test_large_bodies_make_room_too(redis_url: str) -> None:
    journal = SharedJournal(Store(redis_url), most_bytes=1_300)
    for letter in b"abc":
        ask(journal, bytes([letter]) * 400)

    assert ["b" * 400, "c" * 400] == [entry.body for entry in journal.entries()]


def test_what_made_room_does_not_come_back_when_it_is_answered(redis_url: str) -> None:
    journal = SharedJournal(Store(redis_url), most_requests=1)
    first = ask(journal)
    ask(journal)
    first.status = 200
    journal.close(first)

    assert [2] == [entry.number for entry in journal.entries()]


def test_what_was_forgotten_does_not_come_back_when_it_is_answered(redis_url: str) -> None:
    journal = SharedJournal(Store(redis_url))
    entry = ask(journal, b"1")
    journal.forget()
    journal.close(entry)

    assert [] == journal.entries()


def test_a_request_is_seen_before_it_is_answered(redis_url: str) -> None:
    one, other = (SharedJournal(Store(redis_url)) for _ in range(2))
    ask(one, b"1")

    assert [(1, None)] == [(entry.body, entry.status) for entry in other.entries()]


def test_without_redis_each_worker_writes_down_for_itself() -> None:
    journal = SharedJournal(Store("redis://127.0.0.1:1/0"))
    ask(journal, b"1")
    ask(journal, b"2")

    assert [(-1, 1), (-2, 2)] == [(entry.number, entry.body) for entry in journal.entries()]
