"""Livermore 1-22 (Mundhenk et al. 2021, *Symbolic regression via neural-guided genetic programming*, arXiv 2111.00053).

Ranges as published, but for two that contain poles: problem 11 is sampled on [0.1, 1]^2 (on [-1, 1]^2 it has one along
x = -y), problem 12 with y in [0.2, 1] (there is one at y = 0).
"""

from __future__ import annotations

from ..problems import Problem, problem

__all__ = ["PROBLEMS"]

_UNIT = "x -1 1"
_SQUARE = "x 0 1, y 0 1"

_ROWS = [
    ("Livermore-1", "1/3 + x + sin(x**2)", "x -10 10"),
    ("Livermore-2", "sin(x**2)*cos(x) - 2", _UNIT),
    ("Livermore-3", "sin(x**3)*cos(x**2) - 1", _UNIT),
    ("Livermore-4", "log(x + 1) + log(x**2 + 1) + log(x)", "x 0 2"),
    ("Livermore-5", "x**4 - x**3 + y**2 - y", _SQUARE),
    ("Livermore-6", "4*x**4 + 3*x**3 + 2*x**2 + x", _UNIT),
    ("Livermore-7", "(exp(x) - exp(-x))/2", _UNIT),
    ("Livermore-8", "(exp(x) + exp(-x))/2", _UNIT),
    ("Livermore-9", "x**9 + x**8 + x**7 + x**6 + x**5 + x**4 + x**3 + x**2 + x", _UNIT),
    ("Livermore-10", "6*sin(x)*cos(y)", _SQUARE),
    ("Livermore-11", "x**2*y**2/(x + y)", "x 0.1 1, y 0.1 1"),
    ("Livermore-12", "x**5/y**3", "x -1 1, y 0.2 1"),
    ("Livermore-13", "x**(1/3)", "x 0 4"),
    ("Livermore-14", "x**3 + x**2 + x + sin(x) + sin(y**2)", "x -1 1, y -1 1"),
    ("Livermore-15", "x**(1/5)", "x 0 4"),
    ("Livermore-16", "x**(2/3)", "x 0 4"),
    ("Livermore-17", "4*sin(x)*cos(y)", _SQUARE),
    ("Livermore-18", "sin(x**2)*cos(x) - 5", _UNIT),
    ("Livermore-19", "log(x**2 + x) + log(x**3 + x)", "x 0 2"),
    ("Livermore-20", "x**5 + x**4 + x**2 + x", _UNIT),
    ("Livermore-21", "exp(-x**2)", _UNIT),
    ("Livermore-22", "x**8 + x**7 + x**6 + x**5 + x**4 + x**3 + x**2 + x", _UNIT),
]

PROBLEMS: tuple[Problem, ...] = tuple(problem("livermore", *row) for row in _ROWS)
