"""The bootstrap against linear theory where that is right, and against itself where it must not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

from kanlib.errors import InputError
from kanlib.symbolic.bootstrap import bootstrap_constants, condition_number, near_degenerate
from kanlib.symbolic.constants import refit
from kanlib.symbolic.formula import Formula

a, b, c, x = sympy.symbols("a b c x", real=True)
MICHAELIS = Formula(a * x / (b + x), {a: 2.0, b: 0.5}, (x,))
X = np.linspace(0.1, 3.0, 40)[:, None]
TRUTH = MICHAELIS.predict(X)


def noisy(seed: int, size: float = 0.1) -> np.ndarray:
    return TRUTH + size * np.random.default_rng(seed).normal(size=len(TRUTH))


@pytest.mark.parametrize("method", ["pairs", "residuals"])
def test_agrees_with_linear_errors_where_these_are_right(method: str) -> None:
    y = noisy(0, 0.05)
    fit = refit(MICHAELIS.structure, (a, b), (x,), X, y, (2.0, 0.5))
    found = bootstrap_constants(MICHAELIS, X, y, n=300, method=method)  # type: ignore[arg-type]
    assert found.failed == 0 and found.values.shape == (300, 2) and found.symbols == ("a", "b")
    np.testing.assert_allclose(found.estimates, fit.values, rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, fit.standard_errors, rtol=0.25)
    np.testing.assert_allclose(found.intervals[:, 1] - found.intervals[:, 0], 3.92 * fit.standard_errors, rtol=0.25)


def test_intervals_cover_the_truth() -> None:
    """Of 60 draws of the noise, 95 % intervals contain the truth in about 57; below 51 is one in a hundred."""
    hits = np.zeros(2)
    for seed in range(60):
        found = bootstrap_constants(MICHAELIS, X, noisy(seed), n=60, seed=seed, method="residuals", interval="bca")
        hits += (found.intervals[:, 0] < [2.0, 0.5]) & (found.intervals[:, 1] > [2.0, 0.5])
    assert np.all(hits >= 51)


def test_pairs_see_errors_of_unequal_size() -> None:
    """With errors that grow with x, rows drawn with replacement give the sandwich errors (White 1980)."""
    rng = np.random.default_rng(3)
    table = np.linspace(0.0, 1.0, 400)[:, None]
    y = 2.0 * table[:, 0] + rng.normal(size=400) * table[:, 0] ** 3
    law = Formula(a * x + b, {a: 2.0, b: 0.0}, (x,))
    found = bootstrap_constants(law, table, y, n=300)
    design = np.column_stack([table[:, 0], np.ones(400)])
    bread = np.linalg.inv(design.T @ design)
    residual = y - design @ found.estimates
    sandwich = bread @ (design.T * residual**2) @ design @ bread
    np.testing.assert_allclose(found.standard_errors, np.sqrt(np.diag(sandwich)), rtol=0.2)
    linear = refit(law.structure, (a, b), (x,), table, y, (2.0, 0.0)).standard_errors
    assert linear[1] > 1.5 * found.standard_errors[1]


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_intervals_do_not_depend_on_how_a_constant_is_written(interval: str) -> None:
    """exp(c) for a: the ends of the interval of c are the logarithms of those of a."""
    plain = Formula(a * x / (b + x), {a: 2.0, b: 0.5}, (x,))
    other = Formula(sympy.exp(c) * x / (b + x), {c: math.log(2.0), b: 0.5}, (x,))
    y = noisy(4)
    one, two = (bootstrap_constants(law, X, y, n=100, interval=interval) for law in (plain, other))  # type: ignore[arg-type]
    np.testing.assert_allclose(np.log(one.values[:, 0]), two.values[:, 0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.log(one.intervals[0]), two.intervals[0], rtol=1e-2)


def test_bca_follows_a_skewed_distribution() -> None:
    """The mean of exponential draws is skewed to the right, and so is its interval."""
    law = Formula(a**4 * x, {a: 1.0}, (x,))
    table = np.ones((15, 1))
    y = np.random.default_rng(5).exponential(size=15)
    found = bootstrap_constants(law, table, y, n=400, interval="bca")
    mean = y.mean() ** 0.25
    assert found.intervals[0, 0] < mean < found.intervals[0, 1]
    plain = bootstrap_constants(law, table, y, n=400)
    assert np.all(found.intervals[0] >= plain.intervals[0])  # skewed data push both ends up


def test_the_same_seed_gives_the_same_numbers() -> None:
    y = noisy(6)
    one, two, other = (bootstrap_constants(MICHAELIS, X, y, n=30, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.values, two.values)
    assert not np.array_equal(one.values, other.values)


@pytest.mark.parametrize("method", ["pairs", "residuals"])
def test_rows_of_weight_zero_are_not_there(method: str) -> None:
    y = noisy(7)
    weight = np.linspace(0.5, 2.0, len(y))
    weight[::4] = 0.0
    y[::4] = 1e6
    seen = weight > 0
    whole = bootstrap_constants(MICHAELIS, X, y, weight, n=40, method=method)  # type: ignore[arg-type]
    part = bootstrap_constants(MICHAELIS, X[seen], y[seen], weight[seen], n=40, method=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(whole.values, part.values, rtol=1e-6)


def test_exact_constants_stay_and_a_formula_without_fitted_ones_has_nothing_to_draw() -> None:
    law = Formula(a * x / (b + x), {a: sympy.Integer(2), b: 0.5}, (x,))
    assert bootstrap_constants(law, X, noisy(8), n=25).symbols == ("b",)
    nothing = bootstrap_constants(Formula(x**2, {}, (x,)), X, X[:, 0] ** 2)
    assert nothing.values.shape == (0, 0) and nothing.intervals.shape == (0, 2) and nothing.failed == 0


def test_redundant_constants_fail_and_say_so() -> None:
    found = bootstrap_constants(Formula(a * b * x, {a: 1.0, b: 2.0}, (x,)), X, 2 * X[:, 0] + noisy(9), n=25)
    assert found.failed == 25 and len(found.values) == 0
    assert np.all(np.isnan(found.intervals)) and np.all(np.isnan(found.standard_errors))
    assert "0 of 25 refits" in str(found)


def test_time_over_ends_the_draws_with_what_there_is() -> None:
    calls = iter([False] * 7 + [True])
    found = bootstrap_constants(MICHAELIS, X, noisy(10), expired=lambda: next(calls))
    assert len(found.values) == 7
    assert np.all(np.isfinite(found.standard_errors)) and np.all(np.isnan(found.intervals))


def test_noise_free_data_have_errors_of_rounding() -> None:
    found = bootstrap_constants(MICHAELIS, X, TRUTH, n=40)
    np.testing.assert_allclose(found.estimates, [2.0, 0.5], rtol=1e-12)
    assert np.all(found.standard_errors < 1e-12)


def test_text_for_people() -> None:
    lines = str(bootstrap_constants(MICHAELIS, X, noisy(11), n=50)).splitlines()
    assert len(lines) == 3 and lines[0].startswith("a = ") and "95% from" in lines[1]


@pytest.mark.parametrize(
    "wrong", [{"method": "rows"}, {"interval": "normal"}, {"confidence": 95}, {"sample_weight": np.ones(3)}]
)
def test_wrong_arguments_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="expected"):
        bootstrap_constants(MICHAELIS, X, TRUTH, **wrong)  # type: ignore[arg-type]


def test_degenerate_constants_are_seen() -> None:
    law = Formula(a * sympy.exp(b * x) + c, {a: 1.0, b: 1.0, c: 0.0}, (x,))
    assert near_degenerate(law, X / 300) and not near_degenerate(law, X)
    assert condition_number(Formula(a * b * x, {a: 1.0, b: 2.0}, (x,)), X) > 1e12
    assert condition_number(Formula(x, {}, (x,)), X) == 1.0
    assert condition_number(law, X[:2]) == math.inf
    assert condition_number(Formula(x + 0 * a, {a: 1.0}, (x,)), X) == math.inf


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e7, 1e200])
def test_the_condition_does_not_depend_on_units(scale: float) -> None:
    law = Formula(a * x**2 + b, {a: 1.0, b: 1.0}, (x,))
    scaled = Formula(scale * a * x**2 + b, {a: 1.0, b: 1.0}, (x,))
    assert condition_number(scaled, X) == pytest.approx(condition_number(law, X), rel=1e-9)


def test_rows_outside_the_domain_are_left_out() -> None:
    law = Formula(a * sympy.sqrt(x) + b, {a: 1.0, b: 1.0}, (x,))
    assert condition_number(law, np.vstack([X, [[-1.0]]])) == pytest.approx(condition_number(law, X))


def test_the_condition_is_that_of_the_weighted_rows() -> None:
    law = Formula(a * sympy.exp(b * x) + c, {a: 1.0, b: 1.0, c: 0.0}, (x,))
    weight = np.random.default_rng(0).uniform(0.0, 4.0, len(X))
    weight[:5] = 0.0
    e = np.exp(X[:, 0])
    jacobian = np.column_stack([e, X[:, 0] * e, np.ones(len(X))]) * np.sqrt(weight)[:, None]
    s = np.linalg.svd(jacobian / np.linalg.norm(jacobian, axis=0), compute_uv=False)
    assert condition_number(law, X, weight) == pytest.approx(s[0] / s[-1], rel=1e-9)
    assert condition_number(law, X, 1e250 * weight) == pytest.approx(s[0] / s[-1], rel=1e-9)
    assert condition_number(law, X, np.ones(len(X))) == condition_number(law, X)
    # only the rows of little weight tell the exponential from a line
    near = np.linspace(0.0, 3.0, 60)[:, None]
    short = np.where(near[:, 0] < 0.2, 1.0, 1e-16)
    assert condition_number(law, near, short) > 30 * condition_number(law, near)
    assert near_degenerate(law, near, 1e-3, short) and not near_degenerate(law, near, 1e-3)
    assert condition_number(law, X, np.zeros(len(X))) == math.inf
    for wrong in (np.ones(3), -np.ones(len(X)), np.full(len(X), np.nan)):
        with pytest.raises(InputError, match="sample_weight"):
            condition_number(law, X, wrong)
