"""Gauss-Newton on residuals: the assembled Jacobian is torch's own, and differential equations are solved."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from kanlib import KAN, DataWarning, InputError, InputTypeError
from kanlib.derivatives import Derivatives
from kanlib.jacobian import plan
from kanlib.residual_problem import Residuals
from kanlib.residuals import Condition, fit_residuals

F64 = torch.float64
NETWORKS: dict[str, dict[str, Any]] = {
    "one layer": {"widths": [3, 2]},
    "deep": {"widths": [3, 2, 2, 1], "base": None},
    "products": {"widths": [3, (1, (2, 3)), (0, 1)], "base": "tanh"},
    "free knots, degree 2": {"widths": [3, 2, 1], "knots": "free", "degree": 2},
    "some columns": {"widths": [2, 2, 1], "in_features": 3, "input_index": [0, 2]},
}


def network(seed: int = 1, **config: Any) -> KAN:
    rng = torch.Generator().manual_seed(seed)
    model = KAN(dtype=F64, generator=rng, **config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng, dtype=F64))
    return model


def points(n: int = 25, d: int = 3) -> Tensor:
    return 2 * torch.rand(n, d, generator=torch.Generator().manual_seed(2), dtype=F64) - 1


def mixed(u: Derivatives, x: Tensor) -> Tensor:
    """A nonlinear equation of everything there is, in two columns."""
    assert u.second is not None
    bend = u.second.flatten(1).sum(1)
    value, slope = u.value.sum(1), u.gradient.flatten(1)
    return torch.stack([bend * value + slope.square().sum(1) - x[:, 0], torch.sin(value) * slope[:, -1]], dim=1)


@pytest.mark.parametrize("second", ["laplacian", "hessian"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_jacobian_is_torchs(name: str, second: Any) -> None:
    model = network(**NETWORKS[name])
    if name == "deep":
        model.layers[0].mask_edge(1, 0)
    conditions = [
        Condition(points(), mixed, second, 0.5),
        Condition(points(7), lambda u, x: u.value[:, 0] - 1.0),
        Condition(points(9), lambda u, x: u.gradient[:, 0, 2] * u.value[:, 0]),
    ]
    problem = Residuals(model, conditions)
    start = [p.pack() for p in plan(model)]
    sizes = [len(values) for values in start]
    state = problem.at(start)
    assert state is not None
    normal, gradient, _ = problem.normal_equations(state)

    # each constant moved by a little: central differences of the residuals are the columns of the Jacobian
    columns = []
    for k in range(sum(sizes)):
        ends = []
        for sign in (1, -1):
            moved = torch.cat(start)
            moved[k] += sign * 1e-6
            shifted = problem.at(list(moved.split(sizes)))
            assert shifted is not None
            ends.append(shifted.residual)
        columns.append((ends[0] - ends[1]) / 2e-6)
    jacobian = torch.stack(columns, dim=1)
    torch.testing.assert_close(gradient, -jacobian.T @ state.residual, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(normal, jacobian.T @ jacobian, rtol=1e-5, atol=1e-6)


def grid(n: int, low: float, high: float) -> Tensor:
    return torch.linspace(low, high, n, dtype=F64)[:, None]


def test_a_nonlinear_equation_of_first_order() -> None:
    """u' = -u^2, u(0) = 1 has the solution 1/(1 + x)."""
    model = KAN([1, 1], grid_size=5, degree=5, grid_range=(0, 3), base=None, dtype=F64)
    x = grid(200, 0, 3)
    result = fit_residuals(
        model,
        [
            Condition(x, lambda u, x: u.gradient[:, 0, 0] + u.value[:, 0].square()),
            Condition(x[:1], lambda u, x: u.value[:, 0] - 1),
        ],
        grid_schedule=(5, 10, 20),
    )
    assert result.status in ("converged", "stalled")
    assert bool((model(x) - 1 / (1 + x)).abs().max() < 1e-6)


