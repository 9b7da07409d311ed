"""KAN autoencoder: KAN layers down to a short code and back up (arXiv 2410.02077)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from kanlib.checks import check_input
from kanlib.errors import InputError
from kanlib.layer import KANLayer

from .parts import LayerOptions, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["KANAutoencoder"]


class KANAutoencoder(nn.Module):
    """Encoder z = K_L(...K_1(x)) and decoder x' = K'_L(...K'_1(z)), all K KAN layers; widths mirror each other.

    With no hidden layers each number of the code is a sum of functions of one input, and each reconstructed value a
    sum of functions of one number of the code: a non-linear PCA of additive maps, whose curves can be looked at.
    A code is not normalised: `kanlib.architectures.parts.fit_grids` sizes the decoder's first grid.

    Parameters
    ----------
    in_features : int
    code_size : int
        How many numbers the code has.
    hidden : int or sequence of int
        Widths between input and code, a number for one layer; the decoder has them in reverse.
    **options
        As for `kanlib.KANLayer`; they go to every layer.

    Attributes
    ----------
    encoder, decoder : Sequential of KANLayer
    in_features, code_size : int

    Raises
    ------
    InputError
        When a width is less than 1.

    Examples
    --------
    >>> import torch
    >>> model = KANAutoencoder(8, 2, hidden=(5,), grid_size=3)
    >>> x = torch.zeros(10, 8)
    >>> model.encode(x).shape, model(x).shape
    (torch.Size([10, 2]), torch.Size([10, 8]))

    Source: arXiv 2410.02077.
    """

    def __init__(
        self, in_features: int, code_size: int, hidden: int | Sequence[int] = (), **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__()
        hidden = (hidden,) if isinstance(hidden, int) else hidden
        widths = [int(in_features), *(int(width) for width in hidden), int(code_size)]
        if min(widths) < 1:
            raise InputError(f"KANAutoencoder got the widths {widths}, input to code; expected at least 1 each.")
        self.in_features, self.code_size = widths[0], widths[-1]
        options = with_generator(options)
        self.encoder = nn.Sequential(*(KANLayer(a, b, **options) for a, b in pairwise(widths)))
        self.decoder = nn.Sequential(*(KANLayer(a, b, **options) for a, b in pairwise(widths[::-1])))

    def encode(self, x: Tensor) -> Tensor:
        """Codes (..., code_size) of inputs (..., in_features)."""
        x = check_input("KANAutoencoder", x, self.in_features, next(self.parameters()).dtype)
        code: Tensor = self.encoder(x)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Reconstructions (..., in_features) of codes (..., code_size)."""
        code = check_input("KANAutoencoder.decode", code, self.code_size, next(self.parameters()).dtype)
        x: Tensor = self.decoder(code)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction decode(encode(x)).

        Parameters
        ----------
        x : Tensor, shape (..., in_features), the layers' dtype

        Returns
        -------
        Tensor, shape (..., in_features)

        Raises
        ------
        InputError, InputTypeError
            As for `kanlib.KANLayer`.
        """
        return self.decode(self.encode(x))
