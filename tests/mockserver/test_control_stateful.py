"""Whatever is said at the desk, in whatever order and to whichever worker: a simple model says what must come of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mockserver import Config, create_app

PROMPTS = ("ping", "pong", "other")
SCOPES = ("", "a", "b")
scopes = st.sampled_from(SCOPES)
prompts = st.sampled_from(PROMPTS)


class Desk(RuleBasedStateMachine):
    """``clients`` are workers of one server: what is said to one, the others know."""

    clients: list[FlaskClient]

    @initialize()
    def begin(self) -> None:
        self.turn = 0
        self.rules: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.answered: dict[tuple[str, int], int] = defaultdict(int)
        self.waiting: dict[str, list[int | None]] = defaultdict(list)
        self.asked: list[tuple[str, str, int]] = []
        self.say("POST", "reset")

    def client(self) -> FlaskClient:
        self.turn += 1
        return self.clients[self.turn % len(self.clients)]

    def say(self, method: str, path: str, payload: Any = None, scope: str | None = None) -> tuple[int, Any]:
        headers = {} if scope is None else {"x-mock-scope": scope}
        sent = {} if payload is None else {"json": payload}
        reply = self.client().open(f"/_mock/{path}", method=method, headers=headers, **sent)
        return reply.status_code, reply.get_json()

    @rule(scope=scopes, prompt=prompts, times=st.none() | st.integers(1, 2))
    def tell(self, scope: str, prompt: str, times: int | None) -> None:
        told = self.rules[scope]
        added = {"prompt": prompt, "reply": f"{scope}:{prompt}:{len(told)}"} | ({} if times is None else {"times": times})
        hidden = any(before["prompt"] == prompt and "times" not in before for before in told)
        status, said = self.say("POST", "scripts", {"rules": [added]}, scope)

        assert (400 if hidden else 200) == status
        if not hidden:
            told.append(added)
            assert len(told) == len(said["rules"])

    @rule(scope=scopes)
    def forget_rules(self, scope: str) -> None:
        assert 200 == self.say("DELETE", "scripts", scope=scope)[0]
        self._forget_rules(scope)

    def _forget_rules(self, scope: str) -> None:
        self.rules[scope] = []
        self.answered = defaultdict(int, {key: count for key, count in self.answered.items() if key[0] != scope})

    @rule(scope=scopes, times=st.none() | st.integers(1, 3))
    def arm(self, scope: str, times: int | None) -> None:
        status, said = self.say("POST", "faults", {"name": "status-202", "times": times}, scope)
        self.waiting[scope].append(times)

        assert (200, self.waiting[scope]) == (status, [row["left"] for row in said])

    @rule(scope=scopes)
    def disarm(self, scope: str) -> None:
        self.waiting[scope] = []

        assert (200, []) == self.say("DELETE", "faults", scope=scope)

    @rule(scope=scopes, payload=st.sampled_from([7, [], {"rules": 7}, {"rules": [{}]}, {"name": "no-such"}, {"name": 7, "times": 0}]))
    def say_nonsense(self, scope: str, payload: Any) -> None:
        for path in ("scripts", "faults"):
            status, said = self.say("POST", path, payload, scope)
            assert (400, True) == (status, bool(said["error"]))

    @rule(scope=scopes | st.none())
    def reset(self, scope: str | None) -> None:
        assert 200 == self.say("POST", "reset", scope=scope)[0]
        for each in SCOPES if scope is None else (scope,):
            self._forget_rules(each)
            self.waiting[each] = []
        self.asked = [] if scope is None else [row for row in self.asked if row[0] != scope]

    @rule(scope=scopes, prompt=prompts)
    def ask(self, scope: str, prompt: str) -> None:
        payload = {"inputs": prompt, "parameters": {"max_new_tokens": 12}}
        reply = self.client().post("/", json=payload, headers={"x-mock-scope": scope} if scope else {})
        struck = bool(self.waiting[scope])
        left = [None if times is None else times - 1 for times in self.waiting[scope]]
        self.waiting[scope] = [times for times in left if times != 0]
        self.asked.append((scope, prompt, 202 if struck else 200))
        expected = None
        for place, told in enumerate(self.rules[scope]):
            if told["prompt"] == prompt and self.answered[scope, place] < told.get("times", 99):
                self.answered[scope, place] += 1
                expected = told["reply"]
                break

        assert (202 if struck else 200) == reply.status_code
        if expected is not None:
            assert expected == reply.get_json()["generated_text"]
        else:
            assert not reply.get_json()["generated_text"].startswith(f"{scope}:{prompt}:")

    @invariant()
    def all_workers_tell_the_same_of_what_was_asked(self) -> None:
        for client in self.clients:
            entries = client.get("/_mock/requests").get_json()
            assert self.asked == [(entry["scope"], entry["body"]["inputs"], entry["status"]) for entry in entries]


def check(clients: list[FlaskClient], *, examples: int) -> None:
    machine = type("Desk", (Desk,), {"clients": clients})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
        ),
    )


def test_the_desk_of_one_worker_is_as_its_model() -> None:
    check([create_app(Config()).test_client()], examples=40)


@pytest.mark.parametrize("count", [3])
def test_the_desk_of_several_workers_is_as_its_model(redis_url: str, count: int) -> None:
    check([create_app(Config(state=redis_url, workers=count)).test_client() for _ in range(count)], examples=20)
