"""KAN feature extractors for windows of motion sensors, and a classifier on top (arXiv 2406.11914).

The paper's four ways to put KAN layers over channels and time are here as modules; nothing of its experiments is: its
data sets do not come with kanlib, and benchmarks of these modules on synthetic windows say nothing about its numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice
from kanlib.errors import InputError, InputTypeError

from .convolution import KANConv1d
from .parts import LayerOptions, linear, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["HARClassifier", "KANFeatureExtractor", "Variant", "check_windows"]

Variant = Literal["per_channel", "shared", "convolution", "residual"]


def check_windows(
    who: str, x: Tensor, channels: int, length: int, dtype: torch.dtype, *, exact: bool = False
) -> Tensor:
    """Return x if it is a tensor (batch, channels, time) of that dtype with at least (exactly) so many times."""
    if not isinstance(x, Tensor):
        raise InputTypeError(f"{who} got {type(x).__name__}; expected a tensor (batch, {channels}, time).")
    wrong = x.ndim != 3 or x.shape[1] != channels
    if wrong or x.shape[2] < length or (exact and x.shape[2] != length):
        raise InputError(
            f"{who} got x of shape {tuple(x.shape)}; expected (batch, {channels}, time) with "
            f"{'' if exact else 'at least '}{length} times. Put the sensor's channels before the times."
        )
    if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
        raise InputTypeError(f"{who} got x of dtype {x.dtype}; expected {dtype}. Convert x: x.to({dtype}).")
    return x


class KANFeatureExtractor(nn.Module):
    """Two KAN convolutions over time, (batch, channels, time) to (batch, out_channels, positions), in four variants.

        u[o, p] = sum over i, q of phi_oiq(x[i, stride * p + q]),   y[o, p] = sum over i, q of psi_oiq(u[i, p + q - 1])

    - ``"per_channel"``: each sensor channel has functions and features of its own; o sums over one channel only;
    - ``"shared"``: as that, with the same functions for all channels;
    - ``"convolution"``: o sums over all channels;
    - ``"residual"``: as ``"convolution"``, and the second layer adds to the first: y = u + sum psi(u).

    The second layer matters: the mean over time of u alone would forget the order of the samples, since u is a sum of
    functions of single samples.

    Parameters
    ----------
    channels : int
        Of the sensor.
    features : int
        For each channel in the first two variants, of all channels together in the others.
    variant : {"per_channel", "shared", "convolution", "residual"}
    kernel_size, stride : int
        Samples a patch has, and from one patch to the next.
    **options
        As for `kanlib.KANLayer`.

    Attributes
    ----------
    first, second : KANConv1d
    out_channels : int

    Raises
    ------
    InputError
        For an unknown variant, and sizes less than 1.

    Examples
    --------
    >>> extractor = KANFeatureExtractor(6, 4, variant="shared", kernel_size=9, stride=4)
    >>> extractor(torch.zeros(10, 6, 33)).shape
    torch.Size([10, 24, 7])

    Source: arXiv 2406.11914.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        *,
        variant: Variant = "convolution",
        kernel_size: int = 9,
        stride: int = 4,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_choice("variant", variant, get_args(Variant))
        if min(channels, features, kernel_size, stride) < 1:
            raise InputError(
                f"KANFeatureExtractor got {channels} channels, {features} features, kernel_size {kernel_size} and "
                f"stride {stride}; expected at least 1 of each."
            )
        self.channels, self.variant, self.kernel_size = channels, variant, kernel_size
        options = with_generator(options)
        each = variant in ("per_channel", "shared")
        self.out_channels = channels * features if each else features
        groups = channels if variant == "per_channel" else 1
        inputs, outputs = (1, features) if variant == "shared" else (channels, self.out_channels)
        self.first = KANConv1d(inputs, outputs, kernel_size, stride=stride, groups=groups, **options)
        self.second = KANConv1d(outputs, outputs, 3, padding=1, groups=groups, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (batch, out_channels, positions) of windows (batch, channels, time).

        Raises
        ------
        InputError, InputTypeError
            When x has other dimensions or channels, fewer times than the kernel, or another dtype.
        """
        x = check_windows("KANFeatureExtractor", x, self.channels, self.kernel_size, self.first.bias.dtype)
        if self.variant == "shared":
            maps: Tensor = self.second(self.first(x.flatten(0, 1).unsqueeze(1)))
            return maps.unflatten(0, (-1, self.channels)).flatten(1, 2)
        first: Tensor = self.first(x)
        second: Tensor = self.second(first)
        return first + second if self.variant == "residual" else second


class HARClassifier(nn.Module):
    """Feature maps of a `KANFeatureExtractor`, their mean and maximum over time, and a linear layer to logits.

    Parameters
    ----------
    channels : int
    classes : int
    features, variant, kernel_size, stride, **options
        As for `KANFeatureExtractor`.

    Examples
    --------
    >>> HARClassifier(6, 5, variant="per_channel", features=3)(torch.zeros(10, 6, 64)).shape
    torch.Size([10, 5])
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        features: int = 8,
        variant: Variant = "convolution",
        kernel_size: int = 9,
        stride: int = 4,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        if classes < 1:
            raise InputError(f"HARClassifier got {classes} classes; expected at least 1.")
        options = with_generator(options)
        self.extractor = KANFeatureExtractor(
            channels, features, variant=variant, kernel_size=kernel_size, stride=stride, **options
        )
        self.head = linear(2 * self.extractor.out_channels, classes, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) of windows (batch, channels, time)."""
        maps = self.extractor(x)
        logits: Tensor = self.head(torch.cat([maps.mean(dim=-1), maps.amax(dim=-1)], dim=-1))
        return logits
