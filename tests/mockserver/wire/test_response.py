"""Steps become the objects of the page, key by key."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.messages import (
    Completion,
    Finished,
    FinishReason,
    Parameters,
    Prefill,
    PrefillToken,
    Request,
    Step,
    Token,
)
from mockserver.wire.response import plain_reply, stream_events

A = Token(7, " a", -0.5, False)
END = Token(0, "</s>", -0.25, True)
FINISHED = Finished(FinishReason.EOS_TOKEN, " a", 2, 42)
STEPS = (Step(1, A), Step(2, END, None, FINISHED))
TOP_STEPS = (Step(1, A, (A, END)), Step(2, END, (), FINISHED))

A_JSON = {"id": 7, "text": " a", "logprob": -0.5, "special": False}
END_JSON = {"id": 0, "text": "</s>", "logprob": -0.25, "special": True}


def ask(**parameters: Any) -> Request:
    return Request(model="m", inputs="Say:", parameters=Parameters(**parameters))


def completion(steps: tuple[Step, ...] = STEPS, prefill: Prefill = Prefill(3)) -> Completion:  # noqa: B008 (frozen)
    return Completion(prefill, steps, FINISHED)


# ---------------------------------------------------------------- plain


def test_without_details_there_is_the_text_alone() -> None:
    assert plain_reply(ask(), [completion()]) == {"generated_text": " a"}


def test_details_have_the_keys_in_the_order_of_known_servers() -> None:
    reply = plain_reply(ask(details=True), [completion()])

    assert [*reply] == ["generated_text", "details"]
    assert [*reply["details"].items()] == [
        ("finish_reason", "eos_token"),
        ("generated_tokens", 2),
        ("seed", 42),
        ("prefill", []),
        ("tokens", [A_JSON, END_JSON]),
    ]
    assert [*reply["details"]["tokens"][0]] == ["id", "text", "logprob", "special"]


def test_decoder_input_details_bring_the_details_with_them() -> None:
    prefill = Prefill(2, (PrefillToken(1, "S", None), PrefillToken(2, "ay", -1.5)))
    reply = plain_reply(ask(decoder_input_details=True), [completion(prefill=prefill)])

    assert reply["details"]["prefill"] == [
        {"id": 1, "text": "S", "logprob": None},
        {"id": 2, "text": "ay", "logprob": -1.5},
    ]


def test_top_tokens_are_a_list_for_each_token_and_come_last() -> None:
    details = plain_reply(ask(details=True), [completion(TOP_STEPS), completion(TOP_STEPS)])["details"]

    assert details["top_tokens"] == [[A_JSON, END_JSON], []]
    assert [*details][-2:] == ["best_of_sequences", "top_tokens"]


def test_the_other_sequences_stand_in_the_details_of_the_best() -> None:
    details = plain_reply(ask(details=True), [completion(), completion()])["details"]

    assert [*details["best_of_sequences"][0].items()] == [
        ("generated_text", " a"),
        ("finish_reason", "eos_token"),
        ("generated_tokens", 2),
        ("seed", 42),
        ("prefill", []),
        ("tokens", [A_JSON, END_JSON]),
    ]


def test_the_full_text_begins_with_the_prompt_in_every_sequence() -> None:
    reply = plain_reply(ask(details=True, return_full_text=True), [completion(), completion()])

    assert reply["generated_text"] == "Say: a"
    assert reply["details"]["best_of_sequences"][0]["generated_text"] == "Say: a"


# ---------------------------------------------------------------- stream


def events(request: Request, steps: tuple[Step, ...] = STEPS) -> list[Any]:
    return list(stream_events(request, (Prefill(3), *steps)))


def test_an_event_has_the_keys_in_the_order_of_known_servers() -> None:
    first, last = events(ask(details=True))

    assert [*first.items()] == [("index", 1), ("token", A_JSON), ("generated_text", None), ("details", None)]
    assert [*last.items()][:3] == [("index", 2), ("token", END_JSON), ("generated_text", " a")]
    assert [*last["details"].items()] == [
        ("finish_reason", "eos_token"),
        ("generated_tokens", 2),
        ("seed", 42),
        ("input_length", 3),
    ]


def test_without_details_the_last_event_has_null() -> None:
    assert events(ask())[-1]["details"] is None


def test_top_tokens_of_an_event_are_flat_and_stand_behind_the_token() -> None:
    first, last = events(ask(), TOP_STEPS)

    assert [*first] == ["index", "token", "top_tokens", "generated_text", "details"]
    assert first["top_tokens"] == [A_JSON, END_JSON]
    assert last["top_tokens"] == []


def test_the_full_text_stands_on_the_last_event_only() -> None:
    first, last = events(ask(return_full_text=True))

    assert (first["generated_text"], last["generated_text"]) == (None, "Say: a")
    assert first["token"]["text"] == " a"


@pytest.mark.parametrize("parameters", [{}, {"details": True}, {"decoder_input_details": True}])
def test_an_event_is_given_before_the_next_step_is_made(parameters: dict[str, Any]) -> None:
    made: list[int] = []

    def steps() -> Any:
        yield Prefill(3)
        for step in STEPS:
            made.append(step.index)
            yield step

    next(stream_events(ask(**parameters), steps()))
    assert made == [1]
