"""The pytest plugin: ``pytest --pyargs contract_tests --endpoint URL``.

It is loaded in every pytest run of everybody who has this package installed, so it imports nothing of the suite until its fixture
is used.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contract_tests.contract_run import ContractRun

RUN: pytest.StashKey[ContractRun] = pytest.StashKey()
"""Where a run stands in pytest's config: put there by ``textgen-contract check``, or made by the fixture."""


OPTIONS: dict[str, dict[str, Any]] = {
    "endpoint": {"metavar": "URL", "help": "check this endpoint; it is posted to verbatim"},
    "endpoint-dialect": {"default": "documented", "metavar": "D", "help": "documented, tgi or hosted"},
    "endpoint-profile": {
        "choices": ("quick", "standard", "deep"),
        "help": "how much to draw; standard, or quick beyond this machine, unless told",
    },
    "endpoint-seed": {"type": int, "metavar": "N", "help": "seed of all draws; a new one, printed, unless told"},
    "endpoint-token-env": {"metavar": "NAME", "help": "environment variable that holds the token"},
    "endpoint-header": {"action": "append", "default": [], "metavar": "'K: V'", "help": "send this header too; repeatable"},
    "endpoint-jobs": {"type": int, "default": 1, "metavar": "N", "help": "requests at a time"},
    "endpoint-max-requests": {"type": int, "metavar": "N", "help": "send no more; 300 beyond this machine unless told"},
    "endpoint-max-tokens": {"type": int, "metavar": "N", "help": "ask for no more; 20000 beyond this machine unless told"},
    "endpoint-rate": {"type": float, "metavar": "N", "help": "at most so many requests a second"},
    "endpoint-timeout": {"type": float, "default": 30.0, "metavar": "S", "help": "seconds for one reply"},
    "endpoint-wait": {"type": float, "default": 0.0, "metavar": "S", "help": "wait so long for a server that is starting"},
    "endpoint-without": {"default": "", "metavar": "NAMES", "help": "what the endpoint is known to lack"},
    "endpoint-deviations": {"type": Path, "metavar": "FILE", "help": "TOML file of clauses that are known to fail"},
    "endpoint-shrink": {"action": "store_true", "help": "send smaller requests until each violation is as small as it gets"},
    "endpoint-strict": {"action": "store_true", "help": "count `should` as failures"},
    "endpoint-json": {"type": Path, "metavar": "FILE", "help": "write results.json"},
    "endpoint-html": {"type": Path, "metavar": "FILE", "help": "write one self-contained HTML page"},
    "endpoint-markdown": {"type": Path, "metavar": "FILE", "help": "write Markdown"},
    "endpoint-record": {"type": Path, "metavar": "FILE", "help": "write every exchange"},
}
"""The options of the command `check`, as pytest has them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("textgen-contract", "the text-generation contract (with --pyargs contract_tests)")
    for name, told in OPTIONS.items():
        group.addoption(f"--{name}", **told)


def _make_run(config: pytest.Config) -> ContractRun:
    from contract_tests.contract_run import ContractRun
    from contract_tests.settings import settings_of

    given = {name.removeprefix("endpoint-").replace("-", "_"): config.getoption(name.replace("-", "_")) for name in OPTIONS}
    return ContractRun(settings_of(url=given.pop("endpoint"), headers=given.pop("header"), **given))


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
