"""One step of a TKAN: the gates of an LSTM, and an output gate made of small recurrent KAN layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice, check_input
from kanlib.errors import InputError
from kanlib.layer import KANLayer

from .parts import LayerOptions, draw_uniform, linear, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["TKANCell", "TKANState"]


class TKANState(NamedTuple):
    """What a TKAN remembers: hidden state h, cell state c, and the substates of its KAN sub-layers.

    Shapes for a cell: h and c (B, hidden_size), substates (B, n_sublayers, sub_features). For a stack of layers one
    dimension more, of the layers, comes first, as for `torch.nn.LSTM`.
    """

    h: Tensor
    c: Tensor
    substates: Tensor


class TKANCell(nn.Module):
    """One step of a temporal KAN.

    With x the input, h and c the states of an LSTM, and r_l the substate of sub-layer l = 1 ... L:

    - i, f = sigmoid(W x + U h + b), the input and the forget gate
    - g = sigmoid(W_g x + U_g h + b_g), the candidate (or tanh)
    - c <- f * c + i * g
    - s_l = V_l x + R_l r_l, z_l = KAN_l(s_l), r_l <- v_l * r_l + w_l * z_l
    - o = sigmoid(W_o [z_1, ..., z_L] + b_o), the output gate
    - h <- o * tanh(c)

    Products are elementwise; v_l and w_l are vectors.

    Parameters
    ----------
    input_size, hidden_size : int
    n_sublayers : int
        L, how many KAN sub-layers there are.
    sub_features : int, optional
        Length of s_l, z_l and r_l; `hidden_size` by default.
    candidate : {"sigmoid", "tanh"}
        "sigmoid" as published; an LSTM has "tanh".
    **options
        Those of `kanlib.KANLayer`.

    Notes
    -----
    The bias of the forget gate starts at 1, as in the published code.

    Examples
    --------
    >>> cell = TKANCell(2, 4, n_sublayers=2, sub_features=3)
    >>> state = cell.initial_state(5)
    >>> [tuple(part.shape) for part in cell(torch.zeros(5, 2), state)]
    [(5, 4), (5, 4), (5, 2, 3)]

    Source: arXiv 2405.07344 (TKAN).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        n_sublayers: int = 1,
        sub_features: int | None = None,
        candidate: Literal["sigmoid", "tanh"] = "sigmoid",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        sub_features = hidden_size if sub_features is None else sub_features
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "n_sublayers": n_sublayers}
        for name, size in {**sizes, "sub_features": sub_features}.items():
            if size < 1:
                raise InputError(f"{type(self).__name__} got {name}={size}; expected at least 1.")
        check_choice("candidate", candidate, ("sigmoid", "tanh"))
        self.input_size, self.hidden_size = input_size, hidden_size
        self.n_sublayers, self.sub_features, self.candidate = n_sublayers, sub_features, candidate
        options = with_generator(options)
        # All maps of x as one, so that a sequence takes one product: rows i, f, g, then V_1 ... V_L.
        self.from_input = linear(input_size, 3 * hidden_size + n_sublayers * sub_features, bias=False, **options)
        self.from_hidden = linear(hidden_size, 3 * hidden_size, **options)
        self.from_substates = nn.ModuleList(
            linear(sub_features, sub_features, bias=False, **options) for _ in range(n_sublayers)
        )
        self.sublayers = nn.ModuleList(KANLayer(sub_features, sub_features, **options) for _ in range(n_sublayers))
        self.keep = nn.Parameter(draw_uniform((n_sublayers, sub_features), **options))
        self.renew = nn.Parameter(draw_uniform((n_sublayers, sub_features), **options))
        self.to_gate = linear(n_sublayers * sub_features, hidden_size, **options)
        with torch.no_grad():
            self.from_hidden.bias[hidden_size : 2 * hidden_size] += 1.0

    def initial_state(self, batch: int) -> TKANState:
        """Zeros for so many sequences."""
        like = self.keep
        h = like.new_zeros(batch, self.hidden_size)
        return TKANState(h, h, like.new_zeros(batch, self.n_sublayers, self.sub_features))

    def project(self, x: Tensor) -> Tensor:
        """W x, W_g x and V_l x for inputs (..., input_size): what of a step needs no state."""
        x = check_input(type(self).__name__, x, self.input_size, self.keep.dtype)
        projected: Tensor = self.from_input(x)
        return projected

    def forward(self, x: Tensor, state: TKANState) -> TKANState:
        """The state after one step.

        Parameters
        ----------
        x : Tensor, shape (B, input_size), the module's dtype
        state : TKANState

        Raises
        ------
        InputError, InputTypeError
            When x has another width or dtype.
        """
        return self.step(self.project(x), state)

    def step(self, projected: Tensor, state: TKANState) -> TKANState:
        """`forward` for an input that `project` was called on."""
        h, c, substates = state
        to_gates, to_sublayers = projected.split([3 * self.hidden_size, projected.shape[-1] - 3 * self.hidden_size], -1)
        i, f, g = (to_gates + self.from_hidden(h)).chunk(3, dim=-1)
        g = torch.sigmoid(g) if self.candidate == "sigmoid" else torch.tanh(g)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * g
        outputs = [
            sublayer(own + recurrent(substate))
            for sublayer, recurrent, own, substate in zip(
                self.sublayers,
                self.from_substates,
                to_sublayers.chunk(self.n_sublayers, dim=-1),
                substates.unbind(1),
                strict=True,
            )
        ]
        o = torch.sigmoid(self.to_gate(join(outputs)))
        substates = self.keep * substates + self.renew * torch.stack(outputs, dim=1)
        return TKANState(o * torch.tanh(c), c, substates)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, candidate={self.candidate!r}"


def join(outputs: list[Tensor]) -> Tensor:
    """Outputs of the sub-layers (B, S) each, side by side: (B, L * S).

    The published code stacks them as (L, B, S) and reshapes that to (B, L * S), which mixes the sequences of a batch
    where there are two or more sub-layers.
    """
    return torch.cat(outputs, dim=-1)
