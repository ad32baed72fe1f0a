"""The one room beside ``tests/`` that knows both towers: the mock in process, judged by the suite, and the mock on a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # a busy machine is no bug
# in a CI Hypothesis draws the same each time; a test that is to look further each time takes this profile
settings.register_profile("exploring", settings.get_profile("patient"), derandomize=False, print_blob=True)

MODEL_URL = "http://mock.test/models/google/gemma-2-2b-it"

Check = Callable[..., dict[str, Any]]


def check_app(app: Any, *, seed: int = 0, profile: str = "standard", **settings: Any) -> dict[str, Any]:
    """The result of the whole suite on a WSGI app, without a socket."""
    from contract_tests.contract_run import ContractRun
    from contract_tests.settings import Settings

    transport = httpx.WSGITransport(app=app, raise_app_exceptions=False)
    run = ContractRun(Settings(url=MODEL_URL, seed=seed, profile=profile, **settings), transport=transport)
    run.complete()
    return run.finish()


@pytest.fixture(scope="session")
def check_mock() -> Check:
    """Judge the mock, with faults or without: ``check_mock("seed-ignored", seed=1)``."""

    def check(*faults: str, **settings: Any) -> dict[str, Any]:
        from mockserver import Config, create_app

        return check_app(create_app(Config(faults=faults)), **settings)

    return check


@pytest.fixture(scope="session")
def check_wsgi() -> Check:
    """Judge any WSGI app: ``check_wsgi(app, seed=1)``."""
    return check_app


@pytest.fixture(scope="session")
def live_mock() -> Iterator[str]:
    """The address of a model of a mock that runs as a process of its own, as users run it."""
    from contract_tests.endpoint import local_fake

    with local_fake() as url:
        yield url
