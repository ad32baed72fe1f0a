"""Case -> Exchange over HTTP, and nothing else: the suite's only I/O with the endpoint.

It judges nothing, follows no redirect, and never raises for what a server does: that is in the Exchange.
Two answers are not taken as the reply but waited for, as the page and RFC 9110 say: a 503 with the time that loading takes is asked
again with `x-wait-for-model`, and a 429 after its Retry-After.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import httpx
import tenacity

from contract_tests.budget import Budget
from contract_tests.exchange import Case, Chunk, Exchange, Headers
from contract_tests.observation import is_number, parse

WAIT = ("x-wait-for-model", "true")
"""Sent only after a 503, as the page advises."""

LARGEST_BODY = 8 * 2**20
"""Bytes of a reply that are read; no documented reply comes near it."""

PATIENCE = 60.0
"""Seconds that one request waits for a model that loads or a rate limit that passes."""


class Client:
    """Posts cases to one URL, verbatim. ``token`` goes into the Authorization header and nowhere else."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        headers: Headers = (),
        timeout: float = 30.0,
        budget: Budget | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self.timeout = timeout
        self.budget = budget or Budget()
        self.loading: list[tuple[Exchange, Exchange]] = []
        """Each 503 of a model that was loading, with what came of the same request that then waited for it."""
        self._token = token
        self._headers = headers
        # trust_env off: a token in ~/.netrc or a proxy in the environment would change what is sent and where
        self._http = httpx.Client(timeout=timeout, transport=transport, trust_env=False)

    @property
    def has_token(self) -> bool:
        """Whether a token is sent, so that another one must be wrong."""
        return bool(self._token)

    def close(self) -> None:
        self._http.close()

    def send(self, case: Case) -> Exchange:
        """Send ``case``, wait while the endpoint asks for it, and return what came. BudgetSpent before anything is sent."""
        exchange = self._send_once(case)
        if is_loading(exchange):
            waited = self._send_once(replace(case, headers=(*case.headers, WAIT)), timeout=PATIENCE)
            self.loading.append((exchange, waited))
            exchange = waited
        if asked_to_wait(exchange) is None:
            return exchange
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda exchange: asked_to_wait(exchange) is not None),
            wait=lambda state: asked_to_wait(state.outcome.result()) or 0.0 if state.outcome else 0.0,
            stop=tenacity.stop_before_delay(PATIENCE),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        waited_for: Exchange = retrying(self._send_once, case)
        return waited_for

    def leave(self, case: Case) -> Exchange:
        """Send ``case`` and close the connection when the first bytes of the reply have come."""
        return self._send_once(case, stay=False)

    def _send_once(self, case: Case, *, stay: bool = True, timeout: float | None = None) -> Exchange:
        self.budget.spend(case)
        headers = [*case.headers, *self._headers]
        if self._token and not any(name.lower() == "authorization" for name, _ in headers):
            headers.append(("authorization", f"Bearer {self._token}"))
        started = time.monotonic()
        status, failure = 0, ""
        told: Headers = ()
        chunks: list[Chunk] = []
        try:
            with self._http.stream(
                "POST", self.url, content=case.body, headers=headers, timeout=timeout or self.timeout
            ) as response:
                status = response.status_code
                told = tuple((name.lower(), value) for name, value in response.headers.multi_items())
                parts = response.iter_bytes()
                failure = self._read(parts if stay else islice(parts, 1), chunks, started, timeout or self.timeout)
        except httpx.HTTPError as error:
            failure = _words(error)
        return Exchange(case, self.url, status, told, tuple(chunks), time.monotonic() - started, failure)

    def _read(self, parts: Iterable[bytes], chunks: list[Chunk], started: float, timeout: float) -> str:
        """Collect the body; why it was not read to its end, ``""`` when it was."""
        size = 0
        for part in parts:
            at = time.monotonic() - started
            chunks.append(Chunk(at, part))
            size += len(part)
            if size > LARGEST_BODY:
                return f"the reply is larger than {LARGEST_BODY} bytes"
            if at > timeout:
                return f"the reply did not end within {timeout:g} s"
        return ""


def is_loading(exchange: Exchange) -> bool:
    """Whether a model is being loaded: 503, and the time that it will take (statement headers.wait-for-model.503)."""
    return exchange.status == 503 and is_number(_estimate(exchange))


def _estimate(exchange: Exchange) -> object:
    document = parse(exchange.content)
    return document.get("estimated_time") if isinstance(document, dict) else None


def asked_to_wait(exchange: Exchange) -> float | None:
    """Seconds that the endpoint asks to wait: Retry-After (RFC 9110, 10.2.3) or the page's `estimated_time`; None: it asks nothing."""
    if exchange.status not in (429, 503):
        return None
    after = exchange.header("retry-after").strip()
    if after.isascii() and after.isdigit():
        return float(after)
    estimate = _estimate(exchange)
    if is_number(estimate):
        return max(0.1, float(estimate))
    return 1.0 if exchange.status == 429 else None


def _words(error: httpx.HTTPError) -> str:
    """What went wrong on the wire, in a few words that hold no header."""
    match error:
        case httpx.ConnectError():
            return f"no connection: {error}"
        case httpx.ConnectTimeout():
            return "no connection within the time-out"
        case httpx.TimeoutException():
            return "no data within the time-out"
        case httpx.RemoteProtocolError():
            return f"not HTTP as it should be: {error}"
        case httpx.DecodingError():
            return f"the body is not encoded as its headers say: {error}"
    return f"{type(error).__name__}: {error}"
