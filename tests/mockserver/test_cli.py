"""The command line: options, lists, mistakes."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mockserver.serving
from mockserver import create_app
from mockserver.cli import main
from mockserver.config import Config
from mockserver.engine.vocabulary import Vocabulary
from mockserver.scenario.faults import FAULTS, faults_of_dialect, faults_that_break


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs that would have been served."""
    configs: list[Config] = []
    monkeypatch.setattr(mockserver.serving, "serve", configs.append)
    return configs


def test_without_options_the_defaults_are_served(served: list[Config]) -> None:
    assert run("serve").exit_code == 0
    assert served == [Config()]


def test_every_option_reaches_the_config(served: list[Config]) -> None:
    expected: dict[str, Any] = {
        "host": "0.0.0.0",
        "port": 0,
        "dialect": "documented",
        "models": ("a/b", "c"),
        "seed": 7,
        "workers": 2,
        "faults": ("reply-list", "seed-constant@0.5"),
        "ttft": 300.0,
        "itl": 20.0,
        "jitter": 5.0,
        "unknown_parameters": "refuse",
        "max_input_tokens": 10,
        "max_total_tokens": 20,
        "max_best_of": 3,
        "max_stop_sequences": 1,
        "max_top_n_tokens": 9,
    }
    arguments = []
    for name, value in expected.items():
        flag = {"models": "--model", "faults": "--fault"}.get(name, f"--{name.replace('_', '-')}")
        arguments += [part for each in (value if isinstance(value, tuple) else (value,)) for part in (flag, str(each))]

    assert run("serve", *arguments).output == ""
    assert served == [Config(**expected)]


def test_the_longest_prompt_follows_a_smaller_total(served: list[Config]) -> None:
    run("serve", "--max-total-tokens", "100")

    assert served == [Config(max_total_tokens=100, max_input_tokens=99)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "seed-ignore"], "there is no fault called 'seed-ignore': did you mean seed-ignored"),
        (["--fault", "seed-ignored@2"], "a probability is from 0 to 1"),
        (["--ttft", "-1"], "--ttft"),
        (["--script", "/no/such/file"], "/no/such/file: No such file"),
        (["--record", "a.jsonl"], "go together"),
        (["--replay", "/no/such/file"], "/no/such/file: No such file"),
        (["--max-input-tokens", "100", "--max-total-tokens", "50"], "must be less than max_total_tokens (50)"),
        (["--model", ""], "a model id is not empty"),
        (["--port", "99999"], "--port"),
        (["--dialect", "other"], "--dialect"),
        (["--unknown-parameters", "maybe"], "--unknown-parameters"),
        (["--no-such"], "--no-such"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_2(served: list[Config], arguments: list[str], words: str) -> None:
    result = run("serve", *arguments)

    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output
    assert served == []


@pytest.mark.parametrize(("option", "level"), [((), "must"), (("--should",), "should")])
def test_faults_are_listed_with_their_statements(option: tuple[str, ...], level: str) -> None:
    lines = run("faults", *option).output.splitlines()

    assert [line.split()[:2] for line in lines] == [[fault.name, fault.statement] for fault in faults_that_break(level)]


@pytest.mark.parametrize(("option", "level"), [((), "must"), (("--should",), "should")])
def test_faults_can_be_read_by_programs(option: tuple[str, ...], level: str) -> None:
    rows = json.loads(run("faults", "--json", *option).output)

    assert rows == [
        {"name": fault.name, "statement": fault.statement, "sentence": fault.sentence} for fault in faults_that_break(level)
    ]


def test_faults_of_a_dialect_are_listed_apart() -> None:
    rows = json.loads(run("faults", "--json", "--dialect", "hosted").output)

    assert {row["name"] for row in rows} == {fault.name for fault in faults_of_dialect("hosted")}
    assert run("faults", "--dialect", "tgi", "--should").exit_code == 2


def test_each_fault_of_a_statement_is_in_one_list() -> None:
    assert sorted(FAULTS, key=str) == sorted([*faults_that_break("must"), *faults_that_break("should")], key=str)


def test_the_version_is_told() -> None:
    assert run("--version").output.startswith("textgen-mock ")


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["-h"]])
def test_help_has_examples(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert "textgen-mock serve" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--engine", "checkpoint"), "go together"),
        (("--checkpoint", "/no/such/folder"), "go together"),
        (("--engine", "checkpoint", "--checkpoint", "/no/such/folder"), "/no/such/folder is no folder"),
    ],
)
def test_a_checkpoint_that_cannot_be_is_one_sentence(arguments: tuple[str, ...], words: str, served: list[Config]) -> None:
    done = run("serve", *arguments)

    assert (2, []) == (done.exit_code, served)
    assert words in done.output
    assert "Traceback" not in done.output


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
@pytest.mark.parametrize("device", ["torch", "cuda"])
def test_a_device_without_its_library_is_one_sentence_with_the_install_command(device: str, served: list[Config]) -> None:
    done = run("serve", "--device", device)

    assert (2, []) == (done.exit_code, served)
    assert 'pip install "textgen-contract[torch]"' in done.output


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_torch_on_the_processor_is_a_device(served: list[Config]) -> None:
    assert (0, "torch") == (run("serve", "--device", "torch").exit_code, served[0].device)


