"""Primitives are found in the space that they span, however they are mixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanlib.symbolic.separable.subspace import Member, members

Array = np.ndarray
X = np.linspace(0.3, 3.0, 120)
NAMES = ["identity", "square", "reciprocal", "sqrt", "exp", "log", "sin", "tanh"]

CURVES: dict[str, Callable[[Array], Array]] = {
    "square": lambda x: (x - 1) ** 2,
    "reciprocal": lambda x: 1 / (x + 0.4),
    "sqrt": np.sqrt,
    "exp": lambda x: np.exp(-1.3 * x),
    "log": np.log,
    "sin": lambda x: np.sin(2.3 * x + 0.4),
    "tanh": lambda x: np.tanh(2 * x - 3),
}


def _span(names: list[str], seed: int) -> Array:
    """Random mixtures of the curves, each with a constant of its own."""
    rng = np.random.default_rng(seed)
    curves = np.stack([CURVES[name](X) for name in names], axis=1)
    curves = (curves - curves.mean(axis=0)) / curves.std(axis=0)
    turned = np.linalg.qr(rng.normal(size=(len(names), len(names))))[0]
    return np.asarray(curves @ turned + rng.normal(size=len(names)))


def _distance(member: Member, space: Array) -> float:
    """What of the member's curve no mixture and constant reach, relative to its spread: by plain least squares."""
    curve = member.curve(X)
    design = np.column_stack([np.ones(len(X)), space])
    left_over = curve - design @ np.linalg.lstsq(design, curve, rcond=None)[0]
    return float(np.linalg.norm(left_over) / np.linalg.norm(curve - curve.mean()))


@pytest.mark.parametrize("name", CURVES)
def test_one_curve(name: str) -> None:
    found = members(X, _span([name], 0), NAMES)
    assert found[0].name == name and found[0].distance < 1e-6
    assert np.corrcoef(found[0].curve(X), CURVES[name](X))[0, 1] ** 2 == pytest.approx(1)


PAIRS = [["sqrt", "exp"], ["log", "sin"], ["tanh", "square"], ["reciprocal", "sin"], ["sqrt", "log"], ["exp", "sin"]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_two_mixed_curves(pair: list[str], seed: int) -> None:
    space = _span(pair, seed)
    found = members(X, space, NAMES)
    assert {member.name for member in found[:2]} == set(pair)
    for member in found[:2]:
        assert member.distance < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_three_mixed_curves(seed: int) -> None:
    found = members(X, _span(["sqrt", "exp", "sin"], seed), NAMES)
    assert {"sqrt", "exp", "sin"} <= {member.name for member in found if member.distance < 1e-4}


@given(seed=st.integers(0, 500))
def test_distances_are_those_of_least_squares(seed: int) -> None:
    """In any space: reported distances are true, costs rise, and every curve is finite."""
    rng = np.random.default_rng(seed)
    space = np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, len(X)), 6) @ rng.normal(size=(7, 2))
    found = members(X, space, ["identity", "sqrt", "exp", "square"], most=3)
    assert len(found) <= 3
    costs = [member.cost for member in found]
    assert costs == sorted(costs)
    for member in found:
        assert np.all(np.isfinite(member.curve(X)))
        assert member.distance == pytest.approx(_distance(member, space), rel=1e-3, abs=1e-7)


def test_turning_the_space_changes_nothing() -> None:
    one, other = members(X, _span(["sqrt", "sin"], 0), NAMES), members(X, _span(["sqrt", "sin"], 1), NAMES)
    assert [m.name for m in one[:2]] == [m.name for m in other[:2]]


@pytest.mark.parametrize("error", [1e-6, 1e-4, 1e-3])
def test_curves_with_errors(error: float) -> None:
    """Curves known to an error: the primitives stay in front, and are as near as the error."""
    rng = np.random.default_rng(0)
    space = _span(["exp", "sin"], 2)
    found = members(X, space + error * rng.normal(size=space.shape), NAMES, tolerance=error)
    assert {member.name for member in found[:2]} == {"exp", "sin"}
    assert all(member.distance < 10 * error + 1e-6 for member in found[:2])


def test_two_waves_of_different_frequency() -> None:
    waves = np.stack([np.sin(2 * X), np.cos(5 * X)], axis=1) @ np.array([[1.0, 0.5], [0.3, -1.0]])
    found = [member for member in members(X, waves, NAMES) if member.name == "sin" and member.distance < 1e-5]
    assert sorted(round(abs(member.a), 4) for member in found) == [2.0, 5.0]


def test_the_variable_may_have_any_scale() -> None:
    for scale in (1e-30, 1e30):
        found = members(scale * X, _span(["log"], 0), NAMES)
        assert found[0].name == "log" and np.all(np.isfinite(found[0].curve(scale * X)))


def test_a_curve_that_does_not_vary_spans_nothing() -> None:
    found = members(X, np.ones((len(X), 1)), NAMES)
    assert all(member.distance > 0.5 for member in found)
