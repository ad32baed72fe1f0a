"""The command ``drift``: reads the recording, opens the clients, prints what changed, gives the exit code."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import click

from contract_tests.budget import Budget
from contract_tests.client import Client
from contract_tests.drift.again import Asking, Drift, address_of, ask_again, askings
from contract_tests.endpoint import check_url, is_local
from contract_tests.errors import UnreachableError, UsageError
from contract_tests.exchange import Case, Exchange, Headers
from contract_tests.recordings import read_recording
from contract_tests.report.result import curl
from contract_tests.settings import REMOTE_REQUESTS, REMOTE_TOKENS
from spec.secrets import Masker, secrets_of_url


def drift(
    file: Path,
    url: str,
    *,
    token: str,
    token_env: str,
    headers: Headers,
    timeout: float,
    max_requests: int | None,
    max_tokens: int | None,
    rate: float | None,
    json_file: Path | None,
) -> int:
    """Exit code 0: the same shape; 1: another. UsageError, UnreachableError."""
    near = is_local(check_url(url))
    masker = Masker((token, *(value for _, value in headers), *secrets_of_url(url)))
    asked = _read(file)
    budget = Budget(max_requests or (None if near else REMOTE_REQUESTS), max_tokens or (None if near else REMOTE_TOKENS), rate)

    with ExitStack() as opened:

        @cache
        def client(path: str) -> Client:
            made = Client(address_of(url, path), token=token, headers=headers, timeout=timeout, budget=budget)
            opened.callback(made.close)
            return made

        def send(path: str, case: Case) -> Exchange:
            return client(path).send(case)

        found = ask_again(asked, send)
    if not found.compared:
        why = ", ".join(found.unanswered) or "the budget is spent"
        raise UnreachableError(
            f"{masker.text(url)} answered none of the recorded requests ({why}): is the server running, and the address right?"
        )
    _print(found, url, masker, token_env=token_env)
    if json_file is not None:
        told = masker.value(_as_json(found, url, token_env=token_env))
        json_file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 1 if found.changes else 0


def _read(file: Path) -> list[Asking]:
    asked = askings(read_recording(file))
    if not asked:
        raise UsageError(
            f"{file} holds no request that was answered: record some with `textgen-mock serve --record FILE --upstream URL`."
        )
    return asked


def _print(found: Drift, url: str, masker: Masker, *, token_env: str) -> None:
    for change in found.changes:
        replies = "1 reply" if change.count == 1 else f"{change.count} replies"
        click.echo(f"{change.place}: was {_or(change.before)}, came {_or(change.now)} (in {replies} of {found.compared})")
        click.echo(f"  repeat: {masker.text(curl(change.exchange, token_env=token_env))}")
    click.echo(found.sentence)
    click.echo(
        f"{masker.text(url)} {'answers in another shape than was recorded' if found.changes else 'answers in the shape that was recorded'}"
    )


def _or(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))


def _as_json(found: Drift, url: str, *, token_env: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "endpoint": url,
        "compared": found.compared,
        "unanswered": found.unanswered,
        "left": found.left,
        "changes": [
            {
                "place": change.place,
                "before": sorted(change.before),
                "now": sorted(change.now),
                "replies": change.count,
                "curl": curl(change.exchange, token_env=token_env),
            }
            for change in found.changes
        ],
    }
