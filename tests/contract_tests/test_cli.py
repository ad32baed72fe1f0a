"""``textgen-contract`` as a user meets it: exit codes, sentences, files."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "contract_tests", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | (env or {}), check=False)


@pytest.fixture(scope="module")
def html_page() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>hello</title>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def greeting_port() -> Iterator[str]:
    """A port where something speaks that is no HTTP."""

    def greet(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=greet, args=(listener,), daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listener.close()


def is_one_sentence(done: subprocess.CompletedProcess[str]) -> bool:
    return done.stderr.startswith("textgen-contract: ") and done.stderr.count("\n") == 1 and "Traceback" not in done.stdout


def test_a_closed_port_is_one_sentence_and_exit_3(closed_port: str) -> None:
    done = run("check", closed_port)

    assert 3 == done.returncode
    assert is_one_sentence(done), done.stderr
    assert f"{closed_port} could not be reached" in done.stderr


def test_a_server_that_is_starting_is_waited_for(closed_port: str) -> None:
    port = closed_port.rstrip("/").rpartition(":")[2]
    waiting = subprocess.Popen(
        [sys.executable, "-m", "contract_tests", "check", closed_port, "--wait", "60", "--profile", "quick", "--select", "reply.json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert waiting.stdout is not None
    assert waiting.stdout.readline().startswith(f"checking {closed_port}")  # by now it waits
    server = subprocess.Popen([sys.executable, "-m", "mockserver", "serve", "--port", port], stdout=subprocess.DEVNULL)
    try:
        told, _ = waiting.communicate(timeout=120)
    finally:
        server.terminate()
        server.wait(20)

    assert 0 == waiting.returncode, told


def test_a_port_that_speaks_no_http_is_one_sentence_and_exit_3(greeting_port: str) -> None:
    done = run("check", greeting_port)

    assert 3 == done.returncode
    assert is_one_sentence(done), done.stderr


def test_an_html_page_is_one_sentence_and_exit_3(html_page: str) -> None:
    done = run("check", html_page)

    assert 3 == done.returncode
    assert is_one_sentence(done), done.stderr
    assert "HTML" in done.stderr


@pytest.mark.parametrize("url", ["example", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/"])
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    done = run("check", url)

    assert 2 == done.returncode
    assert is_one_sentence(done), done.stderr


def test_a_token_that_is_not_set_is_wrong_usage(live_mock: str) -> None:
    done = run("check", live_mock, "--token-env", "NO_SUCH_TOKEN")

    assert 2 == done.returncode
    assert "`NO_SUCH_TOKEN` is not set" in done.stderr


def test_a_clean_endpoint_passes_and_every_report_is_written(live_mock: str, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("results.json", "junit.xml", "exchanges.jsonl")]
    secret = "hf_a_secret_of_this_test"
    done = run(
        *("check", live_mock, "--profile", "quick", "--seed", "7", "--token-env", "SOME_TOKEN", "--header", f"x-team: {secret}"),
        *("--json", files[0], "--junit", files[1], "--record", files[2]),
        env={"SOME_TOKEN": secret},
    )
    result = json.loads(Path(files[0]).read_text())

    assert 0 == done.returncode, done.stdout
    assert (1, 7, "pass") == (result["schema"], result["seed"], result["summary"]["verdict"])
    assert {"requests", "tokens", "seconds"} == result["spent"].keys()
    assert len(result["clauses"]) == len(ET.parse(files[1]).getroot().findall(".//testcase"))
    assert result["spent"]["requests"] == len(Path(files[2]).read_text().splitlines())
    assert [file for file in files if secret in Path(file).read_text()] == []
    assert secret not in done.stdout + done.stderr


def test_each_clause_has_one_line_in_the_pages_order(live_mock: str) -> None:
    done = run("check", live_mock, "--profile", "quick", "--select", "stream.index", "--select", "reply.object")

    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  ok")]
    assert ["reply.object", "stream.index.type", "stream.index.counts"] == lines


def unasked_seeds(record: Path) -> list[str]:
    """The bodies that were sent, sorted, since some are sent at the same time; without a seed that the server itself had told."""
    told, bodies = set(), []
    for line in record.read_text().splitlines():
        exchange = json.loads(line)
        body = exchange["request"]["body"]
        parameters = body.get("parameters") if isinstance(body, dict) else None
        if isinstance(parameters, dict) and json.dumps(parameters.get("seed")) in told:
            parameters["seed"] = "as told"
        elif not isinstance(parameters, dict) or "seed" not in parameters:
            told |= set(re.findall(r'\\"seed\\":(\d+)', json.dumps(exchange["response"])))
        bodies.append(json.dumps(body))
    return sorted(bodies)


def test_the_same_seed_sends_the_same_requests(live_mock: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("check", live_mock, "--profile", "quick", "--seed", "3", "--record", str(tmp_path / name))

    assert unasked_seeds(tmp_path / "a") == unasked_seeds(tmp_path / "b")


def test_a_spent_budget_is_told_and_is_no_pass(live_mock: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    run("check", live_mock, "--max-requests", "9", "--json", str(file))
    result = json.loads(file.read_text())

    assert 9 == result["spent"]["requests"]
    assert 50 < result["summary"]["skip"]
    assert any("the budget of 9 requests is spent" in clause["reason"] for clause in result["clauses"])


def test_no_clause_selected_is_wrong_usage(live_mock: str) -> None:
    done = run("check", live_mock, "--select", "nonsense")

    assert 2 == done.returncode
    assert "no clause begins with nonsense" in done.stderr


def test_clauses_are_listed_by_prefix() -> None:
    rows = json.loads(run("clauses", "stream.index", "--json").stdout)

    assert ["stream.index.type", "stream.index.counts"] == [row["id"] for row in rows]
    assert {"id", "level", "basis", "sentence", "source"} == rows[0].keys()


def test_at_least_thirty_clauses() -> None:
    assert len(json.loads(run("clauses", "--json").stdout)) >= 30


def test_a_violation_says_statement_expected_actual_and_how_to_repeat_it() -> None:
    from contract_tests.endpoint import local_fake

    with local_fake("--fault", "stream-index-from-0") as url:
        done = run("check", url, "--profile", "quick")
    told = done.stdout[done.stdout.index("\nstream.index.counts (") :].splitlines()

    assert 1 == done.returncode
    assert [line.split(":")[0].strip() for line in told[2:6]] == ["statement", "expected", "actual", "repeat"]
    assert f"curl -sS -N -X POST {url}" in told[5]


def test_pytest_runs_the_suite_too(live_mock: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--pyargs",
        "contract_tests",
        "--endpoint",
        live_mock,
        "--endpoint-profile",
        "quick",
        "-q",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)

    assert 0 == done.returncode, done.stdout
    assert "passed" in done.stdout


@pytest.mark.parametrize("option", ["--json", "--junit", "--html", "--markdown", "--record", "--write-deviations"])
def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(closed_port: str, tmp_path: Path, option: str) -> None:
    done = run("check", closed_port, option, str(tmp_path / "no" / "such" / "file"))

    assert 2 == done.returncode
    assert is_one_sentence(done), done.stderr
    assert "there is no folder" in done.stderr


def test_pytest_takes_the_options_of_the_command(live_mock: str, tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text('[[deviation]]\nclause = "reply.list"\nwhy = "another dialect"\n')
    options = {
        "dialect": "tgi", "profile": "quick", "seed": "3", "jobs": "2", "max-requests": "40", "without": "stream,grammar",
        "header": "x-team: search", "deviations": "known.toml", "json": "r.json", "html": "r.html", "markdown": "r.md", "record": "r.jsonl",
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--endpoint-{name}", value)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "contract_tests", "--endpoint", live_mock, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    result = json.loads((tmp_path / "r.json").read_text())

    assert done.returncode in (0, 1), done.stdout
    assert ("tgi", 3, 40) == (result["endpoint"]["dialect"], result["seed"], result["spent"]["requests"])
    assert ["grammar", "stream"] == result["endpoint"]["capabilities"]["without"]
    assert 40 == len((tmp_path / "r.jsonl").read_text().splitlines())
    assert all((tmp_path / name).stat().st_size for name in ("r.html", "r.md"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--endpoint-dialect", "klingon"), "`klingon` is no dialect"),
        (("--endpoint-jobs", "0"), "jobs is 0: give a number above zero"),
        (("--endpoint-without", "vowels"), "`vowels` cannot be left out"),
        (("--endpoint-deviations", "none.toml"), "none.toml is no TOML file"),
        (("--endpoint-json", "none/r.json"), "there is no folder none"),
    ],
)
def test_pytest_tells_wrong_options_in_a_sentence(live_mock: str, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    command = [sys.executable, "-m", "pytest", "--pyargs", "contract_tests", "--endpoint", live_mock, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)

    assert 2 == done.returncode
    assert told in done.stdout


def test_pytest_without_an_endpoint_is_wrong_usage(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--pyargs", "contract_tests"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)

    assert 2 == done.returncode
    assert "add --endpoint URL" in done.stdout


def test_pytest_on_a_closed_port_ends_with_3(closed_port: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--pyargs", "contract_tests", "--endpoint", closed_port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)

    assert 3 == done.returncode
    assert "could not be reached" in done.stdout


@pytest.mark.parametrize("header", ["no colon", "x y: 1", ": 1", "x-team: żółć", "x-team: a\nb"])
def test_a_header_that_cannot_be_sent_is_wrong_usage(live_mock: str, header: str) -> None:
    done = run("check", live_mock, "--header", header)

    assert 2 == done.returncode
    assert is_one_sentence(done), done.stderr
    assert "żółć" not in done.stderr


def test_a_violation_is_replayed_and_an_endpoint_that_is_gone_is_3(closed_port: str, tmp_path: Path) -> None:
    from contract_tests.endpoint import local_fake

    results = str(tmp_path / "results.json")
    with local_fake("--fault", "stream-index-from-0") as url:
        run("check", url, "--profile", "quick", "--dialect", "tgi", "--seed", "7", "--json", results)
        again = run("replay", results, "stream.index.counts", url, "--header", "x-team: search")
    gone = run("replay", results, "stream.index.counts", closed_port)

    assert 1 == again.returncode
    assert "seed 7" in again.stdout
    assert 3 == gone.returncode
    assert is_one_sentence(gone), gone.stderr


def test_a_violation_says_what_the_ledger_knows_of_it(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    event = {"token": {"id": 5, "text": " a", "logprob": -0.5, "special": False}, "generated_text": " a", "details": None}
    response = {"status": 200, "headers": {"content-type": "text/event-stream"}, "body": f"data: {json.dumps(event)}\n\n"}
    line = {"request": {"url": "http://x.test/", "headers": {}, "body": {"inputs": "x", "stream": True}}, "response": response}
    record.write_text(json.dumps(line))
    done = run("judge", str(record), "--select", "stream.index.type")

    assert 1 == done.returncode
    assert "  known:     text-generation-inference tells it since 2023: hosted replies recorded before lack it" in done.stdout