@pytest.mark.parametrize("watermark", [True, False])
def test_watermarked_text_of_100_tokens_is_told_from_ordinary_text(watermark: bool) -> None:
    """Replies as they come, joined until they are long enough."""
    client = create_app(Config()).test_client()
    scores = []
    for prompt in ("The weather today", "Write a story about a fox.", "I love"):
        text, seed = "", 0
        while len(Vocabulary.shipped().encode(text)) < 100:
            parameters = {"do_sample": True, "seed": seed, "watermark": watermark}
            text += client.post("/", json={"inputs": prompt, "parameters": parameters}).get_json()["generated_text"]
            seed += 1
        scores.append(float(run("watermark", text).output.split()[2]))

    assert [watermark] * 3 == [score > 4 for score in scores], scores


def test_a_watermark_is_found_more_surely_where_the_prompts_are_told() -> None:
    """Five replies: joined, apart, and each after its prompt."""
    client = create_app(Config()).test_client()
    prompts = ("Once upon a time", "She opened the door", "Hello", "The old man walked", "Dear friend,")
    texts = []
    for prompt in prompts:
        parameters = {"do_sample": True, "seed": 1, "watermark": True}
        texts.append(client.post("/", json={"inputs": prompt, "parameters": parameters}).get_json()["generated_text"])

    def score(*arguments: str) -> float:
        return float(run("watermark", *arguments).output.split()[2])

    told = [argument for prompt in prompts for argument in ("--prompt", prompt)]
    assert 4 < score("".join(texts)) < score(*texts) < score(*told, *texts)


def test_one_prompt_is_that_of_all_texts() -> None:
    texts = ("The dog saw a cat.", "We went home.")

    assert run("watermark", "--prompt", "a", "--prompt", "a", *texts).output == run("watermark", "--prompt", "a", *texts).output


def test_prompts_must_be_as_many_as_the_texts() -> None:
    done = run("watermark", "--prompt", "a", "--prompt", "b", "one", "two", "three")

    assert 2 == done.exit_code
    assert "2 prompts for 3 texts: give one for all of them, or one for each" in done.output


def test_a_text_too_short_for_a_watermark_is_one_sentence() -> None:
    done = run("watermark", "a")

    assert 2 == done.exit_code
    assert "give a longer one" in done.output


@pytest.mark.parametrize("text", ["The weather today is cold and grey.", "The dog saw the cat. " * 60])
def test_a_text_that_says_too_little_is_not_said_to_have_no_watermark(text: str) -> None:
    """A short one, and a long one that goes in circles."""
    done = run("watermark", text)

    assert 0 == done.exit_code
    assert "too short to tell: it takes about 100 tokens" in done.output


def test_ordinary_prose_of_100_tokens_has_no_watermark() -> None:
    prose = Path(__file__).parents[2].joinpath("CONTRIBUTING.md").read_text()

    assert "no watermark found" in run("watermark", prose).output


def test_desk_options_reach_the_config(served: list[Config], tmp_path: Path) -> None:
    script = tmp_path / "a.yaml"
    script.write_text("rules:\n  - {prompt: ping, reply: pong}\n")

    assert run("serve", "--script", str(script), "--strict", "--no-control").output == ""
    assert served == [Config(script=str(script), strict=True, control=False)]


def test_a_script_for_a_model_that_is_not_served_is_not_served(served: list[Config], tmp_path: Path) -> None:
    script = tmp_path / "a.yaml"
    script.write_text("rules:\n  - {model: other, reply: pong}\n")
    done = run("serve", "--script", str(script))

    assert (2, []) == (done.exit_code, served)
    assert 'none of the models served here is "other"' in done.output


def test_lint_says_what_is_wrong_where(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("rules:\n  - {prompt: ping, reply: pong}\n")
    bad.write_text("rules:\n  - {promt: ping, reply: pong}\n")
    done = run("lint", str(good), str(bad))

    assert done.exit_code == 1
    assert f"{good}: 1 rules" in done.output
    assert f"{bad}:2:5: rules[0]: " in done.output


def test_lint_prints_the_schema() -> None:
    assert "rules" in json.loads(run("lint", "--schema").output)["properties"]


def test_lint_wants_a_file() -> None:
    assert run("lint").exit_code == 2


def test_network_faults_are_listed_apart() -> None:
    assert "stream-cut-off" in run("faults", "--network").output
    assert "stream-cut-off" not in run("faults").output
