"""Coordinates agree with NumPy on any table, and are refused where they are not finite."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from kanlib.symbolic.reduction.coordinates import Coordinates, combined, powered, start
from kanlib.symbolic.tape import evaluate

a, b, c = SYMBOLS = sympy.symbols("a b c", real=True)

whole = st.integers(-3, 3).map(Fraction)
fractions = st.sampled_from([Fraction(n, d) for d in (1, 2, 3) for n in range(-4, 5)])


def _table(seed: int, low: float = 0.2, high: float = 4.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (40, 3))


def _checked(coordinates: Coordinates, X: np.ndarray) -> None:
    """Expressions and values say the same."""
    for expr, values in zip(coordinates.expressions, coordinates.values.T, strict=True):
        np.testing.assert_allclose(evaluate(expr, SYMBOLS, X), values, rtol=1e-12)
    np.testing.assert_allclose(evaluate(coordinates.factor, SYMBOLS, X), coordinates.factor_values, rtol=1e-12)


@given(seed=st.integers(0, 99), p=fractions, q=fractions, front=fractions, pivot=st.integers(0, 2))
def test_powers(seed: int, p: Fraction, q: Fraction, front: Fraction, pivot: int) -> None:
    X = _table(seed)
    exponents = [p, q]
    exponents.insert(pivot, Fraction(0))
    changed = powered(start(SYMBOLS, X), exponents, pivot, front)
    assert changed is not None and changed.k == 2
    others = [m for m in range(3) if m != pivot]
    base = X[:, [pivot]]
    np.testing.assert_allclose(changed.values, X[:, others] * base ** np.array([float(p), float(q)]), rtol=1e-12)
    np.testing.assert_allclose(changed.factor_values, X[:, pivot] ** float(front), rtol=1e-12)
    _checked(changed, X)


@given(seed=st.integers(0, 99), p=whole, front=whole)
def test_powers_one_after_another(seed: int, p: Fraction, front: Fraction) -> None:
    """A second change builds on the first, its factor too; down to no coordinate at all."""
    X = _table(seed)
    first = powered(start(SYMBOLS, X), [Fraction(0), p, Fraction(1)], 0, front)
    assert first is not None
    second = powered(first, [Fraction(0), p], 0, Fraction(1))
    assert second is not None
    np.testing.assert_allclose(second.factor_values, X[:, 0] ** float(front) * X[:, 1] * X[:, 0] ** float(p))
    _checked(second, X)
    last = powered(second, [Fraction(0)], 0, front)
    assert last is not None and last.k == 0 and last.values.shape == (40, 0)
    _checked(last, X)


@given(seed=st.integers(0, 99), weight=st.sampled_from([-2.0, -1.0, 0.5, 3.0]))
def test_combining(seed: int, weight: float) -> None:
    X = _table(seed, -2, 2)
    values = X[:, 0] + weight * X[:, 2] ** 2
    changed = combined(start(SYMBOLS, X), 0, 2, a + sympy.Float(weight) * c**2, values)
    assert changed is not None and changed.expressions[1:] == (b,)
    np.testing.assert_array_equal(changed.values, np.column_stack([values, X[:, 1]]))
    _checked(changed, X)


@given(seed=st.integers(0, 99))
def test_a_law_in_its_coordinates_is_the_law_in_columns(seed: int) -> None:
    X = _table(seed)
    here = powered(start(SYMBOLS, X), [Fraction(1), Fraction(0), Fraction(-1, 2)], 1, Fraction(2))
    assert here is not None
    u, v = sympy.symbols("u v", real=True)
    law = here.in_columns(sympy.exp(-u) + v**2, (u, v))
    expected = here.factor_values * (np.exp(-here.values[:, 0]) + here.values[:, 1] ** 2)
    np.testing.assert_allclose(evaluate(law, SYMBOLS, X), expected, rtol=1e-12)


@given(seed=st.integers(0, 99))
def test_on_another_table(seed: int) -> None:
    here = powered(start(SYMBOLS, _table(seed)), [Fraction(0), Fraction(1, 2), Fraction(-1)], 0, Fraction(1, 3))
    assert here is not None
    fresh = _table(seed + 1)
    moved = here.on(SYMBOLS, fresh)
    assert moved is not None and moved.expressions == here.expressions
    np.testing.assert_allclose(moved.values, np.stack([fresh[:, 1] * fresh[:, 0] ** 0.5, fresh[:, 2] / fresh[:, 0]]).T)
    fresh[3, 0] = 0.0  # 1/a is not finite, and the factor is zero
    assert here.on(SYMBOLS, fresh) is None
    fresh[3, 0] = -1.0  # its root is not real
    assert here.on(SYMBOLS, fresh) is None


@pytest.mark.parametrize(
    ("exponent", "column", "fine"),
    [
        (Fraction(2), [-1.0, 0.0, 2.0], True),
        (Fraction(-1), [-1.0, 0.0, 2.0], False),
        (Fraction(-1), [-3.0, -1.0, -2.0], True),
        (Fraction(-2), [-1.0, 1.0, 2.0], False),  # its range holds zero
        (Fraction(1, 2), [-1.0, 1.0, 2.0], False),
        (Fraction(1, 3), [0.0, 1.0, 2.0], False),
        (Fraction(3), [1e150, 1.0, 2.0], False),
        (Fraction(-3), [1e-150, 1.0, 2.0], False),
    ],
)
def test_powers_are_refused_where_they_are_not_finite_and_real(
    exponent: Fraction, column: list[float], fine: bool
) -> None:
    X = np.column_stack([[1.0, 2.0, 5.0], column, [3.0, 1.0, 2.0]])
    changed = powered(start(SYMBOLS, X), [exponent, Fraction(0), Fraction(0)], 1)
    assert (changed is not None) == fine
    if changed is not None:
        _checked(changed, X)


def test_a_factor_is_never_zero() -> None:
    X = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 5.0]])
    assert powered(start(SYMBOLS, X), [Fraction(0)] * 3, 0, Fraction(1)) is None
    assert powered(start(SYMBOLS, X), [Fraction(0)] * 3, 0) is not None


def test_values_whose_powers_overflow_are_refused() -> None:
    X = _table(0) * [1e40, 1.0, 1e-40]
    here = start(SYMBOLS, X)
    assert powered(here, [Fraction(0)] * 3, 0, Fraction(2)) is not None
    assert powered(here, [Fraction(0)] * 3, 0, Fraction(3)) is None
    assert powered(here, [Fraction(0)] * 3, 0, Fraction(-3)) is None
    assert powered(here, [Fraction(-2), Fraction(0), Fraction(0)], 2) is None
    steep = start(SYMBOLS, _table(0) * [1e90, 1.0, 1e-90])
    assert powered(steep, [Fraction(-3), Fraction(0), Fraction(0)], 2) is None


def test_combinations_are_refused_where_they_do_not_vary() -> None:
    X = np.column_stack([np.linspace(1, 2, 9), 3 - np.linspace(1, 2, 9), np.arange(9.0)])
    here = start(SYMBOLS, X)
    assert combined(here, 0, 1, a + b, X[:, 0] + X[:, 1]) is None
    assert combined(here, 0, 1, a / b, np.full(9, np.inf)) is None
    with np.errstate(divide="ignore"):
        assert combined(here, 0, 2, a / c, X[:, 0] / X[:, 2]) is None
    assert combined(here, 0, 1, a - b, X[:, 0] - X[:, 1]) is not None


def test_text() -> None:
    X = _table(0)
    here = start(SYMBOLS, X)
    assert here.plain and here.text() == "F(a, b, c)"
    ratio = powered(here, [Fraction(-1), Fraction(0), Fraction(0)], 1, Fraction(2))
    assert ratio is not None and not ratio.plain
    assert ratio.text() == "b**2 * F(a/b, c)"
    sums = Coordinates((c,), X[:, 2:], a + b, X[:, 0] + X[:, 1])
    assert sums.text() == "(a + b) * F(c)"
    assert Coordinates((), X[:, :0], a + b, X[:, 0] + X[:, 1]).text() == "a + b"
