"""What is fuzzed: functions that take any bytes, and raise AssertionError when what came of them must not be.

``run.py`` hands them to atheris; ``test_corpus.py`` gives each the inputs in ``corpus/`` again.
"""

from __future__ import annotations

from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Observation
from contract_tests.sse import decode
from mockserver.config import Config
from mockserver.errors import ApiError
from mockserver.messages import Request
from mockserver.wire.contract import Contract
from mockserver.wire.refusal import refusal
from mockserver.wire.request import parse_request
from spec import DIALECTS

CONTRACTS = [Contract(Config(dialect=dialect)) for dialect in DIALECTS]


def request(data: bytes) -> None:
    """The first byte chooses the dialect; the rest is a body: a Request, or a refusal in words with a status of 4xx."""
    if not data:
        return
    contract = CONTRACTS[data[0] % len(CONTRACTS)]
    try:
        parsed = parse_request(data[1:], "application/json", contract, model="m")
    except ApiError as error:
        if not 400 <= error.status < 500:
            raise AssertionError(error.status) from error
        refused = refusal(error, contract.switches)
        _ = refused.body if isinstance(refused.body, bytes) else [*refused.body]
        return
    assert isinstance(parsed, Request)
    parsed.inputs.encode()


def sse(data: bytes) -> None:
    """A stream is read the same whole and byte by byte, and whatever it is, it can be looked at."""
    whole = decode([(0.0, data)])
    bytewise = decode((0.0, bytes([byte])) for byte in data)
    assert (whole.events, whole.problems) == (bytewise.events, bytewise.problems), data
    exchange = Exchange(Case.of({"inputs": "x", "stream": True}), "http://x/", 200, (), (Chunk(0.0, data),))
    seen = Observation(exchange)
    assert isinstance(seen.brief, str)
    _ = seen.generated, seen.token_values, seen.top_tokens, seen.joined, seen.stream_error, seen.finish_reason, seen.path


TARGETS = {"request": request, "sse": sse}
