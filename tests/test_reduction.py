"""Laws of random coordinates come down to these, with noise too; what matters stays, what does not is dropped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy
from sympy import Expr

from kanlib.symbolic.reduction import Step, reduce_coordinates
from kanlib.symbolic.tape import evaluate

Array = np.ndarray
NAMES = sympy.symbols("a b c d e", real=True)
a, b, c, d, e = NAMES

# expression of two columns, and what the law does with it
MERGES: list[Callable[[Expr, Expr], Expr]] = [
    lambda p, q: p - q,
    lambda p, q: p + q,
    lambda p, q: p * q,
    lambda p, q: p / q,
    lambda p, q: p**2 + q**2,
    lambda p, q: p / q**2,
]
OUTER: list[Callable[[Expr, Expr], Expr]] = [
    lambda u, v: sympy.exp(-u / 4) + v**2 / 5,
    lambda u, v: v * sympy.sin(u / 2) + v**2,
    lambda u, v: sympy.exp(-v) * (3 + u / 4) + sympy.cos(u / 3),
]


def _random_law(seed: int) -> tuple[Expr, int]:
    """F(u(p, q), r) of random columns, half of them with a power of another in front; and how many coordinates."""
    rng = np.random.default_rng(seed)
    p, q, r, front = (NAMES[i] for i in rng.permutation(4))
    law = OUTER[rng.integers(len(OUTER))](MERGES[rng.integers(len(MERGES))](p, q), r)
    if rng.integers(2):
        law *= front ** int(rng.choice([-1, 1, 2]))
    return law, 2


def _steps(law: Expr, noise: float = 0.0, n: int = 700, columns: int = 4) -> tuple[list[Step], Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (n, columns))
    clean = evaluate(law, NAMES[:columns], X)
    y = clean + noise * clean.std() * rng.normal(size=n)
    steps = reduce_coordinates(X, y, NAMES[:columns])
    assert steps[0].coordinates.plain and steps[0].kind == ""
    assert [step.coordinates.k for step in steps] == list(range(columns, columns - len(steps), -1))
    return steps, X, clean


def _reads(step: Step) -> set[Expr]:
    expressions = (*step.coordinates.expressions, step.coordinates.factor)
    return set().union(*(expr.free_symbols for expr in expressions))


def _predicted(step: Step) -> Array:
    assert step.surrogate is not None
    coordinates = step.coordinates
    return np.asarray(coordinates.factor_values * step.surrogate.predict(coordinates.values))


@pytest.mark.parametrize("seed", range(12))
def test_random_coordinates(seed: int) -> None:
    law, k = _random_law(seed)
    steps, _, clean = _steps(law)
    last = steps[-1]
    assert last.coordinates.k == k, (law, last.coordinates.text())
    assert _reads(last) == law.free_symbols
    assert last.error < 1e-4
    assert np.std(_predicted(last) - clean) < 1e-3 * np.std(clean)


@pytest.mark.parametrize("noise", [0.01, 0.1])
@pytest.mark.parametrize("seed", range(8))
def test_random_coordinates_with_noise(seed: int, noise: float) -> None:
    """No column of the law is lost, and what is left says about y what the law says."""
    law, k = _random_law(seed)
    steps, _, clean = _steps(law, noise)
    last = steps[-1]
    assert last.coordinates.k <= k, (law, last.coordinates.text())
    assert _reads(last) == law.free_symbols, (law, last.coordinates.text())
    assert np.std(_predicted(last) - clean) < 0.5 * noise * np.std(clean)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_columns_that_do_nothing_are_dropped(noise: float) -> None:
    law = b * sympy.exp(-d / 2)
    last = _steps(law, noise, columns=5)[0][-1]
    assert _reads(last) == {b, d}, last.coordinates.text()


@pytest.mark.parametrize("noise", [0.01, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_small_effect_is_kept(noise: float, seed: int) -> None:
    """A column three times as strong as what the rows can show, 3 standard errors of a slope, is not dropped."""
    n = 700
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 3, (n, 3))
    clean = np.exp(-X[:, 0]) * X[:, 1]
    sigma = noise * clean.std()
    detectable = 3 * sigma / np.sqrt(n) / X[:, 2].std()
    y = clean + 3 * detectable * X[:, 2] + sigma * rng.normal(size=n)
    assert c in _reads(reduce_coordinates(X, y, NAMES[:3])[-1])


def test_a_monomial_needs_no_coordinate() -> None:
    for noise in (0.0, 0.05):
        last = _steps(3 * a**2 / (b * sympy.sqrt(c)), noise, columns=3)[0][-1]
        assert last.coordinates.k == 0 and last.surrogate is None
        ratio = last.coordinates.factor / (a**2 / (b * sympy.sqrt(c)))
        assert sympy.powsimp(ratio, force=True).is_number, last.coordinates.text()


@pytest.mark.parametrize("size", [1e9, 1e60, 1e-60, 1e80])
def test_scales_of_the_columns_do_not_matter(size: float) -> None:
    """Units are arbitrary: the same table in others takes the same steps."""
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 3, (500, 3))
    y = X[:, 0] * np.exp(-X[:, 1] / X[:, 2])
    plain = reduce_coordinates(X, y, NAMES[:3])[-1]
    scaled = reduce_coordinates(X * [1 / size, size, size], size * y, NAMES[:3])[-1]
    assert plain.coordinates.k == scaled.coordinates.k == 1
    assert plain.coordinates.factor == scaled.coordinates.factor == a


def test_no_structure_no_step() -> None:
    """A law that needs its columns one by one: nothing may be merged."""
    X = np.random.default_rng(0).uniform(1, 3, (600, 2))
    y = np.sin(3 * X[:, 0]) + np.exp(X[:, 1]) * X[:, 0] ** 2
    assert len(reduce_coordinates(X, y, NAMES[:2])) == 1


def test_too_few_rows_and_no_time() -> None:
    X = np.random.default_rng(0).uniform(1, 3, (9, 4))
    (only,) = reduce_coordinates(X, X[:, 0] * X[:, 1], NAMES[:4])
    assert np.isnan(only.error) and only.surrogate is None and only.coordinates.plain
    X = np.random.default_rng(0).uniform(1, 3, (200, 2))
    assert len(reduce_coordinates(X, X[:, 0] * X[:, 1], NAMES[:2], lambda: True)) == 1


def test_errors_proportional_to_y_do_not_hide_a_symmetry() -> None:
    """With weights 1/y^2 all weighted values of y are alike; errors are relative to its weighted spread."""
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (600, 3))
    y = X[:, 0] * np.sin(X[:, 1] - X[:, 2]) + 4
    root = 1 / np.abs(y) / np.sqrt(np.mean(1 / y**2))
    steps = reduce_coordinates(X, y * (1 + 0.02 * rng.normal(size=600)), NAMES[:3], root=root)
    assert "b - c" in steps[-1].coordinates.text() and steps[-1].coordinates.k == 2
    assert 0.01 < steps[0].error < 0.2
