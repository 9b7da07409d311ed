"""Laws of two coordinates: sums of products of rank one and two, links, coordinates that have to be combined first."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
import sympy
from sympy import Expr

from kanlib.symbolic.compose import canonical, parametrize
from kanlib.symbolic.constants import refit
from kanlib.symbolic.separable.bivariate import bivariate_forms
from kanlib.symbolic.separable.links import LINKS as ALL_LINKS
from kanlib.symbolic.separable.separation import basis, plain, separated, sheared
from kanlib.symbolic.tape import evaluate

Array = np.ndarray
u, v = SYMBOLS = sympy.symbols("u v", real=True)
PRIMITIVES = ["identity", "square", "reciprocal", "sqrt", "exp", "log", "sin", "arcsin", "tanh"]


def _table(n: int = 400, low: float = 0.5, high: float = 2.0, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, (n, 2))


def _misfit(form: Expr, Z: Array, y: Array, fresh: Array, truth: Array) -> float:
    """On fresh rows, once the constants of the form are fitted to y: forms are starts."""
    structure, start = parametrize(canonical(form), SYMBOLS)
    with np.errstate(all="ignore"):
        fit = refit(structure, tuple(start), SYMBOLS, Z, y, list(start.values()), max_evaluations=60)
        numbers = {symbol: sympy.Float(value) for symbol, value in zip(start, fit.values, strict=True)}
        values = evaluate(structure.xreplace(numbers), SYMBOLS, fresh)
    y = truth
    error = float(np.sqrt(np.mean((values - y) ** 2)) / y.std())
    return error if np.isfinite(error) else np.inf


def _best(law: Callable[[Array, Array], Array], noise: float = 0.0, **kwargs: float) -> float:
    """Smallest misfit of a form on rows that were not seen, against the law without noise."""
    Z, fresh = _table(**kwargs), _table(seed=1)
    y = law(*Z.T)
    rng = np.random.default_rng(2)
    y = y + noise * y.std() * rng.normal(size=len(y))
    forms = list(islice(bivariate_forms(Z, y, np.ones(len(y)), SYMBOLS, PRIMITIVES, floor=noise), 40))
    assert all(form.free_symbols <= {u, v} for form in forms)
    return min((_misfit(form, Z, y, fresh, law(*fresh.T)) for form in forms[:12]), default=np.inf)


RANK_ONE = {
    "product": lambda u, v: np.exp(-u) * np.sin(2 * v),
    "with offset": lambda u, v: (1 + np.sqrt(u)) * (2 - 1 / v),
    "composition": lambda u, v: np.exp(-(u**2)) * np.log(1 + v),
}
RANK_TWO = {
    "sum": lambda u, v: np.sin(3 * u) + np.exp(v),
    "law of cosines": lambda u, v: 1 + u**2 - 2 * u * np.cos(v),
    "sum of products": lambda u, v: np.sqrt(u) * np.exp(-v) + u * np.sin(v),
    "mixed": lambda u, v: 1 + u + 2 * np.sqrt(u) * np.cos(v),
}
LINKS = {
    "sqrt": lambda u, v: np.sqrt(np.log(3 * u) * np.sin(v)),
    "exp": lambda u, v: np.exp(np.sin(2 * u) * v - np.sqrt(v)),
    "reciprocal": lambda u, v: 1 / (1 + u * np.exp(v)),
    "negative": lambda u, v: -np.sqrt(u + np.exp(v)),
    "asin": lambda u, v: np.arcsin(0.6 * np.tanh(v) * np.sqrt(u)),
    "log": lambda u, v: np.log(u + np.exp(2 * v)),
}
SHEARED = {
    "sum": lambda u, v: v**2 * np.sin((u + v) ** 2),
    "difference": lambda u, v: np.exp(-v) * np.tanh(3 * (u - v)),
    "product": lambda u, v: np.tanh(u * v) * np.sqrt(u),
    "ratio": lambda u, v: np.sqrt(u) * np.tanh(3 * v / u),
}


@pytest.mark.parametrize("law", RANK_ONE.values(), ids=RANK_ONE)
def test_one_product(law: Callable[[Array, Array], Array]) -> None:
    assert _best(law) < 1e-8


@pytest.mark.parametrize("law", RANK_TWO.values(), ids=RANK_TWO)
def test_sums_of_products(law: Callable[[Array, Array], Array]) -> None:
    assert _best(law) < 1e-8


@pytest.mark.parametrize("law", LINKS.values(), ids=LINKS)
def test_links(law: Callable[[Array, Array], Array]) -> None:
    assert _best(law) < 1e-8


@pytest.mark.parametrize("law", SHEARED.values(), ids=SHEARED)
def test_combined_coordinates(law: Callable[[Array, Array], Array]) -> None:
    assert _best(law) < 1e-8


@pytest.mark.parametrize("name", ["product", "with offset"])
def test_noise(name: str) -> None:
    """One form comes far nearer to the law than the noise does."""
    assert _best(RANK_ONE[name], noise=0.05, n=800) < 0.02


def test_only_the_primitives_that_are_allowed() -> None:
    Z = _table()
    y = np.exp(-Z[:, 0]) * Z[:, 1]
    for form in bivariate_forms(Z, y, np.ones(len(y)), SYMBOLS, ["identity", "square", "sin"]):
        assert not form.has(sympy.exp) or form.func is sympy.exp  # a link may be one


def test_weights_of_rows() -> None:
    """Rows without weight say nothing, whatever stands in them."""
    Z = _table(500)
    y = np.exp(-Z[:, 0]) * Z[:, 1] ** 2
    weight = np.ones(len(y))
    weight[::50] = 1e-12
    spoilt = np.where(weight < 1, y + 5, y)
    forms = list(islice(bivariate_forms(Z, spoilt, weight, SYMBOLS, PRIMITIVES), 40))
    assert min(_misfit(form, Z, y, Z, y) for form in forms[:12]) < 1e-3


@pytest.mark.parametrize(
    "table",
    [
        _table(12),  # too few rows for any rank
        np.column_stack([np.repeat([1.0, 2.0], 100), np.tile([0.0, 1.0], 100)]),  # four different rows
        _table(200) * [1e80, 1e-80],
        _table(200, -1, 1),
    ],
    ids=["few rows", "few values", "scales", "signs"],
)
def test_any_table(table: Array) -> None:
    """Forms or none, no error and no warning."""
    y = np.cos(table[:, 0] / np.abs(table[:, 0]).max()) * table[:, 1]
    for form in islice(bivariate_forms(table, y, np.ones(len(y)), SYMBOLS, PRIMITIVES), 10):
        assert isinstance(form, Expr)


def test_no_time() -> None:
    Z = _table()
    assert not list(bivariate_forms(Z, Z[:, 0] * Z[:, 1], np.ones(len(Z)), SYMBOLS, PRIMITIVES, 0.0, lambda: True))


def test_basis_is_chebyshev() -> None:
    x = np.linspace(2, 7, 30)
    expected = np.stack([np.cos(m * np.arccos(np.clip((x - 4.5) / 2.5, -1, 1))) for m in range(5)], axis=1)
    np.testing.assert_allclose(basis(x, 5), expected, atol=1e-12)


def test_sheared_pairs_say_what_they_hold() -> None:
    for table in (_table(), _table(low=-1, high=1), _table() * [1, -1]):
        pairs = sheared(table, SYMBOLS)
        assert len(pairs) in (6, 8)
        for pair in pairs:
            for expr, values in pair:
                np.testing.assert_allclose(evaluate(expr, SYMBOLS, table), values, rtol=1e-12)


def test_a_law_over_170_decades_is_no_crash() -> None:
    rng = np.random.default_rng(0)
    Z = rng.uniform(0, 20, (200, 2))
    y = np.exp(-Z[:, 0] * Z[:, 1] - np.sqrt(Z[:, 0])) * (1 + 0.05 * rng.normal(size=200))
    a, b = sympy.symbols("a b", real=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forms = list(bivariate_forms(Z, y, np.ones(200), (a, b), ["identity", "exp", "sqrt"]))
    assert all(form.free_symbols <= {a, b} for form in forms)


def test_trajectories_do_not_hide_a_product_in_one_of_many_minima() -> None:
    """Rows on a few curves of the plane leave the alternation minima that are none of the law."""
    t = np.linspace(0, 12, 160)
    starts = np.random.default_rng(2).uniform(-1.5, 1.5, (2, 2))
    Z = np.concatenate([np.column_stack([1.5 * np.sin(t + p), 1.5 * np.sin(1.3 * t + q) + 1.6]) for p, q in starts])
    y = np.sin(Z[:, 0]) * (0.45 * np.cos(2 * Z[:, 1]) + 0.55)
    y = y + 0.01 * y.std() * np.random.default_rng(3).normal(size=len(y))
    a, b = sympy.symbols("a b", real=True)
    fits = separated(plain(Z, (a, b)), y, np.ones(len(y)), ALL_LINKS[:1], 1, lambda: False)
    assert min(fit.error for fit in fits) < 0.02
