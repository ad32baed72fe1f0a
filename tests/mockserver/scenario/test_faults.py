"""Each fault changes the wire as it says, and nothing does without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

import spec
from mockserver import Config, create_app
from mockserver.messages import Parameters
from mockserver.scenario.faults import FAULTS, UnknownFaultError, find_faults
from mockserver.scenario.validation_faults import KINDS, OUT_OF_BOUNDS

Ask = Callable[..., TestResponse]

PROMPT = "The sea was"
FEW: dict[str, Any] = {"max_new_tokens": 12, "details": True}
DRAWN: dict[str, Any] = {**FEW, "do_sample": True, "temperature": 2.0, "seed": 5}
RULED = {**DRAWN, "max_new_tokens": 20, "grammar": {"type": "regex", "value": "[a-z]{60}"}}
ENDLESS = {"type": "regex", "value": "[A-E]{150}"}
NAMES = [fault.name for fault in FAULTS]


@dataclass(frozen=True)
class Desk:
    """One payload, asked of the clean server and of one with a fault."""

    ask: Ask
    fault: str

    def clean(self, payload: Any, **options: Any) -> TestResponse:
        return self.ask(payload, **options)

    def broken(self, payload: Any, **options: Any) -> TestResponse:
        return self.ask(payload, faults=(self.fault,), **options)

    def reply(self, **parameters: Any) -> Any:
        return self.broken({"inputs": PROMPT, "parameters": parameters}).json

    def right(self, **parameters: Any) -> Any:
        return self.clean({"inputs": PROMPT, "parameters": parameters}).json

    def details(self, **parameters: Any) -> Any:
        return self.reply(**{**FEW, **parameters})["details"]

    def right_details(self, **parameters: Any) -> Any:
        return self.right(**{**FEW, **parameters})["details"]

    def stream(self, **parameters: Any) -> str:
        return self.broken({"inputs": PROMPT, "stream": True, "parameters": parameters}).get_data(as_text=True)

    def events(self, **parameters: Any) -> list[Any]:
        return [json.loads(frame.removeprefix("data: ")) for frame in self.stream(**parameters).split("\n\n") if frame]

    def right_events(self, **parameters: Any) -> list[Any]:
        text = self.clean({"inputs": PROMPT, "stream": True, "parameters": parameters}).get_data(as_text=True)
        return [json.loads(frame.removeprefix("data: ")) for frame in text.split("\n\n") if frame]

    def status(self, payload: Any) -> int:
        """The status with the fault, where there is another without."""
        clean, broken = self.clean(payload).status_code, self.broken(payload).status_code
        assert clean != broken
        return broken

    def same(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        """Whether two sets of parameters, that differ on the clean server, give the same tokens."""
        assert self.right_details(**one)["tokens"] != self.right_details(**other)["tokens"]
        return bool(self.details(**one)["tokens"] == self.details(**other)["tokens"])

    def at_once(self, payload: Any) -> list[Any]:
        """The answers to the same request, eight times at the same time.

        The first asks for the app: made in several threads at once, Python 3.11's parser may fail in it (python/cpython 106905).
        """
        self.broken(payload)
        with ThreadPoolExecutor(8) as pool:
            return [answer.json for answer in pool.map(self.broken, [payload] * 8)]

    def left_and_asked(self, payload: Any) -> int:
        """The status of a request behind one whose stream was left after its first frame."""
        left = self.broken(payload)
        next(iter(left.response))
        left.close()
        return self.broken(payload).status_code

    def stopping(self) -> dict[str, Any]:
        """Parameters under which a stop sequence ends the generation with a token, though not the last of it."""
        tokens = self.right_details()["tokens"]
        return {**FEW, "stop": [tokens[2]["text"] + tokens[3]["text"]]}

    def ending(self) -> dict[str, Any]:
        """Parameters under which the model ends by itself."""
        for seed in range(200):
            drawn = {"details": True, "max_new_tokens": 400, "do_sample": True, "seed": seed}
            if self.right(**drawn)["details"]["finish_reason"] == "eos_token":
                return drawn
        raise AssertionError("the model never ends by itself")


def texts(details: Any) -> list[str]:
    return [token["text"] for token in details["tokens"]]


def lists(payload: Any) -> list[list[float]]:
    return [[token["logprob"] for token in place] for place in payload]


A = {"inputs": "a"}
JSON = {"content-type": "application/json"}
FRESH = JSON | {"x-use-cache": "false"}
LONG: dict[str, Any] = {"inputs": PROMPT, "parameters": {"max_new_tokens": 60}}
UNSEEDED: dict[str, Any] = {"inputs": PROMPT, "parameters": {"do_sample": True, "max_new_tokens": 20}}
BAD: dict[str, Any] = {"inputs": PROMPT, "parameters": {"temperature": -1}}

SHOWN: dict[str, Callable[[Desk], bool]] = {
    # ------------------------------------------------------------ request
    "example-refused": lambda d: d.status({"inputs": PROMPT}) == 422,
    "parameters-required": lambda d: d.status({"inputs": PROMPT, "parameters": {}}) == 422,
    "inputs-missing-accepted": lambda d: d.status({"parameters": FEW}) == 200,
    "inputs-type-unchecked": lambda d: d.status({"inputs": ["a"], "parameters": FEW}) == 200,
    "inputs-ascii-only": lambda d: d.status({"inputs": "é", "parameters": FEW}) == 422,
    "parameters-type-unchecked": lambda d: d.status({"inputs": "a", "parameters": [1]}) == 200,
    "stream-type-unchecked": lambda d: d.status({"inputs": "a", "stream": "yes", "parameters": FEW}) == 200,
    "stream-by-default": lambda d: d.broken({"inputs": "a"}).content_type == "text/event-stream",
    "unknown-parameters-500": lambda d: d.status({"inputs": "a", "parameters": {"other": 1}}) == 500,
    "types-read-leniently": lambda d: (
        d.status(payload("top_k", True)) == d.status(payload("seed", "5")) == d.status(payload("details", 1)) == 200
    ),
    "null-refused": lambda d: d.status(payload("top_k", None)) == 422,
    "long-inputs-500": lambda d: d.status({"inputs": "a " * 20_000}) == 500,
    "truncate-after-length": lambda d: d.status({"inputs": "a " * 20_000, "parameters": {"truncate": 4}}) == 422,
    "frequency-penalty-absolute": lambda d: d.same({"frequency_penalty": -2.0}, {"frequency_penalty": 2.0}),
    "grammar-invalid-ignored": lambda d: d.status(payload("grammar", {"type": "regex", "value": "("})) == 200,
    "repetition-penalty-cubed": lambda d: d.details(repetition_penalty=2.0) == d.right_details(repetition_penalty=8.0),
    "stop-any-case": lambda d: (
        d.right(**{**FEW, "stop": ["S"]}) == d.right(**FEW) and d.details(stop=["S"])["finish_reason"] == "stop_sequence"
    ),
    "adapter-ignored": lambda d: d.status({"inputs": "a", "parameters": {"adapter_id": "x"}}) == 200,
    "best-of-ignored": lambda d: "best_of_sequences" not in d.details(best_of=2, do_sample=True),
    "best-of-not-without-limit": lambda d: (
        "best_of_sequences" not in d.reply(details=True, best_of=2, do_sample=True)["details"]
        and "best_of_sequences" in d.details(best_of=2, do_sample=True)
    ),
    "prefill-always": lambda d: d.details()["prefill"] != [],
    "details-ignored": lambda d: "details" not in d.reply(**FEW),
    "details-always": lambda d: "details" in d.reply(),
    "details-change-text": lambda d: (
        d.reply(max_new_tokens=60)["generated_text"] != d.reply(max_new_tokens=60, details=True)["generated_text"]
    ),
    "greedy-varies": lambda d: d.reply(max_new_tokens=40) != d.reply(max_new_tokens=40) and d.details()["seed"] is None,
    "grammar-samples": lambda d: (
        d.details(grammar=ENDLESS)["tokens"] != d.details(grammar=ENDLESS)["tokens"] and d.details() == d.right_details()
    ),
    "do-sample-ignored": lambda d: d.details(do_sample=True, seed=1) == d.right_details(),
    "frequency-penalty-ignored": lambda d: d.same({"frequency_penalty": 2.0}, {}),
    "do-sample-not-without-limit": lambda d: (
        d.reply(details=True, do_sample=True, seed=5)["details"]["tokens"] == d.right(details=True)["details"]["tokens"]
    ),
    "frequency-penalty-at-most-1": lambda d: d.details(frequency_penalty=2.0) == d.right_details(frequency_penalty=1.0),
    "frequency-penalty-neutral-at-1": lambda d: d.details(frequency_penalty=1.0) == d.right_details(),
    "grammar-type-unknown-accepted": lambda d: d.status(payload("grammar", {"type": "xml", "value": "a"})) == 200,
    "grammar-value-missing-accepted": lambda d: d.status(payload("grammar", {"type": "json"})) == 200,
    "grammar-value-unchecked": lambda d: d.status(payload("grammar", {"type": "regex", "value": {}})) == 200,
    "grammar-json-ignored": lambda d: d.same({"grammar": {"type": "json", "value": {"type": "null"}}}, {}),
    "grammar-json-any-object": lambda d: d.same(
        {"grammar": {"type": "json", "value": {"type": "null"}}}, {"grammar": {"type": "json", "value": {"type": "object"}}}
    ),
    "grammar-regex-ignored": lambda d: d.same({"grammar": {"type": "regex", "value": "a+"}}, {}),
    "max-new-tokens-at-most-100": lambda d: len(d.details(max_new_tokens=140, grammar=ENDLESS)["tokens"]) == 100,
    "max-new-tokens-plus-one": lambda d: len(d.details(max_new_tokens=2)["tokens"]) == 3,
    "repetition-penalty-ignored": lambda d: d.same({"repetition_penalty": 3.0}, {}),
    "repetition-penalty-doubled": lambda d: (
        d.details(repetition_penalty=1.0) == d.right_details(repetition_penalty=2.0) and d.details() == d.right_details()
    ),
    "return-full-text-ignored": lambda d: not d.reply(return_full_text=True)["generated_text"].startswith(PROMPT),
    "return-full-text-always": lambda d: d.reply()["generated_text"].startswith(PROMPT),
    "seed-ignored": lambda d: (
        d.details(**DRAWN)["tokens"] != d.details(**DRAWN)["tokens"] and d.details(**DRAWN)["seed"] == DRAWN["seed"]
    ),
    "seed-samples": lambda d: (
        d.details(seed=5)["tokens"] == d.right_details(do_sample=True, seed=5)["tokens"] and d.details() == d.right_details()
    ),
    "seed-zero-ignored": lambda d: (
        d.details(**{**DRAWN, "seed": 0})["tokens"] != d.details(**{**DRAWN, "seed": 0})["tokens"]
        and d.details(**DRAWN) == d.right_details(**DRAWN)
    ),
    "seed-ignored-below-100": lambda d: d.details(**DRAWN)["tokens"] != d.details(**DRAWN)["tokens"],
    "seed-of-16-bits": lambda d: d.same(DRAWN, {**DRAWN, "seed": DRAWN["seed"] + 2**16}),
    "seed-of-63-bits": lambda d: d.same(DRAWN, {**DRAWN, "seed": DRAWN["seed"] + 2**63}),
    "seed-not-with-grammar": lambda d: d.details(**RULED)["tokens"] != d.details(**RULED)["tokens"],
    "repetition-penalty-not-with-another": lambda d: d.same(
        {**DRAWN, "frequency_penalty": 1.0}, {**DRAWN, "frequency_penalty": 1.0, "repetition_penalty": 3.0}
    ),
    "watermark-not-with-others": lambda d: d.same(DRAWN, {**DRAWN, "watermark": True}),
    "seed-constant": lambda d: d.same(DRAWN, {**DRAWN, "seed": 6}) and d.details(**{**DRAWN, "seed": 6})["seed"] == 6,
    "stop-not-without-limit": lambda d: (
        d.reply(details=True, stop=d.stopping()["stop"]) == d.right(details=True)
        and d.details(**d.stopping()) == d.right_details(**d.stopping())
    ),
    "stop-in-prompt": lambda d: (
        d.details(stop=[PROMPT[-4:]])["finish_reason"] == "stop_sequence"
        and len(d.details(stop=[PROMPT[-4:]])["tokens"]) == 1
        and d.details(**d.stopping()) == d.right_details(**d.stopping())
    ),
    "stop-ignored": lambda d: d.details(**d.stopping()) == d.right_details(),
    "stop-inside-token-missed": lambda d: (
        d.details(stop=[texts(d.right_details())[2][:-1]])["finish_reason"] == "length"
        and d.details(**d.stopping()) == d.right_details(**d.stopping())
    ),
    "temperature-ignored": lambda d: d.same(DRAWN, {**DRAWN, "temperature": 0.5}),
    "temperature-warm": lambda d: d.details(temperature=0.01, seed=1) == d.right_details(temperature=1.5, seed=1),
    "temperature-not-with-others": lambda d: d.same({**DRAWN, "top_k": 5}, {**DRAWN, "top_k": 5, "temperature": 1.0}),
    "top-k-ignored": lambda d: d.same({**DRAWN, "top_k": 1}, DRAWN),
    "top-k-at-most-50": lambda d: d.details(top_k=60, seed=1) == d.right_details(top_k=50, seed=1),
    "top-k-plus-one": lambda d: d.details(top_k=1, seed=1) == d.right_details(top_k=2, seed=1),
    "top-n-tokens-ignored": lambda d: "top_tokens" not in d.details(top_n_tokens=2),
    "top-n-tokens-always": lambda d: "top_tokens" in d.details(),
    "top-n-tokens-change-text": lambda d: d.details(top_n_tokens=2)["tokens"] != d.right_details(top_n_tokens=2)["tokens"],
    "top-p-ignored": lambda d: d.same({**DRAWN, "top_p": 0.01}, DRAWN),
    "top-p-at-least-0.9": lambda d: d.details(top_p=0.01, seed=1) == d.right_details(top_p=0.9, seed=1),
    "truncate-plus-one": lambda d: len(d.details(truncate=1, decoder_input_details=True)["prefill"]) == 2,
    "truncate-ignored": lambda d: len(d.details(truncate=1, decoder_input_details=True)["prefill"]) > 1,
    "penalties-not-when-sampling": lambda d: d.same(
        {"do_sample": True, "seed": 1, "repetition_penalty": 3.0}, {"do_sample": True, "seed": 1}
    ),
    "truncate-changes-text": lambda d: (
        d.right_details(truncate=500)["tokens"] == d.right_details()["tokens"] != d.details(truncate=500)["tokens"]
    ),
    "truncate-drops-end": lambda d: (
        d.details(truncate=1, decoder_input_details=True)["prefill"]
        != d.right_details(truncate=1, decoder_input_details=True)["prefill"]
    ),
    "typical-p-at-most-0.5": lambda d: d.same({**DRAWN, "typical_p": 0.9}, {**DRAWN, "typical_p": 0.5}),
    "typical-p-ignored": lambda d: d.same({**DRAWN, "typical_p": 0.1}, DRAWN),
    # ------------------------------------------------------------ reply
    "reply-called-two-things": lambda d: len(d.broken({"inputs": "a"}).headers.getlist("content-type")) == 2,
    "reply-name-twice": lambda d: d.broken({"inputs": "a"}).data.count(b'"generated_text":') == 2,
    "reply-text-plain": lambda d: str(d.broken({"inputs": "a"}).content_type).startswith("text/plain"),
    "generated-text-renamed": lambda d: [*d.reply()] == ["text"],
    "characters-cut": lambda d: (
        "\ufffd" in d.broken({"inputs": "né", "parameters": {"return_full_text": True}}).json["generated_text"]
        and "\ufffd" in json.loads(d.broken({"inputs": "né", "stream": True, "parameters": {"return_full_text": True}})
                                   .get_data(as_text=True).split("data: ")[-1])["generated_text"]
    ),
    "best-of-worst": lambda d: (
        d.details(best_of=2, do_sample=True)["best_of_sequences"][0]["tokens"]
        == d.right_details(best_of=2, do_sample=True)["tokens"]
    ),
    "best-of-copies": lambda d: (
        d.details(best_of=2, do_sample=True)["best_of_sequences"][0]["tokens"] == d.details(best_of=2, do_sample=True)["tokens"]
    ),
    "best-of-text-cut": lambda d: [
        other["generated_text"] for other in d.details(best_of=2, do_sample=True)["best_of_sequences"]
    ] == [other["generated_text"][:-1] for other in d.right_details(best_of=2, do_sample=True)["best_of_sequences"]],
    "best-of-reasons-swapped": lambda d: (
        d.details(best_of=2, do_sample=True)["best_of_sequences"][0]["finish_reason"] == "eos_token"
    ),
    "best-of-sequence-incomplete": lambda d: (
        "generated_text" not in d.details(best_of=2, do_sample=True)["best_of_sequences"][0]
    ),
    "finish-reason-unknown": lambda d: (
        d.details()["finish_reason"] == "max_tokens" and d.details(**d.stopping())["finish_reason"] == "stop"
    ),
    "finish-reason-length-as-eos": lambda d: d.details()["finish_reason"] == "eos_token",
    "finish-reason-eos-as-length": lambda d: d.details(**d.ending())["finish_reason"] == "length",
    "finish-reason-stop-as-eos": lambda d: d.details(**d.stopping())["finish_reason"] == "eos_token",
    "generated-tokens-as-string": lambda d: d.details()["generated_tokens"] == "12",
    "generated-tokens-plus-one": lambda d: d.details()["generated_tokens"] == 13 and d.events(**FEW)[-1]["details"][
        "generated_tokens"] == 13,
    "prefill-missing": lambda d: d.details(decoder_input_details=True)["prefill"] == [],
    "prefill-text-empty": lambda d: {token["text"] for token in d.details(decoder_input_details=True)["prefill"]} == {""},
    "prefill-logprobs-shifted": lambda d: (
        [token["logprob"] for token in d.details(decoder_input_details=True)["prefill"]][1:]
        == [token["logprob"] for token in d.right_details(decoder_input_details=True)["prefill"]][:-1]
    ),
    "prefill-ids-plus-one": lambda d: (
        [token["id"] - 1 for token in d.details(decoder_input_details=True)["prefill"]]
        == [token["id"] for token in d.right_details(decoder_input_details=True)["prefill"]]
    ),
    "prefill-text-missing": lambda d: [*d.details(decoder_input_details=True)["prefill"][0]] == ["id", "logprob"],
    "prefill-logprob-positive": lambda d: d.details(decoder_input_details=True)["prefill"][1]["logprob"] > 0,
    "seed-untold": lambda d: d.details(do_sample=True)["seed"] is None and d.details(do_sample=True, seed=5)["seed"] == 5,
    "seed-made-up": lambda d: d.details(do_sample=True)["seed"] == d.right_details(do_sample=True)["seed"] ^ 1,
    "seed-as-string": lambda d: d.details(**DRAWN)["seed"] == "5" and d.details()["seed"] is None,
    "seed-plus-one": lambda d: d.details(**DRAWN)["seed"] == 6,
    "token-special-missing": lambda d: (
        "special" not in d.details()["tokens"][0] and "special" not in d.events()[0]["token"]
    ),
    "token-id-as-string": lambda d: isinstance(d.details()["tokens"][0]["id"], str),
    "token-logprob-as-string": lambda d: isinstance(d.details()["tokens"][0]["logprob"], str),
    "token-logprob-positive": lambda d: all(token["logprob"] > 0 for token in d.details()["tokens"]),
    "token-special-as-number": lambda d: d.details()["tokens"][0]["special"] is not False,
    "eos-not-special": lambda d: d.details(**d.ending())["tokens"][-1]["special"] is False,
    "token-text-null": lambda d: texts(d.details()) == [None] * 12,
    "token-text-stripped": lambda d: texts(d.details()) == [text.strip() for text in texts(d.right_details())],
    "stop-text-removed": lambda d: (
        d.reply(**d.stopping())["generated_text"] + d.stopping()["stop"][0] == d.right(**d.stopping())["generated_text"]
    ),
    "top-tokens-flat": lambda d: isinstance(d.details(top_n_tokens=2)["top_tokens"][0], dict),
    "top-tokens-all-special": lambda d: all(token["special"] for place in d.details(top_n_tokens=2)["top_tokens"] for token in place),
    "top-tokens-without-text": lambda d: {token["text"] for place in d.details(top_n_tokens=2)["top_tokens"] for token in place} == {"?"},
    "top-tokens-too-likely": lambda d: lists(d.details(top_n_tokens=2)["top_tokens"]) == [
        [value / 2 for value in place] for place in lists(d.right_details(top_n_tokens=2)["top_tokens"])
    ],
    "logprobs-doubled": lambda d: [token["logprob"] for token in d.details()["tokens"]] == [
        2 * token["logprob"] for token in d.right_details()["tokens"]
    ],
    "top-tokens-short": lambda d: len(d.details(top_n_tokens=2)["top_tokens"]) == 11,
    "top-tokens-disagree": lambda d: (
        d.details(top_n_tokens=1)["top_tokens"][0][0]["logprob"] < d.details(top_n_tokens=1)["tokens"][0]["logprob"]
    ),
    "top-tokens-unsorted": lambda d: all(
        place == sorted(place) for place in lists(d.details(top_n_tokens=3)["top_tokens"])
    ),
    "details-as-list": lambda d: isinstance(d.reply(**FEW)["details"], list),
    "reply-list": lambda d: d.reply() == [d.right()],
    # ------------------------------------------------------------ stream
    "stream-as-json": lambda d: d.broken({"inputs": "a", "stream": True}).content_type == "application/json",
    "stream-text-plain": lambda d: str(d.broken({"inputs": "a", "stream": True}).content_type).startswith("text/plain"),
    "stream-last-blank-line-missing": lambda d: d.stream(**FEW).count("\n\n") == 11,
    "stream-blank-lines-missing": lambda d: "\n\n" not in d.stream(),
    "stream-line-separators": lambda d: "\u2028" in d.broken(
        {"inputs": "a\u2028", "stream": True, "parameters": {"return_full_text": True, **FEW}}).get_data(as_text=True),
    "stream-data-folded": lambda d: d.stream(max_new_tokens=2).count("\ndata:") > d.stream(max_new_tokens=2).count("\n\n"),
    "stream-done-sentinel": lambda d: d.stream().endswith("}\n\ndata: [DONE]\n\n"),
    "stream-not-json": lambda d: d.stream().startswith("data: hello\n\n"),
    "stream-event-after-last": lambda d: d.events(**FEW)[-2:] == [
        d.right_events(**FEW)[-1], {**d.right_events(**FEW)[-1], "index": 13, "generated_text": None, "details": None}],
    "stream-cut": lambda d: d.events(**FEW) == d.right_events(**FEW)[:-1],
    "stream-text-missing": lambda d: d.events(**FEW)[-1]["generated_text"] is None,
    "stream-all-at-once": lambda d: len([*d.broken(
        {"inputs": "a", "stream": True, "parameters": FEW}).iter_encoded()]) == 1,
    "stream-details-as-list": lambda d: isinstance(d.events(**FEW)[-1]["details"], list),
    "stream-details-missing": lambda d: d.events(**FEW)[-1]["details"] is None,
    "stream-details-on-each": lambda d: all(event["details"] for event in d.events(**FEW)),
    "stream-details-unasked": lambda d: d.events(max_new_tokens=2)[-1]["details"]["generated_tokens"] == 2,
    "stream-input-length-missing": lambda d: "input_length" not in d.events(**FEW)[-1]["details"],
    "stream-text-on-each": lambda d: all(
        d.right_events(**FEW)[-1]["generated_text"].startswith(event["generated_text"]) for event in d.events(**FEW)),
    "stream-index-as-string": lambda d: d.events(**FEW)[0]["index"] == "1",
    "stream-index-from-0": lambda d: [event["index"] for event in d.events(**FEW)] == [*range(12)],
    "stream-index-repeats": lambda d: [event["index"] for event in d.events(max_new_tokens=4)] == [1, 1, 2, 2],
    "stream-name-twice": lambda d: d.stream(max_new_tokens=3).count('"index":') == 6,
    "stream-index-gap": lambda d: [event["index"] for event in d.events(max_new_tokens=3)] == [1, 3, 4],
    "stream-token-incomplete": lambda d: [*d.events(**FEW)[0]["token"]] == ["text", "logprob", "special"],
    "stream-top-tokens-nested": lambda d: isinstance(d.events(**FEW, top_n_tokens=1)[0]["top_tokens"][0], list),
    "stream-text-differs": lambda d: d.events(**FEW)[-1]["generated_text"] == d.reply(**FEW)["generated_text"] + "!",
    "stream-ids-differ": lambda d: d.events(**FEW)[0]["token"]["id"] == d.details()["tokens"][0]["id"] + 1,
    "stream-logprobs-differ": lambda d: d.events(**FEW)[0]["token"]["logprob"] < d.details()["tokens"][0]["logprob"],
    "stream-top-tokens-differ": lambda d: d.events(**FEW, top_n_tokens=3)[0]["top_tokens"] != d.details(
        top_n_tokens=3)["top_tokens"][0],
    "stream-seed-missing": lambda d: d.events(**DRAWN)[-1]["details"]["seed"] is None,
    # ------------------------------------------------------------ errors
    "status-202": lambda d: d.status({"inputs": "a"}) == 202,
    "array-accepted": lambda d: d.status([]) == 200,
    "not-json-accepted": lambda d: d.status(b"hello") == 200,
    "not-utf8-accepted": lambda d: d.status(b'{"inputs":"\xff"}') == 200,
    "stream-refused-silently": lambda d: (
        d.broken({**BAD, "stream": True}).data == b": nothing\n\n" and d.broken(BAD).status_code == 422
    ),
    "error-500": lambda d: d.status(BAD) == 500,
    "error-200": lambda d: d.status(BAD) == 200,
    "error-renamed": lambda d: "error" not in d.broken(BAD).json,
    "error-html": lambda d: d.broken(BAD).content_type == "text/html; charset=utf-8" and b"<h1>" in d.broken(BAD).data,
    "error-called-html": lambda d: d.broken(BAD).content_type.startswith("text/html") and d.broken(BAD).get_json(force=True)["error"],
    "error-vague": lambda d: d.broken(BAD).json["error"] == "Invalid request",
    # ------------------------------------------------------------ service
    "charset-refused": lambda d: d.broken(A, headers={"content-type": "application/json; charset=utf-8"}).status_code == 415,
    "wrong-token-accepted": lambda d: [
        d.broken(A, headers=JSON | headers).status_code for headers in ({}, {"authorization": "Bearer hf_wrong"})
    ] == [401, 200],
    "use-cache-refused": lambda d: d.broken(A, headers=JSON | {"x-use-cache": "true"}).status_code == 422,
    "use-cache-changes-text": lambda d: d.broken(LONG).json != d.broken(LONG, headers=FRESH).json,
    "use-cache-ignored": lambda d: (
        d.broken(UNSEEDED, headers=FRESH).json == d.broken(UNSEEDED, headers=FRESH).json
    ),
    "wait-for-model-refused": lambda d: d.broken(A, headers=JSON | {"x-wait-for-model": "true"}).status_code == 422,
    "loading-without-error": lambda d: d.broken(A).json == {"estimated_time": 0.1},
    "loading-not-waited-for": lambda d: [
        d.broken(A, headers=JSON | {"x-wait-for-model": "true"}).status_code for _ in range(3)
    ] == [503, 503, 200],
    "requests-mixed": lambda d: any(answer != d.clean(LONG).json for answer in d.at_once(LONG)),
    "leaving-breaks-next": lambda d: d.left_and_asked({**LONG, "stream": True}) == 500,
    "error-then-500": lambda d: [d.broken(each).status_code for each in (BAD, {"inputs": "a"}, {"inputs": "a"})] == [422, 500, 200],
    "error-then-other-prompt": lambda d: [d.broken(each).data == d.clean(each).data for each in (BAD, A, A)] == [True, False, True],
}  # fmt: skip

GOOD_VALUES: dict[str, Any] = {
    "best_of": 1,
    "frequency_penalty": 0.5,
    "max_new_tokens": 3,
    "repetition_penalty": 1.5,
    "seed": 3,
    "stop": ["x"],
    "temperature": 0.5,
    "top_k": 3,
    "top_n_tokens": 2,
    "top_p": 0.5,
    "truncate": 3,
    "typical_p": 0.5,
}


def payload(name: str, value: Any) -> Any:
    return {"inputs": PROMPT, "parameters": {"max_new_tokens": 2, name: value}}


@pytest.mark.parametrize("name", [name for name in KINDS if name != "adapter_id"])
def test_a_refused_parameter_is_422_though_right(ask: Ask, name: str) -> None:
    desk = Desk(ask, f"{name.replace('_', '-')}-refused")

    assert (
        desk.status(payload(name, GOOD_VALUES.get(name, True) if name != "grammar" else {"type": "regex", "value": "a+"})) == 422
    )
    assert desk.broken({"inputs": PROMPT, "parameters": {name: None}}).status_code == 200


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("value", [[[]], "5", 0.5])
def test_an_unchecked_type_is_200_though_wrong(ask: Ask, name: str, value: Any) -> None:
    desk = Desk(ask, f"{name.replace('_', '-')}-type-unchecked")

    if desk.clean(payload(name, value)).status_code == 422:
        assert desk.broken(payload(name, value)).status_code == 200
    assert desk.broken({"inputs": PROMPT, "parameters": {"details": "x", "seed": "x"}}).status_code == 422


@pytest.mark.parametrize("name", OUT_OF_BOUNDS)
def test_an_unchecked_bound_is_200_though_broken(ask: Ask, name: str) -> None:
    assert Desk(ask, f"{name.replace('_', '-')}-bounds-unchecked").status(payload(name, -3)) == 200


@pytest.mark.parametrize("name", SHOWN)
def test_a_fault_changes_the_wire_as_it_says(ask: Ask, name: str) -> None:
    desk = Desk(ask, name)

    assert SHOWN[name](desk)


@pytest.mark.parametrize("name", SHOWN)
def test_without_the_fault_nothing_of_the_kind_is_seen(ask: Ask, name: str) -> None:
    class Clean(Desk):
        def broken(self, payload: Any, **options: Any) -> TestResponse:
            return self.clean(payload, **options)

    try:
        seen = SHOWN[name](Clean(ask, name))
    except (AssertionError, KeyError, IndexError, TypeError, json.JSONDecodeError):
        seen = False
    assert not seen


def test_every_fault_is_shown() -> None:
    families = ("-refused", "-type-unchecked", "-bounds-unchecked")
    rows = {f"{name.replace('_', '-')}{family}" for name in KINDS for family in families}

    assert set(NAMES) - rows == set(SHOWN)


def test_names_are_words_and_stand_once() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert all(name == name.lower() and " " not in name and "_" not in name for name in NAMES)


def test_every_fault_breaks_a_statement_of_the_ledger() -> None:
    testable = {statement.id for statement in spec.statements() if statement.testable}

    assert {fault.statement for fault in FAULTS} <= testable


def test_every_parameter_of_the_page_has_its_kind() -> None:
    assert tuple(KINDS) == Parameters.__match_args__


def test_faults_come_in_the_order_of_the_table() -> None:
    assert [fault.name for fault in find_faults([NAMES[9], NAMES[1]])] == [NAMES[1], NAMES[9]]


def test_an_unknown_fault_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownFaultError, match=r"there is no fault called 'stop-ignore': did you mean stop-ignored"):
        find_faults(["stop-ignore"])


def test_two_faults_work_at_once(ask: Ask) -> None:
    response = ask({"inputs": PROMPT, "parameters": FEW}, faults=("generated-tokens-plus-one", "reply-list", "seed-as-string"))

    assert response.json[0]["details"]["generated_tokens"] == 13


def test_what_a_fault_remembers_is_its_servers_own() -> None:
    first, second = (create_app(Config(faults=("error-then-500",))).test_client() for _ in range(2))

    assert first.post("/", json=BAD).status_code == 422
    assert second.post("/", json={"inputs": "a"}).status_code == 200
