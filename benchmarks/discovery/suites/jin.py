"""Jin 1-6 (Jin, Fu, Kang, Guo, Guo 2019, *Bayesian symbolic regression*, arXiv 1910.08892), on [-3, 3]^2."""

from __future__ import annotations

from ..problems import Problem, problem

__all__ = ["PROBLEMS"]

_ROWS = [
    ("Jin-1", "2.5*x**4 - 1.3*x**3 + 0.5*y**2 - 1.7*y"),
    ("Jin-2", "8.0*x**2 + 8.0*y**3 - 15.0"),
    ("Jin-3", "0.2*x**3 + 0.5*y**3 - 1.2*y - 0.5*x"),
    ("Jin-4", "1.5*exp(x) + 5.0*cos(y)"),
    ("Jin-5", "6.0*sin(x)*cos(y)"),
    ("Jin-6", "1.35*x*y + 5.5*sin((x - 1.0)*(y - 1.0))"),
]

PROBLEMS: tuple[Problem, ...] = tuple(problem("jin", *row, "x -3 3, y -3 3") for row in _ROWS)
