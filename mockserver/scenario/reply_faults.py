"""Faults in what is told of a whole generation, in plain replies and streams alike. What is generated stays right."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from mockserver.messages import FinishReason, Reply, Request, Step
from mockserver.scenario.alter import details, fault, is_stream, reply, steps, with_content_type, without
from mockserver.scenario.seams import Fault, Hooks


def _reason(name: FinishReason, instead: str) -> Hooks:
    return details(lambda inner, _: {**inner, "finish_reason": instead} if inner["finish_reason"] == name else inner)


def _stop_text_removed(step: Step, request: Request) -> Step:
    if step.finished is None:
        return step
    text = step.finished.generated_text
    for member in request.parameters.stop:
        if step.finished.finish_reason is FinishReason.STOP_SEQUENCE and member in text:
            text = text[: text.rindex(member)]
    return replace(step, finished=replace(step.finished, generated_text=text))


def _other_loser(whole: Any, _: Request) -> Any:
    """The best sequence changes place with another."""
    others = whole.get("details", {}).get("best_of_sequences")
    if not others:
        return whole
    keep = without(whole["details"], "best_of_sequences")
    best = {"generated_text": whole["generated_text"], **keep}
    return {
        "generated_text": others[0]["generated_text"],
        "details": {**without(others[0], "generated_text"), "best_of_sequences": [best, *others[1:]]},
    }


def _only_ascii(whole: Any, _: Request) -> Any:
    """Every character outside ASCII is cut."""
    return _cut(whole)


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"[^\x00-\x7f]", "\ufffd", value)
    if isinstance(value, dict):
        return {key: _cut(part) for key, part in value.items()}
    return [_cut(part) for part in value] if isinstance(value, list) else value


def _seed(change: Any) -> Hooks:
    return details(lambda inner, request: {**inner, "seed": change(inner["seed"], request)})


def _called_html_too() -> Hooks:
    return Hooks(on_answer=lambda answer: replace(answer, headers=(*answer.headers, ("content-type", "text/html"))))


def _text_twice() -> Hooks:
    def twice(answer: Reply) -> Reply:
        if not isinstance(answer.body, bytes):
            return answer
        name = b'"generated_text":'
        return replace(answer, body=answer.body.replace(name, name + b'"",' + name, 1))

    return Hooks(on_answer=twice)


def _plain_answers_as(content_type: str) -> Hooks:
    return Hooks(on_answer=lambda answer: answer if is_stream(answer) else with_content_type(answer, content_type))


def _copies(whole: Any, _: Request) -> Any:
    """Each loser is the winner once more."""
    others = whole.get("details", {}).get("best_of_sequences")
    if not others:
        return whole
    winner = {"generated_text": whole["generated_text"], **without(whole["details"], "best_of_sequences")}
    return {**whole, "details": {**whole["details"], "best_of_sequences": [winner for _ in others]}}


def _sequences(change: Any) -> Hooks:
    """``change`` sees each of ``best_of_sequences``."""

    def on_reply(whole: Any, _: Request) -> Any:
        others = whole.get("details", {}).get("best_of_sequences", [])
        if not others:
            return whole
        return {**whole, "details": {**whole["details"], "best_of_sequences": [change(other) for other in others]}}

    return Hooks(on_reply=on_reply)


REPLY_FAULTS: tuple[Fault, ...] = (
    fault("reply-called-two-things", "reply.json", "Calls its JSON application/json, and text/html as well.", _called_html_too()),
    fault("reply-name-twice", "reply.json", "Writes `generated_text` twice, once empty.", _text_twice()),
    fault("reply-text-plain", "reply.json", "Calls its JSON text/plain.", _plain_answers_as("text/plain; charset=utf-8")),
    fault(
        "generated-text-renamed",
        "reply.generated_text.type",
        "Calls the text `text`.",
        reply(lambda whole, _: {"text" if key == "generated_text" else key: value for key, value in whole.items()}),
    ),
    fault(
        "characters-cut",
        "reply.no-replacement-characters",
        "Writes U+FFFD for each character outside ASCII.",
        Hooks(
            on_reply=_only_ascii,
            on_events=lambda objects, request: (_only_ascii(event, request) for event in objects),
        ),
    ),
    fault(
        "best-of-worst",
        "parameters.best_of.best",
        "Returns the sequence with the lower logprobs.",
        reply(_other_loser),
    ),
    fault(
        "best-of-copies",
        "parameters.best_of.independent",
        "Gives the same sequence as often as `best_of` says.",
        reply(_copies),
    ),
    fault(
        "best-of-text-cut",
        "details.best_of_sequences.agrees",
        "Cuts the last character off the text of each of `best_of_sequences`.",
        _sequences(lambda other: {**other, "generated_text": other["generated_text"][:-1]}),
    ),
    fault(
        "best-of-reasons-swapped",
        "details.best_of_sequences.agrees",
        "Reports eos_token for length in `best_of_sequences`, and length for all else.",
        _sequences(lambda other: {**other, "finish_reason": "eos_token" if other["finish_reason"] == "length" else "length"}),
    ),
    fault(
        "best-of-sequence-incomplete",
        "details.best_of_sequences.type",
        "Leaves `generated_text` out of `best_of_sequences`.",
        _sequences(lambda other: without(other, "generated_text")),
    ),
    fault(
        "finish-reason-unknown",
        "details.finish_reason.enum",
        "Reports stop where it means stop_sequence, and max_tokens for length.",
        details(lambda inner, _: {**inner, "finish_reason": "max_tokens" if inner["finish_reason"] == "length" else "stop"}),
    ),
    fault(
        "finish-reason-length-as-eos",
        "details.finish_reason.length",
        "Reports eos_token where it means length.",
        _reason(
            FinishReason.LENGTH,
            "eos_token",
        ),
    ),
    fault(
        "finish-reason-eos-as-length",
        "details.finish_reason.eos_token",
        "Reports length where it means eos_token.",
        _reason(
            FinishReason.EOS_TOKEN,
            "length",
        ),
    ),
    fault(
        "finish-reason-stop-as-eos",
        "details.finish_reason.stop_sequence",
        "Reports eos_token where it means stop_sequence.",
        _reason(
            FinishReason.STOP_SEQUENCE,
            "eos_token",
        ),
    ),
    fault(
        "generated-tokens-as-string",
        "details.generated_tokens.type",
        "Writes `generated_tokens` as a string.",
        details(lambda inner, _: {**inner, "generated_tokens": str(inner["generated_tokens"])}),
    ),
    fault(
        "generated-tokens-plus-one",
        "details.generated_tokens.counts",
        "Counts one token too many.",
        details(lambda inner, _: {**inner, "generated_tokens": inner["generated_tokens"] + 1}),
    ),
    fault(
        "seed-untold",
        "details.seed.reported",
        "Does not tell which seed it took, when none was sent.",
        _seed(lambda told, request: told if request.parameters.seed is not None else None),
    ),
    fault(
        "seed-made-up",
        "details.seed.reproduces",
        "Tells another seed than the one it took, when none was sent.",
        _seed(lambda told, request: told if told is None or request.parameters.seed is not None else told ^ 1),
    ),
    fault(
        "seed-as-string",
        "details.seed.type",
        "Writes the seed as a string.",
        _seed(lambda seed, _: seed if seed is None else str(seed)),
    ),
    fault(
        "seed-plus-one",
        "details.seed.given",
        "Reports the seed that follows the one sent.",
        _seed(lambda seed, request: seed if request.parameters.seed is None or seed is None else seed + 1),
    ),
    fault("stop-text-removed", "details.tokens.join", "Leaves the stop sequence out of the text.", steps(_stop_text_removed)),
    # last, for no other fault finds its way in what they leave
    fault(
        "details-as-list",
        "reply.details.type",
        "Wraps the details into a list of one.",
        reply(lambda whole, _: {**whole, "details": [whole["details"]]} if "details" in whole else whole),
    ),
    fault("reply-list", "reply.object", "Wraps the reply into a list of one.", reply(lambda whole, _: [whole])),
)
