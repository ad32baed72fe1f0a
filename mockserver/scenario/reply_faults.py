"""Faults in what is told of a generation, in plain replies and streams alike. What is generated stays right."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from mockserver.messages import FinishReason, Request, Step
from mockserver.scenario.alter import (
    details,
    fault,
    is_stream,
    plain_details,
    reply,
    steps,
    tokens,
    with_content_type,
    without,
)
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


def _top(change: Any) -> Hooks:
    """``change`` sees the list of candidates of each place."""
    return steps(lambda step, _: step if step.top_tokens is None else replace(step, top_tokens=tuple(change(step))))


def _no_special(step: Step, _: Request) -> Step:
    return replace(step, token=replace(step.token, special=False))


def _seed(change: Any) -> Hooks:
    return details(lambda inner, request: {**inner, "seed": change(inner["seed"], request)})


def _prefill(change: Any) -> Hooks:
    return plain_details(lambda inner, _: {**inner, "prefill": [change(token) for token in inner["prefill"]]})


def _plain_answers_as(content_type: str) -> Hooks:
    return Hooks(on_answer=lambda answer: answer if is_stream(answer) else with_content_type(answer, content_type))


def _doubled(step: Step, _: Request) -> Step:
    top = step.top_tokens and tuple(replace(token, logprob=2 * token.logprob) for token in step.top_tokens)
    return replace(step, token=replace(step.token, logprob=2 * step.token.logprob), top_tokens=top)


def _copies(whole: Any, _: Request) -> Any:
    """Each loser is the winner once more."""
    others = whole.get("details", {}).get("best_of_sequences")
    if not others:
        return whole
    winner = {"generated_text": whole["generated_text"], **without(whole["details"], "best_of_sequences")}
    return {**whole, "details": {**whole["details"], "best_of_sequences": [winner for _ in others]}}


def _shifted_prefill(inner: Any, _: Request) -> Any:
    logprobs = [None, *(token["logprob"] for token in inner["prefill"])]
    return {
        **inner,
        "prefill": [{**token, "logprob": logprob} for token, logprob in zip(inner["prefill"], logprobs, strict=False)],
    }


def _sequences(change: Any) -> Hooks:
    """``change`` sees each of ``best_of_sequences``."""

    def on_reply(whole: Any, _: Request) -> Any:
        others = whole.get("details", {}).get("best_of_sequences", [])
        if not others:
            return whole
        return {**whole, "details": {**whole["details"], "best_of_sequences": [change(other) for other in others]}}

    return Hooks(on_reply=on_reply)


REPLY_FAULTS: tuple[Fault, ...] = (
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
        "prefill-missing",
        "parameters.decoder_input_details.prefill",
        "Leaves `prefill` empty.",
        plain_details(lambda inner, _: {**inner, "prefill": []}),
    ),
    fault(
        "prefill-text-empty",
        "details.prefill.text",
        "Writes no text into `prefill`.",
        _prefill(lambda token: {**token, "text": ""}),
    ),
    fault(
        "prefill-logprobs-shifted",
        "details.prefill.agrees",
        "Gives each token of `prefill` the logprob of the one before it.",
        plain_details(_shifted_prefill),
    ),
    fault(
        "prefill-text-missing",
        "details.prefill.type",
        "Leaves `text` out of `prefill`.",
        _prefill(lambda token: without(token, "text")),
    ),
    fault(
        "prefill-logprob-positive",
        "details.prefill.logprob",
        "Turns the sign of the logprobs in `prefill`.",
        _prefill(
            lambda token: {**token, "logprob": token["logprob"] and 1.0 - token["logprob"]},
        ),
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
    fault(
        "token-special-missing",
        "details.tokens.type",
        "Leaves `special` out of tokens.",
        tokens(lambda token: without(token, "special")),
    ),
    fault(
        "token-id-as-string",
        "details.tokens.id",
        "Writes ids as strings.",
        tokens(lambda token: {**token, "id": str(token["id"])}),
    ),
    fault(
        "token-logprob-as-string",
        "details.tokens.logprob",
        "Writes logprobs as strings.",
        tokens(
            lambda token: {**token, "logprob": str(token["logprob"])},
        ),
    ),
    fault(
        "token-logprob-positive",
        "details.tokens.logprob",
        "Turns the sign of logprobs.",
        tokens(
            lambda token: {**token, "logprob": 0.25 - token["logprob"]},
        ),
    ),
    fault(
        "token-special-as-number",
        "details.tokens.special",
        "Writes 0 and 1 for false and true.",
        tokens(
            lambda token: {**token, "special": int(token["special"])},
        ),
    ),
    fault(
        "eos-not-special",
        "details.finish_reason.eos_token",
        "Says of the end token that it is an ordinary one.",
        steps(_no_special),
    ),
    fault("token-text-null", "details.tokens.text", "Writes null for a text.", tokens(lambda token: {**token, "text": None})),
    fault(
        "token-text-stripped",
        "details.tokens.join",
        "Strips the spaces off the texts of tokens.",
        tokens(
            lambda token: {**token, "text": token["text"].strip()},
        ),
    ),
    fault("stop-text-removed", "details.tokens.join", "Leaves the stop sequence out of the text.", steps(_stop_text_removed)),
    fault(
        "top-tokens-flat",
        "details.top_tokens.type",
        "Writes `top_tokens` as one flat list.",
        plain_details(
            lambda inner, _: (
                {**inner, "top_tokens": [token for place in inner["top_tokens"] for token in place]}
                if "top_tokens" in inner
                else inner
            ),
        ),
    ),
    fault(
        "top-tokens-without-text",
        "details.top_tokens.text",
        "Writes a question mark for the text of each of `top_tokens`.",
        _top(lambda step: (replace(token, text="?") for token in step.top_tokens)),
    ),
    fault(
        "logprobs-doubled",
        "parameters.do_sample.probabilities",
        "Reports twice each logprob, as of a distribution by which it does not draw.",
        steps(_doubled),
    ),
    fault(
        "top-tokens-too-likely",
        "details.top_tokens.probabilities",
        "Reports half of each logprob in `top_tokens`.",
        _top(lambda step: (replace(token, logprob=token.logprob / 2) for token in step.top_tokens)),
    ),
    fault(
        "top-tokens-short",
        "details.top_tokens.length",
        "Leaves out the `top_tokens` of the last token.",
        plain_details(
            lambda inner, _: {**inner, "top_tokens": inner["top_tokens"][:-1]} if "top_tokens" in inner else inner,
        ),
    ),
    fault(
        "top-tokens-disagree",
        "details.top_tokens.agrees",
        "Reports in `top_tokens` other logprobs than in tokens.",
        _top(
            lambda step: [replace(token, logprob=token.logprob - 0.5) for token in step.top_tokens],
        ),
    ),
    fault(
        "top-tokens-unsorted",
        "parameters.top_n_tokens.likeliest",
        "Gives the likeliest tokens last.",
        _top(
            lambda step: step.top_tokens[::-1],
        ),
    ),
    # last, for no other fault finds its way in what they leave
    fault(
        "details-as-list",
        "reply.details.type",
        "Wraps the details into a list of one.",
        reply(lambda whole, _: {**whole, "details": [whole["details"]]} if "details" in whole else whole),
    ),
    fault("reply-list", "reply.object", "Wraps the reply into a list of one.", reply(lambda whole, _: [whole])),
)
