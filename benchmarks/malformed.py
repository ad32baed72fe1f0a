"""Malformed requests over the wire, drawn from a seed: no reply may be a 5xx, and the server must be there at the end.

Four kinds: broken HTTP, bytes that are no JSON or nearly JSON, values no parameter may have, and headers that say nonsense.
The same seed sends the same requests.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from benchmarks import report
from benchmarks.servers import MODEL_PATH, OURS, Kind, Server, go_first, running
from spec import DIALECTS

PATHS = (MODEL_PATH, "/", "/generate", "/generate_stream", "/tokenize", "/models/x", "/_mock/scripts", "/_mock/faults", "/v1/x")
VALID: dict[str, Any] = {
    "inputs": "Once upon a time",
    "parameters": {"max_new_tokens": 2, "temperature": 0.7, "top_k": 5, "stop": ["."], "details": True, "seed": 1},
    "stream": False,
}
PARAMETERS = (
    "adapter_id", "best_of", "decoder_input_details", "details", "do_sample", "frequency_penalty", "grammar", "max_new_tokens",
    "repetition_penalty", "return_full_text", "seed", "stop", "temperature", "top_k", "top_n_tokens", "top_p", "truncate",
    "typical_p", "watermark",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, -(10**30), 2**63, 2**64, 0.0, -0.0, 1e308, 5e-324, 1.5, "", "x", "\ud800", "\0", "é" * 50,
    [], [[]], ["x"] * 100, [None], {}, {"type": "json"}, {"type": "json", "value": {}}, {"type": "regex", "value": "("},
    {"type": "regex", "value": "(a?){30}a{30}"}, {"type": "json", "value": {"type": "nothing"}}, {"type": 7, "value": []},
)  # fmt: skip
NONSENSE = ("", " ", "\t", "a" * 9000, "\xff\xfe", "true, false", "Bearer", "Bearer  x", '"', "%00", "-1", "1e9", "gzip", "chunked")
HEADERS = (
    "content-type", "authorization", "x-use-cache", "x-wait-for-model", "x-mock-fault", "x-mock-scope", "accept", "host", "origin",
    "expect", "range", "cookie", "content-encoding", "sec-fetch-site", "if-none-match",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: either well framed, or the bytes as they are."""

    kind: str
    path: str = MODEL_PATH
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None


def main() -> None:
    options = report.parser("malformed", __doc__ or "")
    options.add_argument("--count", type=int, default=100_000, help="how many requests to each dialect")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    go_first()
    seen: dict[str, Counter[tuple[str, str]]] = {}
    crashes, began = 0, time.monotonic()
    for dialect in DIALECTS:
        command = [*OURS, "{port}", "--dialect", dialect]
        kind = Kind(name=f"textgen-mock --dialect {dialect}", version="", command=command, body=json.dumps(VALID).encode())
        seen[dialect] = Counter()
        with running(kind) as server:
            processes = server.processes()
            send_all(server, requests(given.count, given.seed), seen[dialect])
            crashes += server.processes() != processes or server.ask().status_code != 200
    statuses = sorted({status for found in seen.values() for _, status in found})
    failed = sum(found[name, status] for found in seen.values() for name, status in found if status.startswith("5"))
    rows = [[dialect, name, *(f"{seen[dialect][name, status]:,}" for status in statuses)] for dialect in DIALECTS for name in MAKERS]
    sentences = [
        f"{given.count:,} requests from seed {given.seed} to each dialect, {time.monotonic() - began:.0f} s in all, one client. `closed`: "
        "the connection was ended without a reply, which is what HTTP asks for where the request cannot be made out.",
        f"Replies of 5xx: {failed}. Crashes: {crashes}. Repeat with `python -m benchmarks malformed`.",
    ]
    report.write(given.out, "Malformed requests", sentences, report.table(["dialect", "kind", *statuses], rows))
    if failed or crashes:
        sys.exit(1)


def requests(count: int, seed: int) -> Iterator[Sent]:
    draw = random.Random(seed)
    names = [*MAKERS]
    for _ in range(count):
        name = draw.choices(names, (15, 40, 35, 10))[0]
        yield MAKERS[name](draw)


