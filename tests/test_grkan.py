"""GRKAN and KAMoE: the contract, the published equations written out, and what a gate must not do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor, nn

from kanlib.architectures.grkan import GRKAN
from kanlib.architectures.kamoe import KAMoE, load_balance
from kanlib.architectures.parts import linear, with_generator
from kanlib.errors import InputError
from kanlib.layer import KANLayer

F64 = torch.float64


def points(rows: int, features: int, dtype: torch.dtype = F64) -> Tensor:
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(5), dtype=dtype)


class TestGRKAN(ArchitectureContract):
    def make(self, **options: Any) -> GRKAN:
        return GRKAN(4, 3, hidden_features=2, **options)

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 4, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3)

    def output(self, module: nn.Module, *inputs: Tensor) -> Tensor:
        # Unequal factors: the squares of a layer norm's outputs always have the same sum, which no gradient moves.
        y: Tensor = module(*inputs)
        return y * torch.tensor([1.0, 2.0, -3.0], dtype=y.dtype, device=y.device)


class TestKAMoE(ArchitectureContract):
    def make(self, **options: Any) -> KAMoE:
        options = dict(with_generator(options))  # type: ignore[arg-type]
        experts = [
            linear(4, 2, **options),
            KANLayer(4, 2, **options),
            nn.Sequential(linear(4, 2, **options), nn.Tanh()),
        ]
        return KAMoE(experts, 4, hidden_features=2, **options)

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 4, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 2)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("out_features", [4, 3])
def test_grkan_is_the_published_equation(normalize: bool, out_features: int) -> None:
    block, x = GRKAN(4, out_features, hidden_features=5, normalize=normalize, dtype=F64), points(6, 4)

    def kan(layer: KANLayer, h: Tensor, base: Any) -> Tensor:
        """Base part by the activation as the paper names it, splines from the layer's edges without it."""
        y = layer.bias + base(h) @ layer.base_weight.T  # type: ignore[union-attr]
        return y + torch.einsum("bim,oim->bo", layer.features(h)[..., 1:], layer.coefficients)

    eta = kan(block.second, kan(block.first, x, nn.functional.elu), nn.functional.silu)
    b, a = block.gate.weight.chunk(2)
    b0, a0 = block.gate.bias.chunk(2)
    y = torch.sigmoid(eta @ a.T + a0) * (eta @ b.T + b0)
    y = y + (x if out_features == 4 else x @ block.skip.weight.T + block.skip.bias)  # type: ignore[operator,union-attr]
    if normalize:
        y = (y - y.mean(1, keepdim=True)) / (y.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(block(x), y)


def test_a_shut_gate_leaves_the_input() -> None:
    block, x = GRKAN(3, normalize=False, dtype=F64), points(5, 3)
    with torch.no_grad():
        block.gate.bias[3:] = -1e3
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_mixture_is_the_weighted_sum(activation: Any) -> None:
    experts = [linear(3, 2, dtype=F64), KANLayer(3, 2, dtype=F64)]
    model, x = KAMoE(experts, 3, activation=activation, dtype=F64), points(7, 3)
    y, gates = model(x, return_gates=True)
    logits = model.gate(x)
    expected = (
        logits.exp() / logits.exp().sum(1, keepdim=True) if activation == "softmax" else 1 / (1 + (-logits).exp())
    )
    torch.testing.assert_close(gates, expected)
    torch.testing.assert_close(y, gates[:, :1] * experts[0](x) + gates[:, 1:] * experts[1](x))
    torch.testing.assert_close(model(x), y)
    if activation == "softmax":
        torch.testing.assert_close(gates.sum(1), torch.ones(7, dtype=F64))


def test_a_gate_can_be_unsure_unless_normalised() -> None:
    """With a layer norm two experts always have the same two weights; without it they can be anything."""
    x = points(50, 3)
    for normalize in (True, False):
        model = KAMoE([linear(3, 1, dtype=F64), linear(3, 1, dtype=F64)], 3, normalize=normalize, dtype=F64)
        certainty = model.gates(x).detach().amax(dim=1)
        assert (float(certainty.std()) < 0.02) is normalize, certainty.std()


def test_leading_dimensions_and_gates_of_ones_own() -> None:
    class Summary(nn.Module):
        """An expert and a gate for sequences (B, T, F)."""

        def __init__(self, out: int) -> None:
            super().__init__()
            self.out = linear(3, out)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.out(x.mean(dim=1))
            return y

    model = KAMoE([Summary(4), Summary(4), Summary(4)], gate=Summary(3))
    assert model(torch.zeros(5, 8, 3)).shape == (5, 4)
    per_step = KAMoE([linear(3, 4), linear(3, 4)], 3)
    assert per_step(torch.zeros(5, 8, 3)).shape == (5, 8, 4)


def test_load_balance_is_the_squared_coefficient_of_variation() -> None:
    gates = points(40, 4).softmax(dim=1)
    importance = gates.sum(0)
    expected = ((importance - importance.mean()) ** 2).mean() / importance.mean() ** 2
    torch.testing.assert_close(load_balance(gates), expected)
    torch.testing.assert_close(load_balance(gates.reshape(5, 8, 4)), expected)
    torch.testing.assert_close(load_balance(torch.eye(3, dtype=F64)[[0, 0, 0, 0]]), torch.tensor(2.0, dtype=F64))


def test_load_balance_compiles_and_evens_the_load() -> None:
    torch._dynamo.reset()
    model, x = KAMoE([linear(2, 1), linear(2, 1)], 2), points(60, 2, torch.float32)
    with torch.no_grad():
        model.gate.gate.bias += torch.tensor([3.0, -3.0, 0.0, 0.0])  # type: ignore[union-attr,operator]

    @torch.compile(backend="aot_eager", fullgraph=True)
    def penalty() -> Tensor:
        return load_balance(model(x, return_gates=True)[1])

    before = penalty().item()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        penalty().backward()
        optimizer.step()
    assert before > 0.1 and penalty().item() < before / 10


def test_what_does_not_fit_is_refused() -> None:
    one, two = linear(3, 1), linear(3, 2)
    for wrong, match in (
        (lambda: KAMoE([], 3), "no experts"),
        (lambda: KAMoE([one]), "neither in_features nor gate"),
        (lambda: KAMoE([one], 3, gate=one), "both in_features and gate"),
        (lambda: KAMoE([one], gate=one, grid_size=3), "give them to your gate"),
        (lambda: KAMoE([one], 3, activation="relu"), "activation 'relu'"),  # type: ignore[arg-type]
        (lambda: KAMoE([one, two], 3)(torch.zeros(4, 3)), r"experts gave shapes \[\(4, 1\), \(4, 2\)\]"),
        (lambda: KAMoE([one, one], gate=one)(torch.zeros(4, 3)), r"shape \(4, 1\) for 2 experts"),
        (lambda: GRKAN(0), "at least 1"),
    ):
        with pytest.raises(InputError, match=match):
            wrong()
