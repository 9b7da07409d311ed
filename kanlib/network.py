"""Networks of KAN layers whose nodes add or multiply."""

from __future__ import annotations

import operator
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from .bases import Extrapolate
from .checks import check_input
from .errors import InputError, InputTypeError
from .layer import KANLayer


@dataclass(frozen=True)
class Width:
    """Nodes of one layer of a network: `sums` nodes that add, and one node for each entry of `products`.

    Parameters
    ----------
    sums : int
    products : tuple of int
        Arity of every multiplication node: how many sums (subnodes) it multiplies.

    Examples
    --------
    >>> width = Width(2, (2, 3))
    >>> width.size, width.subnodes
    (4, 7)
    """

    sums: int
    products: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Number of node values."""
        return self.sums + len(self.products)

    @property
    def subnodes(self) -> int:
        """Number of sums the layer before has to compute."""
        return self.sums + sum(self.products)

    @classmethod
    def of(cls, width: int | Width | Sequence[Any]) -> Width:
        """Read 5, (5, 2) - two products of two - or (5, [2, 3]) as a Width.

        Examples
        --------
        >>> Width.of((1, 2))
        Width(sums=1, products=(2, 2))
        """
        if isinstance(width, Width):
            return width
        try:
            if isinstance(width, (int, Integral)):  # those of NumPy are, too
                result = cls(int(width))
            else:
                sums, products = width
                arities = (
                    (2,) * int(products) if isinstance(products, (int, Integral)) else map(operator.index, products)
                )
                result = cls(operator.index(sums), tuple(arities))
        except (TypeError, ValueError):
            raise InputError(
                f"width {width!r} cannot be read; expected a number of nodes or a pair (sums, products)."
            ) from None
        if result.sums < 0 or result.size < 1 or any(arity < 2 for arity in result.products):
            raise InputError(f"width {width!r} is not possible; expected at least one node, and arities of at least 2.")
        return result


def combine(values: Tensor, width: Width) -> Tensor:
    """Node values (..., size) from subnode values (..., subnodes): sums first, then the products of groups.

    Examples
    --------
    >>> combine(torch.tensor([1.0, 2.0, 3.0]), Width(1, (2,)))
    tensor([1., 6.])
    """
    if not width.products:
        return values
    sums, *groups = values.split([width.sums, *width.products], dim=-1)
    products = []
    for group in groups:
        first, *rest = group.unbind(-1)  # not torch.prod, whose derivatives are slow and fragile at zeros
        for factor in rest:
            first = first * factor
        products.append(first)
    return torch.cat([sums, torch.stack(products, dim=-1)], dim=-1)


class KAN(nn.Module):
    """A Kolmogorov-Arnold network.

    Parameters
    ----------
    widths : sequence
        Nodes of every layer, the inputs first. An entry is an int, or (sums, products) where products is a
        number of products of two, or a sequence of arities.
    grid_size, degree : int or sequence of int
        One for all layers, or one for each.
    basis, grid_range, base, knots, extrapolate, init
        As for `KANLayer`.
    input_names : sequence of str, optional
        Names of the original columns.
    in_features : int, optional
        Number of original columns, when the network uses only some of them.
    input_index : sequence of int, optional
        Which original columns the first layer sees, in increasing order; all by default.
    generator : torch.Generator, optional
        Source of the random first weights; with none, seed 0.
    device, dtype
        As for any module.

    Attributes
    ----------
    layers : ModuleList of KANLayer
        Layer l maps widths[l].size values to widths[l + 1].subnodes.
    widths : tuple of Width
    in_features, out_features : int
    input_names : tuple of str or None
    input_index : buffer of int64

    Examples
    --------
    >>> model = KAN([2, (3, 1), 1], grid_size=5, degree=3)
    >>> model(torch.zeros(10, 2)).shape
    torch.Size([10, 1])

    Sources: arXiv 2404.19756 (KAN), arXiv 2408.10205 (multiplication nodes).
    """

    input_index: Tensor
    layers: MutableSequence[KANLayer]  # a ModuleList; annotated by what it holds

    def __init__(
        self,
        widths: Sequence[int | Width | Sequence[Any]],
        *,
        grid_size: int | Sequence[int] = 5,
        degree: int | Sequence[int] = 3,
        basis: str = "bspline",
        grid_range: tuple[float, float] = (-1.0, 1.0),
        base: str | None = "silu",
        knots: Literal["uniform", "free"] = "uniform",
        extrapolate: Extrapolate = "linear",
        init: str = "power_law",
        input_names: Sequence[str] | None = None,
        in_features: int | None = None,
        input_index: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.widths = tuple(Width.of(width) for width in widths)
        if len(self.widths) < 2 or self.widths[0].products:
            raise InputError(f"widths {list(widths)!r} make no network; expected inputs (a plain number), then layers.")
        n_layers = len(self.widths) - 1
        sizes = per_layer("grid_size", grid_size, n_layers)
        degrees = per_layer("degree", degree, n_layers)
        index = [int(i) for i in (range(self.widths[0].size) if input_index is None else input_index)]
        self.in_features = len(index) if in_features is None else int(in_features)
        if len(index) != self.widths[0].size or index != sorted({i for i in index if 0 <= i < self.in_features}):
            raise InputError(
                f"input_index {index} does not fit {self.widths[0].size} inputs out of {self.in_features} "
                "columns; expected one column number for each input, increasing."
            )
        if input_names is not None and len(input_names) != self.in_features:
            raise InputError(
                f"got {len(input_names)} input_names for {self.in_features} columns; expected one for each."
            )
        self.input_names = None if input_names is None else tuple(str(name) for name in input_names)
        if self.input_names and len(set(self.input_names)) < len(self.input_names):
            raise InputError(f"input_names {list(self.input_names)} repeat a name; expected different ones.")
        self.out_features = self.widths[-1].size
        self.register_buffer("input_index", torch.tensor(index, device=device))
        generator = generator or torch.Generator().manual_seed(0)
        layers = (
            KANLayer(
                self.widths[n].size,
                self.widths[n + 1].subnodes,
                sizes[n],
                degrees[n],
                basis=basis,
                grid_range=grid_range,
                base=base,
                knots=knots,
                extrapolate=extrapolate,
                init=init,
                generator=generator,
                device=device,
                dtype=dtype,
            )
            for n in range(n_layers)
        )
        self.layers = cast("MutableSequence[KANLayer]", nn.ModuleList(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out_features) for inputs (..., in_features); errors as for `KANLayer`."""
        return self.activations(x)[-1]

    def activations(self, x: Tensor) -> list[Tensor]:
        """The input of every layer, and last the output of the network.

        Examples
        --------
        >>> [tuple(h.shape) for h in KAN([3, 2, 1]).activations(torch.zeros(7, 3))]
        [(7, 3), (7, 2), (7, 1)]
        """
        values = [self.select(x)]
        for layer, width in zip(self.layers, self.widths[1:], strict=True):
            values.append(combine(layer(values[-1]), width))
        return values

    def select(self, x: Tensor) -> Tensor:
        """The columns the first layer sees, out of the original ones."""
        x = check_input("KAN", x, self.in_features, self.layers[0].coefficients.dtype)
        return x if len(self.input_index) == self.in_features else x[..., self.input_index]

    @property
    def used_inputs(self) -> tuple[int, ...]:
        """Numbers of the original columns the network uses."""
        return tuple(self.input_index.tolist())

    @torch.no_grad()
    def edge_curve(self, layer: int, i: int, j: int, n: int = 200) -> tuple[Tensor, Tensor]:
        """Points x, y (n,) on the curve of the edge from input i to output j, over the grid of that input.

        Examples
        --------
        >>> x, y = KAN([2, 1]).edge_curve(0, i=1, j=0)
        >>> x.shape, y.shape
        (torch.Size([200]), torch.Size([200]))
        """
        owner = self.layers[layer]
        i, j = owner.check_edge(i, j)
        x = torch.lerp(owner.grid[i, 0], owner.grid[i, -1], torch.linspace(0, 1, n).to(owner.grid))
        return x, owner.edge(x, i, j)

    @torch.no_grad()
    def out_of_grid_fraction(self, x: Tensor) -> list[Tensor]:
        """For every layer, the share of its input values outside the grid, shape (in_features,) each."""
        inputs = self.activations(x)[:-1]
        return [layer.out_of_grid_fraction(h) for layer, h in zip(self.layers, inputs, strict=True)]

    def config(self) -> dict[str, Any]:
        """The structure as plain numbers and strings, fit for JSON; weights are in the state_dict.

        Examples
        --------
        >>> model = KAN([2, (1, 1), 1])
        >>> KAN.from_config(model.config()).widths == model.widths
        True
        """
        first = self.layers[0]
        for name in ("basis", "base", "knots", "extrapolate"):
            if len(kinds := {getattr(layer, name) for layer in self.layers}) > 1:
                raise InputError(
                    f"layers differ in {name} ({', '.join(sorted(map(repr, kinds)))}); a KAN that is saved, pruned or "
                    "rebuilt has the same in all. Use a state_dict and your own code for such a network."
                )
        return {
            "widths": [[width.sums, list(width.products)] for width in self.widths],
            "grid_size": [layer.grid_size for layer in self.layers],
            "degree": [layer.degree for layer in self.layers],
            "basis": first.basis,
            "base": first.base,
            "knots": first.knots,
            "extrapolate": first.extrapolate,
            "init": first.init,
            "input_names": None if self.input_names is None else list(self.input_names),
            "in_features": self.in_features,
            "input_index": list(self.used_inputs),
            "dtype": str(first.coefficients.dtype).removeprefix("torch."),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], *, device: torch.device | str | None = None) -> KAN:
        """A network of the structure `config()` describes, with fresh weights."""
        arguments = dict(config)
        name = arguments.pop("dtype", None)
        if name not in (None, "float16", "bfloat16", "float32", "float64"):
            raise InputError(f"config has dtype {name!r}; expected float16, bfloat16, float32 or float64.")
        try:
            return cls(**arguments, device=device, dtype=getattr(torch, name) if name else None)
        except TypeError as error:
            raise InputError(f"config does not describe a KAN: {error}. Use what KAN.config() returns.") from None

    def extra_repr(self) -> str:
        widths = [(width.sums, list(width.products)) if width.products else width.sums for width in self.widths]
        text = f"widths={widths}"
        if len(self.used_inputs) < self.in_features:
            text += f", in_features={self.in_features}, input_index={list(self.used_inputs)}"
        return text + (f", input_names={list(self.input_names)}" if self.input_names else "")


def per_layer(what: str, value: int | Sequence[int], n_layers: int) -> list[int]:
    """One number for all layers, or one for each, as a list.

    Examples
    --------
    >>> per_layer("grid_size", 5, 2)
    [5, 5]
    """
    try:
        values = [int(value)] * n_layers if isinstance(value, (int, Integral)) else [operator.index(v) for v in value]
    except TypeError:
        raise InputTypeError(f"{what} is {value!r}; expected a whole number for all layers, or one for each.") from None
    if len(values) != n_layers:
        raise InputError(
            f"{what} has {len(values)} entries for {n_layers} layers; expected one number, or one for each."
        )
    return values