def send_all(server: Server, sent: Iterator[Sent], seen: Counter[tuple[str, str]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for each in sent:
        if each.raw is not None:
            for status in send_raw(server.port, each.raw):
                seen[each.kind, status] += 1
            continue
        try:
            connection.request("POST", each.path, each.body, dict(each.headers))
            answer = connection.getresponse()
            answer.read()
            seen[each.kind, str(answer.status)] += 1
            if answer.status >= 500:
                print(answer.status, each, file=sys.stderr)
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, TimeoutError):
                seen[each.kind, "no answer in 20 s"] += 1
            else:
                seen[each.kind, "closed"] += 1
            connection.close()


def send_raw(port: int, data: bytes) -> list[str]:
    """The statuses of all that came back."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        except TimeoutError:
            return ["no answer in 20 s"]
        except OSError:
            return ["closed"]
    return [status.decode() for status in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)] or ["closed"]


# ---------------------------------------------------------------- what is sent


def broken_http(draw: random.Random) -> Sent:
    body = json.dumps(VALID).encode()
    head = f"POST {MODEL_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()
    length = b"content-length: %d\r\n" % len(body)
    chunked = head + b"transfer-encoding: chunked\r\n\r\n"
    whole = head + length + b"\r\n" + body
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: draw.randbytes(draw.randint(1, 200)),
        lambda: whole[: draw.randint(1, len(whole) - 1)],
        lambda: mutate(draw, whole),
        lambda: head + length + length.replace(b"%d" % len(body), b"7") + b"\r\n" + body,
        lambda: head + b"content-length: +%d\r\n\r\n" % len(body) + body,
        lambda: head + b"content-length: -1\r\n\r\n" + body,
        lambda: head + b"content-length: 99999999999999999999\r\n\r\n" + body,
        lambda: head + length + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        lambda: chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) + draw.randint(-5, 5), body),
        lambda: chunked + b"zz\r\n" + body,
        lambda: chunked + b"ffffffffffffffff\r\n" + body,
        lambda: head + b"bad header: 1\r\n" + length + b"\r\n" + body,
        lambda: head + b"x: " + b"a" * draw.choice((8_000, 70_000)) + b"\r\n" + length + b"\r\n" + body,
        lambda: head + b"".join(b"x-%d: 1\r\n" % number for number in range(draw.choice((90, 300)))) + length + b"\r\n" + body,
        lambda: whole.replace(b"HTTP/1.1", draw.choice((b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9", b"", b"http/1.1"))),
        lambda: whole.replace(b"POST", draw.choice((b"post", b"TRACE", b"CONNECT", b"P\0ST", b"PATCH", b"DELETE", b"X" * 300))),
        lambda: whole.replace(MODEL_PATH.encode(), draw.choice((b"*", b"//", b"/%", b"/%ff%fe", b"/" + b"a" * 9000, b"http://x/", b"/.."))),
    )
    return Sent("broken HTTP", raw=draw.choice(makers)())


def broken_json(draw: random.Random) -> Sent:
    body = json.dumps(VALID).encode()
    deep = draw.choice((100, 127, 128, 129, 5000))
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: mutate(draw, body),
        lambda: mutate(draw, mutate(draw, body)),
        lambda: body[: draw.randint(0, len(body) - 1)],
        lambda: draw.randbytes(draw.randint(0, 100)),
        lambda: b"[" * deep + b"]" * deep,
        lambda: b'{"inputs":' * deep + b"1" + b"}" * deep,
        lambda: b'{"inputs": "\\ud83d", "inputs": "x"}',
        lambda: b'{"inputs": "x", "parameters": {"seed": %s}}' % draw.choice((b"1e999", b"NaN", b"01", b"9" * 400, b"-", b"0x1")),
        lambda: body.decode().encode(draw.choice(("utf-16", "utf-8-sig", "utf-32"))),
        lambda: json.dumps({"inputs": "\U0001f469" * draw.randint(1, 300), "parameters": {"max_new_tokens": 1, "truncate": 3}}).encode(),
    )
    return Sent("broken JSON", draw.choice(PATHS), draw.choice(makers)(), (("content-type", "application/json"),))


def wrong_values(draw: random.Random) -> Sent:
    parameters = {**VALID["parameters"], **{draw.choice(PARAMETERS): draw.choice(VALUES) for _ in range(draw.randint(1, 3))}}
    payload = {**VALID, "parameters": parameters, "stream": draw.random() < 0.2}
    if draw.random() < 0.2:
        payload[draw.choice(("inputs", "parameters", "stream", "options", "model", "x"))] = draw.choice(VALUES)
    if parameters.get("max_new_tokens") is None:
        parameters["max_new_tokens"] = 2  # all the room there is would make the run long, and nothing is wrong with it
    return Sent("wrong values", draw.choice(PATHS), json.dumps(payload).encode(), (("content-type", "application/json"),))


def wrong_headers(draw: random.Random) -> Sent:
    wrong = {draw.choice(HEADERS): draw.choice(NONSENSE) for _ in range(draw.randint(1, 3))}
    headers = tuple({"content-type": "application/json", **wrong}.items())
    return Sent("wrong headers", draw.choice(PATHS), json.dumps(VALID).encode(), headers)


def mutate(draw: random.Random, data: bytes) -> bytes:
    """A byte or some changed, dropped, doubled or put in."""
    place, length = draw.randrange(max(1, len(data))), draw.randint(1, 4)
    how = draw.randrange(4)
    if how == 0:
        return data[:place] + draw.randbytes(length) + data[place + length :]
    if how == 1:
        return data[:place] + data[place + length :]
    if how == 2:
        return data[:place] + data[place : place + length] * 2 + data[place + length :]
    return data[:place] + draw.choice((b"\0", b'"', b"{", b"]", b",", b"\\", b"\xff", b"1e999", b"null", b"\r\n")) + data[place:]


MAKERS: dict[str, Callable[[random.Random], Sent]] = {
    "broken HTTP": broken_http,
    "broken JSON": broken_json,
    "wrong values": wrong_values,
    "wrong headers": wrong_headers,
}


if __name__ == "__main__":
    main()
