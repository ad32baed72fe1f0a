"""One request through all rooms: bytes in, Reply out. Knows no Flask; the routes above it know no rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from mockserver.config import Config
from mockserver.engine.backends import open_backend
from mockserver.engine.generate import LanguageModel, collect, generate, generate_all, rank
from mockserver.engine.model import Model, UnknownAdapter
from mockserver.engine.plan import Plan, check_rules, plan
from mockserver.engine.told import Told, tell
from mockserver.errors import ApiError, ModelNotFoundError, NotFoundError
from mockserver.messages import Reply, Request, Step
from mockserver.sayable import Sayable
from mockserver.scenario.cassette import open_cassette
from mockserver.scenario.desk import Desk, ToldText, Visit
from mockserver.scenario.pacing import Clock, Pacing, SystemClock, hold, pace
from mockserver.scenario.seams import Events
from mockserver.scenario.slots import Slots
from mockserver.service.cache import MARK
from mockserver.service.front_door import FrontDoor
from mockserver.service.streams import Streams
from mockserver.store import Store
from mockserver.wire import sse
from mockserver.wire.contract import Contract
from mockserver.wire.headers import OPTIONS, Timing, behind_headers, compute_headers, request_headers, timing_headers
from mockserver.wire.refusal import JSON_HEADERS, refusal
from mockserver.wire.request import ignored_header, parse_request, read_inputs
from mockserver.wire.response import plain_reply, stream_events
from mockserver.wire.strict_json import write_json

Load = Callable[[str, str | None], LanguageModel]

KNOWN_REQUESTS = 512
"""Requests whose meaning is remembered; the least recently asked go first."""

LARGEST_KNOWN = 16_384
"""Bytes of the longest body that is remembered."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a body was found to ask, and the name under which its reply is kept."""

    request: Request
    key: str


def open_engine(config: Config) -> Load:
    """What gives the model for a model id and an adapter id. Raises BackendError, CheckpointError."""
    if config.checkpoint is not None:
        from mockserver.engine.checkpoint import open_checkpoint

        return open_checkpoint(config.checkpoint, config.device)
    backend = open_backend(config.device)

    def load(voice: str, adapter_id: str | None) -> LanguageModel:
        try:
            return Model.load(voice, adapter_id=adapter_id, backend=backend)
        except UnknownAdapter as error:
            raise NotFoundError(str(error)) from None

    return load


def try_engine(config: Config) -> str:
    """What keeps the engine of ``config`` from opening, in one sentence; "" when it opens."""
    from mockserver.engine.backends import BackendError
    from mockserver.engine.checkpoint_files import CheckpointError

    try:
        open_engine(config)(config.models[0], None)
    except (BackendError, CheckpointError) as error:
        return str(error)
    return ""


