"""``python tests/fuzz/run.py TARGET [OPTIONS OF LIBFUZZER]`` fuzzes one target, from the inputs in ``corpus/TARGET`` on.

What is found new is not kept; ``--keep`` puts it beside the others. An input that breaks something is written to the working folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

CORPUS = Path(__file__).with_name("corpus")


def main() -> None:
    with atheris.instrument_imports(include=["mockserver", "contract_tests", "spec"]):
        from targets import TARGETS

    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"{__doc__}\nTargets: {', '.join(TARGETS)}")
    name, options = sys.argv[1], [option for option in sys.argv[2:] if option != "--keep"]
    known = str(CORPUS / name)
    with tempfile.TemporaryDirectory() as fresh:
        folders = [known] if "--keep" in sys.argv else [fresh, known]
        atheris.Setup([sys.argv[0], *options, *folders], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
