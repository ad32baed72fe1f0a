"""The texts the engine learns from, made by a grammar of the project's own (``phrases/*.txt``) and a seed.

Document ``i`` of a seed is always the same text. Knows no tokens and no model.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

Rules = Mapping[str, tuple[str, ...]]

LIKELY = 1.5  # above 1, the alternatives written first are likelier
KINDS: tuple[tuple[str, int], ...] = (  # of 100 documents
    ("prose", 34),
    ("statement", 3),
    ("question_answer", 13),
    ("introduction", 4),
    ("service", 9),
    ("verse", 1),
    ("code", 7),
    ("json", 5),
    ("serial", 3),
    ("chat", 3),
    ("german", 4),
    ("french", 3),
    ("spanish", 3),
    ("polish", 2),
    ("chinese", 2),
    ("japanese", 2),
    ("hindi", 1),
    ("arabic", 1),
)
CUT, STRANGE, ASKED, SHOWN = (
    0.24,
    0.06,
    0.08,
    0.03,
)  # shares of documents that begin with a prompt: cut anywhere, strange words, a strange request, one that people try first
AFTER_SPACE = 0.6  # of the prompts cut anywhere, how many end with a space
UNENDED = 0.4  # of the strange requests, how many lack the sign at their end
STRANGE_WORDS = ("test_word", "test_word", "test_word", "quality", "animal", "food", "json_int", "name", "py_name", "goods")

_REFERENCE = re.compile(r"<(\^?)(a:)?(@\.)?([a-z][a-z_0-9.]*)(#\d)?>")


@dataclass(frozen=True, slots=True)
class Document:
    """What the model learns to write (``text``) after what is given to it (``prompt``, often empty)."""

    prompt: str
    text: str


def documents(seed: int, start: int, stop: int) -> Iterator[Document]:
    """Documents ``start`` to ``stop`` of the corpus of this seed."""
    return (document(seed, index) for index in range(start, stop))


def document(seed: int, index: int) -> Document:
    writer = _Writer(shipped_rules(), random.Random(f"{seed}/{index}"))  # noqa: S311 (no secret)
    dice = writer.uniform()
    if dice < CUT:  # prompts end anywhere: within a word, after a space
        text = writer.write()
        cut = int(writer.uniform() * len(text))
        if writer.uniform() < AFTER_SPACE:
            cut = text.rfind(" ", 0, cut) + 1
        return Document(text[:cut], text[cut:])
    if dice < CUT + STRANGE:  # prompts say anything: find back to a sentence
        return Document(writer.strange(), writer.after_prompt("continuation"))
    if dice < CUT + STRANGE + ASKED:
        request = writer.expand("request")
        if writer.uniform() < UNENDED:
            request = request.rstrip(".?!")
        return Document(request, writer.after_prompt("reply"))
    if dice < CUT + STRANGE + ASKED + SHOWN:
        prompt, _, text = writer.expand("shown").partition("§")
        return Document(prompt, text)
    return Document("", writer.write())


class _Writer:
    """Writes one document: holds its topic and the choices that ``#1`` to ``#9`` repeat."""

    def __init__(self, rules: Rules, source: random.Random) -> None:
        self._rules = rules
        self.uniform: Callable[[], float] = source.random
        self._kept: dict[str, str] = {}
        self._topic = self._choose(rules["topic"], 1.0)

    def write(self) -> str:
        dice = int(self.uniform() * sum(share for _, share in KINDS))
        kind = [kind for kind, share in KINDS for _ in range(share)][dice]
        return self.expand(kind).replace("&lt;", "<").replace("&gt;", ">")

    def expand(self, name: str) -> str:
        """A text for rule ``name``, every reference in it replaced; ``strange`` is a rule in code."""
        if name == "strange":
            return self.strange()
        return _REFERENCE.sub(self._replace, self._choose(self._rules[name], LIKELY))

    def after_prompt(self, name: str) -> str:
        """A text for rule ``name``, set off by a space where it begins with a word."""
        text = self.expand(name)
        return text if text[0] in ",.?!:\n" else f" {text}"

    def strange(self) -> str:
        """One to six words out of their place, some made of random letters."""
        words = [self._strange_word() for _ in range(1 + int(self.uniform() * 6))]
        return " ".join(words)

    def _strange_word(self) -> str:
        if self.uniform() < 0.6:
            return self.expand(self._choose(STRANGE_WORDS, 1.0))
        letters = "etaoinshrdlcumwfgypbvkETAOISxyz0123456789-_/.#?!éü"
        return "".join(self._choose(letters, 1.3) for _ in range(1 + int(self.uniform() * 9)))

    def _replace(self, reference: re.Match[str]) -> str:
        capital, article, of_topic, name, keep = reference.groups()
        key = f"{name}{keep}" if keep else ""
        text = self._kept.get(key) or self.expand(f"{self._topic}.{name}" if of_topic else name)
        if keep:
            self._kept[key] = text
        if article:
            text = f"{'an' if text[0] in 'aeioAEIO' else 'a'} {text}"
        return text[0].upper() + text[1:] if capital else text

    def _choose(self, alternatives: tuple[str, ...] | str, power: float) -> str:
        return alternatives[int(len(alternatives) * self.uniform() ** power)]


@cache
def shipped_rules() -> Rules:
    """The grammar in ``phrases/``."""
    folder = files(__package__) / "phrases"
    names = ("everyday", "answers", "languages", "machine")
    return parse_rules(line for name in names for line in (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def references(texts: Iterable[str], topics: Iterable[str]) -> set[str]:
    """The rules that these texts refer to, under any of the topics."""
    found = [match for text in texts for match in _REFERENCE.finditer(text)]
    found = [match for match in found if match[4] != "strange"]
    return {name for match in found for name in ([f"{topic}.{match[4]}" for topic in topics] if match[3] else [match[4]])}


def parse_rules(lines: Iterable[str]) -> Rules:
    """Rules from lines: a name at the margin, then indented alternatives, " | " between those on one line.

    >>> parse_rules(["colour", "    red | light blue", "    green"])
    {'colour': ('red', 'light blue', 'green')}
    """
    rules: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in lines:
        if line.startswith("    "):
            texts = (text.replace("\\n", "\n") for text in line[4:].split(" | "))
            rules[name] = (*rules[name], *texts)
        elif line and not line.startswith("#"):
            if line in rules:
                raise ValueError(f"rule {line!r} is written twice")
            name = line
            rules[name] = ()
    return rules