class Answerer:
    """The server behind the routes. Everything slow is made here, once; what changes between requests is the desk's."""

    def __init__(self, config: Config, *, load: Load | None = None, clock: Clock | None = None) -> None:
        self.config = config
        self._switches = config.switches
        self.contract = Contract(config)
        self._load = lru_cache(maxsize=64)(load or open_engine(config))
        clock = clock or SystemClock()
        store = Store(config.state, clock=clock.now)
        sayable = Sayable(config, self.contract, self._load(config.models[0], None).vocabulary)
        self.desk = Desk(config, clock, sayable.complaint, store)
        self._cassette = open_cassette(config, clock, store)
        self._pacing = Pacing.at(config.timing, config.seed)
        self._is_paced = config.paced
        self._shares_streams = config.paced and not config.timing.prefill and config.timing.concurrency is None
        self._slots = None if config.timing.concurrency is None else Slots(config.timing.concurrency, clock)
        self.front_door = FrontDoor(config, clock, store)
        self._streams = Streams()
        self._read_again = lru_cache(KNOWN_REQUESTS)(self._read)

    def answer(
        self,
        read_body: Callable[[], bytes],
        content_type: str | None,
        *,
        model: str | None = None,
        stream: bool | None = None,
        visit: Visit | None = None,
    ) -> Reply:
        """The reply to a request for ``model`` (None: the first). Raises ApiError, never after the reply has begun."""
        visit = visit or self.desk.visit()
        switches = self._switches
        self.front_door.admit(visit.headers.get("authorization"))
        if model is None:
            model = self.config.models[0]
        if self._cassette is not None:
            body = visit.seams.body(self.desk.read(visit, read_body(), model))
            return self.desk.send(self._cassette.answer(visit.path, body, visit.headers, partial(self.desk.note, visit)), visit)
        if model not in self.config.models:
            raise ModelNotFoundError(model)
        about = request_headers(model) if switches.request_headers else ()
        try:
            visit.seams.headers(visit.headers)
            body = visit.seams.body(self.desk.read(visit, read_body(), model))
            read = self._understand(body, content_type, model, stream, visit)
            self.front_door.wait(read.request)
            reply = self._answer(read, visit, in_list=stream is None and switches.list_of_one)
        except ApiError as error:
            error.headers.update(about)
            raise
        if read.request.ignored and switches.names_ignored:
            about = (*about, ("x-ignored-parameters", ignored_header(read.request.ignored)))
        behind = switches.router_behind and MARK not in reply.headers
        if behind:
            about = (*about, *behind_headers())
        if about:
            reply = Reply(reply.status, (*reply.headers, *about), reply.body, chunked=behind)
        return self.desk.send(reply, visit)

    def tokenize(
        self, read_body: Callable[[], bytes], content_type: str | None, *, visit: Visit | None = None
    ) -> list[tuple[int, str, bytes]]:
        """The tokens of a request's ``inputs``: id, text and bytes of each."""
        visit = visit or self.desk.visit()
        self.front_door.admit(visit.headers.get("authorization"))
        model = self.config.models[0]
        inputs = read_inputs(read_body(), content_type, self.contract)
        vocabulary = self._load(model, None).vocabulary
        return [(id, vocabulary.token_text(id), vocabulary.token_bytes(id)) for id in vocabulary.encode(inputs)]

    def _understand(self, body: bytes, content_type: str | None, model: str, stream: bool | None, visit: Visit) -> Read:
        """What ``body`` asks; the same body is read once only, unless something takes hold of it on its way."""
        said = tuple(map(visit.headers.get, OPTIONS.values()))
        if visit.faults:
            return self._read(body, content_type, model, stream, said, visit.seams.payload)
        read = self._read_again if len(body) <= LARGEST_KNOWN else self._read
        return read(body, content_type, model, stream, said)

    def _read(
        self,
        body: bytes,
        content_type: str | None,
        model: str,
        stream: bool | None,
        said: tuple[str | None, ...],
        alter: Callable[[Any], Any] | None = None,
    ) -> Read:
        switches = self._switches
        request = parse_request(
            body,
            content_type,
            self.contract,
            model=model,
            stream=stream,
            full_text=stream is None and switches.full_text,
            unknown_parameters=self.config.unknown_parameters,
            alter=alter,
            headers={name: value for name, value in zip(OPTIONS.values(), said, strict=True) if value is not None},
            rules=check_rules if switches.plain_text_refusals else None,
        )
        return Read(request, self.front_door.key(request, "list" if stream is None and switches.list_of_one else ""))

    def _answer(self, read: Read, visit: Visit, *, in_list: bool) -> Reply:
        """What was arranged for this request, or what the front door has kept of it, or a new answer."""
        asked = read.request
        told = self.desk.told(asked, visit)
        kept = told is None and not visit.faults and not self._is_paced
        generate = partial(self._generate, visit=visit, told=told, in_list=in_list)
        try:
            return self.front_door.answer(asked, generate, key=read.key, kept=kept)
        except ApiError as error:
            error.streamed = len(asked.inputs) if asked.stream else None
            raise

    def _generate(self, asked: Request, visit: Visit, told: ToldText | None, in_list: bool) -> Reply:
        seams = visit.seams
        if asked.stream and self._shares_streams and told is None and not visit.faults:
            return self._pace_stream(asked, visit)
        began = self.desk.clock.now()
        request = seams.request(asked)
        language_model = self._load(request.model, request.parameters.adapter_id)
        todo = plan(request, language_model.vocabulary, self.config)
        made = self._make(todo, language_model, told, visit)

        def sequences(turn: float) -> Iterator[Events]:
            """As they come, from when it is this request's turn."""
            for events in made:
                if self._is_paced or seams.paced:
                    due = seams.deadlines(self._pacing.deadlines(asked, len(todo.ids)))
                    events = pace(events, due, max(visit.start, turn), self.desk.clock)
                yield seams.steps(events, asked)

        headers = self._compute_headers(asked)
        if request.stream:
            events = seams.events(self._in_turn(lambda turn: stream_events(request, next(sequences(turn)))), asked)
            return Reply(200, (*sse.HEADERS, *headers), seams.frames(sse.frames(events, self.config.frames), asked))
        planned = self.desk.clock.now()
        with self._slots.slot() if self._slots else nullcontext(planned) as turn:
            completions = rank([collect(events) for events in sequences(turn if self._slots else visit.start)])
        if headers:
            headers += timing_headers(completions[0], Timing(planned - began, turn - planned, self.desk.clock.now() - turn))
        reply = seams.reply(plain_reply(request, completions), asked)
        return Reply(200, (*JSON_HEADERS, *headers), write_json([reply] if in_list else reply).encode("ascii"))

    def _pace_stream(self, asked: Request, visit: Visit) -> Reply:
        """The stream that the model gives by itself, each frame held back; the same one is not made anew for each who asks."""

        def make() -> Iterator[bytes]:
            model = self._load(asked.model, asked.parameters.adapter_id)
            events = stream_events(asked, generate(plan(asked, model.vocabulary, self.config), model))
            return sse.frames(events, self.config.frames)

        frames = hold(self._streams.open(asked, make), self._pacing.deadlines(asked), visit.start, self.desk.clock)
        return Reply(200, (*sse.HEADERS, *self._compute_headers(asked)), frames)

    def _compute_headers(self, asked: Request) -> tuple[tuple[str, str], ...]:
        compute_type = self._switches.compute_type
        return compute_headers(len(asked.inputs), compute_type) if compute_type else ()

    def _in_turn(self, make: Callable[[float], Iterator[Any]]) -> Iterator[Any]:
        """What ``make`` gives, once a slot is free, which is kept to its end."""
        if self._slots is None:
            return make(float("-inf"))

        def wait(slots: Slots) -> Iterator[Any]:
            with slots.slot() as turn:
                yield from make(turn)

        return wait(self._slots)

    def _make(self, todo: Plan, model: LanguageModel, told: ToldText | None, visit: Visit) -> Iterable[Events]:
        """The sequences, as the model would write them or as they are told."""
        if told is not None:
            return [self._tell(todo, model, n, told, visit) for n in range(todo.best_of)]
        return [generate(todo, model)] if todo.best_of == 1 else map(iter, generate_all(todo, model))

    def _tell(self, todo: Plan, model: LanguageModel, sequence: int, told: ToldText, visit: Visit) -> Events:
        """A told sequence, whole before it begins, so that it cannot fail then."""
        steps = tell(todo, model, Told(told.place, told.text, told.finish_reason), sequence=sequence)
        last = steps[-1]
        if isinstance(last, Step) and last.finished is not None:
            self.desk.ended(visit, told, last.finished)
        return iter(steps)

    def refuse(self, error: ApiError, visit: Visit | None = None) -> Reply:
        """The reply that tells ``error``."""
        if self._switches.request_headers:
            error.headers.setdefault(*request_headers("")[0])
        reply = refusal(error, self._switches, self.config.frames)
        return reply if visit is None else visit.seams.answer(reply)
