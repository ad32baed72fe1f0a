"""Who may ask: the token in `Authorization`, compared in constant time. Never shows or logs a token."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from mockserver.errors import UnauthorizedError


def check_authorization(header: str | None, tokens: Sequence[str], *, colon_after_bearer: bool) -> None:
    """Refuse a request whose ``Authorization`` carries none of ``tokens``; without any, everything is let in.

    Statements headers.authorization.accepted and headers.authorization.wrong. Raises UnauthorizedError.
    """
    if not tokens:
        return
    given = _token((header or "").strip(), colon_after_bearer=colon_after_bearer).encode()
    # every token is compared, so that the time taken does not tell which of them fits
    fits = [hmac.compare_digest(given, token.encode()) for token in tokens]
    if True not in fits:
        raise UnauthorizedError


def _token(header: str, *, colon_after_bearer: bool) -> str:
    """What stands behind the scheme; "" when the scheme is another. No token is empty, so that "" fits none."""
    scheme, _, token = header.partition(" ")
    if colon_after_bearer:
        scheme = scheme.removesuffix(":")
    return token.strip() if scheme.lower() == "bearer" else ""
