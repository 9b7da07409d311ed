"""Simplified formulas are shorter and the same; nothing hangs."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import sympy

from kanlib.symbolic.deadline import within
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.polish import polish
from kanlib.symbolic.printing import count_nodes
from kanlib.symbolic.simplify import rational_form, same_values, simplify_formula
from kanlib.symbolic.tape import evaluate

x, y, s = sympy.symbols("x y s", real=True)
c1, c2, c3, c4, c5 = sympy.symbols("c1 c2 c3 c4 c5", real=True)

RNG = np.random.default_rng(0)
POSITIVE = RNG.uniform(0.5, 3.0, (100, 2))
SIGNED = RNG.uniform(-1.0, 1.0, (100, 2))

log, exp, sin, cos, sqrt, pi = sympy.log, sympy.exp, sympy.sin, sympy.cos, sympy.sqrt, sympy.pi

CASES = [
    (exp(1.5 * log(x)), POSITIVE, x**1.5),
    (exp(1.5 * log(x) - 0.5 * log(y) + 0.3), POSITIVE, sympy.Float(float(np.exp(0.3))) * x**1.5 / y**0.5),
    (log(x**2) / 2, POSITIVE, log(x)),
    (sqrt(x**2), POSITIVE, x),
    (sqrt(x**2), SIGNED, sympy.Abs(x)),
    (log(x * y) - log(y), POSITIVE, log(x)),
    (sin(pi * x + pi / 2), SIGNED, cos(pi * x)),
    (sin(x) ** 2 + cos(x) ** 2 + y, SIGNED, y + 1),
    (x * y + x * y**2 + x, SIGNED, x * (y**2 + y + 1)),
    ((x**2 - y**2) / (x - y), POSITIVE, x + y),
    (2 - 2 / (x + 1), POSITIVE, 2 * x / (x + 1)),
    (1 / (1 / x + 1 / y), POSITIVE, x * y / (x + y)),
    (exp(x) * exp(2 * y), SIGNED, exp(x + 2 * y)),
    (0.5 * (exp(x) + exp(x)) + 0.0 * y, SIGNED, exp(x)),
]


@pytest.mark.parametrize(("expr", "X", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_shorter_and_the_same(expr: sympy.Expr, X: np.ndarray, expected: sympy.Expr) -> None:
    found = simplify_formula(expr, (x, y), X, time_limit=10.0)
    assert count_nodes(found) <= count_nodes(expected)
    np.testing.assert_allclose(evaluate(found, (x, y), X), evaluate(expr, (x, y), X), rtol=1e-11)
    assert found.free_symbols <= {x, y}


def test_signs_are_respected() -> None:
    """log(x**2) is 2*log(x) only where x is positive."""
    found = simplify_formula(log(x**2) + y, (x, y), SIGNED)
    assert np.isfinite(evaluate(found, (x, y), SIGNED)).all()


def test_nothing_to_do() -> None:
    assert simplify_formula(sympy.Integer(2), (x, y), SIGNED) == 2
    assert simplify_formula(x, (x, y), SIGNED) == x
    law = exp(sin(pi * x) + y**2)
    assert simplify_formula(law, (x, y), SIGNED) == law


def test_outside_its_domain_everywhere_a_formula_is_left_alone() -> None:
    expr = log(-(x**2)) + x - x * 1
    assert simplify_formula(expr, (x, y), SIGNED) == expr


def test_same_values_sees_differences() -> None:
    points = POSITIVE
    assert same_values(x + y, y + x * (1 + sympy.Float(1e-13)), (x, y), points)
    assert not same_values(x + y, x + y * sympy.Float(1.000001), (x, y), points)
    assert not same_values(x, log(x - 1), (x, y), points)  # NaN in some rows
    assert same_values(log(x - 1), log((x - 1) ** 2) / 2, (x, y), points)  # a wider domain is no difference
    assert not same_values(x, sympy.zeta(x), (x, y), points)


def test_rational_form() -> None:
    assert rational_form(2 - 1 / (s + 1)) == (2 * s + 1) / (s + 1)
    assert rational_form(sin(1 + 1 / x)) == sin((x + 1) / x)
    assert rational_form(x + y) == x + y


def _forever() -> None:
    while True:
        time.sleep(0.001)


def _stubborn() -> None:
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


@pytest.mark.parametrize("function", [_forever, _stubborn])
def test_within_never_hangs(function: object) -> None:
    before = threading.active_count()
    assert within(0.05, function) is None  # type: ignore[arg-type]
    time.sleep(0.05)
    assert threading.active_count() == before  # the thread has ended, nothing is left running


def test_within_from_another_thread_and_with_errors() -> None:
    results: list[object] = []
    worker = threading.Thread(target=lambda: results.extend([within(5.0, lambda: 3), within(0.05, _forever)]))
    worker.start()
    worker.join()
    assert results == [3, None]
    assert within(5.0, lambda: 1 / 0) is None
    assert within(0.0, lambda: 1) is None


def test_many_interruptions_leave_no_trace() -> None:
    """Each at another moment of the thread's life; a stray exception would be a warning, and so an error."""
    before = threading.active_count()
    for step in range(60):
        within(1e-5 * step, lambda: sum(range(2000)))
    time.sleep(0.1)
    assert threading.active_count() == before


