"""Where the functions of a convolution act: kernel, stride, padding, dilation and groups, as torch has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice, check_input
from kanlib.errors import InputError

from .feature_layer import FeatureLayer

__all__ = ["ConvGeometry"]

Layer = TypeVar("Layer", bound=FeatureLayer)


@dataclass(frozen=True)
class ConvGeometry:
    """The numbers of a convolution, one for each dimension, and what follows from them.

    Attributes
    ----------
    in_channels, out_channels, groups : int
    kernel_size, stride, dilation : tuple of int
    padding : tuple of int
        Before the first and after the last pixel, the last dimension first, as `torch.nn.functional.pad` has it.
    padding_mode : str
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    padding_mode: str

    @classmethod
    def of(
        cls,
        dimensions: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> ConvGeometry:
        """Read numbers as torch's convolutions do.

        Examples
        --------
        >>> ConvGeometry.of(2, 4, 8, 3, padding="same").padding
        (1, 1, 1, 1)
        """
        check_choice("padding_mode", padding_mode, ("zeros", "reflect", "replicate", "circular"))
        if in_channels < 1 or out_channels < 1 or groups < 1 or in_channels % groups or out_channels % groups:
            raise InputError(
                f"a convolution got {in_channels} and {out_channels} channels in {groups} groups; expected positive "
                "numbers of channels that the number of groups divides."
            )
        kernel = _each("kernel_size", kernel_size, dimensions, 1)
        strides = _each("stride", stride, dimensions, 1)
        dilations = _each("dilation", dilation, dimensions, 1)
        if isinstance(padding, str):
            check_choice("padding", padding, ("same", "valid"))
            if padding == "same" and max(strides) > 1:
                raise InputError(f"padding 'same' got stride {strides}; expected stride 1, or padding as numbers.")
            total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilations, kernel, strict=True)]
            pads = tuple(side for t in reversed(total) for side in (t // 2, t - t // 2))
        else:
            pads = tuple(p for p in reversed(_each("padding", padding, dimensions, 0)) for _ in range(2))
        return cls(in_channels, out_channels, kernel, strides, pads, dilations, groups, padding_mode)

    def functions(self, kind: type[Layer], **options: Any) -> Layer:
        """A layer with a function for each edge (i, o * K + q), first weights sized for what an output adds up."""
        volume, group_out = math.prod(self.kernel_size), self.out_channels // self.groups
        fan_in = self.in_channels // self.groups * volume
        return kind(self.in_channels, group_out * volume, fan_in=fan_in, fan_out=self.out_channels, **options)

    def place(self, i: int, j: int) -> tuple[int, tuple[int, ...]]:
        """Output channel and position in the kernel of the edge from channel i to function j.

        Examples
        --------
        >>> ConvGeometry.of(2, 2, 2, 3, groups=2).place(1, 5)
        (1, (1, 2))
        """
        output, offset = divmod(j, math.prod(self.kernel_size))
        position: list[int] = []
        for size in reversed(self.kernel_size):
            offset, along = divmod(offset, size)
            position.insert(0, along)
        group = i // (self.in_channels // self.groups)
        return group * (self.out_channels // self.groups) + output, tuple(position)

    def check(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x with its channels last, if it is (batch, in_channels, *size) and of that dtype."""
        dimensions = len(self.kernel_size)
        who = f"a convolution of {dimensions} dimension{'s' if dimensions > 1 else ''}"
        if isinstance(x, Tensor):
            if x.ndim != dimensions + 2 or x.shape[1] != self.in_channels:
                sizes = ("depth", "height", "width")[-dimensions:] if dimensions > 1 else ("length",)
                raise InputError(
                    f"{who} got x of shape {tuple(x.shape)}; expected (batch, {self.in_channels}, {', '.join(sizes)})."
                )
            x = x.movedim(1, -1)
        return check_input(who, x, self.in_channels, dtype)

    def pad(self, x: Tensor) -> Tensor:
        """x, channels last, with its padding; the kernel fits in."""
        if any(self.padding):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = nn.functional.pad(x.movedim(-1, 1), self.padding, mode=mode).movedim(1, -1)
        spans = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))
        if any(size < span for size, span in zip(x.shape[1:-1], spans, strict=True)):
            raise InputError(
                f"a convolution got x of size {tuple(x.shape[1:-1])} with its padding; expected at least {spans}, "
                "what the kernel covers."
            )
        return x

    def convolve(self, features: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
        """Sums (batch, out_channels, *size) of features (batch, *size, in, F), weights (out / groups * K, in, F)."""
        group_in, group_out = self.in_channels // self.groups, self.out_channels // self.groups
        n = len(self.kernel_size)
        split = weights.unflatten(0, (group_out, *self.kernel_size)).unflatten(n + 1, (self.groups, group_in))
        # (out, *kernel, groups, in, F) -> (groups, out, in, F, *kernel)
        kernel = split.permute(n + 1, 0, n + 2, n + 3, *range(1, n + 1)).flatten(0, 1).flatten(1, 2)
        return self.sum(features.flatten(-2).movedim(-1, 1), kernel, bias)

    def sum(self, values: Tensor, kernel: Tensor, bias: Tensor | None = None, groups: int | None = None) -> Tensor:
        """torch's convolution of what is padded already."""
        groups = groups or self.groups
        if len(self.kernel_size) == 1:  # as rows of an image: torch is faster there with channels last
            values, kernel = values.unsqueeze(2), kernel.unsqueeze(2)
            y = nn.functional.conv2d(values, kernel, bias, (1, *self.stride), 0, (1, *self.dilation), groups)
            return y.squeeze(2)
        convolution = nn.functional.conv2d if len(self.kernel_size) == 2 else nn.functional.conv3d
        return convolution(values, kernel, bias, self.stride, 0, self.dilation, groups)

    def channels(self, group: int) -> slice:
        """The input channels of a group."""
        if not 0 <= group < self.groups:
            raise InputError(f"group is {group}; expected 0 to {self.groups - 1}, a group of the convolution.")
        size = self.in_channels // self.groups
        return slice(group * size, (group + 1) * size)

    def patches(self, x: Tensor, group: int) -> Tensor:
        """Rows (batch * positions, channels of the group * K) of x, channels last and not padded."""
        rows = self.pad(x)[..., self.channels(group)]
        numbers = zip(self.kernel_size, self.stride, self.dilation, strict=True)
        for dimension, (size, stride, dilation) in enumerate(numbers, start=1):
            rows = rows.unfold(dimension, dilation * (size - 1) + 1, stride)[..., ::dilation]
        return rows.flatten(0, len(self.kernel_size)).flatten(1)

    def text(self) -> str:
        """For repr."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding[::-2]}" if any(self.padding) else ""
        text += f", dilation={self.dilation}" if max(self.dilation) > 1 else ""
        text += f", groups={self.groups}" if self.groups > 1 else ""
        return text + (f", padding_mode={self.padding_mode!r}" if self.padding_mode != "zeros" else "")


def _each(what: str, value: int | Sequence[int], dimensions: int, least: int) -> tuple[int, ...]:
    values = (int(value),) * dimensions if isinstance(value, (int, Integral)) else tuple(int(v) for v in value)
    if len(values) != dimensions or min(values) < least:
        raise InputError(
            f"{what} is {value!r}; expected a whole number of at least {least}, or {dimensions} of them, one for each "
            "dimension."
        )
    return values
