"""Many open streams at a pace, by each of our servers: are all held, how even is the pace, how much memory do they take?

All streams of a row ask the same, as a fake is mostly asked, and what they are given is then made once; where each has a seed of its
own, each is made by itself. When the window has closed all clients vanish at once, and what the server still computes three seconds
later is told. Then SIGTERM is sent to a server with open streams, and those that end as they should are counted.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks import report
from benchmarks.open_streams import Seen, hold, let_end
from benchmarks.servers import OURS, Kind, running

SERVERS = ("granian", "gevent")

HOT = 20.0
"""A temperature at which the end token is as unlikely as any other."""

LASTING_SEED = 1
ENDING = 50
"""Streams that are open when SIGTERM is sent."""


@dataclass(frozen=True, slots=True)
class Work:
    """One line of the table."""

    streams: int
    itl: int
    apart: bool = False
    servers: tuple[str, ...] = ("granian", "gevent")


WORKS = (
    Work(500, 20),
    Work(2000, 200),
    Work(5000, 200, servers=("gevent",)),
    Work(2000, 20),
    Work(200, 20, apart=True),
    Work(1000, 200, apart=True),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one run gave."""

    seen: Seen
    resident_mb: float
    used: float
    used_after: float


def main() -> None:
    options = report.parser("streams", __doc__ or "", rounds=3, seconds=8.0)
    options.add_argument("--only", help="one line of the table, such as 500x20")
    given = options.parse_args()
    works = [work for work in WORKS if given.only in (None, f"{work.streams}x{work.itl}")]
    results: dict[tuple[Work, str], list[Result]] = defaultdict(list)
    for _ in range(given.rounds):
        for work in works:
            for name in work.servers:
                results[work, name].append(run(name, work, given.seconds))
    endings = [[name, *end(name)] for _ in range(given.rounds) for name in SERVERS]
    sentences = [
        f"{given.rounds} runs of each, {given.seconds:g} s watched once all had begun; medians, but of what is held the fewest.",
        "The server has one core, the client the other. Events that arrive together count as gaps of 0 ms.",
        "Repeat with `python -m benchmarks streams`.",
    ]
    head = ["streams x ms", "server", "seeds", "held", "gap p50 ms", "gap p99 ms", "p99 of each run", "events that came, of those due",
            "together with another", "first event p99 ms", "resident MB", "of a core", "of a core 3 s after all vanished"]  # fmt: skip
    ended = report.table(["SIGTERM to", "streams open", "ended whole", "s until the server had ended"], endings)
    rows = [row(work, name, runs) for (work, name), runs in results.items()]
    report.write(given.out, "Open streams", sentences, report.table(head, rows), ended)


def row(work: Work, name: str, runs: list[Result]) -> list[str]:
    def middle(figure: Callable[[Result], float]) -> float:
        return median(figure(each) for each in runs)

    return [
        f"{work.streams:,} x {work.itl}",
        name,
        "each its own" if work.apart else "one",
        f"{min(each.seen.held + each.seen.ended for each in runs):,}",
        f"{middle(lambda each: each.seen.gap_ms(0.5)):.1f}",
        f"{middle(lambda each: each.seen.gap_ms(0.99)):.1f}",
        ", ".join(f"{each.seen.gap_ms(0.99):.0f}" for each in runs),
        f"{middle(lambda each: each.seen.events * work.itl / 1000 / each.seen.stream_seconds):.0%}",
        f"{middle(lambda each: each.seen.together / max(1, each.seen.events)):.0%}",
        f"{middle(lambda each: sorted(each.seen.to_first)[int(0.99 * len(each.seen.to_first))]) * 1000:.0f}",
        f"{middle(lambda each: each.resident_mb):.0f}",
        f"{middle(lambda each: each.used):.0%}",
        f"{middle(lambda each: each.used_after):.0%}",
    ]


def kind(name: str, itl: float) -> Kind:
    many = ["--max-concurrent-requests", "8192"] if name == "gevent" else []
    options = ["--server", name, "--itl", str(itl), *many]
    return Kind(name=name, version="", command=[*OURS, "{port}", *options], body=b'{"inputs": "hi"}')


def body(seed: int, tokens: int = 4000) -> bytes:
    asked = {"max_new_tokens": tokens, "temperature": HOT, "seed": seed}
    return json.dumps({"inputs": "Once upon a time", "stream": True, "parameters": asked}).encode()


def run(name: str, work: Work, window: float) -> Result:
    bodies = [body(LASTING_SEED + (number if work.apart else 0)) for number in range(work.streams)]
    with running(kind(name, work.itl)) as server:
        cpu: list[float] = []
        memory: list[float] = []

        def weigh() -> None:
            cpu.append(server.cpu_seconds())
            memory.append(server.resident_mb())

        seen = hold(server.port, server.kind.path, bodies, window=window, at_each_end=weigh)
        time.sleep(3)
        weigh()
        time.sleep(1)
        weigh()
    return Result(seen, memory[1], (cpu[1] - cpu[0]) / seen.seconds, cpu[3] - cpu[2])


def end(name: str) -> list[object]:
    """SIGTERM while streams of two seconds are open: how many were, how many ended whole, and how long it took."""
    with running(kind(name, 20)) as server:
        began = 0.0

        def terminate() -> None:
            nonlocal began
            began = time.monotonic()
            server.terminate()

        seen = let_end(server.port, server.kind.path, [body(LASTING_SEED, 100)] * ENDING, once_open=terminate)
        server.wait()
        return [seen.held, seen.ended, f"{time.monotonic() - began:.1f}"]


if __name__ == "__main__":
    main()
