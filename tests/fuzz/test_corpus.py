"""Every input that fuzzing has kept, given to its target again."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = runpy.run_path(str(HERE / "targets.py"))["TARGETS"]
INPUTS = [file for name in TARGETS for file in sorted((HERE / "corpus" / name).iterdir())]


@pytest.mark.parametrize("file", INPUTS, ids=lambda file: f"{file.parent.name}-{file.name[:12]}")
def test_an_input_that_was_kept_breaks_nothing(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


def test_the_corpus_is_small_and_has_inputs_for_each_target() -> None:
    sizes = {name: [file.stat().st_size for file in INPUTS if file.parent.name == name] for name in TARGETS}

    assert all(10 < len(found) < 400 for found in sizes.values()), sizes
    assert sum(map(sum, sizes.values())) < 200_000


def test_a_target_fails_where_its_subject_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that loses bytes at a seam is found out."""
    from contract_tests.sse import Decoder

    feed = Decoder.feed
    monkeypatch.setattr(Decoder, "feed", lambda self, data, at=0.0: feed(self, data.strip(b"\n") if len(data) == 1 else data, at))
    with pytest.raises(AssertionError):
        TARGETS["sse"](b"data: a\n\ndata: b\n\n")
