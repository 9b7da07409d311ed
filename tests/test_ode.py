"""KAN-ODE: the contract, linear fields against the matrix exponential, gradients, and rows that stay apart."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor, nn

from kanlib import KAN
from kanlib.architectures.ode import KANODE, rk4
from kanlib.architectures.ode_derivatives import smooth_derivatives
from kanlib.errors import InputError

T = torch.linspace(0.0, 1.0, 3, dtype=torch.float64)


class Solved(nn.Module):
    """A KAN-ODE at three times that belong to all rows."""

    def __init__(self, ode: KANODE) -> None:
        super().__init__()
        self.ode = ode

    def forward(self, y0: Tensor) -> Tensor:
        solution: Tensor = self.ode(y0, T.to(y0) if isinstance(y0, Tensor) else T)
        return solution


class TestKANODE(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return Solved(KANODE([2, (2, 1), 2], **{"grid_size": 3, **options}))

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 2, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3, 2)


class TestKANODEWithTime(TestKANODE):
    def make(self, **options: Any) -> nn.Module:
        return Solved(KANODE([3, 2], time_dependent=True, substeps=2, **{"grid_size": 3, **options}))


class TestKANODEAdaptive(TestKANODE):
    """torchdiffeq's adaptive steps: rows that are solved one by one do not see each other either."""

    def make(self, **options: Any) -> nn.Module:
        return Solved(KANODE([2, (2, 1), 2], method="dopri5", rtol=1e-4, atol=1e-5, **{"grid_size": 3, **options}))

    # How many steps are taken depends on the values: there is no graph of them all, and none without values (the
    # device "meta"). Gradients take the steps as constants; they are compared below, to the tolerance.
    test_compiles_in_one_piece = None  # type: ignore[assignment]
    test_device = None  # type: ignore[assignment]
    test_gradients_are_right = None  # type: ignore[assignment]


def linear_field(matrix: Tensor) -> KAN:
    """A KAN with f(y) = matrix @ y, every edge fixed to the primitive x."""
    field = KAN([len(matrix), len(matrix)], dtype=torch.float64)
    for j, row in enumerate(matrix.tolist()):
        for i, value in enumerate(row):
            field.layers[0].fix_edge(i, j, "identity", (1.0, 0.0, value, 0.0, 1.0))
    return field


@pytest.mark.parametrize(
    "settings",
    [
        {"substeps": 20},
        {"method": "dopri5", "rtol": 1e-10, "atol": 1e-12},
        {"method": "dopri5", "rtol": 1e-10, "atol": 1e-12, "adjoint": True},
        {"method": "dopri8", "rtol": 1e-10, "atol": 1e-12, "per_row": False},
    ],
)
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_linear_field_is_solved_by_the_matrix_exponential(settings: Any, direction: float) -> None:
    matrix = torch.tensor([[-0.3, 2.0], [-1.0, 0.1]], dtype=torch.float64)
    model = KANODE(linear_field(matrix), **settings)
    y0 = torch.tensor([[1.0, 0.5], [-2.0, 0.3], [0.0, 1.0]], dtype=torch.float64)
    t = direction * torch.tensor([0.0, 0.4, 1.0, 1.7], dtype=torch.float64)
    expected = torch.stack([y0 @ torch.linalg.matrix_exp(matrix * time).T for time in t], dim=1)
    torch.testing.assert_close(model(y0, t), expected, atol=1e-6, rtol=1e-6)


def test_rk4_is_of_order_four() -> None:
    """Half the step, a sixteenth of the error."""
    y0 = torch.tensor([[0.4, -0.3]], dtype=torch.float64)
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    few, more, many = (rk4(lambda t, y: torch.sin(3 * y.flip(-1)) + t, y0, t, n)[0, -1] for n in (4, 8, 256))
    assert 12 < float((few - many).norm() / (more - many).norm()) < 22


def test_time_is_the_last_input() -> None:
    """dy/dt = t: y = y0 + t^2 / 2, exactly by a method of order four."""
    field = KAN([2, 1], dtype=torch.float64)
    field.layers[0].mask_edge(0, 0)
    field.layers[0].fix_edge(1, 0, "identity", (1.0, 0.0, 1.0, 0.0, 1.0))
    t = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    y = KANODE(field, time_dependent=True)(torch.ones(1, 1, dtype=torch.float64), t)
    torch.testing.assert_close(y[0, :, 0], 1 + t**2 / 2)


