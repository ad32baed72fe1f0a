"""A rule in words, for people who look at the desk. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mockserver.scenario.rules import Answer, Rule, show


def in_words(rule: Rule) -> str:
    """What the rule asks of a request, and what it answers.

    >>> from mockserver.scenario.scripts import parse_rules
    >>> in_words(*parse_rules({"rules": [{"prompt": {"contains": "ping"}, "reply": "pong"}]}))
    'the prompt is a text that contains "ping": says "pong"'
    """
    return f"{' and '.join(_conditions(rule)) or 'any request'}: {', '.join(_reply(rule.answer))}"


def _conditions(rule: Rule) -> Iterator[str]:
    if rule.prompt is not None:
        yield f"the prompt is {rule.prompt}"
    if rule.model is not None:
        yield f"the model is {rule.model}"
    for name, value in rule.parameters:
        yield f"`{name}` is {show(value)}"
    for name, match in rule.headers:
        yield f"the header {name} is {match}"
    if rule.stream is not None:
        yield "a stream is asked for" if rule.stream else "no stream is asked for"
    if rule.call is not None:
        yield f"it is call {rule.call}"
    if rule.times is not None:
        yield f"it answered less than {rule.times} times"


def _reply(answer: Answer) -> Iterator[str]:
    if answer.delay:
        yield f"after {answer.delay:g} ms"
    if answer.failure is not None:
        yield f"fails with {answer.failure.status} {show(answer.failure.message)}"
    elif answer.template is not None:
        yield f"says the template {show(answer.template)}"
    elif answer.text is not None:
        yield f"says {show(answer.text)}"
    else:
        yield "says what the model says"
    if answer.finish_reason is not None:
        yield f"ends by {answer.finish_reason}"
    if answer.faults:
        yield f"with the fault {' and '.join(fault.name for fault in answer.faults)}"
