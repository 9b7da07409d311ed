"""Ratios of polynomials under a link: laws come back from their values, with and without noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import Expr, Float, exp, log, sqrt

from kanlib.errors import InputError
from kanlib.symbolic.constants import refit
from kanlib.symbolic.parameters import parametrize
from kanlib.symbolic.rational import RationalFit, rational_candidates
from kanlib.symbolic.rational.descent import Fit, Table
from kanlib.symbolic.rational.exact import degree_pairs
from kanlib.symbolic.rational.forward import forward_terms
from kanlib.symbolic.rational.terms import LINKS, Link, Ratio, exponent_rows, n_terms, products, ratio_forms
from kanlib.symbolic.tape import evaluate

Array = NDArray[np.float64]
SYMBOLS = a, b, c, d, e, f = sympy.symbols("a b c d e f", real=True)

# name -> (law with constants k, columns, low, high)
LAWS: dict[str, tuple[Callable[[list[Float]], Expr], int, float, float]] = {
    "relativistic sum": (lambda k: (a + k[0] * b) / (1 + k[1] * a * b), 2, 0.1, 0.9),
    "centre of mass": (lambda k: (a + k[0] * b) / (a + k[1]), 2, 0.1, 4.0),
    "lens": (lambda k: 1 / (k[0] / a + k[1] * c / b), 3, 1.0, 5.0),
    "one column": (lambda k: 1 + k[0] * a / (1 - a / (3 + k[1])), 1, 0.0, 2.0),
    "predators": (lambda k: 20 - k[0] * a - a * b / (1 + k[1] * a**2), 2, 0.0, 5.0),
    "prey": (lambda k: a * (k[0] + 3 - a - b / (1 + k[1] * a)), 2, 0.0, 5.0),
    "six columns": (lambda k: k[0] * a * b + k[1] * c * d + e * f, 6, -1.0, 1.0),
    "length": (lambda k: sqrt(a**2 + k[0] * b**2 + c**2), 3, 1.0, 5.0),
    "distance": (lambda k: sqrt((a - k[0] * b) ** 2 + c**2), 3, 1.0, 5.0),
    "inverse square": (lambda k: k[0] / (a**2 + k[1] * b**2 + c**2), 3, 1.0, 5.0),
    "pole outside": (lambda k: 30 * k[0] * a * c / ((a - 10) * b**2), 3, 0.5, 3.0),
    "high degree": (lambda k: a**2 * b**2 / (k[0] * a + b), 2, 1.0, 5.0),
    "exponential": (lambda k: exp(-(a**2) / 2 + k[0] * a * b / 3), 2, -1.0, 1.5),
    "logarithm": (lambda k: log(k[0] * a * b + 1), 2, 1.0, 5.0),
}


def constants(rng: np.random.Generator) -> list[Float]:
    return [Float(value) for value in rng.uniform(0.5, 3.0, 2).round(3)]


def table(law: str, seed: int, n: int) -> tuple[Expr, Array, Array, tuple[sympy.Symbol, ...]]:
    make, k, low, high = LAWS[law]
    rng = np.random.default_rng(seed)
    expr = make(constants(rng))
    Z = rng.uniform(low, high, (n, k))
    return expr, Z, evaluate(expr, SYMBOLS[:k], Z), SYMBOLS[:k]


def elsewhere(fit: RationalFit, law: str, expr: Expr) -> float:
    """Relative error on rows that were not seen."""
    _, k, low, high = LAWS[law]
    Z = np.random.default_rng(99).uniform(low, high, (300, k))
    y = evaluate(expr, SYMBOLS[:k], Z)
    return float(np.linalg.norm(evaluate(fit.expr, SYMBOLS[:k], Z) - y) / np.linalg.norm(y))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("seed", [0, 1])
def test_laws_without_noise_come_back(law: str, seed: int) -> None:
    expr, Z, y, symbols = table(law, seed, 500)
    best = rational_candidates(Z, y, symbols)[0]
    assert best.rss <= 1e-22 * float(y @ y)
    assert elsewhere(best, law, expr) < 1e-10
    assert len(best.expr.atoms(Float)) <= 5


@pytest.mark.parametrize("law", LAWS)
def test_laws_under_noise_come_back(law: str) -> None:
    expr, Z, y, symbols = table(law, 2, 600)
    noise = 0.01 * float(np.std(y)) * np.random.default_rng(3).normal(size=len(y))
    best = rational_candidates(Z, y + noise, symbols)[0]
    assert best.rss <= 1.05 * float(noise @ noise)
    # far closer to the law than the noise is
    assert elsewhere(best, law, expr) < 0.3 * float(np.linalg.norm(noise) / np.linalg.norm(y))


def test_poles_among_the_rows() -> None:
    Z = np.random.default_rng(0).uniform(-1, 1, (600, 3))
    y = 1.7 * Z[:, 0] / (Z[:, 1] - Z[:, 2])
    best = rational_candidates(Z, y, (a, b, c))[0]
    # c1*a/(b - c2*c): the second constant is the exact 1
    numbers = sorted(abs(float(number)) for number in best.expr.atoms(Float))
    assert best.rss < 1e-20 * float(y @ y) and len(numbers) == 2
    np.testing.assert_allclose(numbers, [1.0, 1.7], rtol=1e-9)


def test_three_terms_among_two_hundred_under_strong_noise() -> None:
    rng = np.random.default_rng(5)
    symbols = sympy.symbols("z1:10", real=True)
    Z = rng.uniform(-1, 1, (1000, 9))
    y = Z[:, 0] * Z[:, 1] * Z[:, 2] - 2 * Z[:, 3] + Z[:, 7] * Z[:, 8] ** 2
    best = rational_candidates(Z, y + 0.1 * np.std(y) * rng.normal(size=1000), symbols)[0]
    bare = best.expr.xreplace({number: sympy.sign(number) for number in best.expr.atoms(Float)})
    z = symbols
    assert sympy.expand(bare - (z[0] * z[1] * z[2] - z[3] + z[7] * z[8] ** 2)) == 0


def test_saturation_under_strong_noise_is_told_from_its_imitations() -> None:
    rng = np.random.default_rng(6)
    Z = rng.uniform(0, 5, (1000, 2))
    y = evaluate(20 - 2 * a - a * b / (1 + 1.5 * a**2), (a, b), Z)
    noise = 0.1 * float(np.std(y)) * rng.normal(size=1000)
    best = rational_candidates(Z, y + noise, (a, b))[0]
    assert sympy.denom(sympy.together(best.expr)).has(a**2)
    assert np.linalg.norm(evaluate(best.expr, (a, b), Z) - y) < 0.15 * np.linalg.norm(noise)


def test_factor_and_weights_are_used() -> None:
    rng = np.random.default_rng(1)
    Z = rng.uniform(1, 3, (300, 2))
    factor = rng.normal(size=300)
    factor[:4] = 0.0
    y = factor * (Z[:, 0] + 2 * Z[:, 1]) / (1 + Z[:, 0] * Z[:, 1])
    weight = np.ones(300)
    weight[10:40] = 0.0
    y[10:40] = 1e3  # nothing that has no weight may matter
    best = rational_candidates(Z, y, (a, b), factor=factor, sample_weight=weight)[0]
    expected = (Z[:, 0] + 2 * Z[:, 1]) / (1 + Z[:, 0] * Z[:, 1])
    np.testing.assert_allclose(evaluate(best.expr, (a, b), Z), expected, rtol=1e-9)


def test_candidates_are_sorted_distinct_and_keep_their_promise() -> None:
    rng = np.random.default_rng(4)
    Z = rng.uniform(1, 3, (200, 2))
    y = np.sin(Z[:, 0]) * Z[:, 1] + 0.02 * rng.normal(size=200)
    fits = rational_candidates(Z, y, (a, b), most=6)
    assert 1 < len(fits) <= 6
    assert [fit.length for fit in fits] == sorted(fit.length for fit in fits)
    forms = {parametrize(fit.expr)[0] for fit in fits}
    assert len(forms) == len(fits)
    for fit in fits:
        residual = y - evaluate(fit.expr, (a, b), Z)
        assert float(residual @ residual) == pytest.approx(fit.rss, rel=1e-6)
    # the constants are those of least squares: refitting changes nothing
    structure, values = parametrize(fits[0].expr)
    again = refit(structure, tuple(values), (a, b), Z, y, list(values.values()))
    assert again.rss == pytest.approx(fits[0].rss, rel=1e-6)


@pytest.mark.parametrize(
    "columns",
    [
        np.zeros((60, 2)),
        np.ones((60, 2)),
        np.repeat(np.arange(60.0)[:, None], 2, axis=1),
        np.random.default_rng(0).integers(0, 2, (60, 2)).astype(float),
        np.random.default_rng(0).uniform(-1, 1, (60, 2)) * 1e150,
        np.random.default_rng(0).uniform(-1, 1, (5, 2)),
        np.random.default_rng(0).uniform(-1, 1, (12, 2)),
        np.empty((0, 2)),
    ],
    ids=["zeros", "ones", "equal", "binary", "huge", "five rows", "twelve rows", "no rows"],
)
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e200])
def test_degenerate_tables_give_finite_candidates_or_none(columns: Array, scale: float) -> None:
    y = scale * np.random.default_rng(1).normal(size=len(columns))
    for fit in rational_candidates(columns, y, (a, b)):
        assert np.isfinite(evaluate(fit.expr, (a, b), columns)).all()


def test_the_search_ends_when_asked_to() -> None:
    Z = np.random.default_rng(0).uniform(1, 2, (50, 2))
    assert rational_candidates(Z, Z[:, 0], (a, b), expired=lambda: True) == []


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="expected Z"):
        rational_candidates(np.ones((5, 2)), np.ones(5), (a,))
    with pytest.raises(InputError, match="not finite"):
        rational_candidates(np.full((5, 1), np.nan), np.ones(5), (a,))


def test_degree_pairs_have_all_smaller_pairs_before_them() -> None:
    for k in range(1, 11):
        pairs = degree_pairs(k, 600)
        for index, (top, bottom) in enumerate(pairs):
            assert n_terms(k, top) + n_terms(k, bottom) <= 80
            if top and bottom:
                assert (top - 1, bottom - 1) in pairs[:index]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_long_division_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, bottom = exponent_rows(2, 1), exponent_rows(2, 1)
    p, q = rng.uniform(0.5, 2, 3), rng.uniform(0.5, 2, 3)
    # (p . terms)(q . terms) + one monomial, over (q . terms)
    product: dict[tuple[int, ...], float] = {(1, 1): float(rng.uniform(0.5, 2))}
    for row, x in zip(whole.tolist(), p, strict=True):
        for other, z in zip(bottom.tolist(), q, strict=True):
            key = tuple(np.add(row, other).tolist())
            product[key] = product.get(key, 0.0) + float(x * z)
    terms = np.array(sorted(product))
    ratio = Ratio(LINKS[0], 1.0, terms, bottom, np.array([product[tuple(t)] for t in terms.tolist()]), q)
    scale = np.array([2.0, 0.5])
    Z = rng.uniform(1, 2, (20, 2))
    scaled = Z / scale
    expected = (products(scaled, terms) @ ratio.p) / (products(scaled, bottom) @ q)
    for structure, values in ratio_forms(ratio, (a, b), scale, 1e-9):
        got = evaluate(structure.xreplace({s: Float(v) for s, v in values.items()}), (a, b), Z)
        np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_links_are_undone_and_their_slopes_are_derivatives(link: Link) -> None:
    y = np.linspace(0.3, 2.0, 7)
    u = link.forward(y)
    np.testing.assert_allclose(link.inverse(u), y, rtol=1e-12)
    step = 1e-6
    slope = (link.inverse(u + step) - link.inverse(u - step)) / (2 * step)
    np.testing.assert_allclose(link.slope(u), slope, rtol=1e-6)


def test_descent_has_the_right_jacobian_and_reaches_the_law() -> None:
    rng = np.random.default_rng(0)
    Z = rng.uniform(0, 2, (80, 1))
    top = bottom = products(Z, exponent_rows(1, 1))
    y = np.sqrt((1 + 2 * Z[:, 0]) / (1 + 0.5 * Z[:, 0]))
    fit = Fit(Table(Z, y, np.ones(80)), LINKS[1], 1.0, top, bottom)
    p, q = np.array([1.2, 1.5]), np.array([1.0, 0.8])
    u, below, before = fit.residual(p, q)
    jacobian = fit.jacobian(u, below, 0)
    for index in range(3):
        theta = np.array([1.2, 1.5, 0.8])
        theta[index] += 1e-7
        after = fit.residual(theta[:2], np.array([1.0, theta[2]]))[2]
        np.testing.assert_allclose((before - after) / 1e-7, jacobian[:, index], atol=1e-5)
    state, _, held = fit.descend(p, q, 30)
    np.testing.assert_allclose(state.p / state.q[0], [1.0, 2.0], rtol=1e-7)
    assert state.q[held] == 1.0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_forward_selection_orders_orthogonal_columns_by_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(40, 8)))[0]
    size = rng.permutation(np.arange(1.0, 9.0))
    assert forward_terms(Q, Q @ size, 8).tolist() == np.argsort(-size).tolist()
