"""Secrets planted wherever one can be, and every artefact searched for them."""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

SECRETS = {
    "the token in the environment": "tok-in-the-environment-81f3",
    "a header of the caller": "hdr-of-the-caller-5c1d",
    "the password in the address": "pwd-in-the-address-77aa",
    "a field of the query": "qry-field-9e02",
    "an api key": "key-of-an-api-b418",
    "a cookie": "session-cookie-30dd",
    "a token of the hub in a body": "hf_PlantedInABody0123456789",
    "an address in a body": "user-in-body:pwd-in-body-6611",
    "the token of the server": "tok-of-the-server-2f90",
    "the token of control": "tok-of-control-c4c4",
    "the password of the state": "pwd-of-the-state-0bb1",
}
ENVIRONMENT, HEADER, PASSWORD, QUERY, KEY, COOKIE, HUB, IN_BODY, SERVER, CONTROL, STATE = SECRETS.values()
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


class Echo(http.server.BaseHTTPRequestHandler):
    """The worst of endpoints: says all that it was sent, in headers, errors, bodies and streams, torn where it hurts."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode("utf-8", "replace")
        heard = f"{self.path} {dict(self.headers)} {body[:200]}"
        if '"stream": true' in body:
            self._answer("text/event-stream", [f"data: {heard[: len(heard) // 2]}", f"{heard[len(heard) // 2 :]}\n\n"])
        else:
            self._answer("application/json", [json.dumps({"generated_text": 7, "error": heard, "details": {"seed": heard}})])

    def _answer(self, media_type: str, parts: list[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("x-heard", self.headers.get("authorization", "") + self.headers.get("x-team", ""))
        self.send_header("set-cookie", f"id={COOKIE}")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for part in parts:
            data = part.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def found_in(text: str) -> list[str]:
    """Which secrets stand in ``text``, and in which form."""
    return [name for name, secret in SECRETS.items() if secret in text] + (["Basic"] if BASIC in text else [])


def contract(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PLANTED": ENVIRONMENT}
    return subprocess.run(
        [sys.executable, "-m", "contract_tests", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def told_by(ended: subprocess.CompletedProcess[str], folder: Path) -> dict[str, list[str]]:
    """The secrets in each artefact of a command; of an empty one, that it is empty."""
    artefacts = {"stdout": ended.stdout, "stderr": ended.stderr}
    artefacts |= {file.name: file.read_text() or "nothing was written" for file in folder.iterdir()}
    return {name: found_in(text) for name, text in artefacts.items()}


def secretive(url: str) -> tuple[str, ...]:
    return (f"http://me:{PASSWORD}@{url}/?api_key={QUERY}", "--token-env", "PLANTED", "--header", f"x-team: {HEADER}")


def test_no_secret_is_in_a_report_or_a_record_of_a_check(echo: str, tmp_path: Path) -> None:
    files = [word for form in ("json", "junit", "html", "markdown", "record") for word in (f"--{form}", str(tmp_path / form))]
    ended = contract("check", *secretive(echo), "--max-requests", "60", *files)
    told = told_by(ended, tmp_path)

    assert 1 == ended.returncode
    assert {"stdout", "stderr", "json", "junit", "html", "markdown", "record"} == told.keys()
    assert not any(told.values()), told
    assert "****" in (tmp_path / "record").read_text()


@pytest.mark.parametrize("arguments", [["check"], ["load", "--duration", "1"], ["check", "--dry-run"]])
def test_no_secret_is_in_a_complaint(arguments: list[str], tmp_path: Path) -> None:
    ended = contract(*arguments[:1], *secretive("127.0.0.1:1"), *arguments[1:])

    assert (0 if "--dry-run" in arguments else 3) == ended.returncode
    assert not any(told_by(ended, tmp_path).values())


def test_no_secret_is_in_what_a_record_comes_to(echo: str, tmp_path: Path) -> None:
    record, results = tmp_path / "record", tmp_path / "results"
    contract("check", *secretive(echo), "--max-requests", "30", "--record", str(record), "--json", str(results))
    for arguments in (
        ["judge", str(record), "--html", str(tmp_path / "html")],
        ["replay", str(results), "reply.generated_text.type", *secretive(echo)[:3]],
        ["drift", str(record), *secretive(echo)],
    ):
        ended = contract(*arguments)

        assert ended.returncode in (0, 1), ended.stderr
        assert not any(told_by(ended, tmp_path).values()), (arguments, told_by(ended, tmp_path))


def test_no_secret_is_in_what_pytest_says(echo: str, tmp_path: Path) -> None:
    options = ["--endpoint-profile", "quick", "--endpoint-token-env", "PLANTED", f"--junit-xml={tmp_path / 'junit'}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "contract_tests", *options]
    environment = os.environ | {"PLANTED": ENVIRONMENT}
    address = f"http://me:{PASSWORD}@{echo}/?api_key={QUERY}"
    ended = subprocess.run([*command, "--endpoint", address], capture_output=True, text=True, env=environment, timeout=120, check=False)

    assert 1 == ended.returncode, ended.stdout
    assert not any(told_by(ended, tmp_path).values()), told_by(ended, tmp_path)


def test_no_secret_is_in_what_the_fake_writes_and_tells(echo: str, tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    options = ["--token", SERVER, "--control-token", CONTROL, "--record", str(tape), "--upstream", f"http://me:{PASSWORD}@{echo}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("listening on ").strip()
    headers = {"authorization": f"Bearer {SERVER}", "cookie": f"id={COOKIE}", "x-api-key": KEY, "x-hf-token": KEY}
    body: dict[str, Any] = {"inputs": f"my token is {HUB}, {SERVER}, and http://{IN_BODY}@host/"}
    for extra in ({}, {"stream": True}, {"parameters": 7}):
        httpx.post(f"{url}/?api_key={QUERY}", json={**body, **extra}, headers=headers)
    httpx.post(url, json=body, headers={"authorization": f"Bearer {ENVIRONMENT}"})
    httpx.post(url, content=b"{" + HUB.encode(), headers=headers)
    told = {
        path: httpx.get(url + path, headers={"authorization": f"Bearer {CONTROL}"}).text
        for path in ("/_mock/requests", "/_mock/verdict", "/_mock/scripts", "/docs/desk.json", "/metrics", "/info")
    }
    process.terminate()
    out, error = process.communicate(timeout=30)
    told |= {"stdout": out, "stderr": error, "tape": tape.read_text()}

    assert 5 == len(json.loads(told["/_mock/requests"]))
    assert 3 <= told["tape"].count("\n")
    assert not any(found_in(text) for text in told.values()), {name: found_in(text) for name, text in told.items()}


def test_no_secret_is_in_what_is_said_of_a_state_or_an_upstream_that_is_away(tmp_path: Path) -> None:
    for options in (
        ["--workers", "2", "--state", f"redis://me:{STATE}@127.0.0.1:1/0"],
        ["--state", f"redis://me:{STATE}@no-such-host.invalid/0"],
        ["--record", str(tmp_path), "--upstream", f"http://me:{PASSWORD}@127.0.0.1:1"],
        ["--token", f"{SERVER} "],
    ):
        command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", *options]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert (2, []) == (ended.returncode, found_in(ended.stdout + ended.stderr))


def test_no_secret_is_in_what_is_said_of_a_state_that_is_missed_at_work() -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--state", f"redis://me:{STATE}@127.0.0.1:1/0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("listening on ").strip()
    answered = httpx.post(url, json={"inputs": "hi"}, timeout=30)
    process.terminate()
    said = "".join(process.communicate(timeout=30))

    assert (200, []) == (answered.status_code, found_in(said))
    assert 2 <= said.count("does not answer")


def test_what_was_masked_is_found_again_when_it_is_replayed(tmp_path: Path) -> None:
    from mockserver import Config, create_app
    from mockserver.scenario.cassette import Recorder
    from mockserver.scenario.pacing import SystemClock

    body = json.dumps({"inputs": f"my tokens are {HUB} and {KEY}"}).encode()
    headers = {"content-type": "application/json", "x-api-key": KEY}
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"generated_text": HUB}))
    recorder = Recorder(tmp_path / "tape", "http://upstream", SystemClock(), transport=answer)
    recorder.answer("/", body, headers)
    recorder.close()
    replayed = create_app(Config(replay=str(tmp_path / "tape"))).test_client().post("/", data=body, headers=headers)

    assert {"generated_text": "****"} == replayed.get_json()
