"""Temporal KAN: a recurrent network like an LSTM whose output gate is made of recurrent KAN sub-layers."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from kanlib.checks import check_input
from kanlib.errors import InputError, InputTypeError

from .parts import LayerOptions, with_generator
from .tkan_cell import TKANCell, TKANState

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["TKAN", "TKANCell", "TKANState"]


class TKAN(nn.Module):
    """Layers of `TKANCell` over sequences, called as `torch.nn.LSTM` with ``batch_first=True`` is.

    Parameters
    ----------
    input_size, hidden_size : int
    num_layers : int
        Layers on top of each other; each after the first gets the hidden states of the one below.
    n_sublayers, sub_features, candidate
        As for `TKANCell`.
    return_sequences : bool
        Whether the output holds the top layer's hidden state of every step, or that of the last step.
    **options
        Those of `kanlib.KANLayer`. Sub-layers start on the grid of ``grid_range``; size them by data with
        `kanlib.architectures.parts.fit_grids`.

    Examples
    --------
    >>> model = TKAN(2, 4, num_layers=2, n_sublayers=2, sub_features=3)
    >>> y, state = model(torch.zeros(5, 7, 2))
    >>> y.shape, [tuple(part.shape) for part in state]
    (torch.Size([5, 7, 4]), [(2, 5, 4), (2, 5, 4), (2, 5, 2, 3)])
    >>> TKAN(2, 4, return_sequences=False)(torch.zeros(5, 7, 2))[0].shape
    torch.Size([5, 4])

    Source: arXiv 2405.07344 (TKAN).
    """

    cells: MutableSequence[TKANCell]  # a ModuleList; annotated by what it holds

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        n_sublayers: int = 1,
        *,
        sub_features: int | None = None,
        candidate: Literal["sigmoid", "tanh"] = "sigmoid",
        return_sequences: bool = True,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise InputError(f"TKAN got num_layers={num_layers}; expected at least 1.")
        options = with_generator(options)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.return_sequences = return_sequences
        cells = (
            TKANCell(
                hidden_size if number else input_size,
                hidden_size,
                n_sublayers=n_sublayers,
                sub_features=sub_features,
                candidate=candidate,
                **options,
            )
            for number in range(num_layers)
        )
        self.cells = cast("MutableSequence[TKANCell]", nn.ModuleList(cells))

    def forward(
        self, x: Tensor | PackedSequence, state: TKANState | tuple[Tensor, Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, TKANState]:
        """Hidden states of a batch of sequences, and the state they end in.

        Parameters
        ----------
        x : Tensor, shape (B, T, input_size), or PackedSequence
            At least one step.
        state : TKANState or tuple of three tensors, optional
            Where the sequences go on from, in their order: h and c of shape (num_layers, B, hidden_size), substates
            of shape (num_layers, B, n_sublayers, sub_features). Zeros by default.

        Returns
        -------
        output : Tensor, shape (B, T, hidden_size), or PackedSequence as x is
            With ``return_sequences=False`` the last step of every sequence: a Tensor, shape (B, hidden_size).
        state : TKANState
            The state after the last step of every sequence.

        Raises
        ------
        InputError, InputTypeError
            When x or the state has another shape or dtype.
        """
        if isinstance(x, PackedSequence):
            sizes = x.batch_sizes.tolist()
            start = self._checked(state, sizes[0])
            if x.sorted_indices is not None:
                start = TKANState(*(part[:, x.sorted_indices] for part in start))
            data, final = self._run(x.data, sizes, start)
            if x.unsorted_indices is not None:
                final = TKANState(*(part[:, x.unsorted_indices] for part in final))
            packed = PackedSequence(data, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
            return packed if self.return_sequences else final.h[-1], final
        x = check_input("TKAN", x, self.input_size, self.cells[0].keep.dtype)
        if x.ndim != 3 or x.shape[1] < 1:
            raise InputError(
                f"TKAN got x of shape {tuple(x.shape)}; expected (B, T, {self.input_size}) with at least one step. "
                "A single sequence is a batch of one: x.unsqueeze(0)."
            )
        batch, steps = x.shape[:2]
        data, final = self._run(x.transpose(0, 1).flatten(0, 1), [batch] * steps, self._checked(state, batch))
        output = data.unflatten(0, (steps, batch)).transpose(0, 1) if self.return_sequences else final.h[-1]
        return output, final

    def _run(self, data: Tensor, sizes: list[int], start: TKANState) -> tuple[Tensor, TKANState]:
        """All layers over steps laid out as in a PackedSequence: step t is the next sizes[t] rows, never more later."""
        ends = []
        for number, cell in enumerate(self.cells):
            state = TKANState(*(part[number] for part in start))
            outputs: list[Tensor] = []
            ended: list[TKANState] = []  # of sequences that are over, shortest first
            for projected in cell.project(data).split(sizes):
                active, before = len(projected), len(state.h)
                if active < before:
                    ended.append(TKANState(*(part[active:] for part in state)))
                    state = TKANState(*(part[:active] for part in state))
                state = cell.step(projected, state)
                outputs.append(state.h)
            data = torch.cat(outputs)
            ends.append([torch.cat(parts) for parts in zip(state, *reversed(ended))])
        return data, TKANState(*(torch.stack(parts) for parts in zip(*ends)))

    def _checked(self, state: TKANState | tuple[Tensor, Tensor, Tensor] | None, batch: int) -> TKANState:
        """The state to start from, one for each sequence."""
        cell = self.cells[0]
        if state is None:
            zeros = cell.initial_state(batch)
            return TKANState(*(part.expand(self.num_layers, *part.shape) for part in zeros))
        if len(state) != 3:
            raise InputTypeError(f"TKAN got a state of {len(state)} parts; expected three: h, c, substates.")
        h = (self.num_layers, batch, self.hidden_size)
        expected = (h, h, (self.num_layers, batch, cell.n_sublayers, cell.sub_features))
        given = tuple(tuple(part.shape) for part in state)
        if given != expected:
            raise InputError(
                f"TKAN got a state of shapes {given} for {batch} sequences; expected {expected}. "
                "Pass the state an earlier call returned, or none."
            )
        return TKANState(*state)
