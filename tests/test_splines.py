"""Splines against scipy's BSpline, against their definitions, and against autograd's own checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from kanlib.breakpoints import data_range, quantile_grid, uniform_grid
from kanlib.errors import InputError
from kanlib.polynomials import extended_knots, free_pieces, two_scale
from kanlib.splines import basis, curves, evaluate, fit_coefficients, refine, roughness_matrix

DEGREES = range(6)
KNOTS = ["uniform", "free"]
RULES = ["linear", "constant", "zero"]


def make_grid(knots: str, grid_size: int = 6, seed: int = 0) -> Tensor:
    """Two inputs with ranges of their own, float64."""
    if knots == "uniform":
        ends = torch.tensor([[-1.3, 0.5], [2.0, 11.0]], dtype=torch.float64)
        return uniform_grid(ends[0], ends[1], grid_size)
    widths = torch.rand(2, grid_size + 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.cumsum(0.05 + widths**2, dim=1)


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def inside(grid: Tensor, n: int) -> Tensor:
    share = torch.linspace(0.0, 1.0, n, dtype=grid.dtype)
    return torch.lerp(grid[:, 0], grid[:, -1], share[:, None])


def around(grid: Tensor, n: int, seed: int = 3) -> Tensor:
    """Points inside and on both sides of the grid, off the breakpoints."""
    share = torch.rand(n, 2, dtype=grid.dtype, generator=torch.Generator().manual_seed(seed)) * 2 - 0.5
    return torch.lerp(grid[:, 0], grid[:, -1], share)


@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_values_and_derivatives_agree_with_scipy(degree: int, knots: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    coefficients = random(1, 2, 6 + degree)
    x = inside(grid, 200)  # both ends included
    for derivative in range(degree + 2):
        ours = curves(x, grid, coefficients, degree, derivative=derivative, uniform=uniform)[:, 0]
        for i in range(2):
            spline = BSpline(extended_knots(grid, degree)[i].numpy(), coefficients[0, i].numpy(), degree)
            theirs = torch.zeros(200, dtype=torch.float64)
            if derivative <= degree:
                theirs = torch.from_numpy(spline(x[:, i].numpy(), nu=derivative))
            # The very end belongs to the last cell, where scipy takes the next one for degree 0 and top derivatives.
            points = slice(None) if derivative < degree else slice(None, -1)
            scale = max(1.0, float(theirs.abs().max()))
            torch.testing.assert_close(ours[points, i] / scale, theirs[points] / scale, rtol=0, atol=1e-12)


@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_float32_is_as_close_as_rounding_allows(degree: int, knots: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    x = inside(grid, 101)
    exact = basis(x, grid, degree, uniform=uniform)
    rough = basis(x.float(), grid.float(), degree, uniform=uniform)
    assert rough.dtype == torch.float32
    if degree:  # degree 0 jumps at breakpoints, where rounding decides
        torch.testing.assert_close(rough.double(), exact, rtol=0, atol=1e-4)
    torch.testing.assert_close(rough.sum(-1), torch.ones(101, 2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_gradients_of_first_and_second_order(degree: int, knots: str, rule: str) -> None:
    grid, uniform = make_grid(knots, 3), knots == "uniform"
    x = around(grid, 6).requires_grad_()
    coefficients = random(2, 2, 3 + degree).requires_grad_()

    def function(x: Tensor, coefficients: Tensor) -> Tensor:
        return evaluate(x, grid, coefficients, degree, extrapolate=rule, uniform=uniform)

    assert gradcheck(function, (x, coefficients))
    assert gradgradcheck(function, (x, coefficients))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_derivatives_asked_for_are_those_of_autograd(degree: int, knots: str, rule: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    x = around(grid, 40).requires_grad_()
    coefficients = random(1, 2, 6 + degree)
    value = evaluate(x, grid, coefficients, degree, extrapolate=rule, uniform=uniform).sum()
    for derivative in range(1, 4):
        if value.requires_grad:  # of a constant torch takes no gradient
            (value,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        else:
            value = torch.zeros_like(x)
        ours = curves(x, grid, coefficients, degree, derivative=derivative, extrapolate=rule, uniform=uniform)
        torch.testing.assert_close(ours[:, 0], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_rules_outside_the_grid(degree: int, knots: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    coefficients = random(1, 2, 6 + degree)

    def at(x: Tensor, rule: str, derivative: int = 0) -> Tensor:
        return curves(
            x,
            grid,
            coefficients,
            degree,
            derivative=derivative,
            extrapolate=rule,
            uniform=uniform,  # type: ignore
        )[:, 0]

    for end, side in ((grid[:, 0], -1), (grid[:, -1], 1)):
        beyond = (end + side * torch.tensor([[0.1], [3.0], [50.0]]).double()).expand(3, 2)
        value, slope = at(end[None], "linear"), at(end[None], "linear", 1)
        line = value + slope * (beyond - end)
        torch.testing.assert_close(at(beyond, "linear"), line, rtol=1e-11, atol=1e-10)
        torch.testing.assert_close(at(beyond, "linear", 1), slope.expand(3, 2), rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(at(beyond, "constant"), value.expand(3, 2), rtol=1e-11, atol=1e-11)
        for rule, derivative in (("linear", 2), ("constant", 1), ("zero", 0), ("zero", 1)):
            assert not at(beyond, rule, derivative).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_every_float_is_finite_and_nan_stays_nan(degree: int, knots: str, rule: str) -> None:
    inf = float("inf")
    for dtype in (torch.float32, torch.float64):
        huge = torch.finfo(dtype).max
        grid = make_grid(knots).to(dtype)
        x = torch.tensor([inf, -inf, huge, -huge, 3e38, 1e30, -1e20, 1e-45, 0.0], dtype=dtype)
        x = x[:, None].repeat(1, 2).requires_grad_()
        for derivative in range(3):
            values = basis(
                x,
                grid,
                degree,
                derivative=derivative,
                extrapolate=rule,
                uniform=knots == "uniform",  # type: ignore
            )
            assert values.isfinite().all()
            (slope,) = torch.autograd.grad(values.sum(), x)
            assert slope.isfinite().all()
        nan = torch.full((1, 2), float("nan"), dtype=dtype)
        values = basis(nan, grid, degree, extrapolate=rule, uniform=knots == "uniform")  # type: ignore
        assert values.isnan().any(-1).all()


@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 0, 3), (2, 3, 4)])
def test_any_leading_dimensions(shape: tuple[int, ...], knots: str) -> None:
    grid = make_grid(knots)
    x = torch.rand(*shape, 2, dtype=torch.float64) * 3
    values = basis(x, grid, 3, uniform=knots == "uniform")
    assert values.shape == (*shape, 2, 9)
    flat = basis(x.reshape(-1, 2), grid, 3, uniform=knots == "uniform")
    torch.testing.assert_close(values.reshape(-1, 2, 9), flat, rtol=0, atol=1e-15)


def test_basis_is_local_positive_and_sums_to_one() -> None:
    for knots in KNOTS:
        grid = make_grid(knots)
        for degree in DEGREES:
            values = basis(inside(grid, 77), grid, degree, uniform=knots == "uniform")
            assert (values >= -1e-14).all() and ((values != 0).sum(-1) <= degree + 1).all()
            torch.testing.assert_close(values.sum(-1), torch.ones(77, 2).double(), rtol=0, atol=1e-13)


def test_free_knots_at_equal_distances_are_the_uniform_case() -> None:
    grid = make_grid("uniform")
    x = around(grid, 60)
    for degree in DEGREES:
        torch.testing.assert_close(
            basis(x, grid, degree, uniform=True), basis(x, grid, degree, uniform=False), rtol=0, atol=1e-11
        )


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, in jvp
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("knots", KNOTS)
def test_torch_func(knots: str, rule: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    coefficients = random(1, 2, 9)
    x = around(grid, 12)

    def function(point: Tensor) -> Tensor:
        return evaluate(point, grid, coefficients, 3, extrapolate=rule, uniform=uniform)[0]  # type: ignore

    torch.testing.assert_close(torch.func.vmap(function)(x), torch.stack([function(p) for p in x]))
    for_each = torch.func.vmap(torch.func.hessian(function))(x)
    one_by_one = torch.stack([torch.autograd.functional.hessian(function, p) for p in x])
    torch.testing.assert_close(for_each, one_by_one, rtol=1e-10, atol=1e-10)
    backward, forward = torch.func.jacrev(function), torch.func.jacfwd(function)
    torch.testing.assert_close(torch.func.vmap(backward)(x), torch.func.vmap(forward)(x))


@pytest.mark.parametrize("factor", [1, 2, 3, 7])
@pytest.mark.parametrize("degree", DEGREES)
def test_refinement_is_exact(degree: int, factor: int) -> None:
    grid = make_grid("uniform")
    coefficients = random(3, 2, 6 + degree)
    fine, fine_grid = refine(coefficients, grid, degree, factor)
    assert fine.shape == (3, 2, 6 * factor + degree) and fine_grid.shape == (2, 6 * factor + 1)
    x = around(grid, 200)
    for derivative in range(min(degree, 2) + 1):
        old = curves(x, grid, coefficients, degree, derivative=derivative, uniform=True)
        new = curves(x, fine_grid, fine, degree, derivative=derivative, uniform=True)
        torch.testing.assert_close(new, old, rtol=1e-11, atol=1e-11 * factor**derivative)


def test_two_scale_factors_sum_to_the_factor() -> None:
    for degree in DEGREES:
        for factor in (1, 2, 5):
            assert sum(two_scale(degree, factor)) == pytest.approx(factor, rel=1e-14)


@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_roughness_is_the_integral_of_the_squared_second_derivative(degree: int, knots: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    coefficients = random(1, 2, 6 + degree)
    matrix = roughness_matrix(grid, degree, uniform=uniform)
    ours = torch.einsum("ia,iab,ib->i", coefficients[0], matrix, coefficients[0])
    # Four Gauss points a cell integrate polynomials of degree 7 exactly; the integrand has degree 2 (k - 2) <= 6.
    nodes, weights = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(4))
    width = grid[:, 1:] - grid[:, :-1]
    x = (grid[:, :-1, None] + width[..., None] * (nodes + 1) / 2).flatten(1).T
    second = curves(x, grid, coefficients, degree, derivative=2, uniform=uniform)[:, 0]
    integral = ((second**2).T.unflatten(1, (-1, 4)) * weights * width[..., None] / 2).sum((1, 2))
    torch.testing.assert_close(ours, integral, rtol=1e-8, atol=1e-12)
    assert torch.linalg.eigvalsh(matrix).min() > -1e-9 * matrix.abs().max().clamp(min=1)


@pytest.mark.parametrize("knots", KNOTS)
@pytest.mark.parametrize("degree", DEGREES)
def test_least_squares_recovers_coefficients(degree: int, knots: str) -> None:
    grid, uniform = make_grid(knots), knots == "uniform"
    coefficients = random(3, 2, 6 + degree)
    x = inside(grid, 301)
    y = curves(x, grid, coefficients, degree, uniform=uniform)
    fitted = fit_coefficients(x, y, grid, degree, uniform=uniform)
    torch.testing.assert_close(fitted, coefficients, rtol=1e-6, atol=1e-7)


def test_least_squares_with_empty_cells_is_finite_and_fits_where_there_are_points() -> None:
    grid = uniform_grid(0.0, 1.0, 10, in_features=1, dtype=torch.float64)
    x = torch.linspace(0.0, 0.3, 50, dtype=torch.float64)[:, None]
    fitted = fit_coefficients(x, torch.sin(x)[:, None, :], grid, 3, uniform=True)
    assert fitted.isfinite().all() and fitted.abs().max() < 10
    torch.testing.assert_close(evaluate(x, grid, fitted, 3, uniform=True), torch.sin(x), rtol=0, atol=1e-6)


def test_quantile_grid_follows_the_data_and_stays_increasing() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 3, generator=generator)
    x[:, 1] = x[:, 1].round()  # many ties
    x[:, 2] = 7.0
    grid = quantile_grid(x, 8, margin=0.1)
    assert grid.shape == (3, 9) and (grid.diff(dim=1) > 0).all()
    counts = torch.histogram(x[:, 0], grid[0].contiguous()).hist
    assert counts.min() > 50
    low, high = data_range(x, 0.1)
    torch.testing.assert_close(grid[:, 0], low)
    torch.testing.assert_close(grid[:, -1], high)
    assert low[2] < 7 < high[2]


def test_free_pieces_join_smoothly() -> None:
    grid = make_grid("free")
    pieces = free_pieces(grid, 3)
    for p, reach in ((0, pieces.sum(2)), (1, (pieces * torch.arange(4.0)[:, None]).sum(2))):
        width = (grid[:, 1:] - grid[:, :-1])[..., None] ** p
        left, right = reach / width, pieces[:, :, p] / width
        torch.testing.assert_close(left[:, :-1, 1:], right[:, 1:, :-1], rtol=1e-10, atol=1e-12)


def test_what_is_wrong_is_said() -> None:
    grid = make_grid("uniform")
    with pytest.raises(InputError, match="degree 6 is not supported"):
        basis(torch.zeros(1, 2).double(), grid, 6, uniform=True)
    with pytest.raises(InputError, match="'linear', 'constant', 'zero'"):
        basis(torch.zeros(1, 2).double(), grid, 3, extrapolate="cubic", uniform=True)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"\(in_features, G \+ 1\)"):
        basis(torch.zeros(1, 2).double(), grid[0], 3, uniform=True)
    with pytest.raises(InputError, match="grid_size 0"):
        uniform_grid(0.0, 1.0, 0)
    with pytest.raises(InputError, match="low < high"):
        uniform_grid(1.0, 1.0, 5)
    with pytest.raises(InputError, match="factor 0"):
        refine(torch.zeros(1, 2, 9).double(), grid, 3, 0)
    with pytest.raises(InputError, match=r"expected x \(n, in\)"):
        fit_coefficients(torch.zeros(5, 2).double(), torch.zeros(5, 2).double(), grid, 3, uniform=True)
