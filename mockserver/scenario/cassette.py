"""Exchanges with a real server: written down while they pass through, and given again without it.

A recording is JSON lines, as ``textgen-contract check --record`` writes and ``textgen-contract judge`` reads; it never holds a token.
"""

from __future__ import annotations

import base64
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from os import SEEK_END
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlsplit

from mockserver.config import Config, ConfigError
from mockserver.errors import ApiError, ToldError, UnmatchedError
from mockserver.messages import Reply
from mockserver.scenario.pacing import Clock, wait_until
from mockserver.store import Store
from mockserver.wire.reply_check import ReplyCheck
from mockserver.wire.strict_json import parse_json
from spec.secrets import Masker, is_secret_name, secrets_of_headers, secrets_of_url

log = logging.getLogger("mockserver")

Note = Callable[[str], None]
"""Writes something down beside the request in the journal."""

LARGEST_RECORDING = 256_000_000
REPLAYED = "replayed"
"""The room of the store that holds how often each kind of request was replayed."""

MOST_COUNTED = 100_000
"""Kinds of requests of which it is known how often they were replayed."""

PATIENCE = 300.0
"""Seconds that a real server may think."""

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host"}
)
OURS = frozenset({"accept-encoding", "content-encoding", "set-cookie"})
"""What tells of the way and not of the message; bodies are written down as they are without compression."""


class CassetteError(ConfigError):
    """A recording that cannot be written or used; the message is one sentence that begins with the place."""


class Cassette(Protocol):
    """What answers in the place of the model."""

    def answer(self, path: str, body: bytes, headers: Mapping[str, str], note: Note) -> Reply: ...


