"""huggingface_hub: ``InferenceClient``, or with the argument ``async`` ``AsyncInferenceClient``."""

from __future__ import annotations

import sys
from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient
from talk import Answer, Ask, shown, talk


def client(ask: Ask, kind: type = InferenceClient) -> Any:
    headers = {"x-wait-for-model": "true"} if ask["action"] == "wait" else None
    return kind(model=ask["url"], headers=headers)


def parameters(ask: Ask) -> dict[str, Any]:
    """The parameters that an action adds to those of all."""
    return {
        "seed": {"do_sample": True, "seed": ask["seed"]},
        "stop": {"stop": ask["stop"]},
        "grammar": {"grammar": {"type": "regex", "value": ask["regex"]}},
        "grammar-json": {"grammar": {"type": "json", "value": ask["schema"]}},
        "validation": {"truncate": ask["truncate"]},
        "details": {"details": True},
        "stream-details": {"details": True},
    }.get(ask["action"], {}) | {"max_new_tokens": ask["max_new_tokens"]}


def told(output: Any) -> Answer:
    """A reply, which is a text unless details were asked for."""
    if isinstance(output, str):
        return {"text": output}
    ids = [token.id for token in output.details.tokens]
    return {"text": output.generated_text, "ids": ids, "details": shown(output.details)}


def note(ask: Ask, event: Any, events: list[Any]) -> None:
    """One event of a stream: a text unless details were asked for."""
    ask["pieces"].append(event if isinstance(event, str) else event.token.text)
    events.append(event)


def gathered(ask: Ask, events: list[Any]) -> Answer:
    if not events or isinstance(events[0], str):
        return {"pieces": ask["pieces"]}
    return {
        "pieces": ask["pieces"],
        "ids": [event.token.id for event in events],
        "text": events[-1].generated_text,
        "details": shown(events[-1].details),
    }


def generate(ask: Ask) -> Answer:
    return told(client(ask).text_generation(ask["prompt"], **parameters(ask)))


def stream(ask: Ask) -> Answer:
    kept, events = client(ask), []  # kept: dropping the client closes the stream
    for event in kept.text_generation(ask["prompt"], stream=True, **parameters(ask)):
        note(ask, event, events)
    return gathered(ask, events)


def chat(ask: Ask) -> Answer:
    reply = client(ask).chat_completion([{"role": "user", "content": ask["prompt"]}], max_tokens=ask["max_new_tokens"])
    return {"text": reply.choices[0].message.content}


async def generate_async(ask: Ask) -> Answer:
    async with client(ask, AsyncInferenceClient) as kept:
        return told(await kept.text_generation(ask["prompt"], **parameters(ask)))


async def stream_async(ask: Ask) -> Answer:
    events: list[Any] = []
    async with client(ask, AsyncInferenceClient) as kept:
        async for event in await kept.text_generation(ask["prompt"], stream=True, **parameters(ask)):
            note(ask, event, events)
    return gathered(ask, events)


async def chat_async(ask: Ask) -> Answer:
    async with client(ask, AsyncInferenceClient) as kept:
        reply = await kept.chat_completion([{"role": "user", "content": ask["prompt"]}], max_tokens=ask["max_new_tokens"])
    return {"text": reply.choices[0].message.content}


if __name__ == "__main__":
    whole, streamed, newer = (generate_async, stream_async, chat_async) if "async" in sys.argv else (generate, stream, chat)
    actions = dict.fromkeys(
        ("plain", "details", "seed", "stop", "grammar", "grammar-json", "validation", "loading", "wait"), whole
    )
    actions |= dict.fromkeys(("stream", "stream-details", "old-frames", "end", "mid-stream-error"), streamed)
    talk(actions | {"newer": newer}, {}, ("huggingface_hub",))
