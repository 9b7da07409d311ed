"""One problem of a suite: a law as text, where its inputs come from, and the tables drawn from it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.tape import evaluate

__all__ = ["Data", "Problem", "draw", "problem"]

Array = NDArray[np.float64]

WIDENED = 0.1  # of the width of a range, added on either side: 20 % in all
FAR = 10.0  # points where the law is this many times farther from its mean than in the ranges lie next to a pole


@dataclass(frozen=True)
class Problem:
    """A law and the inputs it is sampled on.

    Attributes
    ----------
    name, suite : as published.
    variables : the columns, read by the law or not.
    expression : the law, as text in Python's operators; empty for a negative control.
    ranges : (low, high) of every column; empty where ``states`` gives the inputs.
    n : rows of the table where ranges are sampled.
    sampling : "uniform" in the ranges, "trajectories" of a dynamical system, or "control".
    states : for trajectories: shift of the starts, from 0 (as stated) to 1 (their mean) -> (rows, columns).
    target : for controls: (generator, X) -> y without added noise.

    Examples
    --------
    >>> law = problem("demo", "line", "2*a + b", "a 0 1, b 0 1")
    >>> law.variables, law.ranges[0], str(law.truth)
    (('a', 'b'), (0.0, 1.0), '2*a + b')
    """

    name: str
    suite: str
    variables: tuple[str, ...]
    expression: str
    ranges: tuple[tuple[float, float], ...] = ()
    n: int = 2000
    sampling: str = "uniform"
    states: Callable[[float], Array] | None = None
    target: Callable[[np.random.Generator, Array], Array] | None = None

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(Symbol(name, real=True) for name in self.variables)

    @cached_property
    def truth(self) -> Expr | None:
        """The law, or None for a control."""
        return parse_formula(self.expression, self.symbols) if self.expression else None

    @cached_property
    def box(self) -> Array:
        """(columns, 2): the ranges, or those of the trajectories."""
        if self.states is None:
            return np.array(self.ranges)
        states = self.states(0.0)
        return np.stack([states.min(axis=0), states.max(axis=0)], axis=1)

    def inputs(self, rng: np.random.Generator, *, fresh: bool = False) -> Array:
        """Inputs of a table, (rows, columns); ``fresh`` ones lie elsewhere in the same region."""
        if self.states is not None:
            return self.states(0.1 if fresh else 0.0)
        return rng.uniform(self.box[:, 0], self.box[:, 1], (self.n, len(self.variables)))


@dataclass(frozen=True)
class Data:
    """The table of one run and what its formula is judged on; without a law the tables for judging are empty.

    ``wide`` holds points of the widened ranges where the law is finite and not next to a pole.
    """

    X: Array
    y: Array
    noise_std: float
    test: Array
    test_truth: Array
    wide: Array
    wide_truth: Array


def problem(suite: str, name: str, expression: str, ranges: str) -> Problem:
    """A problem whose inputs are uniform in ranges written as ``"a 0 1, b -2 2"``."""
    rows = [entry.split() for entry in ranges.split(",")]
    limits = tuple((float(low), float(high)) for _, low, high in rows)
    return Problem(name, suite, tuple(row[0] for row in rows), expression, limits)


def draw(given: Problem, noise: float, seed: int) -> Data:
    """The table of a problem: the same for every engine, its noise normal with ``noise`` times the spread of y.

    Examples
    --------
    >>> data = draw(problem("demo", "line", "2*a + b", "a 0 1, b 0 1"), 0.1, 0)
    >>> data.X.shape, bool(abs(data.noise_std - 0.1 * np.std(2 * data.X[:, 0] + data.X[:, 1])) < 1e-12)
    ((2000, 2), True)
    """
    rng = np.random.default_rng([seed, zlib.crc32(f"{given.suite}/{given.name}".encode())])
    X = given.inputs(rng)
    truth = given.truth
    if truth is None:
        assert given.target is not None
        clean = given.target(rng, X)
        none, nothing = np.zeros((0, X.shape[1])), np.zeros(0)
        test, test_truth, wide, wide_truth = none, nothing, none, nothing
    else:
        clean = evaluate(truth, given.symbols, X)
        test = given.inputs(rng, fresh=True)
        test_truth = evaluate(truth, given.symbols, test)
        wide, wide_truth = _widened(given, truth, rng, clean)
    noise_std = noise * float(np.std(clean))
    y = clean + noise_std * rng.standard_normal(len(clean))
    return Data(X, y, noise_std, test, test_truth, wide, wide_truth)


def _widened(given: Problem, truth: Expr, rng: np.random.Generator, clean: Array) -> tuple[Array, Array]:
    margin = WIDENED * (given.box[:, 1] - given.box[:, 0])
    points = rng.uniform(given.box[:, 0] - margin, given.box[:, 1] + margin, (2000, len(given.variables)))
    values = evaluate(truth, given.symbols, points)
    center = float(np.mean(clean))
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(values) & (np.abs(values - center) <= FAR * np.max(np.abs(clean - center)))
    return points[kept], values[kept]
