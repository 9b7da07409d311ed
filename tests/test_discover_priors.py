"""discover with prior knowledge: what is known refuses, suggests and weighs, and never invents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import kanlib.symbolic
from kanlib.errors import InputError
from kanlib.symbolic import Formula, bootstrap_constants, discover
from kanlib.symbolic.conditioning import near_degenerate
from kanlib.symbolic.verdict import cancellation

x = sympy.Symbol("x", real=True)
a, b, c = sympy.symbols("a b c", real=True)
LINE = np.linspace(0.0, 1.0, 50)[:, None]


def _decay(n: int = 120, noise: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 3, (n, 1))
    return X, 2.1 + 5.3 * np.exp(-1.7 * X[:, 0]) + noise * rng.normal(size=n)


def test_a_form_that_is_given_is_fitted_and_judged_with_the_known_noise() -> None:
    X, y = _decay()
    found = discover(X, y, names=["t"], start="a*exp(-b*t) + c", noise=0.05)
    assert found.formula is not None and "shape y = a*exp(-b*t) + c" in found.message
    assert any("known noise" in reason and "chi^2/dof" in reason for reason in found.reasons)
    truth = [1.7, 2.1, 5.3]
    for constant, value in zip(sorted(found.formula.constants, key=lambda c: abs(c.value)), truth, strict=True):
        if constant.exact is None:
            assert constant.standard_error is not None
            assert abs(abs(constant.value) - value) < 4 * constant.standard_error


def test_a_wrong_form_is_refused_and_the_law_is_found_all_the_same() -> None:
    X, y = _decay()
    found = discover(X, y, names=["t"], start="a + b*t", primitives=["exp", "identity"])
    assert found.formula is not None and found.formula.expr.has(sympy.exp)


def test_noise_that_is_known_to_be_smaller_leaves_no_law() -> None:
    X, y = _decay()
    found = discover(X, y, start="a*exp(-b*x1) + c", noise=0.005, primitives=["exp", "identity"], time_limit=5)
    assert found.status == "none"
    assert any("was refused" in note and "too large for the known noise" in note for note in found.notes)


def test_rows_of_known_larger_errors_count_less() -> None:
    X, y = _decay(noise=0.0)
    size = np.where(np.arange(120) % 3 == 0, 2.0, 0.01)
    noisy = y + size * np.random.default_rng(1).normal(size=120)
    found = discover(X, noisy, start="a*exp(-b*x1) + c", noise=size)
    assert found.formula is not None
    np.testing.assert_allclose(found.formula.predict(X), y, atol=0.02)


def test_rows_of_weight_zero_are_left_aside_with_a_note() -> None:
    X = np.random.default_rng(0).uniform(1, 2, (100, 2))
    weight = (np.arange(100) % 10 > 0).astype(float)
    y = np.where(weight > 0, X[:, 0] * np.exp(-X[:, 1]), 1e3)
    found = discover(X, y, sample_weight=weight)
    assert found.formula is not None and "10 of 100 rows have weight 0 and were left aside" in found.notes
    x1, x2 = found.formula.symbols
    assert sympy.simplify(found.formula.expr - x1 * sympy.exp(-x2)) == 0


def test_units_suggest_coordinates_and_no_accepted_formula_breaks_them() -> None:
    X = np.random.default_rng(0).uniform(1, 3, (150, 3))
    y = X[:, 0] * X[:, 1] ** 2 * np.exp(-X[:, 2] / X[:, 1])
    known: dict[str, Any] = {"units": {"m": "kg", "v": "m/s", "w": "m/s"}, "output_unit": "J"}
    found = discover(X, y, names=["m", "v", "w"], dimensionless_constants=True, **known)
    assert found.formula is not None and any("coordinates from what is known" in note for note in found.notes)
    units = kanlib.symbolic.prior(X, y, ["m", "v", "w"], dimensionless_constants=True, **known)
    assert all(units.refuses(point.formula, X) is None for point in found.front if point.accepted)
    m, v, w = found.formula.symbols
    assert sympy.simplify(found.formula.expr - m * v**2 * sympy.exp(-w / v)) == 0


@pytest.mark.parametrize(
    "known",
    [
        {"forbidden": ["sin"]},
        {"required": ["exp"]},
        {"monotone": {"x1": "increasing"}},
        {"convex": {"x1": "convex"}},
        {"bounds": (None, 0.9)},
    ],
    ids=lambda known: next(iter(known)),
)
def test_what_contradicts_the_knowledge_is_not_accepted(known: dict[str, Any]) -> None:
    X = np.random.default_rng(0).uniform(-2, 2, (80, 1))
    y = np.sin(3 * X[:, 0])
    found = discover(X, y, primitives=["sin", "exp", "identity", "square"], time_limit=4, **known)
    agrees = kanlib.symbolic.prior(X, y, ["x1"], **known)
    assert all(agrees.refuses(point.formula, X) is None for point in found.front if point.accepted)
    assert found.formula is None or agrees.refuses(found.formula, X) is None
    assert found.status == "none" and (found.reasons or found.message)


def test_a_known_factor_is_taken_out_of_the_law() -> None:
    X = np.random.default_rng(0).uniform(0.5, 3, (150, 2))
    y = np.exp(-0.7 * X[:, 0]) * np.sin(2 * X[:, 1])
    found = discover(X, y, names=["t", "u"], start="exp(-b*t)", start_role="factor")
    assert any("coordinates from what is known" in note for note in found.notes)
    assert found.formula is not None
    np.testing.assert_allclose(found.formula.predict(X), y, atol=1e-6)


def test_constants_of_nature_are_named() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(1e24, 3e24, (150, 2)), rng.uniform(1e7, 2e7, 150)])
    y = 6.6743e-11 * X[:, 0] * X[:, 1] / X[:, 2] ** 2
    y = y * (1 + 1e-4 * rng.normal(size=150))
    found = discover(X, y, names=["m1", "m2", "r"], physical=["G", "c", "h"])
    assert found.formula is not None
    assert any("is G (" in note for note in found.notes), found.formula


def test_constants_that_cancel_are_absurd_and_large_ones_alone_are_not() -> None:
    absurd = Formula(a - b * sympy.tanh(c * x + 9), {a: 183242620.242, b: 183242619.84, c: 1.0}, (x,))
    reason = cancellation(absurd, LINE)
    assert reason is not None and "1.83e+08" in reason
    line = Formula(a + b * x, {a: -2e6, b: 1e3}, (x,))
    years = 2000 + LINE  # a column far from zero makes large terms of a polynomial, and nothing is in disguise
    assert cancellation(line, years) is None
    cube = Formula(sympy.expand((x - 2000) ** 3) * a, {a: 1.3}, (x,))
    assert cancellation(cube, years) is None
    assert cancellation(Formula(sympy.exp(a * x), {a: 300.0}, (x,)), LINE) is None
    assert cancellation(Formula(a * sympy.sin(x) + b, {a: 1e8, b: 1e8}, (x,)), LINE) is None
    inside = Formula(1 / (a - b * sympy.exp(x / 10**8)), {a: 1e8, b: 1e8}, (x,))
    assert cancellation(inside, LINE) is not None


def test_errors_of_constants_that_say_the_same_are_those_of_resamples() -> None:
    """An exponential over a twentieth of its range is nearly a parabola; none of its constants is a short number."""
    rng = np.random.default_rng(1)
    X = rng.uniform(0, 0.05, (60, 1))
    y = 2.1373 + 2.9127 * np.exp(-1.2839 * X[:, 0]) + 1e-6 * rng.normal(size=60)
    found = discover(X, y, start="a*exp(-b*x1) + c", primitives=["identity", "exp"], time_limit=5)
    assert found.formula is not None and len(found.formula.fitted) == 3
    assert near_degenerate(found.formula, X)
    assert any("nearly say the same" in note and "refits" in note for note in found.notes)
    errors = [constant.standard_error for constant in found.formula.constants]
    again = bootstrap_constants(found.formula, X, y, n=100, seed=5).standard_errors
    np.testing.assert_allclose(errors, again, rtol=0.5)


def test_a_checkpoint_of_other_knowledge_is_of_another_search(tmp_path: Path) -> None:
    X, y = _decay()
    path = tmp_path / "search.json"
    discover(X, y, primitives=["identity"], checkpoint=path, time_limit=1)
    with pytest.raises(InputError, match="another search"):
        discover(X, y, primitives=["identity"], checkpoint=path, monotone={"x1": "decreasing"})


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"start": "a*x1", "start_role": "term"}, "off y"),
        ({"physical": ["phlogiston"]}, "phlogiston"),
        ({"forbidden": ["sine"]}, "sine"),
        ({"sample_weight": np.ones(3)}, "expected 50"),
        ({"noise": 0.1, "sample_weight": np.ones(50)}, "noise alone"),
        ({"output_unit": "m"}, "without units"),
    ],
)
def test_knowledge_that_cannot_be_used_is_refused_with_advice(known: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        discover(LINE, np.exp(LINE[:, 0]), **known)


def test_what_shares_a_name_with_its_file_is_the_function() -> None:
    assert all(callable(getattr(kanlib.symbolic, name)) for name in ("discover", "stability", "prior", "given_noise"))
    assert set(kanlib.symbolic.__all__) <= set(dir(kanlib.symbolic))
