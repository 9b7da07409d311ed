"""Korns 1-6, 8, 10-12 (Korns 2011, *Accuracy in symbolic regression*, GPTP IX): five inputs, few of them in the law.

All inputs in [-50, 50] as published (7 and 9 overflow there and are left out), but for the denominators: x5 is in
[10, 50] in problems 2 and 3, and x4 in problem 10; the widened ranges stay off the poles too.
"""

from __future__ import annotations

from ..problems import Problem, problem

__all__ = ["PROBLEMS"]

_FULL = "x1 -50 50, x2 -50 50, x3 -50 50, x4 -50 50, x5 -50 50"
_POSITIVE_4 = _FULL.replace("x4 -50", "x4 10")
_POSITIVE_5 = _FULL.replace("x5 -50", "x5 10")

_ROWS = [
    ("Korns-1", "1.57 + 24.3*x4", _FULL),
    ("Korns-2", "0.23 + 14.2*(x4 + x2)/(3*x5)", _POSITIVE_5),
    ("Korns-3", "4.9*(x4 - x1 + x2/x5)/(3*x5) - 5.41", _POSITIVE_5),
    ("Korns-4", "0.13*sin(x3) - 2.3", _FULL),
    ("Korns-5", "3 + 2.13*log(Abs(x5))", _FULL),
    ("Korns-6", "1.3 + 0.13*sqrt(Abs(x1))", _FULL),
    ("Korns-8", "6.87 + 11*sqrt(Abs(7.23*x1*x4*x5))", _FULL),
    ("Korns-10", "0.81 + 24.3*(2*x2 + 3*x3**2)/(4*x4**3 + 5*x5**4)", _POSITIVE_4),
    ("Korns-11", "6.87 + 11*cos(7.23*x1**3)", _FULL),
    ("Korns-12", "2 - 2.1*cos(9.8*x1)*sin(1.3*x5)", _FULL),
]

PROBLEMS: tuple[Problem, ...] = tuple(problem("korns", *row) for row in _ROWS)
