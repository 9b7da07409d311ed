"""TKAN: the contract, the published equations in NumPy, packed sequences, and a state that is carried on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from kanlib.architectures import tkan_cell
from kanlib.architectures.parts import fit_grids, linear
from kanlib.architectures.tkan import TKAN, TKANCell, TKANState
from kanlib.errors import InputError, InputTypeError


class TestTKAN(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return TKAN(2, 3, num_layers=2, n_sublayers=2, sub_features=2, **{"grid_size": 3, **options})

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 4, 2, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 4, 3)

    def output(self, module: nn.Module, *inputs: Tensor) -> Tensor:
        result: Tensor = module(*inputs)[0]
        return result


class TestTKANOfOneSublayer(TestTKAN):
    """The last step only, a tanh candidate, and sub-layers as wide as the hidden state."""

    def make(self, **options: Any) -> nn.Module:
        return TKAN(2, 3, candidate="tanh", return_sequences=False, **{"grid_size": 3, **options})

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3)


def stack_and_reshape(outputs: list[Tensor]) -> Tensor:
    """What the published code does in place of a concatenation."""
    stacked = torch.stack(outputs)  # (L, B, S)
    return stacked.reshape(stacked.shape[1], -1)


@pytest.mark.parametrize("check", ["test_permuting_the_batch_permutes_the_output", "test_rows_do_not_see_each_other"])
def test_the_contract_catches_sublayers_that_mix_the_batch(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tkan_cell, "join", stack_and_reshape)
    with pytest.raises(AssertionError, match="not close"):
        getattr(TestTKAN(), check)()
    getattr(TestTKANOfOneSublayer(), check)()  # one sub-layer hides the fault


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("candidate", ["sigmoid", "tanh"])
def test_the_published_equations(candidate: Any) -> None:
    D, H, S, L, T = 2, 3, 2, 2, 5
    generator = torch.Generator().manual_seed(4)
    cell = TKANCell(D, H, n_sublayers=L, sub_features=S, candidate=candidate, generator=generator, dtype=torch.float64)
    x = torch.randn(T, 1, D, generator=generator, dtype=torch.float64)
    state = cell.initial_state(1)

    W, U, b = (p.detach().numpy() for p in (cell.from_input.weight, cell.from_hidden.weight, cell.from_hidden.bias))
    Wi, Wf, Wc = W[:H], W[H : 2 * H], W[2 * H : 3 * H]
    Ws = [W[3 * H + l * S : 3 * H + (l + 1) * S] for l in range(L)]
    Ui, Uf, Uc = U[:H], U[H : 2 * H], U[2 * H :]
    bi, bf, bc = b[:H], b[H : 2 * H], b[2 * H :]
    Us = [layer.weight.detach().numpy() for layer in cell.from_substates]
    Wo, bo = cell.to_gate.weight.detach().numpy(), cell.to_gate.bias.detach().numpy()
    w_hh, w_hz = cell.keep.detach().numpy(), cell.renew.detach().numpy()

    def kan(l: int, s: Any) -> Any:
        with torch.no_grad():
            return cell.sublayers[l](torch.from_numpy(s)).numpy()

    h, c, sub = np.zeros(H), np.zeros(H), [np.zeros(S) for _ in range(L)]
    for row in x:
        now = row[0].numpy()
        i = sigmoid(Wi @ now + Ui @ h + bi)
        f = sigmoid(Wf @ now + Uf @ h + bf)
        fresh = Wc @ now + Uc @ h + bc
        c = f * c + i * (sigmoid(fresh) if candidate == "sigmoid" else np.tanh(fresh))
        z = [kan(l, Ws[l] @ now + Us[l] @ sub[l]) for l in range(L)]
        sub = [w_hh[l] * sub[l] + w_hz[l] * z[l] for l in range(L)]
        h = sigmoid(Wo @ np.concatenate(z) + bo) * np.tanh(c)
        state = cell(row, state)
        np.testing.assert_allclose(state.h[0].detach().numpy(), h, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(state.c[0].detach().numpy(), c, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(state.substates[0].detach().numpy(), np.stack(sub), rtol=1e-12, atol=1e-12)
    assert np.abs(np.stack(sub)).min() > 1e-6  # the substates took part


def test_a_layer_is_its_cell_step_by_step() -> None:
    model = TestTKAN().make(dtype=torch.float64)
    (x,) = TestTKAN()._inputs(3, torch.float64)
    states = [cell.initial_state(3) for cell in model.cells]
    for step in range(x.shape[1]):
        h = x[:, step]
        for number, cell in enumerate(model.cells):
            states[number] = cell(h, states[number])
            h = states[number].h
        torch.testing.assert_close(model(x)[0][:, step], h, atol=1e-12, rtol=1e-12)


def sequences() -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in (2, 5, 1, 4, 5)]


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_packed_sequences_give_what_each_gives_alone(sort: bool, with_state: bool) -> None:
    model = TestTKAN().make(dtype=torch.float64)
    given = sorted(sequences(), key=len, reverse=True) if sort else sequences()
    start = model(torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64))[1]
    packed = pack_sequence(given, enforce_sorted=sort)
    output, final = model(packed, start if with_state else None)
    assert isinstance(output, PackedSequence) and isinstance(final, TKANState)
    model.return_sequences = False
    last, _ = model(packed, start if with_state else None)
    model.return_sequences = True
    for k, found in enumerate(unpack_sequence(output)):
        own = TKANState(*(part[:, k : k + 1] for part in start)) if with_state else None
        alone, end = model(given[k][None], own)
        torch.testing.assert_close(found, alone[0], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(last[k], alone[0, -1], atol=1e-12, rtol=1e-12)
        for part, whole in zip(end, final, strict=True):
            torch.testing.assert_close(whole[:, k], part[:, 0], atol=1e-12, rtol=1e-12)


def test_a_state_carried_on_equals_the_whole_sequence() -> None:
    model = TestTKAN().make(dtype=torch.float64)
    x = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    whole, end = model(x)
    first, state = model(x[:, :4])
    second, carried = model(x[:, 4:], tuple(state))
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, atol=1e-12, rtol=1e-12)
    for a, b in zip(carried, end, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)
    assert not torch.allclose(model(x[:, 4:])[0], second)  # the state matters


def test_it_learns_to_remember() -> None:
    """The first of eight values, after seven that do not matter: no memory, no answer (a constant gives 1)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(256, 8, 1, generator=generator) * 2 - 1
    y = torch.sign(x[:, 0])
    model = TKAN(1, 6, n_sublayers=2, sub_features=3, return_sequences=False, generator=generator)
    fit_grids(model, x)
    head = linear(6, 1, generator=generator)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.02)
    for _ in range(120):
        optimizer.zero_grad()
        loss = (head(model(x)[0]) - y).square().mean()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.3


def test_wrong_arguments_are_named() -> None:
    model = TestTKAN().make()
    with pytest.raises(InputError, match=r"expected \(B, T, 2\)"):
        model(torch.zeros(4, 2))
    with pytest.raises(InputError, match="at least one step"):
        model(torch.zeros(4, 0, 2))
    with pytest.raises(InputError, match="state of shapes"):
        model(torch.zeros(4, 3, 2), model(torch.zeros(3, 3, 2))[1])
    with pytest.raises(InputTypeError, match="three: h, c, substates"):
        model(torch.zeros(4, 3, 2), (torch.zeros(1), torch.zeros(1)))
    with pytest.raises(InputError, match="'relu' is not known"):
        TKAN(2, 3, candidate="relu")  # type: ignore[arg-type]
    for wrong in ({"num_layers": 0}, {"n_sublayers": 0}, {"sub_features": 0}):
        with pytest.raises(InputError, match="at least 1"):
            TKAN(2, 3, **wrong)
