"""The border between two experts as a formula: read off a gate that is a single KAN layer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sympy
import torch
from torch import Tensor

from kanlib.layer import KANLayer
from kanlib.network import KAN
from kanlib.symbolic import Formula, symbolify

__all__ = ["NAMES", "Border", "border_formula", "border_network", "shown"]

NAMES = ("x1", "x2", "x3", "x4")
NEGLIGIBLE = 0.1  # of the spread of the strongest edge


@dataclass(frozen=True)
class Border:
    """The formula d(x), zero on the border and positive where the second expert has more weight; its network; time."""

    formula: Formula
    network: KAN
    seconds: float

    @torch.no_grad()
    def picture(self) -> dict[str, object]:
        """The network's edges and the values of the formula on a grid of the first two inputs, the others zero."""
        side = torch.linspace(-1, 1, 41, dtype=torch.float64)
        points = torch.zeros(41 * 41, len(NAMES), dtype=torch.float64)
        points[:, :2] = torch.cartesian_prod(side, side)
        values = self.formula.predict(points.numpy())
        layer = self.network.layers[0]
        edges = layer.edges(side[:, None].expand(-1, len(NAMES)))[:, 0].T
        return {
            "values": [round(float(v), 2) for v in values],
            "edges": [[round(v, 2) for v in edge] for edge in edges.tolist()],
            "live": layer.mask[0].tolist(),
        }


@torch.no_grad()
def border_network(gate: KANLayer, X: Tensor) -> KAN:
    """The difference of the two logits as a KAN [in, 1].

    Exact, since a layer is linear in its coefficients; edges that hardly move on the data are then masked, their mean
    on the data is kept in the bias.
    """
    network = KAN([gate.in_features, 1], grid_size=gate.grid_size, degree=gate.degree, input_names=NAMES)
    layer = network.layers[0]
    layer.grid.copy_(gate.grid)
    layer.set_weights((gate.weights()[1] - gate.weights()[0])[None])
    edges = layer.edges(X)[:, 0]
    spread = edges.std(dim=0)
    layer.mask[0] = spread > NEGLIGIBLE * spread.max()
    layer.bias.copy_((gate.bias[1] - gate.bias[0] + (edges.mean(dim=0) * ~layer.mask[0]).sum())[None])
    return network.double()


def border_formula(gate: KANLayer, X: Tensor, primitives: Sequence[str] | None = None) -> Border:
    """symbolify's formula of that difference, with these primitives or all."""
    start = time.perf_counter()
    network = border_network(gate, X)
    X = X.double()
    with torch.no_grad():
        target = network(X)[:, 0]
    formula = symbolify(network, X, target, names=NAMES, target_name="d", primitives=primitives, time_limit=20.0)
    return Border(formula, network, time.perf_counter() - start)


def shown(formula: Formula) -> str:
    """The formula with three digits of each constant."""
    return str(formula.expr.xreplace({c: sympy.Float(c, 3) for c in formula.expr.atoms(sympy.Float)}))
