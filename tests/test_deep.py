"""Deep KANs: moments are right, variance is kept forwards and backwards through twenty layers, for every basis."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from architecture_contract import BASES, ArchitectureContract
from scipy.integrate import quad
from torch import Tensor, nn

from kanlib import KANLayer
from kanlib.architectures.deep import DeepKAN, KANBlock
from kanlib.architectures.variance import feature_moments, preserve_variance
from kanlib.errors import InputError

F64 = torch.float64


class TestDeepKAN(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return DeepKAN(3, width=4, depth=3, out_features=2, **options)

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 3, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 2)


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _options(basis: str) -> dict[str, Any]:
    return {"basis": basis, "dtype": F64}


@pytest.mark.parametrize("basis", BASES)
def test_moments_are_integrals(basis: str) -> None:
    layer = KANLayer(2, 3, 4, 2, grid_range=(-3, 3), **_options(basis))
    found = feature_moments(layer)

    def moment(m: int, derivative: bool) -> float:
        def integrand(t: float) -> float:
            x = torch.full((1, 2), t, dtype=F64)
            values = layer.feature_derivatives(x) if derivative else layer.features(x)
            return float(values[0, 0, m]) ** 2 * math.exp(-t * t / 2) / math.sqrt(2 * math.pi)

        return quad(integrand, -6, 6, limit=200, epsabs=1e-6, points=[-3, -1.5, 0, 1.5, 3])[0]

    for derivative in (False, True):
        for m in (0, 1, 3):
            # Points of equal probability miss a little of the tails.
            assert float(found[derivative][m]) == pytest.approx(moment(m, derivative), rel=0.03, abs=0.003)


def test_moments_of_a_sample_are_means() -> None:
    layer, x = KANLayer(3, 2, dtype=F64), _normal(50, 3)
    values, slopes = feature_moments(layer, x)
    features = layer.features(x)
    assert values.shape == slopes.shape == (features.shape[-1],)
    for m in range(features.shape[-1]):
        assert float(values[m]) == pytest.approx(float(features[:, :, m].pow(2).mean()))
    with pytest.raises(InputError, match="sample"):
        feature_moments(layer, x[:0])


@pytest.mark.parametrize("base", ["silu", None])
@pytest.mark.parametrize("basis", BASES)
def test_one_layer_keeps_the_variance_it_was_asked_to(basis: str, base: str | None) -> None:
    """Values of 200 outputs, and gradients of 200 inputs, over 500 rows."""
    x = _normal(500, 200).requires_grad_()
    sizes: dict[str, tuple[float, float]] = {}
    for balance in ("forward", "backward", "average"):
        layer = KANLayer(200, 200, grid_range=(-3, 3), base=base, **_options(basis))
        y = preserve_variance(layer, balance=balance)(x)  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(y, x, _normal(500, 200, seed=1))
        sizes[balance] = float(y.detach().square().mean()), float(gradient.square().mean())
    assert sizes["forward"][0] == pytest.approx(1, rel=0.15)
    assert sizes["backward"][1] == pytest.approx(1, rel=0.15)
    # The compromise: each feature's share of variance forwards and backwards sums to two.
    assert sum(sizes["average"]) == pytest.approx(2, rel=0.2)


def test_inputs_of_another_spread() -> None:
    x = 0.2 * _normal(500, 100)
    layer = preserve_variance(KANLayer(100, 300, dtype=F64), x, balance="forward")
    assert float(layer(x).detach().square().mean()) == pytest.approx(0.04, rel=0.15)


def test_the_rule_is_glorots_for_a_linear_layer() -> None:
    """With the identity as base and hardly any splines, weights are those of Glorot: variance 2 / (n + n')."""
    layer = preserve_variance(KANLayer(300, 100, base="identity", dtype=F64))
    assert layer.base_weight is not None
    n_features = 1 + layer.coefficients.shape[2]
    assert float(layer.base_weight.detach().var()) * n_features == pytest.approx(2 / 400, rel=0.05)


def test_fixed_edges_and_masks_stay() -> None:
    layer = KANLayer(3, 2)
    layer.fix_edge(0, 1, "sin")
    layer.mask_edge(2, 0)
    before, constants = layer.coefficients.clone(), layer.edge_constants.clone()
    preserve_variance(layer)
    assert torch.equal(layer.edge_constants, constants)
    changed = (layer.coefficients != before).any(-1)
    assert torch.equal(changed, layer.spline_mask())
    with pytest.raises(InputError, match="balance"):
        preserve_variance(layer, balance="both")  # type: ignore[arg-type]


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("basis", BASES)
def test_twenty_layers_keep_signals_and_gradients(basis: str, centred: bool) -> None:
    model = DeepKAN(16, width=48, depth=20, out_features=1, centred=centred, **_options(basis))
    values = model.activations(_normal(300, 16))
    sizes = [float(h.detach().square().mean()) for h in values]
    assert all(0.5 < size / sizes[0] < 2 for size in sizes[:-1]), sizes
    (at_start,) = torch.autograd.grad(values[-2], values[0], _normal(300, 48, seed=1))
    assert 0.5 < float(at_start.square().mean()) < 2
    if centred:  # what differs between rows stays the larger part
        assert _share(values[-2]) > 0.5


def _share(values: Tensor) -> float:
    """Of the mean square, the part that is variance between rows."""
    values = values.detach()
    return float(values.var(0, correction=0).mean() / values.square().mean())


def _stack(**options: Any) -> tuple[Tensor, float]:
    """Twenty plain layers: what they give for normal rows, and the mean square of gradients at the start."""
    generator = torch.Generator().manual_seed(0)
    layers = (KANLayer(48, 48, grid_range=(-3, 3), dtype=F64) for _ in range(20))
    stack = nn.Sequential(*(preserve_variance(layer, generator=generator, **options) for layer in layers))
    x = _normal(300, 48).requires_grad_()
    y = stack(x)
    (gradient,) = torch.autograd.grad(y, x, _normal(300, 48, seed=1))
    return y.detach(), float(gradient.square().mean())


def test_a_plain_stack_cannot_keep_all_three() -> None:
    """Size, difference between rows, and gradient: hence residual blocks."""
    y, gradient = _stack(balance="forward")
    assert 0.5 < float(y.square().mean()) < 2 and 0.1 < gradient < 10
    assert _share(y) < 0.05  # a constant of each output is what was kept
    y, gradient = _stack(balance="forward", centred=True)
    assert 0.5 < float(y.square().mean()) < 2 and _share(y) > 0.9
    assert gradient > 1e4  # Poincaré's inequality, twenty times
    y, _ = _stack(balance="average", centred=True)
    assert float(y.square().mean()) < 0.5


@pytest.mark.parametrize("basis", BASES)
def test_centred_outputs_have_no_offset(basis: str) -> None:
    x = _normal(4000, 30)
    layer = preserve_variance(KANLayer(30, 60, grid_range=(-3, 3), **_options(basis)), centred=True, balance="forward")
    y = layer(x).detach()
    assert float(y.mean(0).square().mean()) < 0.01
    assert float(y.var(0).mean()) == pytest.approx(1, rel=0.2)
    values, slopes = feature_moments(layer, x, centred=True)
    assert bool((slopes >= 0.9 * values).all())  # Poincaré's inequality, up to the sample


def test_a_block_is_its_equation() -> None:
    block, x = KANBlock(4, angle=0.3, dtype=F64), _normal(6, 4)
    centred = x - x.mean(1, keepdim=True)
    normed = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    expected = math.cos(0.3) * x + math.sin(0.3) * block.layer(normed)
    torch.testing.assert_close(block(x), expected)
    torch.testing.assert_close(KANBlock(4, angle=0.0, dtype=F64)(x), x)


def test_another_init_is_taken_at_its_word() -> None:
    model = DeepKAN(3, 4, 2, 1, init="zero_spline")
    assert all(not bool(block.layer.coefficients.any()) for block in model.blocks)
    assert DeepKAN(3, 4, 2, 1, grid_range=(-1, 1)).first.grid[0, 0] == -1
    meta = DeepKAN(3, 4, 2, 1, centred=True, device="meta")
    assert {p.device.type for p in meta.parameters()} == {"meta"}
    with pytest.raises(InputError, match="depth 0"):
        DeepKAN(3, 4, 0, 1)


def test_it_trains_where_it_starts() -> None:
    """A few steps of Adam on a product of two columns: the loss falls well below that of the mean."""
    model = DeepKAN(2, width=6, depth=20, out_features=1)
    x = _normal(256, 2).float()
    y = x[:, :1] * x[:, 1:]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.3 * float(y.var())