@pytest.mark.parametrize("widths", [[2, (0, 1)], [2, 5, 1]])
def test_poissons_equation(widths: list[Any]) -> None:
    """u = sin(pi x) sin(pi y): sums and products hold it, and the solution is unique."""
    inside = points(1000, 2)
    s = grid(50, -1, 1)
    edge = torch.cat([torch.cat(pair, 1) for pair in ((s, s * 0 + 1), (s, s * 0 - 1), (s * 0 + 1, s), (s * 0 - 1, s))])
    model = KAN(widths, degree=5, base=None, generator=torch.Generator().manual_seed(0), dtype=F64)

    def source(x: Tensor) -> Tensor:
        return -2 * math.pi**2 * torch.sin(math.pi * x).prod(1)

    conditions = [
        Condition(inside, lambda u, x: u.second[:, 0] - source(x), "laplacian", 0.01),
        Condition(edge, lambda u, x: u.value[:, 0]),
    ]
    fit_residuals(model, conditions, starts=6, steps=60)
    new = 0.98 * points(500, 2).flip(0)
    assert bool((model(new)[:, 0] - torch.sin(math.pi * new).prod(1)).square().mean() < 4e-6)


def test_a_condition_on_mixed_derivatives() -> None:
    """u_xy = 0 makes a product network a sum; x + y is one that fulfils the other two conditions."""
    x = points(200, 2)
    model = KAN([2, 2, 1], grid_size=3, base=None, generator=torch.Generator().manual_seed(0), dtype=F64)
    conditions = [
        Condition(x, lambda u, x: u.second[:, 0, 0, 1], "hessian"),
        Condition(x, lambda u, x: u.gradient[:, 0] - 1.0),
        Condition(x[:1] * 0, lambda u, x: u.value[:, 0]),
    ]
    assert fit_residuals(model, conditions, starts=4).loss < 1e-8
    assert bool((model(x)[:, 0] - x.sum(1)).abs().max() < 1e-3)


