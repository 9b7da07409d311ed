"""Fourteen right-hand sides of seven two-state systems (Strogatz, *Nonlinear Dynamics and Chaos*; ODE-Strogatz set).

The systems and the protocol are those of La Cava, Danai, Spector 2016 (*Engineering Applications of Artificial
Intelligence* 55, 292-306): four trajectories each, t in [0, 10] in steps of 0.1, so 404 rows, with the exact
derivative as y. The published starts are not repeated here; those below lie off the singularities (u > 0 for the
glider and all populations, 0 < v < pi for the shear flow), and the trajectories stay off them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from sympy import Symbol

from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.tape import evaluate

from ..problems import Problem

__all__ = ["PROBLEMS", "SYSTEMS", "System", "trajectories"]

Array = NDArray[np.float64]

_SYMBOLS = (Symbol("u", real=True), Symbol("v", real=True))


@dataclass(frozen=True)
class System:
    """du/dt and dv/dt as text, and four starts (u, v)."""

    name: str
    du: str
    dv: str
    starts: tuple[tuple[float, float], ...]


SYSTEMS: tuple[System, ...] = (
    System(
        "bacterial-respiration",
        "20 - u - u*v/(1 + u**2/2)",
        "10 - u*v/(1 + u**2/2)",
        ((5.0, 10.0), (10.0, 30.0), (15.0, 60.0), (18.0, 5.0)),
    ),
    System(
        "bar-magnets",
        "sin(u - v)/2 - sin(u)",
        "sin(v - u)/2 - sin(v)",
        ((0.5, 2.5), (2.8, 1.0), (-1.5, 2.0), (2.0, -2.8)),
    ),
    System("glider", "-u**2/20 - sin(v)", "u - cos(v)/u", ((5.0, 0.5), (7.0, -0.5), (4.0, 1.0), (9.0, 2.0))),
    System(
        "lotka-volterra", "3*u - 2*u*v - u**2", "2*v - u*v - v**2", ((0.5, 3.0), (4.0, 1.0), (6.0, 4.0), (0.1, 0.2))
    ),
    System(
        "predator-prey",
        "u*(4 - u - v/(1 + u))",
        "v*(u/(1 + u) - 0.075*v)",
        ((5.0, 1.0), (1.0, 3.0), (0.5, 8.0), (3.0, 14.0)),
    ),
    System(
        "shear-flow",
        "cot(v)*cos(u)",
        "(cos(v)**2 + sin(v)**2/10)*sin(u)",
        ((0.5, 1.0), (-2.5, 2.0), (1.5, 0.6), (-0.8, 2.4)),
    ),
    System("van-der-pol", "10*(v - (u**3 - u)/3)", "-u/10", ((1.0, 0.5), (-2.0, 0.4), (0.2, -0.6), (2.0, 0.8))),
)


@cache
def trajectories(system: System, shift: float = 0.0) -> Array:
    """States (404, 2) of the four trajectories; ``shift`` moves every start that part of the way to their mean.

    Examples
    --------
    >>> trajectories(SYSTEMS[0]).shape
    (404, 2)
    """
    sides = [parse_formula(text, _SYMBOLS) for text in (system.du, system.dv)]

    def slope(_: float, state: Array) -> list[float]:
        return [float(evaluate(side, _SYMBOLS, state[None, :])[0]) for side in sides]

    starts = np.array(system.starts)
    starts = starts + shift * (starts.mean(axis=0) - starts)
    times = np.linspace(0.0, 10.0, 101)
    found = []
    for start in starts:
        solution = solve_ivp(slope, (0.0, 10.0), start, "DOP853", times, rtol=1e-9, atol=1e-9)
        if not solution.success:
            raise ArithmeticError(f"The {system.name} system could not be simulated from {start}: {solution.message}")
        found.append(solution.y.T)
    return np.concatenate(found)


def _problems(system: System) -> tuple[Problem, ...]:
    sides = (("u", system.du), ("v", system.dv))
    states = partial(trajectories, system)
    return tuple(
        Problem(f"{system.name}-{side}", "strogatz", ("u", "v"), text, sampling="trajectories", states=states)
        for side, text in sides
    )


PROBLEMS: tuple[Problem, ...] = tuple(one for system in SYSTEMS for one in _problems(system))