def test_no_time_returns_the_formula() -> None:
    monster = sympy.Mul(*[sin(k * x + y) + cos(y * k) / (x + k) for k in range(1, 12)])
    start = time.monotonic()
    found = simplify_formula(monster, (x, y), POSITIVE, time_limit=0.0)
    assert time.monotonic() - start < 5.0
    assert same_values(monster, found, (x, y), POSITIVE)


def polished(
    structure: sympy.Expr, start: tuple[float, ...], symbols: tuple, X: np.ndarray, target: np.ndarray
) -> Formula:
    return polish(Formula(structure, dict(zip((c1, c2, c3, c4, c5), start)), symbols), X, target, time_limit=20.0)


def test_polish_finds_michaelis_menten_in_a_hyperbola() -> None:
    X = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)[:, None]
    rate = np.array([76.0, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200])
    found = polished(c1 + c2 / (s + c3), (212.0, -13.0, 0.06), (s,), X, rate)
    assert found.structure == c1 * s / (c2 + s)
    np.testing.assert_allclose([c.value for c in found.constants], [212.7, 0.06412], rtol=2e-4)
    np.testing.assert_allclose([c.standard_error for c in found.constants], [6.947, 0.008281], rtol=2e-4)
    assert found.text() == "212.7*s/(s + 0.0641)"


def test_polish_finds_a_product_of_powers_in_an_exponential() -> None:
    structure = c1 * exp(c2 * log(x) + c3 * log(y)) + c4
    found = polished(structure, (2.0, 1.4, -0.9, 0.1), (x, y), POSITIVE, 2.5 * POSITIVE[:, 0] ** 1.5 / POSITIVE[:, 1])
    assert found.expr == sympy.Rational(5, 2) * x ** sympy.Rational(3, 2) / y
    assert {c.exact for c in found.constants} == {"5/2", "3/2"}


def test_polish_finds_the_cosine() -> None:
    structure = exp(c1 * sin(c2 * x + c3) + c4 * y**2) * c5
    target = np.exp(np.cos(np.pi * SIGNED[:, 0]) + SIGNED[:, 1] ** 2)
    found = polished(structure, (0.9, 3.1, 1.5, 1.1, 0.9), (x, y), SIGNED, target)
    assert found.expr == exp(cos(pi * x) + y**2)
    assert found.constants[0].exact == "pi" and found.residual_std < 1e-14  # type: ignore[operator]


def test_polish_multiplies_out_when_that_is_shorter() -> None:
    structure = (x + c1) ** 2 * c2 + (y + c3) ** 2 * c4 + c5
    target = SIGNED[:, 0] ** 2 + 2 * SIGNED[:, 0] - SIGNED[:, 1] ** 2 / 2 + SIGNED[:, 1]
    found = polished(structure, (0.9, 1.1, -0.9, -0.4, 0.2), (x, y), SIGNED, target)
    assert sympy.expand(found.expr - (x**2 + 2 * x - y**2 / 2 + y)) == 0


def test_polish_keeps_a_formula_it_cannot_improve() -> None:
    target = np.tanh(1.3 * SIGNED[:, 0]) * 0.7 + 0.01 * np.random.default_rng(1).normal(size=100)
    found = polished(c1 * sympy.tanh(c2 * x), (0.5, 1.0), (x, y), SIGNED, target)
    assert found.structure == c1 * sympy.tanh(c2 * x)
    assert all(c.exact is None and c.standard_error > 0 for c in found.constants)  # type: ignore[operator]


@pytest.mark.parametrize("phase", [0.0, np.pi / 2, np.pi, -np.pi / 2, 5 * np.pi / 2])
def test_polish_recognises_phases_in_noise(phase: float) -> None:
    rng = np.random.default_rng(2)
    X = rng.uniform(-2, 2, (200, 1))
    target = 1.7 * np.sin(2.3 * X[:, 0] + phase) + 0.1 * rng.normal(size=200)
    found = polished(c1 * sin(c2 * x + c3), (1.6, 2.25, phase + 0.1), (x,), X, target)
    assert found.expr.atoms(sympy.sin, sympy.cos) and len(found.constants) == 2
    clean = 1.7 * np.sin(2.3 * X[:, 0] + phase)
    np.testing.assert_allclose(found.predict(X), clean, atol=0.05)


def test_polish_stops_in_time() -> None:
    start = time.monotonic()
    structure = c1 / (s + c2) + c3 * exp(c4 * s) + c5
    X = np.linspace(0.1, 3, 50)[:, None]
    found = polish(
        Formula(structure, dict(zip((c1, c2, c3, c4, c5), (1.0, 0.7, 0.3, 0.4, 0.1))), (s,)),
        X,
        1.1 / (X[:, 0] + 0.61) + 0.37 * np.exp(0.41 * X[:, 0]) + 0.13,
        time_limit=0.01,
    )
    assert time.monotonic() - start < 5.0
    assert found.residual_std is not None and found.residual_std < 1e-8


@pytest.mark.parametrize("small", [0.0, 0.003])
def test_polish_of_many_rows_loses_no_small_effect(small: float) -> None:
    """Some rows decide first; a term only all rows together can see is kept all the same."""
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (40_000, 2))
    target = 2.0 * X[:, 0] ** 2 + small * X[:, 1] + 0.05 * rng.normal(size=len(X))
    found = polished(c1 * x**2 + c2 * y + c3, (1.9, 0.0, 0.1), (x, y), X, target)
    assert found.expr.has(y) == (small > 0)
    assert found.dof is not None and found.dof > 39_990