def test_the_callback_counts_on_and_ends_the_training() -> None:
    model = KAN([1, 1], grid_size=3, base=None, dtype=F64)
    seen: list[int] = []

    def stop(step: int, loss: float) -> bool:
        seen.append(step)
        return len(seen) == 2

    condition = Condition(grid(50, -1, 1), lambda u, x: u.value[:, 0].exp() - 1 - x[:, 0].square())
    result = fit_residuals(model, [condition], callback=stop)
    assert result.status == "stopped" and len(seen) == 2


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ([], "conditions is empty"),
        ([Condition(torch.zeros(3, dtype=F64), lambda u, x: u.value)], r"shape \(3,\)"),
        ([Condition(torch.full((3, 2), math.nan, dtype=F64), lambda u, x: u.value)], "finite"),
        ([Condition(torch.zeros(3, 2, dtype=F64), lambda u, x: u.value.mean(0))], r"shape \(1, 1\) for 3 points"),
        ([Condition(torch.zeros(30, 2, dtype=F64), lambda u, x: u.value / 0)], "not finite at the start"),
        ([Condition(torch.zeros(3, 2, dtype=F64), lambda u, x: u.value, weight=-1)], "weight"),
        ([Condition(torch.zeros(3, 2, dtype=F64), lambda u, x: u.value, "all")], "laplacian"),  # type: ignore[arg-type]
    ],
)
def test_bad_conditions_are_refused(conditions: list[Condition], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_residuals(KAN([2, 1], dtype=F64), conditions)


def test_fixed_edges_are_refused() -> None:
    model = KAN([1, 1], dtype=F64)
    model.layers[0].fix_edge(0, 0, "sin")
    with pytest.raises(InputError, match="fixed edges"):
        fit_residuals(model, [Condition(grid(5, 0, 1), lambda u, x: u.value)])


def sine(n: int = 60) -> list[Condition]:
    """u'' = -sin x on [0, pi], zero at the ends."""
    x = grid(n, 0, math.pi)
    return [
        Condition(x, lambda u, x: u.second[:, 0] + torch.sin(x[:, 0]), "laplacian"),  # type: ignore[index]
        Condition(x[[0, -1]], lambda u, x: u.value[:, 0]),
    ]


def loss(model: KAN, conditions: list[Condition]) -> float:
    with torch.no_grad():
        return sum(float(each.residuals(model)[0].square().sum()) for each in conditions)


def deep(seed: int = 0) -> KAN:
    rng = torch.Generator().manual_seed(seed)
    return KAN([1, 3, 1], grid_size=5, grid_range=(0, math.pi), base=None, generator=rng, dtype=F64)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_reached_is_kept(seed: int) -> None:
    """Grids of inner layers that move give other second derivatives, and may cost more than a few steps gain."""
    model, conditions = deep(seed), sine()
    first = fit_residuals(model, conditions, steps=40)
    assert first.loss == pytest.approx(loss(model, conditions), rel=1e-9)
    again = fit_residuals(model, conditions, steps=1)
    assert again.loss <= first.loss * (1 + 1e-9) and loss(model, conditions) <= first.loss * (1 + 1e-9)
    fit_residuals(model, conditions, steps=1, grid_schedule=(7,))
    assert loss(model, conditions) <= first.loss * (1 + 1e-9)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interruption_keeps_what_was_reached(error: type[BaseException]) -> None:
    model, conditions = deep(), sine()
    before = loss(model, conditions)

    def interrupt(step: int, loss: float) -> None:
        if step > 25:
            raise error

    if error is KeyboardInterrupt:
        assert fit_residuals(model, conditions, callback=interrupt).status == "interrupted"
    else:
        with pytest.raises(error):
            fit_residuals(model, conditions, callback=interrupt)
    assert loss(model, conditions) < before


def test_the_history_is_that_of_all_rounds() -> None:
    model, conditions = deep(), sine()
    before, seen = loss(model, conditions), []
    result = fit_residuals(model, conditions, steps=35, callback=lambda step, loss: seen.append((step, loss)))  # type: ignore[func-returns-value]
    assert result.history[0] == pytest.approx(before) and list(result.history[1:]) == [loss for _, loss in seen]
    assert result.n_steps <= 35 and [step for step, _ in seen] == sorted({step for step, _ in seen})


def test_a_start_that_is_not_finite_is_passed_over() -> None:
    model = KAN([1, 1, 1], grid_range=(0, 1), base=None, dtype=F64)
    with torch.no_grad():
        for layer in model.layers:
            layer.coefficients.copy_(torch.linspace(0.5, 1, 8, dtype=F64).expand_as(layer.coefficients))
    condition = Condition(grid(40, 0, 1), lambda u, x: torch.log(u.value[:, 0]) - x[:, 0])
    assert fit_residuals(model, [condition], starts=5).loss < 1e-6


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(grid(20, 0, 3), lambda u, x: u.value[:, 0]), "beyond the first grid"),
        (Condition(grid(20, 0, 1), lambda u, x: u.second[:, 0]), "say second="),  # type: ignore[index]
        (Condition(grid(20, 0, 1), lambda u, x: u.value - x[:, 0]), "a column met a row"),
        (Condition(grid(20, 0, 1), lambda u, x: u.value[:, 0] - u.value.mean()), "couples its rows"),
        (Condition(grid(20, 0, 1), lambda u, x: 0 * x[:, 0] + 1), "does not depend on u"),
    ],
)
def test_mistakes_are_named(condition: Condition, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_residuals(KAN([1, 1], dtype=F64), [condition])


def test_other_things_than_networks_and_conditions_are_refused() -> None:
    model, condition = KAN([1, 1], dtype=F64), Condition(grid(20, 0, 1), lambda u, x: u.value[:, 0] - 1)
    for network, conditions in ((torch.nn.Linear(1, 1), [condition]), (model, condition), (model, [(1, 2)])):
        with pytest.raises(InputTypeError):
            fit_residuals(network, conditions)  # type: ignore[arg-type]
    model.layers[0].bias.requires_grad_(False)
    with pytest.raises(InputError, match="requires_grad=False"):
        fit_residuals(model, [condition])
    with torch.no_grad():  # a caller's setting does not reach the Jacobian
        assert fit_residuals(KAN([1, 1], dtype=F64), [condition]).loss < 1e-12


def test_fewer_equations_than_constants_are_not_passed_over() -> None:
    """u' = -u at ten points: the residuals vanish there, and between them the network need not solve anything."""
    x = grid(10, 0, 1)
    conditions = [
        Condition(x, lambda u, x: u.gradient[:, 0, 0] + u.value[:, 0]),
        Condition(x[:1], lambda u, x: u.value[:, 0] - 1),
    ]
    with pytest.warns(DataWarning, match="11 equations for 13 constants"):
        fit_residuals(KAN([1, 1], grid_size=10, base=None, dtype=F64), conditions)
    with pytest.warns(DataWarning, match="11 equations for 19 constants"):
        fit_residuals(KAN([1, 1], grid_size=8, base=None, dtype=F64), conditions, grid_schedule=(8, 16))
