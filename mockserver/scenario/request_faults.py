"""Faults in what a request means: parameters refused, unchecked, ignored, or taken otherwise. The form of replies stays right."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import jsonschema_rs

from mockserver.errors import InternalError, ValidationError
from mockserver.messages import Finished, FinishReason, Prefill, Request
from mockserver.scenario.alter import Json, fault, ignored, parameters, payload_parameters
from mockserver.scenario.seams import Events, Fault, Hooks

KINDS: dict[str, type] = {
    "adapter_id": str,
    "best_of": int,
    "decoder_input_details": bool,
    "details": bool,
    "do_sample": bool,
    "frequency_penalty": float,
    "grammar": dict,
    "max_new_tokens": int,
    "repetition_penalty": float,
    "return_full_text": bool,
    "seed": int,
    "stop": list,
    "temperature": float,
    "top_k": int,
    "top_n_tokens": int,
    "top_p": float,
    "truncate": int,
    "typical_p": float,
    "watermark": bool,
}
"""What JSON brings for each parameter of the page."""

OUT_OF_BOUNDS: dict[str, Callable[[Any], bool]] = {
    "best_of": lambda value: value < 0,
    "frequency_penalty": lambda value: abs(value) > 2,
    "max_new_tokens": lambda value: value < 0,
    "repetition_penalty": lambda value: value <= 0,
    "seed": lambda value: value < 0,
    "temperature": lambda value: value < 0,
    "top_k": lambda value: value < 0,
    "top_n_tokens": lambda value: value < 0,
    "top_p": lambda value: value < 0 or value > 1,
    "truncate": lambda value: value < 0,
    "typical_p": lambda value: value < 0 or value > 1,
}
"""Where the ledger holds a server to a bound."""


def fits(name: str, value: Any) -> bool:
    """Whether ``value`` is null or of the type that the parameter has."""
    kind = KINDS[name]
    if value is None:
        return True
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    if kind is list:
        return isinstance(value, list) and all(isinstance(member, str) for member in value)
    return isinstance(value, kind)


# ---------------------------------------------------------------- one row for each parameter


def _refused(name: str) -> Hooks:
    def change(given: Json) -> Json:
        if given.get(name) and fits(name, given[name]):
            raise ValidationError(f"`{name}` is not supported")
        return given

    return payload_parameters(change)


def _dropped_if(wrong: Callable[[str, Any], bool], name: str) -> Hooks:
    def change(given: Json) -> Json:
        return {key: value for key, value in given.items() if key != name or not wrong(name, value)}

    return payload_parameters(change)


def _unfit(name: str, value: Any) -> bool:
    return not fits(name, value)


def _outside(name: str, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and OUT_OF_BOUNDS[name](value)


def _of_each_parameter() -> Iterator[Fault]:
    for name in KINDS:
        row, dashed = f"parameters.{name}", name.replace("_", "-")
        if name != "adapter_id":  # no adapter is documented, so none need be accepted
            yield fault(f"{dashed}-refused", f"{row}.accepted", f"Answers 422 to any `{name}`.", _refused(name))
        told = f"Accepts a `{name}` of a wrong type, as if it were not there."
        yield fault(f"{dashed}-type-unchecked", f"{row}.type", told, _dropped_if(_unfit, name))
        if name in OUT_OF_BOUNDS:
            told = f"Accepts a `{name}` out of its bounds, as if it were not there."
            yield fault(f"{dashed}-bounds-unchecked", f"{row}.bounds", told, _dropped_if(_outside, name))


# ---------------------------------------------------------------- hooks that remember or look at the body


def _payload(change: Callable[[Json], Any]) -> Hooks:
    return Hooks(on_payload=lambda payload: change(payload) if isinstance(payload, dict) else payload)


def _plain_text_only(payload: Json) -> Json:
    if isinstance(payload.get("inputs"), str) and not payload["inputs"].isascii():
        raise ValidationError("`inputs` must be ASCII")
    return payload


def _parameters_required(payload: Json) -> Json:
    if not payload.get("parameters"):
        raise ValidationError("`parameters` is missing")
    return payload


def _breaks_on_unknown(given: Json) -> Json:
    if given.keys() - KINDS.keys():
        raise InternalError
    return given


def _inputs_as_text(payload: Json) -> Json:
    return {**payload, "inputs": str(payload["inputs"]) or " "} if "inputs" in payload else payload


def _seed_reported(change: Callable[[Request], Json]) -> Hooks:
    """As ``parameters``, but the seed that was sent is the one that is reported."""

    def report(whole: Any, request: Request) -> Any:
        details = whole.get("details")
        if not details or request.parameters.seed is None or details["seed"] is None:
            return whole
        return {**whole, "details": {**details, "seed": request.parameters.seed}}

    return Hooks(
        on_request=parameters(change).on_request,
        on_reply=report,
        on_events=lambda objects, request: (report(event, request) for event in objects),
    )


def _any_seed() -> Hooks:
    seeds = count(1)
    return _seed_reported(lambda request: {"seed": next(seeds)} if request.parameters.seed is not None else {})


def _never_the_same() -> Hooks:
    """Greedy requests are drawn, and nobody is told."""
    seeds = count(1)
    sampling = ("do_sample", "temperature", "top_k", "top_p", "typical_p")

    def on_request(request: Request) -> Request:
        if any(getattr(request.parameters, name) for name in sampling):
            return request
        return replace(request, parameters=replace(request.parameters, do_sample=True, temperature=2.0, seed=next(seeds)))

    def untold(whole: Any, _: Request) -> Any:
        return {**whole, "details": {**whole["details"], "seed": None}} if whole.get("details") else whole

    return Hooks(
        on_request=on_request, on_reply=untold, on_events=lambda events, request: (untold(event, request) for event in events)
    )


def _shifted_frequency_penalty(request: Request) -> Json:
    given = request.parameters.frequency_penalty
    return {} if given is None else {"frequency_penalty": given - 1.0}


def _one_more(request: Request) -> Json:
    given = request.parameters.max_new_tokens
    return {} if given is None else {"max_new_tokens": given + 1}


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
                last = deque(events, maxlen=1)[0]
                assert not isinstance(last, Prefill)
                assert last.finished is not None
                seed = last.finished.seed
                yield replace(event, finished=Finished(FinishReason.STOP_SEQUENCE, text, event.index, seed))
                return
            yield event

    return Hooks(on_request=ignored("stop").on_request, on_steps=on_steps)


def _end_dropped(request: Request) -> Request:
    if request.parameters.truncate is None:
        return request
    return replace(request, inputs=request.inputs[: len(request.inputs) * 2 // 3 + 1])


def _grammar_dropped(kind: str) -> Hooks:
    return parameters(
        lambda request: {"grammar": None} if request.parameters.grammar and request.parameters.grammar.type == kind else {}
    )


def _grammar_unchecked(wrong: Callable[[Json], bool]) -> Hooks:
    """A grammar object that is ``wrong`` is taken as if it were not there."""
    return _dropped_if(lambda _, value: isinstance(value, dict) and wrong(value), "grammar")


def _penalised_when(name: str) -> Hooks:
    return parameters(lambda request: {"repetition_penalty": 2.0} if getattr(request.parameters, name) else {})


def _read_leniently(name: str, value: Any) -> Any:
    kind = KINDS.get(name)
    if kind in (int, float) and isinstance(value, bool):
        return kind(value)
    if kind in (int, float) and isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return kind(value)
    if kind is bool and (value == "true" or (isinstance(value, int) and not isinstance(value, bool))):
        return bool(value)
    return value


def _null_refused(given: Json) -> Json:
    for name, value in given.items():
        if value is None:
            raise ValidationError(f"`{name}` must not be null")
    return given


LONG_INPUTS = 20_000
"""Characters from which a prompt is a long one."""


def _is_long(payload: Json) -> bool:
    return isinstance(payload.get("inputs"), str) and len(payload["inputs"]) > LONG_INPUTS


def _breaks_on_long(payload: Json) -> Json:
    if _is_long(payload):
        raise InternalError
    return payload


def _long_refused(payload: Json) -> Json:
    if _is_long(payload):
        raise ValidationError("`inputs` is too long")
    return payload


def _means_nothing(grammar: Json) -> bool:
    """Whether the value of a grammar is no expression, or no JSON Schema."""
    kind, value = grammar.get("type"), grammar.get("value")
    try:
        if kind == "regex" and isinstance(value, str):
            re.compile(value)
        elif kind == "json" and isinstance(value, (str, dict)):
            schema = json.loads(value) if isinstance(value, str) else value
            jsonschema_rs.meta.validate(schema)
    except (ValueError, re.error, jsonschema_rs.ValidationError):
        return True
    return False


def _bare_refused(payload: Json) -> Json:
    if payload.keys() == {"inputs"}:
        raise ValidationError("`parameters` is missing")
    return payload


REQUEST_FAULTS: tuple[Fault, ...] = (
    fault("example-refused", "introduction.example", "Answers 422 to a body with `inputs` alone.", _payload(_bare_refused)),
    fault(
        "parameters-required", "request.parameters.optional", "Answers 422 without `parameters`.", _payload(_parameters_required)
    ),
    fault(
        "inputs-missing-accepted",
        "request.inputs.required",
        "Answers a body without `inputs`.",
        _payload(lambda p: {"inputs": " ", **p}),
    ),
    fault("inputs-type-unchecked", "request.inputs.type", "Makes a string of whatever `inputs` is.", _payload(_inputs_as_text)),
    fault("inputs-ascii-only", "request.inputs.any-text", "Answers 422 to a prompt outside ASCII.", _payload(_plain_text_only)),
    fault(
        "parameters-type-unchecked",
        "request.parameters.type",
        "Takes no notice of `parameters` that are no object.",
        _payload(lambda p: p if isinstance(p.get("parameters", {}), dict) else {**p, "parameters": {}}),
    ),
    fault(
        "stream-type-unchecked",
        "request.stream.type",
        "Takes a `stream` of a wrong type for false.",
        _payload(lambda p: p if isinstance(p.get("stream", False), bool) else {**p, "stream": False}),
    ),
    fault(
        "stream-by-default",
        "request.stream.default",
        "Streams unless `stream` is false.",
        _payload(lambda p: {"stream": True, **p}),
    ),
    fault(
        "unknown-parameters-500",
        "request.unknown-parameters",
        "Answers 500 to a parameter that it does not know.",
        payload_parameters(_breaks_on_unknown),
    ),
    fault(
        "types-read-leniently",
        "request.types.strict",
        'Reads true and "5" as numbers, and 1 as true.',
        payload_parameters(lambda given: {name: _read_leniently(name, value) for name, value in given.items()}),
    ),
    fault("null-refused", "request.null", "Answers 422 to a parameter that is null.", payload_parameters(_null_refused)),
    fault(
        "long-inputs-500",
        "request.inputs.long",
        "Answers 500 to a prompt that is very long.",
        _payload(_breaks_on_long),
    ),
    *_of_each_parameter(),
    fault("adapter-ignored", "parameters.adapter_id.unknown", "Takes no notice of `adapter_id`.", ignored("adapter_id")),
    fault(
        "frequency-penalty-absolute",
        "parameters.frequency_penalty.scales",
        "Takes no notice of the sign of `frequency_penalty`.",
        parameters(lambda request: {"frequency_penalty": abs(request.parameters.frequency_penalty or 0.0)}),
    ),
    fault("best-of-ignored", "parameters.best_of.sequences", "Takes no notice of `best_of`.", ignored("best_of")),
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
    fault("greedy-varies", "parameters.do_sample.greedy", "Draws tokens although nothing asks for it.", _never_the_same),
    fault("do-sample-ignored", "parameters.do_sample.samples", "Takes no notice of `do_sample`.", ignored("do_sample")),
    fault(
        "frequency-penalty-ignored",
        "parameters.frequency_penalty.penalizes",
        "Takes no notice of `frequency_penalty`.",
        ignored("frequency_penalty"),
    ),
    fault(
        "frequency-penalty-neutral-at-1",
        "parameters.frequency_penalty.neutral",
        "Takes 1.0 for no penalty, as a row of the page says.",
        parameters(_shifted_frequency_penalty),
    ),
    fault(
        "grammar-type-unknown-accepted",
        "parameters.grammar.type.required",
        "Takes no notice of a `grammar` without a `type`, or with one that it does not know.",
        _grammar_unchecked(lambda value: value.get("type") not in ("json", "regex")),
    ),
    fault(
        "grammar-invalid-ignored",
        "parameters.grammar.invalid",
        "Takes no notice of a `grammar` that means nothing.",
        _grammar_unchecked(_means_nothing),
    ),
    fault(
        "grammar-value-missing-accepted",
        "parameters.grammar.value.required",
        "Takes no notice of a `grammar` without a `value`.",
        _grammar_unchecked(lambda value: "value" not in value),
    ),
    fault(
        "grammar-value-unchecked",
        "parameters.grammar.value.type",
        "Takes no notice of a `grammar` whose `value` is neither text nor an object.",
        _grammar_unchecked(
            lambda value: (
                "value" in value and not isinstance(value["value"], str if value.get("type") == "regex" else (str, dict))
            )
        ),
    ),
    fault(
        "grammar-json-ignored",
        "parameters.grammar.json.matches",
        "Takes no notice of a json `grammar`.",
        _grammar_dropped("json"),
    ),
    fault(
        "grammar-regex-ignored",
        "parameters.grammar.regex.matches",
        "Takes no notice of a regex `grammar`.",
        _grammar_dropped("regex"),
    ),
    fault("max-new-tokens-plus-one", "parameters.max_new_tokens.limits", "Generates one token too many.", parameters(_one_more)),
    fault(
        "repetition-penalty-ignored",
        "parameters.repetition_penalty.penalizes",
        "Takes no notice of `repetition_penalty`.",
        ignored("repetition_penalty"),
    ),
    fault(
        "repetition-penalty-doubled",
        "parameters.repetition_penalty.neutral",
        "Takes 0.5 for no penalty: the value is doubled.",
        parameters(lambda request: {"repetition_penalty": (request.parameters.repetition_penalty or 0.5) * 2.0}),
    ),
    fault(
        "repetition-penalty-cubed",
        "parameters.repetition_penalty.divides",
        "Applies `repetition_penalty` three times.",
        parameters(lambda request: {"repetition_penalty": (request.parameters.repetition_penalty or 1.0) ** 3}),
    ),
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
    fault("seed-ignored", "parameters.seed.repeats", "Draws by another seed each time, and reports the one sent.", _any_seed),
    fault(
        "seed-constant",
        "parameters.seed.differs",
        "Draws by the same seed whatever was sent, and reports the one sent.",
        _seed_reported(lambda request: {"seed": 7} if request.parameters.seed is not None else {}),
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
    fault("stop-ignored", "parameters.stop.stops", "Takes no notice of `stop`.", ignored("stop")),
    fault(
        "temperature-ignored",
        "parameters.temperature.scales",
        "Samples, at temperature 1 always.",
        ignored("temperature", do_sample=True),
    ),
    fault(
        "temperature-warm",
        "parameters.temperature.cold",
        "Takes a `temperature` below 0.05 for 1.5.",
        parameters(lambda request: {"temperature": 1.5} if (request.parameters.temperature or 1.0) < 0.05 else {}),
    ),
    fault(
        "temperature-not-with-others",
        "parameters.together",
        "Takes no notice of `temperature` beside `top_k`.",
        parameters(lambda request: {"temperature": None} if request.parameters.top_k else {}),
    ),
    fault(
        "top-k-ignored",
        "parameters.top_k.keeps",
        "Samples, from all tokens whatever `top_k` is.",
        ignored("top_k", do_sample=True),
    ),
    fault(
        "top-k-plus-one",
        "parameters.top_k.one",
        "Keeps one token too many.",
        parameters(lambda request: {"top_k": request.parameters.top_k + 1} if request.parameters.top_k else {}),
    ),
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
    fault(
        "top-p-ignored",
        "parameters.top_p.keeps",
        "Samples, from all tokens whatever `top_p` is.",
        ignored("top_p", do_sample=True),
    ),
    fault(
        "top-p-at-least-0.9",
        "parameters.top_p.small",
        "Takes a `top_p` below 0.9 for 0.9.",
        parameters(lambda request: {"top_p": max(request.parameters.top_p or 1.0, 0.9)} if request.parameters.top_p else {}),
    ),
    fault("truncate-ignored", "parameters.truncate.size", "Takes no notice of `truncate`.", ignored("truncate")),
    fault(
        "truncate-after-length",
        "parameters.truncate.long-inputs",
        "Refuses a long prompt before `truncate` is looked at.",
        _payload(_long_refused),
    ),
    fault(
        "truncate-drops-end",
        "parameters.truncate.right-end",
        "Drops the end of the input before anything else.",
        Hooks(on_request=_end_dropped),
    ),
    fault(
        "typical-p-ignored",
        "parameters.typical_p.keeps",
        "Samples, from all tokens whatever `typical_p` is.",
        ignored("typical_p", do_sample=True),
    ),
)
