"""The edge-structured Jacobian against autograd, and the solver against least squares it must agree with."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.interpolate import make_lsq_spline
from torch import Tensor

from kanlib.gauss_newton import gauss_newton
from kanlib.grids import update_grid
from kanlib.jacobian import jacobian, plan, sensitivities, trace
from kanlib.network import KAN
from kanlib.warm_start import additive_start

F64 = torch.float64
ARCHITECTURES = [
    [2, 1],
    [2, 3, 2],
    [3, (1, [2, 3]), 2],
    [2, (0, [2, 2]), (1, 1), 1],
    [2, 2, (1, 1)],
]


def _table(n: int, d: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64) - 1


def _network(widths: list, base: str | None, seed: int = 1) -> KAN:
    generator = torch.Generator().manual_seed(seed)
    model = KAN(widths, grid_size=4, base=base, generator=generator, dtype=F64)
    with torch.no_grad():
        for layer in model.layers:
            layer.coefficients.normal_(0, 0.5, generator=generator)
            layer.bias.normal_(0, 0.3, generator=generator)
    return model


@pytest.mark.parametrize("widths", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("base", [None, "silu"])
def test_jacobian_equals_finite_autograd(widths: list, base: str | None) -> None:
    model = _network(widths, base)
    first, last = model.layers[0], model.layers[-1]
    first.fix_edge(0, 0, "sin", (1.3, 0.2, 0.7, 0.1, 1.0))
    last.fix_edge(0, 0, "power", (0.1, 3.0, 0.5, 0.2, 1.7))
    if first.out_features > 1:
        first.mask_edge(1, 1)
    X = _table(6, 2 if widths[0] == 2 else 3)
    plans = plan(model)
    blocks = jacobian(model, plans, trace(model, X))
    start = [p.pack() for p in plans]
    for depth, p in enumerate(plans):

        def outputs(values: Tensor, p=p) -> Tensor:
            p.unpack(values)
            with torch.no_grad():
                return model(X).T

        step = 1e-6
        for k in range(p.n_constants):
            shift = torch.zeros(p.n_constants, dtype=F64)
            shift[k] = step
            numeric = (outputs(start[depth] + shift) - outputs(start[depth] - shift)) / (2 * step)
            torch.testing.assert_close(blocks[depth][:, :, k], numeric, rtol=1e-5, atol=1e-7)
        p.unpack(start[depth])


def test_sensitivities_equal_autograd_of_the_hidden_values() -> None:
    model = _network([2, (2, [2]), 2], None)
    X = _table(5, 2)
    passed = trace(model, X)
    found = sensitivities(model, plan(model), passed)[0]

    def rest(subnodes: Tensor) -> Tensor:
        product = subnodes[2] * subnodes[3]
        return model.layers[1](torch.stack([subnodes[0], subnodes[1], product]))

    for row in range(len(X)):
        expected = torch.func.jacrev(rest)(passed.subnodes[0][row])
        torch.testing.assert_close(found[:, row], expected)


def test_pack_and_unpack_are_inverse() -> None:
    model = _network([3, (1, [2]), 1], "silu")
    model.layers[0].fix_edge(1, 0, "exp")
    plans = plan(model)
    values = [torch.arange(p.n_constants, dtype=F64) for p in plans]
    for p, v in zip(plans, values, strict=True):
        p.unpack(v)
        torch.testing.assert_close(p.pack(), v)


def test_one_layer_is_the_least_squares_spline_of_scipy() -> None:
    x = _table(200, 1).sort(dim=0).values
    y = torch.sin(4 * x[:, 0]) + 0.1 * torch.randn(200, generator=torch.Generator().manual_seed(3), dtype=F64)
    model = KAN([1, 1], grid_size=6, base=None, dtype=F64)
    update_grid(model, x, margin=0.0)
    result = gauss_newton(model, x, y)
    grid = model.layers[0].grid[0]
    h = float(grid[1] - grid[0])
    knots = torch.cat([grid[:1] + h * torch.arange(-3, 0), grid, grid[-1:] + h * torch.arange(1, 4)])
    oracle = make_lsq_spline(x[:, 0].numpy(), y.numpy(), knots.numpy(), k=3)
    torch.testing.assert_close(model(x)[:, 0].detach(), torch.as_tensor(oracle(x[:, 0].numpy())), atol=1e-9, rtol=0)
    assert result.status == "converged"


def _law(X: Tensor) -> Tensor:
    return torch.exp(torch.sin(torch.pi * X[:, 0]) + X[:, 1] ** 2)


@pytest.mark.parametrize("widths", [[2, 1, 1], [2, 5, 1], [2, 3, 2, 1]], ids=str)
def test_loss_never_rises_and_falls_far(widths: list) -> None:
    X = _table(400, 2)
    y = _law(X)
    model = KAN(widths, grid_size=6, base=None, generator=torch.Generator().manual_seed(0), dtype=F64)
    result = gauss_newton(model, X, y, max_steps=60)
    pairs = zip(result.history, result.history[1:], strict=False)
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairs)
    assert math.sqrt(result.loss) < 0.02 * float(y.std())
    assert float((model(X)[:, 0] - y).detach().square().mean()) == pytest.approx(result.loss, rel=1e-6)


def test_sum_of_a_link_and_products_reach_many_digits() -> None:
    X = _table(400, 2)
    model = KAN([2, (0, [2, 2]), 1], grid_size=8, base=None, generator=torch.Generator().manual_seed(2), dtype=F64)
    with torch.no_grad():
        model.layers[0].mask.copy_(torch.eye(2, dtype=torch.bool).repeat(2, 1))
        model.layers[0].coefficients.normal_(1, 0.5, generator=torch.Generator().manual_seed(2))
        for k in range(2):
            model.layers[1].fix_edge(k, 0, "identity")
    y = X[:, 0] * X[:, 1] + torch.sin(X[:, 0])
    result = gauss_newton(model, X, y, max_steps=100)
    assert math.sqrt(result.loss) < 1e-3 * float(y.std())


@pytest.mark.parametrize(("grid_size", "base"), [(20, None), (200, None), (200, "silu"), (200, "identity")])
def test_cells_without_data_do_not_explode(grid_size: int, base: str | None) -> None:
    # A row 1e-14 behind a knot "sees" a spline of 1e-39, next to splines that no row sees at all.
    x = torch.cat([torch.linspace(-0.6, -0.2, 100, dtype=F64), torch.linspace(0.1 + 1e-14, 0.2, 50, dtype=F64)])[
        :, None
    ]
    y = torch.exp(-300 * (x[:, 0] + 0.4) ** 2)
    model = KAN([1, 1], grid_size=grid_size, base=base, generator=torch.Generator().manual_seed(1), dtype=F64)
    assert gauss_newton(model, x, y).loss < 0.05**2
    everywhere = model(torch.linspace(-1, 1, 500, dtype=F64)[:, None]).detach()
    assert float(everywhere.abs().max()) < 5


def test_integer_weights_repeat_rows() -> None:
    X, y = _table(60, 2), _law(_table(60, 2))
    weight = (torch.arange(60) % 3).to(F64)
    rows = torch.arange(60).repeat_interleave(weight.long())
    fits = []
    for table, target, w in ((X, y, weight), (X[rows], y[rows], None)):
        model = KAN([2, 1], grid_size=3, base=None, dtype=F64)
        gauss_newton(model, table, target, sample_weight=w)
        fits.append(model(X).detach())
    torch.testing.assert_close(fits[0], fits[1], atol=1e-8, rtol=0)


def test_roughness_makes_curves_straighter() -> None:
    x = _table(80, 1)
    y = x[:, 0] + 0.3 * torch.randn(80, generator=torch.Generator().manual_seed(1), dtype=F64)
    energies = []
    for roughness in (0.0, 1e-3, 1e3):
        model = KAN([1, 1], grid_size=15, base=None, dtype=F64)
        gauss_newton(model, x, y, roughness=roughness)
        points = torch.linspace(-0.9, 0.9, 200, dtype=F64)[:, None]
        with torch.no_grad():
            low, middle, high = (model(points + shift)[:, 0] for shift in (-1e-3, 0.0, 1e-3))
        energies.append(float(((low - 2 * middle + high) / 1e-6).square().mean()))
    assert energies[0] > 10 * energies[1] > 10 * energies[2]
    assert energies[2] < 1e-6


def test_constants_of_fixed_edges_are_fitted() -> None:
    x = _table(100, 1)
    y = 2 * torch.exp(1.5 * x[:, 0]) - 0.5
    model = KAN([1, 1], base=None, dtype=F64)
    model.layers[0].fix_edge(0, 0, "exp", (1.0, 0.0, 1.0, 0.0, 1.0))
    result = gauss_newton(model, x, y)
    assert result.loss < 1e-20
    assert model.layers[0].edge_constants[0, 0, 0].item() == pytest.approx(1.5, abs=1e-8)


def test_a_start_outside_the_domain_is_reported_and_nothing_is_lost() -> None:
    x = _table(50, 1)
    model = KAN([1, 1], base=None, dtype=F64)
    model.layers[0].fix_edge(0, 0, "log")
    before = {k: v.clone() for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    result = gauss_newton(model, x, x[:, 0])
    assert result.status == "diverged" and "domain" in result.message
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            torch.testing.assert_close(value, before[name])


def test_the_callback_can_stop_and_float32_works() -> None:
    X = _table(200, 2).float()
    y = _law(X)
    seen: list[float] = []
    model = KAN([2, 2, 1], grid_size=4)

    def stop(step: int, loss: float) -> bool:
        seen.append(loss)
        return len(seen) == 3

    result = gauss_newton(model, X, y, callback=stop)
    assert result.status == "stopped" and len(seen) == 3
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_a_hidden_node_does_not_drift_away() -> None:
    """The output ignores the offset of a sum that enters a solved layer; from 1e9 its values would lose nine digits."""
    X = 2 * torch.rand(400, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    y = torch.exp(X[:, 0] + X[:, 1] ** 2)
    models = []
    for offset in (0.0, 1e9):
        model = KAN([2, 1, 1], grid_size=4, base="silu", dtype=torch.float64)
        additive_start(model, X, y)
        with torch.no_grad():
            model.layers[0].coefficients[0, 1] += offset
        gauss_newton(model, X, y, max_steps=20)
        models.append(model)
    hidden = models[1].activations(X)[1]
    assert float(hidden.detach().mean().abs()) < 20 * float(hidden.detach().std())
    torch.testing.assert_close(models[1](X), models[0](X), rtol=0, atol=1e-3)


@pytest.mark.parametrize("base", [None, "silu"])
@pytest.mark.parametrize("widths", [[2, 2, 1], [2, (0, [2]), 1]])
def test_the_model_is_left_in_its_best_state(widths: list, base: str | None) -> None:
    """Nodes on another scale must not cost what was reached, with a base function or a factor's bias neither."""
    X = 2 * torch.rand(300, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    y = torch.exp(torch.sin(3 * X[:, 0]) + X[:, 1] ** 2)
    model = KAN(widths, base=base, dtype=torch.float64)
    with torch.no_grad():
        model.layers[0].coefficients.mul_(20)
        model.layers[0].bias.copy_(torch.tensor([3.0, -2.0]))
    for steps in (4, 20):
        result = gauss_newton(model, X, y, max_steps=steps)
        assert result.loss <= min(result.history) * (1 + 1e-5)
        assert result.loss == pytest.approx(float((model(X)[:, 0] - y).detach().square().mean()), rel=1e-9)
