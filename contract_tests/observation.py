"""An exchange as a clause looks at it: what was asked, what came, read without trusting any of it.

Every reader here answers "absent" (None or empty) for what is missing or of the wrong type; whether that is a breach is for the
clauses to say. Nothing raises, whatever the server sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from contract_tests.exchange import Case, Exchange
from contract_tests.sse import Decoder, decode
from contract_tests.values import CUT, MISSING, Json, is_integer, numbers, objects, parse, shorten

ABOVE_ZERO = 0.01
"""How far rounding may lift a logprob above zero; what is higher is no logarithm of a probability, and is reckoned with nowhere."""


def same_but_for_known_cuts(text: str, joined: str) -> bool:
    """Equal; or but for a leading space (encoder-decoders), or a character cut at the end."""
    if text == joined or text.removeprefix(" ") == joined.removeprefix(" "):
        return True
    return text.rstrip(CUT) == joined.rstrip(CUT) and (text.endswith(CUT) or joined.endswith(CUT))


@dataclass(frozen=True)
class Asked:
    """The request, as far as it is a JSON object."""

    payload: Any

    @cached_property
    def body(self) -> Json:
        return self.payload if isinstance(self.payload, dict) else {}

    @cached_property
    def inputs(self) -> str:
        value = self.body.get("inputs")
        return value if isinstance(value, str) else ""

    @cached_property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @cached_property
    def parameters(self) -> Json:
        value = self.body.get("parameters")
        return value if isinstance(value, dict) else {}

    def get(self, name: str) -> Any:
        """The value of a parameter, None when it was not sent."""
        return self.parameters.get(name)

    @property
    def details(self) -> bool:
        return self.get("details") is True

    @property
    def stop(self) -> list[str]:
        value = self.get("stop")
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    @property
    def samples(self) -> bool:
        """Whether the page's words and known servers agree that this request draws tokens."""
        return self.get("do_sample") is True


