"""KAMoE: a mixture of any experts whose gate is a gated residual KAN (arXiv 2409.15161)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, overload

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice
from kanlib.errors import InputError, InputTypeError

from .grkan import GRKAN
from .parts import LayerOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["KAMoE", "load_balance"]


class KAMoE(nn.Module):
    """y = sum_e g_e(x) E_e(x), with gate weights g = activation(gate(x)) and any modules E_e as experts.

    The weights are a softmax, so they are at least 0 and sum to one; the paper's sigmoid, whose weights are independent
    of each other, is an option. The gate has no layer norm unless asked: over two experts it would leave only the sign
    of their difference (see `GRKAN`). The paper's weights on the inputs are left out:
    standardise the columns.

    Parameters
    ----------
    experts : iterable of Module
        Each maps x to (..., out_features), the same for all.
    in_features : int, optional
        Width of x; builds the gate, a GRKAN with one output for each expert.
    gate : Module, optional
        A gate of your own instead: maps x to one number for each expert, (..., n_experts).
    hidden_features : int, optional
        Width inside the gate; by default as many as experts.
    activation : {"softmax", "sigmoid"}
    normalize : bool
        Whether the gate that is built has a layer norm over experts, as a GRKAN elsewhere.
    **options
        As for `kanlib.KANLayer`; for the gate that is built.

    Attributes
    ----------
    experts : ModuleList
    gate : Module

    Raises
    ------
    InputError
        With no expert, with both or neither of in_features and gate, or when shapes of experts and gate do not fit.

    Examples
    --------
    >>> from kanlib.architectures.parts import linear
    >>> model = KAMoE([linear(4, 1), linear(4, 1)], 4, hidden_features=3)
    >>> y, gates = model(torch.zeros(10, 4), return_gates=True)
    >>> y.shape, gates.shape, load_balance(gates).shape
    (torch.Size([10, 1]), torch.Size([10, 2]), torch.Size([]))

    Source: arXiv 2409.15161.
    """

    def __init__(
        self,
        experts: Iterable[nn.Module],
        in_features: int | None = None,
        *,
        gate: nn.Module | None = None,
        hidden_features: int | None = None,
        activation: Literal["softmax", "sigmoid"] = "softmax",
        normalize: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_choice("activation", activation, ("softmax", "sigmoid"))
        self.experts = nn.ModuleList(experts)
        if not len(self.experts):
            raise InputError("KAMoE got no experts; expected at least one module.")
        if (gate is None) == (in_features is None):
            given = "neither in_features nor gate" if gate is None else "both in_features and gate"
            raise InputError(f"KAMoE got {given}; expected one: in_features builds a gate, gate=... is one of yours.")
        if gate is None:
            if not isinstance(in_features, int):
                raise InputTypeError(
                    f"KAMoE got in_features of type {type(in_features).__name__}; expected a number. "
                    "A gate of your own is gate=..."
                )
            gate = GRKAN(in_features, len(self.experts), hidden_features, normalize=normalize, **options)
        elif hidden_features is not None or normalize or options:
            raise InputError("KAMoE got a gate and settings of the gate it would build; give them to your gate.")
        self.gate, self.activation = gate, activation

    def gates(self, x: Tensor) -> Tensor:
        """Weights of the experts, (..., n_experts)."""
        logits: Tensor = self.gate(x)
        if logits.shape[-1] != len(self.experts):
            raise InputError(
                f"the gate gave shape {tuple(logits.shape)} for {len(self.experts)} experts; expected "
                "(..., n_experts), one number for each."
            )
        return logits.softmax(dim=-1) if self.activation == "softmax" else logits.sigmoid()

    @overload
    def forward(self, x: Tensor, return_gates: Literal[False] = False) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, return_gates: Literal[True]) -> tuple[Tensor, Tensor]: ...

    def forward(self, x: Tensor, return_gates: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """The weighted sum (..., out_features), and with return_gates the weights (..., n_experts) beside it.

        Every expert sees every row: the mixture is soft.
        """
        gates = self.gates(x)
        found = [expert(x) for expert in self.experts]
        if any(y.shape[:-1] != gates.shape[:-1] for y in found) or len({y.shape[-1] for y in found}) > 1:
            raise InputError(
                f"experts gave shapes {[tuple(y.shape) for y in found]} and the gate {tuple(gates.shape)}; expected "
                "(..., out_features) of all experts and (..., n_experts) of the gate, alike in the leading dimensions."
            )
        y = (gates.unsqueeze(-2) @ torch.stack(found, dim=-2)).squeeze(-2)
        return (y, gates) if return_gates else y


def load_balance(gates: Tensor) -> Tensor:
    """Squared coefficient of variation of the experts' importance, a scalar to add, weighted, to a loss.

    I_e = sum over rows of g_e; the value is var(I) / mean(I)^2: 0 where experts share the rows evenly, n_experts - 1
    where one has them all.

    Parameters
    ----------
    gates : Tensor, shape (..., n_experts), not negative

    Examples
    --------
    >>> load_balance(torch.tensor([[1.0, 0.0], [0.0, 1.0]])), load_balance(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    (tensor(0.), tensor(1.))

    Source: arXiv 1701.06538, equation 6 (Shazeer et al. 2017).
    """
    # Means rather than sums, which float16 does not hold; the ratio is the same.
    importance = gates.flatten(0, -2).mean(dim=0) if gates.ndim > 1 else gates
    return importance.var(correction=0) / importance.mean().square().clamp_min(torch.finfo(gates.dtype).tiny)
