"""The pytest plugin: ``pytest --pyargs contract_tests --endpoint URL``.

It is loaded in every pytest run of everybody who has this package installed, so it imports nothing of the suite until its fixture
is used.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contract_tests.contract_run import ContractRun

RUN: pytest.StashKey[ContractRun] = pytest.StashKey()
"""Where a run stands in pytest's config: put there by ``textgen-contract check``, or made by the fixture."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("textgen-contract", "the text-generation contract (with --pyargs contract_tests)")
    group.addoption("--endpoint", metavar="URL", help="check this endpoint; it is posted to verbatim")
    group.addoption("--endpoint-profile", default="standard", choices=("quick", "standard", "deep"), help="how much to draw")
    group.addoption("--endpoint-seed", type=int, metavar="N", help="seed of all draws; printed when not given")
    group.addoption("--endpoint-token-env", metavar="NAME", help="environment variable that holds the token")
    group.addoption("--endpoint-strict", action="store_true", help="count `should` as failures")
    group.addoption("--endpoint-json", type=Path, metavar="FILE", help="write results.json")


def _make_run(config: pytest.Config) -> ContractRun:
    from contract_tests.contract_run import ContractRun
    from contract_tests.errors import UsageError
    from contract_tests.settings import Settings, fresh_seed, read_token

    url = config.getoption("endpoint")
    if not url:
        raise UsageError("no endpoint was named: add --endpoint URL.")
    token_env, seed = config.getoption("endpoint_token_env"), config.getoption("endpoint_seed")
    return ContractRun(
        Settings(
            url=url,
            profile=config.getoption("endpoint_profile"),
            token=read_token(token_env) if token_env else "",
            seed=fresh_seed() if seed is None else seed,
            strict=config.getoption("endpoint_strict"),
            json=config.getoption("endpoint_json"),
        )
    )


@pytest.fixture(scope="session")
def contract_run(pytestconfig: pytest.Config) -> ContractRun:
    """The run of this session; ends the session with one sentence when there can be none."""
    if RUN not in pytestconfig.stash:
        from contract_tests.errors import RunError

        try:
            pytestconfig.stash[RUN] = _make_run(pytestconfig)
        except RunError as error:
            pytest.exit(str(error), returncode=error.exit_code)
    return pytestconfig.stash[RUN]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End with the run's own exit code, unless a test that is none of ours failed as well."""
    run = session.config.stash.get(RUN, None)
    if run is None or session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return
    from contract_tests.report.result import exit_code

    result = run.finish()
    session.config.stash[RESULT] = result
    code = exit_code(result)
    broken = sum(not _ours(nodeid) for nodeid in session.config.stash.get(FAILED, []))
    probes = sum("::test_probe[" in nodeid for nodeid in session.config.stash.get(FAILED, []))
    session.exitstatus = 4 if probes else code or (1 if broken else 0)


RESULT: pytest.StashKey[dict[str, object]] = pytest.StashKey()
FAILED: pytest.StashKey[list[str]] = pytest.StashKey()


def _ours(nodeid: str) -> bool:
    return "test_contract.py::test_" in nodeid


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.config.stash.setdefault(FAILED, []).append(item.nodeid)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is not None:
        from spec.secrets import Masker

        url = Masker(run.settings.secrets).text(run.settings.url)
        terminalreporter.write_line(f"textgen-contract: {url}, seed {run.settings.seed}")
