"""KAN: sum and multiplication nodes, selection of inputs, configuration."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from kanlib.errors import InputError, InputTypeError
from kanlib.layer import KANLayer
from kanlib.network import KAN, Width, combine


def points(n: int, columns: int, seed: int = 1) -> Tensor:
    return torch.rand(n, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3 - 1.5


def test_widths_are_read_in_every_form() -> None:
    model = KAN([2, (3, 1), [1, [3, 2]], Width(0, (2,))])
    assert model.widths == (Width(2), Width(3, (2,)), Width(1, (3, 2)), Width(0, (2,)))
    assert [(layer.in_features, layer.out_features) for layer in model.layers] == [(2, 5), (4, 6), (3, 2)]
    assert model.out_features == 1 and model(torch.zeros(7, 2)).shape == (7, 1)
    two = np.int64(2)
    model = KAN([two, (two, two), (two, [two]), 1], grid_size=two, degree=np.array([1, 2, 3]))
    assert model.widths == (Width(2), Width(2, (2, 2)), Width(2, (2,)), Width(1))
    assert model.config()["grid_size"] == [2, 2, 2] and model.config()["degree"] == [1, 2, 3]
    json.dumps(model.config())


@pytest.mark.parametrize("width", [0, -1, (0, 0), (1, [1]), (2, 1, 1), "five", (-1, 2), None, 2.5, (2.7, 1)])
def test_impossible_widths_are_said(width: object) -> None:
    with pytest.raises(InputError, match="width"):
        KAN([2, width, 1])  # type: ignore[list-item]


@pytest.mark.parametrize("value", [2.5, "5", None, [3, 2.5]])
def test_sizes_that_are_no_whole_numbers_are_said(value: object) -> None:
    with pytest.raises(InputTypeError, match="whole number"):
        KAN([2, 2, 1], grid_size=value)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="whole number"):
        KAN([2, 2, 1], degree=value)  # type: ignore[arg-type]


def test_repeated_names_are_said() -> None:
    with pytest.raises(InputError, match="repeat a name"):
        KAN([2, 1], input_names=["a", "a"])


@pytest.mark.parametrize("change", [{"base": "tanh"}, {"knots": "free"}, {"extrapolate": "zero"}])
def test_layers_that_differ_have_no_config(change: dict) -> None:
    model = KAN([2, 2, 1])
    model.layers[1] = KANLayer(2, 1, **change)
    with pytest.raises(InputError, match=f"layers differ in {next(iter(change))}"):
        model.config()


@pytest.mark.parametrize("widths", [[], [2], [(2, 1), 1]])
def test_what_is_no_network_is_said(widths: list) -> None:
    with pytest.raises(InputError, match="make no network"):
        KAN(widths)


def test_combine_adds_nothing_and_multiplies_groups() -> None:
    values = torch.arange(1.0, 8.0).expand(2, 3, 7)
    out = combine(values, Width(2, (2, 3)))
    torch.testing.assert_close(out, torch.tensor([1.0, 2.0, 12.0, 210.0]).expand(2, 3, 4))
    assert combine(values, Width(7)) is values
    zeros = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda v: combine(v, Width(0, (2,))), zeros)


def test_multiplication_nodes_multiply() -> None:
    model = KAN([2, (0, 1), 1], dtype=torch.float64)
    model.layers[0].fix_edge(0, 0, "identity")
    model.layers[0].mask_edge(1, 0)
    model.layers[0].fix_edge(1, 1, "identity")
    model.layers[0].mask_edge(0, 1)
    model.layers[1].fix_edge(0, 0, "identity")
    x = points(10, 2)
    torch.testing.assert_close(model(x)[:, 0], x[:, 0] * x[:, 1])


def test_per_layer_grids_and_degrees() -> None:
    model = KAN([2, 3, 1], grid_size=[4, 9], degree=(1, 5))
    assert [(layer.grid_size, layer.degree) for layer in model.layers] == [(4, 1), (9, 5)]
    with pytest.raises(InputError, match="grid_size has 3 entries for 2 layers"):
        KAN([2, 3, 1], grid_size=[4, 9, 2])


def test_activations_are_the_inputs_of_the_layers() -> None:
    model, x = KAN([3, (2, 1), 2], dtype=torch.float64), points(5, 3)
    values = model.activations(x)
    assert [tuple(v.shape) for v in values] == [(5, 3), (5, 3), (5, 2)]
    torch.testing.assert_close(combine(model.layers[0](values[0]), model.widths[1]), values[1])
    torch.testing.assert_close(values[-1], model(x))


def test_selected_inputs() -> None:
    full = KAN([3, 2, 1], dtype=torch.float64)
    part = KAN([3, 2, 1], in_features=6, input_index=[0, 2, 5], input_names=list("abcdef"), dtype=torch.float64)
    part.load_state_dict({**full.state_dict(), "input_index": part.input_index})
    x = points(8, 6)
    torch.testing.assert_close(part(x), full(x[:, [0, 2, 5]]))
    assert part.used_inputs == (0, 2, 5) and full.used_inputs == (0, 1, 2)
    assert part.in_features == 6 and part.input_names == tuple("abcdef")
    with pytest.raises(InputError, match=r"KAN got x of shape \(8, 3\); expected \(\.\.\., 6\)"):
        part(x[:, :3])
    for index in ([0, 2], [2, 0, 5], [0, 0, 5], [0, 2, 6], [-1, 2, 5]):
        with pytest.raises(InputError, match="input_index"):
            KAN([3, 1], in_features=6, input_index=index)
    with pytest.raises(InputError, match="2 input_names for 3 columns"):
        KAN([3, 1], input_names=["a", "b"])


@pytest.mark.parametrize("shape", [(2,), (0, 2), (4, 2), (3, 4, 2)])
def test_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    model = KAN([2, (1, 1), 3])
    assert model(torch.zeros(shape)).shape == (*shape[:-1], 3)


def test_wrong_input_is_said() -> None:
    model = KAN([2, 1])
    with pytest.raises(InputTypeError, match=r"KAN got x of dtype torch.float64; expected torch.float32"):
        model(points(3, 2))
    with pytest.raises(InputTypeError, match="ndarray; expected a tensor"):
        model(points(3, 2).numpy())


def test_config_survives_json_and_gives_the_same_structure() -> None:
    model = KAN(
        [2, (2, [3]), 1],
        grid_size=[3, 7],
        degree=[2, 3],
        base="tanh",
        knots="free",
        extrapolate="constant",
        init="lecun",
        in_features=3,
        input_index=[0, 2],
        input_names=["a", "b", "c"],
        dtype=torch.float64,
    )
    model.layers[0].fix_edge(0, 1, "sin")
    twin = KAN.from_config(json.loads(json.dumps(model.config())))
    assert repr(twin) == repr(model).replace(", fixed=1", "") and twin.config() == model.config()
    twin.load_state_dict(model.state_dict())
    x = points(5, 3)
    assert torch.equal(twin(x), model(x))
    with pytest.raises(InputError, match="does not describe a KAN"):
        KAN.from_config({"widths": [1, 1], "colour": "red"})
    with pytest.raises(InputError, match="dtype 'load'"):
        KAN.from_config({"widths": [1, 1], "dtype": "load"})


def test_edge_curve_spans_the_grid_and_lies_on_the_edge() -> None:
    model = KAN([3, 2, 1], dtype=torch.float64)
    layer = model.layers[0]
    layer.grid.mul_(torch.tensor([[1.0], [2.0], [3.0]]))
    x, y = model.edge_curve(0, i=2, j=1, n=50)
    assert (x[0], x[-1]) == (-3, 3) and not y.requires_grad
    columns = torch.zeros(50, 3, dtype=torch.float64)
    columns[:, 2] = x
    torch.testing.assert_close(y, layer.edges(columns)[:, 1, 2].detach())
    layer.mask_edge(2, 1)
    assert not model.edge_curve(0, 2, 1)[1].any()
    with pytest.raises(InputError, match="does not exist"):
        model.edge_curve(0, 3, 0)


def test_out_of_grid_fraction_of_every_layer() -> None:
    model = KAN([1, 1, 1])
    model.layers[0].fix_edge(0, 0, "identity", (10, 0, 1, 0, 1))
    first, second = model.out_of_grid_fraction(torch.linspace(-1, 1, 101)[:, None])
    assert first == 0 and float(second) == pytest.approx(0.9, abs=0.02)


def test_same_generator_same_network() -> None:
    state = torch.get_rng_state()
    networks = [KAN([2, 5, 1], generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    x = torch.rand(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(networks[0](x), networks[1](x)) and not torch.equal(networks[0](x), networks[2](x))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(KAN([2, 2])(x), KAN([2, 2])(x))


def test_readable_text() -> None:
    text = repr(KAN([2, (1, 2), 1], in_features=3, input_index=[0, 2], input_names=["a", "b", "c"]))
    assert "widths=[2, (1, [2, 2]), 1], in_features=3, input_index=[0, 2], input_names=['a', 'b', 'c']" in text
    assert "KANLayer(2, 5, grid_size=5, degree=3" in text


def test_deepcopy_and_training_step() -> None:
    model = KAN([2, (1, 1), 1], dtype=torch.float64)
    twin, x = copy.deepcopy(model), points(20, 2)
    assert torch.equal(model(x), twin(x))
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.001)
    loss = twin(x).square().mean()
    loss.backward()
    optimizer.step()
    assert twin(x).square().mean() < loss
    assert not torch.equal(model(x), twin(x))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, in jvp
def test_second_derivatives_for_differential_equations() -> None:
    model, x = KAN([2, (2, 1), 1], dtype=torch.float64), points(6, 2)
    hessians = torch.func.vmap(torch.func.hessian(lambda p: model(p)[0]))(x)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    rows = [torch.autograd.grad(slope[:, i].sum(), x, retain_graph=True)[0] for i in range(2)]
    torch.testing.assert_close(hessians, torch.stack(rows, 1))
    torch.testing.assert_close(hessians, hessians.mT)


def test_compiled_without_graph_breaks() -> None:
    torch._dynamo.reset()
    model, x = KAN([2, (1, 1), 1], dtype=torch.float64), points(6, 2)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))
