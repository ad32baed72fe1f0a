"""When a generation ends, decided in one place. Sees generated text only: not the prompt, not the names of special tokens."""

from __future__ import annotations

from collections.abc import Sequence

from mockserver.messages import FinishReason


class StopSearch:
    """Watches text as it grows for the first member of ``stop``, which may span tokens or end inside one.

    >>> search = StopSearch(["ab"])
    >>> [search.push(text) for text in ("xa", "", "bz")]
    [False, False, True]
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._reach = max(map(len, self._stop), default=1) - 1
        self._tail = ""

    def push(self, text: str) -> bool:
        """Whether a member of ``stop`` ends in ``text``, the text that has just been added."""
        if not self._stop or not text:
            return False
        window = self._tail + text
        if any(member in window for member in self._stop):
            return True
        self._tail = window[len(window) - self._reach :] if self._reach < len(window) else window
        return False


class TokenEndSearch:
    """As StopSearch, but sees a stop sequence only where it ends with a token, or with the newline that the token ends with.

    text-generation-inference's (``tokens.py``, ``StopSequenceCriteria``): each sequence is an expression that ends in ``$``, and of
    a text that grows beyond 300 characters the last 200 are kept. An empty sequence stops at once.

    >>> search = TokenEndSearch(["ab"])
    >>> [search.push(text) for text in ("abc", "ab", "")]
    [False, True, True]
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._text = ""

    def push(self, text: str) -> bool:
        """Whether a member of ``stop`` ends where ``text`` does, the text that has just been added."""
        self._text += text
        if len(self._text) > 300:
            self._text = self._text[-200:]
        return any(self._text.endswith((member, f"{member}\n")) for member in self._stop)


def finish_reason(*, count: int, limit: int, ended: bool, stopped: bool) -> FinishReason | None:
    """Why a generation of ``count`` tokens ends here, or None when it goes on.

    The order is text-generation-inference's (``server/text_generation_server/utils/tokens.py``, ``StoppingCriteria``):
    a token that is the last allowed one and the end token at once reports length.
    """
    if count >= limit:
        return FinishReason.LENGTH
    if ended:
        return FinishReason.EOS_TOKEN
    if stopped:
        return FinishReason.STOP_SEQUENCE
    return None