class Tape:
    """A file of lines, appended one by one. Safe among threads.

    Where no more can be written it ends with the last whole line, which is said once; whoever writes goes on without it.
    Raises CassetteError.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines = 0
        self._ended = False
        self._lock = Lock()
        try:
            file.open("ab").close()
        except OSError as error:
            raise CassetteError(f"{file}: {error.strerror or error}") from None

    def write(self, line: str) -> None:
        data = f"{line}\n".encode("ascii")
        with self._lock:
            if self._ended:
                return
            try:
                with self.file.open("ab", buffering=0) as sink:
                    _append(sink, data)
                self._lines += 1
            except OSError as error:
                self._ended = True
                why = error.strerror or error
                log.warning("%s: %s: the recording ends here, after %s exchanges; requests go on", self.file, why, self._lines)


def _append(sink: Any, data: bytes) -> None:
    """All of ``data`` or nothing of it. Raises OSError."""
    start = sink.seek(0, SEEK_END)
    try:
        written = sink.write(data)
        if written < len(data):  # a disk that is almost full takes what it can
            sink.write(data[written:])
    except OSError:
        with suppress(OSError):
            sink.truncate(start)
        raise


class Recorder:
    """Passes each request on to ``upstream``, writes down what came back, and when, and names what breaks the contract."""

    def __init__(self, file: Path, upstream: str, clock: Clock, *, dialect: str = "documented", transport: Any = None) -> None:
        from http.cookiejar import DefaultCookiePolicy

        import httpx

        self._upstream = upstream.rstrip("/")
        self._clock = clock
        self._check = ReplyCheck(dialect)
        self._client = httpx.Client(timeout=PATIENCE, transport=transport)
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one client's cookies are not another's
        self._where = Masker().text(self._upstream)
        self._secrets = secrets_of_url(self._upstream)
        self._tape = Tape(file)

    def answer(self, path: str, body: bytes, headers: Mapping[str, str], note: Note = lambda _: None) -> Reply:
        """What the real server answers; ``note`` gets what is wrong with it.

        Raises ToldError, with status 502, when it cannot be reached.
        """
        import httpx

        url = self._upstream if path == "/" else self._upstream + path
        sent = {
            name: value for name, value in headers.items() if name not in HOP_BY_HOP | OURS and not name.startswith("x-mock-")
        }
        began = self._clock.now()
        try:
            response = self._client.send(self._client.build_request("POST", url, content=body, headers=sent), stream=True)
        except httpx.HTTPError as error:
            message = f"{self._where} could not be reached: {type(error).__name__}"
            raise ToldError(message, status=502, error_type="upstream", headers={}) from None
        told = {name: value for name, value in response.headers.items() if name not in HOP_BY_HOP | OURS}
        request = {"method": "POST", "url": url, "headers": _open(sent), "body": _decoded(body)}
        answer = {"status": response.status_code, "headers": told}
        masker = Masker((*self._secrets, *secrets_of_headers(sent)))
        pieces = self._pass_on(response, began, request, answer, masker, note)
        is_stream = told.get("content-type", "").startswith("text/event-stream")
        return Reply(response.status_code, tuple(told.items()), pieces if is_stream else b"".join(pieces))

    def _pass_on(
        self, response: Any, began: float, request: dict[str, Any], answer: dict[str, Any], masker: Masker, note: Note
    ) -> Iterator[bytes]:
        import httpx

        body = bytearray()
        chunks, failure = [], {}
        try:
            for piece in response.iter_bytes():
                chunks.append({"at": round(self._clock.now() - began, 6), "data": _text(piece)})
                body += piece
                yield piece
        except GeneratorExit:  # a client that leaves is no fault of the server's: nothing is written down
            response.close()
            raise
        except httpx.HTTPError as error:
            failure = {"failure": type(error).__name__}
        response.close()
        told = masker.reply({**answer, "chunks": chunks, **failure})
        self._tape.write(json.dumps({"request": masker.value(request), "response": told}))
        if failure:
            message = f"{self._where} broke off: {failure['failure']}"
            raise ToldError(message, status=502, error_type="upstream", headers={})
        complaint = self._check.complaint(
            request["body"], answer["status"], answer["headers"].get("content-type", ""), bytes(body)
        )
        if complaint:
            complaint = masker.text(complaint)
            note(f"the recorded reply breaks the contract: {complaint}")
            log.warning(
                "%s to %s breaks the contract: %s (`textgen-contract judge %s` tells all)",
                answer["status"], masker.text(request["url"]), complaint, self._tape.file,
            )  # fmt: skip

    def close(self) -> None:
        self._client.close()


class Player:
    """Gives again what was recorded: the n-th request of a kind gets the n-th answer, and the last one from then on."""

    def __init__(self, file: Path, clock: Clock, *, timing: bool = False, store: Store | None = None) -> None:
        self._clock = clock
        self._timing = timing
        self._asked = (store or Store()).room(REPLAYED, most=MOST_COUNTED)
        self._answers: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for place, exchange in _read(file):
            try:
                request, response = exchange["request"], exchange["response"]
                list(_pieces(response))
                dict(response.get("headers", {}).items(), status=int(response["status"]))
                if response.get("failure"):
                    continue
                self._answers[_key(Masker().value(request["body"]))].append((urlsplit(request["url"]).path, response))
            except (KeyError, TypeError, ValueError, AttributeError):
                raise CassetteError(f"{place}: it is no recorded exchange, such as `serve --record` writes now") from None
        if not self._answers:
            raise CassetteError(f"{file}: no whole exchange is recorded in it")

    def answer(self, path: str, body: bytes, headers: Mapping[str, str], note: Note = lambda _: None) -> Reply:  # noqa: ARG002 (as a Recorder)
        """What was recorded for this body, at the same path if there is such a one. Raises UnmatchedError."""
        began = self._clock.now()
        key = _key(Masker(secrets_of_headers(headers)).value(_decoded(body)))  # as it was written down
        known = self._answers.get(key)
        if known is None:
            raise UnmatchedError(f"This request was not recorded; the recording holds {len(self._answers)} others")
        fitting = [response for recorded, response in known if recorded == path] or [response for _, response in known]
        call = self._asked.count(blake2b(f"{path} {key}".encode(), digest_size=16).hexdigest())
        response = fitting[min(call, len(fitting)) - 1]
        told = tuple(
            (str(name), str(value)) for name, value in response.get("headers", {}).items() if name.lower() not in HOP_BY_HOP
        )
        pieces = self._in_time(response, began)
        is_stream = any(name.lower() == "content-type" and value.startswith("text/event-stream") for name, value in told)
        return Reply(int(response["status"]), told, pieces if is_stream else b"".join(pieces))

    def _in_time(self, response: dict[str, Any], began: float) -> Iterator[bytes]:
        for at, piece in _pieces(response):
            if self._timing:
                wait_until(began + at, self._clock)
            yield piece


def _read(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        if file.stat().st_size > LARGEST_RECORDING:
            raise CassetteError(f"{file}: a recording has at most {LARGEST_RECORDING} bytes")
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield f"{file}:{number}", json.loads(line)
                    except (ValueError, RecursionError):
                        raise CassetteError(f"{file}:{number}: it is no JSON") from None
    except OSError as error:
        raise CassetteError(f"{file}: {error.strerror or error}") from None


def _pieces(response: Mapping[str, Any]) -> Iterator[tuple[float, bytes]]:
    if "chunks" in response:
        for chunk in response["chunks"]:
            yield float(chunk["at"]), _bytes(chunk["data"])
    else:
        body = response["body"]
        yield (
            0.0,
            _bytes(body)
            if isinstance(body, str) or (isinstance(body, dict) and body.keys() == {"base64"})
            else (json.dumps(body).encode()),
        )


def _bytes(data: Any) -> bytes:
    return data.encode() if isinstance(data, str) else base64.b64decode(data["base64"])


def _text(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _decoded(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ApiError:
        return _text(body)


def _key(body: Any) -> str:
    return json.dumps(body, sort_keys=True)


def _open(headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` without those that hold a secret."""
    return {name: value for name, value in headers.items() if not is_secret_name(name)}


def open_cassette(config: Config, clock: Clock, store: Store | None = None) -> Cassette | None:
    """What answers in the place of the model, if anything does. Raises CassetteError."""
    if config.replay is not None:
        return Player(Path(config.replay), clock, timing=config.replay_timing, store=store)
    if config.record is not None and config.upstream is not None:
        return Recorder(Path(config.record), config.upstream, clock, dialect=config.dialect)
    return None
