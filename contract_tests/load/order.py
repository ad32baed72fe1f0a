"""What a load was ordered to be: one frozen object that travels from the command to Locust, and from its master to its workers.

Holds no token: each machine reads its own from its environment.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from contract_tests.exchange import Headers

VARIABLE = "TEXTGEN_LOAD"
"""The environment variable that carries the order to Locust."""

OUTCOME = "TEXTGEN_LOAD_OUTCOME"
"""The environment variable with the file that Locust leaves its outcome in."""


@dataclass(frozen=True, slots=True)
class Order:
    """``rate`` in requests a second over all users, None: each user asks again as soon as it is answered.

    ``payloads`` are the right requests; they are drawn once, so that all machines send the same.
    """

    users: int = 10
    rate: float | None = None
    dialect: str = "documented"
    seed: int = 0
    timeout: float = 30.0
    select: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    headers: Headers = field(default=(), repr=False)
    token_env: str | None = None
    payloads: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        told = json.loads(text)
        for name in ("select", "without", "payloads"):
            told[name] = tuple(told[name])
        told["headers"] = tuple((name, value) for name, value in told["headers"])
        return cls(**told)
