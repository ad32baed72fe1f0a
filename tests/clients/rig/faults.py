"""One client under one fault of the network: what its user got, and what the mock has to say of its manners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rig.actions import ASK
from rig.driver import Driver, Outcome
from rig.servers import Mock

TIMES = 8
"""Requests that a refusing fault strikes, so that a client which asks without end gets its answer in the end."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault, the action in which it strikes, and its column. A fault is ``gentle`` if it is no reason to fail."""

    fault: str
    action: str
    heading: str
    gentle: bool = False
    times: int = 1


TRIALS: tuple[Trial, ...] = (
    Trial("http-429-retry-after", "wait", "429, Retry-After", times=TIMES),
    Trial("http-500", "wait", "500", times=TIMES),
    Trial("http-503", "wait", "503", times=TIMES),
    Trial("reply-cut-off", "plain", "reply cut off"),
    Trial("stream-cut", "stream", "stream ends early"),
    Trial("stream-cut-off", "stream", "stream cut off"),
    Trial("connection-reset", "stream", "stream reset"),
    Trial("stream-error", "stream", "error event"),
    Trial("frames-split", "stream", "events split", gentle=True),
    Trial("frames-joined", "stream", "events joined", gentle=True),
    Trial("frames-byte-by-byte", "stream", "byte by byte", gentle=True),
    Trial("frames-crlf", "stream", "CR LF", gentle=True),
    Trial("frames-comments", "stream", "comments", gentle=True),
    Trial("stream-last-blank-line-missing", "stream", "no last blank line"),
)

GOOD, RAISES = "right", "raises"
SHORT = {
    "cut-stream-accepted": "takes it for whole",
    "error-event-ignored": "takes it for whole",
    "retry-after-ignored": "ignores Retry-After",
    "retried-in-vain": "retries in vain",
    "retry-storm": "retries without end",
}
"""The mock's findings in the words of the table; not those that depend on how fast this machine is (``no-back-off``)."""


def try_out(driver: Driver, mock: Mock, trial: Trial) -> str:
    """What came of it, in a few words."""
    whole = _ask(driver, mock, trial)
    mock.control("reset", {})
    mock.control("faults", {"name": trial.fault, "times": trial.times})
    outcome = driver.ask(**ASK, action=trial.action, url=mock.url, stop=[])
    taken = [] if outcome.error else [_text(outcome)]
    found = {finding["name"] for finding in mock.control("verdict", {"accepted": taken})}
    words = [SHORT[name] for name in SHORT if name in found]
    if outcome.error:
        words = [RAISES, *words]
    elif not words:
        words = [GOOD if _text(outcome) == _text(whole) else "other text"]
    return ", ".join(dict.fromkeys(words))


def _ask(driver: Driver, mock: Mock, trial: Trial) -> Outcome:
    mock.control("reset", {})
    return driver.ask(**ASK, action=trial.action, url=mock.url, stop=[])


def _text(outcome: Outcome) -> Any:
    return "".join(outcome.pieces) or outcome.text
