"""Training of the byte-level BPE that the engine ships. Knows no model."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mockserver.engine.vocabulary import EOS_TEXT

SIZE = 4096

_EMOJI = re.compile("[\u200d\ufe0f\U00010000-\U0010ffff]")
_EAST_ASIAN = re.compile("([\u3040-\u30ff\u4e00-\u9fff]{1,2})")


def train_tokenizer(texts: Iterable[str], size: int = SIZE) -> str:
    """``tokenizer.json`` as text: the end token has id 0, then the 256 bytes, then merges in the order learned.

    Emoji are kept from the trainer, so each of them is written byte by byte and splits over tokens, as clients must expect;
    East Asian text is shown in pieces, lest whole sentences, having no spaces, become one token.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[EOS_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((_EAST_ASIAN.sub(r"\1\n", _EMOJI.sub("", text)) for text in texts), trainer)
    text: str = tokenizer.to_str()
    return text
