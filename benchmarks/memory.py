"""Resident memory of a server: idle, after many replies, after many streams. All its processes together."""

from __future__ import annotations

import json

from benchmarks import peers, report, wrk
from benchmarks.servers import OURS, Kind, running


def main() -> None:
    options = report.parser("memory", __doc__ or "", rounds=1).parse_args()
    plain, stream = wrk.payload(seed=1), wrk.payload(seed=1, stream=True)
    prompt = json.loads(plain)["inputs"]
    text = "a b c d e f g h i j k l m n o p q r s t"
    kinds = [
        (Kind(name="textgen-mock", version="", command=[*OURS, "{port}"], body=plain), stream),
        (Kind(name="textgen-mock --server gevent", version="", command=[*OURS, "{port}", "--server", "gevent"], body=plain), stream),
        (peers.aimock(prompt, text), peers.chat(prompt, stream=True)),
        (peers.prism(plain, {}), plain),
        (peers.mockoon(plain, "{}"), plain),
        (peers.llmock(), peers.chat(peers.WORDS, stream=True)),
    ]
    rows = []
    for kind, streamed in kinds:
        with running(kind) as server:
            weighed = [server.resident_mb()]
            served = []
            works = [(None, None), (streamed, None)]
            if kind.name.startswith("textgen-mock"):
                works.append((wrk.payload(seed="NUMBER"), 1_000_000))
            for body, first in works:
                turn = wrk.load(server, options.seconds, body=body, first=first)
                served.append(f"{turn.rate * options.seconds:,.0f}")
                weighed.append(server.resident_mb())
            rows.append([kind.name, *(f"{megabytes:.0f}" for megabytes in weighed), *[""] * (4 - len(weighed)), ", ".join(served)])
    sentences = [
        f"Peers: {peers.names_and_versions([kind for kind, _ in kinds[2:]])}.",
        f"wrk asks for {options.seconds:g} s over {wrk.CONNECTIONS} connections: the same reply, then the same stream (Prism and Mockoon: "
        "the reply again), then, ours alone, one that was never asked for before.",
        "What the processes of a server share is counted in each. Repeat with `python -m benchmarks memory`.",
    ]
    head = ["server", "idle MB", "after replies", "after streams", "after new replies", "how many of each"]
    report.write(options.out, "Memory", sentences, report.table(head, rows))


if __name__ == "__main__":
    main()
