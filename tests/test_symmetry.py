"""The change that a known symmetry allows is among the first that are proposed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import sympy
from scipy.stats import spearmanr
from sympy import Expr

from kanlib.symbolic.reduction.coordinates import Change, Coordinates, start
from kanlib.symbolic.reduction.surrogate import fit_surrogate
from kanlib.symbolic.reduction.symmetry import proposals
from kanlib.symbolic.tape import evaluate

Array = np.ndarray
a, b, c = SYMBOLS = sympy.symbols("a b c", real=True)
_FIRST = 5  # reduce_coordinates tests six before it takes the best


def _proposed(law: Callable[..., Array], columns: int = 3, noise: float = 0.0) -> list[Change]:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (500, columns))
    y = law(*X.T)
    y = y + noise * y.std() * rng.normal(size=len(y))
    here = start(SYMBOLS[:columns], X)
    surrogate = fit_surrogate(X, y, here.factor_values)
    assert surrogate is not None
    found = proposals(here, surrogate)
    defects = [change.defect for change in found]
    assert defects == sorted(defects)
    assert all(change.coordinates.k == columns - 1 for change in found)
    return found


def _says(change: Change, coordinate: Expr, least: float = 1 - 1e-12) -> bool:
    """Whether a coordinate is a function of this one, c*z or z**p for z: as their rank correlation says."""
    X = np.random.default_rng(1).uniform(1, 3, (200, 3))
    exact = evaluate(coordinate, SYMBOLS, X)
    matches = [abs(spearmanr(evaluate(e, SYMBOLS, X), exact).statistic) for e in change.coordinates.expressions]
    return change.coordinates.factor == 1 and max(matches) >= least


PAIRS = {
    "difference": (a - b, lambda a, b, c: c / (1 + (a - b) ** 2)),
    "sum": (a + b, lambda a, b, c: np.exp(-c) * np.sqrt(a + b)),
    "product": (a * b, lambda a, b, c: np.sin(a * b / 3) + c),
    "ratio": (a / b, lambda a, b, c: c * np.exp(-a / b)),
    "circle": (a**2 + b**2, lambda a, b, c: c + np.exp(-(a**2 + b**2) / 10)),
    "hyperbola": (a**2 - b**2, lambda a, b, c: c * np.sin((a**2 - b**2) / 8)),
    "parallel": (1 / a + 1 / b, lambda a, b, c: c + 1 / (1 / a + 1 / b)),
    "ratio of powers": (a / b**2, lambda a, b, c: c + np.log(1 + a / b**2)),
    "weighted sum": (a + 2.7 * b, lambda a, b, c: c / (1 + a + 2.7 * b)),
    "root": (a**0.5 + b, lambda a, b, c: c * np.cos(a**0.5 + b)),
}


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("name", PAIRS)
def test_two_that_are_one(name: str, noise: float) -> None:
    coordinate, law = PAIRS[name]
    least = 0.9999 if noise else 1 - 1e-12  # a weight is estimated as well as the noise lets it
    assert any(_says(change, coordinate, least) for change in _proposed(law, noise=noise)[:_FIRST])


@pytest.mark.parametrize("p", [-2, -1, -0.5, 0.5, 1, 1.5, 2, 3])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_power_in_front(p: float, noise: float) -> None:
    found = _proposed(lambda a, b, c: a**p * (b + np.sin(c)), noise=noise)
    factors = [change for change in found if change.kind == "factor"]
    assert any(change.coordinates.factor == a ** sympy.Rational(p) for change in factors[:3])
    assert found.index(factors[0]) < _FIRST


def test_a_column_that_does_nothing() -> None:
    for noise in (0.0, 0.05):
        found = _proposed(lambda a, b, c: a * np.exp(-b), noise=noise)
        dropped = [change for change in found[:_FIRST] if change.kind == "drop"]
        assert dropped and dropped[0].coordinates.expressions == (a, b)


SCALES = {
    "all as lengths": lambda a, b, c: np.sqrt(a * b + c**2),
    "degree two": lambda a, b, c: a**2 * b / (b + c),
    "degree zero": lambda a, b, c: (a + b) / (b + c) + np.sin(a / c),
}


@pytest.mark.parametrize("name", SCALES)
def test_scaling(name: str) -> None:
    """f(s a, s b, s c) = s^p f(a, b, c) gives two ratios and a power in front."""
    law = SCALES[name]
    degree = {"all as lengths": 1, "degree two": 2, "degree zero": 0}[name]
    X = np.random.default_rng(2).uniform(1, 3, (50, 3))
    np.testing.assert_allclose(law(*(2 * X).T), 2.0**degree * law(*X.T))
    fitting = [change.coordinates for change in _proposed(law)[:_FIRST] if _scales(change.coordinates, X, degree)]
    assert fitting


def _scales(coordinates: Coordinates, X: Array, degree: int) -> bool:
    here, there = coordinates.on(SYMBOLS, X), coordinates.on(SYMBOLS, 2 * X)
    assert here is not None and there is not None
    same = np.allclose(here.values, there.values)
    return same and np.allclose(there.factor_values, 2.0**degree * here.factor_values)


def test_the_defect_tells_what_holds() -> None:
    """Zero to the error of the stand-in where the symmetry holds, not near it where it does not."""
    changes = _proposed(lambda a, b: np.exp(np.sin(a - b)), columns=2)
    right = [change for change in changes if _says(change, a - b)]
    wrong = [change for change in changes if change not in right]
    assert right and all(change.defect < 1e-6 for change in right)
    assert len(wrong) > 5 and all(change.defect > 0.1 for change in wrong)


def test_nothing_where_the_law_is_zero() -> None:
    """All rows that count are 0: no exponent can be read off, and none is divided by."""
    X = np.random.default_rng(0).uniform(1, 3, (200, 2))
    y = np.where(np.arange(200) == 0, 1.0, 0.0)
    here = start(SYMBOLS[:2], X)
    surrogate = fit_surrogate(X, y, here.factor_values)
    assert surrogate is not None
    flat = replace(surrogate, coefficients=np.zeros_like(surrogate.coefficients))
    assert all(np.isfinite(change.defect) for change in proposals(here, flat))
