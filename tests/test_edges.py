"""Every primitive is recognised on curves made from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kanlib.errors import InputError
from kanlib.primitives import PRIMITIVES
from kanlib.symbolic.edges import fit_edges, search_set
from kanlib.symbolic.library import search_names

# Arguments (a, b, p) for x in [0.5, 2.5], away from the grids the search starts from.
ARGUMENTS = {
    "identity": (1.0, 0.0, 1.0),
    "square": (1.0, -1.7, 1.0),
    "cube": (1.0, -1.1, 1.0),
    "fourth": (1.0, -1.3, 1.0),
    "fifth": (1.0, 0.4, 1.0),
    "reciprocal": (1.0, 0.37, 1.0),
    "reciprocal_square": (1.0, 0.23, 1.0),
    "sqrt": (1.0, -0.31, 1.0),
    "reciprocal_sqrt": (-1.0, 2.9, 1.0),
    "exp": (-1.37, 0.0, 1.0),
    "log": (1.0, 0.11, 1.0),
    "sin": (4.3, 0.7, 1.0),
    "tan": (0.55, -0.4, 1.0),
    "tanh": (2.3, -3.1, 1.0),
    "arctan": (3.7, -5.0, 1.0),
    "arcsin": (0.37, -0.1, 1.0),
    "arctanh": (0.41, -0.6, 1.0),
    "sinh": (1.2, -2.0, 1.0),
    "cosh": (1.7, -2.1, 1.0),
    "gaussian": (1.3, -1.9, 1.0),
    "lorentzian": (2.1, -2.7, 1.0),
    "abs": (1.0, -1.23, 1.0),
    "erf": (1.4, -2.2, 1.0),
    "softplus": (6.0, -8.0, 1.0),
    "entropy": (0.8, 0.1, 1.0),
    "power": (1.0, 0.2, 1.37),
    "lorentz": (0.38, 0.02, 1.0),
    "hyperbola": (2.2, -3.5, 1.0),
    "semicircle": (0.37, 0.06, 1.0),
}


def test_all_searched_primitives_are_tested() -> None:
    assert set(ARGUMENTS) == set(search_names()) - {"sign"}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_recovers_its_own_curve(name: str) -> None:
    a, b, p = ARGUMENTS[name]
    x = torch.linspace(0.5, 2.5, 150, dtype=torch.float64)
    y = -1.7 * PRIMITIVES[name](a * x + b, torch.tensor(p, dtype=torch.float64)) + 0.4
    fits = {fit.name: fit for fit in fit_edges(x[None], y[None], (name,))[0]}
    fit = fits[name]
    assert fit.nmse < 1e-16
    fa, fb, fc, fd, fp = fit.constants
    again = fc * PRIMITIVES[name](fa * x + fb, torch.tensor(fp, dtype=torch.float64)) + fd
    np.testing.assert_allclose(again.numpy(), y.numpy(), atol=1e-7 * float(y.abs().max()))


def test_the_right_one_is_cheapest_among_all() -> None:
    x = torch.linspace(0.5, 2.5, 150, dtype=torch.float64)
    names = ("log", "sin", "exp", "square", "tanh", "identity", "reciprocal")
    curves = []
    for name in names:
        a, b, p = ARGUMENTS[name]
        curves.append(2.0 * PRIMITIVES[name](a * x + b, torch.tensor(p, dtype=torch.float64)) - 3.0)
    found = fit_edges(x.expand(len(names), -1), torch.stack(curves))
    assert tuple(fits[0].name for fits in found) == names


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1e-6), (1e4, 1.0), (0.0, 1e8)])
def test_units_of_the_edge_do_not_matter(offset: float, scale: float) -> None:
    u = torch.linspace(-1, 1, 100, dtype=torch.float64)
    x = offset + scale * u
    best = fit_edges(x[None], 1e5 * torch.sin(3 * u + 0.3)[None])[0][0]
    assert best.name == "sin" and best.nmse < 1e-12


def test_a_step_is_found_where_it_is() -> None:
    x = torch.linspace(-1, 1, 200, dtype=torch.float64)
    best = fit_edges(x[None], torch.sign(x - 0.2)[None], ("sign", "sin", "cube"))[0][0]
    assert best.name == "sign" and best.nmse < 0.02
    assert -best.constants[1] / best.constants[0] == pytest.approx(0.2, abs=0.03)


def test_unknown_primitives_are_refused_and_twins_are_mapped() -> None:
    with pytest.raises(InputError, match="sine"):
        search_set(["sine"])
    with pytest.raises(InputError):
        search_set([])
    assert search_set(["cos", "sin", "exp"]) == ("sin", "exp")
