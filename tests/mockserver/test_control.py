"""The desk over HTTP: told answers, faults, the journal, scopes; and who may not sit there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mockserver import Config, VirtualClock, create_app
from mockserver.scenario.rules import ScriptError

PING: dict[str, Any] = {"inputs": "ping"}
PONG: dict[str, Any] = {"prompt": "ping", "reply": "pong"}


class Desk:
    """A client of one server."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.client: FlaskClient = create_app(Config(**settings), clock=self.clock).test_client()

    def post(self, path: str, payload: Any = None, **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data=json.dumps(payload), headers={"content-type": "application/json", **sent})

    def tell(self, *rules: dict[str, Any], **headers: str) -> TestResponse:
        return self.post("/_mock/scripts", {"rules": rules}, **headers)

    def ask(self, payload: Any = PING, **headers: str) -> TestResponse:
        return self.post("/", payload, **headers)

    def text(self, payload: Any = PING, **headers: str) -> str:
        return str(self.ask(payload, **headers).get_json()["generated_text"])

    def journal(self, query: str = "", **headers: str) -> Any:
        return self.client.get(f"/_mock/requests{query}", headers=[*headers.items()]).get_json()


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ---------------------------------------------------------------- told answers


def test_a_rule_answers_from_then_on(desk: Desk) -> None:
    before = desk.text()
    desk.tell(PONG)

    assert "pong" != before
    assert "pong" == desk.text()


def test_what_no_rule_matches_is_answered_by_the_model(desk: Desk) -> None:
    other = {"inputs": "other"}
    before = desk.text(other)
    desk.tell(PONG)

    assert before == desk.text(other)


def test_rules_are_appended(desk: Desk) -> None:
    desk.tell(PONG)

    told = desk.tell({"prompt": "b", "reply": "c"}).get_json()

    assert ["rules[0]", "rules[1]"] == told["rules"]
    assert ['the prompt is "ping": says "pong"', 'the prompt is "b": says "c"'] == told["words"]
    assert told["error"] is None


def test_told_rules_can_be_forgotten_alone(desk: Desk) -> None:
    desk.tell(PONG)
    desk.text()

    assert [] == desk.client.delete("/_mock/scripts").get_json()["rules"]
    assert "pong" != desk.text()
    assert 2 == len(desk.journal())


def test_a_rule_that_one_told_earlier_hides_is_refused(desk: Desk) -> None:
    desk.tell(PONG)
    refused = desk.tell({"prompt": "b", "reply": "c"}, PONG)

    assert 400 == refused.status_code
    assert "rules[1] can never answer: rules[0], which stands before it" in refused.get_json()["error"]
    assert ["rules[0]"] == desk.client.get("/_mock/scripts").get_json()["rules"]


def test_a_told_stream_joins_to_the_told_text(desk: Desk) -> None:
    desk.tell(PONG)
    frames = desk.ask({**PING, "stream": True}).get_data(as_text=True).split("\n\n")[:-1]
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames]

    assert "pong</s>" == "".join(event["token"]["text"] for event in events)
    assert "pong" == events[-1]["generated_text"]


def test_the_nth_call_gets_its_answer(desk: Desk) -> None:
    desk.tell({**PONG, "call": 1, "reply": "one"}, {**PONG, "call": 2, "reply": "two"}, {**PONG, "reply": "more"})

    assert ["one", "two", "more", "more"] == [desk.text() for _ in range(4)]


def test_a_rule_answers_so_many_times(desk: Desk) -> None:
    desk.tell({**PONG, "times": 2}, {"prompt": "ping", "reply": "late"})

    assert ["pong", "pong", "late"] == [desk.text() for _ in range(3)]


def test_a_template_knows_the_request(desk: Desk) -> None:
    template = "{{ groups[0] }}! ({{ call }}, {{ parameters.top_k }})"
    desk.tell({"prompt": {"regex": "^say (.*)"}, "reply": {"template": template}})

    assert "hello! (1, 5)" == desk.text({"inputs": "say hello", "parameters": {"top_k": 5}})


def test_a_template_that_asks_for_what_is_not_there_is_an_error(desk: Desk) -> None:
    desk.tell({"reply": {"template": "{{ nothing.here }}"}})
    refused = desk.ask()

    assert (424, True) == (refused.status_code, "'nothing' is undefined" in refused.get_json()["error"])


