"""One layer of a Kolmogorov-Arnold network: a learnable function of one variable on every edge, then sums."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from .base_functions import BASE_FUNCTIONS
from .bases import Extrapolate, get_basis
from .checks import check_choice, check_input
from .errors import InputError
from .fixed_edges import DEFAULT_CONSTANTS, FixedEdges
from .initialization import INIT_RULES
from .primitives import PRIMITIVES
from .splines import uniform_grid


class KANLayer(FixedEdges):
    """A layer whose edge (i, j) carries w_ji * base(x_i) + sum_m c_jim B_m(x_i), summed over i, plus a bias.

    The B_m are the functions of a basis (`kanlib.bases`): B-splines, or others.

    Single edges can be masked (they give zero) or fixed to a named primitive c * f(a*x + b) + d.

    Parameters
    ----------
    in_features, out_features : int
    grid_size : int
        Number of grid cells G.
    degree : int
        Degree k of the splines, 0 to 5. Every edge has G + k functions, whatever the basis; so polynomials of degree
        n or less are ``basis="chebyshev", grid_size=1, degree=n``.
    basis : str
        A name of `kanlib.bases.BASES`: "bspline" (B-splines), "gaussian", "chebyshev", "legendre", "fourier",
        "mexican_hat", "morlet", "dog", "rational" or "piecewise_linear". All but the first need of a grid only its
        ends.
    grid_range : (float, float)
        The range the grid covers at first; `kanlib.grids.update_grid` fits it to data.
    base : {"silu", "identity", "tanh", "sin", "elu", "softplus"} or None
    knots : {"uniform", "free"}
        Whether grids keep cells of equal width (closed form, fast) or may have any breakpoints (B-splines only).
    extrapolate : {"linear", "constant", "zero", "periodic"}
        What the basis does outside the grid: its value and slope go on, its value does, nothing is there, or the grid's
        range repeats. With "periodic" the period is that of ``grid_range`` (the grid never follows data), base
        functions do not repeat (take ``base=None``), and only "fourier" is smooth across the seam.
    init : {"power_law", "zero_spline", "lecun", "xavier"}
    generator : torch.Generator, optional
        Source of the random first weights; with none, a generator with seed 0: the same layer every time.
    device, dtype
        As for any module; dtype defaults to torch.get_default_dtype().

    Attributes
    ----------
    coefficients : Parameter, shape (out, in, G + k)
    base_weight : Parameter, shape (out, in), or None without a base
    bias : Parameter, shape (out,)
    edge_constants : Parameter, shape (out, in, 5)
        Constants [a, b, c, d, p] of fixed edges; unused by the others, and learned once there are fixed ones.
    grid : buffer, shape (in, G + 1)
    mask : buffer of bool, shape (out, in)
    primitive_index : buffer of int64, shape (out, in)
        Position in PRIMITIVES, -1 for a spline edge. A state_dict holds names instead, so the table may grow.

    Examples
    --------
    >>> layer = KANLayer(3, 2)
    >>> layer(torch.zeros(10, 3)).shape
    torch.Size([10, 2])

    Source: arXiv 2404.19756 (KAN).
    """

    grid: Tensor
    base_weight: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        grid_size: int = 5,
        degree: int = 3,
        *,
        basis: str = "bspline",
        grid_range: tuple[float, float] = (-1.0, 1.0),
        base: str | None = "silu",
        knots: Literal["uniform", "free"] = "uniform",
        extrapolate: Extrapolate = "linear",
        init: str = "power_law",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise InputError(
                f"KANLayer got {in_features} inputs and {out_features} outputs; expected at least 1 of each."
            )
        check_choice("base", base, (*BASE_FUNCTIONS, None))
        check_choice("knots", knots, ("uniform", "free"))
        check_choice("init", init, tuple(INIT_RULES))
        self.in_features, self.out_features = in_features, out_features
        self.basis, self.degree, self.base, self.knots, self.extrapolate = basis, degree, base, knots, extrapolate
        self.init = init
        like: dict[str, Any] = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        grid = uniform_grid(*grid_range, grid_size, in_features=in_features, **like)
        get_basis(basis).check(grid, degree, extrapolate, knots)
        self.register_buffer("grid", grid)
        self.register_buffer("mask", torch.ones(out_features, in_features, dtype=torch.bool, device=device))
        index = torch.full((out_features, in_features), -1, dtype=torch.int64, device=device)
        self.register_buffer("primitive_index", index, persistent=False)
        self._fixed: dict[tuple[int, int], str] = {}
        self.coefficients = nn.Parameter(torch.empty(out_features, in_features, grid_size + degree, **like))
        self.base_weight = nn.Parameter(torch.empty(out_features, in_features, **like)) if base else None
        self.bias = nn.Parameter(torch.zeros(out_features, **like))
        constants = torch.tensor(DEFAULT_CONSTANTS, **like)
        self.edge_constants = nn.Parameter(constants.repeat(out_features, in_features, 1), requires_grad=False)
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new spline coefficients and base weights by the layer's init rule; the bias becomes zero."""
        generator = generator or torch.Generator().manual_seed(0)
        sigmas = INIT_RULES[self.init](self.in_features, self.out_features, self.coefficients.shape[2])
        for parameter, sigma in zip((self.coefficients, self.base_weight), sigmas, strict=True):
            if parameter is not None:
                # Drawn where the generator lives: the first weights do not depend on the layer's device.
                noise = torch.empty(parameter.shape, dtype=parameter.dtype, device=generator.device)
                parameter.copy_(noise.normal_(generator=generator) * sigma)
        self.bias.zero_()

    @property
    def repeats(self) -> bool:
        """Whether the grid's range is a period: no point lies outside, and the grid does not follow data."""
        return self.extrapolate == "periodic"

    @property
    def grid_size(self) -> int:
        """Number of grid cells G."""
        return self.grid.shape[1] - 1

    def forward(self, x: Tensor) -> Tensor:
        """Node sums.

        Parameters
        ----------
        x : Tensor, shape (..., in_features), the layer's dtype

        Returns
        -------
        Tensor, shape (..., out_features)

        Raises
        ------
        InputError
            When the last dimension is not in_features.
        InputTypeError
            When x is no tensor of the layer's dtype.
        """
        x = self._checked(x)
        # As two products rather than one of features and weights: nothing of the batch is joined and copied.
        active = self.spline_mask()
        y = nn.functional.linear(
            self._basis(x).flatten(-2), (self.coefficients * active.unsqueeze(-1)).flatten(1), self.bias
        )
        if self.base_weight is not None:
            y = y + nn.functional.linear(self._base(x), self.base_weight * active)
        return y + self._fixed_sums(x) if self._fixed else y

    def features(self, x: Tensor) -> Tensor:
        """What the weights multiply: [base(x), B_0(x), B_1(x), ...] for every input.

        Returns
        -------
        Tensor, shape (..., in_features, F), F = 1 + G + k, or G + k without a base

        Examples
        --------
        >>> layer, x = KANLayer(2, 1), torch.zeros(4, 2)
        >>> y = torch.einsum("bif,oif->bo", layer.features(x), layer.weights()) + layer.bias
        >>> bool(torch.allclose(y, layer(x)))
        True
        """
        return self._features(self._checked(x), 0)

    def feature_derivatives(self, x: Tensor, order: int = 1) -> Tensor:
        """First or second derivative of `features` with respect to the input they belong to; same shape."""
        check_choice("order", order, (1, 2))
        return self._features(self._checked(x), order)

    def _features(self, x: Tensor, derivative: int) -> Tensor:
        basis = self._basis(x, derivative)
        if self.base is None:
            return basis
        return torch.cat([self._base(x, derivative).unsqueeze(-1), basis], dim=-1)

    def _basis(self, x: Tensor, derivative: int = 0, row: slice = slice(None)) -> Tensor:
        return get_basis(self.basis).values(
            x,
            self.grid[row],
            self.degree,
            derivative=derivative,
            extrapolate=self.extrapolate,
            uniform=self.knots == "uniform",
        )

    def _base(self, x: Tensor, derivative: int = 0) -> Tensor:
        limit = torch.finfo(x.dtype).max ** 0.5  # as far as splines go on
        assert self.base is not None
        return BASE_FUNCTIONS[self.base].of_order(derivative)(x.clamp(-limit, limit))

    def weights(self) -> Tensor:
        """Weights of the features, zero for masked and for fixed edges; shape (out, in, F), in the graph."""
        weights: Tensor = self.coefficients
        if self.base_weight is not None:
            weights = torch.cat([self.base_weight.unsqueeze(-1), weights], dim=-1)
        return weights * self.spline_mask().unsqueeze(-1)

    @torch.no_grad()
    def set_weights(self, weights: Tensor) -> None:
        """Copy weights (out, in, F) into the parameters; masked and fixed edges keep what they have."""
        expected = (*self.mask.shape, self.coefficients.shape[2] + (self.base_weight is not None))
        if tuple(weights.shape) != expected:
            raise InputError(
                f"set_weights got shape {tuple(weights.shape)}; expected {expected}, as weights() returns."
            )
        active = self.spline_mask()
        if self.base_weight is not None:
            self.base_weight.copy_(torch.where(active, weights[..., 0], self.base_weight))
            weights = weights[..., 1:]
        self.coefficients.copy_(torch.where(active.unsqueeze(-1), weights, self.coefficients))

    def spline_mask(self) -> Tensor:
        """Which edges are neither masked nor fixed; bool, shape (out, in)."""
        return self.mask & (self.primitive_index < 0) if self._fixed else self.mask

    def edges(self, x: Tensor, derivative: int = 0) -> Tensor:
        """Value of every edge, or its first or second derivative; fixed edges included, masked ones zero.

        Shape (..., out_features, in_features); the sum of the values over the inputs plus the bias is the layer's
        output.
        """
        check_choice("derivative", derivative, (0, 1, 2))
        x = self._checked(x)
        values = torch.einsum("...if,oif->...oi", self._features(x, derivative), self.weights())
        if self._fixed:
            outputs, inputs, fixed = self._fixed_values(x, derivative)
            place = outputs * self.in_features + inputs
            values = values.flatten(-2).index_copy(-1, place, fixed).unflatten(-1, self.mask.shape)
        return values

    def edge(self, x: Tensor, i: int, j: int) -> Tensor:
        """Value of the edge from input i to output j at points x of any shape; same shape."""
        i, j = self.check_edge(i, j)
        x = check_input("edge", x.unsqueeze(-1), 1, self.coefficients.dtype)
        if (i, j) in self._fixed:
            a, b, c, d, p = self.edge_constants[j, i]
            values = PRIMITIVES[self._fixed[i, j]](a * x + b, p) * c + d
        else:
            values = self._basis(x, row=slice(i, i + 1)) @ self.coefficients[j, i]  # (..., 1)
            if self.base_weight is not None:
                values = values + self._base(x) * self.base_weight[j, i]
        return values.squeeze(-1).masked_fill(~self.mask[j, i], 0.0)

    def out_of_grid_fraction(self, x: Tensor) -> Tensor:
        """Share of the points that lie outside the grid, for every input; shape (in_features,)."""
        x = self._checked(x).detach().reshape(-1, self.in_features)
        if self.repeats:
            return torch.zeros_like(self.grid[:, 0])
        outside = (x < self.grid[:, 0]) | (x > self.grid[:, -1])
        return outside.to(self.grid.dtype).sum(0) / max(len(x), 1)

    def _checked(self, x: Tensor) -> Tensor:
        return check_input("KANLayer", x, self.in_features, self.coefficients.dtype)

    def get_extra_state(self) -> dict[str, Any]:
        """The fixed edges' names; and the basis, since coefficients of all bases have the same shape."""
        state = super().get_extra_state()
        return state if self.basis == "bspline" else {**state, "basis": self.basis}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over fixed edges; InputError where the state is one of another basis."""
        basis = state.get("basis", "bspline")
        if basis != self.basis:
            raise InputError(f"the state is one of a layer with basis {basis!r}; expected {self.basis!r}, this one's.")
        super().set_extra_state(state)

    def extra_repr(self) -> str:
        text = f"{self.in_features}, {self.out_features}, grid_size={self.grid_size}, degree={self.degree}"
        text += f", basis={self.basis!r}" if self.basis != "bspline" else ""
        text += f", base={self.base!r}, knots={self.knots!r}, extrapolate={self.extrapolate!r}"
        masked = 0 if self.mask.is_meta else int((~self.mask).sum())
        text += f", masked={masked}" if masked else ""
        return text + (f", fixed={len(self._fixed)}" if self._fixed else "")
