"""Faults in what a parameter does to the reply or its length: ignored, or taken otherwise. How tokens are chosen stays right."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from mockserver.messages import Finished, FinishReason, Prefill, Request, Step
from mockserver.scenario.alter import Json, at_most, fault, ignored, parameters, payload, payload_parameters
from mockserver.scenario.seams import Events, Fault, Hooks


def _one_more(name: str) -> Hooks:
    def change(request: Request) -> Json:
        given = getattr(request.parameters, name)
        return {} if given is None else {name: given + 1}

    return parameters(change)


def _stop_at_token_ends() -> Hooks:
    """As text-generation-inference does: a stop sequence is seen only where it ends with a token."""

    def on_steps(events: Events, request: Request) -> Events:
        text = ""
        for event in events:
            if isinstance(event, Prefill) or event.finished is not None:
                yield event
                continue
            text += "" if event.token.special else event.token.text
            if any(text.endswith(member) for member in request.parameters.stop):
                yield _stopped(event, events, text)
                return
            yield event

    return Hooks(on_request=ignored("stop").on_request, on_steps=on_steps)


def _stopped(here: Step, rest: Events, text: str) -> Step:
    """The step as the last of a text that a stop sequence ended."""
    last = deque(rest, maxlen=1)[0]
    assert not isinstance(last, Prefill)
    assert last.finished is not None
    return replace(here, finished=Finished(FinishReason.STOP_SEQUENCE, text, here.index, last.finished.seed))


def _stop_in_prompt() -> Hooks:
    """The text that is looked through for stop sequences begins with the prompt."""

    def on_steps(events: Events, request: Request) -> Events:
        stands = any(member in request.inputs for member in request.parameters.stop)
        for event in events:
            if stands and isinstance(event, Step) and event.finished is None:
                yield _stopped(event, events, event.token.text)
                return
            yield event

    return Hooks(on_steps=on_steps)


def _any_object(given: Json) -> Json:
    grammar = given.get("grammar")
    if isinstance(grammar, dict) and grammar.get("type") == "json" and isinstance(grammar.get("value"), dict):
        return {**given, "grammar": {**grammar, "value": {"type": "object"}}}
    return given


def _end_dropped(request: Request) -> Request:
    if request.parameters.truncate is None:
        return request
    return replace(request, inputs=request.inputs[: len(request.inputs) * 2 // 3 + 1])


def _grammar_dropped(kind: str) -> Hooks:
    return parameters(
        lambda request: {"grammar": None} if request.parameters.grammar and request.parameters.grammar.type == kind else {}
    )


def _penalised_when(name: str) -> Hooks:
    return parameters(lambda request: {"repetition_penalty": 2.0} if getattr(request.parameters, name) else {})


PARAMETER_FAULTS: tuple[Fault, ...] = (
    fault(
        "stream-by-default",
        "request.stream.default",
        "Streams unless `stream` is false.",
        payload(lambda p: {"stream": True, **p}),
    ),
    fault("adapter-ignored", "parameters.adapter_id.unknown", "Takes no notice of `adapter_id`.", ignored("adapter_id")),
    fault("best-of-ignored", "parameters.best_of.sequences", "Takes no notice of `best_of`.", ignored("best_of")),
    fault(
        "best-of-not-without-limit",
        "parameters.best_of.sequences",
        "Takes no notice of `best_of` where no `max_new_tokens` is given.",
        parameters(lambda request: {"best_of": None} if request.parameters.max_new_tokens is None else {}),
    ),
    fault(
        "prefill-always",
        "parameters.decoder_input_details.absent",
        "Reads out the prompt whenever details are asked for.",
        parameters(lambda request: {"decoder_input_details": bool(request.parameters.details) and not request.stream}),
    ),
    fault(
        "details-ignored",
        "parameters.details.given",
        "Takes no notice of `details`.",
        ignored("details", "decoder_input_details"),
    ),
    fault(
        "details-always",
        "parameters.details.absent",
        "Gives details without being asked, when not streaming.",
        parameters(lambda request: {} if request.stream else {"details": True}),
    ),
    fault(
        "details-change-text",
        "parameters.details.neutral",
        "Generates other text when `details` is true.",
        _penalised_when("details"),
    ),
    fault(
        "grammar-json-ignored",
        "parameters.grammar.json.matches",
        "Takes no notice of a json `grammar`.",
        _grammar_dropped("json"),
    ),
    fault(
        "grammar-json-any-object",
        "parameters.grammar.json.matches",
        "Takes any JSON object for what a json `grammar` asks for.",
        payload_parameters(_any_object),
    ),
    fault(
        "grammar-regex-ignored",
        "parameters.grammar.regex.matches",
        "Takes no notice of a regex `grammar`.",
        _grammar_dropped("regex"),
    ),
    fault(
        "max-new-tokens-at-most-100",
        "details.finish_reason.length",
        "Takes a `max_new_tokens` above 100 for 100.",
        at_most("max_new_tokens", 100),
    ),
    fault("max-new-tokens-plus-one", "parameters.max_new_tokens.limits", "Generates one token too many.", _one_more("max_new_tokens")),
    fault(
        "return-full-text-ignored",
        "parameters.return_full_text.prepends",
        "Takes no notice of `return_full_text`.",
        ignored("return_full_text"),
    ),
    fault(
        "return-full-text-always",
        "parameters.return_full_text.absent",
        "Puts the prompt before the text, asked or not.",
        parameters(lambda _: {"return_full_text": True}),
    ),
    fault(
        "stop-inside-token-missed",
        "parameters.stop.inside-token",
        "Sees a stop sequence only where it ends with a token.",
        _stop_at_token_ends(),
    ),
    fault(
        "stop-any-case",
        "parameters.stop.literal",
        "Takes capital and small letters of `stop` for the same.",
        parameters(
            lambda request: {"stop": tuple(form for member in request.parameters.stop for form in (member, member.swapcase()))}
        ),
    ),
    fault(
        "stop-not-without-limit",
        "parameters.stop.stops",
        "Takes no notice of `stop` where no `max_new_tokens` is given.",
        parameters(lambda request: {"stop": ()} if request.parameters.max_new_tokens is None else {}),
    ),
    fault(
        "stop-in-prompt",
        "parameters.stop.stops",
        "Ends the text at once where the prompt holds a stop sequence.",
        _stop_in_prompt(),
    ),
    fault("stop-ignored", "parameters.stop.stops", "Takes no notice of `stop`.", ignored("stop")),
    fault("top-n-tokens-ignored", "parameters.top_n_tokens.given", "Takes no notice of `top_n_tokens`.", ignored("top_n_tokens")),
    fault(
        "top-n-tokens-always",
        "parameters.top_n_tokens.absent",
        "Gives `top_tokens` without being asked.",
        parameters(lambda request: {"top_n_tokens": request.parameters.top_n_tokens or 2}),
    ),
    fault(
        "top-n-tokens-change-text",
        "parameters.top_n_tokens.neutral",
        "Generates other text when `top_n_tokens` is given.",
        _penalised_when("top_n_tokens"),
    ),
    fault("truncate-plus-one", "parameters.truncate.size", "Reads one token more than `truncate` says.", _one_more("truncate")),
    fault("truncate-ignored", "parameters.truncate.size", "Takes no notice of `truncate`.", ignored("truncate")),
    fault(
        "truncate-changes-text",
        "parameters.truncate.read",
        "Generates other text when `truncate` is given.",
        _penalised_when("truncate"),
    ),
    fault(
        "truncate-drops-end",
        "parameters.truncate.right-end",
        "Drops the end of the input before anything else.",
        Hooks(on_request=_end_dropped),
    ),
)
