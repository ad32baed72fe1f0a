"""``python -m benchmarks NAME [OPTIONS]`` runs one benchmark; without a name they are listed. ``all``: those of ``docs/speed.md``."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = {
    "startup": "from the command to the first answer, and the memory of the idle server",
    "memory": "resident memory after replies and after streams",
    "plain": "JSON replies per second, asked before and not, against aimock, Prism, Mockoon and LLMock",
    "sse": "streams of 20 events per second, without pacing, against aimock, Mockoon and LLMock",
    "streams": "many open streams at a pace: gaps between tokens, memory; clients that vanish, SIGTERM",
    "soak": "minutes of everything that the server does: memory and open files, and how they grow",
    "malformed": "malformed requests over the wire: no 5xx, no crash",
    "check": "exchanges per second of textgen-contract check",
    "sampler": "microseconds per step of the sampling chain",
    "engine": "tokens per second of the model",
}
"""Each is a module of this package with a ``main``."""

ON_THE_PAGE = ("startup", "memory", "plain", "sse", "streams", "malformed", "check")


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in (*NAMES, "all"):
        print(f"usage: {__doc__}\n")
        for each, what in NAMES.items():
            print(f"  {each:10} {what}")
        sys.exit(0 if name in ("", "-h", "--help") else f"\nthere is no benchmark {name!r}")
    options = sys.argv[2:]
    for each in ON_THE_PAGE if name == "all" else (name,):
        sys.argv = [f"python -m benchmarks {each}", *options]
        import_module(f"benchmarks.{each}").main()


if __name__ == "__main__":
    main()
