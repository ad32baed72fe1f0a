"""haystack-ai 2.x: ``HuggingFaceAPIGenerator``."""

from __future__ import annotations

from typing import Any

from haystack.components.generators import HuggingFaceAPIGenerator
from haystack.utils import Secret
from talk import Answer, Ask, talk


def generator(ask: Ask, **settings: Any) -> Any:
    api_params: dict[str, Any] = {"url": ask["url"]}
    if ask["action"] == "wait":
        api_params["headers"] = {"x-wait-for-model": "true"}
    token = Secret.from_env_var("HF_TOKEN", strict=False)
    return HuggingFaceAPIGenerator(
        api_type="text_generation_inference",
        api_params=api_params,
        token=token,
        generation_kwargs={"max_new_tokens": ask["max_new_tokens"], **parameters(ask)},
        **settings,
    )


def parameters(ask: Ask) -> dict[str, Any]:
    return {
        "seed": {"do_sample": True, "seed": ask["seed"]},
        "stop": {"stop_sequences": ask["stop"]},
        "grammar": {"grammar": {"type": "regex", "value": ask["regex"]}},
        "grammar-json": {"grammar": {"type": "json", "value": ask["schema"]}},
        "validation": {"truncate": ask["truncate"]},
    }.get(ask["action"], {})


def told(result: dict[str, Any]) -> Answer:
    meta = result["meta"][0]
    details = {"finish_reason": meta["finish_reason"], "generated_tokens": meta["usage"]["completion_tokens"]}
    return {"text": result["replies"][0], "details": details}


def generate(ask: Ask) -> Answer:
    return told(generator(ask).run(ask["prompt"]))


def stream(ask: Ask) -> Answer:
    chunks: list[Any] = []

    def note(chunk: Any) -> None:
        ask["pieces"].append(chunk.content)
        chunks.append(chunk)

    answer = told(generator(ask, streaming_callback=note).run(ask["prompt"]))
    return answer | {"pieces": ask["pieces"], "ids": [chunk.meta["id"] for chunk in chunks]}


def chat(ask: Ask) -> Answer:
    from haystack.components.generators.chat import HuggingFaceAPIChatGenerator
    from haystack.dataclasses import ChatMessage

    chat = HuggingFaceAPIChatGenerator(api_type="text_generation_inference", api_params={"url": ask["url"]}, token=None)
    return {"text": chat.run([ChatMessage.from_user(ask["prompt"])])["replies"][0].text}


if __name__ == "__main__":
    actions = dict.fromkeys(
        ("plain", "details", "seed", "stop", "grammar", "grammar-json", "validation", "loading", "wait"), generate
    )
    actions |= dict.fromkeys(("stream", "stream-details", "old-frames", "end", "mid-stream-error"), stream)
    talk(actions | {"newer": chat}, {}, ("haystack-ai", "huggingface_hub"))
