"""Penalties: what they measure, that they see no constants, and that they have gradients."""

from __future__ import annotations

import math

import pytest
import torch

from kanlib.errors import InputError
from kanlib.network import KAN
from kanlib.regularizers import Penalties, edge_deviation, entropy, l1, roughness


def data(n: int, columns: int) -> torch.Tensor:
    return 2 * torch.rand(n, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1


def test_deviation_of_edges_without_the_edges() -> None:
    model, x = KAN([3, 4], init="lecun", dtype=torch.float64), 1.5 * data(100, 3)
    layer = model.layers[0]
    layer.fix_edge(1, 2, "sin", (2.0, 0.5, 1.5, 3.0, 1.0))
    layer.mask_edge(0, 0)
    layer.fix_edge(2, 3, "exp")
    layer.mask_edge(2, 3)
    expected = layer.edges(x).std(dim=0, unbiased=False)
    torch.testing.assert_close(edge_deviation(layer, x), expected, rtol=1e-7, atol=1e-8)


def test_deviation_does_not_see_a_shift_and_has_a_gradient_at_zero() -> None:
    model, x = KAN([2, 2], init="lecun", dtype=torch.float64), data(100, 2)
    layer = model.layers[0]
    before = edge_deviation(layer, x).detach()
    with torch.no_grad():
        layer.coefficients[0, 1] += 3.0
    torch.testing.assert_close(edge_deviation(layer, x).detach(), before, rtol=1e-6, atol=1e-8)
    with torch.no_grad():
        layer.coefficients.zero_()
        layer.base_weight.zero_()
    edge_deviation(layer, x).sum().backward()
    assert bool(torch.isfinite(layer.coefficients.grad).all())


def test_gradients_agree_with_finite_differences() -> None:
    model, x = KAN([2, 3], init="lecun", grid_size=3, dtype=torch.float64), data(30, 2)
    layer = model.layers[0]
    layer.fix_edge(0, 1, "sin")

    def penalty() -> torch.Tensor:
        deviations = [edge_deviation(layer, x)]
        return l1(deviations) + entropy(deviations) + 0.01 * roughness(model)

    parameters = (layer.coefficients, layer.base_weight, layer.edge_constants)
    gradients = torch.autograd.grad(penalty(), parameters)
    rng = torch.Generator().manual_seed(1)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
        with torch.no_grad():
            parameter += 1e-6 * direction
            above = penalty()
            parameter -= 2e-6 * direction
            below = penalty()
            parameter += 1e-6 * direction
        assert float((above - below) / 2e-6) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@pytest.mark.parametrize(("shares", "value"), [([1, 1, 1, 1], math.log(4)), ([1, 0, 0, 0], 0.0), ([0, 0, 0, 0], 0.0)])
def test_entropy_counts_the_edges_that_matter(shares: list[int], value: float) -> None:
    assert float(entropy([torch.tensor(shares, dtype=torch.float64).reshape(2, 2)])) == pytest.approx(value)


def test_roughness_is_the_integral_of_the_squared_second_derivative() -> None:
    """A cubic spline reproduces u^2 on [0, 1] and on any other grid: integral 4 and, in grid units, the same curve."""
    from kanlib.splines import fit_coefficients

    for low, high in ((0.0, 1.0), (-3.0, 5.0)):
        model = KAN([1, 1], grid_range=(low, high), base=None, dtype=torch.float64)
        layer = model.layers[0]
        x = torch.linspace(low, high, 50, dtype=torch.float64)[:, None]
        u = (x - low) / (high - low)
        with torch.no_grad():
            layer.coefficients.copy_(fit_coefficients(x, (u**2)[:, :, None], layer.grid, 3, uniform=True))
        assert float(roughness(model).detach()) == pytest.approx(4.0, rel=1e-9)
        layer.mask_edge(0, 0)
        assert float(roughness(model).detach()) == 0.0


def test_penalties_add_up() -> None:
    model, x = KAN([2, 3, 1], init="lecun", dtype=torch.float64), data(40, 2)
    activations = model.activations(x)
    deviations = [edge_deviation(layer, h) for layer, h in zip(model.layers, activations, strict=False)]
    expected = 0.1 * l1(deviations) + 0.2 * entropy(deviations) + 0.3 * roughness(model)
    torch.testing.assert_close(Penalties(0.1, 0.2, 0.3)(model, activations), expected)
    assert not Penalties() and Penalties(roughness=1.0) and not Penalties(roughness=1.0).on_edges


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_weights_of_penalties_are_checked(value: float) -> None:
    with pytest.raises(InputError, match="expected a finite weight"):
        Penalties(l1=value)