def test_a_template_cannot_reach_the_machine(desk: Desk) -> None:
    desk.tell({"reply": {"template": "{{ prompt.__class__.__mro__ }}"}})

    assert 424 == desk.ask().status_code


def test_a_told_error_has_its_status_and_headers(desk: Desk) -> None:
    desk.tell(
        {"reply": {"error": {"status": 503, "message": "Later", "error_type": "overloaded", "headers": {"retry-after": "3"}}}}
    )
    refused = desk.ask()

    assert (503, "3") == (refused.status_code, refused.headers["retry-after"])
    assert {"error": "Later", "error_type": "overloaded"} == refused.get_json()


@pytest.mark.parametrize(("name", "value"), [("x-a", "1\r\nset-cookie: a=b"), ("x-a\r\nset-cookie", "1"), ("x a", "1"), ("x-a", "é")])
def test_a_told_header_brings_no_other_one(desk: Desk, name: str, value: str) -> None:
    told = desk.tell({**PONG, "reply": {"error": {"status": 503, "message": "a\r\nset-cookie: a=b", "headers": {name: value}}}})

    assert 400 == told.status_code
    assert told.get_json()["error"].startswith("rules[0].reply.error.headers")


def test_a_told_sentence_stays_in_the_body(desk: Desk) -> None:
    desk.tell({**PONG, "reply": {"error": {"status": 503, "message": "a\r\nset-cookie: a=b", "error_type": "x\r\ny: z"}}})
    refused = desk.ask()

    assert "a\r\nset-cookie: a=b" == refused.get_json()["error"]
    assert not {"set-cookie", "y"} & {name.lower() for name, _ in refused.headers}


@pytest.mark.parametrize("reply", [{"text": "pong", "delay": 250}, {"model": True, "delay": 250}])
def test_an_answer_may_be_delayed(desk: Desk, reply: dict[str, Any]) -> None:
    desk.tell({"reply": reply})
    desk.ask()

    assert pytest.approx(0.25) == desk.clock.now()


def test_a_delay_comes_before_the_pace() -> None:
    desk = Desk(ttft=100.0, itl=10.0)
    desk.tell({"prompt": "ping", "reply": {"text": "pong", "delay": 250}})
    desk.ask()

    assert pytest.approx(0.37) == desk.clock.now()


def test_a_rule_may_break_the_contract(desk: Desk) -> None:
    desk.tell({"prompt": "ping", "reply": {"text": "pong", "fault": "reply-list"}})

    assert [{"generated_text": "pong"}] == desk.ask().get_json()
    assert isinstance(desk.ask({"inputs": "other"}).get_json(), dict)


def test_an_answer_longer_than_the_server_has_room_for_is_refused_at_once() -> None:
    desk = Desk(max_input_tokens=5, max_total_tokens=6)
    refused = desk.tell({"reply": "one two three four five six seven eight nine"})

    assert 400 == refused.status_code
    assert "but this server has room for 5" in refused.get_json()["error"]


def test_a_rule_for_a_model_that_is_not_served_is_refused_at_once(desk: Desk) -> None:
    assert 'none of the models served here is "other"' in desk.tell({**PONG, "model": "other"}).get_json()["error"]


def test_that_a_told_text_was_cut_stands_in_the_journal(desk: Desk) -> None:
    desk.tell({"prompt": "ping", "reply": "one two three"})
    desk.ask({**PING, "parameters": {"max_new_tokens": 1}})

    assert "length ended the told text after 1 tokens" == desk.journal()[0]["note"]


# ---------------------------------------------------------------- the script file


def test_a_script_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("rules:\n  - {prompt: ping, reply: pong}\n")
    desk = Desk(script=str(path))
    before = desk.text()
    path.write_text("rules:\n  - {prompt: ping, reply: changed}\n")

    assert ("pong", "changed") == (before, desk.text())


def test_the_last_good_script_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("rules:\n  - {prompt: ping, reply: pong}\n")
    desk = Desk(script=str(path))
    path.write_text("rules: [")

    assert "pong" == desk.text()
    assert f"{path}:1:9: it is no YAML" in desk.client.get("/_mock/scripts").get_json()["error"]


def test_what_is_told_at_run_time_comes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("rules:\n  - {prompt: ping, reply: pong}\n")
    desk = Desk(script=str(path))
    desk.tell({"prompt": "ping", "reply": "told"})
    told = desk.text()
    desk.post("/_mock/reset", {})

    assert ("told", "pong") == (told, desk.text())


