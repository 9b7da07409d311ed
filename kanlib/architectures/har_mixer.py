"""KAN-MLP mixer: a KAN embeds the patches of a sensor window, perceptrons mix them (arXiv 2605.19031)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from kanlib.errors import InputError

from .convolution import KANConv1d
from .har import check_windows
from .parts import LayerOptions, layer_norm, linear, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["KANMixer", "MixerBlock"]


class MixerBlock(nn.Module):
    """A block of MLP-Mixer (arXiv 2105.01601) on tokens h (batch, tokens, width).

        h = h + MLP_tokens(LayerNorm(h)^T)^T,   h = h + MLP_width(LayerNorm(h)),   MLP = linear, GELU, linear

    Parameters
    ----------
    tokens, width : int
    **options
        Generator, device and dtype are used.

    Examples
    --------
    >>> import torch
    >>> MixerBlock(5, 8)(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, tokens: int, width: int, **options: Unpack[LayerOptions]) -> None:
        super().__init__()
        options = with_generator(options)

        def perceptron(size: int) -> nn.Sequential:
            return nn.Sequential(linear(size, 2 * size, **options), nn.GELU(), linear(2 * size, size, **options))

        self.token_norm, self.width_norm = layer_norm(width, **options), layer_norm(width, **options)
        self.token_mlp, self.width_mlp = perceptron(tokens), perceptron(width)

    def forward(self, h: Tensor) -> Tensor:
        """Tokens (batch, tokens, width)."""
        h = h + self.token_mlp(self.token_norm(h).transpose(1, 2)).transpose(1, 2)
        return h + self.width_mlp(self.width_norm(h))


class KANMixer(nn.Module):
    """Logits of windows (batch, channels, length): tokens by a KAN, mixed by perceptrons, then a mean and a linear map.

        token_p[w] = sum over i, q of phi_wiq(x[i, patch * p + q])

    Functions that are not linear meet the raw samples; what follows is an MLP-Mixer. The published classifier, a
    KAN of arctangents, is a linear map here.

    Parameters
    ----------
    channels, length : int
        Of a window.
    classes : int
    width : int
        Of a token.
    patch : int
        Samples of a token; must divide length.
    blocks : int
    **options
        As for `kanlib.KANLayer`, for the embedding; generator, device and dtype for all.

    Attributes
    ----------
    embedding : KANConv1d
    blocks : Sequential of MixerBlock

    Raises
    ------
    InputError
        When a size is less than 1 or patch does not divide length.

    Examples
    --------
    >>> import torch
    >>> KANMixer(6, 64, 5, width=8, patch=16)(torch.zeros(10, 6, 64)).shape
    torch.Size([10, 5])

    Source: arXiv 2605.19031.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        classes: int,
        *,
        width: int = 16,
        patch: int = 16,
        blocks: int = 2,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        if min(channels, length, classes, width - 1, patch, blocks) < 1 or length % patch:
            raise InputError(
                f"KANMixer got {channels} channels, {classes} classes, width {width}, {blocks} blocks, and patches of "
                f"{patch} in windows of {length}; expected at least 1 of each, and patches that divide the window."
            )
        options = with_generator(options)
        self.channels, self.length = channels, length
        self.embedding = KANConv1d(channels, width, patch, stride=patch, **options)
        self.blocks = nn.Sequential(*(MixerBlock(length // patch, width, **options) for _ in range(blocks)))
        self.norm = layer_norm(width, **options)
        self.head = linear(width, classes, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes).

        Raises
        ------
        InputError, InputTypeError
            When x is not (batch, channels, length) or has another dtype.
        """
        x = check_windows("KANMixer", x, self.channels, self.length, self.embedding.bias.dtype, exact=True)
        tokens = self.blocks(self.embedding(x).transpose(1, 2))
        logits: Tensor = self.head(self.norm(tokens).mean(dim=1))
        return logits
