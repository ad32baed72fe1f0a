"""What a run sends, and in which order. Few probes, many clauses: every exchange is judged by every clause that applies.

A probe knows which requests belong together; what they must look like is for the clauses alone.
"""

from __future__ import annotations

from contract_tests.probes import edges, faults, generated, laws, pairs, parameters, sampling, service, together, twins
from contract_tests.probes.run import PROFILES, Probe, Profile, Run

PROBES: tuple[Probe, ...] = (
    parameters.send_the_page_example,
    parameters.send_each_parameter,  # first, since it learns which parameters the endpoint refuses
    parameters.send_many_scripts,
    parameters.send_headers,
    parameters.send_unusual,
    twins.send_drawn_twins,
    twins.send_long_twins,
    pairs.send_pairs,
    pairs.send_stop_sequences,
    pairs.send_truncated,
    sampling.send_extremes,
    sampling.send_penalties,
    sampling.send_what_occurred,
    laws.send_laws,
    together.send_together,
    sampling.send_first_tokens,
    sampling.send_draws,
    sampling.send_best_of,
    sampling.send_grammars,
    faults.send_faulty_fields,
    faults.send_faulty_parameters,
    faults.send_hostile_bodies,
    edges.send_edges,
    service.send_at_once,
    service.time_arrivals,
    service.leave_early,
    generated.send_generated,
)
"""All probes, in the order in which a run sends them."""

__all__ = ["PROBES", "PROFILES", "Probe", "Profile", "Run"]
