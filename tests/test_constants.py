"""The joint refit against published fits, scipy and SymPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from kanlib.errors import FormulaError, InputError
from kanlib.symbolic.constants import covariance_matrix, refit
from kanlib.symbolic.tape import Tape, evaluate

a, b, c, d, x, z = sympy.symbols("a b c d x z", real=True)

# D. M. Bates and D. G. Watts, Nonlinear Regression Analysis and Its Applications, 1988, table A1.3, treated cells
CONCENTRATION = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)[:, None]
RATE = np.array([76.0, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200])

# NIST StRD nonlinear regression, Misra1a
MISRA_Y = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]
MISRA_X = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]


def test_michaelis_menten_as_published() -> None:
    fit = refit(a * x / (b + x), (a, b), (x,), CONCENTRATION, RATE, (100.0, 1.0))
    assert fit.converged and fit.dof == 10 and fit.rank == 2
    np.testing.assert_allclose(fit.values, [212.7, 0.06412], rtol=2e-4)
    np.testing.assert_allclose(fit.standard_errors, [6.947, 0.008281], rtol=2e-4)
    assert fit.residual_std == pytest.approx(10.93, rel=1e-3)


@pytest.mark.parametrize("start", [(500.0, 1e-4), (250.0, 5e-4)], ids=["start 1", "start 2"])
def test_misra1a_as_certified(start: tuple[float, float]) -> None:
    X, y = np.array(MISRA_X)[:, None], np.array(MISRA_Y)
    fit = refit(a * (1 - sympy.exp(-b * x)), (a, b), (x,), X, y, start)
    assert fit.converged
    np.testing.assert_allclose(fit.values, [2.3894212918e02, 5.5015643181e-04], rtol=1e-9)
    np.testing.assert_allclose(fit.standard_errors, [2.7070075241e00, 7.2668688436e-06], rtol=1e-7)
    assert fit.rss == pytest.approx(1.2455138894e-01, rel=1e-9)
    assert fit.residual_std == pytest.approx(1.0187876330e-01, rel=1e-9)


def test_weights_as_scipy() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, (60, 1))
    y = 2.0 * X[:, 0] ** 1.5 + rng.normal(size=60) * X[:, 0]
    weight = 1 / X[:, 0] ** 2
    weight[:3] = 0.0
    fit = refit(a * x**b, (a, b), (x,), X, y, (1.0, 1.0), weight)
    expected, covariance = curve_fit(
        lambda u, a, b: a * u**b, X[3:, 0], y[3:], (1.0, 1.0), sigma=X[3:, 0], xtol=1e-14, ftol=1e-14
    )
    np.testing.assert_allclose(fit.values, expected, rtol=1e-6)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-5)
    assert fit.dof == 55 and fit.residual.shape == (60,)
    assert fit.rmse == pytest.approx(np.sqrt(np.average(fit.residual**2, weights=weight)))


def test_noise_free_data_reach_rounding() -> None:
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (400, 2))
    y = np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)
    structure = sympy.exp(a * sympy.sin(b * x + c) + d * z**2)
    fit = refit(structure, (a, b, c, d), (x, z), X, y, (0.8, 2.9, 0.1, 0.8))
    np.testing.assert_allclose(fit.values, [1, np.pi, 0, 1], rtol=0, atol=1e-14)
    assert fit.rmse < 1e-14


def test_standard_errors_cover_the_truth() -> None:
    """Over 200 draws of the noise the truth lies within two standard errors about 95 times in 100."""
    rng = np.random.default_rng(2)
    X = np.linspace(0.1, 3, 40)[:, None]
    truth = 2.0 * X[:, 0] / (0.5 + X[:, 0])
    inside = 0
    for _ in range(200):
        fit = refit(a * x / (b + x), (a, b), (x,), X, truth + 0.05 * rng.normal(size=40), (1.0, 1.0))
        inside += int(np.sum(np.abs(fit.values - [2.0, 0.5]) < 2 * fit.standard_errors))
    assert 0.91 < inside / 400 < 0.98


def test_redundant_constants_show() -> None:
    X = np.linspace(1, 2, 20)[:, None]
    fit = refit(a * b * x + c, (a, b, c), (x,), X, 6 * X[:, 0] + 1, (2.0, 2.5, 0.0))
    assert fit.rank == 2 and fit.rmse < 1e-12
    assert np.isinf(fit.standard_errors[:2]).all() and np.isfinite(fit.standard_errors[2])


def test_trial_steps_outside_the_domain_are_taken_back() -> None:
    X = np.linspace(0.1, 5, 50)[:, None]
    fit = refit(a * sympy.log(x + b), (a, b), (x,), X, 3 * np.log(X[:, 0] + 0.01), (1.0, 2.0))
    assert fit.converged
    np.testing.assert_allclose(fit.values, [3, 0.01], rtol=1e-9)


def test_overflow_is_survived() -> None:
    X = np.linspace(0.0, 30, 60)[:, None]
    fit = refit(a * sympy.exp(b * x), (a, b), (x,), X, 2 * np.exp(0.3 * X[:, 0]), (1.0, 10.0))
    assert math.isfinite(fit.rss) and np.isfinite(fit.values).all()


def test_statuses_instead_of_exceptions() -> None:
    X = np.array([[-1.0], [1.0]])
    outside = refit(a * sympy.log(x), (a,), (x,), X, [0.0, 1.0], (2.0,))
    assert not outside.converged and "not finite at the start" in outside.message
    assert outside.values.tolist() == [2.0]
    few = refit(a + b * x + c * x**2, (a, b, c), (x,), X, [0.0, 1.0], (1.0, 1.0, 1.0))
    assert not few.converged and "2 rows cannot determine 3" in few.message
    none = refit(x**2, (), (x,), X, [1.0, 1.0], ())
    assert none.converged and none.rss == 0.0 and none.dof == 2
    square = refit(a + b * x, (a, b), (x,), X, [0.0, 1.0], (1.0, 1.0))
    assert square.dof == 0 and np.isnan(square.standard_errors).all()


def test_bad_arguments() -> None:
    X, y = np.ones((4, 1)), np.ones(4)
    with pytest.raises(InputError, match="one start value per parameter"):
        refit(a * x, (a,), (x,), X, y, (1.0, 2.0))
    with pytest.raises(InputError, match="sample_weight"):
        refit(a * x, (a,), (x,), X, y, (1.0,), -y)
    with pytest.raises(FormulaError, match="neither an input"):
        refit(a * z, (a,), (x,), X, y, (1.0,))
    with pytest.raises(FormulaError, match="not a real number"):
        evaluate(sympy.I * x, (x,), X)
    with pytest.raises(FormulaError, match="zeta is not a function"):
        evaluate(sympy.zeta(x), (x,), X)


def test_covariance_against_the_inverse() -> None:
    jacobian = np.random.default_rng(3).normal(size=(30, 4)) * [1e-6, 1.0, 1e3, 1e9]
    covariance, rank = covariance_matrix(jacobian, 2.5)
    assert rank == 4
    expected = 2.5 * np.linalg.inv((jacobian / jacobian.std(0)).T @ (jacobian / jacobian.std(0)))
    np.testing.assert_allclose(covariance * np.outer(jacobian.std(0), jacobian.std(0)), expected, rtol=1e-9)


UNARY = [sympy.exp, sympy.sin, sympy.cos, sympy.tanh, sympy.atan, sympy.erf, lambda u: 1 / (2 + u**2), lambda u: u**3]
UNARY += [lambda u: sympy.log(1 + sympy.exp(u)), lambda u: sympy.sqrt(1 + u**2), lambda u: (1 + u**2) ** b]
UNARY += [sympy.asinh, lambda u: sympy.Abs(u + 5), lambda u: sympy.log(3 + sympy.sin(u)), lambda u: 2 ** sympy.sin(u)]
LEAVES = [x, z, a, b, x + a, z * b, sympy.Rational(1, 2) * x, sympy.pi]


@given(st.data())
def test_tape_against_sympy(data: st.DataObject) -> None:
    """Values and derivatives of random expressions, by SymPy's diff and lambdify."""
    expr = data.draw(st.sampled_from(LEAVES))
    for _ in range(data.draw(st.integers(1, 4))):
        function, other = data.draw(st.sampled_from(UNARY)), data.draw(st.sampled_from(LEAVES))
        expr = data.draw(st.sampled_from([function(expr), expr + function(other), expr * other]))
    X = np.random.default_rng(0).uniform(-1, 1, (7, 2))
    theta = np.array([0.7, 1.3])
    bound = Tape(expr, (x, z), (a, b)).bind(X)
    rows = [expr, sympy.diff(expr, a), sympy.diff(expr, b)]
    rows = [row.replace(sympy.Derivative, lambda *_: 0).doit() for row in rows]
    function = sympy.lambdify((x, z, a, b), rows, modules=["scipy", "numpy"])
    expected = [np.broadcast_to(row, 7) for row in function(X[:, 0], X[:, 1], *theta)]
    scale = 1 + np.abs(expected).max()
    if np.isfinite(scale) and scale < 1e6:
        np.testing.assert_allclose(bound.value(theta), expected[0], rtol=1e-10, atol=1e-10 * scale)
        np.testing.assert_allclose(bound.jacobian_rows(), expected[1:], rtol=1e-10, atol=1e-10 * scale)


def test_a_column_too_steep_for_floats_is_undetermined_and_no_warning() -> None:
    covariance, rank = covariance_matrix(np.array([[1e308, 1.0], [-1e308, 2.0]]), 1.0)
    assert rank == 0
    assert np.all(np.isnan(covariance))
