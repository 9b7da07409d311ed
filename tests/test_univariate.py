"""The one-dimensional solver finds closed forms, on ranges and with constants drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy
from numpy.typing import NDArray
from sympy import Float, Function, Symbol

from kanlib.errors import InputError
from kanlib.symbolic.description import description_length, structure_cost
from kanlib.symbolic.library import allowed_functions
from kanlib.symbolic.parameters import parametrize
from kanlib.symbolic.tape import evaluate
from kanlib.symbolic.univariate import UnivariateFit, univariate_candidates
from kanlib.symbolic.univariate.atoms import natural_atoms, products
from kanlib.symbolic.univariate.curve import CONSTANTS, screening_curve
from kanlib.symbolic.univariate.families import families
from kanlib.symbolic.univariate.sums import loosened
from kanlib.symbolic.univariate.targets import targets

Array = NDArray[np.float64]
Law = Callable[[Array, Array], Array]  # of x and a few random numbers from [0, 1]

X = Symbol("x", real=True)
ALL = allowed_functions(("exp", "log", "sin", "tan", "tanh", "arctan", "arcsin", "arctanh", "sinh", "cosh", "erf"))

# law, low end and width of the range; both ends are moved at random by a tenth of the width
LAWS: dict[str, tuple[Law, float, float]] = {
    "polynomial": (lambda x, r: (0.5 + r[0]) * x**9 - x**7 + (1 + r[1]) * x**4 - x + r[2], -1, 2),
    "all powers": (lambda x, r: (1 + r[0]) * (x**6 + x**5 + x**4 + x**3 + x**2 + x), -1, 2),
    "rational": (lambda x, r: x / (1 + (0.3 + r[0]) * x**2), -3, 6),
    "damped oscillation": (lambda x, r: 2 * np.exp(-(0.3 + r[0]) * x) * np.sin((3 + r[1]) * x + r[2]), 0, 4),
    "growing wave": (lambda x, r: (0.3 + r[0]) * x * np.sin(2 * np.pi * x), -1, 2),
    "product of waves": (lambda x, r: np.sin(x**2) * np.cos(x) - 1, -1, 2),
    "product with rates": (lambda x, r: np.sin((1 + r[0]) * x**2) * np.cos((2 + r[1]) * x) - r[2], -1, 3),
    "chirp": (lambda x, r: np.sin(x) + np.sin(x + x**2), -1, 2),
    "logarithms": (lambda x, r: np.log(x + 1) + np.log(x**2 + 1), 0.2, 2),
    "logarithms of polynomials": (lambda x, r: np.log(x**2 + x) + np.log(x**3 + x), 0.5, 2),
    "Bose": (lambda x, r: (0.5 + r[0]) / np.expm1(x), 0.6, 4),
    "Planck": (lambda x, r: (0.5 + r[0]) * x**3 / np.expm1((0.7 + r[1]) * x), 0.8, 5),
    "slit": (lambda x, r: (1 + r[0]) * np.sin(x / 2) ** 2 / (x / 2) ** 2, 1.5, 12),
    "Doppler": (lambda x, r: (1 + r[0]) * (1 + x) / np.sqrt(1 - x**2), 0.1, 0.7),
    "momentum": (lambda x, r: (1 + r[0]) * x / np.sqrt(1 - x**2), 0.1, 0.7),
    "root": (lambda x, r: np.sqrt(x**2 - np.pi**2), 3.7, 4),
    "cosine and square": (lambda x, r: np.cos(x) + (0.5 + r[0]) * np.cos(x) ** 2, 0, 6),
    "line and wave": (lambda x, r: x + np.sin(x**2) + r[0], -2, 4),
    "inverse sinh": (lambda x, r: np.log(x + np.sqrt(x**2 + 1)), -3, 7),
    "normal density": (lambda x, r: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), -3, 6),
    "Arrhenius": (lambda x, r: np.exp(-(0.7 + r[0]) / x), 0.5, 4),
    "power": (lambda x, r: x ** (0.3 + 0.2 * r[0]), 0.6, 5),
    "power and logarithm": (lambda x, r: (2 + r[0]) * x**2 * np.log(x), 0.4, 3),
    "cubed wave": (lambda x, r: np.cos((6.5 + r[0]) * x**3), -1, 2.4),
    "two waves": (lambda x, r: np.sin((2 + r[0]) * x) + 0.5 * np.sin((5 + r[1]) * x + 1), 0, 6),
    "even rational": (lambda x, r: x**4 / (x**2 - 1) ** 2, 0.25, 0.45),
    "product with tanh": (lambda x, r: np.tanh(x) * x, -3, 6),
    "logistic": (lambda x, r: (1 + r[0]) / (1 + np.exp(-(1 + r[1]) * x + r[2])), -3, 6),
    "Lennard-Jones": (lambda x, r: (3 + r[0]) * (x**-12 - x**-6), 1.0, 1.0),
    "two decays": (lambda x, r: 2 * np.exp(-(0.5 + 0.3 * r[0]) * x) + np.exp(-(3 + r[1]) * x), 0, 5),
}


def _data(name: str, seed: int, n: int, noise: float) -> tuple[Array, Array, Array]:
    """x, y, and y without noise."""
    law, low, width = LAWS[name]
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-0.1, 0.1, 2) * width
    x = rng.uniform(low + abs(shift[0]), low + width + shift[1], n)
    clean = law(x, rng.uniform(size=3))
    return x, clean + noise * float(np.std(clean)) * rng.standard_normal(n), clean


def _error(fit: UnivariateFit, x: Array, clean: Array) -> float:
    return float(np.sqrt(np.mean((evaluate(fit.expr, (X,), x[:, None]) - clean) ** 2)) / np.std(clean))


@pytest.mark.parametrize("name", LAWS)
def test_noise_free_laws_are_met_to_rounding(name: str) -> None:
    x, y, _ = _data(name, 11, 300, 0.0)
    fits = univariate_candidates(x, y, X)
    assert _error(fits[0], x, y) < 1e-9
    assert len(fits[0].expr.atoms(Float)) <= 11


@pytest.mark.parametrize(("name", "noise"), [(name, (0.01, 0.1)[k % 2]) for k, name in enumerate(LAWS)])
def test_noisy_laws_have_a_form_near_their_curve(name: str, noise: float) -> None:
    n = 1000
    x, y, clean = _data(name, 5, n, noise)
    fits = univariate_candidates(x, y, X)
    # what a model with eight constants would miss, three times over
    assert min(_error(fit, x, clean) for fit in fits) < 3 * noise * np.sqrt(8 / n)


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("Arrhenius", {sympy.exp}),
        ("product of waves", {sympy.sin, sympy.cos}),
        ("product with tanh", {sympy.tanh}),
        ("logarithms", {sympy.log}),
    ],
)
def test_short_laws_stand_first_in_noise(name: str, functions: set[type]) -> None:
    x, y, _ = _data(name, 3, 1000, 0.1)
    best = univariate_candidates(x, y, X)[0].expr
    assert {part.func for part in best.atoms(Function)} == functions
    assert len(best.atoms(Float)) <= 2


@pytest.mark.parametrize("scale", [1e-9, 1e8])
def test_units_do_not_matter(scale: float) -> None:
    x = np.random.default_rng(2).uniform(1.0, 4.0, 300) * scale
    fits = univariate_candidates(x, 1e5 * scale * np.exp(-x / scale), X)
    assert fits[0].rss < 1e-20 * float(np.sum((1e5 * scale) ** 2 * np.exp(-2 * x / scale)))


@pytest.mark.parametrize("n", [6, 8, 12])
def test_few_rows_are_enough_for_short_laws(n: int) -> None:
    x = np.linspace(0.5, 3.0, n)
    assert univariate_candidates(x, 3 * x**1.5, X)[0].rss < 1e-24


def test_length_and_rss_are_those_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 3, 1500)
    y = x**2 * np.log(x) + 0.05 * rng.standard_normal(1500)
    weight = rng.uniform(0.5, 2.0, 1500)
    fits = univariate_candidates(x, y, X, sample_weight=weight)
    assert [fit.length for fit in fits] == sorted(fit.length for fit in fits)
    assert len({fit.expr for fit in fits}) == len(fits)
    for fit in fits:
        residual = y - evaluate(fit.expr, (X,), x[:, None])
        assert float(weight @ residual**2) == pytest.approx(fit.rss, rel=1e-6)
        structure, values = parametrize(fit.expr, (X,))
        length = description_length(fit.rss, 1500, len(values), y, structure_cost(structure))
        assert length == pytest.approx(fit.length, abs=6.0)  # equal numbers, merged numbers


def test_rows_without_weight_do_not_count() -> None:
    x = np.linspace(0.3, 4, 200)
    y = x**3 / np.expm1(x)
    weight = np.ones(200)
    y[::7], weight[::7] = 50.0, 0.0
    best = univariate_candidates(x, y, X, sample_weight=weight)[0]
    assert best.rss < 1e-20


def test_only_given_primitives_are_used() -> None:
    x = np.linspace(0.3, 4, 120)
    fits = univariate_candidates(x, np.exp(-x) * np.sin(3 * x), X, primitives=("exp", "square"))
    used = {part.func for fit in fits for part in fit.expr.atoms(Function)}
    assert used <= {sympy.exp, sympy.Abs}


def test_stops_when_told() -> None:
    x = np.linspace(0.3, 4, 120)
    assert univariate_candidates(x, np.sin(x) + np.exp(x), X, expired=lambda: True) == []


@pytest.mark.parametrize("x", [np.zeros(20), np.linspace(0, 1, 5)])
def test_nothing_to_say(x: Array) -> None:
    assert univariate_candidates(x, np.arange(len(x), dtype=np.float64), X) == []
    assert univariate_candidates(np.arange(20.0), np.ones(20), X) == []


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="expected three of one shape"):
        univariate_candidates(np.zeros(3), np.zeros(4), X)
    with pytest.raises(InputError, match="not finite"):
        univariate_candidates(np.array([1.0, np.nan]), np.zeros(2), X)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_families_have_their_derivative_and_form(family) -> None:  # type: ignore[no-untyped-def]
    z = np.linspace(0.15, 0.85, 40)
    step = 1e-6
    slope = (family.function(z + step) - family.function(z - step)) / (2 * step)
    np.testing.assert_allclose(family.derivative(z), slope, rtol=1e-6)
    np.testing.assert_allclose(evaluate(family.build(X), (X,), z[:, None]), family.function(z), rtol=1e-12)


def test_changes_of_y_come_back() -> None:
    x = np.linspace(0.4, 2.0, 50)
    curve = screening_curve(x, 0.2 + 0.1 * np.sin(x), None)
    c = CONSTANTS[0]
    for target in targets(curve, X, ALL):
        back = []
        for t, at in zip(target.values[::10], curve.x[::10], strict=True):
            structure, values = target.form(c, {c: float(t)}, X)
            back.append(float(structure.xreplace({X: Float(at), **{k: Float(v) for k, v in values.items()}})))
        np.testing.assert_allclose(back, curve.y[::10], rtol=1e-10, err_msg=target.name)


def test_terms_are_distinct_and_have_their_values() -> None:
    x = np.linspace(0.2, 0.9, 60)
    terms = products(natural_atoms(x, X, ALL))
    unit = terms.values - terms.values.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=0)
    first = unit[:, :300].T @ unit[:, :300]
    assert np.abs(first - np.eye(300)).max() < 1
    for k in (0, 50, 200, len(terms.nodes) - 1):
        np.testing.assert_allclose(evaluate(terms.expr(k), (X,), x[:, None]), terms.values[:, k], rtol=1e-9)


def test_loosened_forms_start_where_they_were() -> None:
    x = np.linspace(0.2, 2, 30)
    expr = sympy.sin(X + X**2) + sympy.log(1 + X) * sympy.exp(-2 * X) + 1 / (3 + X) ** 2
    structure, values = loosened((expr, {}))
    assert len(values) >= 5
    start = structure.xreplace({c: Float(v) for c, v in values.items()})
    np.testing.assert_allclose(evaluate(start, (X,), x[:, None]), evaluate(expr, (X,), x[:, None]), rtol=1e-12)
