"""Streams of 20 events without pacing: how many per second one core gives, asked before and never asked before.

LLMock echoes words, and aimock cuts its reply in pieces, so that both send about 20 events; Mockoon sends the bytes of ours, which
it was told, in one piece, for it cannot do otherwise.
"""

from __future__ import annotations

import json
from collections import defaultdict

from benchmarks import peers, report, wrk
from benchmarks.plain import mean_tokens, twenty_token_seed
from benchmarks.servers import OURS, Kind, Server, all_running, running


def main() -> None:
    options = report.parser("sse", __doc__ or "").parse_args()
    seed = twenty_token_seed()
    body = wrk.payload(seed=seed, stream=True)
    ours = Kind(name="textgen-mock", version="this version", command=[*OURS, "{port}"], body=body)
    with running(ours) as server:
        stream, text = server.ask().text, server.ask(wrk.payload(seed=seed)).json()["generated_text"]
    prompt = json.loads(body)["inputs"]
    others = [peers.aimock(prompt, text, stream=True), peers.mockoon(body, stream, stream=True), peers.llmock(stream=True)]
    turns: dict[str, list[wrk.Turn]] = defaultdict(list)
    with all_running([ours, *others]) as servers:
        events = {server.kind.name: count_events(server) for server in servers}
        tokens = mean_tokens(servers[0])
        for server in servers:
            wrk.load(server, 1)
        for number in range(options.rounds):
            for server in servers:
                turns[server.kind.name].append(wrk.load(server, options.seconds))
            new = wrk.payload(seed="NUMBER", stream=True)
            fresh = wrk.load(servers[0], options.seconds, body=new, first=(number + 1) * 1_000_000)
            turns["textgen-mock, never asked before"].append(fresh)
    events["textgen-mock, never asked before"] = round(tokens)
    middle = {name: wrk.medians(each) for name, each in turns.items()}
    head = ["server", "streams/s", "events a stream", "p50 ms", "p99 ms", "CPU µs/stream", "rate, Mockoon = 1", "rate, LLMock = 1"]
    rows = [
        [
            name,
            f"{turn.rate:,.0f}",
            events[name],
            f"{turn.p50_ms:.1f}",
            f"{turn.p99_ms:.1f}",
            f"{turn.cpu_us:.0f}",
            f"{turn.rate / middle['Mockoon'].rate:.1f}",
            f"{turn.rate / middle['LLMock'].rate:.1f}",
        ]
        for name, turn in middle.items()
    ]
    sentences = [
        f"Peers: {peers.names_and_versions(others)}; wrk {wrk.version()}, {wrk.CONNECTIONS} connections kept alive.",
        f"{options.rounds} rounds in which each server has a turn of {options.seconds:g} s on one core, the load on another; medians.",
        "aimock and LLMock speak another API, with events of another shape; Mockoon sends all events in one piece.",
        "Repeat with `python -m benchmarks sse`.",
    ]
    report.write(options.out, "Streams without pacing", sentences, report.table(head, rows))


def count_events(server: Server) -> int:
    return server.ask().text.count("data: ")


if __name__ == "__main__":
    main()
