"""Edges that are taken out of a layer, or fixed to a named primitive c * f(a*x + b) + d; the state of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .checks import check_choice
from .errors import InputError
from .primitives import PRIMITIVES, evaluate_primitives, primitive_derivatives

__all__ = ["DEFAULT_CONSTANTS", "FixedEdges", "has_frozen"]

DEFAULT_CONSTANTS = (1.0, 0.0, 1.0, 0.0, 1.0)


class FixedEdges(nn.Module):
    """What `kanlib.KANLayer` knows of single edges; it makes the tensors and the dict.

    Attributes
    ----------
    mask : buffer of bool, shape (out, in)
    primitive_index : buffer of int64, shape (out, in), -1 where an edge is no primitive
    edge_constants : Parameter, shape (out, in, 5); it learns (requires_grad) once an edge is fixed
    """

    in_features: int
    out_features: int
    mask: Tensor
    primitive_index: Tensor
    edge_constants: nn.Parameter
    _fixed: dict[tuple[int, int], str]

    @torch.no_grad()
    def fix_edge(self, i: int, j: int, name: str, constants: Sequence[float] = DEFAULT_CONSTANTS) -> None:
        """Fix the edge from input i to output j to c * f(a*x + b) + d, f the primitive of that name.

        Parameters
        ----------
        i, j : int
        name : str
            A key of `kanlib.primitives.PRIMITIVES`.
        constants : five numbers a, b, c, d, p
            They go into `edge_constants` and can be trained; p is the exponent of "power".

        Examples
        --------
        >>> from kanlib import KANLayer
        >>> layer = KANLayer(1, 1)
        >>> layer.fix_edge(0, 0, "square", (1, 0, 2, 0, 1))
        >>> layer(torch.tensor([[3.0]]))
        tensor([[18.]], grad_fn=<AddBackward0>)
        """
        i, j = self.check_edge(i, j)
        if len(constants) != 5:
            raise InputError(f"fix_edge got {len(constants)} constants; expected five: a, b, c, d, p.")
        self._set_fixed({**self._fixed, (i, j): name})
        self.edge_constants[j, i] = torch.as_tensor(constants, dtype=self.edge_constants.dtype)

    def free_edge(self, i: int, j: int) -> None:
        """Make a fixed or masked edge a spline again, with the coefficients it had."""
        i, j = self.check_edge(i, j)
        self._set_fixed({edge: name for edge, name in self._fixed.items() if edge != (i, j)})
        self.mask[j, i] = True

    def mask_edge(self, i: int, j: int) -> None:
        """Take the edge from input i to output j out: it gives zero until `free_edge`."""
        i, j = self.check_edge(i, j)
        self.mask[j, i] = False

    def fixed_edges(self) -> dict[tuple[int, int], str]:
        """Names of the primitives of the fixed edges, by (input, output)."""
        return dict(self._fixed)

    def _set_fixed(self, fixed: dict[tuple[int, int], str]) -> None:
        for name in fixed.values():
            check_choice("primitive", name, tuple(PRIMITIVES))
        if bool(fixed) != bool(self._fixed):
            # Constants of no edge do not learn: whoever counts parameters or waits for all gradients expects so.
            self.edge_constants.requires_grad_(bool(fixed))
        self._fixed = dict(sorted(fixed.items()))
        # Made anew, where the mask is: load_state_dict(assign=True) leaves this buffer, which has no entry, behind.
        self.primitive_index = torch.full_like(self.mask, -1, dtype=torch.int64)
        for (i, j), name in self._fixed.items():
            self.primitive_index[j, i] = list(PRIMITIVES).index(name)

    def _fixed_values(self, x: Tensor, derivative: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs and inputs of the fixed edges, and values or derivatives (..., edges), one call a primitive."""
        edges = sorted(self._fixed, key=self._fixed.__getitem__)  # edges of one primitive side by side
        inputs = torch.tensor([i for i, _ in edges], device=x.device)
        outputs = torch.tensor([j for _, j in edges], device=x.device)
        a, b, c, d, p = self.edge_constants[outputs, inputs].unbind(-1)
        masked = ~self.mask[outputs, inputs]
        # A masked edge gives zero even outside its domain; 0.5 lies in every domain.
        u = (x[..., inputs] * a + b).masked_fill(masked, 0.5)
        names = [self._fixed[edge] for edge in edges]
        if derivative:
            values = primitive_derivatives(names, u, p, derivative) * c * a**derivative
        else:
            values = evaluate_primitives(names, u, p) * c + d
        return outputs, inputs, values.masked_fill(masked, 0.0)

    def _fixed_sums(self, x: Tensor) -> Tensor:
        outputs, _, values = self._fixed_values(x)
        return values.new_zeros((*x.shape[:-1], self.out_features)).index_add(-1, outputs, values)

    def check_edge(self, i: int, j: int) -> tuple[int, int]:
        """Return (i, j) with negative numbers counted from the end; InputError when there is no such edge."""
        if not (-self.in_features <= i < self.in_features and -self.out_features <= j < self.out_features):
            raise InputError(
                f"edge ({i}, {j}) does not exist; expected an input below {self.in_features} and an output "
                f"below {self.out_features}."
            )
        return i % self.in_features, j % self.out_features

    def get_extra_state(self) -> dict[str, Any]:
        """Names of the fixed edges, as [input, output, name]."""
        return {"fixed_edges": [[i, j, name] for (i, j), name in self._fixed.items()]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over the names of fixed edges from a state_dict."""
        self._set_fixed({self.check_edge(i, j): name for i, j, name in state["fixed_edges"]})


def has_frozen(model: nn.Module) -> bool:
    """Whether a parameter that the outputs depend on does not learn (requires_grad=False)."""
    idle = {
        id(layer.edge_constants)
        for layer in model.modules()
        if isinstance(layer, FixedEdges) and not layer.fixed_edges()
    }
    return any(not parameter.requires_grad and id(parameter) not in idle for parameter in model.parameters())
