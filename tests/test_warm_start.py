"""Where Gauss-Newton starts from, and how a fit behaves where there were no data."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from kanlib import KAN, fit
from kanlib.gauss_newton import gauss_newton
from kanlib.jacobian import plan
from kanlib.quadratic import difference_rows
from kanlib.warm_start import additive_start

F64 = torch.float64


def table(n: int, d: int = 2, seed: int = 0) -> Tensor:
    return 2 * torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64) - 1


def law(X: Tensor) -> Tensor:
    return torch.exp(torch.sin(torch.pi * X[:, 0]) + X[:, 1] ** 2)


def network(seed: int = 0, widths: tuple[int, ...] = (2, 1, 1), **kwargs: object) -> KAN:
    return KAN(list(widths), generator=torch.Generator().manual_seed(seed), dtype=F64, **kwargs)


@pytest.mark.parametrize("seed", range(4))
def test_a_link_of_a_sum_is_found_from_any_start(seed: int) -> None:
    X = table(1000, seed=seed)
    result = fit(network(seed), X, law(X), progress=False)
    assert result.train_loss**0.5 < 0.01 * float(law(X).std())


def test_new_rows_beyond_the_old_ones_are_predicted_as_well() -> None:
    X, new = table(1000), table(5000, seed=1)
    model = network(degree=5)
    fit(model, X, law(X), grid_schedule=[5, 10, 20], progress=False)
    hidden, seen = model.activations(new)[1], model.activations(X)[1]
    beyond = ((hidden < seen.amin(0)) | (hidden > seen.amax(0))).any(1)
    assert beyond.any()
    assert float((model(new)[:, 0] - law(new))[beyond].detach().abs().max()) < 1e-4


def test_a_trained_network_keeps_its_start() -> None:
    X = table(500)
    model = network()
    fit(model, X, law(X), progress=False)
    before = copy.deepcopy(model.state_dict())
    assert not additive_start(model, X, law(X))
    for name, value in model.state_dict().items():
        assert value == before[name] if isinstance(value, dict) else torch.equal(value, before[name])


def test_what_the_additive_start_leaves_alone() -> None:
    X = table(200)
    assert not additive_start(network(widths=(2, 1)), X, law(X))
    masked = network()
    masked.layers[0].mask_edge(0, 0)
    assert not additive_start(masked, X, law(X))
    products = KAN([2, (0, 1), 1], dtype=F64)
    assert not additive_start(products, X, law(X))


def test_the_start_is_never_worse_than_the_additive_fit_of_several_outputs() -> None:
    X = table(400)
    y = torch.stack([law(X), -2 * law(X)], dim=1)
    model = network(widths=(2, 1, 2))
    assert additive_start(model, X, y)
    additive = network(widths=(2, 2))
    assert gauss_newton(model, X, y, max_steps=0).loss < gauss_newton(additive, X, y).loss


@pytest.mark.parametrize("degree", [0, 1, 3, 5])
def test_differences_vanish_for_polynomials_only(degree: int) -> None:
    model = network(widths=(1, 1), grid_size=6, degree=degree, base=None)
    layer = model.layers[0]
    rows = difference_rows(plan(model)[0])
    assert rows.shape == (6 - 1, 6 + degree)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(5, dtype=F64))
    x = torch.linspace(-1, 1, 200, dtype=F64)[:, None]
    gauss_newton(model, x, (x[:, 0] + 0.3) ** degree)
    assert float((rows @ layer.coefficients.detach()[0, 0]).abs().max()) < 1e-7
    gauss_newton(model, x, torch.sin(9 * x[:, 0]))
    assert float((rows @ layer.coefficients.detach()[0, 0]).abs().max()) > 1e-3