@dataclass(frozen=True)
class Observation:
    """One exchange, read once."""

    exchange: Exchange

    @property
    def case(self) -> Case:
        return self.exchange.case

    @cached_property
    def asked(self) -> Asked:
        return Asked(self.case.payload)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Which clauses judge it: those of any exchange, and those of what it was sent about."""
        return ("one", kind_about(self.case.about))

    # ------------------------------------------------------------------ what kind of reply it is
    @property
    def status(self) -> int:
        return self.exchange.status

    @property
    def answered(self) -> bool:
        """A 200 that came whole."""
        return self.status == 200 and not self.exchange.failure

    @cached_property
    def media_type(self) -> str:
        """What the reply says it is; several, joined by " and ", where it says several."""
        told = [value for name, value in self.exchange.headers if name == "content-type"]
        return " and ".join(dict.fromkeys(value.partition(";")[0].strip().lower() for value in told))

    @cached_property
    def is_json(self) -> bool:
        """Whether the reply says that it is JSON."""
        return self.media_type == "application/json" or (
            self.media_type.startswith("application/") and self.media_type.endswith("+json") and " " not in self.media_type
        )

    @cached_property
    def is_stream(self) -> bool:
        """Whether the reply is an event stream, by what it says or, failing that, by how it begins."""
        if self.media_type == "text/event-stream":
            return True
        return self.asked.stream and self.exchange.content.lstrip(b"\xef\xbb\xbf").startswith((b"data:", b"event:", b":"))

    @cached_property
    def text(self) -> str:
        return self.exchange.content.decode("utf-8", "replace")

    # ------------------------------------------------------------------ reply without stream
    @cached_property
    def document(self) -> Any:
        """The JSON value of a body that is no stream."""
        return MISSING if self.is_stream else parse(self.exchange.content)

    @cached_property
    def reply(self) -> Json:
        """The reply's object; taken out of a list of one, as known servers wrap it. {} when there is none."""
        value = self.document
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return value if isinstance(value, dict) else {}

    # ------------------------------------------------------------------ reply with stream
    @cached_property
    def decoded(self) -> Decoder:
        """Events and framing problems of a stream; empty for any other reply."""
        return decode((chunk.at, chunk.data) for chunk in self.exchange.chunks) if self.is_stream else Decoder()

    @cached_property
    def event_values(self) -> list[Any]:
        """The JSON value of each event's data, MISSING where it is none."""
        return [parse(event.data) for event in self.decoded.events]

    @cached_property
    def events(self) -> list[Json]:
        """The events that are objects with a token."""
        return [value for value in self.event_values if isinstance(value, dict) and "token" in value]

    @cached_property
    def stream_error(self) -> str:
        """The words of an error event, ``""`` when there is none."""
        for value in self.event_values:
            if isinstance(value, dict) and "error" in value and "token" not in value:
                return str(value["error"]) or "an error without words"
        return ""

    @cached_property
    def last(self) -> Json:
        return self.events[-1] if self.events else {}

    # ------------------------------------------------------------------ one view of both
    @cached_property
    def generated(self) -> bool:
        """A reply to a valid request that can be looked at as generated text: 200, and tokens or text in it."""
        return (
            self.answered
            and not self.case.faulty
            and not self.stream_error
            and (bool(self.events) or "generated_text" in self.reply)
        )

    @cached_property
    def generated_text(self) -> str | None:
        value = (self.last if self.is_stream else self.reply).get("generated_text")
        return value if isinstance(value, str) else None

    @cached_property
    def details(self) -> Json | None:
        value = (self.last if self.is_stream else self.reply).get("details")
        return value if isinstance(value, dict) else None

    def detail(self, name: str) -> Any:
        """A field of details, MISSING without details or without the field."""
        return MISSING if self.details is None else self.details.get(name, MISSING)

    @cached_property
    def token_values(self) -> list[Any] | None:
        """Whatever stands where tokens are due; None when no tokens are told."""
        if self.is_stream:
            return [event["token"] for event in self.events] if self.events else None
        value = self.detail("tokens")
        return value if isinstance(value, list) else None

    @cached_property
    def tokens(self) -> list[Json] | None:
        """The tokens, when all of them are objects."""
        values = self.token_values
        return None if values is None or not all(isinstance(value, dict) for value in values) else values

    @cached_property
    def top_tokens(self) -> list[list[Json]] | None:
        """For each token the candidates that were told; None when none were."""
        if self.is_stream:
            if not any(event.get("top_tokens") for event in self.events):
                return None
            return [objects(event.get("top_tokens")) for event in self.events]
        value = self.detail("top_tokens")
        return [objects(item) for item in value] if isinstance(value, list) else None

    @cached_property
    def joined(self) -> str | None:
        """The texts of the tokens that are not special, joined; None when a text is missing."""
        return self.join(len(self.tokens)) if self.tokens is not None else None

    def join(self, count: int) -> str | None:
        """As ``joined``, of the first ``count`` tokens."""
        texts = [token.get("text") for token in (self.tokens or [])[:count] if token.get("special") is not True]
        return "".join(text for text in texts if isinstance(text, str)) if all(isinstance(text, str) for text in texts) else None

    @cached_property
    def new_text(self) -> str | None:
        """``generated_text`` without the prompt that ``return_full_text`` puts before it."""
        text, wanted = self.generated_text, self.asked.get("return_full_text")
        if text is None or wanted is False:
            return text
        # not said: known servers prepend it at the URLs where they wrap the reply into a list, and at no other
        prepended, rest = wanted is True or isinstance(self.document, list), text.removeprefix(self.asked.inputs)
        if self.is_stream and wanted is None:  # whose tokens tell it
            prepended = self.joined is not None and rest != text and same_but_for_known_cuts(rest, self.joined)
        return rest if prepended else text

    @cached_property
    def count(self) -> int | None:
        """How many tokens were generated: counted where tokens are told, else as the reply says."""
        if self.token_values is not None:
            return len(self.token_values)
        value = self.detail("generated_tokens")
        return value if is_integer(value) else None

    @cached_property
    def finish_reason(self) -> Any:
        return self.detail("finish_reason")

    @cached_property
    def path(self) -> float | None:
        """Sum of the tokens' logprobs: the logarithm of the chance of this very reply, when every token tells one."""
        logprobs = numbers(token.get("logprob") for token in self.tokens or [])
        return None if logprobs is None or max(logprobs) > ABOVE_ZERO else float(sum(logprobs))

    @cached_property
    def error(self) -> Any:
        """``error`` of a refusal, MISSING when there is none."""
        if self.is_stream:
            return self.stream_error or MISSING
        return self.document.get("error", MISSING) if isinstance(self.document, dict) else MISSING

    @cached_property
    def brief(self) -> str:
        """The reply in a few words, for people."""
        if not self.status:
            return f"no reply: {self.exchange.failure}"
        words = f"status {self.status}"
        if self.exchange.failure:
            words += f", cut: {self.exchange.failure}"
        return f"{words}, {shorten(self.text)}" if self.text else f"{words}, an empty body"


def kind_about(id: str) -> str:
    """The kind of an observation of what was sent to try the statement ``id``."""
    return f"about {id}"


@dataclass(frozen=True)
class Group:
    """Observations that belong together; ``relation`` says how (twin, repeat, ...), ``about`` which parameter it is that differs."""

    relation: str
    members: tuple[Observation, ...]
    about: str = ""

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        return (self.relation,)

    @property
    def all_generated(self) -> bool:
        return all(member.generated for member in self.members)
