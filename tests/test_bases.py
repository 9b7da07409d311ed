"""Bases: one contract for all, and the oracle of each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from architecture_contract import BASES as NAMES
from numpy.polynomial.chebyshev import chebval
from scipy.integrate import quad
from scipy.interpolate import BSpline as SciPySpline
from scipy.special import eval_legendre
from torch import Tensor

from kanlib import KAN, KANLayer, KANRegressor, attribute, fit, load, prune, refine, save, update_grid
from kanlib.bases import BASES, Basis, get_basis
from kanlib.bases.wavelets import dyadic
from kanlib.errors import InputError
from kanlib.grids import elevate
from kanlib.jacobian import n_constants, plan, trace
from kanlib.node_gauge import _constant, rescaled
from kanlib.plots import plot_edges, plot_network
from kanlib.residuals import Condition, fit_residuals
from kanlib.starts import smooth_start
from kanlib.symbolic import symbolify

F64 = torch.float64
GRID = torch.tensor([[-2.0, -0.5, 1.0], [0.0, 5.0, 10.0]], dtype=F64)  # two cells, uniform
everywhere = pytest.mark.parametrize("name", NAMES)


def _points(n: int = 41, beyond: float = 0.0) -> Tensor:
    share = torch.linspace(-beyond, 1 + beyond, n, dtype=F64)[:, None] + 1e-4  # no breakpoint among them
    return GRID[:, 0] + share * (GRID[:, -1] - GRID[:, 0])


def test_the_contract_covers_every_basis() -> None:
    assert tuple(BASES) == NAMES and all(get_basis(name).name == name for name in NAMES)
    with pytest.raises(InputError, match="bspline"):
        get_basis("splines")


@everywhere
def test_shapes_and_numbers(name: str) -> None:
    basis = BASES[name]
    for degree in (0, 2, 3):
        if name == "piecewise_linear" and degree == 0:
            continue
        values = basis.values(torch.zeros(4, 3, 2, dtype=F64), GRID, degree)
        assert values.shape == (4, 3, 2, 2 + degree) and values.dtype == F64
        assert basis.roughness(GRID, degree).shape == (2, 2 + degree, 2 + degree)
        assert 1 <= basis.complexity(2, degree) <= 2 + degree
        assert basis.difference_rows(2 + degree, degree).shape[1] == 2 + degree


@everywhere
@pytest.mark.parametrize("extrapolate", ["linear", "constant", "zero", "periodic"])
def test_derivatives_are_those_of_the_values(name: str, extrapolate: str) -> None:
    """Of autograd, inside and outside the range."""
    basis, degree = BASES[name], 5

    def rows(x: Tensor, order: int) -> Tensor:
        return basis.values(x, GRID, degree, derivative=order, extrapolate=extrapolate)  # type: ignore[arg-type]

    x = _points(29, 0.4).requires_grad_()
    for order in (0, 1):
        for m in range(2 + degree):
            slope = torch.autograd.grad(rows(x, order)[..., m].sum(), x, create_graph=True)[0]
            if name == "piecewise_linear" and order:
                assert not rows(x, 2).any()
                continue
            torch.testing.assert_close(slope, rows(x, order + 1)[..., m], atol=1e-9, rtol=1e-9)


@everywhere
def test_the_rule_outside_the_range(name: str) -> None:
    basis = BASES[name]
    ends = torch.stack([GRID[:, 0], GRID[:, -1]])
    beyond = torch.stack([GRID[:, 0] - 3.0, GRID[:, -1] + 3.0])
    values, slopes = basis.values(ends, GRID, 3), basis.values(ends, GRID, 3, derivative=1)
    line = values + torch.tensor([-3.0, 3.0], dtype=F64)[:, None, None] * slopes
    torch.testing.assert_close(basis.values(beyond, GRID, 3), line)
    torch.testing.assert_close(basis.values(beyond, GRID, 3, extrapolate="constant"), values)
    assert not basis.values(beyond, GRID, 3, extrapolate="zero").any()
    inside = _points()[:-1]
    width = GRID[:, -1] - GRID[:, 0]
    for shift in (-2, 3):
        repeated = basis.values(inside + shift * width, GRID, 3, extrapolate="periodic")
        torch.testing.assert_close(repeated, basis.values(inside, GRID, 3), atol=1e-9, rtol=0)


@everywhere
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_float_gives_a_finite_value(name: str, dtype: torch.dtype) -> None:
    x = torch.tensor([0.0, -0.0, 1e-30, 1e30, -1e30, math.inf, -math.inf], dtype=dtype)[:, None].repeat(1, 2)
    for extrapolate in ("linear", "constant", "zero"):
        for order in range(3):
            values = BASES[name].values(x, GRID.to(dtype), 3, derivative=order, extrapolate=extrapolate)  # type: ignore[arg-type]
            assert bool(values.isfinite().all())
    assert bool(BASES[name].values(torch.full((1, 2), math.nan), GRID.float(), 3).isnan().any())


@everywhere
def test_the_range_follows_the_data(name: str) -> None:
    """The functions are the same ones on any range: only where a point lies in it matters."""
    share = torch.linspace(-0.3, 1.3, 23, dtype=F64)[:, None]
    values = BASES[name].values(GRID[:, 0] + share * (GRID[:, -1] - GRID[:, 0]), GRID, 3)
    torch.testing.assert_close(values[:, 0], values[:, 1])


@everywhere
def test_roughness_is_the_integral_of_squared_curvature(name: str) -> None:
    basis = BASES[name]
    c = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=F64)
    energy = torch.einsum("ia,iab,ib->i", c, basis.roughness(GRID, 3), c)
    for i in range(2):

        def bend(x: float, i: int = i) -> float:
            at = torch.full((1, 2), x, dtype=F64)
            return float((basis.values(at, GRID, 3, derivative=2)[0, i] @ c[i]).square())

        low, high = float(GRID[i, 0]), float(GRID[i, -1])
        middle = (low + high) / 2
        expected = quad(bend, low, middle, limit=200)[0] + quad(bend, middle, high, limit=200)[0]
        assert float(energy[i]) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@everywhere
def test_smooth_curves_are_projected(name: str) -> None:
    """A bump that vanishes at the ends, which all of them can follow with enough functions."""
    points, matrix = BASES[name].projection(40, 3)
    coefficients = matrix @ torch.exp(-8 * (2 * points - 1).square())
    x = torch.linspace(0, 1, 101, dtype=F64)[:, None]
    grid = torch.linspace(0, 1, 41, dtype=F64)[None]
    curve = BASES[name].values(x, grid, 3)[:, 0] @ coefficients
    assert float((curve - torch.exp(-8 * (2 * x[:, 0] - 1).square())).abs().max()) < 0.01


# ---------------------------------------------------------------- oracles


def _u() -> tuple[Tensor, np.ndarray]:
    u = np.linspace(-1, 1, 33)
    return torch.from_numpy(u)[:, None], u


def _columns(name: str, size: int = 7) -> np.ndarray:
    grid = torch.linspace(-1, 1, size, dtype=F64)[None]  # size - 1 cells and degree 1
    return BASES[name].values(_u()[0], grid, 1)[:, 0].numpy()


MOTHERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mexican_hat": lambda v: (1 - v**2) * np.exp(-(v**2) / 2),
    "morlet": lambda v: np.cos(5 * v) * np.exp(-(v**2) / 2),
    "dog": lambda v: -v * np.exp((1 - v**2) / 2),
}


def test_polynomials_are_numpys_and_scipys() -> None:
    u = _u()[1]
    for m in range(7):
        np.testing.assert_allclose(_columns("chebyshev")[:, m], chebval(u, np.eye(7)[m]), atol=1e-13)
        np.testing.assert_allclose(_columns("legendre")[:, m], eval_legendre(m, u), atol=1e-13)


def test_splines_are_scipys() -> None:
    knots = np.linspace(-1, 1, 7)[[0, *range(7), 6]] + np.array([-1 / 3, *[0.0] * 7, 1 / 3])
    x = np.linspace(-0.999, 0.999, 33)
    values = BASES["bspline"].values(torch.from_numpy(x)[:, None], torch.linspace(-1, 1, 7, dtype=F64)[None], 1)
    np.testing.assert_allclose(values[:, 0].numpy(), SciPySpline.design_matrix(x, knots, 1).toarray(), atol=1e-12)


def test_waves_bumps_and_hats() -> None:
    u = _u()[1]
    waves = [np.ones_like(u)]
    for m in (1, 2, 3):
        waves += [np.cos(m * np.pi * u), np.sin(m * np.pi * u)]
    np.testing.assert_allclose(_columns("fourier"), np.stack(waves, 1), atol=1e-12)
    v = (u[:, None] - np.linspace(-1.5, 1.5, 7)) * 2  # one centre beyond each end
    np.testing.assert_allclose(_columns("gaussian"), np.exp(-(v**2)), atol=1e-12)
    centres = np.linspace(-1, 1, 7)
    v = (u[:, None] - centres) * 3
    np.testing.assert_allclose(_columns("piecewise_linear"), np.maximum(0, 1 - np.abs(v)), atol=1e-12)
    broken = np.interp(u, centres, centres**2)
    np.testing.assert_allclose(_columns("piecewise_linear") @ centres**2, broken, atol=1e-12)


def test_partial_fractions_have_the_poles_they_name() -> None:
    u = _u()[1]
    columns, centres, h = _columns("rational"), np.array([-2.0, 0.0, 2.0]), 3.0
    for m, centre in enumerate(centres):
        fraction = 1 / ((u - centre) / h - 1j)  # v / (1 + v^2) + i / (1 + v^2)
        np.testing.assert_allclose(columns[:, 1 + m], fraction.imag, atol=1e-12)
        np.testing.assert_allclose(columns[:, 4 + m], fraction.real, atol=1e-12)
    np.testing.assert_allclose(columns[:, 0], 1.0)


@pytest.mark.parametrize("name", MOTHERS)
def test_wavelets_are_their_mother_at_dyadic_scales(name: str) -> None:
    centres, scales = (np.array(numbers) for numbers in dyadic(7))
    expected = MOTHERS[name]((_u()[1][:, None] - centres) / scales)
    np.testing.assert_allclose(_columns(name), expected, atol=1e-12)
    assert scales.tolist() == [1.0] * 3 + [0.5] * 4
    assert sorted(dyadic(17)[0][8:]) == [k / 4 for k in range(-4, 5)]


# ---------------------------------------------------------------- every basis in the core


def _table(n: int = 300) -> tuple[Tensor, Tensor]:
    X = 2 * torch.rand(n, 2, generator=torch.Generator().manual_seed(0), dtype=F64) - 1
    return X, torch.exp(-4 * X[:, 0].square()) + torch.cos(math.pi * X[:, 1])


@everywhere
def test_features_and_edges_agree_with_the_layer(name: str) -> None:
    layer = KANLayer(3, 2, basis=name, dtype=F64)
    x = 3 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    y = layer(x)
    torch.testing.assert_close(torch.einsum("bif,oif->bo", layer.features(x), layer.weights()) + layer.bias, y)
    torch.testing.assert_close(layer.edges(x).sum(-1) + layer.bias, y)
    torch.testing.assert_close(layer.edge(x[:, 1], 1, 0), layer.edges(x)[:, 0, 1])


@everywhere
def test_grids_move_and_refine(name: str) -> None:
    X, _ = _table()
    model = KAN([2, 1], grid_size=4, basis=name, dtype=F64)
    smooth_start(model, X, torch.Generator().manual_seed(0))
    before = model(X)
    tolerance = {"bspline": 1e-10, "chebyshev": 1e-8, "legendre": 1e-8, "fourier": 1e-6}.get(name, 0.1)
    torch.testing.assert_close(refine(model, 8)(X), before, atol=tolerance, rtol=0)
    moved = refine(model, 8)
    update_grid(moved, 0.5 * X)
    assert float(moved.layers[0].grid[0, -1]) < 0.55
    if name in ("chebyshev", "legendre"):  # polynomials stay polynomials on any part of their range
        torch.testing.assert_close(moved(0.5 * X), model(0.5 * X), atol=1e-8, rtol=0)
    assert elevate(model, 4).layers[0].degree == 4


@everywhere
@pytest.mark.parametrize("method", ["gauss-newton", "lbfgs", "adam"])
def test_every_method_trains_it(name: str, method: str) -> None:
    X, y = _table()
    model = KAN([2, 1], grid_size=9, basis=name, dtype=F64)
    result = fit(model, X, y, method=method, roughness=1e-9, progress=False)
    limit = 0.1 if method == "adam" else 0.03
    assert result.train_loss**0.5 < limit and result.method == method


@everywhere
def test_deep_networks_train(name: str) -> None:
    X, y = _table()
    model = KAN([2, 2, 1], grid_size=6, basis=name, dtype=F64)
    assert fit(model, X, torch.exp(0.5 * y), steps=40, starts=2, progress=False).train_loss ** 0.5 < 0.1


@everywhere
def test_pruned_saved_attributed_and_drawn(name: str, tmp_path: object) -> None:
    X = 2 * torch.rand(300, 3, generator=torch.Generator().manual_seed(0), dtype=F64) - 1
    y = torch.cos(math.pi * X[:, 1])
    model = KAN([3, 1], grid_size=9, basis=name, dtype=F64)
    fit(model, X, y, progress=False)
    small = prune(model, X, threshold=0.05).model
    assert small.used_inputs == (1,) and small.layers[0].basis == name
    assert int(attribute(model, X).inputs.argmax()) == 1
    loaded = load(save(small, f"{tmp_path}/law.kan"))
    assert torch.equal(loaded(X), small(X)) and loaded.layers[0].basis == name
    assert KAN.from_config(model.config()).layers[0].basis == name
    for draw in (plot_network, plot_edges):
        assert draw(model, X) is not None


def test_estimators_take_one() -> None:
    X, y = _table()
    model = KANRegressor((), basis="fourier", grid_size=9).fit(X.numpy(), y.numpy())
    assert model.network_.layers[0].basis == "fourier" and model.score(X.numpy(), y.numpy()) > 0.99


@everywhere
def test_symbolify_reads_it(name: str) -> None:
    X, y = _table(400)
    model = KAN([2, 1], grid_size=12, basis=name, dtype=F64)
    fit(model, X, y, progress=False)
    formula = symbolify(model, X, y)
    error = formula.predict(X.numpy()) - y.numpy()
    assert float(np.sqrt(np.mean(error**2))) < 1e-6, formula


def test_a_grid_that_repeats_keeps_its_period() -> None:
    x = torch.linspace(-9, 9, 200, dtype=F64)[:, None]
    y = 2 * torch.cos(x[:, 0]) - torch.sin(2 * x[:, 0])
    model = KAN(
        [1, 1],
        grid_size=4,
        degree=1,
        basis="fourier",
        base=None,
        extrapolate="periodic",
        grid_range=(-math.pi, math.pi),
        dtype=F64,
    )
    assert fit(model, x, y, progress=False).train_loss < 1e-20
    assert model.layers[0].grid[0, [0, -1]].tolist() == pytest.approx([-math.pi, math.pi])
    coefficients = model.layers[0].coefficients[0, 0].detach()
    assert coefficients[1:5].tolist() == pytest.approx([2.0, 0.0, 0.0, -1.0], abs=1e-6)


@everywhere
def test_least_squares_knows_a_constant(name: str) -> None:
    """Also where no combination of the functions is one: the node's bias is."""
    x = torch.linspace(-1, 1, 200, dtype=F64)[:, None]
    y = torch.exp(-4 * x[:, 0].square())
    errors = []
    for offset in (0.0, 1000.0):
        model = KAN([1, 1], grid_size=9, basis=name, base=None, dtype=F64)
        errors.append(fit(model, x, y + offset, method="gauss-newton", progress=False).train_loss ** 0.5)
        assert n_constants(model) == 12 + (BASES[name].constant(12) is None)
    assert errors[1] < 3 * errors[0] + 1e-8  # the solver's faint ridge, not the offset, makes the difference
    one = BASES[name].constant(7)
    if one is not None:
        values = BASES[name].values(_u()[0], torch.linspace(-1, 1, 7, dtype=F64)[None], 1)[:, 0]
        torch.testing.assert_close(values @ one, torch.ones(33, dtype=F64))


