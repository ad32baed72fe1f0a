"""The fixtures, as a test of a client uses them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient

from mockserver import TextgenMock
from mockserver.live import MistakeError
from mockserver.plugin import DOCUMENTED_HOST

URL = f"https://{DOCUMENTED_HOST}/models/google/gemma-2-2b-it"


def ask(mock: TextgenMock, prompt: str = "ping", **parameters: Any) -> Any:
    return httpx.post(mock.url, json={"inputs": prompt, "parameters": parameters}).json()


def test_a_real_client_reads_a_told_answer(textgen_mock: TextgenMock) -> None:
    textgen_mock.script(prompt="ping", reply="pong")

    assert "pong" == InferenceClient(model=textgen_mock.url).text_generation("ping")


def test_several_rules_can_be_told_at_once(textgen_mock: TextgenMock) -> None:
    textgen_mock.script([{"prompt": "a", "reply": "one"}, {"prompt": "b", "reply": "two"}])

    assert ["one", "two"] == [ask(textgen_mock, prompt)["generated_text"] for prompt in "ab"]


def test_a_model_has_its_documented_address(textgen_mock: TextgenMock) -> None:
    httpx.post(textgen_mock.model_url("Qwen/Qwen2.5-7B-Instruct"), json={"inputs": "ping"})

    assert "Qwen/Qwen2.5-7B-Instruct" == textgen_mock.requests[0].model


def test_a_fault_strikes_once(textgen_mock: TextgenMock) -> None:
    textgen_mock.fault("reply-list")

    assert [list, dict] == [type(ask(textgen_mock)) for _ in range(2)]


def test_a_stream_can_be_cut_by_a_rule(textgen_mock: TextgenMock) -> None:
    textgen_mock.script(prompt="ping", reply={"text": "pong", "fault": "stream-cut"})
    client = InferenceClient(model=textgen_mock.url)
    tokens = [*client.text_generation("ping", stream=True)]

    assert "pong" == "".join(tokens)


def test_the_journal_is_at_hand(textgen_mock: TextgenMock) -> None:
    ask(textgen_mock, temperature=0.5)
    (asked,) = textgen_mock.requests

    assert ("ping", {"temperature": 0.5}, 200, False) == (asked.prompt, asked.parameters, asked.status, asked.stream)


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_finds_it_as_new(textgen_mock: TextgenMock, number: int) -> None:
    assert [] == textgen_mock.requests
    textgen_mock.script(prompt="ping", reply=f"pong {number}")

    assert f"pong {number}" == ask(textgen_mock)["generated_text"]


@pytest.mark.parametrize("rule", [{"promt": "a", "reply": "b"}, {"prompt": "a", "reply": {"fault": "none"}}, {"prompt": "a"}])
def test_a_rule_that_means_nothing_is_refused(textgen_mock: TextgenMock, rule: dict[str, Any]) -> None:
    with pytest.raises(MistakeError, match=r"rules\[0\]"):
        textgen_mock.script(**rule)


def test_an_unknown_fault_is_refused(textgen_mock: TextgenMock) -> None:
    with pytest.raises(MistakeError, match="did you mean"):
        textgen_mock.fault("stream-cutt")


# ---------------------------------------------------------------- assert_called


def test_what_was_asked_can_be_asserted(textgen_mock: TextgenMock) -> None:
    ask(textgen_mock, top_k=5, seed=1)
    ask(textgen_mock, "other")

    textgen_mock.assert_called(prompt="ping", parameters={"top_k": 5}, times=1)
    textgen_mock.assert_called(times=2)
    textgen_mock.assert_called(prompt="none", times=0)


def test_a_failure_shows_the_difference(textgen_mock: TextgenMock) -> None:
    ask(textgen_mock, top_k=5)
    with pytest.raises(AssertionError) as caught:
        textgen_mock.assert_called(prompt="ping", parameters={"top_k": 3, "seed": 1}, stream=False)

    assert [
        "expected at least once: prompt 'ping', stream False, parameters['top_k'] 3, parameters['seed'] 1",
        "came 0 times, of 1 requests:",
        "  1. POST / 'ping': parameters['top_k'] is 5, not 3 and parameters['seed'] is not given, not 1",
    ] == [line.replace(f"{textgen_mock.requests[0].number}. POST", "1. POST") for line in str(caught.value).splitlines()]


def test_once_too_often_is_a_failure(textgen_mock: TextgenMock) -> None:
    ask(textgen_mock)
    ask(textgen_mock)

    with pytest.raises(AssertionError, match="came 2 times, of 2 requests"):
        textgen_mock.assert_called(prompt="ping", times=1)


def test_true_is_not_one(textgen_mock: TextgenMock) -> None:
    ask(textgen_mock, details=True)

    with pytest.raises(AssertionError, match="is True, not 1"):
        textgen_mock.assert_called(parameters={"details": 1})


# ---------------------------------------------------------------- without pytest, without a socket


def test_two_tests_may_share_one_mock(textgen_mock: TextgenMock) -> None:
    one, other = textgen_mock.scope("one"), textgen_mock.scope("other")
    one.script(reply="first")
    other.script(reply="second")
    other.fault("http-500")
    client = textgen_mock.app.test_client()
    came = [client.post("/", json={"inputs": "a"}, headers=headers) for headers in (one.headers, other.headers, other.headers)]

    assert ["first", None, "second"] == [reply.get_json().get("generated_text") for reply in came]
    assert (1, 2, 3) == (len(one.requests), len(other.requests), len(textgen_mock.requests))
    other.assert_called(prompt="a", times=2)
    other.reset()
    assert (1, 0) == (len(one.requests), len(other.requests))
    assert "first" == client.post("/", json={"inputs": "a"}, headers=one.headers).get_json()["generated_text"]


def test_it_is_a_context_manager() -> None:
    with TextgenMock(models=("a/b",)) as mock:
        assert "a/b" == httpx.get(f"{mock.url}/info").json()["model_id"]


def test_it_has_no_address_before_it_serves() -> None:
    with pytest.raises(MistakeError, match="`with` block"):
        _ = TextgenMock().url


@pytest.mark.usefixtures("textgen_mock_respx")
def test_the_documented_host_is_answered_in_process(textgen_mock: TextgenMock) -> None:
    textgen_mock.script(prompt="ping", reply="pong")

    assert {"generated_text": "pong"} == httpx.post(URL, json={"inputs": "ping"}).json()
    assert DOCUMENTED_HOST == textgen_mock.requests[0].headers["host"]


@pytest.mark.usefixtures("textgen_mock_respx")
def test_an_async_client_streams_from_it(textgen_mock: TextgenMock) -> None:
    textgen_mock.script(prompt="ping", reply="pong")

    async def stream() -> list[str]:
        async with httpx.AsyncClient() as client, client.stream("POST", URL, json={"inputs": "ping", "stream": True}) as response:
            return [line async for line in response.aiter_lines() if line]

    assert '"generated_text":"pong"' in asyncio.run(stream())[-1]


@pytest.mark.usefixtures("textgen_mock_respx")
def test_other_hosts_are_left_alone(textgen_mock: TextgenMock) -> None:
    assert 200 == httpx.get(f"{textgen_mock.url}/health").status_code


# ---------------------------------------------------------------- the plugin itself


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after ``statement``."""
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_plugin_loads_next_to_nothing() -> None:
    more = loaded_by("import pytest; import mockserver.plugin") - loaded_by("import pytest")

    assert {"mockserver", "mockserver.plugin"} == more


def test_it_is_installed_as_a_plugin_with_warnings_as_errors(tmp_path: Path) -> None:
    tmp_path.joinpath("test_it.py").write_text(
        "import httpx\n\n\ndef test_it(textgen_mock):\n"
        "    textgen_mock.script(prompt='ping', reply='pong')\n"
        "    assert httpx.post(textgen_mock.url, json={'inputs': 'ping'}).json() == {'generated_text': 'pong'}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
