"""Convolutions with a learnable function of one variable at every position of the kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kanlib.network import KAN

from .conv_geometry import ConvGeometry
from .feature_layer import FeatureLayer
from .parts import LayerOptions, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["KANConv1d", "KANConv2d", "KANConv3d"]

Size = int | Sequence[int]


class KANConv(nn.Module):
    """What the convolutions of one, two and three dimensions share; see `KANConv2d`."""

    dimensions: int
    bias: nn.Parameter

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
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        self.geometry = ConvGeometry.of(
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
        options = with_generator(options)
        self.functions = self.geometry.functions(FeatureLayer, **options)
        self._options = {name: value for name, value in options.items() if name != "generator"}
        coefficients = self.functions.coefficients
        self.bias = nn.Parameter(torch.zeros(out_channels, dtype=coefficients.dtype, device=coefficients.device))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, out_channels, *size) for inputs (batch, in_channels, *size), the dtype of the parameters.

        Raises
        ------
        InputError
            When x has other dimensions or channels, or is smaller than the kernel.
        InputTypeError
            When x is no tensor of the parameters' dtype.
        """
        geometry = self.geometry
        x = geometry.pad(geometry.check(x, self.bias.dtype))
        y = geometry.convolve(self.functions(x), self.functions.weights(), self.bias)
        return y + self._fixed_sums(x) if self.functions.fixed_edges() else y

    def _fixed_sums(self, x: Tensor) -> Tensor:
        """Sums over the edges fixed to primitives: each is a channel of its own, with one 1 in its kernel."""
        edges = list(self.functions.fixed_edges())
        values = torch.stack([self.functions.edge(x[..., i], i, j) for i, j in edges], dim=1)
        kernel = values.new_zeros(self.geometry.out_channels, len(edges), *self.geometry.kernel_size)
        for number, (i, j) in enumerate(edges):
            channel, offset = self.geometry.place(i, j)
            place = (channel, number, *offset)
            kernel[place] = 1.0
        return self.geometry.sum(values, kernel, groups=1)

    def patches(self, x: Tensor, group: int = 0) -> Tensor:
        """The inputs of `patch_network`: a row for each output position, (batch * positions, channels * K).

        Columns are ordered by channel of the group, then by position in the kernel, as in `torch.nn.functional.unfold`.

        Examples
        --------
        >>> KANConv1d(2, 1, 3).patches(torch.arange(8.0).reshape(1, 2, 4))
        tensor([[0., 1., 2., 4., 5., 6.],
                [1., 2., 3., 5., 6., 7.]])
        """
        return self.geometry.patches(self.geometry.check(x, self.bias.dtype), group)

    @torch.no_grad()
    def patch_network(self, group: int = 0) -> KAN:
        """The convolution at one position as a KAN [channels * K, out_channels] of a group: a copy.

        On it work `kanlib.plots`, `kanlib.attribute`, `kanlib.prune` and `kanlib.symbolic.symbolify`, with rows from
        `patches`.

        Examples
        --------
        >>> conv, x = KANConv2d(1, 2, 2), torch.rand(1, 1, 5, 5)
        >>> rows = conv.patch_network()(conv.patches(x))
        >>> bool(torch.allclose(rows.T.reshape(1, 2, 4, 4), conv(x), atol=1e-6))
        True
        """
        geometry, functions = self.geometry, self.functions
        own = geometry.channels(group)
        inputs, outputs = own.stop - own.start, geometry.out_channels // geometry.groups
        volume = math.prod(geometry.kernel_size)
        network = KAN([inputs * volume, outputs], **self._options)  # type: ignore[arg-type]
        layer = network.layers[0]

        def regroup(t: Tensor) -> Tensor:  # (out * K, in, ...) -> (out, in * K, ...)
            return t[:, own].unflatten(0, (outputs, volume)).transpose(1, 2).flatten(1, 2)

        layer.grid.copy_(functions.grid[own].repeat_interleave(volume, dim=0))
        layer.coefficients.copy_(regroup(functions.coefficients))
        if layer.base_weight is not None and functions.base_weight is not None:
            layer.base_weight.copy_(regroup(functions.base_weight))
        layer.bias.copy_(self.bias[group * outputs : (group + 1) * outputs])
        layer.mask.copy_(regroup(functions.mask))
        for (i, j), name in functions.fixed_edges().items():
            if own.start <= i < own.stop:
                output, offset = divmod(j, volume)
                layer.fix_edge((i - own.start) * volume + offset, output, name, functions.edge_constants[j, i].tolist())
        return network

    def extra_repr(self) -> str:
        return self.geometry.text()


class KANConv1d(KANConv):
    """Convolution of sequences (batch, in_channels, length); see `KANConv2d`.

    Examples
    --------
    >>> KANConv1d(2, 4, 3, padding=1)(torch.zeros(5, 2, 10)).shape
    torch.Size([5, 4, 10])
    """

    dimensions = 1


class KANConv2d(KANConv):
    """Convolution whose every kernel position of every pair of channels has a learnable function of its own.

        y[o, p] = bias_o + sum over i, q of phi_oiq(x[i, stride * p + dilation * q])

    Functions act on single pixels, so the features they are made of, F for each, are computed once for every pixel of
    a channel and not once for every patch it is in; then one ordinary convolution of in_channels * F channels adds up.
    Hence an input channel has one grid, shared by the kernel's positions and all outputs.

    Padding extends the input, with zeros by default, and what is added passes through the functions like any pixel:
    phi(0) enters the sums, and phi(0) need not be zero.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or sequence of int
        One for all dimensions, or one for each.
    padding : int, sequence of int, "same" or "valid"
    groups : int
        Both numbers of channels are cut into so many groups that do not see each other.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
    **options
        Keywords of `kanlib.KANLayer`.

    Attributes
    ----------
    functions : FeatureLayer (in_channels, out_channels / groups * K)
        A `kanlib.KANLayer` with all the functions, K the size of the kernel: edge (i, o * K + q) is that of input
        channel i, output channel o of its group, and position q, counted along the last dimension first. Mask edges
        there, or fix them to primitives.
    bias : Parameter, shape (out_channels,)

    Raises
    ------
    InputError
        When sizes are not positive, groups divide a number of channels with a rest, or a sequence has another length.

    Examples
    --------
    >>> conv = KANConv2d(3, 8, 3, stride=2, padding=1, grid_size=4)
    >>> conv(torch.zeros(5, 3, 16, 16)).shape
    torch.Size([5, 8, 8, 8])

    Sources: arXiv 2406.13155 (Convolutional KANs); features once a pixel instead of unfolding are kanlib's.
    """

    dimensions = 2


class KANConv3d(KANConv):
    """Convolution of volumes (batch, in_channels, depth, height, width); see `KANConv2d`.

    Examples
    --------
    >>> KANConv3d(1, 2, 3)(torch.zeros(5, 1, 6, 6, 6)).shape
    torch.Size([5, 2, 4, 4, 4])
    """

    dimensions = 3
