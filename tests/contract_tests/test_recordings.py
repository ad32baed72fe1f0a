"""Recorded traffic is judged by the same clauses, accuses nobody for what the record does not show, and holds no secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract_tests.clauses import clauses_of
from contract_tests.errors import UsageError
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Chunk, Exchange, case_of, from_json, shown, to_json
from contract_tests.judging import Judged, _Twins, judge_recordings
from contract_tests.recordings import read_recording

TOKEN = {"id": 5, "text": " a", "logprob": -0.5, "special": False}
DETAILS = {"finish_reason": "length", "generated_tokens": 1, "seed": None, "prefill": [], "tokens": [TOKEN]}


def recorded(body: Any, reply: Any, status: int = 200, content_type: str = "application/json") -> dict[str, Any]:
    """A line as another recorder may have written it."""
    request = {"method": "POST", "url": "https://api.test/models/a/b", "headers": {"Authorization": "Bearer hf_x"}, "body": body}
    return {"request": request, "response": {"status": status, "headers": {"Content-Type": content_type}, "body": reply}}


def violated(tmp_path: Path, *lines: dict[str, Any], dialect: str = "documented") -> set[str]:
    file = tmp_path / "record.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    evidence = Evidence(clauses_of(dialect))
    assert len(lines) == judge_recordings(lambda: read_recording(file), evidence).count
    assert [] == [tally.broken for tally in evidence.tallies.values() if tally.broken]
    return {id for id, tally in evidence.tallies.items() if tally.verdict == "fail"}


def test_a_right_exchange_violates_nothing(tmp_path: Path) -> None:
    body = {"inputs": "x", "parameters": {"details": True, "max_new_tokens": 1}}

    assert set() == violated(tmp_path, recorded(body, {"generated_text": " a", "details": DETAILS}))


def test_a_wrong_reply_is_found(tmp_path: Path) -> None:
    body = {"inputs": "x", "parameters": {"details": True, "max_new_tokens": 1}}
    wrong = {"generated_text": " a", "details": {**DETAILS, "generated_tokens": 2}}

    assert {"details.generated_tokens.counts", "parameters.max_new_tokens.limits"} == violated(tmp_path, recorded(body, wrong))


@pytest.mark.parametrize(
    "line",
    [
        recorded({"inputs": "x"}, {"error": "Model a/b does not exist"}, 404),
        recorded({"inputs": "x"}, {"error": "Rate limit reached."}, 429),
        recorded({"inputs": "x", "parameters": {"max_new_tokens": 10_000}}, {"error": "at most 1512"}, 422),
        recorded({"messages": [{"role": "user", "content": "hi"}]}, "missing field `inputs`", 422, "text/plain"),
        recorded({"inputs": "x", "options": {"wait_for_model": True}}, {"generated_text": "y"}),
    ],
    ids=["no such model", "rate limit", "a limit of the server", "another task", "old options"],
)
def test_what_may_have_its_reasons_is_no_accusation(tmp_path: Path, line: dict[str, Any]) -> None:
    assert set() == violated(tmp_path, line)


def test_a_fault_that_was_accepted_is_found(tmp_path: Path) -> None:
    body = {"inputs": "x", "parameters": {"max_new_tokens": ["many"]}}

    assert {"parameters.max_new_tokens.type"} == violated(tmp_path, recorded(body, {"generated_text": "y"}))


def told(tmp_path: Path, *lines: dict[str, Any]) -> Judged:
    file = tmp_path / "record.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return judge_recordings(lambda: read_recording(file), Evidence())


def test_what_is_no_request_of_this_api_is_left_out_and_counted(tmp_path: Path) -> None:
    right = recorded({"inputs": "x"}, {"generated_text": "y"})
    elsewhere = recorded({"query": "x"}, "Internal Server Error", 500)
    elsewhere["request"]["url"] = "https://metrics.test/"
    judged = told(tmp_path, right, elsewhere, recorded(None, "Internal Server Error", 500))

    assert Judged(count=3, bodiless=1, elsewhere=1) == judged
    assert judged.sentence == (
        "judged 1 of 3 recorded exchanges; left out: 1 whose request has no body in the record, 1 of another API or task"
    )


def test_twins_in_a_record_are_compared(tmp_path: Path) -> None:
    body = {"inputs": "x", "parameters": {"do_sample": False}}
    plain = recorded(body, {"generated_text": " a"})
    event = {"index": 1, "token": TOKEN | {"text": " b"}, "generated_text": " b", "details": None}
    stream = recorded(body | {"stream": True}, f"data: {json.dumps(event)}\n\n", content_type="text/event-stream")

    assert {"stream.same-text"} == violated(tmp_path, plain, stream, plain)


def test_twins_that_are_waited_for_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract_tests.judging.OPEN_TWINS", 2)
    evidence = Evidence()
    twins = _Twins(evidence)
    for number in range(9):
        body = {"inputs": str(number), "parameters": {"do_sample": False}}
        twins.add(evidence.observe(from_json(json.dumps(recorded(body, {"generated_text": "x"})))))

    assert 2 == len(twins._open)


HOSTED = [{"generated_text": "three"}]


def test_a_hosted_encoder_decoder_is_not_accused_for_leaving_its_prompt_out(tmp_path: Path) -> None:
    assert set() == violated(tmp_path, recorded({"inputs": "one plus two equals"}, HOSTED), dialect="hosted")


def test_a_hosted_model_whose_prefill_shows_the_prompt_is_accused_for_leaving_it_out(tmp_path: Path) -> None:
    prefill = [{"id": 1, "text": "one", "logprob": None}, {"id": 2, "text": " plus", "logprob": -1.5}]
    reply = [{"generated_text": " a", "details": {**DETAILS, "prefill": prefill}}]
    body = {"inputs": "one plus", "parameters": {"details": True, "decoder_input_details": True}}

    assert {"parameters.return_full_text.default"} == violated(tmp_path, recorded(body, reply), dialect="hosted")


def test_a_front_door_header_that_is_missing_beside_others_is_a_violation(tmp_path: Path) -> None:
    line = recorded({"inputs": "x"}, [{"generated_text": "xy"}])
    line["response"]["headers"] |= {"x-request-id": "1", "x-sha": "2"}

    assert {"headers.request-id"} == violated(tmp_path, line, dialect="hosted")


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    file.write_text(json.dumps(recorded({"inputs": "x"}, "y")) + "\n\n{broken\n")

    with pytest.raises(UsageError, match=r"line 3 of .*record\.jsonl is no exchange \(no JSON: "):
        list(read_recording(file))


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"request": 1, "response": {}}', '{"request": {"body": "x"}, "response": {"status": "ok"}}']
)
def test_what_is_no_exchange_is_told_in_words(tmp_path: Path, line: str) -> None:
    file = tmp_path / "record.jsonl"
    file.write_text(line + "\n")

    with pytest.raises(UsageError, match="line 1 of"):
        list(read_recording(file))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"request": {"body": "\xff"}}', "not UTF-8"),
        (b"[" * 100_000, "line 2"),
        (b'{"request": {"body": "x"}, "response": {"status": 200, "chunks": [{"at": 0}]}}', "`data` is missing"),
        (
            b'{"request": {"body": "x"}, "response": {"status": 200, "chunks": [{"at": 1e999, "data": {"base64": "?"}}]}}',
            "line 2",
        ),
        (b'{"request": {"body": "x"}, "response": {"status": 200, "chunks": [7]}}', "line 2"),
        (b'{"request": {"body": "x"}, "response": {"status": 200, "chunks": 7}}', "line 2"),
        (
            b'{"request": {"body": "x"}, "response": {"status": 200, "chunks": [{"at": 1' + b"0" * 400 + b', "data": ""}]}}',
            "line 2",
        ),
    ],
    ids=["not UTF-8", "deep", "no data", "no base64", "a number for a chunk", "a number for chunks", "a huge time"],
)
def test_a_line_that_cannot_be_read_is_named_whatever_is_wrong_with_it(tmp_path: Path, line: bytes, words: str) -> None:
    file = tmp_path / "record.jsonl"
    file.write_bytes(json.dumps(recorded({"inputs": "x"}, "y")).encode() + b"\n" + line + b"\n")

    with pytest.raises(UsageError, match="line 2 of") as raised:
        list(read_recording(file))

    assert words in str(raised.value)


@pytest.mark.parametrize("content", [{"text": None}, {}, None], ids=repr)
def test_a_har_without_the_replys_text_is_read(tmp_path: Path, content: object) -> None:
    request = {"method": "POST", "url": "https://api.test/", "headers": [], "postData": {"text": '{"inputs": "x"}'}}
    entry = {"time": -1, "request": request, "response": {"status": 0, "headers": [], "content": content}}
    file = tmp_path / "x.har"
    file.write_text(json.dumps({"log": {"entries": [entry]}}, indent=1), encoding="utf-8-sig")
    (exchange,) = read_recording(file)

    assert (0, b"") == (exchange.status, exchange.content)


def test_a_har_without_entries_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "x.har"
    file.write_text('{"log": {"version": "1.2"}}')

    with pytest.raises(UsageError, match="without a list of `entries`"):
        list(read_recording(file))


def test_a_har_is_read(tmp_path: Path) -> None:
    entry = {
        "time": 120.5,
        "request": {
            "method": "POST",
            "url": "https://api.test/",
            "headers": [{"name": "authorization", "value": "Bearer hf_x"}],
            "postData": {"text": '{"inputs": "x"}'},
        },
        "response": {
            "status": 200,
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "content": {"text": base64.b64encode(b'{"generated_text": 7}').decode(), "encoding": "base64"},
        },
    }
    file = tmp_path / "x.har"
    file.write_text(json.dumps({"log": {"entries": [entry, {"request": {"method": "GET"}, "response": {}}]}}))
    (exchange,) = read_recording(file)

    assert ({"inputs": "x"}, 200, b'{"generated_text": 7}') == (exchange.case.payload, exchange.status, exchange.content)
    assert "hf_x" not in repr(exchange)


def test_a_broken_har_entry_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.har"
    file.write_text(json.dumps({"log": {"entries": [{}]}}))

    with pytest.raises(UsageError, match="entry 1 of"):
        list(read_recording(file))


CASES = [
    Case.of({"inputs": "zażółć 🎉\u2028", "parameters": {"seed": 2**64 - 1}}),
    Case.of({"inputs": "\ud800"}, about="errors.never-5xx", faulty=True, subject="inputs"),
    Case(body=b'{"inputs": "\xff"}', about="errors.not-utf8", faulty=True),
    Case(body=b'"text"', about="errors.not-an-object", faulty=True),
    Case(body=b"", about="errors.not-json", faulty=True),
    Case.of({"inputs": "x"}, headers=(("x-use-cache", "false"),)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about or "valid")
def test_a_case_comes_back_from_its_record_byte_by_byte(case: Case) -> None:
    again = case_of(json.loads(json.dumps(shown(case, "http://x.test/"))))

    assert (case.body, case.headers, case.about, case.faulty) == (again.body, again.headers, again.about, again.faulty)


def test_an_exchange_comes_back_from_its_line() -> None:
    chunks = (Chunk(0.25, b"data: {}\n"), Chunk(0.5, b"\n\xff"))
    exchange = Exchange(CASES[0], "http://x.test/", 200, (("content-type", "text/event-stream"),), chunks, 0.5, "cut")

    assert exchange == from_json(to_json(exchange))


def test_a_violation_is_replayed_from_its_results(tmp_path: Path, check_mock: Callable[..., dict[str, Any]]) -> None:
    import httpx

    from contract_tests.client import Client
    from contract_tests.replay import read_case, replay_case
    from mockserver import Config, create_app
    from spec.secrets import Masker

    clause, file = "stream.same-text", tmp_path / "results.json"
    check_mock("stream-text-differs", profile="quick", json=file)
    case = read_case(file, clause)

    def verdict(*faults: str) -> str:
        client = Client("http://mock.test/", transport=httpx.WSGITransport(create_app(Config(faults=faults))))
        return replay_case(case, client, Masker()).tallies[clause].verdict

    assert ("twin", 2) <= (case.relation, len(case.cases))
    assert ("fail", "pass") == (verdict("stream-text-differs"), verdict())


@pytest.mark.parametrize(
    ("text", "clause", "words"),
    [
        ("{", "stream.framing", "is no results.json"),
        ('{"clauses": []}', "stream.framing", "has no clause `stream.framing`"),
        ('{"clauses": [{"id": "stream.framing", "verdict": "pass", "violations": []}]}', "stream.framing", "was not violated"),
    ],
)
def test_what_cannot_be_replayed_is_told_in_a_sentence(tmp_path: Path, text: str, clause: str, words: str) -> None:
    from contract_tests.replay import read_case

    file = tmp_path / "results.json"
    file.write_text(text)

    with pytest.raises(UsageError, match=words):
        read_case(file, clause)


@pytest.mark.parametrize("har", [False, True], ids=["lines", "HAR"])
def test_the_secrets_of_recorded_requests_are_known_and_in_no_exchange(tmp_path: Path, har: bool) -> None:
    file = tmp_path / "record"
    line = recorded({"inputs": "x"}, {"generated_text": "y"})
    line["request"]["headers"] = {"Authorization": "Bearer hf_mine", "X-API-Key": "planted"}
    if har:
        headers = [{"name": name, "value": value} for name, value in line["request"]["headers"].items()]
        request = line["request"] | {"headers": headers, "postData": {"text": '{"inputs": "x"}'}}
        line = {"log": {"entries": [{"request": request, "response": {"status": 200, "headers": []}}]}}
    file.write_text(json.dumps(line))
    secrets: set[str] = set()
    (exchange,) = read_recording(file, secrets)

    assert {"Bearer hf_mine", "hf_mine", "planted"} == secrets
    assert not any(secret in repr(exchange) for secret in secrets)


@pytest.mark.parametrize("dialect", ["documented", "hosted"])
def test_what_a_clean_run_records_is_judged_clean(tmp_path: Path, check_wsgi: Callable[..., dict[str, Any]], dialect: str) -> None:
    from mockserver import Config, create_app

    file = tmp_path / "record.jsonl"
    check_wsgi(create_app(Config(dialect=dialect)), dialect=dialect, profile="quick", record=file)
    evidence = Evidence(clauses_of(dialect))
    judged = judge_recordings(lambda: read_recording(file), evidence)

    assert [] == [(id, tally.findings[0].violation) for id, tally in evidence.tallies.items() if tally.verdict == "fail"]
    assert (2, 0, 0) == (judged.left, judged.bodiless, judged.elsewhere)
    assert 100 < sum(tally.judged > 0 for tally in evidence.tallies.values())