@pytest.mark.parametrize("settings", [{}, {"method": "dopri5"}])
def test_gradients_in_start_times_and_weights(settings: Any) -> None:
    model = KANODE([2, 2], grid_size=3, dtype=torch.float64, **settings)
    y0 = torch.tensor([[0.4, -0.3], [0.1, 0.6]], dtype=torch.float64, requires_grad=True)
    names, weights = zip(*((n, p) for n, p in model.named_parameters() if p.requires_grad))

    def solve(y0: Tensor, t: Tensor, *weights: Tensor) -> Tensor:
        return torch.func.functional_call(model, dict(zip(names, weights)), (y0, t))

    # Steps that torchdiffeq chooses move with the weights; it takes them as constants.
    t = T.clone().requires_grad_(not settings)
    loose = {"atol": 1e-5, "rtol": 1e-4} if settings else {}
    assert torch.autograd.gradcheck(solve, (y0, t, *weights), fast_mode=True, **loose)


def test_the_adjoint_gives_the_gradients_of_backpropagation() -> None:
    found = []
    for adjoint in (False, True):
        model = KANODE([2, 3, 2], method="dopri5", rtol=1e-9, atol=1e-10, adjoint=adjoint, dtype=torch.float64)
        y0 = torch.tensor([[0.4, -0.3], [0.1, 0.6]], dtype=torch.float64, requires_grad=True)
        model(y0, T).square().sum().backward()
        assert y0.grad is not None
        found.append([y0.grad, *(layer.coefficients.grad for layer in model.field.layers)])
    for direct, adjoint_gradient in zip(*found, strict=True):
        torch.testing.assert_close(adjoint_gradient, direct, atol=1e-6, rtol=1e-5)


def test_a_shared_adaptive_step_lets_rows_see_each_other_within_the_tolerance() -> None:
    """Why per_row is the default: the contract fails for the faster choice."""
    y0 = torch.tensor([[0.01, 0.01], [3.0, -4.0]], dtype=torch.float64)
    field = KAN([2, 4, 2], dtype=torch.float64)
    change = {}
    for per_row in (True, False):
        model = KANODE(field, method="dopri5", rtol=1e-3, atol=1e-4, per_row=per_row)
        change[per_row] = float((model(y0, 5 * T)[0] - model(y0[:1], 5 * T)[0]).detach().abs().max())
    assert change[True] == 0.0 and 0.0 < change[False] < 1e-2


def test_any_leading_shape() -> None:
    for settings in ({}, {"method": "dopri5"}):
        model = KANODE([2, 2], dtype=torch.float64, **settings)
        y0 = torch.rand(3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(model(y0, T)[1, 1], model(y0[1, 1], T))
        torch.testing.assert_close(model(y0, T[:1])[:, :, 0], y0)


def test_smooth_derivatives_of_a_sine() -> None:
    t = torch.linspace(0, 6, 60, dtype=torch.float64)
    truth = torch.stack([t.cos(), -t.sin()], dim=1)
    exact = smooth_derivatives(t, torch.stack([t.sin(), t.cos()], dim=1))
    torch.testing.assert_close(exact.derivatives, truth, atol=2e-5, rtol=0)
    noise = 1e-2 * torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    smooth = smooth_derivatives(t, torch.stack([t.sin(), t.cos()], dim=1) + noise, noise=[1e-2, 1e-2])
    inner = slice(2, -2)
    error = (smooth.derivatives - truth)[inner].square().mean().sqrt()
    estimate = smooth.errors[inner].square().mean().sqrt()
    assert float(error) < 0.05 and float(error) / 3 < float(estimate) < 3 * float(error)


@pytest.mark.parametrize(
    ("t", "y", "noise", "message"),
    [
        (T, T[:, None], 0.0, "at least 6"),
        (torch.arange(8.0), torch.zeros(8), 0.0, r"\(T, n\)"),
        (torch.arange(8.0).flip(0), torch.zeros(8, 1), 0.0, "increasing"),
        (torch.arange(8.0), torch.zeros(8, 1), -1.0, "zero or more"),
    ],
)
def test_wrong_trajectories_are_named(t: Tensor, y: Tensor, noise: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        smooth_derivatives(t, y, noise)


def test_wrong_arguments_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="the same number"):
        KANODE([2, 3])
    with pytest.raises(InputError, match="one input more"):
        KANODE([2, 2], time_dependent=True)
    with pytest.raises(InputError, match="'rk5' is not known"):
        KANODE([2, 2], method="rk5")
    with pytest.raises(InputError, match="adjoint needs an adaptive method"):
        KANODE([2, 2], adjoint=True)
    with pytest.raises(InputError, match="substeps=0"):
        KANODE([2, 2], substeps=0)
    with pytest.raises(InputError, match="options with widths only"):
        KANODE(KAN([2, 2]), grid_size=3)
    for t in (torch.zeros(2, 2), torch.zeros(0), torch.zeros(3, dtype=torch.float64)):
        with pytest.raises(InputError, match="expected"):
            KANODE([2, 2])(torch.zeros(1, 2), t)
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(InputError, match=r'pip install "kanlib\[ode\]"'):
        KANODE([2, 2], method="dopri5")
    KANODE([2, 2])(torch.zeros(1, 2), torch.zeros(2))  # fixed steps need nothing
