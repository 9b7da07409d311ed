"""Sines and cosines with other phases are the same curves, but for phases that are left out."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from kanlib.symbolic.phases import nearest_quarter, without_phases
from kanlib.symbolic.tape import evaluate

x = sympy.Symbol("x", real=True)
POINTS = np.linspace(-3, 3, 41)[:, None]
phases = st.floats(-20, 20).map(lambda phase: sympy.Float(phase))


@given(phase=phases, kind=st.sampled_from([sympy.sin, sympy.cos]))
def test_the_nearest_quarter_is_the_same_curve_with_a_small_phase(phase: sympy.Float, kind: type) -> None:
    turned = nearest_quarter(1 + 2 * kind(3 * x + phase))
    np.testing.assert_allclose(evaluate(turned, (x,), POINTS), evaluate(1 + 2 * kind(3 * x + phase), (x,), POINTS))
    (wave,) = turned.atoms(sympy.sin, sympy.cos)
    left = wave.args[0].as_coeff_Add()[0]
    assert abs(left) <= np.pi / 4 + 1e-9


@pytest.mark.parametrize("quarters", range(-5, 6))
@pytest.mark.parametrize("off", [-0.03, 0.0, 0.02])
def test_phases_near_a_quarter_turn_go(quarters: int, off: float) -> None:
    form = sympy.sin(x * sympy.cos(x + sympy.Float(quarters * np.pi / 2 + off)))
    shorter = without_phases(form)
    assert not shorter.atoms(sympy.Float)
    exact = form.subs(sympy.Float(quarters * np.pi / 2 + off), quarters * sympy.pi / 2)
    np.testing.assert_allclose(evaluate(shorter, (x,), POINTS), evaluate(exact, (x,), POINTS), atol=1e-12)


@pytest.mark.parametrize("phase", [0.2, 1.2, 2.0, -0.7])
def test_other_phases_stay_as_they_are(phase: float) -> None:
    form = 2 * sympy.sin(3 * x + phase) + x
    assert without_phases(form) == form
