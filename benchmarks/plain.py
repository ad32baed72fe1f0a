"""JSON replies of 20 tokens with details: asked before (the cache answers), and never asked before (the sampler works).

The servers take turns on one core, wrk loads from the other. aimock and LLMock speak another API and send a smaller reply of about
as many words; Prism and Mockoon send the very bytes of ours, which they were told.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from benchmarks import peers, report, wrk
from benchmarks.servers import OURS, Kind, Server, all_running, running


def main() -> None:
    options = report.parser("plain", __doc__ or "").parse_args()
    body = wrk.payload(seed=twenty_token_seed())
    ours = Kind(name="textgen-mock", version="this version", command=[*OURS, "{port}"], body=body)
    with running(ours) as server:
        reply = server.ask()
    told = reply.json()
    prompt, text = json.loads(body)["inputs"], told["generated_text"]
    others = [peers.aimock(prompt, text), peers.prism(body, told), peers.mockoon(body, reply.text), peers.llmock()]
    cached: dict[str, list[wrk.Turn]] = defaultdict(list)
    fresh: list[wrk.Turn] = []
    with all_running([ours, *others]) as servers:
        tokens = mean_tokens(servers[0])
        for server in servers:
            wrk.load(server, 1)  # so that what compiles as it goes has compiled
        for number in range(options.rounds):
            for server in servers:
                cached[server.kind.name].append(wrk.load(server, options.seconds))
            new = wrk.payload(seed="NUMBER")
            fresh.append(wrk.load(servers[0], options.seconds, body=new, first=(number + 1) * 1_000_000))
    report.write(
        options.out,
        "JSON replies",
        sentences(options.rounds, options.seconds, others),
        table(cached, [ours, *others]),
        fresh_table(wrk.medians(fresh), tokens),
    )


def sentences(rounds: int, seconds: float, others: Sequence[Kind]) -> list[str]:
    return [
        f"Peers: {peers.names_and_versions(others)}; wrk {wrk.version()}, {wrk.CONNECTIONS} connections kept alive.",
        f"{rounds} rounds in which each server has a turn of {seconds:g} s on one core, the load on another; medians.",
        "CPU is what the server's processes used, which neighbours on the machine disturb less than the rate.",
        "Repeat with `python -m benchmarks plain`.",
    ]


def table(turns: dict[str, list[wrk.Turn]], kinds: Sequence[Kind]) -> list[str]:
    middle = {name: wrk.medians(each) for name, each in turns.items()}
    peer = middle["aimock"]
    head = ["asked before", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "rate, aimock = 1", "CPU, aimock = 1", "refused"]
    return report.table(head, (row(kind.name, middle[kind.name], peer) for kind in kinds))


def row(name: str, turn: wrk.Turn, peer: wrk.Turn) -> list[str]:
    return [
        name,
        f"{turn.rate:,.0f}",
        f"{turn.p50_ms:.1f}",
        f"{turn.p99_ms:.1f}",
        f"{turn.cpu_us:.0f}",
        f"{turn.rate / peer.rate:.2f}",
        f"{turn.cpu_us / peer.cpu_us:.2f}",
        str(turn.refused),
    ]


def fresh_table(turn: wrk.Turn, tokens: float) -> list[str]:
    head = ["never asked before", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "tokens a reply", "refused"]
    figures = [f"{turn.rate:,.0f}", f"{turn.p50_ms:.1f}", f"{turn.p99_ms:.1f}", f"{turn.cpu_us:.0f}", f"{tokens:.1f}"]
    return report.table(head, [["textgen-mock", *figures, turn.refused]])


def twenty_token_seed() -> int:
    """The first seed whose reply has all of the 20 tokens."""
    with running(Kind(name="textgen-mock", version="", command=[*OURS, "{port}"], body=wrk.payload())) as server:
        return next(seed for seed in range(1000) if _tokens(server, seed) == 20)


def mean_tokens(server: Server) -> float:
    """How many tokens the replies of many seeds have: some end by themselves before the limit."""
    return sum(_tokens(server, 10**9 + seed) for seed in range(200)) / 200


def _tokens(server: Server, seed: int) -> int:
    counted: int = server.ask(wrk.payload(seed=seed)).json()["details"]["generated_tokens"]
    return counted


if __name__ == "__main__":
    main()
