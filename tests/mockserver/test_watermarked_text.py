"""The watermark in the mock's own text, judged as `textgen-mock watermark` does it: a reply alone, or several, each after its prompt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from mockserver import Config, create_app
from mockserver.engine.model import Model
from mockserver.sampler import ENOUGH_TOKENS, Told, z_score

MODELS = ("google/gemma-2-2b-it", "microsoft/phi-4", "meta-llama/Meta-Llama-3.1-8B-Instruct")
MODEL = Model.plain()
PROMPTS = (
    "Once upon a time", "The weather today", "Tell me about the sea", "Write a story about a dog", "Der Hund", "The quick brown fox",
    "Explain how a bicycle works", "In the morning", "The old man walked", "Dear friend,", "Today we will learn", "It was raining",
    "List three animals", "Hello", "What is the capital of France?", "She opened the door", "My favourite food is", "def add(a, b):",
)  # fmt: skip


def replies(*, watermark: bool) -> Iterator[tuple[list[int], list[int]]]:
    """Tokens of a prompt and of a drawn reply to it."""
    client, vocabulary = create_app(Config()).test_client(), MODEL.vocabulary
    for seed, name, prompt in product(range(100), MODELS, PROMPTS):
        parameters = {"do_sample": True, "seed": seed, "watermark": watermark, "max_new_tokens": 200}
        text = client.post(f"/models/{name}", json={"inputs": prompt, "parameters": parameters}).get_json()["generated_text"]
        yield vocabulary.encode(prompt), vocabulary.encode(text)


def told(given: list[int], reply: list[int]) -> Told:
    ids = given + reply
    rows = MODEL.prefill(ids)[:-1]
    return Told(ids, (rows[place - 1] for place in Told.judged(len(given), len(ids))), len(given))


def scores(*, watermark: bool) -> Iterator[float]:
    """Of as many replies each as make up ENOUGH_TOKENS."""
    together: list[Told] = []
    tokens = 0
    for given, reply in replies(watermark=watermark):
        together.append(told(given, reply))
        tokens += len(reply)
        if tokens >= ENOUGH_TOKENS:
            yield z_score(*together)
            together, tokens = [], 0


def scores_alone(*, watermark: bool) -> Iterator[float]:
    """Of single replies of ENOUGH_TOKENS and more, their prompts not told."""
    return (z_score(told([], reply)) for _, reply in replies(watermark=watermark) if len(reply) >= ENOUGH_TOKENS)


def test_a_drawn_reply_of_100_tokens_scores_above_4_if_it_is_marked() -> None:
    assert [] == [score for score in islice(scores_alone(watermark=True), 30) if score <= 4]


def test_a_drawn_reply_without_the_mark_does_not() -> None:
    assert [] == [score for score in islice(scores_alone(watermark=False), 30) if score > 4]


def test_short_replies_that_make_up_100_tokens_nearly_all_score_above_4_if_they_are_marked() -> None:
    assert 95 <= sum(score > 4 for score in islice(scores(watermark=True), 100))


def test_short_replies_without_the_mark_never_score_above_4() -> None:
    assert [] == [score for score in islice(scores(watermark=False), 100) if score > 4]
