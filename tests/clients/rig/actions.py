"""What every client is asked to do, and the words for it in the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODEL = "google/gemma-2-2b-it"

ASK: dict[str, Any] = {
    "model": MODEL,
    "prompt": "Once upon a time",
    "max_new_tokens": 8,
    "seed": 7,
    "regex": "[0-9]{3}",
    "schema": {
        "type": "object",
        "properties": {"small": {"type": "boolean"}},
        "required": ["small"],
        "additionalProperties": False,
    },
    "truncate": 1_000_000,
}
"""What a driver is handed besides the action and the address. Who wants to refuse ``truncate`` must ask the server."""

LAST_WORD = "the end"
"""What the mock is told to answer where the end token is to follow."""

LONGER: dict[str, dict[str, Any]] = {"grammar-json": {"max_new_tokens": 40}}
"""What an action is asked otherwise: JSON needs room to end."""

GOOD_EVENTS = 3
"""Events before the error in mid-stream (fault ``stream-error``)."""


@dataclass(frozen=True, slots=True)
class Action:
    """``heading`` of its column, and what it is."""

    name: str
    heading: str
    sentence: str


ACTIONS: tuple[Action, ...] = (
    Action("plain", "plain", "the text"),
    Action("details", "details", "finish reason, number of tokens, their ids"),
    Action("stream", "stream", "the text token by token"),
    Action("stream-details", "stream, details", "the same with the finish reason, the number of tokens and their ids"),
    Action("old-frames", "old frames", "a stream with `data:` and no space behind it (`--frames tight`)"),
    Action("end", "end token", "a stream that ends with the end token, which is not shown as text"),
    Action("seed", "seed", "sampling with a seed"),
    Action("stop", "stop", "a stop sequence"),
    Action("grammar", "grammar", "a regular expression as `grammar`"),
    Action("grammar-json", "JSON grammar", "a JSON Schema as `grammar`"),
    Action("validation", "422", "a parameter out of its bounds, told as an exception"),
    Action("loading", "503", "a model that is loading (`--cold`), told as an exception"),
    Action("wait", "wait", "the same with `x-wait-for-model: true`: the answer comes when the model is loaded"),
    Action(
        "mid-stream-error",
        "error in a stream",
        f"an error after {GOOD_EVENTS} events (fault `stream-error`), told as an exception",
    ),
    Action("newer", "newer API", "what the client calls besides, told as an exception that names the right API"),
)
