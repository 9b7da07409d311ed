"""KAN convolutions equal their defining sum, in one to three dimensions, and keep what KAN layers offer."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from architecture_contract import ArchitectureContract
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kanlib import KANLayer, attribute
from kanlib.architectures.convolution import KANConv, KANConv1d, KANConv2d, KANConv3d
from kanlib.architectures.parts import fit_grids
from kanlib.errors import InputError, InputTypeError
from kanlib.plots import plot_edges

F64 = torch.float64
CLASSES: dict[int, type[KANConv]] = {1: KANConv1d, 2: KANConv2d, 3: KANConv3d}


class TestKANConv1d(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return KANConv1d(2, 4, 3, padding=1, groups=2, **{"grid_size": 3, **options})

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.rand(batch, 2, 6, dtype=dtype, generator=generator) * 2 - 1,)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 4, 6)

    def test_inputs_of_another_width_are_refused(self) -> None:
        with pytest.raises(InputError, match="expected"):
            self.make()(torch.zeros(2, 3, 6))


class TestKANConv2d(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return KANConv2d(2, 3, (2, 3), stride=2, padding=1, **{"grid_size": 3, **options})

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.rand(batch, 2, 4, 5, dtype=dtype, generator=generator) * 2 - 1,)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3, 3, 3)

    def test_inputs_of_another_width_are_refused(self) -> None:
        with pytest.raises(InputError, match="expected"):
            self.make()(torch.zeros(2, 3, 4, 5))


class TestKANConv3d(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return KANConv3d(1, 2, 2, **{"grid_size": 3, **options})

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.rand(batch, 1, 3, 3, 3, dtype=dtype, generator=generator) * 2 - 1,)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 2, 2, 2, 2)

    def test_inputs_of_another_width_are_refused(self) -> None:
        with pytest.raises(InputError, match="expected"):
            self.make()(torch.zeros(2, 2, 3, 3, 3))


def unfolded(conv: KANConv, x: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
    """The defining sum, position by position and edge by edge; numbers are given, not read from the module."""
    kernel, n = conv.geometry.kernel_size, conv.dimensions
    x = nn.functional.pad(x, [p for p in reversed(padding) for _ in range(2)])
    sizes = [
        (size - d * (k - 1) - 1) // s + 1 for size, d, k, s in zip(x.shape[2:], dilation, kernel, stride, strict=True)
    ]
    group_in, group_out = x.shape[1] // groups, len(conv.bias) // groups
    y = torch.empty(len(x), len(conv.bias), *sizes, dtype=x.dtype)
    offsets = list(itertools.product(*map(range, kernel)))
    for o, p in itertools.product(range(len(conv.bias)), itertools.product(*map(range, sizes))):
        total = conv.bias[o].expand(len(x))
        for i, (q, offset) in itertools.product(range(group_in), enumerate(offsets)):
            channel = o // group_out * group_in + i
            pixel = tuple(s * a + d * b for s, a, d, b in zip(stride, p, dilation, offset, strict=True))
            value = x[(slice(None), channel, *pixel)]
            total = total + conv.functions.edge(value, channel, (o % group_out) * len(offsets) + q)
        y[(slice(None), o, *p)] = total
    assert len(sizes) == n
    return y


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, dict[str, Any], tuple[int, ...]]:
    n = draw(st.sampled_from([1, 2, 3]))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(n))

    groups = draw(st.sampled_from([1, 2]))
    kernel, dilation = each(1, 2 if n == 3 else 3), each(1, 2)
    size = tuple(d * (k - 1) + 1 + draw(st.integers(0, 2)) for k, d in zip(kernel, dilation, strict=True))
    numbers = {"kernel_size": kernel, "stride": each(1, 3), "padding": each(0, 2), "dilation": dilation}
    channels = {"in_channels": groups * draw(st.integers(1, 2)), "out_channels": groups * draw(st.integers(1, 2))}
    return n, {**numbers, **channels, "groups": groups}, size


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (F64, 1e-10)])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(case=cases())
@torch.no_grad()
def test_equals_the_defining_sum(
    dtype: torch.dtype, tolerance: float, case: tuple[int, dict[str, Any], tuple[int, ...]]
) -> None:
    n, numbers, size = case
    generator = torch.Generator().manual_seed(len(size) + sum(size))
    conv = CLASSES[n](**numbers, grid_size=3, init="lecun", generator=generator, dtype=dtype)
    conv.bias.copy_(torch.randn(len(conv.bias), generator=generator, dtype=dtype))
    x = torch.randn(2, numbers["in_channels"], *size, generator=generator, dtype=dtype)
    wanted = unfolded(conv, x, *(numbers[name] for name in ("stride", "padding", "dilation", "groups")))
    torch.testing.assert_close(conv(x), wanted, atol=tolerance * float(wanted.abs().max().clamp_min(1)), rtol=0)


def test_padding_means_zeros_that_pass_through_the_functions() -> None:
    conv = KANConv1d(1, 1, 3, padding=1, base=None, dtype=F64)
    with torch.no_grad():
        conv.functions.coefficients.fill_(1.0)  # splines that are one everywhere: phi(0) = 1
    x = torch.rand(1, 1, 5, dtype=F64)
    torch.testing.assert_close(conv(x), torch.full((1, 1, 5), 3.0, dtype=F64))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_and_same_are_those_of_torch(mode: str) -> None:
    """With functions phi(x) = w x the layer is torch's convolution."""
    options: dict[str, Any] = {"padding": "same", "dilation": 2, "padding_mode": mode}
    ours = KANConv2d(2, 3, (3, 2), base="identity", init="zero_spline", dtype=F64, **options)
    theirs = nn.Conv2d(2, 3, (3, 2), dtype=F64, **options)
    with torch.no_grad():
        weight = ours.functions.base_weight
        assert weight is not None
        theirs.weight.copy_(weight.reshape(3, 3, 2, 2).permute(0, 3, 1, 2))
        theirs.bias.copy_(ours.bias)  # type: ignore[union-attr]
    x = torch.rand(2, 2, 6, 7, dtype=F64)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("groups", [1, 2])
