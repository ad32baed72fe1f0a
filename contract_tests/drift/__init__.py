"""Whether an endpoint still answers in the shape that was recorded: ``shape`` says what that is, ``again`` asks and compares.

Words are not compared, and nothing is judged: the contract may allow both shapes.
"""

from contract_tests.drift.again import Asking, Change, Drift, ask_again
from contract_tests.drift.shape import Shape

__all__ = ["Asking", "Change", "Drift", "Shape", "ask_again"]
