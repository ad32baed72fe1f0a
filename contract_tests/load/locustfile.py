"""What Locust runs: users that visit, exchanges as its figures, and tallies told from its workers to its master.

The order comes in an environment variable; a worker gets it, and the address, from its master.
The only file that imports Locust, which patches the whole process for gevent: nothing else imports this one.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from locust import User, constant_throughput, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import StatsEntry

from contract_tests.budget import Budget
from contract_tests.contract_run import selected
from contract_tests.evidence import Evidence
from contract_tests.exchange import Exchange
from contract_tests.load.order import OUTCOME, VARIABLE, Order
from contract_tests.load.outcome import NOT_UNDER_LOAD, Told, sum_up, tell
from contract_tests.load.visitor import Pack, Visitor, make_pack
from contract_tests.observation import Observation
from contract_tests.settings import read_token

TOLD = "contract"
"""The name of what workers tell their master."""

FIGURES = ("plain", "stream", "first event of a stream", "between events of a stream", "refused")
REQUESTS = ("plain", "stream", "refused")


def listen(hook: Any, listener: Any) -> None:
    """Locust's hooks have no types."""
    hook.add_listener(listener)


class Learnt:
    """What this process has learnt in the present test, and what its workers have told of theirs."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}

    def begin(self, environment: Environment) -> None:
        options = environment.parsed_options
        self.order = Order.from_json(options.contract if options is not None and options.contract else Order().to_json())
        self.pack: Pack = make_pack(self.order)
        chosen = selected(self.order.select, self.order.dialect)
        self.evidence = Evidence({id: clause for id, clause in chosen.items() if id not in NOT_UNDER_LOAD})
        self.budget = Budget()
        self.generated = 0
        self.token = read_token(self.order.token_env) if self.order.token_env else ""
        self.tls = ssl.create_default_context()
        self.numbers = count()

    def tell(self) -> Told:
        spent = {"requests": self.budget.requests, "tokens": self.budget.tokens, "generated": self.generated}
        return {"tallies": tell(self.evidence), "spent": spent}


LEARNT = Learnt()


class Visiting(User):
    """A user of Locust that is a Visitor."""

    def on_start(self) -> None:
        runner, order = self.environment.runner, LEARNT.order
        name = f"{getattr(runner, 'worker_index', 0)}/{next(LEARNT.numbers)}"
        self.visitor = Visitor(
            self.environment.host or "",
            order,
            LEARNT.pack,
            LEARNT.evidence,
            LEARNT.budget,
            self.watch,
            name=name,
            token=LEARNT.token,
            tls=LEARNT.tls,
        )

    def on_stop(self) -> None:
        self.visitor.close()

    def wait_time(self) -> float:
        """Seconds until the next request of this user, so that all together keep the rate."""
        rate = LEARNT.order.rate
        if rate is None:
            return 0.0
        return float(constant_throughput(rate / LEARNT.order.users)(self))

    @task
    def visit(self) -> None:
        self.visitor.visit()

    def watch(self, exchange: Exchange) -> None:
        """Tell Locust how an exchange went."""
        seen = Observation(exchange)
        LEARNT.generated += seen.count or 0 if seen.generated else 0
        name = "refused" if seen.case.faulty else "stream" if seen.asked.stream else "plain"
        self.environment.events.request.fire(
            request_type="POST",
            name=name,
            response_time=exchange.seconds * 1000,
            response_length=len(exchange.content),
            exception=failure_of(seen),
            context={},
        )
        if seen.generated and seen.is_stream:
            arrivals = [event.at for event in seen.decoded.events]
            for name, moments in (
                ("first event of a stream", arrivals[:1]),
                ("between events of a stream", [after - before for before, after in pairwise(arrivals)]),
            ):
                for moment in moments:
                    self.environment.stats.log_request("", name, moment * 1000, 0)


def failure_of(seen: Observation) -> Exception | None:
    """What Locust counts as a failure: no answer, none to a right request, or one that breaks off."""
    if seen.answered or (seen.case.faulty and 400 <= seen.status < 500):
        return None
    return RuntimeError(seen.exchange.failure or f"status {seen.status}")


def add_option(parser: Any) -> None:
    """The order, as an option that Locust's master hands to its workers."""
    parser.add_argument("--contract", env_var=VARIABLE, default="", include_in_web_ui=False, help="What to send, as JSON.")


def prepare(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        environment.runner.register_message(TOLD, lambda msg, **_: LEARNT.told.__setitem__(msg.node_id, msg.data))
    listen(environment.events.quit, lambda exit_code: leave(environment))  # noqa: ARG005 (named by Locust)


def begin(environment: Environment, **_: Any) -> None:
    if not isinstance(environment.runner, MasterRunner):
        LEARNT.begin(environment)


def report(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001 (named by Locust)
    if hasattr(LEARNT, "evidence"):
        data[TOLD] = LEARNT.tell()


def keep(client_id: str, data: dict[str, Any]) -> None:
    if TOLD in data:
        LEARNT.told[client_id] = data[TOLD]


def finish(environment: Environment, **_: Any) -> None:
    """A worker tells the last before it says that it has stopped."""
    if isinstance(environment.runner, WorkerRunner):
        environment.runner.send_message(TOLD, LEARNT.tell())


def leave(environment: Environment) -> None:
    """Write the outcome where the command looks for it; only the process that it started does."""
    runner = environment.runner
    if runner is None or isinstance(runner, WorkerRunner) or OUTCOME not in os.environ:
        return
    told = [*LEARNT.told.values()] if isinstance(runner, MasterRunner) else [LEARNT.tell()]
    outcome = {
        "tallies": sum_up(each["tallies"] for each in told),
        "spent": {name: sum(each["spent"][name] for each in told) for name in ("requests", "tokens", "generated")},
        "processes": len(told),
        "figures": [*figures(runner.stats.entries.values())],
        "broken": [str(row["traceback"]) for row in runner.exceptions.values()],
    }
    Path(os.environ[OUTCOME]).write_text(json.dumps(outcome), encoding="utf-8")


def figures(entries: Any) -> Iterator[dict[str, Any]]:
    """Locust's own figures, in milliseconds, in our order."""
    by_name: dict[str, StatsEntry] = {entry.name: entry for entry in entries}
    for name in FIGURES:
        entry = by_name.get(name)
        if entry is not None and entry.num_requests:
            rate = {"rate": round(entry.total_rps, 2), "failed": entry.num_failures} if name in REQUESTS else {}
            percentiles = {f"p{part}": entry.get_response_time_percentile(part / 100) for part in (50, 90, 99)}
            yield {"name": name, "count": entry.num_requests, **rate, **percentiles, "max": round(entry.max_response_time or 0)}


for hook, listener in (
    (events.init_command_line_parser, add_option),
    (events.init, prepare),
    (events.test_start, begin),
    (events.report_to_master, report),
    (events.worker_report, keep),
    (events.test_stop, finish),
):
    listen(hook, listener)
