"""A small app: sums a text up with a text-generation endpoint.

It streams, waits as long as it is told to, and takes no answer for whole that was cut or that ended in an error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

ATTEMPTS = 3
INSTRUCTION = "Sum up in one sentence:\n{text}\nSummary:"


class SummaryError(Exception):
    """There is no summary; the message says why."""


class Summariser:
    """``url`` is the address of a model, as in ``https://api-inference.huggingface.co/models/google/gemma-2-2b-it``."""

    def __init__(self, url: str, *, http: httpx.Client | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = url
        self._http = http or httpx.Client(timeout=20)
        self._sleep = sleep

    def summarise(self, text: str, on_token: Callable[[str], None] = lambda _: None) -> str:
        """The summary, once it is whole; ``on_token`` gets each piece of it as it comes. Raises SummaryError."""
        body = {
            "inputs": INSTRUCTION.format(text=text),
            "parameters": {"max_new_tokens": 60, "return_full_text": False},
            "stream": True,
        }
        headers: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            with self._http.stream("POST", self._url, json=body, headers=headers) as response:
                if response.status_code == 200:
                    return _read(response, on_token)
                response.read()
                pause, headers = _advice(response)
            self._sleep(pause)
        raise SummaryError(f"still busy after {ATTEMPTS} attempts")


def _advice(response: httpx.Response) -> tuple[float, dict[str, str]]:
    """How long to wait, and what to say then. Raises SummaryError for a refusal that stands."""
    told = _parse(response.text)
    if response.status_code == 503 and "estimated_time" in told:
        return 0.0, {"x-wait-for-model": "true"}  # the server waits for us
    if response.status_code in (429, 503):
        return float(response.headers.get("retry-after", 1)), {}
    raise SummaryError(f"refused with {response.status_code}: {told.get('error', response.text[:200])}")


def _read(response: httpx.Response, on_token: Callable[[str], None]) -> str:
    try:
        for event in _events(response):
            if "error" in event:
                raise SummaryError(f"the stream ended in an error: {event['error']}")
            if not event["token"]["special"]:
                on_token(event["token"]["text"])
            if event.get("generated_text") is not None:
                return str(event["generated_text"]).strip()
    except httpx.HTTPError as error:
        raise SummaryError(f"the connection broke: {error}") from error
    raise SummaryError("the stream was cut before its end")


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data:"):
            yield _parse(line[5:])


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


if __name__ == "__main__":
    print(Summariser(sys.argv[1]).summarise(sys.stdin.read()))
