"""The Anderson part of the paper benchmark: the physics of its chains, and what may be called a found edge."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy

from kanlib.errors import FormulaError
from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.tape import evaluate

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.paper.anderson import COLUMNS, draw
from benchmarks.paper.boundaries import find_boundary, library
from benchmarks.paper.chains import SYSTEMS, dimension, hamiltonian, sample, states
from benchmarks.paper.equivalence import compare
from benchmarks.paper.logistic import fitted, inflation

BOXES = {"GAAM": ((-4.0, 6.0), (0.2, 1.8), (-0.8, 0.8)), "MAAM": ((-4.0, 8.0), (0.2, 4.0), (0.3, 2.5))}


def test_fractal_dimension_of_waves_sites_and_pairs() -> None:
    n = np.arange(400)
    plane = np.exp(2j * np.pi * 0.3 * n) / 20
    half = (n < 200) / np.sqrt(200)
    found = dimension(np.column_stack([plane, half, n == 7]))
    np.testing.assert_allclose(found, [1.0, np.log(200) / np.log(400), 0.0], atol=1e-12)


@pytest.mark.parametrize(("name", "own"), [("GAAM", 0.6), ("GAAM", -0.3), ("MAAM", 0.8)])
def test_hamiltonians_are_symmetric_and_states_are_theirs(name: str, own: float) -> None:
    matrix = hamiltonian(name, 60, 0.9, own, 0.4)
    np.testing.assert_array_equal(matrix, matrix.T)
    energies, vectors = states(name, 60, 0.9, own, 0.4)
    np.testing.assert_allclose(matrix @ vectors, vectors * energies, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(60), atol=1e-12)


def test_an_unknown_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        hamiltonian("MM", 5, 1.0, 1.0, 0.0)


def test_aubry_andre_has_one_transition_for_all_energies() -> None:
    # Aubry and Andre 1980: without alpha all states are extended below lam = 1 and localised above, but for the few
    # at the ends of an open chain.
    below, above = (dimension(states("GAAM", 377, lam, 0.0, 1.0)[1]) for lam in (0.7, 1.3))
    assert np.mean(below > 0.5) > 0.97 and np.mean(above < 0.5) == 1.0


def test_the_product_form_that_duality_rests_on() -> None:
    # (x - T/2)(y - C/2) u = m u away from the ends, as the docstring of `chains` derives it.
    n = 80
    T = np.eye(n, k=1) + np.eye(n, k=-1)
    inner = slice(20, 60)
    for name, lam, own in (("GAAM", 0.8, 0.5), ("MAAM", 1.7, 2.0)):
        energies, vectors = states(name, n, lam, own, 0.3)
        half = np.diag(np.cos(2 * np.pi * (np.sqrt(5) - 1) / 2 * np.arange(n) + 0.3))
        for k in (5, 40, 70):
            u, energy = vectors[:, k], energies[k]
            if name == "GAAM":
                left = (np.eye(n) - own * half) @ ((own * energy + 2 * lam) * u - own * T @ u)
                right = 2 * lam * u
            else:
                inside = (energy + np.exp(own)) * u - lam * half @ u
                left, right = np.cosh(own) * inside - T @ inside / 2, np.exp(own) * np.sinh(own) * u
            np.testing.assert_allclose(left[inner], right[inner], atol=1e-10)


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_states_on_either_side_of_the_exact_edge(name: str) -> None:
    system = SYSTEMS[name]
    chains = sample(system, 24, 377, 3)
    side = evaluate(system.edge, system.symbols, chains.X)
    assert np.median(chains.dimension[side > 0]) > 0.75 and np.median(chains.dimension[side < 0]) < 0.25
    assert np.mean((side > 0) == chains.extended) > 0.97
    assert 0.2 < chains.extended.mean() < 0.8


@pytest.mark.parametrize(
    ("name", "formula", "verdict"),
    [
        ("GAAM", "-E_*alpha/2 - lam + 1", "exact"),
        ("GAAM", "2*(1 - lam)*exp(lam) - E_*alpha*exp(lam)", "exact"),
        ("GAAM", "-0.4999*E_*alpha - lam + 1", "near"),
        ("GAAM", "E_*alpha/2 + lam - 1", "no"),  # the sides exchanged
        ("GAAM", "1 - lam", "no"),
        ("MAAM", "E_*exp(-p) - lam/2 - lam*exp(-2*p)/2 + 1", "exact"),
        ("MAAM", "E_/cosh(p) + 1 + tanh(p) - lam", "exact"),
        ("MAAM", "E_ + exp(p) - lam*sinh(p)", "no"),
        ("MAAM", "E_ + exp(p) - lam*cosh(p) + 0.001", "near"),
    ],
)
def test_a_wrong_edge_is_not_equivalent(name: str, formula: str, verdict: str) -> None:
    system = SYSTEMS[name]
    assert compare(parse_formula(formula, system.symbols), system.edge, system.symbols, BOXES[name]).verdict == verdict


def test_a_boundary_is_found_from_labels_alone() -> None:
    x, y = symbols = sympy.symbols("x y", real=True)
    rng = np.random.default_rng(0)
    X = rng.uniform((0.2, -1.0), (2.0, 1.5), (1500, 2))
    edge = sympy.exp(y) - 2 * x
    value = evaluate(edge, symbols, X)
    labels = value + 0.05 * rng.logistic(size=len(X)) > 0
    found = find_boundary(X, labels, np.arange(len(X)) // 10, symbols)
    assert found.exact and compare(found.expr, edge, symbols, ((0.2, 2.0), (-1.0, 1.5))).verdict == "exact"
    assert np.mean(found.predict(X) == (value > 0)) == 1.0


def test_one_class_has_no_boundary() -> None:
    with pytest.raises(FormulaError, match="rows on both sides"):
        find_boundary(np.ones((5, 1)), np.ones(5, dtype=bool), np.arange(5), sympy.symbols("x,", real=True))


def test_terms_stay_in_their_domains() -> None:
    x, y = symbols = sympy.symbols("x y", real=True)
    terms, values = library(np.array([[-1.0, 0.5], [2.0, 1.5]]), symbols)
    assert sympy.log(x) not in terms and 1 / x not in terms and x * sympy.log(y) in terms
    assert np.all(np.isfinite(values)) and values.shape == (2, len(terms))


def test_sharpness_does_not_move_the_boundary_and_copies_are_noticed() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 3000)
    y = (rng.random(3000) < 1 / (1 + np.exp(-8 * np.exp(0.8 * x) * (x - 0.2)))).astype(float)
    design, columns = np.column_stack([np.ones_like(x), x]), ((x - x.mean()) / x.std())[:, None]
    fit = fitted(design, columns, y, np.zeros(1))
    assert -fit.weights[0] / fit.weights[1] == pytest.approx(0.2, abs=0.03)
    rows = np.arange(3000)
    assert inflation(fit, design, columns, y, rows) < 1.3
    tenfold = [np.repeat(part, 10, axis=0) for part in (design, columns, y, rows)]
    assert inflation(fit, *tenfold) == pytest.approx(10 * inflation(fit, design, columns, y, rows), rel=0.1)


def test_the_picture_is_drawn_from_records_alone() -> None:
    blank = dict.fromkeys(COLUMNS, "")
    records = [
        {**blank, "system": name, "method": method, "seed": "0", "accuracy %": accuracy, "formula": formula}
        for name, formula in (("GAAM", "1 - lam - E_*alpha/2"), ("MAAM", "E_ + exp(p) - lam*cosh(p)"))
        for method, accuracy in (("theory", "99.2"), ("formula", "99.1"), ("logistic regression", "82.0"))
    ]
    figure = draw(records)
    assert [axes.get_title(loc="left")[:4] for axes in figure.axes[:4]] == ["GAAM", "accu", "MAAM", "accu"]
