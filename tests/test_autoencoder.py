"""KANAutoencoder: the contract, its parts, and that it learns what a linear code of the same size cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor

from kanlib.architectures.autoencoder import KANAutoencoder
from kanlib.architectures.parts import fit_grids
from kanlib.errors import InputError, InputTypeError
from kanlib.layer import KANLayer

F64 = torch.float64


class TestKANAutoencoder(ArchitectureContract):
    def make(self, **options: Any) -> KANAutoencoder:
        return KANAutoencoder(5, 2, hidden=(3,), **options)

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 5, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 5)


def test_widths_mirror_each_other() -> None:
    model = KANAutoencoder(9, 2, hidden=(6, 4), grid_size=3, degree=2)
    layers = [layer for layer in model.modules() if isinstance(layer, KANLayer)]
    assert [(l.in_features, l.out_features) for l in layers] == [(9, 6), (6, 4), (4, 2), (2, 4), (4, 6), (6, 9)]
    assert {(l.grid_size, l.degree) for l in layers} == {(3, 2)}


def test_without_hidden_layers_a_code_is_a_sum_of_edges() -> None:
    model = KANAutoencoder(4, 2, dtype=F64)
    encoder, decoder = model.encoder[0], model.decoder[0]
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    code = torch.stack([sum(encoder.edge(x[:, i], i, j) for i in range(4)) + encoder.bias[j] for j in range(2)], 1)
    torch.testing.assert_close(model.encode(x), code)
    back = torch.stack([sum(decoder.edge(code[:, i], i, j) for i in range(2)) + decoder.bias[j] for j in range(4)], 1)
    torch.testing.assert_close(model(x), back)


def test_a_curve_in_space_needs_one_number() -> None:
    """Points (t, t^2, sin 3t): one number tells them all apart, but no linear code of one does (PCA's residual)."""
    t = torch.linspace(-1, 1, 200)[:, None]
    x = torch.cat([t, t**2, torch.sin(3 * t)], 1)
    model = KANAutoencoder(3, 1, grid_size=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(300):
        if step == 20:
            fit_grids(model, x)
        loss = (model(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    centred = x - x.mean(0)
    linear = float(torch.linalg.svdvals(centred)[1:].square().sum() / x.numel())
    assert loss.item() < linear / 4


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="widths"):
        KANAutoencoder(4, 0)
    model = KANAutoencoder(4, 2)
    with pytest.raises(InputError, match=r"KANAutoencoder\.decode got x of shape \(3, 4\)"):
        model.decode(torch.zeros(3, 4))
    with pytest.raises(InputTypeError, match="float64"):
        model(torch.zeros(3, 4, dtype=F64))
