"""One frozen Config, made once at the top and passed down. Reads no environment and no command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import spec
from mockserver.paces import PACES, Pace

RECOMMENDED_MODELS: tuple[str, ...] = (
    "google/gemma-2-2b-it",
    "meta-llama/Meta-Llama-3.1-8B-Instruct",
    "microsoft/phi-4",
    "PowerInfer/SmallThinker-3B-Preview",
    "Qwen/Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-Coder-32B-Instruct",
)
"""The page's "Recommended models", in its order."""


STATE_SCHEMES = ("redis", "rediss", "unix")
"""How the address of a Redis begins."""


LONGEST_WAIT = 3_600_000
"""Milliseconds that anything may be held back."""

LONGEST_LOAD = 86_400
"""Seconds that a model may take to load."""


LONGEST_SENDING = 3_600
"""Seconds that a client may be given to send a request."""


class ConfigError(ValueError):
    """A Config that cannot be served, said in one sentence."""


def limited_parameters(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each parameter whose bound is a limit of the server: the Config field, the schema, the keyword that holds the bound."""
    for schema in document["components"]["schemas"]["Parameters"]["properties"].values():
        if "x-limit" in schema:
            yield schema["x-limit"], schema, "maxItems" if "maxItems" in schema else "maximum"


@cache
def _spec_limits() -> dict[str, int]:
    """The bounds of the spec under the names of the Config fields that replace them, and its ``max_new_tokens`` default."""
    document = spec.openapi()
    limits = {field: schema[keyword] for field, schema, keyword in limited_parameters(document)}
    limits["max_new_tokens"] = document["components"]["schemas"]["Parameters"]["properties"]["max_new_tokens"]["default"]
    return limits


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and token != "" and " " not in token


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What this server is. The first of ``models`` answers at ``/``, ``/generate`` and ``/generate_stream``."""

    host: str = "127.0.0.1"
    port: int = 8080
    dialect: str = "documented"
    seed: int = 0
    models: tuple[str, ...] = RECOMMENDED_MODELS
    max_input_tokens: int = _spec_limits()["max_input_tokens"]
    max_total_tokens: int = _spec_limits()["max_input_tokens"] + 1
    max_best_of: int = _spec_limits()["max_best_of"]
    max_stop_sequences: int = _spec_limits()["max_stop_sequences"]
    max_top_n_tokens: int = _spec_limits()["max_top_n_tokens"]
    default_max_new_tokens: int = _spec_limits()["max_new_tokens"]
    unknown_parameters: Literal["ignore", "refuse"] = "ignore"
    frames: Literal["spaced", "tight"] = "spaced"
    faults: tuple[str, ...] = ()
    pace: str | None = None
    ttft: float | None = None
    prefill: float | None = None
    itl: float | None = None
    jitter: float | None = None
    concurrency: int | None = None
    script: str | None = None
    strict: bool = False
    control: bool = True
    control_token: str | None = field(default=None, repr=False)
    record: str | None = None
    upstream: str | None = None
    replay: str | None = None
    replay_timing: bool = False
    workers: int = 1
    server: Literal["granian", "gevent"] = "granian"
    max_concurrent_requests: int = 2048
    send_timeout: float = 30.0
    engine: Literal["exact", "checkpoint"] = "exact"
    checkpoint: str | None = None
    device: Literal["auto", "cpu", "torch", "cuda"] = "cpu"
    tokens: tuple[str, ...] = field(default=(), repr=False)
    cold: float = 0.0
    state: str | None = field(default=None, repr=False)
    rate_limit: str | None = None

    @property
    def switches(self) -> spec.Switches:
        """What the dialect does otherwise: the one place where it is decided."""
        return spec.switches(self.dialect)

    @property
    def all_the_room(self) -> bool:
        return self.switches.all_the_room

    @property
    def stop_at_token_end(self) -> bool:
        return self.switches.stop_at_token_end

    @property
    def router_sentences(self) -> bool:
        return self.switches.router_sentences

    def __post_init__(self) -> None:
        if self.dialect not in spec.DIALECTS:
            raise ConfigError(f"unknown dialect {self.dialect!r}: known are {', '.join(spec.DIALECTS)}")
        if (self.engine == "checkpoint") != (self.checkpoint is not None):
            raise ConfigError("`--engine checkpoint` and `--checkpoint DIR` go together: give both or neither")
        if not all(map(_fits_a_header, (*self.tokens, *([] if self.control_token is None else [self.control_token])))):
            raise ConfigError("a token is not empty, and holds no space and nothing that a header cannot carry")
        if not 0 <= self.cold <= LONGEST_LOAD:
            raise ConfigError(f"`--cold` is seconds, from 0 to {LONGEST_LOAD} (a day). Given: {self.cold}")
        if self.cold and not self.switches.front_door:
            raise ConfigError(f"the {self.dialect} dialect has no front door to tell that a model is loading: leave `--cold` out")
        if self.state is not None and self.state.partition("://")[0] not in STATE_SCHEMES:
            raise ConfigError("`--state` is the address of a Redis, such as redis://127.0.0.1:6379/0")
        if not 0.1 <= self.send_timeout <= LONGEST_SENDING:
            raise ConfigError(f"`--send-timeout` is seconds, from 0.1 to {LONGEST_SENDING}. Given: {self.send_timeout}")
        if self.max_concurrent_requests < 1:
            raise ConfigError("`--max-concurrent-requests` must be at least 1")
        if not self.models or not all(self.models):
            raise ConfigError("at least one model must be served, and a model id is not empty")
        for model in self.models:
            if not all(model.split("/")) or model.count("/") > 1:
                raise ConfigError(f"a model id is a name, or an owner and a name with a slash between. Given: {model!r}")
        if self.max_input_tokens >= self.max_total_tokens:
            raise ConfigError(
                f"max_input_tokens ({self.max_input_tokens}) must be less than max_total_tokens ({self.max_total_tokens}): "
                "a reply needs room for one token"
            )
        if min(self.max_input_tokens, self.max_best_of) < 1 or min(self.max_stop_sequences, self.max_top_n_tokens) < 0:
            raise ConfigError("max_input_tokens and max_best_of must be at least 1, the other limits at least 0")
        if (self.record is None) != (self.upstream is None):
            raise ConfigError("`--record FILE` and `--upstream URL` go together: give both or neither")
        if self.upstream is not None and not self.upstream.startswith(("http://", "https://")):
            raise ConfigError("`--upstream` is an address such as https://api-inference.huggingface.co")
        if self.record is not None and (self.replay is not None or self.workers > 1):
            raise ConfigError("`--record` goes neither with `--replay` nor with more than one worker")
        if self.pace is not None and self.pace not in PACES:
            raise ConfigError(f"unknown pace {self.pace!r}: known are {', '.join(PACES)}")
        for name in ("ttft", "prefill", "itl", "jitter"):
            given = getattr(self, name)
            if given is not None and not 0 <= given <= LONGEST_WAIT:  # which NaN is not either
                raise ConfigError(f"`--{name}` is milliseconds, from 0 to {LONGEST_WAIT} (an hour). Given: {given}")
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigError(f"`--concurrency` must be at least 1. Given: {self.concurrency}")
        if complaint := next(self._contradictions(), None):
            raise ConfigError(complaint)

    def _contradictions(self) -> Iterator[str]:
        """Options of which one would silently do nothing beside the other."""
        taped = "replay" if self.replay is not None else "record" if self.record is not None else None
        if self.replay_timing and self.replay is None:
            yield "`--replay-timing` is for what is replayed: give `--replay FILE` too, or leave it out"
        if taped and (self.script is not None or self.strict):
            yield f"told answers are for the model, which `--{taped}` does not ask: leave `--script` and `--strict` out, or `--{taped}`"
        if taped and self.paced:
            yield f"paces are for the model, which `--{taped}` does not ask: leave them out" + (
                ", or take `--replay-timing`" if taped == "replay" else ""
            )
        if self.strict and not self.control and self.script is None:
            yield "`--strict` answers only what is told, and `--no-control` lets nobody tell it: give `--script FILE`, or leave one out"
        if self.control_token is not None and not self.control:
            yield "`--no-control` and `--control-token` contradict each other: leave one out"

    @property
    def timing(self) -> Pace:
        """The named pace, with what was said besides in its place."""
        said = {name: getattr(self, name) for name in ("ttft", "prefill", "itl", "jitter", "concurrency")}
        return replace(PACES[self.pace or "instant"], **{name: value for name, value in said.items() if value is not None})

    @property
    def paced(self) -> bool:
        """Whether tokens are held back, or requests wait for each other."""
        return self.timing != PACES["instant"]
