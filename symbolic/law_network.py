"""The network of a law: every edge fixed to the primitive it was recognised as, computing what the formula computes."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray

from kanlib.compact import compact
from kanlib.errors import InputError
from kanlib.gauss_newton import gauss_newton
from kanlib.layer import KANLayer
from kanlib.network import KAN

from .formula import Formula
from .joint import Candidate
from .trim import cut_edges, edge_effects

__all__ = ["law_network"]

Array = NDArray[np.float64]

_AGREES = 1e-5  # relative to the spread of the formula's values


def law_network(network: KAN, candidate: Candidate, formula: Formula, X: Array) -> KAN | None:
    """Fix the edges of ``network`` and fit their constants to the values of ``formula`` on ``X``.

    The finished formula may have fewer constants than its edges, which is why it is the target and not y.

    Returns
    -------
    KAN or None
        None where the network does not come to agree with the formula.
    """
    table, values = torch.from_numpy(X), torch.from_numpy(formula.predict(X))
    weakest = edge_effects(network, table)
    # An edge may have turned out to be superfluous while the formula was finished: the weakest go first.
    for n_cut in range(min(3, len(weakest))):
        law = copy.deepcopy(network)
        for (layer, i, j), fit in candidate.fits.items():
            law.layers[layer].fix_edge(i, j, fit.name, fit.constants)
        cut_edges(law, weakest[:n_cut], table)
        gauss_newton(law, table, values, max_steps=80)
        negligible = [edge for edge in edge_effects(law, table) if edge[0] < 0.1 * _AGREES * float(values.std())]
        cut_edges(law, negligible, table)
        for depth, owner in enumerate(law.layers):
            _write_plainly(owner)
            if depth + 1 < len(law.layers):
                _pass_biases_on(owner, law.layers[depth + 1], law.widths[depth + 1].sums)
        try:
            law = compact(law)
        except InputError:
            continue  # too much was cut
        with torch.no_grad():
            error = float((law(table)[:, 0] - values).square().mean().sqrt())
        if error <= _AGREES * float(values.std()):
            return law
    return None


# f(s*u) = s^degree * f(u) for s > 0
_DEGREES = {
    "identity": 1.0,
    "abs": 1.0,
    "square": 2.0,
    "cube": 3.0,
    "fourth": 4.0,
    "fifth": 5.0,
    "reciprocal": -1.0,
    "reciprocal_square": -2.0,
    "sqrt": 0.5,
    "reciprocal_sqrt": -0.5,
}


@torch.no_grad()
def _pass_biases_on(layer: KANLayer, following: KANLayer, n_sums: int) -> None:
    """f(a*(z + bias) + b) is f(a*z + (b + a*bias)): the biases of sum nodes move into the edges that follow."""
    for node in range(n_sums):
        shift = layer.bias[node].clone()
        following.edge_constants[:, node, 1] += following.edge_constants[:, node, 0] * shift
        layer.bias[node] = 0.0


@torch.no_grad()
def _write_plainly(layer: KANLayer) -> None:
    """Write fixed edges as people do: c/(x + b), not c/(a*x + b) + d; the offset goes to the node's bias."""
    for (i, j), name in layer.fixed_edges().items():
        if not bool(layer.mask[j, i]):
            continue
        a, b, c, d, p = layer.edge_constants[j, i].tolist()
        if name == "log" and a != 0:
            a, b, d = math.copysign(1.0, a), b / abs(a), d + c * math.log(abs(a))
        elif (name in _DEGREES or name == "power") and a != 0:
            c *= abs(a) ** _DEGREES.get(name, p)
            a, b = math.copysign(1.0, a), b / abs(a)
        if name == "exp" and abs(b) < 20:
            b, c = 0.0, c * math.exp(b)
        if name == "identity":
            a, b, c, d = 1.0, 0.0, a * c, d + c * b
        layer.fix_edge(i, j, name, (a, b, c, 0.0, p))
        layer.bias[j] += d
