"""Steps to the JSON objects of the page: the plain reply and the events of a stream, key by key in the order of known servers.

Source of the order: text-generation-inference ``router/src/lib.rs``. Writes no bytes and makes no token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mockserver.messages import Completion, Finished, Prefill, PrefillToken, Request, Step, Token

Json = dict[str, Any]


def plain_reply(request: Request, completions: Sequence[Completion]) -> Json:
    """The reply without stream: the best sequence first, the others, if any, in its details."""
    best, *others = completions
    reply: Json = {"generated_text": _text(request, best.finished)}
    if wants_details(request):
        reply["details"] = _details(best)
        if others:
            reply["details"]["best_of_sequences"] = [
                {"generated_text": _text(request, other.finished), **_details(other)} for other in others
            ]
        _move_last(reply["details"], "top_tokens")
    return reply


def stream_events(request: Request, events: Iterable[Prefill | Step]) -> Iterator[Json]:
    """The event of each step, given the moment the step is made."""
    input_length = 0
    for event in events:
        if isinstance(event, Prefill):
            input_length = event.input_length
        else:
            yield _event(request, event, input_length)


def wants_details(request: Request) -> bool:
    """``decoder_input_details`` brings the details with it, as in text-generation-inference (``router/src/server.rs``)."""
    return bool(request.parameters.details or request.parameters.decoder_input_details)


def _event(request: Request, step: Step, input_length: int) -> Json:
    event: Json = {"index": step.index, "token": _token(step.token)}
    if step.top_tokens is not None:
        event["top_tokens"] = [_token(token) for token in step.top_tokens]
    finished = step.finished
    event["generated_text"] = None if finished is None else _text(request, finished)
    event["details"] = None
    if finished is not None and wants_details(request):
        event["details"] = {**_ending(finished), "input_length": input_length}
    return event


def _details(completion: Completion) -> Json:
    details: Json = {
        **_ending(completion.finished),
        "prefill": [_prefill_token(token) for token in completion.prefill.tokens],
        "tokens": [_token(step.token) for step in completion.steps],
    }
    if completion.steps[0].top_tokens is not None:
        details["top_tokens"] = [[_token(token) for token in step.top_tokens or ()] for step in completion.steps]
    return details


def _ending(finished: Finished) -> Json:
    return {
        "finish_reason": finished.finish_reason.value,
        "generated_tokens": finished.generated_tokens,
        "seed": finished.seed,
    }


def _token(token: Token) -> Json:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def _prefill_token(token: PrefillToken) -> Json:
    return {"id": token.id, "text": token.text, "logprob": token.logprob}


def _text(request: Request, finished: Finished) -> str:
    """``return_full_text`` puts the prompt as it was sent before the text, also when ``truncate`` cut what was read of it."""
    return request.inputs + finished.generated_text if request.parameters.return_full_text else finished.generated_text


def _move_last(object: Json, key: str) -> None:  # noqa: A002 (JSON's own word)
    if key in object:
        object[key] = object.pop(key)
