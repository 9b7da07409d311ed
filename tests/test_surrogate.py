"""The stand-in: exact for polynomials, its gradient is its slope, its left-out errors are those of refits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanlib.symbolic.reduction.polynomials import stand_in_rows, trimmed_error
from kanlib.symbolic.reduction.surrogate import STYLES, Style, Surrogate, fit_surrogate

Array = np.ndarray
PLAIN: Style = (False, False)


def _inputs(n: int, k: int, low: float = 0.5, high: float = 2.0, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, (n, k))


def _fit(Z: Array, y: Array, *args: object, factor: Array | None = None) -> Surrogate:
    fit = fit_surrogate(Z, y, np.ones(len(y)) if factor is None else factor, *args)
    assert fit is not None
    return fit


@given(k=st.integers(1, 3), degree=st.integers(2, 4), seed=st.integers(0, 1000))
def test_polynomials_are_reproduced(k: int, degree: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    powers = rng.multinomial(degree, [1 / (k + 1)] * (k + 1), size=6)[:, :k]  # total degree up to `degree`
    weights = rng.normal(size=6)

    def law(Z: Array) -> Array:
        return np.asarray((weights * np.prod(Z[:, None, :] ** powers, axis=2)).sum(axis=1) + Z[:, 0])

    Z, fresh = _inputs(300, k, -1, 1, seed), _inputs(50, k, -1, 1, seed + 1)
    fit = _fit(Z, law(Z), [PLAIN], [degree])
    assert fit.error < 1e-9
    np.testing.assert_allclose(fit.predict(fresh), law(fresh), atol=1e-8 * np.abs(weights).sum())


@pytest.mark.parametrize("style", STYLES)
def test_powers_are_lines_in_logarithms(style: Style) -> None:
    """With all logarithms a product of powers is a polynomial of degree one, whatever the exponents."""
    Z = _inputs(200, 2, 0.1, 10)
    y = 3 * Z[:, 0] ** 1.7 / Z[:, 1] ** 0.3
    assert (_fit(Z, y, [style]).error < 1e-9) == (style == (True, True))
    assert _fit(Z, -y).style == (True, True)


LAWS: dict[str, Callable[[Array], Array]] = {
    "mixed": lambda Z: np.exp(-Z[:, 0]) * np.sin(Z[:, 1]) + 2,
    "negative": lambda Z: -1 / (Z[:, 0] + Z[:, 1] ** 2),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_gradient_is_the_slope_of_predict(law: Callable[[Array], Array], style: Style) -> None:
    Z = _inputs(300, 2)
    fit = _fit(Z, law(Z), [style])
    inner, step = _inputs(40, 2, 0.6, 1.9, seed=1), 1e-5
    moves = step * np.eye(2)
    slopes = [(fit.predict(inner + move) - fit.predict(inner - move)) / (2 * step) for move in moves]
    np.testing.assert_allclose(fit.gradient(inner), np.stack(slopes, axis=1), rtol=1e-6, atol=1e-8)


def test_the_gradient_is_that_of_the_law() -> None:
    Z = _inputs(400, 2)
    fit = _fit(Z, Z[:, 0] * np.exp(-Z[:, 1]))
    z, w = _inputs(50, 2, 0.6, 1.9, seed=2).T
    exact = np.stack([np.exp(-w), -z * np.exp(-w)], axis=1)
    np.testing.assert_allclose(fit.gradient(np.stack([z, w], axis=1)), exact, atol=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_left_out_errors_are_those_of_refits(style: Style) -> None:
    """PRESS without refits against refits that leave one row out, in a box that stays the same."""
    rng = np.random.default_rng(5)
    Z = np.vstack([[[0.5, 0.5], [2, 2], [0.5, 2], [2, 0.5]] * 2, _inputs(32, 2)])  # the corners are there twice
    y = np.exp(-Z[:, 0]) * Z[:, 1] + 0.05 * rng.uniform(0.5, 1, size=len(Z))
    factor = 1 + rng.uniform(size=len(Z))
    fit = _fit(Z, y, [style], [2], factor=factor)
    assert fit.degree == 2 and np.array_equal(fit.rows, np.arange(len(Z)))
    for row in range(len(Z)):
        others = np.arange(len(Z)) != row
        without = _fit(Z[others], y[others], [style], [2], factor=factor[others])
        error = y[row] - factor[row] * without.predict(Z[[row]])[0]
        assert fit.errors[row] == pytest.approx((error / y.std()) ** 2, rel=1e-4, abs=1e-12)


def test_the_factor_is_taken_out() -> None:
    Z = _inputs(200, 2)
    factor = np.random.default_rng(1).uniform(-3, 3, 200)  # of both signs, and near zero
    fit = _fit(Z, factor * (Z[:, 0] + Z[:, 1] ** 2), factor=factor)
    np.testing.assert_allclose(fit.predict(Z), Z[:, 0] + Z[:, 1] ** 2, rtol=1e-9)


def test_noise_is_neither_fitted_nor_hidden() -> None:
    """The error of a noisy law is the noise: not less, as of a fit that follows it, and not much more."""
    rng = np.random.default_rng(0)
    Z = _inputs(400, 2)
    clean = Z[:, 0] * np.exp(-Z[:, 1])
    noise = 0.1 * clean.std()
    fit = _fit(Z, clean + noise * rng.normal(size=400))
    assert 0.08 < fit.error < 0.12


def test_too_few_rows_or_no_numbers() -> None:
    Z = _inputs(12, 3)
    assert fit_surrogate(Z, Z[:, 0], np.ones(12)) is None  # a parabola in three inputs has ten terms
    Z, y = _inputs(100, 1), np.arange(100.0)
    assert fit_surrogate(Z, y, np.where(y == 7, 0.0, 1.0)) is None
    assert fit_surrogate(np.where(Z > 1.9, np.nan, Z), y, np.ones(100)) is None


def test_a_logarithm_needs_one_sign() -> None:
    Z = _inputs(200, 2, -1, 1)
    fit = _fit(Z, Z[:, 0] - Z[:, 1] ** 2)
    assert fit.style == PLAIN
    assert fit_surrogate(Z, Z[:, 0], np.ones(200), [(True, False)]) is None


def test_rows_and_trimming() -> None:
    assert np.array_equal(stand_in_rows(7), np.arange(7))
    rows = stand_in_rows(10_000)
    assert len(rows) < 2000 and rows[0] == 0 and rows[-1] == 9999 and np.all(np.diff(rows) > 0)
    errors = np.ones(100)
    errors[3] = 1e30
    assert trimmed_error(errors) == 1.0
    assert trimmed_error(np.array([4.0])) == 2.0
    assert math.isfinite(trimmed_error(np.full(3, 1e30)))
