"""KArAt: attention whose logits go through learnable functions of one variable instead of a softmax."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from kanlib.checks import check_input
from kanlib.errors import InputError
from kanlib.layer import KANLayer

from .attention import MultiHeadAttention
from .parts import LayerOptions, linear, with_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

__all__ = ["KANAttention", "LogitOperator", "project_to_simplex"]

RANK = 12  # as in the paper
# What holds where nothing else is asked for: no base function beside the basis, weights that share out a variance, and
# seven functions an edge, three harmonics: 1, cos t, sin t, ..., sin 3t.
DEFAULTS = LayerOptions(basis="fourier", base=None, init="xavier", grid_size=4, degree=3)
FOURIER = LayerOptions(grid_range=(-math.pi, math.pi), extrapolate="periodic")


class LogitOperator(nn.Module):
    """The learnable activation of rows of logits: R^N -> R^r by functions on edges, then back by a linear map.

    For a row t in R^N of the logits of one head,

        h_p = bias_p + sum_q phi_pq(t_q),   p = 1..r,        a = W h,   W in R^(N x r),

    where the phi_pq are functions on the edges of a `kanlib.KANLayer`; by default Fourier series with three harmonics,

        phi_pq(t) = a_pq0 + sum_m (a_pqm cos(m t) + b_pqm sin(m t)),   m = 1..3.

    r < N keeps the number of functions at r N instead of N^2. Rows of `a` may have any sign and any sum; with
    projection=True each becomes the nearest point of the probability simplex, where softmax's rows lie too.

    The number of tokens N is baked into the weights: column q of the logits has functions of its own. Memory grows
    with N^2 (G + k) numbers a head and row of the batch, where softmax has N^2.

    Parameters
    ----------
    n_tokens : int
        N.
    num_heads : int
        Every head has its own functions and its own W.
    rank : int
        r, 12 in the paper.
    projection : bool
    **options
        Of the layers inside. Without a word about them: basis "fourier" with grid_size + degree = 4 + 3 functions,
        no base function, init "xavier"; and for that basis grid_range (-pi, pi), extrapolate "periodic".

    Attributes
    ----------
    edges : one `KANLayer(N, r)` for each head
    spread : one linear map R^r -> R^N for each head, without bias

    Examples
    --------
    >>> operator = LogitOperator(n_tokens=5, num_heads=2, rank=3)
    >>> operator(torch.zeros(7, 2, 5, 5)).shape
    torch.Size([7, 2, 5, 5])

    Source: arXiv 2503.10632 (Kolmogorov-Arnold Attention), Fourier-KArAt.
    """

    def __init__(
        self, n_tokens: int, num_heads: int, rank: int = RANK, projection: bool = False, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__()
        if rank < 1:
            raise InputError(f"rank is {rank}; expected at least 1, and less than n_tokens to save functions.")
        self.n_tokens, self.num_heads, self.rank, self.projection = n_tokens, num_heads, rank, projection
        options = _filled(options)
        self.edges = cast(
            "Sequence[KANLayer]", nn.ModuleList(_layer(n_tokens, rank, options) for _ in range(num_heads))
        )
        spread = (linear(rank, n_tokens, bias=False, **options) for _ in range(num_heads))
        self.spread = cast("Sequence[nn.Linear]", nn.ModuleList(spread))

    def forward(self, logits: Tensor) -> Tensor:
        """The attention matrix.

        Parameters
        ----------
        logits : Tensor, shape (B, heads, N, N)

        Returns
        -------
        Tensor of that shape; with projection, rows are not negative and sum to one

        Raises
        ------
        InputError
            When heads or tokens are of another number.
        """
        heads, tokens = self.num_heads, self.n_tokens
        if isinstance(logits, Tensor) and (logits.ndim != 4 or (logits.shape[1], logits.shape[-1]) != (heads, tokens)):
            raise InputError(
                f"LogitOperator got logits of shape {tuple(logits.shape)}; expected (batch, {heads}, rows, {tokens}). "
                "The number of tokens is part of its weights: build it with that many."
            )
        logits = check_input("LogitOperator", logits, tokens, self.spread[0].weight.dtype)
        rows = [spread(edges(t)) for t, edges, spread in zip(logits.unbind(1), self.edges, self.spread, strict=True)]
        matrix = torch.stack(rows, dim=1)
        return project_to_simplex(matrix) if self.projection else matrix


class KANAttention(MultiHeadAttention):
    """Multi-head self-attention with a `LogitOperator` in place of the softmax.

    The number of tokens is baked in: an input with another number is refused.

    Parameters
    ----------
    embed_dim, num_heads, n_tokens : int
        As for `MultiHeadAttention`.
    rank : int
        Rank r of the operator that is made, 12 by default.
    projection : bool
        Whether rows of the attention matrix are projected onto the probability simplex.
    operator : LogitOperator, optional
        One made elsewhere, to be shared between blocks ("universal" in the paper); by default its own ("blockwise").
    **options
        Of the KAN layers inside; generator, device and dtype are also those of the linear maps.

    Examples
    --------
    >>> attention = KANAttention(8, num_heads=2, n_tokens=5, rank=3, projection=True)
    >>> x = torch.zeros(4, 5, 8)
    >>> attention(x).shape, attention.matrix(x).sum(-1).allclose(torch.ones(4, 2, 5))
    (torch.Size([4, 5, 8]), True)

    Source: arXiv 2503.10632 (Kolmogorov-Arnold Attention).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        n_tokens: int,
        rank: int | None = None,
        projection: bool = False,
        operator: LogitOperator | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        if operator is not None and (projection or rank not in (None, operator.rank)):
            raise InputError(
                f"KANAttention got an operator of rank {operator.rank}, and beside it rank={rank}, "
                f"projection={projection}; expected these where the operator is made."
            )
        options = with_generator(options)
        if operator is None:
            operator = LogitOperator(n_tokens, num_heads, RANK if rank is None else rank, projection, **options)
        elif (operator.n_tokens, operator.num_heads) != (n_tokens, num_heads):
            raise InputError(
                f"got an operator for {operator.n_tokens} tokens and {operator.num_heads} heads; expected {n_tokens} "
                f"and {num_heads}, those of the attention that shares it."
            )
        super().__init__(embed_dim, num_heads, n_tokens, operator, **options)