@everywhere
def test_a_far_offset_of_a_hidden_node_is_taken_off(name: str) -> None:
    """The curve stays what it is, only moved: the last layer, fitted again, computes the same."""
    X, y = _table()
    model = KAN([2, 1, 1], grid_size=6, basis=name, base=None, dtype=F64)
    fit(model, X, torch.exp(0.5 * y), progress=False)
    values = [p.pack() for p in plan(model)]
    values[0] += 1e3 * _constant(plan(model)[0], 0)
    before = model.activations(X)[1]
    plan(model)[0].unpack(values[0])
    torch.testing.assert_close(model.activations(X)[1], before + 1e3)
    moved = rescaled(model, plan(model), trace(model, X), values)
    assert moved is not None
    plan(model)[0].unpack(moved[0])
    now = model.activations(X)[1][:, 0]
    assert abs(float(now.detach().mean())) < 1e-6
    assert float(torch.corrcoef(torch.stack([now, before[:, 0]]))[0, 1].detach()) > 1 - 1e-9


def test_a_state_of_another_basis_is_refused() -> None:
    chebyshev, fourier = KAN([1, 1], basis="chebyshev"), KAN([1, 1], basis="fourier")
    with pytest.raises(InputError, match="'fourier'"):
        chebyshev.load_state_dict(fourier.state_dict())
    chebyshev.load_state_dict(KAN([1, 1], basis="chebyshev").state_dict())
    KAN([1, 1]).load_state_dict(KAN([1, 1]).state_dict())


