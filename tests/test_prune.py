"""Pruning: the smaller network is the masked network, whatever its shape; what goes is what the scores say."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kanlib.compact import compact
from kanlib.errors import InputError
from kanlib.network import KAN, Width
from kanlib.prune import drop_edges, prune


@st.composite
def widths(draw: st.DrawFn) -> list[object]:
    """Two to four levels: sums, products of two or three, or both, also at the output."""
    levels: list[object] = [draw(st.integers(1, 4))]
    for _ in range(draw(st.integers(1, 3))):
        sums = draw(st.integers(0, 3))
        products = draw(st.lists(st.integers(2, 3), min_size=0 if sums else 1, max_size=2))
        levels.append((sums, products))
    return levels


@st.composite
def masked_networks(draw: st.DrawFn) -> KAN:
    """A random network with a grid of its own in each layer, some edges fixed, some masked."""
    shape = draw(widths())
    rng = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    n_layers = len(shape) - 1
    model = KAN(
        shape,
        grid_size=[draw(st.integers(1, 4)) for _ in range(n_layers)],
        degree=[draw(st.integers(1, 3)) for _ in range(n_layers)],
        base=draw(st.sampled_from(["silu", None])),
        init="lecun",
        generator=rng,
        dtype=torch.float64,
    )
    share = draw(st.sampled_from([0.2, 0.5, 0.8]))
    with torch.no_grad():
        for layer in model.layers:
            layer.grid *= 1 + torch.rand((), generator=rng)
            layer.bias += torch.randn(layer.bias.shape, generator=rng, dtype=torch.float64)
            fixed = torch.rand(layer.mask.shape, generator=rng) < 0.2
            for j, i in fixed.nonzero().tolist():
                layer.fix_edge(i, j, "sin", (1.5, 0.2, 0.7, -0.3, 1.0))
            layer.mask &= torch.rand(layer.mask.shape, generator=rng) > share
    return model


@given(masked_networks())
def test_a_compact_network_equals_the_masked_one(model: KAN) -> None:
    x = 4 * torch.rand(20, model.in_features, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 2
    expected = model(x)
    before = copy.deepcopy(model.state_dict())
    try:
        small = compact(model)
    except InputError:
        # Nothing leads from the inputs to the outputs: then the masked network must be constant.
        assert torch.allclose(expected, expected[:1].expand_as(expected), rtol=1e-12, atol=1e-12)
        return
    torch.testing.assert_close(small(x), expected, rtol=1e-10, atol=1e-10)
    for old, new in zip(model.widths, small.widths, strict=True):
        assert new.size <= old.size and new.subnodes <= old.subnodes
    # Hidden nodes that are left have something in front of them and something behind.
    for depth in range(1, len(small.layers)):
        assert bool(small.layers[depth].mask.any(dim=0).all())
        assert bool(small.layers[depth - 1].mask.any(dim=1).all())
    assert small.in_features == model.in_features and small.out_features == model.out_features
    for key, value in model.state_dict().items():  # the network that was passed is untouched
        assert torch.equal(value, before[key]) if isinstance(value, torch.Tensor) else value == before[key]


@given(masked_networks(), st.floats(0.0, 1.0))
def test_pruning_equals_dropping_the_edges(model: KAN, threshold: float) -> None:
    x = 2 * torch.rand(30, model.in_features, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 1
    try:
        result = prune(model, x, threshold=threshold)
    except InputError as error:
        assert "leaves no path" in str(error)
        return
    scores = result.report.scores.edges
    masked = drop_edges(model, x, [score > threshold for score in scores])
    torch.testing.assert_close(result.model(x), masked(x), rtol=1e-10, atol=1e-10)


def additive(sizes: list[float], **kwargs: object) -> KAN:
    """sum of size_i * x_i, by fixed edges."""
    model = KAN([len(sizes), 1], dtype=torch.float64, **kwargs)
    for i, size in enumerate(sizes):
        model.layers[0].fix_edge(i, 0, "identity", (1, 0, size, 10.0, 1))
    return model


def test_the_mean_of_a_dropped_edge_goes_into_the_bias(generator: torch.Generator) -> None:
    model = additive([1.0, 0.001])
    x = torch.rand(50, 2, generator=generator, dtype=torch.float64)
    small = prune(model, x, threshold=0.01).model
    assert small.used_inputs == (0,)
    assert float(small(x).detach().mean()) == pytest.approx(float(model(x).detach().mean()), abs=1e-12)


def test_inputs_keep_their_numbers_and_names(generator: torch.Generator) -> None:
    model = additive([0.0, 1.0, 0.0, 2.0], input_names=["a", "b", "c", "d"])
    x = torch.rand(50, 4, generator=generator, dtype=torch.float64)
    result = prune(model, x, threshold=0.0)
    assert result.model.in_features == 4
    assert result.model.used_inputs == (1, 3)
    assert result.model.input_names == ("a", "b", "c", "d")
    assert result.report.inputs_kept == ("b", "d") and result.report.inputs_dropped == ("a", "c")
    torch.testing.assert_close(result.model(x), model(x))
    again = prune(result.model, x, threshold=0.6).model  # b has 0.45 of the spread, d 0.89
    assert again.used_inputs == (3,)


def test_input_threshold_takes_all_edges_of_an_input(generator: torch.Generator) -> None:
    model = additive([1.0, 0.3])
    x = torch.rand(50, 2, generator=generator, dtype=torch.float64)
    assert prune(model, x, threshold=0.01, input_threshold=0.5).model.used_inputs == (0,)


def test_the_report_says_what_happened(generator: torch.Generator) -> None:
    model = additive([1.0, 0.001, 0.5])
    report = prune(model, torch.rand(50, 3, generator=generator, dtype=torch.float64)).report
    assert (report.edges_before, report.edges_after) == (3, 2)
    assert [(edge.layer, edge.i, edge.j) for edge in report.dropped] == [(0, 1, 0)]
    assert 0 < report.change < 0.01
    text = str(report)
    assert "[3, 1] to [2, 1]" in text and "2 of 3 edges" in text and "Dropped: x1" in text


def test_a_product_with_a_constant_factor_becomes_a_sum() -> None:
    model = KAN([2, (0, [2]), 1], init="lecun", dtype=torch.float64)
    with torch.no_grad():
        model.layers[0].bias[1] = 3.0
        model.layers[0].mask[1] = False
    small = compact(model)
    assert small.widths[1] == Width(1)
    x = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(small(x), model(x))


def test_outputs_keep_their_order() -> None:
    """A product among the outputs that loses its factors may not move in front of another product."""
    model = KAN([2, (1, [2, 2])], init="lecun", dtype=torch.float64)
    with torch.no_grad():
        model.layers[0].bias.copy_(torch.arange(1.0, 6.0))
        model.layers[0].mask[4] = False  # the second factor of the second product
    small = compact(model)
    x = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(small(x), model(x))


@pytest.mark.parametrize("threshold", [5.0, 1e6])
def test_pruning_everything_is_an_error(threshold: float, generator: torch.Generator) -> None:
    with pytest.raises(InputError, match=r"leaves no path.*below these"):
        prune(KAN([2, 3, 1], dtype=torch.float64), torch.rand(20, 2, generator=generator), threshold=threshold)


@pytest.mark.parametrize(
    ("x", "kwargs", "message"),
    [
        (np.full((5, 2), np.nan), {}, "NaN or infinite"),
        (np.zeros((5, 3)), {}, "3 columns; the network takes 2"),
        (np.zeros(5), {}, "reshape"),
        (np.zeros((1, 2)), {}, "two at least"),
        (np.zeros((5, 2)), {}, "leaves no path"),  # constant data: nothing varies
        (np.eye(2), {"threshold": -1.0}, "threshold is -1.0"),
        (np.eye(2), {"threshold": float("nan")}, "threshold is nan"),
        (np.eye(2), {"input_threshold": -1.0}, "input_threshold is -1.0"),
    ],
)
def test_bad_input_is_a_clear_error(x: np.ndarray, kwargs: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prune(KAN([2, 1]), x, **kwargs)


def test_dtype_mode_and_gradients_are_kept(generator: torch.Generator) -> None:
    model = additive([1.0, 0.0]).float().eval()
    model.layers[0].bias.requires_grad_(False)
    small = prune(model, torch.rand(20, 2, generator=generator)).model
    assert small.layers[0].coefficients.dtype == torch.float32
    assert not small.training and not small.layers[0].bias.requires_grad
    assert small.layers[0].coefficients.requires_grad
