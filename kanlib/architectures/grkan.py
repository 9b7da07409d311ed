"""GRKAN: the gated residual network of the temporal fusion transformer with KAN layers (arXiv 2409.15161)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from kanlib.checks import check_input
from kanlib.errors import InputError
from kanlib.layer import KANLayer

from .parts import LayerOptions, layer_norm, linear, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["GRKAN"]


class GRKAN(nn.Module):
    """GRKAN(x) = LayerNorm(S x + GLU(eta_1)), eta_1 = K_1(eta_2), eta_2 = K_2(x).

    K_2 and K_1 are KAN layers whose base functions are ELU and SiLU, as published; GLU(h) =
    sigmoid(A h + a) * (B h + b) can shut the non-linear path, which leaves the input. S is the identity where widths
    agree, a linear map otherwise.

    Parameters
    ----------
    in_features : int
    out_features : int, optional
        As many as inputs by default.
    hidden_features : int, optional
        Width of eta_2 and eta_1; as many as outputs by default.
    normalize : bool
        Whether the layer norm is there. It takes away the mean and the scale of a row: two outputs are then always
        -1 and 1. So a gate whose outputs are logits of experts goes without.
    **options
        As for `kanlib.KANLayer`; a `base` replaces both base functions.

    Raises
    ------
    InputError
        When a width is less than 1, or one output would be normalised.

    Examples
    --------
    >>> import torch
    >>> block = GRKAN(6, 3, hidden_features=4)
    >>> y = block(torch.zeros(10, 6))
    >>> y.shape
    torch.Size([10, 3])

    Sources: arXiv 2409.15161 (GRKAN), arXiv 1912.09363 (gated residual network).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int | None = None,
        hidden_features: int | None = None,
        *,
        normalize: bool = True,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        out_features = in_features if out_features is None else out_features
        hidden_features = out_features if hidden_features is None else hidden_features
        if min(in_features, out_features, hidden_features) < 1:
            raise InputError(
                f"GRKAN got {in_features} inputs, {hidden_features} hidden nodes and {out_features} outputs; expected "
                "at least 1 of each."
            )
        if normalize and out_features == 1:
            raise InputError(
                "GRKAN got one output and a layer norm, which makes it a constant; expected normalize=False, or more "
                "outputs."
            )
        self.in_features, self.out_features = in_features, out_features
        options = with_generator(options)
        first, second = LayerOptions(base="elu") | options, LayerOptions(base="silu") | options
        self.first = KANLayer(in_features, hidden_features, **first)
        self.second = KANLayer(hidden_features, hidden_features, **second)
        self.gate = linear(hidden_features, 2 * out_features, **options)
        self.skip = nn.Identity() if in_features == out_features else linear(in_features, out_features, **options)
        self.norm = layer_norm(out_features, **options) if normalize else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out_features) of inputs (..., in_features); errors as for `kanlib.KANLayer`."""
        x = check_input("GRKAN", x, self.in_features, self.gate.weight.dtype)
        # glu multiplies the first half by the sigmoid of the second.
        gated = nn.functional.glu(self.gate(self.second(self.first(x))), dim=-1)
        y: Tensor = self.norm(self.skip(x) + gated)
        return y
