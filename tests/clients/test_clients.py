"""Each client does each action against the mock of each dialect, and shows its user what was on the wire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rig.actions import ACTIONS, ASK
from rig.desk import Desk
from rig.driver import Driver
from rig.environments import UnavailableError, make_environment
from rig.faults import GOOD, TRIALS, Trial, try_out
from rig.judging import SAYS, judge_answer, judge_end, judge_error
from rig.roster import CLIENTS, STATUS_CLIENT, Client
from rig.servers import Mocks
from rig.table import Results, mask_versions, render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"

OPTIONS = {"old-frames": ("--frames", "tight"), "loading": ("--cold", "3600"), "wait": ("--cold", "0.4")}
"""How the mock is started for an action, beside its dialect."""

Drive = Callable[[Client], Driver]

CASES = [
    pytest.param(client, dialect, action.name, id=f"{client.name}-{dialect}-{action.name}")
    for client in CLIENTS
    for dialect in client.dialects
    for action in ACTIONS
    if not (dialect == "tgi" and action.name in ("loading", "wait"))  # no front door tells that a model is loading
]


@pytest.mark.parametrize(("client", "dialect", "action"), CASES)
def test_a_client_shows_what_was_on_the_wire(
    client: Client, dialect: str, action: str, drive: Drive, mocks: Mocks, results: Results
) -> None:
    driver = drive(client)
    results.versions[client.name] = driver.versions
    desk = Desk(driver, mocks("--dialect", dialect, *OPTIONS.get(action, ())))
    outcome = desk.ask(action)
    if outcome.cannot is not None:
        mark = results.refuse(client, action, outcome.cannot)
    elif action in SAYS:
        mark = judge_error(client, action, outcome)
        results.errors[client.name, action] = outcome.error
    elif action == "end":
        mark = judge_end(client, outcome, desk.wire(desk.sent()))
    else:
        sent = desk.sent()
        mark = judge_answer(client, action, outcome, sent, desk.wire(sent))
    results.mark(client, action, mark)


@pytest.mark.parametrize(
    "client", [client for client in CLIENTS if "documented" not in client.dialects], ids=lambda client: client.name
)
def test_a_client_that_wants_a_list_is_told_so_by_its_own_exception(client: Client, drive: Drive, mocks: Mocks) -> None:
    outcome = Desk(drive(client), mocks("--dialect", "documented")).ask("plain")

    assert "builtins.KeyError" == outcome.error


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_fault_breaks_a_client(client: Client, drive: Drive, mocks: Mocks, results: Results) -> None:
    fault, action, shows = client.breaks
    driver, dialect = drive(client), client.dialects[-1]
    whole = Desk(driver, mocks("--dialect", dialect)).ask(action)
    broken = Desk(driver, mocks("--dialect", dialect, "--fault", fault)).ask(action)

    assert whole.error is None
    seen = broken.error or next(name for name in ("pieces", "details", "text") if getattr(broken, name) != getattr(whole, name))
    assert shows == seen
    results.broken[client.name] = f"`{seen}`" if broken.error else f"other {seen} than before"


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.fault)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_under_a_fault(client: Client, trial: Trial, drive: Drive, mocks: Mocks, results: Results) -> None:
    came = try_out(drive(client), mocks("--dialect", client.dialects[-1]), trial)

    results.tried[client.name, trial.fault] = came
    if trial.gentle:
        assert GOOD == came
    assert "other text" != came


@pytest.mark.parametrize(("options", "loaded", "state"), [((), True, "Loaded"), (("--cold", "3600"), False, "Loadable")])
def test_an_old_client_asks_how_a_model_is(options: tuple[str, ...], loaded: bool, state: str, home: Path, mocks: Mocks) -> None:
    try:
        environment = make_environment(STATUS_CLIENT, home)
    except UnavailableError as error:
        pytest.skip(str(error))
    mock = mocks("--dialect", "hosted", *options)
    mock.control("reset", {})
    with Driver(environment, HF_INFERENCE_ENDPOINT=mock.root) as driver:
        told = driver.ask(**ASK, action="status").details

    assert (loaded, state) == (told["loaded"], told["state"])


def test_the_page_tells_what_was_seen(results: Results, pytestconfig: pytest.Config) -> None:
    if not results.complete():
        pytest.skip("not every client was here to be seen, so the page is not compared")
    page = render(results)
    if pytestconfig.getoption("--write-table"):
        PAGE.write_text(page, encoding="utf-8")

    assert mask_versions(page) == mask_versions(PAGE.read_text(encoding="utf-8"))
