"""What the person at the desk arranged, and what was asked meanwhile, kept apart by scope.

A scope is a name that a client sends in ``x-mock-scope``: rules told, faults and counts of one scope are unknown to the others.
A script file and the faults of the command line hold in all of them. Knows no Flask.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.config import Config
from mockserver.errors import ControlError, GenerationError, ToldError, UnmatchedError
from mockserver.messages import Finished, FinishReason, Reply, Request
from mockserver.scenario.armed import BadFaultError, arm
from mockserver.scenario.cassette import REPLAYED
from mockserver.scenario.faults import UnknownFaultError
from mockserver.scenario.journal import Asked, Journal
from mockserver.scenario.pacing import Clock, SystemClock, wait_until
from mockserver.scenario.rules import Rule, ScriptError, nearest
from mockserver.scenario.scopes import Named, Scopes, Waiting
from mockserver.scenario.scripts import read_script
from mockserver.scenario.seams import Fault, Seams
from mockserver.scenario.watching import watch
from mockserver.store import Store

if TYPE_CHECKING:
    from mockserver.scenario.shared_journal import SharedJournal

log = logging.getLogger("mockserver")

SCOPE_HEADER = "x-mock-scope"
FAULT_HEADER = "x-mock-fault"

Check = Callable[[Rule], str]


class Visit(msgspec.Struct):
    """One request on its way: when it came, what is done to it, and its line in the journal."""

    start: float
    seams: Seams
    faults: tuple[Fault, ...] = ()
    path: str = "/"
    scope: str = ""
    headers: Mapping[str, str] = {}
    asked: Asked | None = None
    complaint: ControlError | None = None


@dataclass(frozen=True, slots=True)
class ToldText:
    """The text that a rule tells for one request."""

    place: str
    text: str
    finish_reason: FinishReason | None


class Desk:
    """Safe among threads. Raises UnknownFaultError, BadFaultError, ScriptError when the Config asks for what cannot be."""

    def __init__(
        self, config: Config, clock: Clock | None = None, check: Check | None = None, store: Store | None = None
    ) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.store = store or Store()
        self.journal = _open_journal(self.store)
        self.complaint = ""
        self._check = check or (lambda _: "")
        self._lock = RLock()
        standing = [(text, arm(text, seed=config.seed)) for text in config.faults]
        self._always = tuple(armed.fault for _, armed in standing if armed.always)
        self._seams = Seams(self._always)
        self._scopes = Scopes(self.store, [text for text, armed in standing if not armed.always], seed=config.seed)
        self._path = Path(config.script) if config.script is not None else None
        self._stamp: object = None
        self._file_rules: tuple[Named, ...] = ()
        if self._path is not None:
            self._stamp = _stamp(self._path)
            self._file_rules = self._read(self._path)

    # ------------------------------------------------------------ a request

    def visit(self, method: str = "POST", path: str = "/", headers: Mapping[str, str] | None = None) -> Visit:
        """A request that has just come, the names of its headers in lower case; what is wrong with them is told when it is read."""
        known = headers or {}
        visit = Visit(self.clock.now(), self._seams, self._always, path=path, headers=known)
        if not self.config.control:
            return visit
        visit.scope = known.get(SCOPE_HEADER, "")
        visit.asked = self.journal.open(time=self.clock.time(), scope=visit.scope, method=method, path=path, headers=known)
        if method == "POST":
            try:
                self._strike(visit, known.get(FAULT_HEADER))
            except ControlError as error:
                visit.complaint = error
        return visit

    def _strike(self, visit: Visit, wanted: str | None) -> None:
        texts = [text.strip() for text in wanted.split(",") if text.strip()] if wanted is not None else []
        try:
            struck = self._scopes.strike(visit.scope, texts)
        except (UnknownFaultError, BadFaultError) as error:
            raise ControlError(str(error)) from None
        if struck:
            self._add(visit, struck)

    def _add(self, visit: Visit, faults: Iterable[Fault]) -> None:
        visit.faults = (*visit.faults, *faults)
        visit.seams = Seams(visit.faults)
        if visit.asked is not None:
            visit.asked.faults = tuple(fault.name for fault in visit.faults)

    def read(self, visit: Visit, body: bytes, model: str) -> bytes:
        """The body of a visit, written down. Raises ControlError for a fault header that means nothing."""
        if visit.complaint is not None:
            raise visit.complaint
        if visit.asked is not None:
            visit.asked.model = model
            self.journal.keep_body(visit.asked, body)
        return body

    def told(self, request: Request, visit: Visit) -> ToldText | None:
        """The text that a rule tells for ``request``; None: as the model would.

        Waits as long as the rule says. Raises ToldError, GenerationError, and UnmatchedError in strict mode.
        """
        self._reload()
        rules = self._named(visit.scope)
        if not rules and not self.config.strict:
            return None
        rule, call = self._scopes.choose(visit.scope, rules, request, visit.headers) if rules else (None, 0)
        if rule is None:
            if self.config.strict:
                raise UnmatchedError(f"No rule matches this request: {nearest([rule for _, rule in rules], request, visit.headers)}")
            return None
        if visit.asked is not None:
            visit.asked.rule = rule.place
        return self._answer(rule, request, visit, call)

    def _answer(self, rule: Rule, request: Request, visit: Visit, call: int) -> ToldText | None:
        answer = rule.answer
        if answer.faults:
            self._add(visit, answer.faults)
        if answer.delay:
            visit.start += answer.delay / 1000
            if answer.failure is not None or not self.config.paced:
                wait_until(visit.start, self.clock)
        if answer.failure is not None:
            told = answer.failure
            raise ToldError(told.message, status=told.status, error_type=told.error_type, headers=dict(told.headers))
        groups: Sequence[str | None] = ()
        if rule.prompt is not None and rule.prompt.kind == "regex":
            found = re.search(rule.prompt.value, request.inputs)
            groups = found.groups() if found else ()
        said = {name: getattr(request.parameters, name) for name in request.parameters.__slots__}
        variables = {
            "prompt": request.inputs,
            "model": request.model,
            "stream": request.stream,
            "call": call,
            "groups": groups,
            "parameters": {name: value for name, value in said.items() if value is not None},
        }
        try:
            text = answer.render(variables)
        except ScriptError as error:
            raise GenerationError(f"{rule.place}: {error}") from None
        return None if text is None else ToldText(rule.place, text, answer.finish_reason)

    def send(self, reply: Reply, visit: Visit) -> Reply:
        """The answer to a visit on its last way out, watched when something was done to it."""
        reply = visit.seams.answer(reply)
        if visit.faults and visit.asked is not None:
            return watch(reply, visit.asked, self.clock, visit.start, self.journal.close)
        return reply

    def ended(self, visit: Visit, told: ToldText, finished: Finished) -> None:
        """Write down when a told text was not said to its end."""
        if visit.asked is not None and finished.generated_text != told.text:
            self.note(visit, f"{finished.finish_reason} ended the told text after {finished.generated_tokens} tokens")

    def note(self, visit: Visit, text: str) -> None:
        """Write ``text`` down beside a request."""
        if visit.asked is not None:
            visit.asked.note = text

    def close(self, visit: Visit, status: int, retry_after: str | None = None) -> None:
        """Write down how a visit was answered."""
        if visit.asked is not None:
            visit.asked.status = status
            if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
                visit.asked.retry_after = float(retry_after)
            self.journal.close(visit.asked)

    # ------------------------------------------------------------ the desk

    def tell(self, scope: str, document: Any) -> list[Rule]:
        """Add the rules of a decoded script behind those told before, all of them or none. Raises ControlError."""
        try:
            return [*self._scopes.tell(scope, document, self._fit)]
        except ScriptError as error:
            raise ControlError(str(error)) from None

    def rules(self, scope: str) -> list[Rule]:
        """What holds in a scope, in the order in which it is asked."""
        self._reload()
        return [rule for _, rule in self._named(scope)]

    def _named(self, scope: str) -> Sequence[Named]:
        told = self._scopes.rules(scope)
        return [*((rule.place, rule) for rule in told), *self._file_rules] if told else self._file_rules

    def forget_rules(self, scope: str) -> None:
        """Forget the rules told in a scope; those of the file still hold."""
        self._scopes.forget_rules(scope)

    def arm(self, scope: str, text: str, times: int | None) -> None:
        """Let a fault strike the next requests. Raises ControlError."""
        try:
            self._scopes.arm(scope, text, times)
        except (UnknownFaultError, BadFaultError) as error:
            raise ControlError(str(error)) from None

    def armed(self, scope: str) -> list[Waiting]:
        return self._scopes.waiting(scope)

    def disarm(self, scope: str) -> None:
        """Forget the faults that wait in a scope; those of the command line still hold."""
        self._scopes.disarm(scope)

    def reset(self, scope: str | None = None) -> None:
        """Forget what one scope was told and asked, or all of them, and where a recording stands; files and options still hold."""
        self.journal.forget(scope)
        if scope is None:
            self.store.room(REPLAYED).clear()
        self._scopes.forget(scope)

    # ------------------------------------------------------------ the file

    def _read(self, path: Path) -> tuple[Named, ...]:
        """The rules of the script, whose calls are counted anew when its text changes."""
        rules = read_script(path)
        self._fit(rules)
        edition = _edition(path)
        return tuple((f"{edition} {rule.place}", rule) for rule in rules)

    def _fit(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            complaint = self._check(rule)
            if complaint:
                raise ScriptError(f"{rule.where} {complaint}")

    def _reload(self) -> None:
        """Read the script again when its file has changed; keep the last good one when it cannot be used."""
        if self._path is None or (stamp := _stamp(self._path)) == self._stamp:
            return
        with self._lock:
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._file_rules, self.complaint = self._read(self._path), ""
            except ScriptError as error:
                self.complaint = str(error)
                log.warning("the script was changed, but the last good one is kept: %s", error)


def _edition(path: Path) -> str:
    """What tells one text of a file from another, on whatever machine it lies."""
    try:
        return blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return ""


def _open_journal(store: Store) -> Journal | SharedJournal:
    """The journal of this process, or of all that share ``store``; what that one needs is opened for it alone."""
    if not store.shared:
        return Journal()
    from mockserver.scenario.shared_journal import SharedJournal

    return SharedJournal(store)


def _stamp(path: Path) -> object:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
