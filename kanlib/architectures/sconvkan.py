"""S-ConvKAN: convolutions whose every function chooses its basis out of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from .conv_geometry import ConvGeometry
from .parts import LayerOptions, with_generator
from .selective import Pool, PoolLayer, Selective, sum_of
from .skan import POOL

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["SelectiveKANConv1d", "SelectiveKANConv2d", "SelectiveKANConv3d"]

Size = int | Sequence[int]


class SelectiveKANConv(Selective):
    """What the selective convolutions share; see `SelectiveKANConv2d`."""

    dimensions: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
        pool: Pool = POOL,
        **options: Unpack[LayerOptions],
    ) -> None:
        geometry = ConvGeometry.of(
            self.dimensions,
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(
            pool,
            lambda **basis: geometry.functions(PoolLayer, **basis),
            with_generator(options),
        )
        self.geometry = geometry
        self.bias = nn.Parameter(self.logits.new_zeros(out_channels).detach())

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, out_channels, *size) for inputs (batch, in_channels, *size); errors as for `KANConv2d`."""
        x = self.geometry.pad(self.geometry.check(x, self.bias.dtype))
        (features, weights), *others = self.terms(x)
        sums = [self.geometry.convolve(*term, None) for term in others]
        return sum_of([self.geometry.convolve(features, weights, self.bias), *sums])

    def _shift_bias(self, constants: Tensor) -> None:
        geometry = self.geometry
        outputs = geometry.out_channels // geometry.groups
        of_groups = constants.unflatten(0, (outputs, -1)).unflatten(2, (geometry.groups, -1))  # (out, K, groups, in)
        self.bias.add_(of_groups.sum((1, 3)).T.flatten())

    def extra_repr(self) -> str:
        return f"{self.geometry.text()}, pool={list(self.names)}, phase={self.phase!r}"


class SelectiveKANConv1d(SelectiveKANConv):
    """Selective convolution of sequences (batch, in_channels, length); see `SelectiveKANConv2d`.

    Examples
    --------
    >>> import torch
    >>> SelectiveKANConv1d(2, 4, 3, pool=({"degree": 1}, {"degree": 3}))(torch.zeros(5, 2, 10)).shape
    torch.Size([5, 4, 8])
    """

    dimensions = 1


class SelectiveKANConv2d(SelectiveKANConv):
    """`KANConv2d` with a pool of bases for every function, and the phases of `SKAN`.

        y[o, p] = bias_o + sum over i, q, b of gate_boiq * phi_boiq(x[i, stride * p + dilation * q])

    Parameters
    ----------
    in_channels, ..., padding_mode
        As for `KANConv2d`.
    pool, **options
        As for `SKAN`.

    Attributes
    ----------
    layers : ModuleList of KAN layers, one for each basis; edges are numbered as in `KANConv2d`
    logits : Parameter, shape (bases, out_channels / groups * K, in_channels)
    bias : Parameter, shape (out_channels,)

    Examples
    --------
    >>> import torch
    >>> conv = SelectiveKANConv2d(1, 2, 3, pool=({"degree": 1}, {"degree": 3}))
    >>> conv(torch.zeros(5, 1, 6, 6)).shape, conv.selection().shape
    (torch.Size([5, 2, 4, 4]), torch.Size([18, 1]))

    Source: arXiv 2408.08338 (S-ConvKAN).
    """

    dimensions = 2


class SelectiveKANConv3d(SelectiveKANConv):
    """Selective convolution of volumes (batch, in_channels, depth, height, width); see `SelectiveKANConv2d`.

    Examples
    --------
    >>> import torch
    >>> SelectiveKANConv3d(1, 2, 3, pool=({"degree": 1}, {"degree": 3}))(torch.zeros(5, 1, 6, 6, 6)).shape
    torch.Size([5, 2, 4, 4, 4])
    """

    dimensions = 3