def test_a_script_that_cannot_be_used_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        Desk(script=str(tmp_path / "none.yaml"))


def test_strict_names_the_nearest_rule() -> None:
    desk = Desk(strict=True)
    desk.tell(PONG)
    refused = desk.ask({"inputs": "pnig"})

    assert (404, "not_told") == (refused.status_code, refused.get_json()["error_type"])
    assert 'the nearest is rules[0], but the prompt is "pnig", not "ping"' in refused.get_json()["error"]


def test_strict_answers_as_the_model_where_a_rule_says_so() -> None:
    desk = Desk(strict=True)
    desk.tell({"reply": {"model": True}})

    assert Desk().text() == desk.text()


# ---------------------------------------------------------------- faults


def test_a_fault_strikes_so_many_requests(desk: Desk) -> None:
    desk.post("/_mock/faults", {"name": "reply-list", "times": 2})

    assert [list, list, dict] == [type(desk.ask().get_json()) for _ in range(3)]


def test_a_fault_without_times_strikes_until_reset(desk: Desk) -> None:
    desk.post("/_mock/faults", {"name": "reply-list"})
    struck = [type(desk.ask().get_json()) for _ in range(3)]
    desk.post("/_mock/reset", {})

    assert ([list] * 3, dict) == (struck, type(desk.ask().get_json()))


def test_faults_that_wait_are_listed(desk: Desk) -> None:
    assert [{"name": "stream-cut", "left": 2}] == desk.post("/_mock/faults", {"name": "stream-cut", "times": 2}).get_json()


def test_a_header_brings_a_fault_to_its_request(desk: Desk) -> None:
    assert [list, dict] == [type(desk.ask(**headers).get_json()) for headers in ({"x_mock_fault": "reply-list"}, {})]


def test_a_header_may_say_how_often(desk: Desk) -> None:
    found = [type(desk.ask(x_mock_fault="reply-list;times=1").get_json()) for _ in range(3)]

    assert [list, dict, dict] == found


def test_a_fault_of_the_command_line_may_strike_some_requests_only() -> None:
    found = [isinstance(Desk(faults=("reply-list@0.5",)).ask().get_json(), list) for _ in range(2)]
    desk = Desk(faults=("reply-list@0.5",))
    struck = [isinstance(desk.ask().get_json(), list) for _ in range(40)]

    assert found[0] == found[1] == struck[0]
    assert 8 < sum(struck) < 32


def test_an_unknown_fault_in_a_header_is_an_error(desk: Desk) -> None:
    refused = desk.ask(x_mock_fault="reply-lists")

    assert (400, "control") == (refused.status_code, refused.get_json()["error_type"])
    assert "did you mean reply-list" in refused.get_json()["error"]


@pytest.mark.parametrize("payload", [{}, {"name": 1}, {"name": "stream-cut", "times": 0}, {"name": "stream-cut", "time": 1}, []])
def test_what_is_no_fault_is_refused(desk: Desk, payload: Any) -> None:
    assert 400 == desk.post("/_mock/faults", payload).status_code


def test_what_a_fault_remembers_outlives_a_request(desk: Desk) -> None:
    desk.post("/_mock/faults", {"name": "error-then-500"})

    assert [422, 500, 200] == [desk.ask(payload).status_code for payload in ({}, PING, PING)]


# ---------------------------------------------------------------- the journal


def test_the_journal_tells_what_was_asked(desk: Desk) -> None:
    desk.tell(PONG)
    desk.post("/models/Qwen/Qwen2.5-7B-Instruct", PING, authorization="Bearer hf_secret", x_mock_fault="stream-cut")
    (entry,) = desk.journal()

    assert ("POST", "/models/Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct") == (
        entry["method"],
        entry["path"],
        entry["model"],
    )
    assert (PING, 200, "rules[0]", ["stream-cut"]) == (entry["body"], entry["status"], entry["rule"], entry["faults"])
    assert "Bearer ***" == entry["headers"]["authorization"]


def test_refused_requests_stand_in_it_too(desk: Desk) -> None:
    desk.ask({})
    desk.post("/nowhere")

    assert [422, 404] == [entry["status"] for entry in desk.journal()]


def test_knocks_and_control_do_not(desk: Desk) -> None:
    desk.client.get("/health")
    desk.journal()

    assert [] == desk.journal()


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("?prompt=ping", 1),
        ("?contains=in", 1),
        ("?model=google/gemma-2-2b-it", 2),
        ("?model=none", 0),
        ("?status=200", 1),
        ("?path=/&method=POST", 2),
    ],
)
def test_the_journal_can_be_filtered(desk: Desk, query: str, count: int) -> None:
    desk.ask()
    desk.ask({"inputs": 5})

    assert count == len(desk.journal(query))


