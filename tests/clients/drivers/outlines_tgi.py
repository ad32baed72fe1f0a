"""outlines: ``from_tgi`` around an ``InferenceClient``."""

from __future__ import annotations

from typing import Any

import outlines
from huggingface_hub import InferenceClient
from outlines.types import JsonSchema, Regex
from talk import Answer, Ask, talk


def model(ask: Ask) -> Any:
    headers = {"x-wait-for-model": "true"} if ask["action"] == "wait" else None
    return outlines.from_tgi(InferenceClient(model=ask["url"], headers=headers))


def parameters(ask: Ask) -> dict[str, Any]:
    return {
        "seed": {"do_sample": True, "seed": ask["seed"]},
        "stop": {"stop": ask["stop"]},
        "grammar": {"output_type": Regex(ask["regex"])},
        "grammar-json": {"output_type": JsonSchema(ask["schema"])},
        "validation": {"truncate": ask["truncate"]},
    }.get(ask["action"], {}) | {"max_new_tokens": ask["max_new_tokens"]}


def generate(ask: Ask) -> Answer:
    return {"text": model(ask)(ask["prompt"], **parameters(ask))}


def stream(ask: Ask) -> Answer:
    kept = model(ask)
    for piece in kept.stream(ask["prompt"], **parameters(ask)):
        ask["pieces"].append(piece)
    return {"pieces": ask["pieces"]}


if __name__ == "__main__":
    actions = dict.fromkeys(("plain", "seed", "stop", "grammar", "grammar-json", "validation", "loading", "wait"), generate)
    actions |= dict.fromkeys(("stream", "old-frames", "end", "mid-stream-error"), stream)
    cannot = dict.fromkeys(("details", "stream-details"), "gives the text only") | {
        "newer": "has no chat of its own for such a server"
    }
    talk(actions, cannot, ("outlines", "huggingface_hub"))
