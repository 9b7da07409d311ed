"""S-KAN: networks whose every edge chooses its basis out of a pool."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from kanlib.checks import check_input
from kanlib.errors import InputError
from kanlib.network import KAN
from kanlib.splines import fit_coefficients, uniform_grid

from .parts import LayerOptions, with_generator
from .selective import Pool, PoolLayer, Selective, sum_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["POOL", "SKAN", "SelectiveKANLayer"]

POOL = ("bspline", "fourier", "chebyshev", "mexican_hat", "piecewise_linear")


class SelectiveKANLayer(Selective):
    """y_j = bias_j + sum over inputs i and bases b of gate_bji * phi_bji(x_i); phases as for `SKAN`.

    Parameters
    ----------
    in_features, out_features : int
    pool : sequence of str or mapping
        A basis each: its name, or keywords of `kanlib.KANLayer` in which it differs from the others.
    **options
        Keywords of `kanlib.KANLayer` for all bases.

    Attributes
    ----------
    layers : ModuleList of KAN layers, one for each basis
    logits : Parameter, shape (bases, out, in)
    bias : Parameter, shape (out,)

    Examples
    --------
    >>> layer = SelectiveKANLayer(3, 2, pool=({"degree": 1}, {"degree": 3}))
    >>> layer(torch.zeros(10, 3)).shape
    torch.Size([10, 2])

    Source: arXiv 2408.08338.
    """

    def __init__(
        self, in_features: int, out_features: int, *, pool: Pool = POOL, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(
            pool,
            lambda **basis: PoolLayer(in_features, out_features, **basis),
            with_generator(options),
        )
        self.in_features, self.out_features = in_features, out_features
        self.bias = nn.Parameter(self.logits.new_zeros(out_features).detach())

    def forward(self, x: Tensor) -> Tensor:
        """Node sums (..., out_features) for x (..., in_features); errors as for `kanlib.KANLayer`."""
        sums = [nn.functional.linear(features.flatten(-2), weights.flatten(1)) for features, weights in self.terms(x)]
        return sum_of([*sums, self.bias])

    def _shift_bias(self, constants: Tensor) -> None:
        self.bias.add_(constants.sum(1))

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, pool={list(self.names)}, phase={self.phase!r}"


class SKAN(nn.Module):
    """A selectable KAN: layers whose every edge has a pool of bases and ends with one of them.

    Training has three phases. Full: as built, train it like any module; all bases of an edge are at work. Selective:
    `select_bases` chooses a basis for every edge; train on. Pruned: `prune_bases` drops the others, and the network
    works with as many numbers as a KAN of one basis (``n_weights()`` of its layers; those of bases that lost stay in
    its parameters, masked).

    Parameters
    ----------
    widths : sequence of int
        Nodes of every layer, the inputs first.
    pool : sequence of str or mapping
        A basis each: its name, or keywords of `kanlib.KANLayer` in which it differs from the others.
    **options
        Keywords of `kanlib.KANLayer` for all bases and layers.

    Attributes
    ----------
    layers : ModuleList of SelectiveKANLayer

    Raises
    ------
    InputError
        When there are fewer than two widths or bases.

    Examples
    --------
    >>> from kanlib.architectures.selection import prune_bases, select_bases
    >>> model = SKAN([2, 3, 1], pool=({"degree": 1}, {"degree": 3}))
    >>> select_bases(model, torch.rand(100, 2))
    >>> prune_bases(model)
    >>> [tuple(chosen.shape) for chosen in model.selection()]
    [(3, 2), (1, 3)]

    Source: arXiv 2408.08338.
    """

    layers: MutableSequence[SelectiveKANLayer]  # a ModuleList

    def __init__(self, widths: Sequence[int], *, pool: Pool = POOL, **options: Unpack[LayerOptions]) -> None:
        super().__init__()
        if isinstance(widths, int) or len(widths) < 2:
            raise InputError(f"widths {widths!r} make no network; expected a sequence: inputs, then layers.")
        options = with_generator(options)
        layers = [SelectiveKANLayer(n, m, pool=pool, **options) for n, m in pairwise(widths)]
        self.layers = cast("MutableSequence[SelectiveKANLayer]", nn.ModuleList(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out_features) for x (..., in_features); errors as for `kanlib.KANLayer`."""
        for layer in self.layers:
            x = layer(x)
        return x

    def selection(self) -> list[Tensor]:
        """For every layer, the number of each edge's basis in the pool: int64, shape (out, in); -1 for masked edges."""
        return [layer.selection() for layer in self.layers]

    @torch.no_grad()
    def spline_view(self, x: Tensor, *, grid_size: int = 100) -> KAN:
        """A KAN of fine cubic splines in float64 with this network's curves over the values that reach its edges.

        For `kanlib.plots`, `kanlib.prune` and `kanlib.symbolic.symbolify`, which take a `kanlib.KAN`. Curves are
        fitted by least squares on a fine grid of the range of x; a jump in a curve becomes a ramp of a cell's width.

        Parameters
        ----------
        x : Tensor, shape (n, in_features)
        grid_size : int

        Examples
        --------
        >>> model, x = SKAN([2, 1], pool=({"degree": 2}, {"degree": 3})), torch.rand(50, 2)
        >>> bool(torch.allclose(model.spline_view(x)(x.double()).float(), model(x), atol=1e-4))
        True
        """
        widths = [self.layers[0].in_features, *(layer.out_features for layer in self.layers)]
        network = KAN(widths, grid_size=grid_size, base=None, device=x.device, dtype=torch.float64)
        h = check_input("spline_view", x, widths[0], self.layers[0].bias.dtype).flatten(0, -2)
        for layer, view in zip(self.layers, network.layers, strict=True):
            low, high = h.amin(0).double(), h.amax(0).double()
            slack = 1e-3 * (high - low) + 1e-9
            grid = uniform_grid(low - slack, high + slack, grid_size)
            share = torch.linspace(0, 1, 6 * grid_size + 1, dtype=grid.dtype, device=grid.device)
            points = torch.lerp(grid[:, :1], grid[:, -1:], share).T  # (n, in)
            values = layer.edges(points.to(h.dtype)).double()
            view.coefficients.copy_(fit_coefficients(points, values, grid, view.degree, uniform=True))
            view.grid.copy_(grid)
            view.bias.copy_(layer.bias)
            view.mask.copy_(layer.selection() >= 0)
            h = layer(h)
        return network
