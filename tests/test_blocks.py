"""Blocks of inputs: they are found under their link, parts are right, and each is read as a law of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import sympy
from numpy.polynomial.chebyshev import chebvander
from sympy import Expr, Symbol

from kanlib.symbolic import discover
from kanlib.symbolic.closed import closed_forms
from kanlib.symbolic.reduction.coordinates import start
from kanlib.symbolic.separable.blocked import fit_blocks
from kanlib.symbolic.separable.blocks import block_forms, splits
from kanlib.symbolic.tape import evaluate
from kanlib.symbolic.view import View

Array = np.ndarray
a, b, c, d, e = SYMBOLS = sympy.symbols("a b c d e", real=True)


def _table(k: int, n: int = 1000, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(0.5, 3, (n, k))


def _noisy(y: Array, noise: float) -> Array:
    return y + noise * y.std() * np.random.default_rng(9).normal(size=len(y))


def test_left_out_errors_are_those_of_refits() -> None:
    """The error is PRESS: every row predicted by a fit to the others."""
    Z = _table(3, 60)
    Z[0] = -Z[0]  # no logarithms
    y = np.sin(Z[:, 0] * Z[:, 1]) + Z[:, 2]
    fit = fit_blocks(Z, y, np.ones(60), [(0, 1), (2,)], 2)
    assert fit is not None
    values = chebvander(fit.box.unit(Z), 2)  # (rows, inputs, degrees)
    terms = [np.prod([values[:, i, p] for i, p in enumerate(powers)], axis=0) for powers in fit.powers]
    design = np.column_stack([np.ones(60), *terms])
    errors = []
    for row in range(60):
        rest = np.arange(60) != row
        errors.append(y[row] - design[row] @ np.linalg.lstsq(design[rest], y[rest], rcond=None)[0])
    kept = np.sort(np.square(errors))[: int(0.97 * 60)]
    assert fit.error == pytest.approx(np.sqrt(kept.mean()), rel=1e-6)


def test_parts_are_those_of_the_law_up_to_constants() -> None:
    Z = _table(4)
    parts = [Z[:, 0] * Z[:, 2] ** 2, Z[:, 1] - Z[:, 3] * Z[:, 1]]
    fit = fit_blocks(Z, parts[0] + parts[1], np.ones(len(Z)), [(0, 2), (1, 3)], 3)
    assert fit is not None and fit.error < 1e-10
    for found, part in zip(fit.parts(Z).T, parts, strict=True):
        assert np.ptp(found - part) < 1e-9


BLOCKS: list[tuple[Expr, Sequence[Sequence[int]], str]] = [
    (b * sympy.sin(a) + c / (1 + d**2), [(0, 1), (2, 3)], "y"),
    (a * sympy.exp(-c) + sympy.sqrt(b + d**2), [(0, 2), (1, 3)], "y"),
    ((a + sympy.exp(-b)) * (c + sympy.sin(d)), [(0, 1), (2, 3)], "log y"),
    (-(a + sympy.exp(-b)) * (c + sympy.sin(d)), [(0, 1), (2, 3)], "log y"),
    (sympy.sqrt(a * sympy.exp(-b) + c * d + 1), [(0, 1), (2, 3)], "y^2"),
    (1 / (a * b + sympy.exp(c - d)), [(0, 1), (2, 3)], "1/y"),
    (sympy.exp(-a) * sympy.sin(b + c) + d**2, [(0, 1, 2), (3,)], "y"),
]


@pytest.mark.parametrize(("law", "blocks", "link"), BLOCKS, ids=[str(law) for law, _, _ in BLOCKS])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_blocks_and_their_link_are_found(law: Expr, blocks: Sequence[Sequence[int]], link: str, noise: float) -> None:
    Z = _table(4)
    y = evaluate(law, SYMBOLS[:4], Z)
    found = splits(Z, _noisy(y, noise), np.ones(len(Z)), max(noise, 1e-3))
    assert found and sorted(found[0].blocks) == sorted(map(tuple, blocks))
    assert found[0].on.link.name == link
    forward = found[0].values.sum(axis=1) + found[0].constant
    assert np.std(forward - found[0].on.link.forward(np.abs(y))) < (0.02 + noise) * np.std(forward)


@pytest.mark.parametrize("law", [sympy.sin(a * b + b * c + a * c), sympy.exp(sympy.sin(a * b * c)) + a * b * c])
def test_inputs_that_all_interact_are_left_together(law: Expr) -> None:
    Z = _table(3)
    assert splits(Z, evaluate(law, SYMBOLS[:3], Z), np.ones(len(Z)), 1e-3) == []


def test_a_plain_sum_is_no_matter_of_blocks() -> None:
    """Single inputs are what `additive_forms` is for."""
    Z = _table(3)
    assert splits(Z, Z[:, 0] + np.sin(Z[:, 1]) - Z[:, 2] ** 2, np.ones(len(Z)), 1e-3) == []


def test_rows_without_weight_say_nothing() -> None:
    Z = _table(3)
    y, weight = Z[:, 0] * np.exp(-Z[:, 1]) + Z[:, 2] ** 2, np.ones(len(Z))
    y[::7], weight[::7] = 1e3, 1e-12
    (found,) = splits(Z, y, weight, 1e-3)[:1]
    assert found.blocks == ((0, 1), (2,)) and found.error < 1e-3


@pytest.mark.parametrize("product", [False, True])
def test_what_is_solved_is_each_block_alone(product: bool) -> None:
    Z = _table(4)
    one, other = Z[:, 0] * np.exp(-Z[:, 1]) + 1, np.sqrt(Z[:, 2] + Z[:, 3] ** 2)
    seen: list[Array] = []

    def solve(Z: Array, target: Array, weight: Array, symbols: Sequence[Symbol], floor: float) -> list[Expr]:
        truth = Z[:, 0] * np.exp(-Z[:, 1]) + 1 if symbols[0] == a else np.sqrt(Z[:, 0] + Z[:, 1] ** 2)
        left = target / truth if product else target - truth
        seen.append(left)
        assert np.std(left) < 1e-3 and 0 <= floor < 0.01 and len(weight) == len(target)
        value = sympy.Float(np.mean(left))
        form = symbols[0] * sympy.exp(-symbols[1]) + 1 if symbols[0] == a else sympy.sqrt(symbols[0] + symbols[1] ** 2)
        return [form * value if product else form + value]

    y = one * other if product else one + other
    form = next(block_forms(Z, y, np.ones(len(Z)), SYMBOLS[:4], solve, 1e-3))
    assert len(seen) == 2
    np.testing.assert_allclose(evaluate(form, SYMBOLS[:4], Z), y, rtol=1e-3)


def test_a_block_that_cannot_be_read_gives_no_form() -> None:
    Z = _table(3)
    y = Z[:, 0] * np.exp(-Z[:, 1]) + Z[:, 2] ** 2
    assert list(block_forms(Z, y, np.ones(len(Z)), SYMBOLS[:3], lambda *_: [], 1e-3)) == []
    assert list(block_forms(Z, y, np.ones(len(Z)), SYMBOLS[:3], lambda *_: [a], 1e-3, lambda: True)) == []


def test_blocks_are_read_to_the_whole_law_in_the_columns() -> None:
    law = b * sympy.sin(a) + c / (1 + d**2)
    X, fresh = _table(4, 600), _table(4, 100, seed=1)
    view = View.of(start(SYMBOLS[:4], X), SYMBOLS[:4], X, evaluate(law, SYMBOLS[:4], X), None)
    assert view is not None
    stages = list(closed_forms(view, ("identity", "square", "sin", "exp", "reciprocal"), 1e-6, lambda: False))
    errors = []
    for candidate in stages[-1]:
        numbers = {symbol: sympy.Float(value) for symbol, value in candidate.values.items()}
        errors.append(np.ptp(evaluate((candidate.structure.xreplace(numbers) - law), SYMBOLS[:4], fresh)))
    assert min(errors) < 1e-9


@pytest.mark.parametrize(
    ("law", "noise"),
    [
        (lambda a, b, c, d: (a + np.exp(-b)) * (c + np.sin(d)), 0.02),
        (lambda a, b, c, d: np.sqrt(a * np.exp(-b) + c * np.sin(d) ** 2 + 1), 0.0),
    ],
    ids=["product", "square"],
)
def test_discover_finds_laws_of_blocks(law: Callable[..., Array], noise: float) -> None:
    X, fresh = _table(4, 1500), _table(4, 200, seed=1)
    found = discover(X, _noisy(law(*X.T), noise), names=list("abcd"), time_limit=120)
    assert found.formula is not None
    np.testing.assert_allclose(found.formula.predict(fresh), law(*fresh.T), rtol=1e-6 if noise == 0 else 0.01)
    assert len(found.formula.fitted) == 0


def test_rows_beyond_those_the_blocks_were_fitted_to_do_not_make_them_wild() -> None:
    """Of many rows some 1,500 are fitted; the tails of the others lie outside, where polynomials explode."""
    Z = np.random.default_rng(0).normal(size=(8000, 3))
    y = np.sin(Z[:, 0] * Z[:, 1]) + np.exp(Z[:, 2] / 2) + 0.05 * np.random.default_rng(1).normal(size=8000)
    largest: dict[Symbol, float] = {}

    def solve(Z: Array, target: Array, weight: Array, symbols: Sequence[Symbol], floor: float) -> list[Expr]:
        largest[symbols[0]] = float(np.abs(target).max())
        return [symbols[0]]

    assert list(block_forms(Z, y, np.ones(8000), SYMBOLS[:3], solve, 0.06))
    assert largest[a] < 2 and largest[c] < 8


def test_one_value_that_has_no_logarithm_is_no_trouble() -> None:
    Z = np.random.default_rng(0).uniform(0.1, 2, (2000, 3))
    Z[1, 0] = 0.0
    (found,) = splits(Z, Z[:, 0] * Z[:, 1] + Z[:, 2] ** 2, np.ones(2000), 0.01)[:1]
    assert found.blocks == ((0, 1), (2,)) and np.all(np.isfinite(found.values))


def test_rows_too_few_for_interactions_leave_all_inputs_together() -> None:
    Z = _table(4, 40)
    assert splits(Z, Z[:, 0] * Z[:, 3] + Z[:, 1] ** 2 + np.exp(Z[:, 2]), np.ones(40), 1.0) == []
