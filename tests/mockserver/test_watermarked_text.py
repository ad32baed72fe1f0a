"""The watermark in the mock's own text, judged as `textgen-mock watermark --prompt` does it: replies together, each after its prompt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from mockserver import Config, create_app
from mockserver.engine.model import Model
from mockserver.sampler import ENOUGH_TOKENS, Told, z_score

MODELS = ("google/gemma-2-2b-it", "microsoft/phi-4", "meta-llama/Meta-Llama-3.1-8B-Instruct")
PROMPTS = (
    "Once upon a time", "The weather today", "Tell me about the sea", "Write a story about a dog", "Der Hund", "The quick brown fox",
    "Explain how a bicycle works", "In the morning", "The old man walked", "Dear friend,", "Today we will learn", "It was raining",
    "List three animals", "Hello", "What is the capital of France?", "She opened the door", "My favourite food is", "def add(a, b):",
)  # fmt: skip


def scores(*, watermark: bool) -> Iterator[float]:
    """Of as many drawn replies each as make up ENOUGH_TOKENS."""
    client, model = create_app(Config()).test_client(), Model.plain()
    together: list[Told] = []
    tokens = 0
    for seed, name, prompt in product(range(100), MODELS, PROMPTS):
        parameters = {"do_sample": True, "seed": seed, "watermark": watermark, "max_new_tokens": 200}
        text = client.post(f"/models/{name}", json={"inputs": prompt, "parameters": parameters}).get_json()["generated_text"]
        given, reply = model.vocabulary.encode(prompt), model.vocabulary.encode(text)
        together.append(Told(given + reply, model.prefill(given + reply)[len(given) - 1 : -1], len(given)))
        tokens += len(reply)
        if tokens >= ENOUGH_TOKENS:
            yield z_score(*together)
            together, tokens = [], 0


def test_drawn_replies_of_100_tokens_nearly_all_score_above_4_if_they_are_marked() -> None:
    assert 95 <= sum(score > 4 for score in islice(scores(watermark=True), 100))


def test_drawn_replies_without_the_mark_never_score_above_4() -> None:
    assert [] == [score for score in islice(scores(watermark=False), 100) if score > 4]
