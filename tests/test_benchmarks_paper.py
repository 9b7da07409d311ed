"""The paper's tables: their mathematics is right, their claims can fail, and what must not regress holds."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.paper import poisson, scaling, special  # noqa: E402
from benchmarks.paper.__main__ import PARTS, main  # noqa: E402
from benchmarks.paper.mlp import MLPSquares, fit_mlp, perceptron  # noqa: E402
from benchmarks.paper.mlp_classes import MLPClasses, Perceptron  # noqa: E402
from benchmarks.paper.mlp_residuals import TanhNetwork, TanhSquares  # noqa: E402
from benchmarks.paper.net_training import METHODS  # noqa: E402
from benchmarks.paper.special_functions import FUNCTIONS  # noqa: E402
from benchmarks.paper.stages import exponent, uniform  # noqa: E402
from kanlib.residuals import Condition  # noqa: E402

F64 = torch.float64


@pytest.mark.parametrize("part", PARTS)
def test_what_must_not_regress(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    code = main(["--quick", "--only", part, "--threads", str(threads)])
    assert code == 0, capsys.readouterr().out


def test_tables_and_pictures_are_written(tmp_path: Path) -> None:
    threads = str(torch.get_num_threads())
    main(["--quick", "--only", "poisson", "--threads", threads, "--output", str(tmp_path)])
    with (tmp_path / "paper_poisson.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["grid"] for row in rows] == ["4", "8", "16"] and all(row["cpu"] and row["date"] for row in rows)
    assert (tmp_path / "paper_poisson.png").stat().st_size > 10_000


def test_the_exponent_is_that_of_a_power() -> None:
    numbers = [10.0, 20.0, 40.0, 80.0]
    errors = [3.0 * n**-4.0 for n in numbers]
    assert exponent(numbers, errors, below=1.0, floor=0.0) == pytest.approx(4.0)
    # what is too coarse and what is rounding does not count
    assert exponent([5.0, *numbers, 200.0], [0.9, *errors, errors[-1]], below=0.5, floor=errors[-1] * 1.01) < 4.1
    assert math.isnan(exponent(numbers, errors, below=1e-12, floor=0.0))


def _row(case: scaling.Case, grid: int, n: int, error: float) -> list[object]:
    return [case.name, "kanlib, degree 3", str(list(case.shapes[0])), 0, grid, n, error, error, 0.1, ""]


def test_scaling_claims_can_fail() -> None:
    case = scaling.CASES[1]
    for power, low, holds in ((4.0, 1e-10, True), (3.0, 1e-10, False), (4.0, 1e-8, False)):
        grids = [10, 20, 40]
        rows = [_row(case, g, g, 50.0 * g**-power) for g in grids] + [
            [case.name, "kanlib, degree 5", "[2, 1, 1]", 0, 60, 195, low, low, 0.1, ""]
        ]
        assert all(scaling.checks(rows).values()) is holds


def test_special_claims_can_fail() -> None:
    def row(name: str, error: float, n: int = 10, seconds: float = 1.0) -> list[object]:
        return [name, "kanlib", "product", 0, 5, 3, n, 20, error, seconds, 1.0, 1.0, ""]

    names = [f.call for f in FUNCTIONS]
    good = [row(f.call, f.published_kan / 20) for f in FUNCTIONS]
    assert all(special.checks(good).values())
    for bad in (row(names[3], 10.0), row(names[3], 1e-9, n=21), row(names[3], 1e-9, seconds=61.0)):
        assert not all(special.checks([*good, bad]).values())


def test_poisson_claims_can_fail() -> None:
    def row(mse: float, seconds: float) -> list[object]:
        return ["kanlib, degree 5", "[2, (0, 1)]", 0, 16, 84, mse, mse**0.5, mse**0.5, seconds, ""]

    assert all(poisson.checks([row(5e-11, 10.0)], quick=True).values())
    for bad in (row(5e-10, 10.0), row(5e-11, 70.0)):
        assert not any(poisson.checks([bad], quick=True).values())


def test_the_solution_solves_poissons_equation() -> None:
    x = uniform(20, [(-1, 1)] * 2, 0)
    one = torch.autograd.functional
    for point, slope, source in zip(x, poisson.slopes(x), poisson.source(x)):
        torch.testing.assert_close(one.jacobian(lambda p: poisson.solution(p[None])[0], point), slope)
        bends = one.hessian(lambda p: poisson.solution(p[None])[0], point)
        torch.testing.assert_close(bends.trace(), source)
    inside, edge = poisson.conditions(0)
    assert len(inside.points) == 10_000 and len(edge.points) == 800
    assert bool((edge.points.abs().amax(1) == 1).all())
    torch.testing.assert_close(poisson.solution(edge.points), torch.zeros(800, dtype=F64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_a_perceptron_learns(method: str) -> None:
    X = uniform(200, [(-1, 1)] * 2, 0)
    run = fit_mlp(X, 5 + X[:, 0] * X[:, 1], (8,), method, steps=100)
    assert run.widths == (2, 8, 1) and run.parameters == 33
    assert run.rmse(X, 5 + X[:, 0] * X[:, 1]) < 0.01


def test_the_perceptrons_normal_equations_are_torchs() -> None:
    X = uniform(30, [(-1, 1)] * 3, 0)
    y = X.prod(1)
    problem = MLPSquares(perceptron((3, 4, 2, 1), torch.Generator().manual_seed(0)), X, y)
    _, gradient, _ = problem.normal_equations(problem.now())
    loss = (problem.net(X)[:, 0] - y).square().mean()
    slopes = torch.autograd.grad(loss, list(problem.net.parameters()))
    torch.testing.assert_close(-2 * gradient, torch.cat([slope.flatten() for slope in slopes]))


@pytest.mark.parametrize("method", METHODS)
def test_a_perceptron_learns_classes(method: str) -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", np.where(X[:, 0] > 0, "first", "second"))
    found = Perceptron(method, hidden=(8,), starts=2, seconds=5.0).fit(X, y)
    assert np.mean(found.predict(X) == y) > 0.95 and found.parameters == 51


def test_the_curvature_of_classes_is_that_of_a_linear_network() -> None:
    # Without a hidden layer the outputs are linear in the weights, so that generalised Gauss-Newton is Newton.
    X, y = uniform(30, [(-1, 1)] * 2, 0), torch.arange(30) % 3
    problem = MLPClasses(perceptron((2, 3), torch.Generator().manual_seed(0)), X, y, decay=0.1)
    state = problem.now()
    normal, gradient, _ = problem.normal_equations(state)

    def loss(weights: torch.Tensor) -> torch.Tensor:
        z = X @ weights[:6].reshape(3, 2).T + weights[6:]
        return torch.nn.functional.cross_entropy(z, y) + 0.05 * weights.square().sum()

    torch.testing.assert_close(2 * normal, torch.autograd.functional.hessian(loss, state.weights))
    torch.testing.assert_close(-2 * gradient, torch.autograd.functional.jacobian(loss, state.weights))
    assert state.objective == pytest.approx(float(loss(state.weights)))


def test_the_perceptrons_derivatives_are_torchs() -> None:
    net = TanhNetwork([2, 5, 4, 1], torch.Generator().manual_seed(0))
    x = uniform(10, [(-1, 1)] * 2, 0)
    found = net.derivatives(x)
    one = torch.autograd.functional

    def value(point: torch.Tensor) -> torch.Tensor:
        return net.derivatives(point[None]).value[0, 0]

    for k, point in enumerate(x):
        torch.testing.assert_close(found.gradient[k, 0], one.jacobian(value, point))
        assert found.second is not None
        torch.testing.assert_close(found.second[k, 0], one.hessian(value, point).trace())
    condition = Condition(x, lambda u, x: poisson._second(u)[:, 0] * u.value[:, 0] + u.gradient[:, 0, 1], "laplacian")
    problem = TanhSquares(net, [condition])
    _, gradient, _ = problem.normal_equations(problem.now())
    loss = problem.residuals().square().sum()
    slopes = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    flat = [(torch.zeros_like(p) if slope is None else slope).flatten() for p, slope in zip(net.parameters(), slopes)]
    torch.testing.assert_close(-2 * gradient, torch.cat(flat))


def test_the_fifteen_functions_are_what_they_are_called() -> None:
    assert len({f.call for f in FUNCTIONS}) == 15
    for function in FUNCTIONS:
        X = uniform(500, function.ranges, 0).numpy()
        values = function(X)
        assert values.shape == (500,) and np.all(np.isfinite(values)) and np.std(values) > 0.01, function.call
    by_call = {f.call: f for f in FUNCTIONS}
    x = np.linspace(-0.8, 0.8, 9)
    two = np.stack([np.full(9, 2.0), x], 1)
    np.testing.assert_allclose(by_call["lpmv(0, v, x)"](two), eval_legendre(2, x), atol=1e-12)
    polar = np.stack([np.full(9, 0.3), np.linspace(0, np.pi, 9)], 1)
    np.testing.assert_allclose(
        by_call["sph_harm(0, 1)"](polar), np.sqrt(3 / (4 * np.pi)) * np.cos(polar[:, 1]), atol=1e-12
    )
    np.testing.assert_allclose(by_call["ellipj(u, m)[0]"](np.array([[0.7, 0.0]])), np.sin(0.7), atol=1e-12)


def test_allowed_constants_are_those_of_the_published_shape() -> None:
    allowed = {f.call: f.constants_allowed for f in FUNCTIONS}
    assert allowed["kv(v, x)"] == (2 * 2 + 2 * 1) * 23 and allowed["sph_harm(0, 1)"] == 3 * 23
