"""A whole run, from settings to result: opens the client, sends the probes in order, writes the reports.

pytest drives it item by item (``test_contract.py``); it knows nothing of pytest.
"""

from __future__ import annotations

import time
from typing import Any

import httpx

from contract_tests.budget import Budget
from contract_tests.clauses import Clause, clauses_of
from contract_tests.client import Client
from contract_tests.endpoint import check_reachable, check_url, is_local
from contract_tests.errors import UnreachableError, UsageError
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Exchange
from contract_tests.jobs import Jobs
from contract_tests.probes import PROFILES, Probe, Run
from contract_tests.probes.run import UNANSWERED
from contract_tests.record import Record
from contract_tests.report.files import FORMS, check_writable, write_reports
from contract_tests.report.masking import mask
from contract_tests.report.result import Spent, make_result
from contract_tests.settings import REMOTE_REQUESTS, REMOTE_TOKENS, Settings
from contract_tests.shrinking import shrink
from spec.secrets import Masker


class _RecordingClient(Client):
    """A client that writes each exchange down as it ends."""

    def __init__(self, record: Record, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._record = record

    def _send_once(self, case: Case, *, stay: bool = True, timeout: float | None = None) -> Exchange:
        exchange = super()._send_once(case, stay=stay, timeout=timeout)
        self._record.write(exchange)
        return exchange


class ContractRun:
    """UsageError for settings that cannot be, UnreachableError when nothing like this API answers."""

    def __init__(self, settings: Settings, *, transport: httpx.BaseTransport | None = None) -> None:
        self.settings = settings
        chosen = selected(settings.select, settings.dialect)
        check_url(settings.url)
        check_writable(settings.record, *(getattr(settings, form) for form in FORMS))
        budget = make_budget(settings, remote=transport is None and not is_local(settings.url))
        # Client checks nothing of what it is given: the settings did
        known = {
            "token": settings.token,
            "headers": settings.headers,
            "timeout": settings.timeout,
            "budget": budget,
            "transport": transport,
        }
        self._masker = Masker(settings.secrets)
        self.record = None if settings.record is None else Record(settings.record, self._masker)
        if self.record is not None:
            self._client: Client = _RecordingClient(self.record, settings.url, **known)
        else:
            self._client = Client(settings.url, **known)  # type: ignore[arg-type]  # keywords by name
        self._started = time.monotonic()
        self.run = Run(
            self._client, Evidence(chosen), settings.seed, PROFILES[settings.profile], without=frozenset(settings.without)
        )
        self.jobs = Jobs(self.run, settings.jobs)
        try:
            self.evidence.observe(check_reachable(self._client, self._masker, wait=settings.wait))
        except UnreachableError:
            self._close()
            raise

    @property
    def evidence(self) -> Evidence:
        return self.run.evidence

    def send(self, probe: Probe) -> str:
        """Send one probe, if it was not sent yet; why it was not sent to its end, ``""`` when it was."""
        return self.jobs.send(probe)

    def complete(self) -> None:
        """Send whatever was not sent yet."""
        self.jobs.complete()

    def _close(self) -> None:
        self._client.close()
        if self.record is not None:
            self.record.close()

    def finish(self) -> dict[str, Any]:
        """Make violations smaller if that was asked for, close the client, write the reports, and give the result."""
        if self.settings.shrink:
            shrink(self.run)
        self._close()
        settings = self.settings
        for id, tally in self.evidence.tallies.items():
            absent = [name for name in settings.without if id.startswith((f"parameters.{name}.", f"{name}."))]
            if absent:
                tally.skipped = f"`{absent[0]}` is declared absent"
            elif self.jobs.ending:
                tally.skipped = f"{self.jobs.ending} before this was shown"
            elif self.run.gave_up("stream") and id.startswith("stream."):
                tally.skipped = f"{UNANSWERED} streams in a row were left unanswered, and no more were asked for"
        budget = self._client.budget
        result = make_result(
            self.evidence,
            url=settings.url,
            dialect=settings.dialect,
            seed=settings.seed,
            spent=Spent(budget.requests, budget.tokens, time.monotonic() - self._started),
            strict=settings.strict,
            refused=self.run.refused,
            without=settings.without,
            deviations=settings.deviations,
            token_env=settings.token_env,
        )
        paths = {form: getattr(settings, form) for form in FORMS}
        told = mask(result, self._masker)
        write_reports(told, **paths)
        return told


def make_budget(settings: Settings, *, remote: bool) -> Budget:
    """What the run may spend; beyond this machine there is a limit even when none was named."""
    return Budget(
        settings.max_requests or (REMOTE_REQUESTS if remote else None),
        settings.max_tokens or (REMOTE_TOKENS if remote else None),
        settings.rate,
    )


def selected(prefixes: tuple[str, ...], dialect: str = "documented") -> dict[str, Clause]:
    """The clauses of ``dialect`` whose id begins with one of ``prefixes``, all for none; UsageError when there are none such."""
    chosen = {id: clause for id, clause in clauses_of(dialect).items() if not prefixes or id.startswith(prefixes)}
    if not chosen:
        raise UsageError(f"no clause begins with {', '.join(prefixes)}: `textgen-contract clauses` lists them all.")
    return chosen
