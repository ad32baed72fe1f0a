"""Text from anywhere, made fit to print: nothing invisible, nothing that turns the line around, nothing that UTF-8 cannot carry.

No escaping for HTML, Markdown or a shell here: each report does its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

# direction marks, line and paragraph separators, byte order mark, noncharacters, surrogates without their other half
_UNSEEN = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\x80-\x9f\ud800-\udfff]")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 0x7F) if chr(code) not in "\n\t"} | {0x0D: "\\r"}


def printable(text: str) -> str:
    r"""``text`` with its controls and invisible characters as escapes.

    >>> printable("a\rb\u202ec")
    'a\\rb\\u202ec'
    """
    return _UNSEEN.sub(lambda match: f"\\u{ord(match.group()):04x}", text.translate(_CONTROLS))


def clip(text: str, limit: int) -> str:
    """The beginning of ``text``, with a note of how much is left out."""
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text) - limit} more characters)"


def as_bytes(data: Any) -> bytes:
    """The bytes of a text or of ``{"base64": ...}``, as results.json holds them; of what is neither, its JSON."""
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    if isinstance(data, dict) and isinstance(data.get("base64"), str):
        try:
            return base64.b64decode(data["base64"])
        except (binascii.Error, ValueError):
            pass
    return json.dumps(data).encode()


def as_text(data: Any) -> str:
    """The same as text, bytes that are not UTF-8 as escapes."""
    return as_bytes(data).decode("utf-8", "backslashreplace")


def formatted(value: Any, width: int = 76, indent: int = 0) -> str:
    """JSON for reading: what fits into a line stands on one.

    >>> print(formatted({"inputs": "Hi", "parameters": {"seed": 1}}, width=24))
    {
      "inputs": "Hi",
      "parameters": {"seed": 1}
    }
    """
    short = json.dumps(value, ensure_ascii=False)
    if len(short) + indent <= width or not value or not isinstance(value, dict | list):
        return short
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {formatted(it, width, indent + 2)}" for key, it in value.items()]
    else:
        lines = [inner + formatted(it, width, indent + 2) for it in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return ",\n".join([f"{first}\n{lines[0]}", *lines[1:]]) + f"\n{' ' * indent}{last}"


def reformatted(text: str) -> str | None:
    """A JSON text for reading; None when it is no JSON or when reading would lose something of it, such as a key that comes twice."""
    try:
        value = json.loads(text, object_pairs_hook=_no_twins)
        return formatted(value)
    except (ValueError, RecursionError):
        return None


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key comes twice")
    return value
