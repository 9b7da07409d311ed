"""Laws among many inputs: ten of other suites with ten irrelevant columns more, and an additive law of twenty inputs.

Irrelevant inputs are a column of noise each, as in the feature-selection tests of symbolic regression; they are
uniform in [-1, 1] and the law does not read them.
"""

from __future__ import annotations

from dataclasses import replace

from ..problems import Problem
from . import feynman, jin, keijzer, nguyen

__all__ = ["PROBLEMS"]

_EXTRA = 10
_CHOSEN = (
    "Nguyen-7",
    "Nguyen-9",
    "Nguyen-10",
    "Keijzer-14",
    "Jin-4",
    "I.6.2",
    "I.12.2",
    "I.18.12",
    "I.27.6",
    "II.11.28",
)


def _with_irrelevant(given: Problem) -> Problem:
    return replace(
        given,
        name=f"{given.name}+{_EXTRA}",
        suite="irrelevant",
        variables=given.variables + tuple(f"other{k}" for k in range(1, _EXTRA + 1)),
        ranges=given.ranges + ((-1.0, 1.0),) * _EXTRA,
    )


_TWENTY = tuple(f"x{k}" for k in range(1, 21))
_ADDITIVE = (
    "2*x1 + x2**2 + sin(3*x3) + exp(x4) + x5**3 + log(x6 + 2) + sqrt(x7 + 2) + cos(2*x8) - 3*x9 + tanh(2*x10)"
    " - x11**2 + 2*sin(x12) - exp(-x13) + 1/(x14 + 2) + 0.5*x15 + x16**4 - x17 + 3*cos(x18) + x19**2/2 - 2*x20"
)

PROBLEMS: tuple[Problem, ...] = (
    *(
        _with_irrelevant(given)
        for given in (*nguyen.PROBLEMS, *keijzer.PROBLEMS, *jin.PROBLEMS, *feynman.PROBLEMS)
        if given.name in _CHOSEN
    ),
    Problem("additive-20", "irrelevant", _TWENTY, _ADDITIVE, ((-1.0, 1.0),) * 20),
)
