"""Which release of the project this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def distribution_version() -> str:
    try:
        return version("textgen-contract")
    except PackageNotFoundError:  # run from a checkout
        return "0+unknown"
