"""Pairs of functions that are one primitive: exp(-x**2) is the gaussian, 1/(1 + exp(-x)) the sigmoid.

One edge instead of two edges and a node: the network is shallower, and shows what a scientist calls by a name. Each
rule rewrites exactly, with the affine parts in the constants of the edge; it holds only where the constants have the
signs and sizes it needs.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from .parts import Edge, Sum

__all__ = ["fused", "paired"]

_SAFE_EXPONENT = 300.0  # exp of it is far from the ends of the floats


def fused(name: str, inner: Sum) -> Sum | None:
    """f(d + c*g(u)) as one primitive of u, where the table has it.

    Examples
    --------
    >>> from kanlib.symbolic.compiler.parts import Node
    >>> edge = fused("exp", Sum((Edge(Node(0, 0), "square", c=-4.0),))).edges[0]  # exp(-4*u**2)
    >>> edge.name, edge.a, edge.c
    ('gaussian', 2.0, 1.0)
    """
    if len(inner.edges) != 1:
        return None
    edge, c, d = inner.edges[0], inner.edges[0].c, inner.bias
    if edge.name == "square":
        if name == "exp" and c < 0 and abs(d) < _SAFE_EXPONENT:
            return _stretched(edge, "gaussian", math.sqrt(-c), math.exp(d))
        if name == "reciprocal" and d * c > 0:
            return _stretched(edge, "lorentzian", math.sqrt(c / d), 1 / d)
        if name == "sqrt" and d > 0:
            return _stretched(edge, "hyperbola" if c > 0 else "semicircle", math.sqrt(abs(c) / d), math.sqrt(d))
        if name == "reciprocal_sqrt" and d > 0 > c:
            return _stretched(edge, "lorentz", math.sqrt(-c / d), 1 / math.sqrt(d))
    if edge.name == "exp" and d * c > 0:
        shift = math.log(c / d)
        if name == "log" and d > 0:
            return Sum((replace(edge, name="softplus", b=edge.b + shift, c=1.0),), math.log(d))
        if name == "reciprocal":
            return Sum((replace(edge, name="sigmoid", a=-edge.a, b=-edge.b - shift, c=1 / d),))
    return None


def _stretched(edge: Edge, name: str, factor: float, c: float) -> Sum:
    return Sum((replace(edge, name=name, a=edge.a * factor, b=edge.b * factor, c=c),))


def paired(front: float, factors: list[Sum]) -> tuple[float, list[Sum]]:
    """u*log(a*u) and u/(a*u + b) are primitives, entropy and saturation: one edge and no product.

    The number in front and the factors of a product, and what is left of both.

    Examples
    --------
    >>> from kanlib.symbolic.compiler.parts import Node
    >>> u = Node(0, 0)
    >>> front, rest = paired(1.0, [Sum((Edge(u),)), Sum((Edge(u, "log", a=2.0),))])  # u*log(2*u)
    >>> front, [factor.edges[0].name for factor in rest]
    (0.5, ['entropy'])
    """
    for factor, other in itertools.permutations(factors, 2):
        if len(factor.edges) != 1 or len(other.edges) != 1 or factor.bias or other.bias:
            continue
        edge, outer = factor.edges[0], other.edges[0]
        if edge.name != "identity" or edge.node is not outer.node:
            continue
        rest = [part for part in factors if part is not factor and part is not other]
        if outer.name == "log" and outer.b == 0.0:
            paired = replace(outer, name="entropy")
        elif outer.name == "reciprocal" and outer.b != 0.0:
            paired = replace(outer, name="saturation", a=outer.a / outer.b, b=0.0)
        else:
            continue
        return front / outer.a, [Sum((paired,)), *rest]
    return front, factors
