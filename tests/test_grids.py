"""Grid update and refinement: the function stays, Parameters stay, the grid follows."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from kanlib.errors import InputError
from kanlib.grids import refine, update_grid
from kanlib.layer import KANLayer
from kanlib.network import KAN


def points(n: int, columns: int, seed: int = 1) -> Tensor:
    return torch.rand(n, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def make(widths: list, seed: int = 0, **kwargs) -> KAN:
    """A network in float64 with weights of size one half."""
    model = KAN(widths, dtype=torch.float64, **kwargs)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in model.layers:
            shape = layer.coefficients.shape
            layer.coefficients.copy_(0.5 * torch.randn(shape, generator=generator, dtype=torch.float64))
    return model


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
@pytest.mark.parametrize("degree", range(6))
def test_refinement_of_uniform_grids_is_exact(degree: int, factor: int) -> None:
    model, x = make([2, (2, 1), 1], degree=degree, grid_size=[4, 3]), 3 * points(100, 2)
    before = copy.deepcopy(model.state_dict())
    fine = refine(model, [4 * factor, 3 * factor])
    assert fine.config()["grid_size"] == [4 * factor, 3 * factor]
    torch.testing.assert_close(fine(x), model(x), rtol=1e-11, atol=1e-11)
    for key, value in model.state_dict().items():
        assert not isinstance(value, Tensor) or torch.equal(value, before[key])


@pytest.mark.parametrize("degree", range(6))
def test_refinement_of_free_knots_that_nest_is_exact(degree: int) -> None:
    model, x = make([2, 3, 1], degree=degree, knots="free"), points(200, 2)
    update_grid(model, x**3)
    torch.testing.assert_close(refine(model, 15)(x), model(x), rtol=1e-8, atol=1e-8)


def test_refinement_in_float32_is_exact_to_its_rounding() -> None:
    model, x = make([2, 5, 1]).float(), points(100, 2).float()
    fine = refine(model, 40)
    assert fine(x).dtype == torch.float32
    torch.testing.assert_close(fine(x), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_refinement_that_does_not_nest_is_close(knots: str) -> None:
    model, x = make([1, 1], knots=knots), points(100, 1)
    with torch.no_grad():  # a smooth curve
        model.layers[0].coefficients.copy_(torch.sin(torch.linspace(-2, 2, 8)))
    torch.testing.assert_close(refine(model, 13)(x), model(x), rtol=0, atol=2e-3)


def test_refinement_keeps_everything_else() -> None:
    model = make([3, 2, 1], in_features=4, input_index=[0, 1, 3], input_names=list("abcd"))
    model.layers[0].mask_edge(0, 0)
    model.layers[0].fix_edge(1, 1, "sin", (1, 2, 3, 4, 5))
    model.layers[1].bias.requires_grad_(False)
    model.layers[0].coefficients.requires_grad_(False)
    fine, x = refine(model.eval(), 10), points(50, 4)
    torch.testing.assert_close(fine(x), model(x), rtol=1e-11, atol=1e-11)
    assert fine.input_names == model.input_names and fine.used_inputs == (0, 1, 3) and not fine.training
    assert fine.layers[0].fixed_edges() == {(1, 1): "sin"} and not fine.layers[0].mask[0, 0]
    assert [p.requires_grad for p in fine.parameters()] == [p.requires_grad for p in model.parameters()]
    assert not {id(p) for p in fine.parameters()} & {id(p) for p in model.parameters()}
    with pytest.raises(InputError, match="grid_size 0"):
        refine(model, 0)
    with pytest.raises(InputError, match="3 entries for 2 layers"):
        refine(model, [1, 2, 3])


@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_update_follows_the_data_and_nearly_keeps_the_function(knots: str) -> None:
    model, x = make([2, 3, 1], knots=knots, grid_size=20), 0.8 * points(500, 2)
    with torch.no_grad():  # smooth curves, which any grid of this size can hold
        for layer in model.layers:
            phase = torch.arange(layer.coefficients[..., 0].numel()).reshape(layer.mask.shape)[..., None]
            layer.coefficients.copy_(torch.sin(torch.linspace(-2, 2, 23) + phase))
    before, parameters = model(x).detach(), list(model.parameters())
    buffers = [layer.grid for layer in model.layers]
    update_grid(model, x, margin=0.01)
    torch.testing.assert_close(model(x), before, rtol=0, atol=0.02 * float(before.std()))
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert all(a is layer.grid for a, layer in zip(buffers, model.layers, strict=True))
    for fraction in model.out_of_grid_fraction(x):
        assert not fraction.any()
    for layer, h in zip(model.layers, model.activations(x), strict=False):
        low, high = h.amin(0), h.amax(0)
        torch.testing.assert_close(layer.grid[:, 0], low - 0.01 * (high - low))
        torch.testing.assert_close(layer.grid[:, -1], high + 0.01 * (high - low))


def test_update_to_a_part_of_a_nested_grid_is_exact() -> None:
    # The new grid -1, -0.5, .., 1 holds every breakpoint the old one, -2, -1, .., 2, has in that range.
    model = make([1, 2], grid_size=4, grid_range=(-2.0, 2.0))
    x = torch.linspace(-1, 1, 100, dtype=torch.float64)[:, None]
    before = model(x).detach()
    update_grid(model, x, margin=0.0)
    torch.testing.assert_close(model.layers[0].grid[0], torch.linspace(-1, 1, 5).double())
    torch.testing.assert_close(model(x), before, rtol=1e-8, atol=1e-8)


def test_an_optimizer_goes_on_after_an_update() -> None:
    model, x = make([2, 2, 1]), points(200, 2)
    y = torch.sin(3 * x[:, :1]) * x[:, 1:]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def step() -> float:
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    for _ in range(5):
        step()
    update_grid(model, x)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()}
    assert {id(p) for p in optimizer.state} <= held and optimizer.state[model.layers[0].coefficients]["step"] == 5
    losses = [step() for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_constant_columns_and_single_rows(knots: str) -> None:
    for value in (0.0, 5.0, -1e-9, 1e6):
        model = KAN([2, 1], knots=knots)
        x = torch.stack([torch.full((20,), value), torch.linspace(0, 1, 20)], 1)
        update_grid(model, x)
        assert (model.layers[0].grid.diff(dim=1) > 0).all() and model(x).isfinite().all()
        update_grid(model, x[:1])
        assert (model.layers[0].grid.diff(dim=1) > 0).all() and model(x).isfinite().all()


@pytest.mark.parametrize(
    "x", [torch.zeros(0, 2), torch.tensor([[0.0, float("nan")]]), torch.tensor([[float("inf"), 0]])]
)
def test_rows_that_cannot_be_used_are_said(x: Tensor) -> None:
    model = KAN([2, 1])
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InputError, match="Remove the bad rows"):
        update_grid(model, x)
    assert torch.equal(model.state_dict()["layers.0.grid"], before["layers.0.grid"])


def test_leading_dimensions_and_selected_inputs() -> None:
    model = KAN([1, 1], in_features=2, input_index=[1])
    update_grid(model, torch.stack([torch.full((3, 4), 99.0), torch.linspace(0, 2, 12).view(3, 4)], -1), margin=0.0)
    torch.testing.assert_close(model.layers[0].grid[0, [0, -1]], torch.tensor([0.0, 2.0]))
    assert isinstance(model.layers[0], KANLayer)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_ranges_at_the_ends_of_the_floats(dtype: torch.dtype, knots: str) -> None:
    info, place = torch.finfo(dtype), torch.linspace(-1, 1, 50, dtype=dtype)[:, None].expand(-1, 2)
    for size in (info.smallest_normal, 1e2 * info.tiny, 1e6 * info.tiny, info.max / 20):
        model = KAN([2, 2, 1], knots=knots, dtype=dtype)
        update_grid(model, size * place)
        assert all((layer.grid.diff(dim=1) > 0).all() for layer in model.layers)
        assert all(layer.grid.isfinite().all() for layer in model.layers) and model(size * place).isfinite().all()
    model = KAN([2, 1], knots=knots, dtype=dtype)
    for x in (0.9 * info.max * place, torch.full((5, 2), info.max, dtype=dtype)):
        with pytest.raises(InputError, match="Rescale"):
            update_grid(model, x)
