"""How much a run may spend: requests, tokens, and how fast. No I/O but the pause between two requests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from contract_tests.exchange import Case
from contract_tests.observation import Asked
from contract_tests.values import is_integer

UNSAID_TOKENS = 100
"""What a request may generate that does not say `max_new_tokens`: the default that clients document."""


class BudgetSpent(Exception):  # noqa: N818 (an ending, not an error)
    """Nothing more may be sent; the sentence says which limit was reached."""


def tokens_asked(case: Case) -> int:
    """The most tokens that the case may cost; a request that a right server refuses costs none."""
    if case.faulty or case.payload is None:
        return 0
    asked = Asked(case.payload)
    limit, best_of = asked.get("max_new_tokens"), asked.get("best_of")
    return (limit if is_integer(limit) else UNSAID_TOKENS) * (best_of if is_integer(best_of) else 1)


@dataclass(slots=True)
class Budget:
    """``max_requests`` and ``max_tokens`` None: no limit. ``rate`` in requests a second, None: as fast as it goes. Safe among threads."""

    max_requests: int | None = None
    max_tokens: int | None = None
    rate: float | None = None
    requests: int = 0
    tokens: int = 0
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def spend(self, case: Case) -> None:
        """Book one request, waiting for its turn; BudgetSpent when it may not be sent."""
        cost = tokens_asked(case)
        with self._lock:
            if self.max_requests is not None and self.requests >= self.max_requests:
                raise BudgetSpent(f"the budget of {self.max_requests} requests is spent")
            if self.max_tokens is not None and self.tokens + cost > self.max_tokens:
                raise BudgetSpent(f"the budget of {self.max_tokens} tokens is spent")
            self.requests += 1
            self.tokens += cost
            pause = self._turn(time.monotonic())
        if pause:
            time.sleep(pause)

    def hold(self, seconds: float) -> None:
        """Nobody's turn comes for so long: the endpoint asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _turn(self, now: float) -> float:
        """Seconds until this request's turn: turns are 1/rate apart, and none comes while the endpoint asked to wait."""
        turn = max(now, self._next)
        if self.rate:
            self._next = turn + 1 / self.rate
        return turn - now