@pytest.mark.parametrize("name", ["bspline", "fourier", "piecewise_linear"])
def test_a_grid_that_repeats_is_refined_and_has_no_outside(name: str) -> None:
    x = torch.linspace(-3, 3, 300, dtype=F64)[:, None]
    options = {"basis": name, "base": None, "extrapolate": "periodic", "grid_range": (0.0, 2.0), "dtype": F64}
    model = KAN([1, 1], grid_size=4, **options)  # type: ignore[arg-type]
    fit(model, x, x[:, 0].remainder(2) / 2, progress=False)
    # not a multiple of four: by least squares, and the jump at the seam does not matter
    miss = (refine(model, 9)(x) - model(x)).detach().abs()
    assert float(miss.max()) < {"bspline": 1e-9, "fourier": 1e-9, "piecewise_linear": 0.01}[name]
    assert float(model.out_of_grid_fraction(x)[0]) == 0.0
    condition = Condition(x, lambda u, t: u.value[:, 0])
    fit_residuals(model, [condition], steps=1)  # points beyond the range are welcome


@pytest.mark.parametrize("degree", [0, 3])
def test_slopes_at_nodes_are_those_of_the_line(degree: int) -> None:
    layer = KANLayer(1, 1, 8 - degree, degree, basis="piecewise_linear", base=None, dtype=F64)
    layer.set_weights(torch.linspace(-1, 1, 8, dtype=F64)[None, None])  # y = x
    nodes = torch.linspace(-1, 1, 8, dtype=F64)[:, None].requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(layer(nodes).sum(), nodes)[0], torch.ones_like(nodes))


