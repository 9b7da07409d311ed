"""Looking inside a system: the layer, what reaches it, and grids sized by it."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from kanlib import KAN, KANLayer, fit, load, prune, save
from kanlib.architectures.inner_layers import as_kan, inside, layer_inputs
from kanlib.architectures.parts import fit_grids, linear, with_generator
from kanlib.errors import InputError
from kanlib.symbolic import symbolify

F64 = torch.float64


class _Twice(nn.Module):
    """A layer that is called twice, with other values the second time, and one that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.idle = KANLayer(2, 2, dtype=F64), KANLayer(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.step(self.step(x) + 7.0)
        return y


def test_rows_of_all_calls_are_seen_and_nothing_changes() -> None:
    module, x = _Twice(), torch.rand(4, 3, 2, dtype=F64)
    before = copy.deepcopy(module.state_dict())
    seen = layer_inputs(module, x)
    assert list(seen) == [module.step] and seen[module.step].shape == (24, 2)
    torch.testing.assert_close(seen[module.step][12:], module.step(x).detach().reshape(12, 2) + 7.0)
    assert module.training and all(
        torch.equal(before[k], v) for k, v in module.state_dict().items() if k in before and isinstance(v, Tensor)
    )
    assert not module.step._forward_pre_hooks


def test_modes_names_and_keywords_are_respected() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = KANLayer(1, 1)
            self.b, self.dropout = self.a, nn.Dropout()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.b(x=self.dropout(x))
            return y

    module = Parts().train()
    module.dropout.eval()
    assert inside(module, "b", torch.zeros(3, 1))[0].layers[0] is module.a
    assert module.training and module.a.training and not module.dropout.training


def test_grids_cover_what_reaches_them_and_curves_stay() -> None:
    module, x = _Twice(), torch.rand(200, 2, dtype=F64)
    before = module.step(x).detach()
    fit_grids(module, x)
    for layer, rows in layer_inputs(module, x).items():
        assert float(layer.out_of_grid_fraction(rows).max()) == 0.0
    # on its first grid the layer was a spline on [-1, 1]; on the wider one it is the nearest one
    assert float((module.step(x).detach() - before).abs().max()) < 0.05
    with pytest.raises(InputError, match="no KANLayer"):
        fit_grids(nn.Linear(2, 2), torch.zeros(1, 2))


def test_a_layer_is_fitted_pruned_saved_and_read_in_its_place(tmp_path: object) -> None:
    model = nn.Sequential(nn.Linear(2, 2, dtype=F64), KANLayer(2, 1, grid_size=8, dtype=F64))
    X = 2 * torch.rand(300, 2, generator=torch.Generator().manual_seed(0), dtype=F64) - 1
    network, rows = inside(model, "1", X)
    target = torch.sin(2 * rows[:, 0])
    fit(network, rows, target, progress=False)
    assert float((model(X)[:, 0] - target).detach().abs().max()) < 0.01  # it is the layer itself that learned
    small = prune(network, rows, threshold=0.05).model
    assert small.used_inputs == (0,)
    assert torch.equal(load(save(small, f"{tmp_path}/layer.kan"))(rows), small(rows))
    formula = symbolify(small, rows, target, names=["s", "t"])
    assert str(formula) == "sin(2*s)"


@pytest.mark.parametrize("basis", ["bspline", "fourier"])
def test_as_kan_computes_what_the_layer_does(basis: str) -> None:
    layer = KANLayer(3, 2, basis=basis, extrapolate="periodic", grid_range=(-math.pi, math.pi))
    x = torch.randn(5, 3)
    network = as_kan(layer)
    assert torch.equal(network(x), layer(x)) and {p.device.type for p in network.parameters()} == {"cpu"}
    assert KAN.from_config(network.config()).layers[0].basis == basis


def test_wrong_names_are_explained() -> None:
    module = _Twice()
    with pytest.raises(InputError, match="'step', 'idle'"):
        inside(module, "steps", torch.zeros(1, 2, dtype=F64))
    with pytest.raises(InputError, match="do not reach"):
        inside(module, "idle", torch.zeros(1, 2, dtype=F64))


def test_linear_draws_from_the_generator_as_torch_does() -> None:
    layer = linear(400, 300, generator=torch.Generator().manual_seed(0))
    bound = 400**-0.5
    for parameter in (p.detach() for p in layer.parameters()):
        assert float(parameter.abs().max()) <= bound
        assert float(parameter.std()) == pytest.approx(bound / 3**0.5, rel=0.1)
    options = with_generator({"dtype": F64})
    a, b = linear(3, 3, **options), linear(3, 3, **options)
    assert a.weight.dtype == F64 and not torch.equal(a.weight, b.weight)
    assert linear(3, 3, bias=False, device="meta").weight.device.type == "meta"
