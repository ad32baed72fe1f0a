"""One client before one mock: what the client is asked, and what went over the wire."""

from __future__ import annotations

from typing import Any

from rig.actions import ASK, LAST_WORD, LONGER
from rig.driver import Driver, Outcome
from rig.servers import Mock


class Desk:
    def __init__(self, driver: Driver, mock: Mock) -> None:
        self._driver = driver
        self._mock = mock

    def ask(self, action: str) -> Outcome:
        """What the client shows after ``action``, the mock being as new."""
        self._mock.control("reset", {})
        if action == "mid-stream-error":
            self._mock.control("faults", {"name": "stream-error"})
        if action in ("loading", "wait"):
            self._mock.control(f"models/{ASK['model']}", {"state": "cold"})
        if action == "end":
            self._mock.control("scripts", {"rules": [{"prompt": ASK["prompt"], "reply": LAST_WORD}]})
        stop = [self._second_word()] if action == "stop" else []
        question = ASK | LONGER.get(action, {})
        return self._driver.ask(**question, action=action, url=self._mock.url, stop=stop)

    def sent(self) -> dict[str, Any]:
        """The body of the client's last request."""
        return self._mock.control("requests")[-1]["body"]

    def wire(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The reply to the same body, asked without the client."""
        return self._mock.generate(sent)

    def _second_word(self) -> str:
        """The text of the second token, so that it ends with a token as every dialect wants it."""
        return self._mock.generate({"inputs": ASK["prompt"], "parameters": {"max_new_tokens": 2}})["details"]["tokens"][1]["text"]
