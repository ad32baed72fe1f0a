"""``python -m contract_tests``: the command ``textgen-contract``."""

from contract_tests.cli import main

main(prog_name="textgen-contract")
