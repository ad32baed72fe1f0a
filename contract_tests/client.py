"""Case -> Exchange over HTTP, and nothing else: the suite's only I/O with the endpoint.

It judges nothing, follows no redirect, and never raises for what a server does: that is in the Exchange.
Some answers are not taken as the reply: a 503 with the time that loading takes is asked again with `x-wait-for-model`, and a 429 after
its Retry-After, as the page and RFC 9110 say; a connection that broke before anything came is tried once more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from itertools import chain, islice

import httpx
import tenacity

from contract_tests.budget import Budget
from contract_tests.deadline import DeadlineTransport, ends_within
from contract_tests.exchange import LEFT, Case, Chunk, Exchange, Headers, shortened
from contract_tests.values import MISSING, is_number, parse

WAIT = ("x-wait-for-model", "true")
"""Sent only after a 503, as the page advises."""

LARGEST_BODY = 2**20
"""Bytes of a reply that are read; the longest right reply to anything that the suite asks has a twentieth of it."""

KEPT_BODY = 64 * 2**10
"""Bytes that are kept of a reply that is larger than that: enough to show what it was."""

PATIENCE = 60.0
"""Seconds that one request waits for a model that loads or a rate limit that passes."""

USUAL: Headers = (
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate"),
    ("connection", "keep-alive"),
    ("user-agent", f"python-httpx/{httpx.__version__}"),
)
"""Headers of every request that does not say otherwise."""

CONNECTIONS = 64
"""Connections at a time, at most."""


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
        self._loading: deque[tuple[Exchange, Exchange]] = deque()
        self._token = token
        self._headers = headers
        # no httpx.Client before it: a redirect is no reply to follow, each request is as if it were the first, whatever cookie came
        # before, and a token in ~/.netrc or a proxy in the environment would change what is sent and where
        self._transport = transport or DeadlineTransport(connections=CONNECTIONS)

    @property
    def has_token(self) -> bool:
        """Whether a token is sent, so that another one must be wrong."""
        return bool(self._token)

    def close(self) -> None:
        self._transport.close()

    def send(self, case: Case) -> Exchange:
        """Send ``case``, wait while the endpoint asks for it, and return what came. BudgetSpent before anything is sent."""
        exchange = self._try(case)
        if is_loading(exchange):
            waited = self._try(replace(case, headers=(*case.headers, WAIT)), timeout=PATIENCE)
            self._loading.append((exchange, waited))
            exchange = waited
        if asked_to_wait(exchange) is None:
            return exchange
        attempts = chain([exchange], iter(lambda: self._try(case), None))
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda exchange: asked_to_wait(exchange) is not None),
            wait=lambda state: asked_to_wait(state.outcome.result()) or 0.0 if state.outcome else 0.0,
            stop=tenacity.stop_before_delay(PATIENCE),
            sleep=self.budget.hold,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        waited_for: Exchange = retrying(lambda: next(attempts))
        return waited_for

    def told_loading(self) -> Iterator[tuple[Exchange, Exchange]]:
        """Each 503 of a model that was loading, with what came of the same request that then waited for it; each is told once."""
        with suppress(IndexError):  # a deque is safe among threads, a look at it and then a pop is not
            while True:
                yield self._loading.popleft()

    def _try(self, case: Case, *, timeout: float | None = None) -> Exchange:
        """Send ``case``, once more where the line broke before anything came: that may be the network's fault, or an idle line's."""
        exchange = self._send_once(case, timeout=timeout)
        return exchange if exchange.status or was_given_up(exchange) else self._send_once(case, timeout=timeout)

    def leave(self, case: Case) -> Exchange:
        """Send ``case`` and close the connection when the first bytes of the reply have come."""
        return self._send_once(case, stay=False)

    def _send_once(self, case: Case, *, stay: bool = True, timeout: float | None = None) -> Exchange:
        return self._ask("POST", self.url, case, stay=stay, timeout=timeout)

    def look_up(self, address: str) -> object:
        """The JSON that a GET of ``address`` gives, which is nothing to be judged; MISSING for anything else."""
        exchange = self._ask("GET", address, Case(body=b"", headers=()))
        return parse(exchange.content) if exchange.status == 200 and not exchange.failure else MISSING

    def _ask(self, method: str, url: str, case: Case, *, stay: bool = True, timeout: float | None = None) -> Exchange:
        self.budget.spend(case)
        headers = [*case.headers, *self._headers]
        if self._token and not any(name.lower() == "authorization" for name, _ in headers):
            headers.append(("authorization", f"Bearer {self._token}"))
        started = time.monotonic()
        status, failure = 0, ""
        told: Headers = ()
        chunks: list[Chunk] = []
        timeout = timeout or self.timeout
        named = {name.lower() for name, _ in headers}
        headers = [*((name, value) for name, value in USUAL if name not in named), *headers]
        waits = {"timeout": httpx.Timeout(timeout).as_dict()}
        try:
            request = httpx.Request(method, _url(url), content=case.body, headers=headers, extensions=waits)
            if request.url.userinfo and "authorization" not in request.headers:
                request = next(httpx.BasicAuth(request.url.username, request.url.password).auth_flow(request))
            with ends_within(timeout), closing(self._transport.handle_request(request)) as response:
                status = response.status_code
                told = tuple((name.lower(), value) for name, value in response.headers.multi_items())
                parts = response.iter_bytes()
                failure = self._read(parts if stay else islice(parts, 1), chunks, started, timeout) or ("" if stay else LEFT)
        except httpx.HTTPError as error:
            failure = _unended(timeout) if chunks and isinstance(error, httpx.TimeoutException) else _words(error)
        exchange = Exchange(case, url, status, told, tuple(chunks), time.monotonic() - started, failure)
        return shortened(exchange, KEPT_BODY) if failure.startswith(TOO_LARGE) else exchange

    def _read(self, parts: Iterable[bytes], chunks: list[Chunk], started: float, timeout: float) -> str:
        """Collect the body; why it was not read to its end, ``""`` when it was."""
        size = 0
        for part in parts:
            at = time.monotonic() - started
            size += len(part)
            chunks.append(Chunk(at, part))
            if size > LARGEST_BODY:
                return f"{TOO_LARGE} {LARGEST_BODY} bytes"
            if at > timeout:
                return _unended(timeout)
        return ""


_url = lru_cache(maxsize=8)(httpx.URL)

TOO_LARGE, UNENDED, SILENT = "the reply is larger than", "the reply did not end within", "no data within the time-out"


def was_given_up(exchange: Exchange) -> bool:
    """Whether the client stopped reading, or waiting, because it would have gone on for too long."""
    return exchange.failure.startswith((TOO_LARGE, UNENDED, SILENT))


def _unended(timeout: float) -> str:
    return f"{UNENDED} {timeout:g} s"


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
    after = _seconds(exchange.header("retry-after").strip())
    if after is not None:
        return after
    estimate = _estimate(exchange)
    if is_number(estimate):
        return float(max(0.1, estimate))
    return 1.0 if exchange.status == 429 else None


def _seconds(after: str) -> float | None:
    """Retry-After in seconds: a whole number of them, or a date; None for neither."""
    if after.isascii() and after.isdigit():
        return float(after[:9])
    try:
        return max(0.0, (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without its zone
        return None


def _words(error: httpx.HTTPError) -> str:
    """What went wrong on the wire, in a few words that hold no header."""
    match error:
        case httpx.ConnectError():
            return f"no connection: {error}"
        case httpx.ConnectTimeout():
            return "no connection within the time-out"
        case httpx.TimeoutException():
            return SILENT
        case httpx.RemoteProtocolError():
            return f"not HTTP as it should be: {error}"
        case httpx.DecodingError():
            return f"the body is not encoded as its headers say: {error}"
    return f"{type(error).__name__}: {error}"
