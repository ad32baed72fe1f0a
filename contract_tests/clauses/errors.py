"""Clauses of refusals: a bad request gets a 4xx with an `error`, and the server goes on."""

from __future__ import annotations

from functools import cache

import spec
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, OUT_OF_BOUNDS, faulty_are_refused, is_loading, same_text
from contract_tests.observation import Group, Observation
from contract_tests.values import MISSING, shorten

for _id in ("errors.not-json", "errors.not-an-object", "errors.not-utf8"):
    clause(_id, about=_id)(faulty_are_refused)


@clause("errors.never-5xx")
def bad_request_is_never_a_server_error(seen: Observation) -> Outcome:
    unusual = seen.case.about in ("request.unknown-parameters", "request.null", "request.content-type")
    if not seen.case.faulty and not (unusual and not is_loading(seen)):
        return NOT_MINE
    if not seen.status:
        return Violation("a refusal: status 4xx", f"no reply: {seen.exchange.failure}")
    return Violation("a refusal: status 4xx", seen.brief) if seen.status >= 500 else None


@clause("errors.body")
def refusal_says_why(seen: Observation) -> Outcome:
    if not seen.case.faulty or not 400 <= seen.status < 500:
        return NOT_MINE
    told = seen.media_type or "no content type"
    if seen.document is MISSING or not seen.is_json:
        return Violation("a JSON object with an `error`", f"{told}: {seen.brief}")
    good = isinstance(seen.error, str) and seen.error.strip()
    return None if good else Violation("an `error` in words", seen.brief)


@clause("errors.two-forms")
def refusal_has_the_form_of_its_fault(seen: Observation) -> Outcome:
    """A wrong type and a body that is no JSON in text/plain, a value out of bounds in JSON; on a stream see errors.in-stream.event."""
    about = seen.case.about
    judged = about.endswith((".type", ".required", ".not-json", *OUT_OF_BOUNDS))
    if not seen.case.faulty or not 400 <= seen.status < 500 or not judged:
        return NOT_MINE
    if about == "parameters.grammar.value.type":  # what a grammar holds is looked at later
        return NOT_MINE
    if seen.media_type == "text/plain" and not (about.endswith(OUT_OF_BOUNDS) and seen.case.subject in _real()):
        return None if seen.text.strip() else Violation("a sentence in text/plain", seen.brief)
    if not about.endswith(OUT_OF_BOUNDS):
        return Violation("content type text/plain", seen.exchange.header("content-type") or "no content type")
    told = seen.document if isinstance(seen.document, dict) else {}
    good = all(isinstance(told.get(name), str) and told[name] for name in ("error", "error_type"))
    return None if good else Violation("a JSON object with `error` and `error_type`", f"{seen.media_type}: {seen.brief}")


@cache
def _real() -> frozenset[str]:
    """Parameters whose type holds every number, so that none is refused for its type; whole numbers below 0 or too large may be."""
    rows = spec.openapi()["components"]["schemas"]["Parameters"]["properties"]
    return frozenset(name for name, row in rows.items() if "number" in row.get("type", ()))


@clause("errors.in-stream.event")
def stream_refused_for_a_value_is_an_event(seen: Observation) -> Outcome:
    """Whole numbers that a type cannot hold are refused before, by their type: those are not judged."""
    if (
        not seen.case.faulty
        or not seen.asked.stream
        or not seen.case.about.endswith(OUT_OF_BOUNDS)
        or seen.media_type == "text/plain"
    ):
        return NOT_MINE
    if seen.status == 200 and seen.is_stream and seen.events and not seen.stream_error:
        return NOT_MINE  # taken, which the clause of the value judges
    value = seen.event_values[0] if seen.status == 200 and len(seen.event_values) == 1 else None
    if isinstance(value, dict) and value.keys() == {"error", "error_type"}:
        return None
    return Violation("status 200 and one event with `error` and `error_type`", seen.brief)


@clause("errors.names-parameter")
def refusal_names_the_parameter(seen: Observation) -> Outcome:
    if not seen.case.faulty or not seen.case.subject or not 400 <= seen.status < 500 or seen.error is MISSING:
        return NOT_MINE
    if seen.case.subject in str(seen.error):
        return None
    return Violation(f"an `error` that names `{seen.case.subject}`", shorten(seen.error))


@clause("errors.in-stream")
def refused_stream_is_a_status_or_one_error_event(seen: Observation) -> Outcome:
    if not seen.case.faulty or not seen.asked.stream or not seen.status or seen.status >= 500:
        return NOT_MINE
    if seen.status != 200 or not seen.is_stream or (seen.events and not seen.stream_error):
        return None if seen.status >= 400 else NOT_MINE
    if seen.events or len(seen.event_values) != 1:
        return Violation("one event with an `error`, and no tokens", seen.brief)
    return None


@clause("errors.goes-on", of="after-faults")
def server_goes_on_after_bad_requests(group: Group) -> Outcome:
    """The same good request before them and behind them; where its texts differ, once more, which must be as before."""
    before, after, *again = group.members
    if not before.generated:
        return Skip("the good request was not answered before the bad ones either")
    if not after.generated:
        return Violation("status 200 and generated text, as before the bad requests", after.brief)
    if all(one.new_text != before.new_text for one in again):
        return None  # what does not repeat itself is judged by parameters.do_sample.greedy
    outcome = same_text(before, after, ("the request before the bad ones", "behind a bad one"))
    return outcome if isinstance(outcome, Violation) and before.tokens else None
