"""From the command to the first reply of 200, and the memory of the server that then idles.

The reply is one of 20 tokens, so what is opened on first use is open. The command runs on one core, the one who asks on the other.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from benchmarks import peers, report, wrk
from benchmarks.servers import OURS, Kind, go_first, running

HEAD = ["server", "first answer s", "slowest", "CPU s", "resident MB, each process", "together", "shared counted once"]


def main() -> None:
    options = report.parser("startup", __doc__ or "", rounds=5).parse_args()
    body = wrk.payload(seed=1)
    others = [peers.aimock("once", "x"), peers.prism(body, {}), peers.mockoon(body, "{}"), peers.llmock()]
    ours = [
        Kind(name="textgen-mock", version="", command=[*OURS, "{port}"], body=body),
        Kind(name="textgen-mock --server gevent", version="", command=[*OURS, "{port}", "--server", "gevent"], body=body),
    ]
    go_first()
    for kind in (*ours, *others):
        with running(kind):
            pass  # once without a watch: what it needs is read from the disk
    seen: dict[str, list[tuple[float, float, list[float], float]]] = defaultdict(list)
    for _ in range(options.rounds):
        for kind in (*ours, *others):
            with running(kind) as server:
                each = [process.memory_info().rss / 1e6 for process in server.processes()]
                seen[kind.name].append((server.first_answer, server.cpu_seconds(), each, server.proportional_mb()))
    sentences = [
        f"Peers: {peers.names_and_versions(others)}. Medians of {options.rounds} starts, taken in turns, on one core.",
        "With gevent a server is a worker and a parent that watches it; what they share is counted in both, but for the last column.",
        "Libraries that were just installed count for up to 20 MB more than after a start of the machine: they lie in larger pieces in the "
        "page cache, and who touches a page of one is charged with all of it.",
        "Repeat with `python -m benchmarks startup`.",
    ]
    rows = []
    for name, starts in seen.items():
        firsts = [start[0] for start in starts]
        parts = sorted(starts, key=lambda start: sum(start[2]))[len(starts) // 2][2]
        rows.append(
            [
                name,
                f"{median(firsts):.2f}",
                f"{max(firsts):.2f}",
                f"{median(start[1] for start in starts):.2f}",
                " + ".join(f"{part:.0f}" for part in parts),
                f"{sum(parts):.0f}",
                f"{median(start[3] for start in starts):.0f}",
            ]
        )
    report.write(options.out, "Start, and memory when idle", sentences, report.table(HEAD, rows))


if __name__ == "__main__":
    main()
