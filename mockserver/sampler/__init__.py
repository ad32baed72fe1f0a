"""The sampler: integer logits in, one token with its logprob out.

Inside: ``penalties`` and ``watermark`` (new scores), ``weights`` (score to integer weight to logprob), ``warpers`` (which tokens
stay), ``choice`` (which one it is) and ``chain`` (the order).
It never sees text, HTTP or JSON, never keeps state between two steps, and never asks the machine for ``exp``, ``log`` or a random
number: the same call gives the same bytes on any processor.
"""

from mockserver.sampler.chain import Chain, Choice, Distribution, Settings, raw_logprob
from mockserver.sampler.watermark import ENOUGH_TOKENS, Told, is_green, is_long_enough, z_score

__all__ = [
    "ENOUGH_TOKENS",
    "Chain",
    "Choice",
    "Distribution",
    "Settings",
    "Told",
    "is_green",
    "is_long_enough",
    "raw_logprob",
    "z_score",
]
