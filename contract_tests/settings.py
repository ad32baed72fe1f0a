"""What a run was asked to do: one frozen object, made once from the command line or from pytest's options."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spec
from contract_tests.deviations import Deviation, read_deviations
from contract_tests.endpoint import check_url, is_local
from contract_tests.errors import UsageError
from contract_tests.exchange import Headers
from spec.secrets import secrets_of_url

REMOTE_REQUESTS, REMOTE_TOKENS = 300, 20_000
"""What a run may spend at an address beyond this machine unless told otherwise."""


def fresh_seed() -> int:
    """A new seed for a run that was given none, short enough to type."""
    return secrets.randbelow(10**9)


@dataclass(frozen=True, slots=True)
class Settings:
    """``url`` is posted to verbatim. ``select`` holds prefixes of clause ids, () for all. Limits None: no limit.

    ``token_env`` names the variable that holds the token: the curl lines of a report take it from there.
    ``without`` holds what the endpoint is declared to lack: names of parameters, or "stream".
    """

    url: str
    dialect: str = "documented"
    profile: str = "standard"
    token: str = field(default="", repr=False)
    token_env: str = ""
    headers: Headers = field(default=(), repr=False)
    seed: int = field(default_factory=fresh_seed)
    jobs: int = 1
    max_requests: int | None = None
    max_tokens: int | None = None
    rate: float | None = None
    timeout: float = 30.0
    wait: float = 0.0
    select: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    strict: bool = False
    shrink: bool = False
    json: Path | None = None
    junit: Path | None = None
    html: Path | None = None
    markdown: Path | None = None
    record: Path | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no report: the token, the values of the caller's own headers, and the secrets in the address."""
        return (self.token, *(value for _, value in self.headers), *secrets_of_url(self.url))


def parse_without(text: str) -> tuple[str, ...]:
    """``a,b`` as names; UsageError when one is neither a documented parameter nor stream."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = [*spec.openapi()["components"]["schemas"]["Parameters"]["properties"], "stream"]
    for name in names:
        if name not in known:
            raise UsageError(f"`{name}` cannot be left out with --without: known are {', '.join(known)}.")
    return names


def read_token(name: str) -> str:
    """The token in environment variable ``name``; UsageError when it is not set. The value stands in no message."""
    token = os.environ.get(name, "").strip()
    if not token:
        raise UsageError(f"the environment variable `{name}` is not set: put the token into it, or leave --token-env out.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"the environment variable `{name}` holds no token: a header cannot carry it.")
    return token


def parse_header(text: str) -> tuple[str, str]:
    """``Name: value`` as a pair; UsageError when it is none."""
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.strip()):
        raise UsageError("a --header is no `Name: value`: write it as in --header 'x-team: search'.")
    if not value.isprintable() or not value.isascii():
        raise UsageError(f"the --header `{name.strip()}` has a value that a header cannot carry: write it in ASCII.")
    return name.strip().lower(), value.strip()


def settings_of(
    *,
    url: str | None,
    profile: str | None = None,
    token_env: str | None = None,
    headers: Iterable[str] = (),
    seed: int | None = None,
    without: str = "",
    deviations: Path | None = None,
    **others: Any,
) -> Settings:
    """Settings of options as a user gives them, to the command or to pytest. UsageError in one sentence."""
    if not url:
        raise UsageError("no endpoint was named: add --endpoint URL.")
    if others.get("dialect", spec.DIALECTS[0]) not in spec.DIALECTS:
        raise UsageError(f"`{others['dialect']}` is no dialect: known are {', '.join(spec.DIALECTS)}.")
    for name in ("jobs", "max_requests", "max_tokens", "rate", "timeout"):
        if others.get(name) is not None and others[name] <= 0:
            raise UsageError(f"{name.replace('_', '-')} is {others[name]}: give a number above zero.")
    return Settings(
        url=url,
        profile=profile or ("standard" if is_local(check_url(url)) else "quick"),
        token=read_token(token_env) if token_env else "",
        token_env=token_env or "",
        headers=tuple(parse_header(header) for header in headers),
        seed=fresh_seed() if seed is None else seed,
        without=parse_without(without),
        deviations=read_deviations(deviations) if deviations else (),
        **others,
    )