def project_to_simplex(values: Tensor) -> Tensor:
    """The nearest point, in Euclidean distance, of the probability simplex, for every row of the last dimension.

    With u the values in decreasing order and rho the largest k for which u_k > (u_1 + ... + u_k - 1) / k,

        theta = (u_1 + ... + u_rho - 1) / rho,    w_i = max(v_i - theta, 0).

    Parameters
    ----------
    values : Tensor, shape (..., n), floating point

    Returns
    -------
    Tensor of that shape, not negative, the last dimension summing to one

    Examples
    --------
    >>> project_to_simplex(torch.tensor([0.6, 0.8, -1.0]))
    tensor([0.4000, 0.6000, 0.0000])

    Source: Duchi, Shalev-Shwartz, Singer, Chandra (2008), Efficient projections onto the l1-ball, ICML.
    """
    # A shift of a row does not move its projection, and near zero less is lost in the sums.
    values = values - values.amax(-1, keepdim=True).detach()
    ordered = values.sort(dim=-1, descending=True).values
    excess = ordered.cumsum(-1) - 1
    counts = torch.arange(1, values.shape[-1] + 1, device=values.device)
    rho = (ordered * counts > excess).sum(-1, keepdim=True).clamp_min(1)  # NaN is larger than nothing
    theta = excess.gather(-1, rho - 1) / rho
    return (values - theta).clamp(min=0)


def _filled(options: LayerOptions) -> LayerOptions:
    filled = LayerOptions(**{**DEFAULTS, **with_generator(options)})
    return LayerOptions(**{**FOURIER, **filled}) if filled["basis"] == "fourier" else filled


def _layer(n_tokens: int, rank: int, options: LayerOptions) -> KANLayer:
    given: dict[str, Any] = {**options}
    return KANLayer(n_tokens, rank, **given)
