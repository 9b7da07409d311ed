"""Sums of closed forms under a link: found whatever the link, and with so much noise as the rows can bear."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy

from kanlib.symbolic.constants import refit
from kanlib.symbolic.library import search_names
from kanlib.symbolic.parameters import parametrize
from kanlib.symbolic.separable.additive import additive_forms
from kanlib.symbolic.separable.links import LINKS, linked

u, v, w = sympy.symbols("u v w", real=True)
LAWS: dict[str, tuple[int, Callable[..., np.ndarray]]] = {
    "compositions": (2, lambda u, v: np.sin(u) + np.sin(v**2)),
    "root of a sum": (2, lambda u, v: np.sqrt(1 + u**2 + np.exp(v))),
    "product of positive factors": (3, lambda u, v, w: np.exp(-u) * (2 + v) * w),
    "difference and one of its terms": (2, lambda u, v: np.sin(u - v) / 2 - np.sin(u)),
}


def _best(law: Callable[..., np.ndarray], d: int, noise: float, floor: float, seed: int = 0) -> float:
    """Smallest error of a proposed form after its refit, relative to the spread of y."""
    rng = np.random.default_rng(seed)
    Z = rng.uniform(0.2, 2.0, (600, d))
    y = law(*Z.T)
    y = y + noise * y.std() * rng.normal(size=len(y))
    symbols = (u, v, w)[:d]
    errors = []
    for form in additive_forms(Z, y, np.ones(len(y)), symbols, search_names(), floor):
        structure, values = parametrize(form, symbols)
        fit = refit(structure, tuple(values), symbols, Z, y, list(values.values()))
        errors.append(fit.rmse / y.std())
    return min(errors, default=np.inf)


@pytest.mark.parametrize("name", LAWS)
def test_a_sum_under_a_link_is_found(name: str) -> None:
    d, law = LAWS[name]
    assert _best(law, d, 0.0, 0.0) < 1e-9


@pytest.mark.parametrize("name", ["compositions", "root of a sum"])
def test_noise_leaves_the_noise(name: str) -> None:
    d, law = LAWS[name]
    assert _best(law, d, 0.05, 0.05, seed=1) < 0.055


def test_what_is_no_sum_is_not_proposed() -> None:
    assert _best(lambda u, v: np.sin(2 * u + u * v**2), 2, 0.0, 0.0) == np.inf


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_links_are_undone_by_their_inverse_and_weigh_errors_as_errors_of_y(link) -> None:
    y = np.linspace(0.1, 1.2, 40)
    weight = np.linspace(1.0, 2.0, 40)
    for sign in (1.0, -1.0) if link.needs_sign else (1.0,):
        target = linked(sign * y, weight, link)
        assert target is not None
        x = sympy.Symbol("x", real=True)
        back = sympy.lambdify(x, target.link.inverse(x), "numpy")(target.t)
        np.testing.assert_allclose(back, sign * y, rtol=1e-12)
        # a small error of y, carried through the link, counts as it does in y
        step = 1e-7
        moved = linked(sign * y + step, weight, link)
        assert moved is not None
        spread = np.sqrt(np.average((y - np.average(y, weights=weight)) ** 2, weights=weight))
        counted = np.abs(moved.t - target.t) * target.root
        np.testing.assert_allclose(counted, step * np.sqrt(weight / weight.mean()) / spread, rtol=1e-5)


def test_links_need_their_domain() -> None:
    by_name = {link.name: link for link in LINKS}
    assert linked(np.array([-1.0, 1.0]), np.ones(2), by_name["log y"]) is None
    assert linked(np.array([0.5, 2.0]), np.ones(2), by_name["sin y"]) is None


def test_combinations_come_by_their_sum_without_going_through_all() -> None:
    from itertools import product

    from kanlib.symbolic.separable.choices import first_choices

    for counts in ([2, 3, 1], [3, 3], [1], [4, 2, 2]):
        every = sorted(product(*map(range, counts)), key=sum)
        assert list(first_choices(counts, 1000)) == every
        assert list(first_choices(counts, 3)) == every[:3]
    assert len(list(first_choices([3] * 40, 6))) == 6