def test_the_last_requests_can_be_asked_for(desk: Desk) -> None:
    for text in "abc":
        desk.ask({"inputs": text})

    assert ["b", "c"] == [entry["body"]["inputs"] for entry in desk.journal("?last=2")]
    assert 3 == len(desk.journal("?last=9"))
    assert {"`last` must be an integer above 0. Given: '0'"} == {desk.journal("?last=0")["error"]}


def test_faults_that_wait_can_be_taken_away(desk: Desk) -> None:
    desk.post("/_mock/faults", {"name": "http-500"})

    assert [] == desk.client.delete("/_mock/faults").get_json()
    assert 200 == desk.ask().status_code


def test_an_unknown_filter_is_an_error(desk: Desk) -> None:
    assert "no filter is called 'promt'" in desk.journal("?promt=a")["error"]


def test_reset_empties_it(desk: Desk) -> None:
    desk.ask()
    desk.client.post("/_mock/reset")

    assert [] == desk.journal()


# ---------------------------------------------------------------- scopes


def test_a_scope_does_not_know_the_rules_of_another(desk: Desk) -> None:
    desk.tell(PONG, x_mock_scope="a")

    assert "pong" == desk.text(x_mock_scope="a")
    assert "pong" not in (desk.text(x_mock_scope="b"), desk.text())


def test_a_scope_does_not_know_the_faults_of_another(desk: Desk) -> None:
    desk.post("/_mock/faults", {"name": "reply-list", "times": 1}, x_mock_scope="a")

    assert isinstance(desk.ask(x_mock_scope="b").get_json(), dict)
    assert isinstance(desk.ask(x_mock_scope="a").get_json(), list)


def test_a_scope_has_its_own_journal(desk: Desk) -> None:
    desk.ask(x_mock_scope="a")
    desk.ask({"inputs": "other"})

    assert ["ping"] == [entry["body"]["inputs"] for entry in desk.journal(**{"x-mock-scope": "a"})]


def test_reset_in_a_scope_leaves_the_others(desk: Desk) -> None:
    desk.ask(x_mock_scope="a")
    desk.ask(x_mock_scope="b")
    desk.post("/_mock/reset", {}, x_mock_scope="a")

    assert ["b"] == [entry["scope"] for entry in desk.journal()]


# ---------------------------------------------------------------- who may not


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://rebound.example", "host": "rebound.example"},
    ],
    ids=str,
)
def test_a_web_page_of_another_origin_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    refused = desk.client.get("/_mock/requests", headers=headers)

    assert (403, "foreign_origin") == (refused.status_code, refused.get_json()["error_type"])
    assert "access-control-allow-origin" not in refused.headers


def test_a_page_of_this_server_is_let_in(desk: Desk) -> None:
    headers = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}

    assert 200 == desk.client.get("/_mock/requests", headers=headers).status_code


def test_only_json_is_read(desk: Desk) -> None:
    assert 415 == desk.client.post("/_mock/scripts", data=b'{"rules": []}', headers={"content-type": "text/plain"}).status_code


def test_without_control_nothing_of_it_is_there() -> None:
    desk = Desk(control=False)
    desk.ask(x_mock_fault="reply-list")

    assert 404 == desk.client.get("/_mock/requests").status_code
    assert isinstance(desk.ask(x_mock_fault="reply-list").get_json(), dict)


def test_several_workers_have_no_common_desk() -> None:
    assert "control needs --workers 1" in Desk(workers=2).journal()["error"]


def test_a_fault_does_not_touch_control() -> None:
    assert {"error", "error_type"} == Desk(faults=("error-html",)).tell({}).get_json().keys()


def test_variables_of_the_process_are_no_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server puts them into each environment, a proxy's address and password among them."""
    monkeypatch.setenv("HTTP_FROM_THE_PROCESS", "http://user:secret@proxy.test")
    client = create_app(Config()).test_client()
    client.post("/", json={"inputs": "x"}, headers={"x-mine": "1"}, environ_overrides=dict(os.environ))
    (asked,) = client.get("/_mock/requests").json

    assert "from-the-process" not in asked["headers"]
    assert "1" == asked["headers"]["x-mine"]
