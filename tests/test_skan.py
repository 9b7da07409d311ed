"""S-KAN and S-ConvKAN: mixtures of bases, their projection on one basis an edge, and exact pruning."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor, nn

from kanlib import fit
from kanlib.architectures.parts import fit_grids
from kanlib.architectures.sconvkan import SelectiveKANConv1d, SelectiveKANConv2d, SelectiveKANConv3d
from kanlib.architectures.selection import prune_bases, select_bases
from kanlib.architectures.selective import Selective
from kanlib.architectures.skan import SKAN, SelectiveKANLayer
from kanlib.errors import InputError
from kanlib.plots import plot_network

F64 = torch.float64
DEGREES = ({"degree": 0, "grid_size": 7}, {"degree": 1, "grid_size": 6}, {"degree": 3, "grid_size": 4})


class TestSKAN(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return SKAN([2, 3, 1], pool=({"grid_size": 3, "degree": 2}, {"degree": 3}), **{"grid_size": 2, **options})

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.rand(batch, 2, dtype=dtype, generator=generator) * 2 - 1,)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 1)


class TestSKANOfTheDefaultPool(TestSKAN):
    def make(self, **options: Any) -> nn.Module:
        return SKAN([2, 2], **{"grid_size": 3, **options})

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 2)

    def test_every_basis_works(self) -> None:  # type: ignore[override]
        """The pool says which bases there are; a common one has no meaning."""
        assert len({layer.basis for layer in self.make().layers[0].layers}) == 5  # type: ignore[index, union-attr]
        with pytest.raises(InputError, match="one or the other"):
            self.make(basis="gaussian")


class TestSelectiveKANConv2d(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        pool = ({"grid_size": 3, "degree": 2}, {"degree": 3})
        return SelectiveKANConv2d(2, 4, 2, padding=1, groups=2, pool=pool, **{"grid_size": 2, **options})

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.rand(batch, 2, 3, 3, dtype=dtype, generator=generator) * 2 - 1,)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 4, 4, 4)

    def test_inputs_of_another_width_are_refused(self) -> None:
        with pytest.raises(InputError, match="expected"):
            self.make()(torch.zeros(2, 3, 3, 3))


def _layer(seed: int = 0, dtype: torch.dtype = F64) -> SelectiveKANLayer:
    """A layer of random curves and logits."""
    generator = torch.Generator().manual_seed(seed)
    layer = SelectiveKANLayer(2, 3, pool=DEGREES, init="lecun", generator=generator, dtype=dtype)
    with torch.no_grad():
        layer.logits.copy_(torch.randn(layer.logits.shape, generator=generator, dtype=dtype))
        layer.bias.copy_(torch.randn(3, generator=generator, dtype=dtype))
    return layer


def _x(n: int = 200, features: int = 2, dtype: torch.dtype = F64) -> Tensor:
    return torch.rand(n, features, dtype=dtype, generator=torch.Generator().manual_seed(5)) * 2 - 1


def _curves(layer: Selective, x: Tensor) -> Tensor:
    """Every basis of every edge by itself, (bases, n, out, in), edge by edge."""
    out, inputs = layer.logits.shape[1:]
    rows = [[[basis.edge(x[:, i], i, j) for i in range(inputs)] for j in range(out)] for basis in layer.layers]
    return torch.stack([torch.stack([torch.stack(edge, -1) for edge in basis], 1) for basis in rows])


@torch.no_grad()
def test_the_full_phase_is_a_mixture_by_softmax() -> None:
    layer, x = _layer(), _x(20)
    shares = layer.logits.exp() / layer.logits.exp().sum(0)
    wanted = (_curves(layer, x) * shares[:, None]).sum((0, 3)) + layer.bias
    torch.testing.assert_close(layer(x), wanted)
    torch.testing.assert_close(layer.edges(x).sum(-1) + layer.bias, wanted)


def test_the_selective_phase_has_one_basis_and_the_gradients_of_the_softmax() -> None:
    layer, x = _layer(), _x(20)
    layer.phase = "selective"
    curves = _curves(layer, x).detach()
    chosen = layer.logits.argmax(0)
    one = curves.gather(0, chosen.expand(1, 20, 3, 2)).squeeze(0)
    torch.testing.assert_close(layer(x), one.sum(-1) + layer.bias)
    weight = torch.randn(20, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
    (layer(x) * weight).sum().backward()
    soft = layer.logits.detach().softmax(0)
    pull = torch.einsum("no,bnoi->boi", weight, curves)  # of the gates
    assert layer.logits.grad is not None
    torch.testing.assert_close(layer.logits.grad, soft * (pull - (soft * pull).sum(0)))
    other = layer.layers[(int(chosen[0, 0]) + 1) % 3].coefficients.grad
    assert other is not None and float(other[0, 0].abs().max()) == 0.0


@torch.no_grad()
def test_projection_is_least_squares_with_a_constant() -> None:
    layer, x = _layer(), _x()
    layer.mask_edge(1, 2)
    curves = layer.edges(x)
    level = layer.bias.clone()
    layer.select(x)
    assert layer.phase == "selective"
    constants = torch.zeros(3, dtype=F64)
    for j in range(3):
        for i in range(2):
            if (i, j) == (1, 2):
                assert int(layer.selection()[j, i]) == -1
                continue
            found = []
            for basis in layer.layers:
                columns = np.column_stack([np.ones(len(x)), basis.features(x)[:, i].numpy()])
                weights = np.linalg.lstsq(columns, curves[:, j, i].numpy(), rcond=1e-9)[0]
                found.append((columns @ weights, basis.edge(x[:, i], i, j)))
            errors = [float(np.square(fitted - curves[:, j, i].numpy()).mean()) for fitted, _ in found]
            best = int(np.argmin(errors))
            assert int(layer.selection()[j, i]) == best
            fitted, ours = found[best]
            gap = torch.as_tensor(fitted) - ours
            torch.testing.assert_close(gap, gap.mean().expand(len(x)), atol=1e-8, rtol=0)
            constants[j] += gap.mean()
    torch.testing.assert_close(layer.bias, level + constants, atol=1e-8, rtol=0)


PLANTED: dict[int, Callable[[Tensor], Tensor]] = {
    0: lambda x: torch.where(x > 1 / 7, 1.0, -1.0),  # a jump at a breakpoint of 7 cells
    1: lambda x: (x - 1 / 3).abs(),  # a corner at one of 6
    2: lambda x: x**3 - x,
}


@pytest.mark.parametrize("by", ["projection"])
def test_planted_kinds_are_found_from_data(by: Any) -> None:
    """Trained as a mixture on the sum of three functions, each edge ends with the basis that can be exact."""
    model = SKAN([3, 1], pool=DEGREES, base=None, dtype=F64)
    x = _x(400, 3)
    y = sum_columns(x)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=400, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    select_bases(model, x, by=by)
    assert model.selection()[0].tolist() == [[0, 1, 2]]
    prune_bases(model)
    with torch.no_grad():
        assert float((model(x) - y).square().mean().sqrt()) < 1e-2


def sum_columns(x: Tensor) -> Tensor:
    return sum((PLANTED[k](x[:, k : k + 1]) for k in range(1, 3)), PLANTED[0](x[:, :1]).to(x.dtype))


@torch.no_grad()
@pytest.mark.parametrize("by", ["projection", "gates"])
def test_pruning_is_exact_and_goes_through_a_file(by: Any) -> None:
    model, x = SKAN([2, 3, 1], pool=DEGREES, init="lecun", dtype=F64), _x()
    model.layers[0].mask_edge(0, 1)
    full = [layer.n_weights() for layer in model.layers]
    select_bases(model, x, by=by)
    before, counts = model(x), [layer.n_weights() for layer in model.layers]
    prune_bases(model)
    assert torch.equal(model(x), before)
    alive = [5, 3]
    assert full == [n * 3 * 8 for n in alive] and counts == [n * 8 for n in alive]
    assert [layer.n_weights() for layer in model.layers] == counts
    for layer in model.layers:
        kept = torch.stack([basis.mask for basis in layer.layers]).sum(0)
        assert torch.equal(kept, (layer.selection() >= 0).long())
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = SKAN([2, 3, 1], pool=DEGREES, init="lecun", dtype=F64)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), before) and other.layers[0].phase == "pruned"
    with pytest.raises(InputError, match="pruned"):
        select_bases(model, x)


@torch.no_grad()
def test_pruning_from_the_full_phase_folds_the_gates() -> None:
    layer, x = _layer(), _x(20)
    gates, curves = layer.gates(), _curves(layer, x)
    layer.prune()
    largest = gates.max(0)
    one = (curves * gates[:, None]).gather(0, largest.indices.expand(1, 20, 3, 2)).squeeze(0)
    torch.testing.assert_close(layer(x), one.sum(-1) + layer.bias)


@pytest.mark.parametrize("phase", ["full", "selective", "pruned"])
def test_every_phase_compiles_in_one_piece(phase: str) -> None:
    torch._dynamo.reset()
    model, x = SKAN([2, 2, 1], pool=DEGREES), _x(8, dtype=torch.float32)
    if phase != "full":
        select_bases(model, x)
    if phase == "pruned":
        prune_bases(model)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


CONVOLUTIONS = [(SelectiveKANConv1d, 1), (SelectiveKANConv2d, 2), (SelectiveKANConv3d, 3)]


@torch.no_grad()
@pytest.mark.parametrize(("kind", "n"), CONVOLUTIONS)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_keeps_curves_that_one_basis_has(kind: Any, n: int, groups: int) -> None:
    """Straight lines with an offset, spread over both bases: the first can have them alone, and constants move."""
    pool = ({"degree": 1, "base": None}, {"degree": 1, "grid_size": 2})
    generator = torch.Generator().manual_seed(0)
    conv = kind(2, 4, 2, padding=1, groups=groups, pool=pool, grid_size=4, base=None, generator=generator, dtype=F64)
    for basis in conv.layers:
        m = basis.coefficients.shape[2]
        slope, level = torch.randn(2, *basis.mask.shape, 1, generator=generator, dtype=F64)
        basis.coefficients.copy_(level + slope * torch.linspace(-1, 1, m, dtype=F64))
    x = torch.rand(4, 2, *[4] * n, generator=generator, dtype=F64) * 2 - 1
    before = conv(x)
    select_bases(conv, x)
    torch.testing.assert_close(conv(x), before, atol=1e-7, rtol=1e-7)
    prune_bases(conv)
    torch.testing.assert_close(conv(x), before, atol=1e-7, rtol=1e-7)


def test_the_spline_view_has_the_same_curves_and_pictures() -> None:
    pool = ({"degree": 2}, {"degree": 3})
    model, x = SKAN([2, 2, 1], pool=pool, init="lecun", dtype=F64), _x()
    fit_grids(model, x)
    select_bases(model, x)
    model.layers[0].mask_edge(0, 0)
    prune_bases(model)
    view = model.spline_view(x)
    with torch.no_grad():
        assert float((view(x) - model(x)).abs().max()) < 1e-3 * float(model(x).std())
    assert not bool(view.layers[0].mask[0, 0])
    assert len(plot_network(view, x).texts) >= 3
    assert fit(view, x, model(x).detach(), steps=1, progress=False).n_steps <= 1


@pytest.mark.parametrize("pool", [(), ({"degree": 1},), ({"degree": 1}, {"degree": 1})])
def test_a_pool_without_a_choice_is_refused(pool: Any) -> None:
    with pytest.raises(InputError, match="two bases"):
        SKAN([1, 1], pool=pool)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="no network"):
        SKAN([1], pool=DEGREES)
    with pytest.raises(InputError, match="no layer with a pool"):
        select_bases(nn.Linear(1, 1), torch.zeros(1, 1))
    layer = _layer()
    with pytest.raises(InputError, match="all finite"):
        layer.select(torch.full((2, 2), torch.nan, dtype=F64))
    with pytest.raises(InputError, match="spline_view"):
        layer.layers[0].fix_edge(0, 0, "sin")
    with pytest.raises(InputError, match="by"):
        layer.select(_x(), by="chance")  # type: ignore[arg-type]
