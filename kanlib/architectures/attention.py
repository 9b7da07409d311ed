"""Multi-head attention whose matrix is made by any module: softmax, a learned activation, or no look at the input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kanlib.checks import check_input
from kanlib.errors import InputError

from .parts import LayerOptions, draw_normal, linear, with_generator

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["MultiHeadAttention", "StaticAttention"]


class MultiHeadAttention(nn.Module):
    """Self-attention with the row-wise activation of the logits left open.

    For every head, with Q, K, V linear in the tokens x and d = embed_dim / num_heads,

        A = Q K^T / sqrt(d),    M = activation(A),    y = concatenation over heads of M V, then a linear map.

    Parameters
    ----------
    embed_dim : int
        Size D of a token; a multiple of num_heads.
    num_heads : int
    n_tokens : int
        Number N of tokens, which matrices and operators of the activation are made for.
    activation : nn.Module, optional
        From logits (B, heads, N, N) to a matrix of that shape; softmax over the last dimension by default. With a
        `StaticAttention` there are no queries and keys, since nobody would read them.
    **options
        generator, device and dtype of `kanlib.KANLayer`; the others do not matter here.

    Examples
    --------
    >>> MultiHeadAttention(8, num_heads=2, n_tokens=5)(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])

    Source: arXiv 1706.03762 (Attention is all you need).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        n_tokens: int,
        activation: nn.Module | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise InputError(
                f"{num_heads} heads do not divide embed_dim {embed_dim}; expected a multiple of num_heads."
            )
        if n_tokens < 1:
            raise InputError(f"n_tokens is {n_tokens}; expected at least 1.")
        self.embed_dim, self.num_heads, self.n_tokens = embed_dim, num_heads, n_tokens
        options = with_generator(options)
        self.activation = activation if activation is not None else nn.Softmax(dim=-1)
        self.query_key = None if self._is_static else linear(embed_dim, 2 * embed_dim, **options)
        self.value = linear(embed_dim, embed_dim, **options)
        self.output = linear(embed_dim, embed_dim, **options)

    @property
    def _is_static(self) -> bool:
        return isinstance(self.activation, StaticAttention)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens that have seen each other.

        Parameters
        ----------
        x : Tensor, shape (B, N, D)

        Returns
        -------
        Tensor, shape (B, N, D)

        Raises
        ------
        InputError
            When x has another shape, another number of tokens too.
        """
        mixed = self.matrix(x) @ self._heads(self.value(x))
        y: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return y

    def logits(self, x: Tensor) -> Tensor:
        """Scaled products of queries and keys, (B, heads, N, N); InputError where there are none."""
        if self.query_key is None:
            raise InputError("This attention does not look at its input, so it has no logits; ask for its matrix.")
        query, key = (self._heads(part) for part in self.query_key(x).chunk(2, dim=-1))
        return query @ key.transpose(-1, -2) / math.sqrt(self.embed_dim // self.num_heads)

    def matrix(self, x: Tensor) -> Tensor:
        """What the values are multiplied by: (B, heads, N, N), or (heads, N, N) where it is the same for all x."""
        size = (self.n_tokens, self.embed_dim)
        if isinstance(x, Tensor) and (x.ndim != 3 or tuple(x.shape[1:]) != size):
            raise InputError(
                f"{type(self).__name__} got x of shape {tuple(x.shape)}; expected (batch, {self.n_tokens}, "
                f"{self.embed_dim}). It is made for that number of tokens; for another, build it with another n_tokens."
            )
        x = check_input(type(self).__name__, x, self.embed_dim, self.value.weight.dtype)
        result: Tensor = self.activation() if self._is_static else self.activation(self.logits(x))
        return result

    def _heads(self, x: Tensor) -> Tensor:
        """(B, N, D) as (B, heads, N, D / heads)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class StaticAttention(nn.Module):
    """A matrix for every head that does not depend on the input: a control for attention.

    Parameters
    ----------
    num_heads, n_tokens : int
    learned : bool
        Whether its entries are parameters (they start near 1/N, drawn around it); otherwise each is 1/N: the mean of
        all tokens.
    **options
        generator, device and dtype.

    Examples
    --------
    >>> StaticAttention(2, 4, learned=False)()[0, 0]
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    matrix: Tensor

    def __init__(self, num_heads: int, n_tokens: int, learned: bool = True, **options: Unpack[LayerOptions]) -> None:
        super().__init__()
        if num_heads < 1 or n_tokens < 1:
            raise InputError(f"StaticAttention got {num_heads} heads and {n_tokens} tokens; expected at least 1 each.")
        place: dict[str, Any] = {"device": options.get("device"), "dtype": options.get("dtype")}
        matrix = torch.full((num_heads, n_tokens, n_tokens), 1.0 / n_tokens, **place)
        if learned:
            self.matrix = nn.Parameter(matrix + draw_normal(matrix.shape, 0.1 / n_tokens, **options).to(matrix))
        else:
            self.register_buffer("matrix", matrix)

    def forward(self) -> Tensor:
        """The matrix, (heads, N, N)."""
        return self.matrix
