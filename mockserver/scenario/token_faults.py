"""Faults in what is told of tokens: of those generated, the candidates at each place, the prompt. What is generated stays right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mockserver.messages import Request, Step
from mockserver.scenario.alter import fault, plain_details, steps, tokens, without
from mockserver.scenario.seams import Fault, Hooks


def _prefill(change: Any) -> Hooks:
    return plain_details(lambda inner, _: {**inner, "prefill": [change(token) for token in inner["prefill"]]})


def _shifted_prefill(inner: Any, _: Request) -> Any:
    logprobs = [None, *(token["logprob"] for token in inner["prefill"])]
    return {
        **inner,
        "prefill": [{**token, "logprob": logprob} for token, logprob in zip(inner["prefill"], logprobs, strict=False)],
    }


def _no_special(step: Step, _: Request) -> Step:
    return replace(step, token=replace(step.token, special=False))


def _top(change: Any) -> Hooks:
    """``change`` sees the list of candidates of each place."""
    return steps(lambda step, _: step if step.top_tokens is None else replace(step, top_tokens=tuple(change(step))))


def _doubled(step: Step, _: Request) -> Step:
    top = step.top_tokens and tuple(replace(token, logprob=2 * token.logprob) for token in step.top_tokens)
    return replace(step, token=replace(step.token, logprob=2 * step.token.logprob), top_tokens=top)


TOKEN_FAULTS: tuple[Fault, ...] = (
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
        "prefill-ids-plus-one",
        "details.prefill.agrees",
        "Counts the ids of `prefill` from 1.",
        _prefill(lambda token: {**token, "id": token["id"] + 1}),
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
        "top-tokens-all-special",
        "details.top_tokens.special",
        "Says of each of `top_tokens` that it is special.",
        _top(lambda step: (replace(token, special=True) for token in step.top_tokens)),
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
)
