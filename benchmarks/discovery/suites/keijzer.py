"""Keijzer 1-15 (Keijzer 2003, *Improving symbolic regression with interval arithmetic and linear scaling*, EuroGP).

In the form and numbering of the deep symbolic optimization package (Petersen et al. 2021), which writes the sum of
problem 6 as x*(x + 1)/2. Uniform in the ranges, where the published sets have grids. Problem 5 is on the ranges of
the paper, y in [1, 2]: on [-1, 1] it has a pole at y = 0.
"""

from __future__ import annotations

from ..problems import Problem, problem

__all__ = ["PROBLEMS"]

_PLANE = "x -3 3, y -3 3"

_ROWS = [
    ("Keijzer-1", "0.3*x*sin(2*pi*x)", "x -1 1"),
    ("Keijzer-2", "0.3*x*sin(2*pi*x)", "x -2 2"),
    ("Keijzer-3", "0.3*x*sin(2*pi*x)", "x -3 3"),
    ("Keijzer-4", "x**3*exp(-x)*cos(x)*sin(x)*(sin(x)**2*cos(x) - 1)", "x 0 10"),
    ("Keijzer-5", "30*x*z/((x - 10)*y**2)", "x -1 1, y 1 2, z -1 1"),
    ("Keijzer-6", "x*(x + 1)/2", "x 1 50"),
    ("Keijzer-7", "log(x)", "x 1 100"),
    ("Keijzer-8", "sqrt(x)", "x 0 100"),
    ("Keijzer-9", "log(x + sqrt(x**2 + 1))", "x 0 100"),
    ("Keijzer-10", "x**y", "x 0 1, y 0 1"),
    ("Keijzer-11", "x*y + sin((x - 1)*(y - 1))", _PLANE),
    ("Keijzer-12", "x**4 - x**3 + y**2/2 - y", _PLANE),
    ("Keijzer-13", "6*sin(x)*cos(y)", _PLANE),
    ("Keijzer-14", "8/(2 + x**2 + y**2)", _PLANE),
    ("Keijzer-15", "x**3/5 + y**3/2 - y - x", _PLANE),
]

PROBLEMS: tuple[Problem, ...] = tuple(problem("keijzer", *row) for row in _ROWS)
