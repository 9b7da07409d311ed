"""Derivatives with respect to the inputs, against torch's own; and a differential equation solved with them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from kanlib import KAN, InputError, InputTypeError
from kanlib.base_functions import BASE_FUNCTIONS
from kanlib.derivatives import gradient, hessian, laplacian

NETWORKS: dict[str, dict[str, Any]] = {
    "one layer": {"widths": [3, 2]},
    "deep": {"widths": [3, 4, 3, 1]},
    "products": {"widths": [3, (2, (2, 3)), (0, 2), 2]},
    "no base": {"widths": [3, 3, 1], "base": None},
    "degree 2": {"widths": [3, 2, 1], "degree": 2},
    "degree 5": {"widths": [3, 2, 1], "degree": 5, "grid_size": 3},
    "free knots": {"widths": [3, 2, 1], "knots": "free"},
    "constant outside": {"widths": [3, 2, 1], "extrapolate": "constant"},
    "some columns": {"widths": [2, 2, 1], "in_features": 3, "input_index": [0, 2]},
    **{f"base {base}": {"widths": [3, 2, 1], "base": base} for base in BASE_FUNCTIONS},
}


def network(**config: Any) -> KAN:
    rng = torch.Generator().manual_seed(1)
    model = KAN(dtype=torch.float64, generator=rng, **config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return model


def points(n: int = 20) -> torch.Tensor:
    """Some of them outside the grids."""
    return 3.0 * torch.rand(n, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 1.5


def check(model: KAN, x: torch.Tensor) -> None:
    one_by_one = torch.autograd.functional
    slopes = torch.stack([one_by_one.jacobian(model, row) for row in x])
    outputs = range(model.out_features)
    bends = torch.stack(
        [torch.stack([one_by_one.hessian(lambda row, k=k: model(row)[k], row) for k in outputs]) for row in x]
    )
    for found in (gradient(model, x), hessian(model, x), laplacian(model, x)):
        torch.testing.assert_close(found.value, model(x))
        torch.testing.assert_close(found.gradient, slopes)
    torch.testing.assert_close(hessian(model, x).second, bends)
    torch.testing.assert_close(laplacian(model, x).second, bends.diagonal(dim1=-2, dim2=-1).sum(-1))


@pytest.mark.parametrize("name", NETWORKS)
def test_derivatives_are_those_of_torch(name: str) -> None:
    check(network(**NETWORKS[name]), points())


def test_fixed_and_masked_edges_take_part() -> None:
    model = network(widths=[3, (1, 1), 1])
    model.layers[0].fix_edge(0, 0, "sin", (2.0, 0.3, 1.5, 0.1, 1.0))
    model.layers[0].fix_edge(1, 1, "exp", (0.5, 0.0, -1.0, 0.0, 1.0))
    model.layers[0].fix_edge(2, 2, "square", (1.0, 0.2, 0.7, 0.0, 1.0))
    model.layers[0].mask_edge(2, 0)
    model.layers[0].mask_edge(1, 1)
    model.layers[1].fix_edge(1, 0, "tanh")
    check(model, points())
    expected = hessian(model, points())
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            for one, other in zip(hessian(model, points()), expected, strict=True):
                torch.testing.assert_close(one, other.detach())


def test_the_shape_of_the_batch_is_kept() -> None:
    model, x = network(widths=[3, (1, 1), 2]), points(24)
    flat, folded = hessian(model, x), hessian(model, x.reshape(2, 3, 4, 3))
    for one, other in zip(flat, folded, strict=True):
        assert one is not None and other is not None and other.shape[:3] == (2, 3, 4)
        torch.testing.assert_close(other.reshape(one.shape), one)
    assert laplacian(model, x[0]).second is not None and laplacian(model, x[:0]).gradient.shape == (0, 2, 3)


def test_a_loss_of_derivatives_has_gradients_in_the_weights() -> None:
    model = network(widths=[3, (1, 1), 1], grid_size=2)
    model.layers[0].fix_edge(0, 0, "sin", (2.0, 0.3, 1.5, 0.1, 1.0))
    x, names = points(5), [name for name, _ in model.named_parameters()]

    def residual(*values: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            for name, value in zip(names, values, strict=True):
                model.get_parameter(name).copy_(value)
        found = laplacian(model, x)
        assert found.second is not None
        return (found.second * found.value + found.gradient.sum(-1)).square().sum()

    start = [model.get_parameter(name).detach().clone() for name in names]
    model.zero_grad()
    residual(*start).backward()
    rng = torch.Generator().manual_seed(3)
    for _ in range(3):
        direction = [torch.randn(p.shape, generator=rng, dtype=p.dtype) for p in start]
        slope = sum(
            (model.get_parameter(n).grad * d).sum().item()
            for n, d in zip(names, direction, strict=True)
            if model.get_parameter(n).grad is not None
        )
        ends = [residual(*[p + s * 1e-6 * d for p, d in zip(start, direction, strict=True)]) for s in (1, -1)]
        assert math.isclose(slope, (ends[0] - ends[1]).item() / 2e-6, rel_tol=1e-5)
        residual(*start)


def test_what_is_no_table_of_the_network_is_refused() -> None:
    model = network(widths=[3, 1])
    with pytest.raises(InputError):
        gradient(model, torch.zeros(4, 2, dtype=torch.float64))
    with pytest.raises(InputTypeError):
        laplacian(model, torch.zeros(4, 3))
    with pytest.raises(InputError, match="order"):
        model.layers[0].feature_derivatives(torch.zeros(4, 3, dtype=torch.float64), 3)


def test_poisson_by_linear_least_squares() -> None:
    """u'' = -pi^2 sin(pi x), u(-1) = u(1) = 0: one layer is linear in its coefficients, one solve is the solution.

    The second derivative of a cubic spline is off by O(h^2), and so is what is fitted to it: twice the cells leave a
    quarter of the error.
    """
    errors = []
    x = torch.linspace(-1, 1, 400, dtype=torch.float64)[:, None]
    truth = torch.sin(math.pi * x[:, 0])
    for cells in (16, 32):
        model = KAN([1, 1], grid_size=cells, base=None, dtype=torch.float64)
        layer = model.layers[0]
        design = torch.cat([layer.feature_derivatives(x, 2)[:, 0] / 20, layer.features(x[[0, -1]])[:, 0]])
        wanted = torch.cat([-(math.pi**2) * truth / 20, torch.zeros(2, dtype=torch.float64)])
        with torch.no_grad():
            layer.coefficients.copy_(torch.linalg.lstsq(design, wanted[:, None]).solution.T[None])
            found = laplacian(model, x)
        assert found.second is not None
        slope, bend = math.pi * torch.cos(math.pi * x[:, 0]), -(math.pi**2) * truth
        known = ((found.value[:, 0], truth), (found.gradient[:, 0, 0], slope), (found.second[:, 0], bend))
        errors.append([(one - other).abs().max().item() / other.abs().max().item() for one, other in known])
    for coarse, fine in zip(*errors, strict=True):
        assert fine < 0.3 * coarse < 0.01
