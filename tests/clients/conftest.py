"""What the tests of real clients share: their environments, their drivers, the mocks, and the results for the table.

``TEXTGEN_CLIENTS`` names the folder for the environments: without it nothing here runs, for it installs from the registries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rig.driver import Driver
from rig.environments import UnavailableError, UnreachableError, make_environment
from rig.roster import Client
from rig.servers import Mocks
from rig.table import Results


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write docs/clients.md anew, not compare it with what was seen")


@pytest.fixture(scope="session")
def home() -> Path:
    folder = os.environ.get("TEXTGEN_CLIENTS")
    if not folder:
        pytest.skip("TEXTGEN_CLIENTS names no folder for the clients' environments: run tox -e clients")
    return Path(folder)


@pytest.fixture(scope="session")
def drive(home: Path) -> Iterator[Callable[[Client], Driver]]:
    """The running driver of a client; skips where the client cannot be had."""
    with ExitStack() as stack:
        started: dict[str, Driver] = {}
        missing: dict[str | bool, str] = {}  # of one client, or of all that come from one registry

        def driver(client: Client) -> Driver:
            why = missing.get(client.name) or missing.get(client.in_node)
            if client.name not in started and why is None:
                try:
                    started[client.name] = stack.enter_context(Driver(make_environment(client, home)))
                except UnavailableError as error:
                    why = str(error)
                    missing[client.in_node if isinstance(error, UnreachableError) else client.name] = why
            if why is not None:
                pytest.skip(f"{client.name}: {why}")
            return started[client.name]

        yield driver


@pytest.fixture(scope="session")
def mocks() -> Iterator[Mocks]:
    with ExitStack() as stack:
        yield Mocks(stack)


@pytest.fixture(scope="session")
def results() -> Results:
    return Results()
