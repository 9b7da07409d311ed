"""A small vision transformer in which only the attention changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice, check_input
from kanlib.errors import InputError

from .attention import MultiHeadAttention, StaticAttention
from .karat import RANK, KANAttention, LogitOperator
from .parts import LayerOptions, draw_normal, layer_norm, linear, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["TransformerBlock", "VisionTransformer"]

Kind = Literal["softmax", "karat", "uniform", "static"]
KINDS = ("softmax", "karat", "uniform", "static")


class VisionTransformer(nn.Module):
    """Patches of an image as tokens, blocks of attention and perceptrons, and a linear map to the outputs.

    A patch of C p p numbers is mapped linearly to a token, a learned position is added, `depth` pre-norm blocks

        x <- x + attention(norm(x)),    x <- x + mlp(norm(x))

    follow, a norm, and the class token (or the mean of all tokens) is mapped to the outputs.

    Parameters
    ----------
    image_size : (int, int)
        Height and width; multiples of patch_size.
    channels : int
    patch_size : int
    embed_dim, depth, num_heads : int
    mlp_dim : int
        Hidden width of the perceptrons.
    out_features : int
        Number of outputs, such as the logits of classes.
    attention : {"softmax", "karat", "uniform", "static"}
        "karat" has `KANAttention`; "uniform" gives every token the mean of all; "static" has a learned matrix that
        does not depend on the input. The last two have no queries and keys.
    pool : {"mean", "class"}
    shared : bool
        With "karat": one operator for all blocks instead of one for each.
    rank, projection
        With "karat", as for `KANAttention`.
    **options
        Of the KAN layers inside; generator, device and dtype are also those of everything else.

    Examples
    --------
    >>> model = VisionTransformer((8, 8), 1, 2, embed_dim=8, depth=2, num_heads=2, mlp_dim=16, out_features=10)
    >>> model(torch.zeros(3, 1, 8, 8)).shape, model.n_tokens
    (torch.Size([3, 10]), 16)

    Source: arXiv 2010.11929 (vision transformer); arXiv 2503.10632 (KArAt in it).
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        channels: int,
        patch_size: int,
        *,
        embed_dim: int,
        depth: int,
        num_heads: int,
        mlp_dim: int,
        out_features: int,
        attention: Kind = "karat",
        pool: Literal["mean", "class"] = "mean",
        shared: bool = False,
        rank: int = RANK,
        projection: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_choice("attention", attention, KINDS)
        check_choice("pool", pool, ("mean", "class"))
        if attention != "karat" and (shared or projection):
            raise InputError(f'shared and projection are for attention="karat"; got one of them with {attention!r}.')
        if min(mlp_dim, out_features) < 1:
            raise InputError(
                f"VisionTransformer got mlp_dim={mlp_dim}, out_features={out_features}; expected 1 or more."
            )
        height, width = image_size
        if min(height, width, patch_size, channels, depth) < 1 or height % patch_size or width % patch_size:
            raise InputError(
                f"image of {height} x {width} with {channels} channels, patches of {patch_size} and depth {depth} make "
                "no transformer; expected positive numbers, and sides that are multiples of patch_size."
            )
        options = with_generator(options)
        self.image_shape, self.patch_size, self.pool = (channels, height, width), patch_size, pool
        self.n_tokens = (height // patch_size) * (width // patch_size) + (pool == "class")
        self.embedding = linear(channels * patch_size**2, embed_dim, **options)
        self.positions = nn.Parameter(draw_normal((self.n_tokens, embed_dim), 0.02, **options))
        self.class_token = nn.Parameter(draw_normal((embed_dim,), 0.02, **options)) if pool == "class" else None
        operator = LogitOperator(self.n_tokens, num_heads, rank, projection, **options) if shared else None

        def mixer() -> MultiHeadAttention:
            size = (embed_dim, num_heads, self.n_tokens)
            if attention == "karat":
                own = {} if operator else {"rank": rank, "projection": projection}
                return KANAttention(*size, operator=operator, **own, **options)  # type: ignore[arg-type]
            if attention == "softmax":
                return MultiHeadAttention(*size, **options)
            matrix = StaticAttention(num_heads, self.n_tokens, learned=attention == "static", **options)
            return MultiHeadAttention(*size, matrix, **options)

        self.blocks = nn.Sequential(*(TransformerBlock(mixer(), mlp_dim, **options) for _ in range(depth)))
        self.norm = layer_norm(embed_dim, **options)
        self.head = linear(embed_dim, out_features, **options)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs.

        Parameters
        ----------
        images : Tensor, shape (B, channels, height, width)

        Returns
        -------
        Tensor, shape (B, out_features)

        Raises
        ------
        InputError
            When the images have another shape.
        """
        x = self.norm(self.blocks(self.tokens(images)))
        y: Tensor = self.head(x[:, 0] if self.pool == "class" else x.mean(1))
        return y

    def tokens(self, images: Tensor) -> Tensor:
        """What the first block gets: (B, n_tokens, embed_dim)."""
        if isinstance(images, Tensor) and (images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape):
            raise InputError(
                f"VisionTransformer got images of shape {tuple(images.shape)}; expected (batch, "
                f"{', '.join(map(str, self.image_shape))}). Build it for images of that size."
            )
        images = check_input("VisionTransformer", images, self.image_shape[-1], self.embedding.weight.dtype)
        p = self.patch_size
        patches = images.unfold(2, p, p).unfold(3, p, p)  # (B, C, rows, columns, p, p)
        x: Tensor = self.embedding(patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2))
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)
        return x + self.positions


class TransformerBlock(nn.Module):
    """x <- x + attention(norm(x)), then x <- x + mlp(norm(x)), with a GELU between two linear maps.

    Examples
    --------
    >>> block = TransformerBlock(MultiHeadAttention(8, 2, n_tokens=5), mlp_dim=16)
    >>> block(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, attention: MultiHeadAttention, mlp_dim: int, **options: Unpack[LayerOptions]) -> None:
        super().__init__()
        options = with_generator(options)
        dim = attention.embed_dim
        self.attention = attention
        self.norms = nn.ModuleList(layer_norm(dim, **options) for _ in range(2))
        self.mlp = nn.Sequential(linear(dim, mlp_dim, **options), nn.GELU(), linear(mlp_dim, dim, **options))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, D) to tokens of that shape."""
        x = x + self.attention(self.norms[0](x))
        y: Tensor = x + self.mlp(self.norms[1](x))
        return y
