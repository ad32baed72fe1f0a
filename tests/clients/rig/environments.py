"""A home for each client, made by the run: a virtual environment by uv, or a folder of npm's. Kept under one folder, and used again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from rig.roster import Client

DRIVERS = Path(__file__).resolve().parent.parent / "drivers"

UNREACHABLE = (
    "failed to fetch", "error sending request", "dns error", "could not connect",  # uv
    "enotfound", "econnrefused", "etimedout", "eai_again", "econnreset", "certificate",  # npm
)  # fmt: skip
"""What an installer says when it cannot reach its registry."""

PATIENCE = 150
"""Seconds that one installation may take."""


class UnavailableError(Exception):
    """This client cannot be had on this machine; the message is the reason."""


class UnreachableError(UnavailableError):
    """Nothing can be had from its registry."""


@dataclass(frozen=True, slots=True)
class Environment:
    """``command`` starts the driver of a client in its own environment."""

    command: tuple[str, ...]


def make_environment(client: Client, home: Path) -> Environment:
    """The environment of ``client`` below ``home``, made where it is not there. Raises UnavailableError."""
    folder = home / blake2b(json.dumps(client.requirements).encode(), digest_size=6).hexdigest()
    done = folder / "made-for.json"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (_install_node if client.in_node else _install_python)(client, folder)
        done.write_text(json.dumps(client.requirements), encoding="utf-8")
    driver = str(DRIVERS / client.driver)
    if client.in_node:
        return Environment((_program("node"), driver, str(folder)))
    return Environment((str(folder / "bin" / "python"), driver, *client.arguments))


def _install_python(client: Client, folder: Path) -> None:
    uv = _program("uv")
    _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder), "--allow-existing")
    _run(uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *client.requirements)


def _install_node(client: Client, folder: Path) -> None:
    _program("node")
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    quick = (
        "--fetch-timeout=20000",
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=1000",
        "--no-audit",
        "--no-fund",
        "--no-save",
    )
    _run(_program("npm"), "install", *quick, "--prefix", str(folder), *client.requirements)


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed here")
    return found


def _run(*command: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environ, check=False)
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{Path(command[0]).name} was not done after {PATIENCE} seconds") from None
    if made.returncode:
        told = (made.stderr or made.stdout).strip()
        if any(word in told.lower() for word in UNREACHABLE):
            raise UnreachableError(f"the registry cannot be reached: {told.splitlines()[-1][:200]}")
        raise AssertionError(f"{' '.join(command)} failed:\n{told}")
