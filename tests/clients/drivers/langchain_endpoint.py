"""langchain-huggingface: ``HuggingFaceEndpoint``."""

from __future__ import annotations

from typing import Any

from langchain_huggingface import HuggingFaceEndpoint
from talk import Answer, Ask, talk


def endpoint(ask: Ask) -> Any:
    """It samples unless told otherwise, so that each action brings the seed."""
    settings: dict[str, Any] = {
        "seed": {"do_sample": True},
        "stop": {"stop_sequences": ask["stop"]},
        "grammar": {"model_kwargs": {"grammar": {"type": "regex", "value": ask["regex"]}}},
        "grammar-json": {"model_kwargs": {"grammar": {"type": "json", "value": ask["schema"]}}},
        "validation": {"truncate": ask["truncate"]},
        "wait": {"server_kwargs": {"headers": {"x-wait-for-model": "true"}}},
    }.get(ask["action"], {})
    return HuggingFaceEndpoint(endpoint_url=ask["url"], max_new_tokens=ask["max_new_tokens"], seed=ask["seed"], **settings)


def generate(ask: Ask) -> Answer:
    return {"text": endpoint(ask).invoke(ask["prompt"])}


def stream(ask: Ask) -> Answer:
    for piece in endpoint(ask).stream(ask["prompt"]):
        ask["pieces"].append(piece)
    return {"pieces": ask["pieces"]}


def chat(ask: Ask) -> Answer:
    from langchain_huggingface import ChatHuggingFace

    model = ChatHuggingFace(llm=endpoint(ask), model_id=ask["model"])
    return {"text": model.invoke(ask["prompt"]).content}


if __name__ == "__main__":
    actions = dict.fromkeys(("plain", "seed", "stop", "grammar", "grammar-json", "validation", "loading", "wait"), generate)
    actions |= dict.fromkeys(("stream", "old-frames", "end", "mid-stream-error"), stream)
    cannot = dict.fromkeys(("details", "stream-details"), "gives the text only")
    talk(actions | {"newer": chat}, cannot, ("langchain-huggingface", "huggingface_hub"))
