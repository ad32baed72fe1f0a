"""llama-index-llms-huggingface-api: ``HuggingFaceInferenceAPI`` with ``task="text-generation"``."""

from __future__ import annotations

from typing import Any

from llama_index.llms.huggingface_api import HuggingFaceInferenceAPI
from talk import Answer, Ask, talk


def model(ask: Ask, **settings: Any) -> Any:
    headers = {"x-wait-for-model": "true"} if ask["action"] == "wait" else {}
    return HuggingFaceInferenceAPI(model_name=ask["url"], num_output=ask["max_new_tokens"], headers=headers, **settings)


def parameters(ask: Ask) -> dict[str, Any]:
    """It samples unless told otherwise, so that each action brings the seed."""
    return {
        "seed": {"do_sample": True},
        "stop": {"stop": ask["stop"]},
        "grammar": {"grammar": {"type": "regex", "value": ask["regex"]}},
        "grammar-json": {"grammar": {"type": "json", "value": ask["schema"]}},
        "validation": {"truncate": ask["truncate"]},
    }.get(ask["action"], {}) | {"seed": ask["seed"]}


def generate(ask: Ask) -> Answer:
    return {"text": model(ask, task="text-generation").complete(ask["prompt"], **parameters(ask)).text}


def stream(ask: Ask) -> Answer:
    kept = model(ask, task="text-generation")
    for piece in kept.stream_complete(ask["prompt"], **parameters(ask)):
        ask["pieces"].append(piece.delta)
    return {"pieces": ask["pieces"]}


def chat(ask: Ask) -> Answer:
    return {"text": model(ask).complete(ask["prompt"]).text}


if __name__ == "__main__":
    actions = dict.fromkeys(("plain", "seed", "stop", "grammar", "grammar-json", "validation", "loading", "wait"), generate)
    actions |= dict.fromkeys(("stream", "old-frames", "end", "mid-stream-error"), stream)
    cannot = dict.fromkeys(("details", "stream-details"), "gives the text only")
    talk(actions | {"newer": chat}, cannot, ("llama-index-llms-huggingface-api", "huggingface_hub"))
