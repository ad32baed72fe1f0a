"""One user of a load: asks what a pack of requests holds, plain and as a stream, right and wrong, and has each reply judged.

A reply is also compared with the first one to the same request: load must change nothing but the time.
Knows no Locust: what watches the exchanges is handed in.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from contract_tests import strategies
from contract_tests.budget import Budget
from contract_tests.client import Client, asked_to_wait
from contract_tests.deadline import DeadlineTransport
from contract_tests.drawing import drawn
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Exchange
from contract_tests.load.order import Order
from contract_tests.observation import Observation
from contract_tests.probes.run import Run
from contract_tests.probes.twins import relate_twins

DRAWS = 40
"""Right requests of a pack, each sent plain and as a stream."""

WRONG_OF_EACH = 2
"""Wrong requests of a pack for each parameter."""

WRONG_SHARE = 0.1
"""How many of the requests are wrong ones."""

Watch = Callable[[Exchange], None]


@dataclass(slots=True)
class Pack:
    """What the users of one process send, and the first reply to each right request, by its place and whether it is a stream."""

    payloads: tuple[dict[str, Any], ...]
    wrong: list[Case]
    first: dict[tuple[int, bool], Observation] = field(default_factory=dict)


def draw_payloads(seed: int, without: Collection[str]) -> tuple[dict[str, Any], ...]:
    """The right requests of a load."""
    number = random.Random(f"{seed}/load").getrandbits(64)  # noqa: S311 (draws of tests, no secret)
    return tuple(drawn(strategies.repeatable_payloads(without=without), DRAWS, number))


def make_pack(order: Order) -> Pack:
    """What is sent under an order."""
    of_parameters = (
        islice(strategies.faulty_parameters(name), WRONG_OF_EACH) for name in strategies.parameters() if name not in order.without
    )
    wrong = [*strategies.faulty_fields(), *chain.from_iterable(of_parameters), *strategies.hostile_bodies()]
    return Pack(order.payloads, wrong)


class WatchedClient(Client):
    """A client that shows each exchange as it ends, those too that only ask it to wait."""

    def __init__(self, url: str, watch: Watch, **keywords: Any) -> None:
        super().__init__(url, **keywords)
        self._watch = watch

    def _send_once(self, case: Case, *, stay: bool = True, timeout: float | None = None) -> Exchange:
        exchange = super()._send_once(case, stay=stay, timeout=timeout)
        self._watch(exchange)
        return exchange


class LoadRun(Run):
    """A run in which a server may still have too much to do when patience ends: that reply is not judged."""

    def send(self, case: Case) -> Observation:
        exchange = self.client.send(case)
        return Observation(exchange) if asked_to_wait(exchange) is not None else self.evidence.observe(exchange)


class Visitor:
    """``tls`` is shared by all users of a process, since making one takes longer than a request."""

    def __init__(
        self,
        url: str,
        order: Order,
        pack: Pack,
        evidence: Evidence,
        budget: Budget,
        watch: Watch,
        *,
        name: str,
        token: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        transport = DeadlineTransport(connections=1, context=tls)
        client = WatchedClient(
            url, watch, token=token, headers=order.headers, timeout=order.timeout, budget=budget, transport=transport
        )
        self._run = LoadRun(client, evidence, order.seed, without=frozenset(order.without))
        self._pack = pack
        self._choose = self._run.random(name)

    def close(self) -> None:
        self._run.client.close()

    def visit(self) -> None:
        """Send one request and judge what comes; where it is not what it was before, ask again to see whether that is usual."""
        if self._choose.random() < WRONG_SHARE:
            self._run.send(self._choose.choice(self._pack.wrong))
            return
        place = self._choose.randrange(len(self._pack.payloads))
        stream = "stream" not in self._run.without and self._choose.random() < 0.5
        seen = self._run.ask({**self._pack.payloads[place], "stream": stream})
        if not seen.generated:
            return
        first = self._pack.first.setdefault((place, stream), seen)
        if first is not seen:
            self._run.compare("among-others", first, seen)
        twin = self._pack.first.get((place, not stream))
        if twin is not None:
            plain, streamed = (twin, seen) if stream else (seen, twin)
            relate_twins(self._run, plain, streamed)
