"""Named paces: how long servers that people know take. Figures of the right size, not measurements of any one machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Milliseconds: to the first token (``ttft``, and ``prefill`` more for each token of the prompt), between tokens (``itl``), and
    by which each comes earlier or later (``jitter``). ``concurrency`` requests are answered at a time, the others wait; None: all.
    """

    ttft: float = 0.0
    prefill: float = 0.0
    itl: float = 0.0
    jitter: float = 0.0
    concurrency: int | None = None


PACES: dict[str, Pace] = {
    "instant": Pace(),
    "gpu": Pace(ttft=60, prefill=0.05, itl=15, jitter=3),
    "busy-gpu": Pace(ttft=250, prefill=0.2, itl=40, jitter=25, concurrency=8),
    "hosted": Pace(ttft=400, prefill=0.1, itl=25, jitter=15),
    "laptop": Pace(ttft=150, prefill=5, itl=90, jitter=20, concurrency=1),
    "raspberry": Pace(ttft=500, prefill=60, itl=600, jitter=80, concurrency=1),
}
