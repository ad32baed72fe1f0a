"""The run as pytest sees it: one item for each probe, which sends, then one for each clause, which says what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract_tests.clauses import ALL
from contract_tests.probes import PROBES
from spec.secrets import Masker

if TYPE_CHECKING:
    from contract_tests.contract_run import ContractRun
    from contract_tests.probes import Probe


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_probe(probe: Probe, contract_run: ContractRun) -> None:
    spent = contract_run.send(probe)
    if spent:
        pytest.skip(spent)


@pytest.mark.parametrize("clause_id", ALL)
def test_clause(clause_id: str, contract_run: ContractRun) -> None:
    if clause_id not in contract_run.evidence.tallies:
        pytest.skip("not selected")
    contract_run.complete()
    tally = contract_run.evidence.tallies[clause_id]
    statement = tally.clause.statement
    match tally.verdict:
        case "fail":
            violation = tally.findings[0].violation
            told = f"{statement.id}: {statement.sentence}\nexpected: {violation.expected}\nactual:   {violation.actual}"
            words = Masker(contract_run.settings.secrets).text(told)
            if statement.level == "must" or (statement.level == "should" and contract_run.settings.strict):
                pytest.fail(words, pytrace=False)
            pytest.xfail(f"{statement.level}: {words}")
        case "error":
            pytest.fail(f"the suite itself broke:\n{tally.broken}", pytrace=False)
        case "skip" | "inconclusive":
            pytest.skip(f"{tally.verdict}: {tally.reason}")
