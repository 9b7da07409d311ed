"""KANLayer: what it computes, and that it is a module like any other."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor, nn

from kanlib.base_functions import BASE_FUNCTIONS
from kanlib.errors import InputError, InputTypeError
from kanlib.fixed_edges import has_frozen
from kanlib.initialization import INIT_RULES
from kanlib.layer import KANLayer
from kanlib.polynomials import extended_knots


def make(in_features: int = 3, out_features: int = 2, seed: int = 0, **kwargs) -> KANLayer:
    """A layer in float64 with weights of size one everywhere."""
    kwargs = {"dtype": torch.float64, **kwargs}
    layer = KANLayer(in_features, out_features, **kwargs)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (layer.coefficients, layer.base_weight, layer.bias):
            if parameter is not None:
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer


def points(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3 - 1.5


def test_the_layer_is_base_plus_spline_summed_over_inputs() -> None:
    layer, x = make(), points(50, 3).clamp(-1, 1)
    knots = extended_knots(layer.grid, 3)
    expected = layer.bias.detach().expand(50, 2).clone()
    for i in range(3):
        for j in range(2):
            spline = BSpline(knots[i].numpy(), layer.coefficients[j, i].detach().numpy(), 3)
            expected[:, j] += torch.from_numpy(spline(x[:, i].numpy()))
            expected[:, j] += layer.base_weight[j, i].detach() * nn.functional.silu(x[:, i])
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("base", [*BASE_FUNCTIONS, None])
@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_features_weights_and_edges_agree_with_forward(base: str | None, knots: str) -> None:
    layer, x = make(base=base, knots=knots), points(40, 3)
    layer.mask_edge(0, 1)
    layer.fix_edge(2, 0, "sin", (2, 1, 3, 4, 1))
    layer.fix_edge(1, 0, "cos")
    layer.fix_edge(1, 1, "sin")
    fixed = layer.edges(x)[:, 0, 2]
    torch.testing.assert_close(fixed, 3 * torch.sin(2 * x[:, 2] + 1) + 4)
    torch.testing.assert_close(layer.edges(x).sum(-1) + layer.bias, layer(x))
    assert not layer.edges(x)[:, 1, 0].any()
    for i in range(3):
        for j in range(2):
            torch.testing.assert_close(layer.edge(x[:, i], i, j), layer.edges(x)[:, j, i])
    weights, features = layer.weights(), layer.features(x)
    assert features.shape == (40, 3, 8 + (base is not None)) and weights.shape == (2, 3, features.shape[-1])
    assert not weights[0, 2].any() and not weights[1, 0].any()
    splines = torch.einsum("bif,oif->bo", features, weights)
    fixed_sum = torch.zeros(40, 2, dtype=torch.float64)
    for i, j in layer.fixed_edges():
        fixed_sum[:, j] += layer.edge(x[:, i], i, j).detach()
    torch.testing.assert_close(splines + fixed_sum + layer.bias, layer(x))


@pytest.mark.parametrize("base", [*BASE_FUNCTIONS, None])
def test_feature_derivatives_are_those_of_autograd(base: str | None) -> None:
    layer, x = make(base=base), points(30, 3).requires_grad_()
    features = layer.features(x)
    for f in range(features.shape[-1]):
        (slope,) = torch.autograd.grad(features[..., f].sum(), x, retain_graph=True)
        torch.testing.assert_close(layer.feature_derivatives(x)[..., f], slope, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("base", ["silu", None])
def test_set_weights_round_trip_leaves_masked_and_fixed_edges_alone(base: str | None) -> None:
    layer = make(base=base)
    layer.mask_edge(0, 0)
    layer.fix_edge(1, 1, "square")
    before, parameters = layer.coefficients.detach().clone(), list(layer.parameters())
    new = torch.randn_like(layer.weights())
    layer.set_weights(new)
    assert all(a is b for a, b in zip(parameters, layer.parameters(), strict=True))
    active = layer.spline_mask()
    torch.testing.assert_close(layer.weights()[active], new[active])
    torch.testing.assert_close(layer.coefficients[~active], before[~active])
    with pytest.raises(InputError, match="as weights\\(\\) returns"):
        layer.set_weights(new[:, :1])


@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_gradients_of_first_and_second_order(knots: str) -> None:
    layer, x = make(2, 2, knots=knots, grid_size=3), points(5, 2).requires_grad_()
    layer.fix_edge(0, 1, "tanh", (0.7, 0.1, 1.5, 0.2, 1))
    layer.fix_edge(1, 1, "power", (0.7, 3.0, 1.5, 0.2, 1.3))
    names = ["coefficients", "base_weight", "bias", "edge_constants"]
    parameters = tuple(getattr(layer, name) for name in names)

    def function(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, (x, *parameters))
    assert torch.autograd.gradgradcheck(function, (x, *parameters))


@pytest.mark.parametrize("shape", [(3,), (0, 3), (4, 3), (2, 0, 3), (2, 5, 3)])
def test_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    for knots in ("uniform", "free"):
        layer = make(knots=knots)
        layer.fix_edge(0, 0, "exp")
        x = points(*shape)
        assert layer(x).shape == (*shape[:-1], 2)
        assert layer.edges(x).shape == (*shape[:-1], 2, 3)
        torch.testing.assert_close(layer(x).reshape(-1, 2), layer(x.reshape(-1, 3)))
        assert layer.out_of_grid_fraction(x).shape == (3,)


def test_every_float_is_finite_and_nan_stays_nan() -> None:
    inf = float("inf")
    for base in [*BASE_FUNCTIONS, None]:
        layer = KANLayer(1, 4, base=base)
        x = torch.tensor([[3e38], [-3e38], [inf], [-inf]], requires_grad=True)
        y = layer(x)
        assert y.isfinite().all()
        assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()
        assert layer(torch.tensor([[float("nan")]])).isnan().all()


def test_masked_edges_give_zero_and_take_no_gradient() -> None:
    layer, x = make(), points(20, 3)
    layer.mask_edge(1, 0)
    layer(x).sum().backward()
    assert not layer.coefficients.grad[0, 1].any() and not layer.base_weight.grad[0, 1].any()
    x2 = x.clone()
    x2[:, 1] += 0.1
    torch.testing.assert_close(layer(x)[:, 0], layer(x2)[:, 0])
    layer.free_edge(1, 0)
    assert not torch.allclose(layer(x)[:, 0], layer(x2)[:, 0])


def test_fixed_edges_train_their_constants_and_can_be_freed() -> None:
    layer, x = make(), points(20, 3)
    before = layer(x)
    layer.fix_edge(0, 1, "power", (1.0, 2.0, 1.0, 0.0, 1.5))
    layer.mask_edge(0, 0)
    assert layer.fixed_edges() == {(0, 1): "power"} and layer.primitive_index[1, 0] >= 0
    layer(x).sum().backward()
    assert (layer.edge_constants.grad[1, 0] != 0).all()
    assert not layer.edge_constants.grad[0].any() and not layer.coefficients.grad[1, 0].any()
    layer.free_edge(0, 1)
    layer.free_edge(0, 0)
    assert not layer.fixed_edges() and (layer.primitive_index == -1).all()
    torch.testing.assert_close(layer(x), before)


def test_outside_its_domain_a_fixed_edge_gives_nan() -> None:
    layer = make(1, 2)
    layer.fix_edge(0, 0, "log")
    y = layer(torch.tensor([[-1.0]]).double())
    assert y[0, 0].isnan() and y[0, 1].isfinite()
    layer.mask_edge(0, 0)
    y = layer(torch.tensor([[-1.0]]).double())
    assert y[0, 0] == layer.bias[0]
    y.sum().backward()
    assert layer.edge_constants.grad.isfinite().all()


def test_state_dict_round_trip_keeps_fixed_edges_by_name() -> None:
    layer, other, x = make(), make(seed=5), points(10, 3)
    layer.fix_edge(2, 1, "gaussian", (1, 2, 3, 4, 5))
    layer.mask_edge(0, 0)
    other.fix_edge(0, 0, "sin")
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.fixed_edges() == {(2, 1): "gaussian"}
    assert torch.equal(layer(x), other(x))
    assert not any("primitive_index" in key for key in layer.state_dict())
    empty = KANLayer(3, 2, device="meta")
    empty.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(layer(x), empty(x))


def test_deepcopy_is_independent() -> None:
    layer, x = make(), points(10, 3)
    layer.fix_edge(0, 0, "sin")
    twin = copy.deepcopy(layer)
    assert torch.equal(layer(x), twin(x))
    before = layer(x)
    twin.free_edge(0, 0)
    twin.mask_edge(1, 1)
    with torch.no_grad():
        twin.coefficients.add_(1)
    assert torch.equal(layer(x), before)


def test_device_and_dtype() -> None:
    layer = KANLayer(3, 2, dtype=torch.float64)
    assert {p.dtype for p in layer.parameters()} == {torch.float64} and layer.grid.dtype == torch.float64
    layer = layer.float()
    assert layer(torch.zeros(1, 3)).dtype == torch.float32
    assert layer.mask.dtype == torch.bool and layer.primitive_index.dtype == torch.int64
    meta = KANLayer(3, 2, device="meta")
    assert meta(torch.zeros(4, 3, device="meta")).shape == (4, 2) and "KANLayer" in repr(meta)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        nn.Sequential(nn.Linear(3, 3), KANLayer(3, 2), KANLayer(2, 1))(torch.zeros(4, 3)).sum().backward()


def test_wrong_input_is_said() -> None:
    layer = KANLayer(3, 2)
    with pytest.raises(InputError, match=r"shape \(5, 4\); expected \(\.\.\., 3\)"):
        layer(torch.zeros(5, 4))
    with pytest.raises(InputError, match=r"shape \(\)"):
        layer(torch.tensor(1.0))
    with pytest.raises(InputTypeError, match=r"torch.float64; expected torch.float32.*x\.to\(torch\.float32\)"):
        layer(torch.zeros(5, 3).double())
    with pytest.raises(InputTypeError, match=r"torch.int64.*x\.to\(torch\.float32\)\."):
        layer(torch.zeros(5, 3, dtype=torch.int64))
    with pytest.raises(InputTypeError, match="list; expected a tensor"):
        layer([[1.0, 2.0, 3.0]])
    with pytest.raises(InputError, match="edge \\(3, 0\\) does not exist"):
        layer.mask_edge(3, 0)
    with pytest.raises(InputError, match="primitive 'sine' is not known"):
        layer.fix_edge(0, 0, "sine")
    with pytest.raises(InputError, match="five: a, b, c, d, p"):
        layer.fix_edge(0, 0, "sin", (1, 2))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"grid_size": 0}, "grid_size 0"),
        ({"degree": 6}, "degree 6"),
        ({"grid_range": (1, -1)}, "low < high"),
        ({"grid_range": (0.0, float("inf"))}, "goes beyond"),
        ({"grid_range": (-3e38, 3e38), "dtype": torch.float32}, "goes beyond"),
        ({"base": "relu6"}, "base 'relu6' is not known"),
        ({"knots": "fixed"}, "knots 'fixed' is not known"),
        ({"extrapolate": "cubic"}, "extrapolate 'cubic' is not known"),
        ({"init": "he"}, "init 'he' is not known"),
        ({"out_features": 0}, "at least 1 of each"),
    ],
)
def test_wrong_arguments_are_said(kwargs: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KANLayer(**{"in_features": 3, "out_features": 2, **kwargs})


@pytest.mark.parametrize("rule", INIT_RULES)
def test_first_weights_follow_the_rule_and_the_generator_only(rule: str) -> None:
    state = torch.get_rng_state()
    layers = [KANLayer(40, 50, init=rule, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(layers[0].base_weight, layers[1].base_weight)
    assert not torch.equal(layers[0].base_weight, layers[2].base_weight)
    sigmas = INIT_RULES[rule](40, 50, 8)
    for parameter, sigma in zip((layers[0].coefficients, layers[0].base_weight), sigmas, strict=True):
        assert float(parameter.detach().std()) == pytest.approx(sigma, rel=0.1)
    if rule == "power_law":
        assert sigmas == pytest.approx(((9 * 40) ** -1.75, (9 * 40) ** -0.25))


def test_extra_repr() -> None:
    layer = KANLayer(3, 2, 7, 2)
    assert repr(layer) == ("KANLayer(3, 2, grid_size=7, degree=2, base='silu', knots='uniform', extrapolate='linear')")
    layer.mask_edge(0, 0)
    layer.fix_edge(1, 1, "sin")
    assert "masked=1, fixed=1" in repr(layer)


def test_out_of_grid_fraction() -> None:
    x = torch.tensor([[0.0, 2.0], [1.0, -2.0], [-1.1, 3.0], [0.5, 0.0]])
    torch.testing.assert_close(KANLayer(2, 1).out_of_grid_fraction(x), torch.tensor([0.25, 0.75]))


def test_forward_changes_no_state() -> None:
    layer = make()
    layer.fix_edge(0, 0, "sin")
    before = copy.deepcopy(layer.__dict__)
    layer(points(5, 3)).sum()
    after = layer.__dict__
    assert before.keys() == after.keys() and before["_fixed"] == after["_fixed"]
    assert before["_buffers"].keys() == after["_buffers"].keys()
    for name, buffer in before["_buffers"].items():
        assert torch.equal(buffer, after["_buffers"][name])


@pytest.mark.parametrize("knots", ["uniform", "free"])
def test_compiled_without_graph_breaks(knots: str) -> None:
    # The tracing is ours to get right; the inductor behind it takes half a minute and is torch's.
    torch._dynamo.reset()
    layer, x = make(knots=knots), points(10, 3)
    layer.fix_edge(0, 0, "sin")
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))
    (ours,) = torch.autograd.grad(compiled(x).square().sum(), layer.coefficients)
    (theirs,) = torch.autograd.grad(layer(x).square().sum(), layer.coefficients)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, in jvp
def test_torch_func() -> None:
    layer, x = make(2, 1), points(6, 2)
    layer.fix_edge(0, 0, "sin")

    def function(point: Tensor) -> Tensor:
        return layer(point)[0]

    hessians = torch.func.vmap(torch.func.hessian(function))(x)
    one_by_one = torch.stack([torch.autograd.functional.hessian(function, p) for p in x])
    torch.testing.assert_close(hessians, one_by_one)
    jacobian = torch.func.jacrev(lambda p: torch.func.functional_call(layer, p, (x,)))(dict(layer.named_parameters()))
    assert jacobian["coefficients"].shape == (6, 1, *layer.coefficients.shape)


def test_no_tensor_of_batch_times_out_times_in_on_the_training_path() -> None:
    batch, inputs, outputs = 64, 16, 32
    largest = 0

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, Tensor):
                largest = max(largest, result.numel())
            return result

    layer = KANLayer(inputs, outputs)
    with Watch():
        layer(torch.zeros(batch, inputs))
    assert 0 < largest < batch * inputs * outputs


def test_constants_learn_once_an_edge_is_fixed() -> None:
    layer = make(2, 2)
    assert not layer.edge_constants.requires_grad and not has_frozen(layer)
    layer.fix_edge(0, 0, "sin")
    assert layer.edge_constants.requires_grad
    layer.edge_constants.requires_grad_(False)  # whoever freezes them keeps them frozen
    layer.fix_edge(1, 0, "sin")
    assert not layer.edge_constants.requires_grad and has_frozen(layer)
    layer.free_edge(0, 0)
    layer.free_edge(1, 0)
    assert not has_frozen(layer)
    other = make(2, 2)
    layer.fix_edge(0, 0, "sin")
    other.load_state_dict(layer.state_dict())
    assert other.edge_constants.requires_grad
