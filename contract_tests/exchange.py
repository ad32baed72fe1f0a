"""The nouns of the wire: a Case to send, the Exchange that came of it, and both as one JSON line.

No judging and no I/O here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

from spec.secrets import Masker, is_secret_name, secrets_of_headers

JSON_HEADERS: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
LEFT = "the client left on purpose"
"""``failure`` of a reply that was read no further because the client wanted none of the rest: it shows nothing of the server."""
Headers = tuple[tuple[str, str], ...]
RECORDED = "recorded"
"""``about`` of a recorded request without a fault: what its reply lacks may have reasons that the record does not show."""


@dataclass(frozen=True, slots=True)
class Case:
    """One request to send.

    ``body`` is what is posted, byte by byte; ``payload`` is the JSON value it was made from (None for bytes that are no JSON).
    ``about`` is the id of the statement that the case was made for, ``""`` for a draw that serves all.
    ``faulty`` says that the request itself breaks that statement, so that a right server refuses it.
    ``subject`` names the parameter or field at fault, as an error should.
    ``unknown`` says that a record does not hold the body, which is then empty here.
    """

    body: bytes
    payload: Any = None
    headers: Headers = JSON_HEADERS
    about: str = ""
    faulty: bool = False
    subject: str = ""
    unknown: bool = False

    @classmethod
    def of(cls, payload: Any, *, about: str = "", faulty: bool = False, subject: str = "", headers: Headers = ()) -> Case:
        """A case whose body is ``payload`` as JSON."""
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return cls(body=body, payload=payload, headers=JSON_HEADERS + headers, about=about, faulty=faulty, subject=subject)

    @property
    def size(self) -> tuple[int, int]:
        """How large the case is to a reader: the smallest of several that show the same is the one to report."""
        parameters = self.payload.get("parameters") if isinstance(self.payload, dict) else None
        return (len(parameters) if isinstance(parameters, dict) else 0, len(self.body))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they arrived, ``at`` seconds after the request was sent."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A case, where it was sent, and what came back.

    ``status`` 0 with ``failure`` set: no HTTP reply came. A reply that was cut has both a status and a ``failure``.
    ``headers`` are the reply's, names in lower case. ``seconds`` from sending to the end.
    ``unkept`` counts the bytes of the body that came behind those in ``chunks``.
    """

    case: Case
    url: str
    status: int
    headers: Headers = ()
    chunks: tuple[Chunk, ...] = field(default=())
    seconds: float = 0.0
    failure: str = ""
    unkept: int = 0

    @property
    def content(self) -> bytes:
        """The reply's body, whole."""
        return b"".join(chunk.data for chunk in self.chunks)

    def header(self, name: str) -> str:
        """The first value of header ``name`` (lower case), ``""`` when it is absent."""
        return next((value for key, value in self.headers if key == name), "")


def shortened(exchange: Exchange, limit: int) -> Exchange:
    """The exchange with no more than ``limit`` bytes of its body kept."""
    kept, room = [], limit
    for chunk in exchange.chunks:
        if room > 0:
            kept.append(Chunk(chunk.at, chunk.data[:room]))
        room -= len(chunk.data)
    return replace(exchange, chunks=tuple(kept), unkept=exchange.unkept - room) if room < 0 else exchange


def _text_or_base64(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _shown_body(case: Case) -> Any:
    """The body of a request: parsed JSON where it is exactly that, else text or base64."""
    if case.payload is not None and Case.of(case.payload).body == case.body:
        try:
            case.body.decode("utf-8")
        except UnicodeDecodeError:
            return _text_or_base64(case.body)
        return case.payload
    return _text_or_base64(case.body)


def shown(case: Case, url: str) -> dict[str, Any]:
    """``request`` of a record: what was sent, without any Authorization (the case never holds one), and what for."""
    told = {"method": "POST", "url": url, "headers": dict(case.headers), "body": _shown_body(case)}
    if case.about:
        told |= {"about": case.about, "faulty": case.faulty, "subject": case.subject}
    return told


def case_of(told: Any) -> Case:
    """The case that ``shown`` told, or that another recorder wrote down. ValueError in words when it is none."""
    if not isinstance(told, dict) or "body" not in told:
        raise ValueError("a request is an object with a `body`")
    headers = tuple((name.lower(), value) for name, value in header_pairs(told.get("headers")) if not is_secret_name(name))
    body = told["body"]
    purpose: dict[str, Any] = {
        "about": str(told.get("about", "")),
        "faulty": told.get("faulty") is True,
        "subject": str(told.get("subject", "")),
    }
    if body is None or isinstance(body, str) or _is_base64(body):
        data = _bytes(body or "")
        return Case(body=data, payload=_canonical(data), headers=headers or JSON_HEADERS, unknown=body is None, **purpose)
    return replace(Case.of(body, **purpose), headers=headers or JSON_HEADERS)


def header_pairs(value: Any) -> list[tuple[str, str]]:
    """Headers given as an object, as pairs, or as HAR's list of ``{"name", "value"}``."""
    if isinstance(value, dict):
        return [(str(name), str(text)) for name, text in value.items()]
    found = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            found.append((str(item.get("name", "")), str(item.get("value", ""))))
        elif isinstance(item, list) and len(item) == 2:
            found.append((str(item[0]), str(item[1])))
    return found


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str)


def _bytes(value: Any) -> bytes:
    """The bytes of what ``_text_or_base64`` told; JSON that a recorder parsed is written again."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if _is_base64(value):
        return base64.b64decode(value["base64"], validate=True)
    return json.dumps(value).encode("utf-8")


def _canonical(data: bytes) -> Any:
    """The JSON object of a body that was recorded as text; None when it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def to_json(exchange: Exchange, masker: Masker | None = None) -> str:
    """One line of a record (see the commands: ``--record``). Authorization is never in it, nor what ``masker`` takes out."""
    headers = {name: value for name, value in exchange.headers if not is_secret_name(name)}
    response: dict[str, Any] = {"status": exchange.status, "headers": headers}
    response["chunks"] = [{"at": round(chunk.at, 6), "data": _text_or_base64(chunk.data)} for chunk in exchange.chunks]
    if exchange.failure:
        response["failure"] = exchange.failure
    request = shown(exchange.case, exchange.url)
    if masker is not None:
        request, response = masker.value(request), masker.reply(response)
    return json.dumps({"request": request, "response": response}, ensure_ascii=True)


def from_json(line: str, secrets: set[str] | None = None) -> Exchange:
    """The exchange of one line of a record; ``secrets`` grows by those of its request. ValueError in words when it is none."""
    value = json.loads(line)
    if not isinstance(value, dict) or not isinstance(value.get("response"), dict):
        raise ValueError('an exchange is {"request": {...}, "response": {...}}')
    case, response = case_of(value.get("request")), value["response"]
    if secrets is not None:
        secrets.update(secrets_of_headers(dict(header_pairs(value["request"].get("headers")))))
    status = response.get("status")
    if not isinstance(status, int):
        raise ValueError("`status` of a response is an integer")
    if "chunks" in response:
        chunks = tuple(Chunk(float(chunk["at"]), _bytes(chunk["data"])) for chunk in response["chunks"])
    else:
        chunks = (Chunk(0.0, _bytes(response.get("body") or "")),)
    headers = tuple((name.lower(), text) for name, text in header_pairs(response.get("headers")))
    seconds = chunks[-1].at if chunks else 0.0
    return Exchange(
        case, str(value["request"].get("url", "")), status, headers, chunks, seconds, str(response.get("failure", ""))
    )
