"""Feature extractors for sensor windows: the contract, each variant written out, and which channels see which."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor, nn

from kanlib.architectures.har import HARClassifier, KANFeatureExtractor
from kanlib.architectures.har_mixer import KANMixer, MixerBlock
from kanlib.errors import InputError, InputTypeError

F64 = torch.float64
VARIANTS = ("per_channel", "shared", "convolution", "residual")


def windows(batch: int, channels: int, length: int, dtype: torch.dtype = F64) -> Tensor:
    return torch.randn(batch, channels, length, generator=torch.Generator().manual_seed(4), dtype=dtype)


class Windows(ArchitectureContract):
    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 2, 8, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3)

    def test_inputs_of_another_width_are_refused(self) -> None:
        """Channels are the width here; another number of times is another number of positions, and allowed."""
        with pytest.raises(InputError, match=r"expected \(batch, 2, time\)"):
            self.make()(torch.zeros(2, 3, 8))


class TestPerChannel(Windows):
    def make(self, **options: Any) -> nn.Module:
        return HARClassifier(2, 3, features=2, variant="per_channel", kernel_size=3, stride=2, **options)


class TestShared(Windows):
    def make(self, **options: Any) -> nn.Module:
        return HARClassifier(2, 3, features=2, variant="shared", kernel_size=3, stride=2, **options)


class TestConvolution(Windows):
    def make(self, **options: Any) -> nn.Module:
        return HARClassifier(2, 3, features=3, variant="convolution", kernel_size=3, stride=2, **options)


class TestResidual(Windows):
    def make(self, **options: Any) -> nn.Module:
        return HARClassifier(2, 3, features=3, variant="residual", kernel_size=3, stride=2, **options)


class TestKANMixer(Windows):
    def make(self, **options: Any) -> nn.Module:
        return KANMixer(2, 8, 3, width=4, patch=4, blocks=1, **options)


def sums_of_edges(conv: Any, x: Tensor, stride: int, padding: int, group: int = 0) -> Tensor:
    """A KAN convolution written out with its edge functions, one group of channels, (batch, out, positions)."""
    x = nn.functional.pad(x, (padding, padding))
    functions, kernel = conv.functions, conv.geometry.kernel_size[0]
    outputs, positions = conv.geometry.out_channels // conv.geometry.groups, (x.shape[2] - kernel) // stride + 1
    rows = []
    for o in range(outputs):
        total = conv.bias[group * outputs + o].expand(len(x), positions)
        for i in range(x.shape[1]):
            for q in range(kernel):
                samples = x[:, i, q : q + stride * (positions - 1) + 1 : stride]
                total = total + functions.edge(samples, group * x.shape[1] + i, o * kernel + q)
        rows.append(total)
    return torch.stack(rows, dim=1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_what_it_is_said_to_be(variant: Any) -> None:
    extractor = KANFeatureExtractor(2, 3, variant=variant, kernel_size=3, stride=2, dtype=F64)
    x = windows(4, 2, 9)
    if variant in ("per_channel", "shared"):
        maps = []
        for channel in range(2):
            group = channel if variant == "per_channel" else 0
            u = sums_of_edges(extractor.first, x[:, channel : channel + 1], 2, 0, group)
            maps.append(sums_of_edges(extractor.second, u, 1, 1, group))
        expected = torch.cat(maps, dim=1)
    else:
        u = sums_of_edges(extractor.first, x, 2, 0)
        expected = sums_of_edges(extractor.second, u, 1, 1) + (u if variant == "residual" else 0)
    assert expected.shape == (4, extractor.out_channels, 4)
    torch.testing.assert_close(extractor(x), expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_which_channels_a_feature_sees(variant: Any) -> None:
    extractor = KANFeatureExtractor(3, 2, variant=variant, kernel_size=3, stride=1, dtype=F64)
    x, other = windows(2, 3, 8), windows(2, 3, 8)
    other[:, 1] += 1.0
    moved = (extractor(other) != extractor(x)).any(dim=-1).any(dim=0)
    if variant in ("per_channel", "shared"):
        assert moved.tolist() == [False, False, True, True, False, False]
    else:
        assert bool(moved.all())


def test_shared_functions_treat_channels_alike() -> None:
    extractor = KANFeatureExtractor(3, 2, variant="shared", dtype=F64)
    x = windows(2, 3, 20)
    swapped = extractor(x[:, [2, 0, 1]]).unflatten(1, (3, 2))
    torch.testing.assert_close(swapped, extractor(x).unflatten(1, (3, 2))[:, [2, 0, 1]])


def test_the_head_sees_mean_and_maximum() -> None:
    model, x = HARClassifier(2, 3, features=2, dtype=F64), windows(4, 2, 30)
    maps = model.extractor(x)
    summary = torch.cat([maps.sum(-1) / maps.shape[-1], maps.max(dim=-1).values], 1)
    torch.testing.assert_close(model(x), summary @ model.head.weight.T + model.head.bias)


def test_the_mixer_is_the_published_equation() -> None:
    model, x = KANMixer(2, 12, 3, width=5, patch=4, blocks=2, dtype=F64), windows(3, 2, 12)
    h = sums_of_edges(model.embedding, x, 4, 0).transpose(1, 2)

    def norm(layer: nn.LayerNorm, h: Tensor) -> Tensor:
        centred = h - h.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias

    def mlp(net: Any, h: Tensor) -> Tensor:
        a, _, b = net
        hidden = h @ a.weight.T + a.bias
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
        return hidden @ b.weight.T + b.bias

    for block in model.blocks:
        assert isinstance(block, MixerBlock)
        h = h + mlp(block.token_mlp, norm(block.token_norm, h).transpose(1, 2)).transpose(1, 2)
        h = h + mlp(block.width_mlp, norm(block.width_norm, h))
    torch.testing.assert_close(model(x), model.head(norm(model.norm, h).mean(1)))


def test_what_does_not_fit_is_refused() -> None:
    for wrong, match in (
        (lambda: KANFeatureExtractor(2, 3, variant="deep"), "variant 'deep'"),  # type: ignore[arg-type]
        (lambda: KANFeatureExtractor(0, 3), "at least 1"),
        (lambda: HARClassifier(2, 0), "0 classes"),
        (lambda: KANMixer(2, 10, 3, patch=4), "divide the window"),
        (lambda: HARClassifier(2, 3)(torch.zeros(4, 2, 8)), "at least 9 times"),
        (lambda: HARClassifier(2, 3)(torch.zeros(2, 20)), r"\(2, 20\)"),
        (lambda: KANMixer(2, 8, 3, patch=4)(torch.zeros(4, 2, 12)), "with 8 times"),
    ):
        with pytest.raises(InputError, match=match):
            wrong()
    with pytest.raises(InputTypeError, match="float64"):
        HARClassifier(2, 3)(torch.zeros(4, 2, 20, dtype=F64))
    with pytest.raises(InputTypeError, match="list"):
        HARClassifier(2, 3)([1.0])
