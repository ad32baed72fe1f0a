"""text-generation-inference's own figures (see README.md beside this file) are met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mockserver.sampler import Chain, Settings

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("vectors.jsonl").read_text(encoding="utf-8").splitlines()
]


def reported(case: dict[str, Any]) -> dict[int, float]:
    """Logprob of each token that is kept."""
    chain = Chain(Settings(do_sample=True, **case["parameters"]))
    final = chain.distribution(np.array(case["logits_q10"], np.int32), case["context"])
    return dict(zip(final.ids.tolist(), final.logprobs.tolist(), strict=True))


def expected(case: dict[str, Any]) -> dict[int, float]:
    return {token: logprob for token, logprob in enumerate(case["logprobs"]) if logprob is not None}


def test_there_are_600_cases() -> None:
    assert len(CASES) == 600


@pytest.mark.parametrize("first", range(0, 600, 50))
def test_the_same_tokens_are_kept(first: int) -> None:
    for case in CASES[first : first + 50]:
        assert set(expected(case)) == set(reported(case)), case


@pytest.mark.parametrize("first", range(0, 600, 50))
def test_the_logprobs_agree_to_five_decimals(first: int) -> None:
    """The allowance is 3e-3; scores in 2^-20 nat need less."""
    for case in CASES[first : first + 50]:
        assert expected(case) == pytest.approx(reported(case), abs=1e-5), case


def test_choose_reports_the_same_distribution() -> None:
    for case in CASES:
        settings = Settings(do_sample=True, top_n_tokens=len(case["logits_q10"]), **case["parameters"])
        choice = Chain(settings).choose(np.array(case["logits_q10"], np.int32), case["context"], step=0)
        assert reported(case) == dict(choice.top), case
