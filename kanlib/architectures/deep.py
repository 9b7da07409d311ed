"""KANs of many layers: residual blocks around normalised inputs, with first weights that keep the variance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn

from kanlib.errors import InputError
from kanlib.layer import KANLayer

from .parts import LayerOptions, layer_norm, with_generator
from .variance import preserve_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

__all__ = ["DeepKAN", "KANBlock"]

GRID_RANGE = (-3.0, 3.0)  # where values of unit variance are


class KANBlock(nn.Module):
    """One gated residual step around a KAN layer that sees normalised values.

        x <- cos(theta) x + sin(theta) f(norm(x)),    theta learned

    Where f keeps the variance, so does the block, for every theta: squares of cosine and sine sum to one.

    Parameters
    ----------
    width : int
    angle : float
        theta at first. 0 would be the identity.
    centred : bool
        As for `preserve_variance`.
    **options
        Of the KAN layer inside. Without `init`, its weights are drawn by `preserve_variance`; without `grid_range`,
        its grid is (-3, 3), for values of unit variance.

    Examples
    --------
    >>> KANBlock(4, angle=0.2)(torch.zeros(7, 4)).shape
    torch.Size([7, 4])
    """

    def __init__(self, width: int, angle: float, centred: bool = False, **options: Unpack[LayerOptions]) -> None:
        super().__init__()
        options = with_generator(options)
        self.norm = layer_norm(width, **options)
        self.layer = _layer(width, width, options, "average", centred)
        self.angle = nn.Parameter(torch.tensor(angle, device=options.get("device"), dtype=options.get("dtype")))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same shape."""
        y: Tensor = self.angle.cos() * x + self.angle.sin() * self.layer(self.norm(x))
        return y


class DeepKAN(nn.Module):
    """A KAN layer, `depth` gated residual blocks, a norm and a last KAN layer.

        x_0 = f_0(x),    x_l = cos(theta_l) x_{l-1} + sin(theta_l) f_l(norm(x_{l-1})),    y = f_out(norm(x_L))

    All layers start with `preserve_variance`, and sin(theta_l)^2 = 1 / (2 L). A block multiplies the variance of the
    signal by 1 + (p - 1) / (2 L), that of the gradient by 1 + (q - 1) / (2 L), where p + q = 2 for the "average"
    balance of its layer; so over all blocks both stay within a factor of about exp(1/2), whatever the basis. (About,
    since widths are finite and the norm divides by what a row has, not by what is expected.)

    Parameters
    ----------
    in_features : int
        Columns that are standardised: first weights and grids are for values of unit variance.
    width : int
        Number of values between blocks.
    depth : int
        Number of blocks L; the network has L + 2 KAN layers.
    out_features : int
    centred : bool
        Whether first weights keep the differences between rows, instead of sizes with offsets all rows share
        (`preserve_variance`).
    **options
        Of the KAN layers inside, as for `KANBlock`.

    Examples
    --------
    >>> model = DeepKAN(3, width=8, depth=20, out_features=1)
    >>> model(torch.zeros(5, 3)).shape
    torch.Size([5, 1])

    Source: arXiv 2510.23501 (deep physics-informed KANs: Glorot-like first weights and gated residual blocks; the
    gate there is linear, alpha f + (1 - alpha) x); arXiv 1607.06450 (layer norm).
    """

    def __init__(
        self,
        in_features: int,
        width: int,
        depth: int,
        out_features: int,
        centred: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        if width < 2 or depth < 1:
            raise InputError(
                f"DeepKAN got width {width} and depth {depth}; expected a width of at least 2, since one normalised "
                "number is a constant, and at least one block."
            )
        options = with_generator(options)
        # At the ends, where widths differ, values decide: nothing goes on beyond the first and the last layer.
        self.first = _layer(in_features, width, options, "forward", centred)
        angle = math.asin(math.sqrt(0.5 / depth))
        blocks = (KANBlock(width, angle, centred, **options) for _ in range(depth))
        self.blocks = cast("Sequence[KANBlock]", nn.ModuleList(blocks))
        self.norm = layer_norm(width, **options)
        self.last = _layer(width, out_features, options, "forward", centred)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out_features) for inputs (..., in_features); errors as for `kanlib.KANLayer`."""
        return self.activations(x)[-1]

    def activations(self, x: Tensor) -> list[Tensor]:
        """Values after the first layer and after every block, and last the output.

        Examples
        --------
        >>> [h.shape[-1] for h in DeepKAN(3, width=8, depth=2, out_features=1).activations(torch.zeros(5, 3))]
        [8, 8, 8, 1]
        """
        values: list[Tensor] = [self.first(x)]
        for block in self.blocks:
            values.append(block(values[-1]))
        return [*values, self.last(self.norm(values[-1]))]


def _layer(
    n_in: int, n_out: int, options: LayerOptions, balance: Literal["average", "forward"], centred: bool
) -> KANLayer:
    given: dict[str, Any] = {"grid_range": GRID_RANGE, **options}
    layer = KANLayer(n_in, n_out, **given)
    if "init" in options:
        return layer
    return preserve_variance(layer, balance=balance, centred=centred, generator=given["generator"])