def test_masked_and_fixed_edges_count_like_in_a_layer(groups: int) -> None:
    conv = KANConv2d(2, 4, 2, groups=groups, padding=1, stride=2, init="lecun", dtype=F64)
    conv.functions.mask_edge(0, 1)
    conv.functions.fix_edge(1, 6, "sin", (2.0, 0.3, 1.5, -0.2, 1.0))
    conv.functions.fix_edge(0, 3, "square", (1.0, 0.0, 0.5, 0.1, 1.0))
    conv.functions.mask_edge(0, 3)
    x = torch.randn(2, 2, 3, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    wanted = unfolded(conv, x, (2, 2), (1, 1), (1, 1), groups)
    torch.testing.assert_close(conv(x), wanted)
    other = KANConv2d(2, 4, 2, groups=groups, padding=1, stride=2, dtype=F64)
    other.load_state_dict(conv.state_dict())
    torch.testing.assert_close(other(x), wanted)
    for group in range(groups):
        rows = conv.patch_network(group)(conv.patches(x, group))
        own = wanted.chunk(groups, dim=1)[group]
        torch.testing.assert_close(rows, own.movedim(1, -1).flatten(0, -2))


def test_a_layer_of_patches_is_the_same_and_has_scores_and_pictures() -> None:
    conv = KANConv1d(2, 1, 2, init="lecun")
    x = torch.rand(3, 2, 8, generator=torch.Generator().manual_seed(0))
    network, rows = conv.patch_network(), conv.patches(x)
    assert network.widths[0].size == 4 and isinstance(network.layers[0], KANLayer)
    assert attribute(network, rows).edges[0].shape == (1, 4)
    assert len(plot_edges(network, rows).axes) == 4


def test_grids_follow_the_data_and_curves_stay() -> None:
    conv = KANConv2d(2, 3, 3, padding=1, init="lecun", dtype=F64)
    x = torch.rand(4, 2, 5, 5, dtype=F64, generator=torch.Generator().manual_seed(0)) * 0.5
    before = conv(x)
    fit_grids(conv, x, rounds=1, margin=0.0)
    low, high = conv.functions.grid[:, 0], conv.functions.grid[:, -1]
    torch.testing.assert_close(low, torch.zeros(2, dtype=F64))  # of the padding
    torch.testing.assert_close(high, x.amax(dim=(0, 2, 3)))
    with torch.no_grad():
        assert float((conv(x) - before).abs().max()) < 0.1 * float(before.std())


@torch.no_grad()
def test_first_weights_are_sized_for_all_that_an_output_adds() -> None:
    generator = torch.Generator().manual_seed(0)
    conv = KANConv2d(16, 16, 5, init="lecun", generator=generator)
    x = torch.rand(4, 16, 9, 9, generator=generator) * 2 - 1
    layer = KANLayer(16 * 25, 64, init="lecun", generator=generator)
    ratio = float(conv(x).std() / layer(torch.rand(256, 400, generator=generator) * 2 - 1).std())
    assert 0.8 < ratio < 1.25


@pytest.mark.parametrize(
    "arguments",
    [
        {"in_channels": 0},
        {"groups": 2},
        {"kernel_size": (3, 3, 3)},
        {"kernel_size": 0},
        {"stride": 0},
        {"padding": -1},
        {"padding": "valid", "padding_mode": "mirror"},
        {"padding": "full"},
        {"padding": "same", "stride": 2},
    ],
)
def test_numbers_that_make_no_convolution_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        KANConv2d(**{"in_channels": 3, "out_channels": 2, "kernel_size": 3, **arguments})


def test_wrong_inputs_are_refused() -> None:
    conv = KANConv2d(1, 2, 3)
    with pytest.raises(InputError, match="what the kernel covers"):
        conv(torch.zeros(1, 1, 2, 5))
    with pytest.raises(InputTypeError, match="float64"):
        conv(torch.zeros(1, 1, 5, 5, dtype=F64))
    with pytest.raises(InputTypeError, match="tensor"):
        conv([[0.0]])
    with pytest.raises(InputError, match="group is 1"):
        conv.patches(torch.zeros(1, 1, 5, 5), group=1)
    with pytest.raises(InputError, match="group is 1"):
        conv.patch_network(group=1)
