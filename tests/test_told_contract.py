"""The suite finds nothing against a mock that says what it is told, at a pace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mockserver import Config, VirtualClock, create_app

UNSAID = dict.fromkeys(("do_sample", "temperature", "seed", "top_k", "top_p", "typical_p", "grammar", "adapter_id"))
"""A told text cannot be drawn, nor be another's voice: only greedy requests are told what to say."""

RULES = [
    {
        "name": "slow",
        "prompt": {"contains": "Once"},
        "stream": True,
        "parameters": UNSAID,
        "reply": {"model": True, "delay": 500},
    },
    {"name": "told", "prompt": {"contains": "e"}, "parameters": UNSAID, "reply": "The sea was calm, and nobody read the book."},
]


@pytest.mark.parametrize("dialect", ["documented", "tgi"])
def test_told_answers_and_pacing_keep_the_contract(
    check_wsgi: Callable[..., dict[str, Any]], tmp_path: Path, dialect: str
) -> None:
    script = tmp_path / "answers.yaml"
    script.write_text(json.dumps({"rules": RULES}))
    config = Config(script=str(script), dialect=dialect, ttft=100, prefill=2, itl=20, jitter=5)
    app = create_app(config, clock=VirtualClock())

    result = check_wsgi(app, seed=1, profile="quick", dialect=dialect)

    assert [] == [clause for clause in result["clauses"] if clause["verdict"] in ("fail", "error")]
    asked = [entry.rule for entry in app.extensions["textgen_mock"].journal.entries()]
    assert 30 < sum(rule is not None and "told" in rule for rule in asked) < len(asked)
