"""The same choices and the same decimals on any processor."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mockserver.sampler

PACKAGE = Path(mockserver.sampler.__file__).parent
GOLDEN = "c2060dba39052dccab93332e32ec4a78b4e04399642c7b47681584061c2572d8"

FEATURES = (
    "",
    "AVX512_SPR",
    "AVX512_ICL",
    "X86_V4 AVX512_ICL AVX512_SPR",
    "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
    "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
    "ASIMDHP ASIMDDP SVE",
)


def known(names: str) -> str:
    """Those that this numpy chooses between on this machine."""
    umath = pytest.importorskip("numpy._core._multiarray_umath")
    return " ".join(n for n in names.split() if n in umath.__cpu_dispatch__ and umath.__cpu_features__.get(n))


@pytest.mark.parametrize("names", FEATURES)
def test_the_golden_digest_holds_with_processor_features_off(names: str) -> None:
    disabled = known(names)
    if names and not disabled:
        pytest.skip(f"this numpy on this machine knows none of {names}")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parents[1]), "NPY_DISABLE_CPU_FEATURES": disabled}
    script = Path(__file__).with_name("golden_run.py")
    done = subprocess.run([sys.executable, "-W", "error", str(script)], env=environment, capture_output=True, text=True)

    assert (done.stdout.strip(), done.stderr) == (GOLDEN, "")


MACHINE_DEPENDENT = {
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "pow", "power", "float_power", "random", "choice", "mean",
    "average", "einsum", "softmax", "dot", "std", "var",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_is_asked_of_the_machines_own_exp_or_log(path: Path) -> None:
    """``Decimal.exp`` is correctly rounded by its specification; numpy's and math's are not."""
    modules = {"np", "numpy", "math"}
    asked = [
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    ]

    assert not MACHINE_DEPENDENT.intersection(asked)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_but_itself_numpy_and_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in names if name.split(".")[0] not in {"numpy", *sys.stdlib_module_names}}

    assert all(name.startswith("mockserver.sampler.") for name in foreign)


def test_float64_is_what_ieee_754_says() -> None:
    """What the sampler relies on: correctly rounded quotients and products, one number at a time."""
    thirds, tenths = np.array([1.0]) / 3.0, np.array([0.1]) * 3.0

    assert (float(thirds[0]).hex(), float(tenths[0]).hex()) == ("0x1.5555555555555p-2", "0x1.3333333333334p-2")
