"""What every Python driver shares: a line of JSON in, a line of JSON out, one for each action.

Runs in the client's own environment, so it knows nothing but the standard library. An answer holds what the client showed its user:
``text``, ``pieces`` (of a stream), ``ids`` (of tokens), ``details``; or the ``error`` that it raised; or why it ``cannot``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

Ask = dict[str, Any]
Answer = dict[str, Any]
Do = Callable[[Ask], Any]

DETAILS = ("finish_reason", "generated_tokens", "seed")


def talk(actions: Mapping[str, Do], cannot: Mapping[str, str], packages: tuple[str, ...]) -> None:
    """Answer until standard input ends. What the client prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    print(json.dumps({"versions": {name: version(name) for name in packages}}), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), actions, cannot)), file=out, flush=True)


def _answer(ask: Ask, actions: Mapping[str, Do], cannot: Mapping[str, str]) -> Answer:
    name = ask["action"]
    if name in cannot:
        return {"cannot": cannot[name]}
    ask["pieces"] = []
    try:
        made = actions[name](ask)
        answer: Answer = asyncio.run(made) if inspect.isawaitable(made) else made
    except Exception as error:
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        return {"error": {"type": kind, "message": str(error)}, "pieces": ask["pieces"]}
    return answer


def shown(details: Any) -> Answer:
    """Of an object or a mapping of details, what the mock is compared by."""
    if details is None:
        return {}
    read = details.get if isinstance(details, Mapping) else lambda name: getattr(details, name, None)
    told = {name: read(name) for name in DETAILS}
    return {name: getattr(value, "value", value) for name, value in told.items()}
