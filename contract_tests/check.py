"""The command ``check``: options to Settings, Settings to one run of pytest on the suite, and what is printed of it."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contract_tests.contract_run import ContractRun, make_budget
from contract_tests.deviations import propose_deviations
from contract_tests.endpoint import check_url, is_local, local_fake
from contract_tests.errors import RunError
from contract_tests.options import ABOVE_ZERO, EXISTING, FILE, LONGEST, Finite, apart, judging, reporting
from contract_tests.plugin import RESULT, RUN
from contract_tests.probes import PROBES, PROFILES, Probe
from contract_tests.report.console import print_result
from contract_tests.report.files import check_writable
from contract_tests.settings import Settings, settings_of
from spec.secrets import Masker


@click.command()
@click.argument("url", required=False)
@click.option(
    "--profile", type=click.Choice(list(PROFILES)), help="How much to draw.  [default: standard; quick beyond this machine]"
)
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the token; it is never shown.")
@click.option(
    "--header", "headers", multiple=True, metavar="'K: V'", help="Send this header too; repeatable. Its value is never shown."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of all draws.  [default: a new one, printed]")
@click.option("--jobs", type=click.IntRange(1, 32), metavar="N", default=1, show_default=True, help="Requests at a time.")
@click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Send no more.  [default: 300 beyond this machine]")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), metavar="N", help="Ask for no more.  [default: 20000 beyond this machine]"
)
@click.option("--rate", type=ABOVE_ZERO, metavar="N", help="At most so many requests a second.")
@click.option("--timeout", type=ABOVE_ZERO, metavar="S", default=30.0, show_default=True, help="Seconds for one reply.")
@click.option(
    "--wait", type=Finite(min=0, max=LONGEST), default=0.0, metavar="S", help="Wait so long for a server that is starting."
)
@judging
@reporting
@click.option("--record", type=FILE, help="Write every exchange, one JSON line each; no Authorization in it.")
@click.option("--without", default="", metavar="NAMES", help="What the endpoint is known to lack: parameters, or stream; a,b,c.")
@click.option("--deviations", type=EXISTING, help="TOML file of clauses that are known to fail, each with its reason.")
@click.option("--write-deviations", type=FILE, help="Propose such a file from what this run finds.")
@click.option(
    "--shrink", is_flag=True, help="Send smaller requests until each violation is as small as it gets, within the budget."
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
def check(
    url: str | None,
    token_env: str | None,
    headers: tuple[str, ...],
    seed: int | None,
    profile: str | None,
    without: str,
    deviations: Path | None,
    write_deviations: Path | None,
    dry_run: bool,
    **options: Any,
) -> None:
    """Check an endpoint, or the local fake.

    The endpoint is at URL, which is posted to verbatim; without URL, the fake is started and checked.

    \b
    Exit code: 0 nothing violated, 1 something violated, 2 wrong usage,
    3 the endpoint could not be reached, 4 the suite itself broke.

    \b
    textgen-contract check http://127.0.0.1:8080/models/google/gemma-2-2b-it
    textgen-contract check https://api-inference.huggingface.co/models/google/gemma-2-2b-it --token-env HF_TOKEN --profile quick
    """
    apart(write_deviations=write_deviations, **{form: options[form] for form in ("json", "junit", "html", "markdown", "record")})
    settings = settings_of(
        url="http://127.0.0.1/" if url is None else url,
        profile=profile,
        token_env=token_env,
        headers=headers,
        seed=seed,
        without=without,
        deviations=deviations,
        **options,
    )
    check_writable(write_deviations)
    if dry_run:
        _print_plan(settings)
        return
    with nullcontext(url) if url else local_fake("--dialect", settings.dialect) as address:
        code, result = _check(replace(settings, url=address))
    if write_deviations:
        write_deviations.write_text(propose_deviations(result), encoding="utf-8")
    sys.exit(code)


def _print_plan(settings: Settings) -> None:
    """What each probe would cost at most."""
    from contract_tests.plan import plan

    budget = make_budget(settings, remote=not is_local(check_url(settings.url)))
    table = Table(box=None, pad_edge=False)
    for name in ("requests", "tokens"):
        table.add_column(name, justify="right")
    table.add_column("probe")
    rows = plan(settings, budget)
    for row in rows:
        if row.requests or row.cut:  # others have nothing to send in this dialect
            table.add_row(str(row.requests), str(row.tokens), row.sentence)
    table.add_row(str(budget.requests), str(budget.tokens), "in all, on an endpoint that answers all of it", style="bold")
    Console(width=None if sys.stdout.isatty() else 200).print(table)  # in a file or a pipe a table need not fit a screen
    spent = [row.sentence for row in rows if row.cut and not row.requests]
    if spent:
        smaller = "" if settings.profile == "quick" else ", or take --profile quick"
        click.echo(f"The budget does not reach: {'; '.join(spent)}. Raise --max-requests or --max-tokens{smaller}.")


def _check(settings: Settings) -> tuple[int, dict[str, Any]]:
    """Run pytest on the suite with these settings, print the result, and give it with the exit code."""
    console = Console()
    url = Masker(settings.secrets).text(settings.url)
    console.print(f"checking {url} ({settings.profile}, seed {settings.seed})", soft_wrap=True, highlight=False, markup=False)
    run = ContractRun(settings)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=len(PROBES))

        def advance(probe: Probe, done: int) -> None:
            progress.update(task, completed=done, description=f"{probe.sentence:<50}")

        run.jobs.progress = advance
        stash = _Stash(run)
        code = int(pytest.main(_pytest_arguments(), plugins=[stash]))
    if code == pytest.ExitCode.INTERRUPTED:
        click.echo("textgen-contract: interrupted: nothing is reported.", err=True)
        sys.exit(130)
    if stash.result is None:
        raise RunError(f"pytest ended with {code} before the run did: please report this with the command you used.")
    if run.record is not None and run.record.ended:
        click.echo(f"textgen-contract: {run.record.ended}", err=True)
    print_result(stash.result, console)
    return code, stash.result


class _Stash:
    """Hands the run to pytest, and the result back."""

    def __init__(self, run: ContractRun) -> None:
        self.run = run
        self.result: dict[str, Any] | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[RUN] = self.run

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.result = config.stash.get(RESULT, None)

    def pytest_internalerror(self, excrepr: object) -> None:
        click.echo(f"textgen-contract: the suite itself broke:\n{excrepr}", err=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and "::test_probe[" in report.nodeid:
            click.echo(f"textgen-contract: the suite itself broke:\n{report.longreprtext}", err=True)


def _pytest_arguments() -> list[str]:
    """pytest on the suite alone: no configuration, plugin or conftest of the folder where the user happens to stand."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    folder = str(Path(__file__).parent)
    switched_off = [word for name in ("terminal", "cacheprovider", "faulthandler") for word in ("-p", f"no:{name}")]
    # nothing is captured: the progress bar is drawn while the items run
    return [
        "-c",
        os.devnull,
        "--capture=no",
        "--rootdir",
        folder,
        "-p",
        "contract_tests.plugin",
        *switched_off,
        f"{folder}/test_contract.py",
    ]
