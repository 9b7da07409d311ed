"""Several starts: small networks with local minima reach the law's own, and a good network is not given up."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from kanlib import KAN, InputError, fit
from kanlib.grids import refine
from kanlib.starts import smooth_start

F64 = torch.float64


def table(n: int, d: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64) - 1


def network(widths: list[Any], seed: int = 0, **kwargs: Any) -> KAN:
    return KAN(widths, base=None, generator=torch.Generator().manual_seed(seed), dtype=F64, **kwargs)


def error(model: KAN, X: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((model(X)[:, 0] - y).square().mean().sqrt())


@pytest.mark.parametrize("widths", [[2, (0, 1)], [2, (0, 1), 1], [2, 2, 1]])
def test_a_product_is_found_by_every_shape_that_holds_it(widths: list[Any]) -> None:
    """xy is a polynomial of each of the shapes, so that splines of any grid hold it exactly."""
    X = table(1000, 2)
    model = network(widths)
    result = fit(model, X, X.prod(1), starts=12, progress=False)
    assert result.train_loss**0.5 < 1e-6
    new = table(1000, 2, seed=1)
    assert error(model, new, new.prod(1)) < 1e-5


def test_a_deep_network_keeps_its_grids_under_the_hidden_values() -> None:
    X = table(2000, 4)

    def law(X: Tensor) -> Tensor:
        inner = torch.pi * X.square()
        return torch.exp((torch.sin(inner[:, :2].sum(1)) + torch.sin(inner[:, 2:].sum(1))) / 2)

    model = network([4, 4, 2, 1])
    fit(model, X, law(X), starts=8, progress=False)
    assert error(model, X, law(X)) < 0.02 * float(law(X).std())
    assert max(float(outside.max()) for outside in model.out_of_grid_fraction(X)) <= 0.02


def test_a_trained_network_is_not_given_up() -> None:
    X = table(500, 2)
    y = torch.exp(X[:, 0] + X[:, 1] ** 2)
    model = network([2, 1, 1])
    fit(model, X, y, progress=False)
    before = error(model, X, y)
    fit(model, X, y, starts=4, steps=20, progress=False)
    assert error(model, X, y) <= before * (1 + 1e-9)


def test_the_same_seed_gives_the_same_network() -> None:
    X = table(300, 2)
    models = [network([2, (0, 1), 1]) for _ in range(2)]
    for model in models:
        fit(model, X, X.prod(1), starts=3, seed=5, progress=False)
    for mine, other in zip(*(model.parameters() for model in models)):
        assert torch.equal(mine, other)


def test_fixed_and_masked_edges_stay_and_a_column_that_does_not_vary_is_borne() -> None:
    model = KAN([3, 2, 1], dtype=F64)
    model.layers[0].fix_edge(0, 0, "square")
    model.layers[0].mask_edge(1, 1)
    before = copy.deepcopy(model)
    X = table(100, 3)
    X[:, 2] = 4.0
    smooth_start(model, X, torch.Generator().manual_seed(0))
    first, old = model.layers[0], before.layers[0]
    assert first.fixed_edges() == old.fixed_edges() and torch.equal(first.mask, old.mask)
    assert torch.equal(first.edge_constants, old.edge_constants)
    assert torch.equal(first.coefficients[0, 0], old.coefficients[0, 0])
    assert all(bool(layer.grid.diff(dim=1).gt(0).all()) for layer in model.layers)
    assert bool(torch.isfinite(model(X)).all())


def test_only_gauss_newton_takes_several() -> None:
    X = table(50, 2)
    with pytest.raises(InputError, match="starts is 3, but the method is 'lbfgs'"):
        fit(network([2, 1]), X, X[:, 0], method="lbfgs", starts=3, progress=False)
    with pytest.raises(InputError, match="starts is 0; expected a whole number of at least one"):
        fit(network([2, 1]), X, X[:, 0], starts=0, progress=False)


def test_a_refined_network_trains_with_any_method() -> None:
    """Its coefficients came out of a matrix product with strides that torch's L-BFGS refuses."""
    X = table(100, 2)
    model = refine(network([2, (0, 1), 1], grid_size=3), 5)
    assert all(layer.coefficients.is_contiguous() for layer in model.layers)
    fit(model, X, X.prod(1), method="lbfgs", steps=3, progress=False)


def test_grids_that_are_the_users_stay() -> None:
    X = 0.3 * (table(200, 2) + 1)
    model = network([2, 2, 1], grid_range=(-3, 3))
    fit(model, X, X.prod(1), starts=4, steps=5, update_grid=False, progress=False)
    assert model.layers[0].grid[0, [0, -1]].tolist() == [-3.0, 3.0]


def test_the_validation_rows_choose_the_start() -> None:
    X, held = table(200, 2), table(200, 2, seed=1)
    model = network([2, (0, 1), 1])
    result = fit(model, X, X.prod(1), starts=6, validation=(held, held.prod(1)), progress=False)
    assert error(model, held, held.prod(1)) < 1e-4 and result.history["validation_loss"]
