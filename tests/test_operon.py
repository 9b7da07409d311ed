"""Operon on one curve: what it proposes is read safely, comes again with the same seed, and serves the search."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kanlib.errors import InputError
from kanlib.symbolic import discover
from kanlib.symbolic.tape import evaluate
from kanlib.symbolic.univariate import operon
from kanlib.symbolic.univariate.operon import has_operon, operon_candidates

x = sympy.Symbol("x", real=True)
NAMES = ("sin", "cos", "exp", "tanh", "square", "identity")
needs_operon = pytest.mark.skipif(not has_operon(), reason="pyoperon is not installed")


def _curve(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    points = np.random.default_rng(0).uniform(0.5, 3, n)
    return points, np.tanh(points * np.sin(2 * points))


@needs_operon
def test_forms_describe_the_curve_and_come_again_with_the_seed() -> None:
    points, values = _curve()
    once, again = (operon_candidates(points, values, x, primitives=NAMES, evaluations=20_000, seed=3) for _ in range(2))
    assert once == again and all(form.free_symbols == {x} for form in once)
    errors = [np.std(evaluate(form, (x,), points[:, None]) - values) / values.std() for form in once]
    assert min(errors) < 0.2 and errors[0] < errors[-1] + 1e-9
    allowed = {sympy.sin, sympy.cos, sympy.exp, sympy.tanh}
    assert {part.func for form in once for part in form.atoms(sympy.Function)} <= allowed


@needs_operon
def test_a_constant_curve_has_no_form() -> None:
    assert operon_candidates(np.linspace(0, 1, 20), np.ones(20), x, evaluations=1000) == []


@needs_operon
def test_a_law_of_operon_is_refitted_and_judged_like_any_other() -> None:
    points, values = _curve()
    found = discover(points[:, None], values, names=["x"], primitives=NAMES, operon=True, time_limit=120)
    assert str(found.formula) == "tanh(x*sin(2*x))"
    assert any("F(x)" in point.template for point in found.front)


def test_without_pyoperon_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operon.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'kanlib\[operon\]'"):
        operon_candidates([0, 1], [0, 1], x)
    with pytest.raises(InputError, match="operon is True"):
        discover(np.arange(10.0)[:, None], np.arange(10.0), operon=True)
