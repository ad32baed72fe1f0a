"""Load by wrk, from the core that the server does not have: requests answered, how fast, at what price."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from statistics import median

from benchmarks.servers import LOAD_CORE, Server, cache_folder, go_first, need, on_core

CONNECTIONS = 16

SCRIPT = """\
local file = io.open(os.getenv("BODY"), "r")
local body = file:read("*a")
file:close()
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local number = tonumber(os.getenv("FIRST"))
if number == nil then
  wrk.body = body
else
  request = function()
    number = number + 1
    return wrk.format(nil, nil, nil, (body:gsub("NUMBER", number)))
  end
end
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's turn in one round."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    refused: int


def load(server: Server, seconds: float, *, body: bytes | None = None, first: int | None = None) -> Turn:
    """``seconds`` of requests over CONNECTIONS kept alive; ``NUMBER`` in the body counts on from ``first``."""
    script, sent = cache_folder() / "post.lua", cache_folder() / "body.json"
    script.write_text(SCRIPT, encoding="utf-8")
    sent.write_bytes(server.kind.body if body is None else body)
    command = [
        *on_core(LOAD_CORE), need("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s",
        "--latency", "-s", str(script), server.url,
    ]  # fmt: skip
    environ = {**os.environ, "BODY": str(sent)} | ({} if first is None else {"FIRST": str(first)})
    go_first()
    before = server.cpu_seconds()
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60, env=environ).stdout
    used = server.cpu_seconds() - before
    count = int(_found(r"(\d+) requests in", done))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    return Turn(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", done)),
        p50_ms=_milliseconds(_found(r"(?m)^ +50% +(\S+)", done)),
        p99_ms=_milliseconds(_found(r"(?m)^ +99% +(\S+)", done)),
        cpu_us=used / count * 1e6,
        refused=int(refused[1]) if refused else 0,
    )


def medians(turns: list[Turn]) -> Turn:
    """The middle of each figure; refusals are added up."""
    return Turn(
        rate=median(turn.rate for turn in turns),
        p50_ms=median(turn.p50_ms for turn in turns),
        p99_ms=median(turn.p99_ms for turn in turns),
        cpu_us=median(turn.cpu_us for turn in turns),
        refused=sum(turn.refused for turn in turns),
    )


def version() -> str:
    told = subprocess.run([need("wrk"), "-v"], check=False, capture_output=True, text=True, timeout=10).stdout
    return _found(r"wrk (?:debian/)?([\d.]+)", told)


def payload(*, stream: bool = False, seed: int | str = 0, **parameters: object) -> bytes:
    """The request of ours: 20 tokens, sampled, with details. ``seed`` may be ``NUMBER``."""
    asked = {"max_new_tokens": 20, "details": True, "do_sample": True, **parameters, "seed": "SEED"}
    body = json.dumps({"inputs": "Once upon a time there was a", "parameters": asked, "stream": stream})
    return body.replace('"SEED"', str(seed)).encode()


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"wrk did not tell {pattern!r}:\n{text}")
    return found[1]


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        raise ValueError(f"{text!r} is no time that wrk tells: was nothing answered?")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found[2]]
