"""Forms compared again on resampled rows."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kanlib.errors import InputError
from kanlib.symbolic import discover
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.stability import compare, stability

x = sympy.Symbol("x", real=True)
c1, c2 = sympy.symbols("c1 c2", real=True)
RNG = np.random.default_rng(0)
X = RNG.uniform(0, 2, (300, 1))
NOISE = RNG.normal(size=300)
EXPONENTIAL = Formula(c1 * sympy.exp(-c2 * x), {c1: 2.0, c2: 0.5}, (x,))
LINE = Formula(c1 + c2 * x, {c1: 2.0, c2: -0.6}, (x,))


def test_a_clear_law_wins_every_resample() -> None:
    held = compare(EXPONENTIAL, [LINE], X, 2 * np.exp(-0.5 * X[:, 0]) + 0.01 * NOISE)
    assert held.share == 1 and held.n == 10 and list(held.forms.values()) == [1.0]
    assert "10 of 10" in str(held)


def test_forms_the_data_cannot_tell_apart_share_the_resamples() -> None:
    y = 2 * np.exp(-0.5 * X[:, 0]) + 1.0 * NOISE
    held = compare(EXPONENTIAL, [LINE], X, y, n=60)
    assert 0.05 < held.share < 0.95
    assert sum(held.forms.values()) == pytest.approx(1)
    other = compare(LINE, [EXPONENTIAL], X, y, n=60)
    assert other.share == pytest.approx(1 - held.share)


def test_the_same_form_with_other_numbers_is_no_rival() -> None:
    power, exact = Formula(c1 * x**c2, {c1: 2.0, c2: 1.5}, (x,)), Formula(c1 * x**1.5, {c1: 2.0}, (x,))
    assert compare(exact, [power, LINE], X, 2 * X[:, 0] ** 1.5 + 0.1 * NOISE, n=20).share == 1


def test_the_spread_of_a_constant_is_its_standard_error() -> None:
    y = 1 - 0.6 * X[:, 0] + 0.2 * NOISE
    held = compare(LINE, [], X, y, n=200)
    design = np.column_stack([np.ones(300), X[:, 0]])
    expected = 0.2 * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    np.testing.assert_allclose(list(held.constants.values()), expected, rtol=0.25)


def test_the_same_seed_draws_the_same_rows_and_time_ends_the_draws() -> None:
    y = 2 * np.exp(-0.5 * X[:, 0]) + 0.5 * NOISE
    assert compare(EXPONENTIAL, [LINE], X, y, seed=3) == compare(EXPONENTIAL, [LINE], X, y, seed=3)
    assert compare(EXPONENTIAL, [LINE], X, y, n=1000, time_limit=0).n == 1


def test_a_rival_that_is_not_finite_on_the_rows_never_wins() -> None:
    log = Formula(c1 * sympy.log(x - 1), {c1: 1.0}, (x,))
    assert compare(LINE, [log], X, 1 - 0.6 * X[:, 0] + 0.2 * NOISE).share == 1


def test_a_noisy_law_says_how_steady_it_is_and_an_exact_one_needs_not() -> None:
    y = 3 * X[:, 0]
    noisy = discover(X, y + 0.1 * NOISE, primitives=["identity", "square"])
    assert noisy.stability is not None and noisy.stability.share >= 0.5
    assert any("resamples" in note for note in noisy.notes)
    again = stability(noisy, X, y + 0.1 * NOISE, n=5, seed=1)
    assert again.n == 5 and again.share >= 0.5
    exact = discover(X, y, primitives=["identity", "square"])
    assert exact.status == "found" and exact.stability is None


def test_what_has_no_formula_or_another_table_is_refused() -> None:
    found = discover(X, 3 * X[:, 0], primitives=["identity"])
    with pytest.raises(InputError, match="the table the law"):
        stability(found, np.ones((5, 2)), np.ones(5))
    with pytest.raises(InputError, match="at least one"):
        stability(found, X, 3 * X[:, 0], n=0)
    none = discover(X[:60], NOISE[:60], primitives=["identity"], time_limit=5)
    with pytest.raises(InputError, match="without a formula"):
        stability(none, X, NOISE)
