"""The command ``load``: options to an Order, what Locust leaves to a report and an exit code."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from contract_tests.client import Client
from contract_tests.endpoint import check_reachable, check_url, is_local
from contract_tests.errors import UsageError
from contract_tests.load import command
from contract_tests.load.order import Order
from contract_tests.load.visitor import draw_payloads
from contract_tests.options import ABOVE_ZERO, LONGEST, Finite, apart, judging, reporting
from contract_tests.report.console import print_result
from contract_tests.report.files import write_reports
from contract_tests.report.masking import mask
from contract_tests.report.result import exit_code
from contract_tests.settings import fresh_seed, parse_header, parse_without, read_token
from spec.secrets import Masker, secrets_of_url


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, metavar="URL [LOCUST OPTIONS]", type=click.UNPROCESSED)
@click.option(
    "--users", type=click.IntRange(1, 100_000), metavar="N", help="Users that ask at the same time.  [default: 10; 1 beyond this machine]"
)
@click.option(
    "--rate",
    type=ABOVE_ZERO,
    metavar="N",
    help="Requests a second, of all users together.  [default: as fast as they are answered; 1 beyond this machine]",
)
@click.option("--duration", type=Finite(min=1, max=LONGEST), default=30.0, show_default=True, metavar="S", help="Seconds.")
@click.option("--master", is_flag=True, help="Send nothing, but lead the workers that come.")
@click.option("--worker", is_flag=True, help="Send what the master says, to the address that it says.")
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the token; on each machine.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="Send this header too; repeatable. Never shown.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of all draws.  [default: a new one, printed]")
@click.option("--timeout", type=ABOVE_ZERO, metavar="S", default=30.0, show_default=True, help="Seconds for one reply.")
@click.option("--without", default="", metavar="NAMES", help="What the endpoint is known to lack: parameters, or stream; a,b,c.")
@judging
@reporting
def load(
    words: tuple[str, ...],
    users: int | None,
    rate: float | None,
    duration: float,
    master: bool,
    worker: bool,
    headers: tuple[str, ...],
    seed: int | None,
    without: str,
    strict: bool,
    json: Path | None,
    junit: Path | None,
    html: Path | None,
    markdown: Path | None,
    **options: Any,
) -> None:
    """Put load on an endpoint, and judge every reply.

    Locust (pip install 'textgen-contract[load]') asks the endpoint at URL; streams are judged too.

    Options that are not listed here go to Locust as they are, such as --expect-workers, --master-host, --processes.

    \b
    textgen-contract load http://127.0.0.1:8080/ --users 50 --duration 60
    textgen-contract load http://10.0.0.5/ --master --expect-workers 2 --users 200 --rate 500
    textgen-contract load --worker --master-host 10.0.0.4
    """
    command.check_installed()
    url, passed = command.split_words(words)
    if master and worker:
        raise UsageError("a load is led or followed: give --master or --worker, not both.")
    role = "master" if master else "worker" if worker else None
    if worker and url is not None:
        raise UsageError("a worker learns the address from its master: leave the URL out.")
    if worker:
        command.run_locust(command.locust_command(None, Order(), duration, role, passed), Order(), show=False)
        return
    if url is None:
        raise UsageError("no endpoint was named: textgen-contract load URL.")
    apart(json=json, junit=junit, html=html, markdown=markdown)
    near = is_local(check_url(url))
    seed, absent = fresh_seed() if seed is None else seed, parse_without(without)
    order = Order(
        users=users or (10 if near else 1),
        rate=rate if rate or near else 1.0,
        seed=seed,
        headers=tuple(parse_header(header) for header in headers),
        without=absent,
        payloads=draw_payloads(seed, absent),
        **options,
    )
    token = read_token(order.token_env) if order.token_env else ""
    masker = Masker((token, *(value for _, value in order.headers), *secrets_of_url(url)))
    with closing(Client(url, token=token, headers=order.headers, timeout=order.timeout)) as client:
        check_reachable(client, masker)
    click.echo(f"loading {masker.text(url)} ({order.users} users, {duration:g} s, seed {order.seed})")
    started = time.monotonic()
    outcome = command.run_locust(command.locust_command(url, order, duration, role, passed), order, show=sys.stderr.isatty())
    result = command.result_of(outcome, order, url, started, strict=strict)
    result = mask(result, masker)
    write_reports(result, json=json, junit=junit, html=html, markdown=markdown)
    shown = [clause for clause in result["clauses"] if clause["verdict"] != "skip"]
    print_result({**result, "clauses": shown}, Console())
    Console().print(command.figures_table(result["load"]))
    sys.exit(exit_code(result))