@everywhere
def test_it_compiles_in_one_piece_and_needs_no_numbers_to_be_made(name: str) -> None:
    torch._dynamo.reset()
    layer, x = KANLayer(2, 3, basis=name), torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x), atol=1e-5, rtol=1e-5)
    assert KANLayer(2, 3, basis=name, device="meta")(x.to("meta")).shape == (5, 3)


def test_free_knots_are_for_splines() -> None:
    assert KANLayer(1, 1, knots="free").knots == "free"
    with pytest.raises(InputError, match="knots"):
        KANLayer(1, 1, basis="fourier", knots="free")
    with pytest.raises(InputError, match="extrapolate"):
        KANLayer(1, 1, basis="fourier", extrapolate="wrap")  # type: ignore[arg-type]


def test_a_basis_of_ones_own() -> None:
    class Powers(type(BASES["chebyshev"]).__mro__[2]):  # type: ignore[misc]
        name = "powers"

        def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
            m = torch.arange(size, dtype=u.dtype)
            factor = torch.stack([m**0, m, m * (m - 1)])[derivative]
            return factor * u.unsqueeze(-1) ** (m - derivative).clamp_min(0)

    basis: Basis = Powers()
    BASES["powers"] = basis
    try:
        x = torch.linspace(-1, 1, 50, dtype=F64)[:, None]
        model = KAN([1, 1], basis="powers", base=None, dtype=F64)
        assert fit(model, x, x[:, 0] ** 3, progress=False).train_loss < 1e-20
    finally:
        del BASES["powers"]


@pytest.mark.parametrize(("extrapolate", "shaded"), [("linear", 2), ("periodic", 0)])
def test_what_lies_outside_is_shaded_where_there_is_an_outside(extrapolate: str, shaded: int) -> None:
    x = torch.linspace(-3, 3, 50, dtype=F64)[:, None]
    model = KAN([1, 1], basis="fourier", extrapolate=extrapolate, dtype=F64)  # type: ignore[arg-type]
    drawn = plot_edges(model, x)
    parts = [part for axes in drawn.axes for part in axes.patches if part.get_gid() == "kanlib-outside"]
    assert len(parts) == shaded
