"""What a test says to a mock and asks of it, in one scope or in all. Serves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mockserver.errors import ControlError
from mockserver.scenario.desk import SCOPE_HEADER, Desk
from mockserver.scenario.journal import Asked
from mockserver.scenario.verdict import PATIENCE, Finding, judge

SHOWN = 10
LONGEST_SHOWN = 100


class MistakeError(ValueError):
    """What the test said to the mock means nothing; the message is one sentence."""


class Scoped:
    """One scope of a mock. ``name`` None: what is said holds for requests without a scope, and all requests are heard."""

    def __init__(self, desk: Desk, name: str | None = None) -> None:
        self._desk = desk
        self._name = name

    @property
    def headers(self) -> dict[str, str]:
        """What a request must carry to belong to this scope."""
        return {} if self._name is None else {SCOPE_HEADER: self._name}

    # ------------------------------------------------------------ saying

    def script(self, rules: Iterable[Mapping[str, Any]] | None = None, /, *, reply: Any = None, **conditions: Any) -> None:
        """Tell an answer: ``script(prompt="ping", reply="pong")``; or several, as in a script file: ``script([{...}, ...])``.

        Conditions are those of a rule: ``prompt``, ``model``, ``parameters``, ``headers``, ``stream``, ``call``, ``times``.
        Raises MistakeError when the mock cannot give such an answer.
        """
        rows = [*rules] if rules is not None else [{"reply": reply, **conditions}]
        try:
            self._desk.tell(self._name or "", {"rules": rows})
        except ControlError as error:
            raise MistakeError(error.message) from None

    def fault(self, name: str, times: int | None = 1) -> None:
        """Let the named fault strike the next ``times`` requests (None: all until ``reset``). Raises MistakeError."""
        if times is not None and times < 1:
            raise MistakeError(f"`times` must be above 0. Given: {times}")
        try:
            self._desk.arm(self._name or "", name, times)
        except ControlError as error:
            raise MistakeError(error.message) from None

    def reset(self) -> None:
        """Forget rules told, faults and requests."""
        self._desk.reset(self._name)

    # ------------------------------------------------------------ asking

    @property
    def requests(self) -> list[Asked]:
        """What was asked since the last reset, newest last: ``.prompt``, ``.parameters``, ``.status``, ``.headers``, ..."""
        return self._desk.journal.entries(self._name)

    def verdict(self, accepted: str | Iterable[str] = (), *, patience: float = PATIENCE) -> list[Finding]:
        """What there is to say against the client that asked.

        ``accepted`` is the text, or are the texts, that it handed on as whole answers: only with them can it be told whether it took
        a cut stream for a whole one, overlooked an error event, or waited for longer than ``patience`` seconds while nothing came.
        """
        return judge(self.requests, [accepted] if isinstance(accepted, str) else accepted, patience)

    def assert_called(
        self,
        *,
        prompt: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        model: str | None = None,
        stream: bool | None = None,
        times: int | None = None,
    ) -> None:
        """Fail unless ``times`` requests (None: at least one) had this prompt and at least these parameters."""
        __tracebackhide__ = True
        wanted = {"prompt": prompt, "model": model, "stream": stream}
        conditions = {name: value for name, value in wanted.items() if value is not None}
        conditions |= {f"parameters[{name!r}]": value for name, value in (parameters or {}).items()}
        asked = self.requests
        misses = [_misses(entry, conditions) for entry in asked]
        count = sum(not miss for miss in misses)
        if count == times or (times is None and count):
            return
        raise AssertionError(_complaint(conditions, asked, misses, count, times))


def _misses(entry: Asked, conditions: Mapping[str, Any]) -> list[str]:
    """Each condition that a request does not meet, in words."""
    has: dict[str, Any] = {"prompt": entry.prompt, "model": entry.model, "stream": entry.stream}
    has |= {f"parameters[{name!r}]": value for name, value in entry.parameters.items()}
    return [
        f"{name} is {_show(has[name]) if name in has else 'not given'}, not {_show(value)}"
        for name, value in conditions.items()
        if name not in has or has[name] != value or isinstance(has[name], bool) != isinstance(value, bool)
    ]


def _complaint(conditions: Mapping[str, Any], asked: list[Asked], misses: list[list[str]], count: int, times: int | None) -> str:
    what = ", ".join(f"{name} {_show(value)}" for name, value in conditions.items()) or "any request"
    expected = "at least once" if times is None else f"{times} times"
    lines = [f"expected {expected}: {what}", f"came {count} times, of {len(asked)} requests" + (":" if asked else "")]
    shown = [*zip(asked, misses, strict=True)][-SHOWN:]
    if len(asked) > SHOWN:
        lines.append(f"  ... {len(asked) - SHOWN} earlier ones")
    for entry, miss in shown:
        lines.append(
            f"  {entry.number}. {entry.method} {entry.path} {_show(entry.prompt)}: {' and '.join(miss) or 'as expected'}"
        )
    return "\n".join(lines)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
