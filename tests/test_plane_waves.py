"""Waves of two coordinates and many periods: their spectra, and formulas of them whose constants are none."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kanlib.symbolic import Formula, discover
from kanlib.symbolic.constancy import drift
from kanlib.symbolic.dropping import drop_constants
from kanlib.symbolic.separable.plane_waves import plane_wave_forms
from kanlib.symbolic.snapping import fitted

x, t, u = sympy.symbols("x t u", real=True)


def error(form: sympy.Expr, X: np.ndarray, truth: np.ndarray) -> float:
    symbols = (x, t, u)[: X.shape[1]]
    return float(np.std(Formula(form, {}, symbols).predict(X) - truth) / np.std(truth))


@pytest.mark.parametrize("seed", range(4))
def test_the_spectrum_shows_plane_and_standing_waves_of_any_number_of_periods(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.uniform([-20, 2005, 0], [30, 2025, 1], (1200, 3))  # a column far from zero, as years are
    k, w = rng.uniform(3, 20, 2) * rng.choice([-1, 1], 2)
    plane = 1.5 + 0.7 * np.sin(k * X[:, 0] + w * X[:, 1] + 0.3)
    standing = 1.5 + 2.0 * np.cos(k * X[:, 0] + 0.2) * np.sin(w * X[:, 1] - 0.5)
    noise = 0.1 * rng.normal(size=len(X))
    weight = rng.uniform(0.5, 2, len(X))
    for truth, factors in ((plane, 1), (standing, 2)):
        forms = list(plane_wave_forms(X, truth + noise * np.std(truth), weight, (x, t, u)))
        good = [form for form in forms if error(form, X, truth) < 0.05]
        assert any(len(form.atoms(sympy.sin, sympy.cos)) == factors and u not in form.free_symbols for form in good)
        assert factors == 1 or any(form.atoms(sympy.cos) for form in good)  # written as a product


def test_a_standing_wave_is_written_as_one_in_strong_noise_too() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.uniform(0, 30, (1000, 2))
        y = np.sin(11 * X[:, 0]) * np.cos(4 * X[:, 1]) + 0.5 * rng.normal(size=1000)  # as large as the wave
        forms = list(plane_wave_forms(X, y, np.ones(1000), (x, t)))
        products = [form for form in forms if form.atoms(sympy.cos)]
        assert products and all(
            len(angle.args[0].free_symbols) == 1 for angle in products[0].atoms(sympy.sin, sympy.cos)
        )


def test_of_waves_that_a_lattice_cannot_tell_apart_the_slowest_is_meant() -> None:
    steps = np.linspace(0, 10, 45)
    X = np.stack([each.ravel() for each in np.meshgrid(steps, steps)], axis=1)
    form = next(plane_wave_forms(X, np.sin(9 * X[:, 0] - 7 * X[:, 1]), np.ones(len(X)), (x, t)))
    (angle,) = (wave.args[0] for wave in form.atoms(sympy.sin))
    assert abs(abs(float(angle.coeff(x))) - 9) < 1e-6 and abs(abs(float(angle.coeff(t))) - 7) < 1e-6


def test_noise_has_no_waves() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert not list(plane_wave_forms(rng.uniform(size=(600, 3)), rng.normal(size=600), np.ones(600), (x, t, u)))


def test_a_wave_of_many_periods_is_found_among_idle_columns() -> None:
    rng = np.random.default_rng(1)
    X = rng.uniform(0, 30, (1000, 3))
    y = 3 + 0.7 * np.sin(11 * X[:, 0] - 4 * X[:, 2]) + 0.05 * rng.normal(size=1000)
    found = discover(X, y, names=["x", "z", "t"])
    assert found.formula is not None and found.formula.used == (0, 2)
    fresh = rng.uniform(0, 30, (500, 3))
    truth = 3 + 0.7 * np.sin(11 * fresh[:, 0] - 4 * fresh[:, 2])
    assert np.std(found.formula.predict(fresh) - truth) < 0.05 * np.std(truth)


def test_a_wave_whose_amplitude_is_a_column_is_not_sold_as_one_of_constant_size() -> None:
    """Its rows are too far apart for neighbours to tell; its constants change along the column."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 30, (1500, 3))
    y = X[:, 2] * np.sin(11 * X[:, 0] - 4.3 * X[:, 1])
    found = discover(X, y, names=["x", "t", "a"])
    assert found.formula is None or np.std(found.formula.predict(X) - y) < 1e-3 * np.std(y)
    if found.formula is None:
        assert any("change with a" in reason for reason in found.reasons)


