"""Where a run is sent: whether anything that may be this API answers there, and the local fake when no address is given."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import tenacity

from contract_tests.client import Client, asked_to_wait
from contract_tests.errors import RunError, UnreachableError, UsageError
from contract_tests.exchange import Case, Exchange
from contract_tests.observation import Observation
from contract_tests.values import MISSING, shorten
from spec.secrets import Masker

MODEL_PATH = "/models/google/gemma-2-2b-it"
"""The page's own path, which the fake serves."""


def check_url(url: str) -> str:
    """``url`` as it will be posted to; UsageError when it is no http address."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"`{shorten(url)}` is no address of an endpoint: give one such as http://127.0.0.1:8080{MODEL_PATH}")
    return url


def is_local(url: str) -> bool:
    """Whether the address is on this machine, where requests cost nothing."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") or (urlsplit(url).hostname or "").startswith("127.")


def check_reachable(client: Client, masker: Masker, *, wait: float = 0.0) -> Exchange:
    """Send the page's own request, and give what came of it; UnreachableError in one sentence, without secrets, when no run makes sense.

    A server that is starting is waited for, up to ``wait`` seconds: until somebody listens nothing is sent, then once a second.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(UnreachableError),
        wait=tenacity.wait_fixed(1.0),
        stop=tenacity.stop_before_delay(wait),
        reraise=True,
    )
    try:
        _wait_for_listener(client.url, wait)
        return retrying(_check_reachable, client)
    except UnreachableError as error:
        raise UnreachableError(masker.text(str(error))) from None


def _wait_for_listener(url: str, seconds: float) -> None:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    ending = time.monotonic() + seconds
    while (left := ending - time.monotonic()) > 0:
        try:
            with socket.create_connection(address, timeout=left):
                return
        except OSError:
            time.sleep(min(0.1, left))


def _check_reachable(client: Client) -> Exchange:
    seen = Observation(
        client.send(
            Case.of({"inputs": "Can you please let us know more details about your ", "parameters": {"max_new_tokens": 1}})
        )
    )
    url, status, wait = client.url, seen.status, asked_to_wait(seen.exchange)
    if wait is not None:
        raise UnreachableError(f"{url} asks to come back in {wait:.0f} s ({seen.brief}): try again then.")
    if not status:
        raise UnreachableError(
            f"{url} could not be reached ({seen.exchange.failure}): is the server running, and the address right?"
        )
    if status in (401, 403):
        raise UnreachableError(
            f"{url} wants another token ({seen.brief}): put one into an environment variable and name it with --token-env."
        )
    location = seen.exchange.header("location")
    if 300 <= status < 400 and location:
        raise UnreachableError(f"{url} redirects to {shorten(location)}: give that address if it is the endpoint.")
    if status in (404, 405):
        raise UnreachableError(f"{url} answers {seen.brief}: is it the address of a model?")
    if _is_html(seen):
        raise UnreachableError(
            f"{url} answers with an HTML page (status {status}): is it the address of a text-generation endpoint?"
        )
    return seen.exchange


def _is_html(seen: Observation) -> bool:
    return (
        seen.document is MISSING
        and not seen.is_stream
        and (seen.media_type == "text/html" or seen.text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")))
    )


@contextmanager
def local_fake(*arguments: str) -> Iterator[str]:
    """Start the mock as a child process on a free port and give the address of its first model; it ends with the block."""
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own module)
    try:
        assert child.stdout is not None
        line = child.stdout.readline().strip()
        if not line.startswith("listening on "):
            raise RunError(
                f"the local fake did not start (`{' '.join(command)}` said {shorten(line)}): run that by hand to see why."
            )
        yield line.removeprefix("listening on ") + MODEL_PATH
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
