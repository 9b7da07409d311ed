"""Nguyen 1-12 (Uy, Hoai, O'Neill, McKay, Galván-López 2011, *Genetic Programming and Evolvable Machines* 12, 91-119).

Ranges as published; 20 points there, more here.
"""

from __future__ import annotations

from ..problems import Problem, problem

__all__ = ["PROBLEMS"]

_UNIT = "x -1 1"
_SQUARE = "x 0 1, y 0 1"

_ROWS = [
    ("Nguyen-1", "x**3 + x**2 + x", _UNIT),
    ("Nguyen-2", "x**4 + x**3 + x**2 + x", _UNIT),
    ("Nguyen-3", "x**5 + x**4 + x**3 + x**2 + x", _UNIT),
    ("Nguyen-4", "x**6 + x**5 + x**4 + x**3 + x**2 + x", _UNIT),
    ("Nguyen-5", "sin(x**2)*cos(x) - 1", _UNIT),
    ("Nguyen-6", "sin(x) + sin(x + x**2)", _UNIT),
    ("Nguyen-7", "log(x + 1) + log(x**2 + 1)", "x 0 2"),
    ("Nguyen-8", "sqrt(x)", "x 0 4"),
    ("Nguyen-9", "sin(x) + sin(y**2)", _SQUARE),
    ("Nguyen-10", "2*sin(x)*cos(y)", _SQUARE),
    ("Nguyen-11", "x**y", _SQUARE),
    ("Nguyen-12", "x**4 - x**3 + y**2/2 - y", _SQUARE),
]

PROBLEMS: tuple[Problem, ...] = tuple(problem("nguyen", *row) for row in _ROWS)