@pytest.mark.parametrize("kind", ["equal", "proportional", "heavy tails"])
def test_constants_that_hold_are_seldom_said_to_change(kind: str) -> None:
    a, b, c = sympy.symbols("a b c", real=True)
    law = Formula(a * sympy.exp(-b * x) + c * sympy.sin(t), {a: 2.0, b: 1.0, c: 1.0}, (x, t, u))
    chances = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.uniform(0, 3, (400, 3))
        noise = {
            "equal": rng.normal(size=400),
            "proportional": rng.normal(size=400) * law.predict(X),
            "heavy tails": rng.standard_t(3, size=400),
        }[kind]
        y = law.predict(X) + 0.1 * noise
        refitted = fitted(law, X, y)
        found = drift(refitted, X, y - refitted.predict(X), (0, 1, 2))
        assert found is not None
        chances.append(found.chance)
    assert np.mean(np.array(chances) < 0.05) <= 0.15 and min(chances) > 1e-5


def test_constants_that_change_are_said_to_and_few_rows_say_nothing() -> None:
    a, b = sympy.symbols("a b", real=True)
    law = Formula(a * sympy.exp(-b * x), {a: 2.0, b: 1.0}, (x, t))
    rng = np.random.default_rng(2)
    X = rng.uniform(0, 3, (500, 2))
    y = 2 * np.exp(-(0.8 + 0.15 * X[:, 1]) * X[:, 0]) + 0.02 * rng.normal(size=500)
    refitted = fitted(law, X, y)
    found = drift(refitted, X, y - refitted.predict(X), (0, 1))
    assert found is not None and found.column == 1 and found.chance < 1e-9
    assert drift(refitted, X[:50], (y - refitted.predict(X))[:50], (0, 1)) is None


def test_the_floor_is_no_higher_than_the_law() -> None:
    """Nothing smooth follows the wave: what it leaves is no measure of the noise."""
    rng = np.random.default_rng(4)
    X = rng.uniform(0, 12, (600, 2))
    found = discover(X, 0.8 * np.sin(9.5 * X[:, 0] - 31 * X[:, 1]) + 0.1 * rng.normal(size=600))
    assert found.formula is not None and 0.05 < found.noise_floor <= found.rmse


def test_a_column_that_does_not_vary_has_no_waves() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 30, (200, 2)), np.zeros(200)])
    form = next(plane_wave_forms(X, np.sin(11 * X[:, 0] - 4 * X[:, 1]), np.ones(200), (x, t, u)))
    assert error(form, X, np.sin(11 * X[:, 0] - 4 * X[:, 1])) < 1e-6
    assert not list(plane_wave_forms(X[:, 1:], X[:, 0], np.ones(200), (x, t)))


def test_changes_are_seen_at_any_scale_and_beside_a_row_without_a_slope() -> None:
    a, b = sympy.symbols("a b", real=True)
    rng = np.random.default_rng(1)
    X = rng.uniform(0.1, 2, (500, 2))
    truth = 1.5 * np.sqrt(X[:, 0]) * (0.5 + X[:, 1])
    X[0, 0] = truth[0] = 0.0
    root = Formula(a * sympy.sqrt(b * x), {a: 2.0, b: 1.0}, (x, t))
    found = drift(root, X, truth - root.predict(X), (0, 1))
    assert found is not None and found.column == 1 and found.chance < 1e-9
    small = X * [1e-90, 1]
    square = Formula(a * x**2, {a: 1.0}, (x, t))
    found = drift(square, small, (truth - truth.mean()) * 1e-190, (0, 1))
    assert found is not None and found.column == 1


def test_a_phase_that_is_not_known_is_not_left_out() -> None:
    """Ten years from 2000 on say nothing of the phase in the year 0: a nearby rate would stand in for it."""
    a, b, c = sympy.symbols("a b c", real=True)
    rng = np.random.default_rng(3)
    year = rng.uniform(2000, 2010, 500)
    y = 1.3 * np.sin(6.1 * year + 0.8) + 0.2 * rng.normal(size=500)
    wave = Formula(a * sympy.sin(b * x + c), {a: 1.3, b: 6.1, c: 0.8}, (x,))
    assert len(drop_constants(wave, year[:, None], y).fitted) == 3
    known = 1.3 * np.sin(6.1 * (year - 2005)) + 0.2 * rng.normal(size=500)
    assert len(drop_constants(wave, (year - 2005)[:, None], known).fitted) == 2
