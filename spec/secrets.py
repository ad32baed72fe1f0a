"""What is a secret on the wire of this API, and what stands in its place wherever an exchange is written down.

Both towers write exchanges down, and mean the same by it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "****"

SHORTEST = 4
"""A shorter value would be found everywhere; it is no secret worth the name."""

_NAME = re.compile(
    r"(^|[-_])(authorization|cookie|token|secret|password|passwd|signature|credentials?|(api|access|auth)?[-_]?key)$"
)
_NO_SECRETS = frozenset({"x-time-per-token", "sec-websocket-key"})

_SHAPES = (
    r"\bhf_[A-Za-z0-9]{16,}"  # a token of the Hugging Face hub
    r"|\bapi_org_[A-Za-z0-9]{16,}"
    r"|\bsk-[A-Za-z0-9_-]{16,}"
    r"|(?<=://)[^/?#@\s\"']+:[^/?#@\s\"']+(?=@)"  # a user and a password in an address
)


@lru_cache(1024)
@lru_cache(1024)
def is_secret_name(name: str) -> bool:
    """Whether a header or a query field called ``name`` holds a secret.

    >>> [is_secret_name(name) for name in ("Authorization", "X-Api-Key", "set-cookie", "x-time-per-token", "x-prompt-tokens")]
    [True, True, True, False, False]
    """
    name = name.lower()
    return name not in _NO_SECRETS and _NAME.search(name) is not None


def secrets_of_url(url: str) -> tuple[str, ...]:
    """What must stand in no report of a run against ``url``: its password, in each form in which it travels, and secret query fields."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    found = [value for name, value in parse_qsl(parts.query) if is_secret_name(name)]
    if parts.password:
        user, password = unquote(parts.username or ""), unquote(parts.password)
        basic = b64encode(f"{user}:{password}".encode()).decode("ascii")
        found += [f"{parts.username}:{parts.password}", parts.password, password, basic]
    return tuple(found)


def secrets_of_headers(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What a request has shown of secrets: each whole, and without its scheme.

    >>> secrets_of_headers({"authorization": "Bearer mine", "accept": "*/*"})
    ('Bearer mine', 'mine')
    """
    found = [value for name, value in headers.items() if is_secret_name(name)]
    return (*found, *(value.split(" ", 1)[1].strip() for value in found if " " in value))


class Masker:
    """Takes ``secrets`` out of texts, JSON values and torn bodies, and what has the shape of one, whoever's it is."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        words = sorted({re.escape(secret) for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
        self._found = re.compile("|".join((*words, _SHAPES)))

    def text(self, text: str) -> str:
        """
        >>> Masker(["mine"]).text("mine, http://me:his@host/ and hf_abcdefghijklmnopqrst")
        '****, http://****@host/ and ****'
        """
        return self._found.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """A copy of a JSON value; ``{"base64": ...}`` is looked into."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(item) for item in value]
            case {"base64": str()} if len(value) == 1:
                return self.parts([value])[0]
            case dict():
                return {self.text(name): self.value(item) for name, item in value.items()}
        return value

    def parts(self, parts: list[Any]) -> list[Any]:
        """The parts of one body, each a text or ``{"base64": ...}``; of a secret torn in two, the mask stands in the first."""
        pieces = [_bytes(part) for part in parts]
        # one character a byte, so that places are the same in both
        whole = b"".join(pieces).decode("latin-1")
        spans = [match.span() for match in self._found.finditer(whole)]
        if not spans:
            return parts
        masked, start = [], 0
        for piece in pieces:
            end, text, at = start + len(piece), "", start
            for first, last in spans:
                if last <= start or first >= end:
                    continue
                text += whole[at : max(first, at)] + (MASK if start <= first < end else "")
                at = min(last, end)
            masked.append((text + whole[at:end]).encode("latin-1"))
            start = end
        return [_text_or_base64(data) for data in masked]

    def reply(self, reply: dict[str, Any]) -> dict[str, Any]:
        """What came back, as records and results hold it: ``headers``, and a ``body`` or ``chunks``, or none of them."""
        told = {name: self.value(value) for name, value in reply.items() if name not in ("body", "chunks")}
        if "body" in reply:
            told["body"] = self.value(reply["body"])
        if "chunks" in reply:
            clean = self.parts([chunk["data"] for chunk in reply["chunks"]])
            told["chunks"] = [chunk | {"data": data} for chunk, data in zip(reply["chunks"], clean, strict=True)]
        return told


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    try:
        return b64decode(data["base64"], validate=True)
    except ValueError:
        return str(data["base64"]).encode()


def _text_or_base64(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode("ascii")}
