"""text-generation: ``Client``, or with the argument ``async`` ``AsyncClient``."""

from __future__ import annotations

import sys
from typing import Any

from talk import Answer, Ask, shown, talk
from text_generation import AsyncClient, Client
from text_generation.types import Grammar, GrammarType


def client(ask: Ask, kind: type = Client) -> Any:
    return kind(ask["url"], headers={"x-wait-for-model": "true"} if ask["action"] == "wait" else None)


def parameters(ask: Ask) -> dict[str, Any]:
    return {
        "seed": {"do_sample": True, "seed": ask["seed"]},
        "stop": {"stop_sequences": ask["stop"]},
        "grammar": {"grammar": Grammar(type=GrammarType.Regex, value=ask["regex"])},
        "grammar-json": {"grammar": Grammar(type=GrammarType.Json, value=ask["schema"])},
        "validation": {"truncate": ask["truncate"]},
    }.get(ask["action"], {}) | {"max_new_tokens": ask["max_new_tokens"]}


def told(reply: Any) -> Answer:
    ids = [token.id for token in reply.details.tokens]
    return {"text": reply.generated_text, "ids": ids, "details": shown(reply.details)}


def note(ask: Ask, event: Any, events: list[Any]) -> None:
    """One event, as the client's own documents read it."""
    if not event.token.special:
        ask["pieces"].append(event.token.text)
    events.append(event)


def gathered(ask: Ask, events: list[Any]) -> Answer:
    last = events[-1]
    return {
        "pieces": ask["pieces"],
        "ids": [event.token.id for event in events],
        "text": last.generated_text,
        "details": shown(last.details),
    }


def generate(ask: Ask) -> Answer:
    return told(client(ask).generate(ask["prompt"], **parameters(ask)))


def stream(ask: Ask) -> Answer:
    events = []
    for event in client(ask).generate_stream(ask["prompt"], **parameters(ask)):
        note(ask, event, events)
    return gathered(ask, events)


def chat(ask: Ask) -> Answer:
    reply = client(ask).chat([{"role": "user", "content": ask["prompt"]}], max_tokens=ask["max_new_tokens"])
    return {"text": reply.choices[0].message.content}


async def generate_async(ask: Ask) -> Answer:
    return told(await client(ask, AsyncClient).generate(ask["prompt"], **parameters(ask)))


async def stream_async(ask: Ask) -> Answer:
    events = []
    async for event in client(ask, AsyncClient).generate_stream(ask["prompt"], **parameters(ask)):
        note(ask, event, events)
    return gathered(ask, events)


async def chat_async(ask: Ask) -> Answer:
    reply = await client(ask, AsyncClient).chat([{"role": "user", "content": ask["prompt"]}], max_tokens=ask["max_new_tokens"])
    return {"text": reply.choices[0].message.content}


if __name__ == "__main__":
    whole, streamed, newer = (generate_async, stream_async, chat_async) if "async" in sys.argv else (generate, stream, chat)
    actions = dict.fromkeys(
        ("plain", "details", "seed", "stop", "grammar", "grammar-json", "validation", "loading", "wait"), whole
    )
    actions |= dict.fromkeys(("stream", "stream-details", "old-frames", "end", "mid-stream-error"), streamed)
    talk(actions | {"newer": newer}, {}, ("text-generation", "huggingface_hub"))
