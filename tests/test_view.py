"""What is found in some coordinates is the law in the columns; the network of a found law computes the formula."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch
from sympy import Expr

from kanlib import KAN
from kanlib.symbolic import discover
from kanlib.symbolic.closed import closed_forms
from kanlib.symbolic.joint import Candidate
from kanlib.symbolic.reduction.coordinates import Coordinates, combined, powered, start
from kanlib.symbolic.tape import evaluate
from kanlib.symbolic.view import View

Array = np.ndarray
a, b, c = SYMBOLS = sympy.symbols("a b c", real=True)
PRIMITIVES = ("identity", "square", "sqrt", "exp", "log", "sin", "tanh")


def _table(n: int = 300, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(1, 3, (n, 3))


def _ratio(X: Array) -> Coordinates:
    """y = b**2 * F(a/b, c)"""
    found = powered(start(SYMBOLS, X), [Fraction(-1), Fraction(0), Fraction(0)], 1, Fraction(2))
    assert found is not None
    return found


def _difference(X: Array) -> Coordinates:
    """y = c * F(a - b)"""
    front = powered(start(SYMBOLS, X), [Fraction(0)] * 3, 2, Fraction(1))
    assert front is not None
    found = combined(front, 0, 1, a - b, X[:, 0] - X[:, 1])
    assert found is not None
    return found


def _nothing(X: Array) -> Coordinates:
    """y = factor * constant"""
    found = _difference(X)
    return Coordinates((), X[:, :0], found.factor * (a + b), found.factor_values * (X[:, 0] + X[:, 1]))


def _forms(view: View) -> list[Candidate]:
    return [candidate for stage in closed_forms(view, PRIMITIVES, 0.0, lambda: False) for candidate in stage]


def _values(candidate: Candidate, X: Array) -> Array:
    numbers = {symbol: sympy.Float(value) for symbol, value in candidate.values.items()}
    expr = candidate.structure.xreplace(numbers)
    assert expr.free_symbols <= set(SYMBOLS), "a form in the columns, not in the coordinates"
    return evaluate(expr, SYMBOLS, X)


LAWS = [
    (_difference, c * sympy.exp(-((a - b) ** 2))),
    (_difference, c / (1 + 2 * (a - b) ** 2)),
    (_difference, c * sympy.sin(2 * (a - b))),
    (_ratio, b**2 * sympy.sqrt(a / b) * sympy.exp(-c)),
    (_ratio, a * b + b**2 * sympy.sin(c)),
    (_nothing, 5 * c * (a + b) / 2),
]


@pytest.mark.parametrize(("coordinates", "law"), LAWS, ids=[str(law) for _, law in LAWS])
@pytest.mark.parametrize("held", [False, True])
def test_closed_forms_are_the_law_in_columns(coordinates, law: Expr, held: bool) -> None:
    X, fresh = _table(), _table(seed=1)
    y = evaluate(law, SYMBOLS, X)
    out = np.arange(len(y)) % 5 == 0
    view = View.of(coordinates(X), SYMBOLS, X, np.where(out & held, 1e3 * y, y), out if held else None)
    assert view is not None and view.coordinates.k == len(view.inputs)
    truth = evaluate(law, SYMBOLS, fresh)
    errors = [np.std(_values(candidate, fresh) - truth) / np.std(truth) for candidate in _forms(view)]
    assert min(errors) < 1e-8  # rows that were held out were not looked at


@pytest.mark.parametrize("scale", [1e-25, 1e30])
def test_units_do_not_matter(scale: float) -> None:
    """Solar masses in kilograms: the one coordinate is huge, the law is as simple as before."""
    u = _table()[:, [0]]
    X, y = scale * u, u[:, 0] * np.sin(3 * u[:, 0])
    view = View.of(start((a,), X), (a,), X, y, None)
    assert view is not None
    errors = [candidate.rmse for candidate in _forms(view) if len(candidate.values) <= 3]
    assert min(errors) < 1e-9


def test_what_a_candidate_claims_is_so() -> None:
    """Errors are those of y in the columns, forms are distinct, each stage starts with the shortest."""
    X = _table()
    noise = np.random.default_rng(3).normal(size=len(X))
    y = X[:, 2] * np.exp(-((X[:, 0] - X[:, 1]) ** 2)) + 0.01 * noise
    view = View.of(_difference(X), SYMBOLS, X, y, None)
    assert view is not None
    found = []
    for stage in closed_forms(view, PRIMITIVES, 0.0, lambda: False):
        lengths = [candidate.length for candidate in stage]
        assert lengths == sorted(lengths)
        found += stage
    assert found and len({candidate.structure for candidate in found}) == len(found)
    for candidate in found:
        residual = _values(candidate, X) - y
        assert candidate.rmse == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-6)
    assert min(candidate.rmse for candidate in found) == pytest.approx(0.01, rel=0.2)


def test_a_form_in_coordinates_becomes_one_in_columns() -> None:
    X = _table()
    y = evaluate(3 * b**2 * sympy.exp(-a / b), SYMBOLS, X)
    view = View.of(_ratio(X), SYMBOLS, X, y, None)
    assert view is not None and view.name == "b**2 * F(a/b, c)"
    u, _ = view.inputs
    candidate = view.candidate(sympy.Float(2.9) * sympy.exp(-sympy.Float(0.9) * u))
    assert candidate is not None and candidate.rmse < 1e-10
    np.testing.assert_allclose(_values(candidate, X), y, rtol=1e-8)
    assert view.candidate(sympy.log(-u)) is None  # not real on any row


def test_coordinates_that_are_not_finite_on_the_table() -> None:
    X = _table()
    moved = X.copy()
    moved[3, 1] = 0.0
    assert View.of(_ratio(X), SYMBOLS, moved, X[:, 0], None) is None


def test_stages_that_are_known_are_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    X = _table()
    y = evaluate(c * sympy.exp(-((a - b) ** 2)), SYMBOLS, X)
    view = View.of(_difference(X), SYMBOLS, X, y, None)
    assert view is not None
    stages = list(closed_forms(view, PRIMITIVES, 0.0, lambda: False))
    known = {candidate.structure for candidate in stages[0]}

    def again(*args: object, **options: object) -> None:
        raise AssertionError("a known stage was worked out again")

    monkeypatch.setattr("kanlib.symbolic.closed.rational_candidates", again)
    rest = list(closed_forms(view, PRIMITIVES, 0.0, lambda: False, stages[:1]))
    assert [[form.structure for form in stage] for stage in rest] == [[f.structure for f in s] for s in stages[1:]]
    assert not known & {form.structure for stage in rest for form in stage}
    with pytest.raises(AssertionError, match="worked out again"):
        list(closed_forms(view, PRIMITIVES, 0.0, lambda: False))


def test_only_functions_that_are_allowed() -> None:
    X = _table()
    y = evaluate(c * sympy.exp(-((a - b) ** 2)) + c, SYMBOLS, X)
    view = View.of(_difference(X), SYMBOLS, X, y, None)
    assert view is not None
    for stage in closed_forms(view, ("identity", "sin"), 0.0, lambda: False):
        for candidate in stage:
            assert not candidate.structure.has(sympy.exp, sympy.log, sympy.tanh)


def _found_network(law: Expr) -> KAN:
    X = np.random.default_rng(0).uniform(0.5, 2, (300, 4))
    columns = sympy.symbols("a b c d", real=True)
    found = discover(X, evaluate(law, columns, X), names=list("abcd"), time_limit=60)
    assert found.formula is not None and found.network is not None
    with torch.no_grad():
        values = found.network(torch.from_numpy(X))[:, 0].numpy()
    np.testing.assert_allclose(values, found.formula.predict(X), rtol=1e-9)
    for layer in found.network.layers:
        assert not bool((layer.mask & (layer.primitive_index < 0)).any())  # no spline is left
    assert found.network.in_features == 4
    assert found.network.used_inputs == tuple(i for i, s in enumerate(columns) if s in law.free_symbols)
    return found.network


def _primitives(network: KAN) -> set[str]:
    return {name for layer in network.layers for name in layer.fixed_edges().values()}


def test_the_network_of_a_link() -> None:
    assert _primitives(_found_network(sympy.exp(sympy.sin(3 * a) + b**2))) == {"sin", "square", "exp"}


def test_the_network_of_a_sum_of_products() -> None:
    d = sympy.Symbol("d", real=True)
    assert _primitives(_found_network(a * b + sympy.sin(c) * sympy.exp(d))) == {"identity", "sin", "exp"}


def test_constants_of_a_network_are_written_as_people_do() -> None:
    """5/(2*a + 1) is 5 times the reciprocal of 2*a + 1, and nothing is added to it."""
    network = _found_network(5 / (2 * a + 1))
    ((place, name),) = [item for layer in network.layers for item in layer.fixed_edges().items()]
    assert name == "reciprocal"
    slope, shift, factor, offset, _ = network.layers[0].edge_constants[place[1], place[0]].tolist()
    np.testing.assert_allclose([shift / slope, factor / slope, offset], [0.5, 2.5, 0], atol=1e-9)
    assert float(network.layers[0].bias.detach().abs().max()) < 1e-9
