"""The examples, run as their readers run them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mockserver.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not here")


def test_the_tests_of_the_summariser_pass(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "summarise", tmp_path / "summarise")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)

    assert 0 == done.returncode, done.stdout
    assert "10 passed" in done.stdout


def test_the_app_runs_by_itself(tmp_path: Path, live_mock: str) -> None:
    command = [sys.executable, str(EXAMPLES / "summarise" / "summariser.py"), live_mock]
    done = subprocess.run(command, input="A small book.", cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.strip()


def test_the_compose_file_starts_what_there_is() -> None:
    """No image is built here; the command, the script and the mounted folder are held against the program and the files."""
    services = yaml.safe_load((EXAMPLES / "ci" / "compose.yaml").read_text())["services"]
    options = {word for word in services["mock"]["command"] if word.startswith("--")}
    known = {flag for option in main.commands["serve"].params for flag in option.opts}

    assert options <= known
    assert (EXAMPLES / "ci" / services["mock"]["build"]["context"] / services["mock"]["build"]["dockerfile"]).is_file()
    for service in services.values():
        for volume in service["volumes"]:
            assert (EXAMPLES / "ci" / volume.split(":")[0]).exists()


def test_the_script_of_the_compose_file_is_right() -> None:
    told = CliRunner().invoke(main, ["lint", str(EXAMPLES / "ci" / "answers.yaml")])

    assert (0, 0) == (told.exit_code, told.output.count("can never"))
    assert "2 rules" in told.output
