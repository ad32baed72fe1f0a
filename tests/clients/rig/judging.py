"""Whether a client showed its user what was on the wire. Pure: asserts, or gives the mark for the table."""

from __future__ import annotations

import json
import re
from typing import Any

from rig.actions import ASK, GOOD_EVENTS
from rig.driver import Outcome
from rig.roster import Client
from rig.table import NO, PART, YES

SAYS = {
    "validation": "`truncate` must be strictly positive",
    "loading": "is currently loading",
    "mid-stream-error": "Request failed during generation",
    "newer": "speaks the text-generation API",
}
"""What the exception of a failing action is to tell, in the mock's words."""


def judge_error(client: Client, action: str, outcome: Outcome) -> str:
    """The exception is the client's own, and tells what the server said."""
    assert outcome.error == client.errors[action], outcome
    told = SAYS[action] in outcome.message
    assert told == (action not in client.silent), outcome
    if action == "mid-stream-error":
        assert len(outcome.pieces) == GOOD_EVENTS, outcome
    return YES if told else PART


def judge_answer(client: Client, action: str, outcome: Outcome, sent: dict[str, Any], wire: dict[str, Any]) -> str:
    """Text, pieces, ids and details are those of ``wire``, the mock's own reply to what the client ``sent``."""
    assert outcome.error is None, outcome
    tokens = wire["details"]["tokens"]
    joined = "".join(token["text"] for token in tokens if not token["special"])
    if sent.get("stream"):
        assert "".join(outcome.pieces) == joined
    else:
        assert outcome.text == _shown(client, sent, wire["generated_text"])
    if outcome.ids is not None:
        assert outcome.ids == [token["id"] for token in tokens]
    told = {name: value for name, value in outcome.details.items() if value is not None}
    assert told.items() <= wire["details"].items()
    _judge_effect(action, sent, wire["details"], joined)
    if not action.endswith("details"):
        return YES
    if not told:
        return NO
    return YES if outcome.ids is not None and "finish_reason" in told else PART


def judge_end(client: Client, outcome: Outcome, wire: dict[str, Any]) -> str:
    """The end token is no text, and what it told of the stream is not lost; where one is not so, the roster says why."""
    assert outcome.error is None, outcome
    tokens = wire["details"]["tokens"]
    assert tokens[-1]["special"]
    joined, shown = "".join(token["text"] for token in tokens[:-1]), "".join(outcome.pieces)
    assert shown in (joined, joined + tokens[-1]["text"])
    told = {name: value for name, value in outcome.details.items() if value is not None}
    good = shown == joined and told.items() <= wire["details"].items()
    assert good == ("end" not in client.notes), outcome
    return YES if good else PART


def _shown(client: Client, sent: dict[str, Any], text: str) -> str:
    stops = sent["parameters"].get("stop") or []
    return text.removesuffix(stops[0]) if client.strips_stop and stops else text


def _judge_effect(action: str, sent: dict[str, Any], details: dict[str, Any], joined: str) -> None:
    """The parameter arrived, and did something."""
    if action == "seed":
        assert ASK["seed"] == sent["parameters"]["seed"] == details["seed"]
    if action == "stop":
        assert details["finish_reason"] == "stop_sequence"
        assert joined.endswith(sent["parameters"]["stop"][0])
    if action == "grammar":
        assert re.fullmatch(ASK["regex"], joined)
    if action == "grammar-json":
        assert isinstance(json.loads(joined)["small"], bool)
