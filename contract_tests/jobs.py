"""The probes of a run, one after the other or several at a time. What is sent and found is the same, however many jobs there are.

Each probe draws from a generator of its own and fills an evidence of its own; these are put together in the order of the probes.
Only where a budget ends a run, how far each probe came depends on how they took turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from contract_tests.budget import BudgetSpent
from contract_tests.evidence import Evidence
from contract_tests.probes import PROBES, Probe, Run

ALONE = frozenset({"example", "concurrency", "disconnect"})
"""Probes that are sent while nothing else is: the first meets the endpoint, others watch what happens at the same time."""

MAIN = frozenset({"generated", "twins"})
"""Probes that are sent on the main thread, which is one of the jobs.

Hypothesis parses Python when it draws, and Schemathesis imports the rest of itself when it is used: two threads that do so at a time
would not survive under pytest (CPython 3.11: "AST constructor recursion depth").
"""

TEACHES = "parameters"
"""The probe that learns which parameters the endpoint refuses."""

UNTAUGHT = frozenset({"faulty-fields", "faulty-parameters", "hostile"})
"""Probes that do not ask what it learned, and so may be sent while it learns."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A probe that was sent: what it found, and why it was not sent to its end, "" when it was; ``broken`` when the suite broke."""

    evidence: Evidence
    ending: str = ""
    broken: BaseException | None = None


class Jobs:
    """Sends the probes of ``run``, up to ``count`` at a time, and puts what they find into its evidence."""

    def __init__(self, run: Run, count: int, progress: Callable[[Probe, int], None] = lambda *_: None) -> None:
        self.ending = ""
        self.progress = progress
        self._run = run
        self._count = count
        self._pending = list(PROBES)
        self._sent: dict[str, Sent] = {}
        self._told: set[str] = set()

    def send(self, probe: Probe) -> str:
        """Send one probe, or with several jobs all of them, if that was not done yet; why it was not sent to its end.

        Raises once what a probe raised: then the suite itself broke.
        """
        if probe in self._pending:
            try:
                for some in _stages(self._pending) if self._count > 1 else ([probe],):
                    if not self.ending:
                        self._send_at_once(some)
            finally:
                self._put_together()
        sent = self._sent.get(probe.name)
        if sent is None:
            return self.ending
        if sent.broken is not None and probe.name not in self._told:
            self._told.add(probe.name)
            raise sent.broken
        return sent.ending

    def complete(self) -> None:
        """Send whatever was not sent yet."""
        for probe in PROBES:
            self.send(probe)

    def _send_at_once(self, probes: Sequence[Probe]) -> None:
        with ThreadPoolExecutor(max(1, self._count - 1), thread_name_prefix="probe") as pool:
            others = [probe for probe in probes if len(probes) > 1 and probe.name not in MAIN]
            futures = {probe.name: pool.submit(self._send_one, probe) for probe in others}
            try:
                # first what only this thread may send, then whatever nobody has begun
                found = {
                    probe.name: self._send_one(probe)
                    for probe in sorted(probes, key=others.__contains__)
                    if probe not in others or futures[probe.name].cancel()
                }
                found |= {name: future.result() for name, future in futures.items() if name not in found}
            except BaseException:  # an interrupt: what is under way ends with its next request
                self._run.client.budget.max_requests = 0
                raise
        for probe in probes:
            self._sent[probe.name] = found[probe.name]
            self.ending = self.ending or found[probe.name].ending

    def _put_together(self) -> None:
        """What was found since, in the order of the probes and not in that of the stages."""
        for probe in [probe for probe in self._pending if probe.name in self._sent]:
            self._pending.remove(probe)
            self._run.evidence.merge(self._sent[probe.name].evidence)

    def _send_one(self, probe: Probe) -> Sent:
        mine = Evidence({id: tally.clause for id, tally in self._run.evidence.tallies.items()})
        self.progress(probe, len(self._sent))
        try:
            probe.send(replace(self._run, evidence=mine))
        except BudgetSpent as ending:
            return Sent(mine, str(ending))
        except Exception as error:
            return Sent(mine, broken=error)
        return Sent(mine)


def _stages(probes: Sequence[Probe]) -> Iterator[list[Probe]]:
    """Probes that may be sent at the same time, those that must be alone each by itself; most wait for what is learned."""
    teaching = [probe for probe in probes if probe.name in UNTAUGHT | {TEACHES}]
    alone = [probe for probe in probes if probe.name in ALONE]
    yield from ([probe] for probe in alone if probe is PROBES[0])
    yield teaching
    yield [probe for probe in probes if probe not in teaching and probe not in alone]
    yield from ([probe] for probe in alone if probe is not PROBES[0])
