"""A pool of bases on every edge, and the choice of one of them: what S-KAN layers and convolutions share.

The three phases of arXiv 2408.08338: in the full phase all bases of an edge are at work, mixed by weights that are
learned; in the selective phase one basis an edge is; pruning drops the others for good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from kanlib.checks import check_choice, check_input
from kanlib.errors import InputError

from .feature_layer import FeatureLayer
from .parts import LayerOptions

__all__ = ["Phase", "Pool", "PoolLayer", "Selective", "sum_of"]

Pool = Sequence[str | Mapping[str, Any]]
Phase = Literal["full", "selective", "pruned"]
ROWS = 2000  # enough to compare curves on


class PoolLayer(FeatureLayer):
    """The functions of one basis of a pool; none of its edges can be fixed to a primitive alone."""

    def _set_fixed(self, fixed: dict[tuple[int, int], str]) -> None:
        if fixed:
            raise InputError(
                f"fix_edge got {len(fixed)} edges of one basis of a pool; expected none, since an edge belongs to the "
                "whole pool. Prune the bases, and fix edges in the KAN that spline_view() returns."
            )
        super()._set_fixed(fixed)


class Selective(nn.Module, ABC):
    """Edges (i, j) that are mixtures sum_b gate_bji * phi_bji(x_i) of the bases b of a pool.

    In the full phase the gates of an edge are the softmax of its logits. In the selective phase the basis with the
    largest logit has gate 1 and the others 0, and logits get the gradients that the softmax would have
    (straight-through), so that a choice can still change. In the pruned phase the other bases are masked.

    Subclasses have a bias, and add up the terms of `terms`.

    Parameters
    ----------
    pool : sequence of str or mapping
        A basis each: its name, or keywords of `kanlib.KANLayer` in which it differs from the others.
    make : callable
        Keywords -> `PoolLayer`, all of one shape.
    options : LayerOptions
        Keywords that the bases have in common.

    Attributes
    ----------
    names : tuple of str
    layers : ModuleList of PoolLayer, one for each basis
    logits : Parameter, shape (bases, out, in)
    phase : {"full", "selective", "pruned"}

    Source: arXiv 2408.08338 (S-KAN), after its abstract, which has the choice at nodes; choosing for every edge, and by
    projection, is kanlib's.
    """

    layers: MutableSequence[PoolLayer]  # a ModuleList
    bias: nn.Parameter

    def __init__(self, pool: Pool, make: Callable[..., PoolLayer], options: LayerOptions) -> None:
        super().__init__()
        bases = [{"basis": entry} if isinstance(entry, str) else dict(entry) for entry in pool]
        self.names = tuple(
            entry if isinstance(entry, str) else ", ".join(f"{key}={value}" for key, value in entry.items())
            for entry in pool
        )
        if len(set(self.names)) < max(2, len(self.names)):
            raise InputError(f"the pool is {list(self.names)}; expected two bases at least, all different.")
        if "basis" in options and all("basis" in basis for basis in bases):
            raise InputError(
                f"got basis={options['basis']!r} and a pool that names its bases, {list(self.names)}; expected the "
                "one or the other. A KAN of one basis is KAN(..., basis=...)."
            )
        layers = [make(**{**options, **basis}) for basis in bases]
        self.layers = cast("MutableSequence[PoolLayer]", nn.ModuleList(layers))
        first = layers[0].coefficients
        self.logits = nn.Parameter(first.new_zeros(len(layers), *first.shape[:2]).detach())
        self.phase: Phase = "full"
        self._used = list(range(len(layers)))

    def gates(self) -> Tensor:
        """Share of every basis in every edge, (bases, out, in)."""
        if self.phase == "pruned":
            return torch.stack([layer.mask for layer in self.layers]).to(self.logits.dtype)
        soft = self.logits.softmax(0)
        if self.phase == "full":
            return soft
        hard = nn.functional.one_hot(self.selection().clamp_min(0), len(self.layers)).movedim(-1, 0)
        return hard + (soft - soft.detach())  # exactly 0 or 1

    def terms(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Features (..., in, F) and their weights (out, in, F) in the mixture, for every basis in use."""
        if self.phase == "pruned":
            return [(self.layers[b](x), self.layers[b].weights()) for b in self._used]
        return [
            (layer(x), layer.weights() * gate.unsqueeze(-1))
            for layer, gate in zip(self.layers, self.gates(), strict=True)
        ]

    def edges(self, x: Tensor) -> Tensor:
        """Value of every edge, (..., out, in), for x (..., in): the mixture, or the basis in use."""
        first, *others = self.terms(x)
        values = torch.einsum("...if,oif->...oi", *first)
        for term in others:
            values = values + torch.einsum("...if,oif->...oi", *term)
        return values

    def selection(self) -> Tensor:
        """Number of the chosen basis of every edge in `names`, (out, in), int64; -1 where the edge is masked."""
        active = torch.stack([layer.mask for layer in self.layers])
        return self.logits.masked_fill(~active, -torch.inf).argmax(0).masked_fill(~active.any(0), -1)

    @torch.no_grad()
    def select(self, x: Tensor, by: Literal["projection", "gates"] = "projection") -> None:
        """Choose a basis for every edge and begin the selective phase, in place.

        "projection": the mixture, up to a constant that goes into the bias, is fitted in each basis of the pool alone
        by least squares on the rows, and the basis with the smallest error is chosen. The fits become the bases'
        weights, so the selective phase starts from the mixture's curves; logits become the logarithm of 1 / error.

        "gates": the basis with the largest gate; gates are multiplied into the weights.

        Parameters
        ----------
        x : Tensor, shape (..., in)
            Values that reach the edges; `select_bases` finds them in a network. Of many, some 2,000 are used.
        """
        check_choice("by", by, ("projection", "gates"))
        if self.phase == "pruned":
            raise InputError("select got a pruned pool; expected one that still has its bases. Build a new network.")
        x = check_input("select", x, self.layers[0].in_features, self.logits.dtype).flatten(0, -2)
        if by == "gates":
            for layer, gate in zip(self.layers, self.gates(), strict=True):
                layer.set_weights(layer.weights() * gate.unsqueeze(-1))
        else:
            if not len(x) or not bool(x.isfinite().all()):
                raise InputError(f"select got {len(x)} rows; expected at least one row, all finite.")
            self._project(x[:: max(1, len(x) // ROWS)])  # a convolution has a row a pixel
        self.phase = "selective"

    def _project(self, x: Tensor) -> None:
        curves = self.edges(x).double().movedim(2, 0)  # (in, n, out)
        level = curves.mean(1)
        curves = curves - level.unsqueeze(1)
        errors, levels = [], []
        for layer in self.layers:
            features = layer(x).double().movedim(1, 0)  # (in, n, F)
            centre = features.mean(1)
            features = features - centre.unsqueeze(1)
            # Cut at what rounding leaves of float32 features; on every device, which lstsq of low rank is not.
            weights = torch.linalg.pinv(features, rtol=1e-5) @ curves  # (in, F, out)
            errors.append((curves - features @ weights).square().mean(1))
            levels.append(level - torch.einsum("if,ifo->io", centre, weights))
            layer.set_weights(weights.movedim(2, 0).to(layer.coefficients.dtype))
        error = torch.stack(errors).transpose(1, 2)  # (bases, out, in)
        floor = torch.finfo(error.dtype).eps * (curves.square().mean(1).T + torch.finfo(error.dtype).tiny)
        self.logits.copy_(-(error + floor).log().to(self.logits.dtype))
        chosen = self.selection().clamp_min(0)
        constant = torch.stack(levels).transpose(1, 2).gather(0, chosen.unsqueeze(0)).squeeze(0)
        alive = torch.stack([layer.mask for layer in self.layers]).any(0)
        self._shift_bias(constant.masked_fill(~alive, 0.0).to(self.logits.dtype))

    @abstractmethod
    def _shift_bias(self, constants: Tensor) -> None:
        """Add what the edges (out, in) lost to the bias."""

    @torch.no_grad()
    def prune(self) -> None:
        """Keep one basis an edge for good, in place: the outputs stay those of the selective phase, exactly.

        From the full phase the gate of the chosen basis is multiplied into its weights, and the rest of the mixture
        is lost. Logits stop to be trained.
        """
        if self.phase == "full":
            self.select(self.logits.new_zeros(0, self.layers[0].in_features), by="gates")
        chosen = self.selection()
        for number, layer in enumerate(self.layers):
            layer.mask &= chosen == number
        self.logits.requires_grad_(False)
        self.phase = "pruned"
        # With all edges masked nothing is in use: one basis stays for the shape of its zeros.
        self._used = sorted(set(chosen.flatten().tolist()) - {-1}) or [0]

    def mask_edge(self, i: int, j: int) -> None:
        """Take the edge from input i to output j out, in all bases."""
        for layer in self.layers:
            layer.mask_edge(i, j)

    def n_weights(self) -> int:
        """Numbers the edges are made of: those of all bases, or of the chosen ones once they are pruned.

        In the selective phase as after pruning; gates are not counted.
        """
        if self.phase == "selective":
            chosen = self.selection()
            counts = [(chosen == number).sum() for number in range(len(self.layers))]
        else:
            counts = [layer.mask.sum() for layer in self.layers]
        return sum(int(count) * layer.weights().shape[2] for count, layer in zip(counts, self.layers, strict=True))

    def get_extra_state(self) -> dict[str, Any]:
        """The phase, and which bases are in use."""
        return {"phase": self.phase, "used": self._used}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over the phase of a state_dict."""
        check_choice("phase", state["phase"], ("full", "selective", "pruned"))
        self.phase, self._used = state["phase"], [int(b) for b in state["used"]]
        self.logits.requires_grad_(self.phase != "pruned")


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    """Their sum."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
