"""What a run would send, without sending it: the probes run against a client that answers by itself.

Probes adapt to what they learn, so the answers are those of an endpoint that takes every parameter and tells everything.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from urllib.parse import urlsplit

from contract_tests.budget import Budget, BudgetSpent
from contract_tests.clauses import clauses_of
from contract_tests.client import Client
from contract_tests.evidence import Evidence
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Asked
from contract_tests.probes import PROBES, PROFILES, Run
from contract_tests.probes.pairs import NEUTRAL
from contract_tests.settings import Settings
from contract_tests.values import Json, is_integer, is_number

CANDIDATES = 5
GAP = 0.6
"""Nats between two candidates of the made-up law: neither so flat nor so peaked that a probe would need other prompts."""


CYCLE = 3
"""Tokens after which the made-up text begins again, so that there is something to penalize."""


LETTERS = "ABCDE"
"""What a grammar is made up to leave."""

MOVED = 0.5
"""Nats by which a penalty or a watermark then lowers the likeliest."""


TOLD: Json = {
    "router": "text-generation-router",
    "max_best_of": 2,
    "max_stop_sequences": 4,
    "max_input_tokens": 4095,
    "max_total_tokens": 4096,
}
"""What a server tells of itself that has the usual limits."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What one probe would cost at most; ``cut`` says that the budget ended before it did."""

    probe: str
    sentence: str
    requests: int
    tokens: int
    cut: bool


class _Rehearsal(Client):
    """Books every request and makes the reply up."""

    def look_up(self, address: str) -> Json:  # noqa: ARG002 (the client's own)
        self.budget.spend(Case(body=b""))
        return TOLD | {"model_id": urlsplit(self.url).path.strip("/")}

    def send(self, case: Case) -> Exchange:
        self.budget.spend(case)
        status, reply = (422, {"error": "refused"}) if case.faulty else (200, _made_up(Asked(case.payload)))
        chunks = (Chunk(0.0, json.dumps(reply).encode()),)
        return Exchange(case, self.url, status, (("content-type", "application/json"),), chunks)


def _made_up(asked: Asked) -> Json:
    """A text of three words again and again, which a penalty breaks, with logprobs that temperature has divided."""
    limit, temperature = asked.get("max_new_tokens"), asked.get("temperature")
    count = min(limit if is_integer(limit) else 8, 64)
    k, t = asked.get("top_k"), temperature if is_number(temperature) else 1.0
    logprobs = [-0.7 - GAP * rank / t for rank in range(CANDIDATES)][: k if is_integer(k) else CANDIDATES]
    if k is not None:
        log_total = math.log(sum(math.exp(value) for value in logprobs))
        logprobs = [value - log_total for value in logprobs]
    penalized = any(asked.get(name) not in (None, neutral) for name, neutral in NEUTRAL.items())
    words = LETTERS if asked.get("grammar") else ""
    if words and (penalized or asked.get("watermark")):
        logprobs[0] -= MOVED
    top = [
        [_token(10 * (place % CYCLE) + rank, logprob, words) for rank, logprob in enumerate(logprobs)] for place in range(count)
    ]
    tokens = [candidates[penalized and place >= CYCLE and len(candidates) > 1] for place, candidates in enumerate(top)]
    details = {
        "finish_reason": "length",
        "generated_tokens": count,
        "input_length": asked.get("truncate"),
        "seed": None,
        "prefill": [],
        "tokens": tokens,
        "top_tokens": top,
    }
    return {"generated_text": "".join(str(token["text"]) for token in tokens), "details": details}


def _token(number: int, logprob: float, words: str) -> Json:
    text = words[number % len(words)] if words else f" word{number}"
    return {"id": number, "text": text, "logprob": logprob, "special": False}


def plan(settings: Settings, budget: Budget) -> list[Planned]:
    """What each probe would cost, in order; ends where the budget would."""
    client = _Rehearsal(settings.url, budget=budget)
    evidence = Evidence(clauses_of(settings.dialect))
    run = Run(client, evidence, settings.seed, PROFILES[settings.profile], without=frozenset(settings.without))
    planned = []
    for probe in PROBES:
        before = (budget.requests, budget.tokens)
        try:
            probe.send(run)
            cut = False
        except BudgetSpent:
            cut = True
        planned.append(Planned(probe.name, probe.sentence, budget.requests - before[0], budget.tokens - before[1], cut))
    client.close()
    return planned
