"""Clauses of the introduction and of the request's own fields: `inputs`, `parameters`, `stream`."""

from __future__ import annotations

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, accepted, faulty_are_refused, is_loading, others_are_accepted
from contract_tests.observation import Observation
from contract_tests.values import MISSING


@clause("introduction.generates")
def valid_request_is_answered(seen: Observation) -> Outcome:
    if seen.case.faulty or seen.case.about.startswith(("parameters.", "headers.", "request.")):
        return NOT_MINE
    if is_loading(seen):
        return Skip("the model is loading (judged by headers.wait-for-model)")
    if seen.case.about == "recorded" and 400 <= seen.status < 500:
        return Skip("what was recorded as refused may have its reasons: a model that does not exist, a limit, a token")
    return accepted(seen)


@clause("introduction.example", about="introduction.example")
def inputs_alone_are_answered_with_json(seen: Observation) -> Outcome:
    if not seen.answered:
        return Violation("status 200 and JSON", seen.brief)
    return Violation("a body that is JSON", seen.brief) if seen.document is MISSING else None


for _id in (
    "request.inputs.required",
    "request.inputs.type",
    "request.parameters.type",
    "request.stream.type",
    "request.types.strict",
):
    clause(_id, about=_id)(faulty_are_refused)

for _id in ("request.inputs.any-text", "request.parameters.optional", "request.null", "request.content-type"):
    clause(_id, about=_id)(others_are_accepted)


@clause("request.inputs.long", about="request.inputs.long")
def long_prompt_is_no_server_error(seen: Observation) -> Outcome:
    if seen.answered or 400 <= seen.status < 500 or is_loading(seen):
        return None
    return Violation("status 200, or a refusal: status 4xx", seen.brief)


@clause("request.stream.default")
def no_stream_unless_asked(seen: Observation) -> Outcome:
    if not seen.answered or seen.case.faulty or "stream" in seen.asked.body:
        return NOT_MINE
    return Violation("a reply that is no stream: `stream` was not sent", seen.brief) if seen.is_stream else None


@clause("request.unknown-parameters", about="request.unknown-parameters")
def unknown_parameter_does_no_harm(seen: Observation) -> Outcome:
    if seen.answered or (400 <= seen.status < 500 and seen.case.subject in seen.text):
        return None
    return Violation(f"status 200, or a 4xx that names `{seen.case.subject}`", seen.brief)
