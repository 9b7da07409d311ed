"""What a trained shape does not need is cut before formulas are looked for; and networks in the units of the data."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from kanlib.jacobian import plan, sensitivities, trace
from kanlib.network import KAN

from .sample import Sample
from .shapes import Trained, fit_sample, held_error

__all__ = ["cut_edges", "edge_effects", "in_units_of_y", "trim"]


@torch.no_grad()
def edge_effects(model: KAN, X: torch.Tensor, output: int = 0) -> list[tuple[float, int, int, int]]:
    """(effect, layer, i, j) of every edge that is not masked, weakest first.

    The effect is the root mean square of what the edge's variation does to the output: its deviation from its own
    mean times the output's sensitivity to the node it ends in. A constant added to the edge does not change it.
    """
    plans = plan(model)
    passed = trace(model, X)
    found = []
    for depth, (p, sensitivity) in enumerate(zip(plans, sensitivities(model, plans, passed), strict=True)):
        values = p.layer.edges(passed.inputs[depth])
        varying = (values - values.mean(dim=0)) * sensitivity[output][:, :, None]
        sizes = varying.square().mean(dim=0).sqrt()
        found += [(float(sizes[j, i]), depth, i, j) for j, i in p.layer.mask.nonzero().tolist()]
    return sorted(found)


def trim(trained: Trained, sample: Sample, *, share: float, expired: Callable[[], bool] = lambda: False) -> Trained:
    """Mask the edges whose effect is below ``share`` of the held-out error (or 1e-6 of y), and refit.

    Edges go from the weakest up, half of what is left to cut at a time; a cut that makes held-out rows worse by more
    than 3% is taken back.
    """
    best = trained
    for _ in range(6):
        effects = edge_effects(best.model, sample.X)
        limit = max(share * best.held_error / sample.units, 1e-6)
        weak = [edge for edge in effects if edge[0] < limit][: len(effects) - 1]
        while weak and not expired():
            cut = _without(best, weak, sample)
            if cut.held_error <= 1.03 * best.held_error:
                break
            weak = weak[: len(weak) // 2]
        if not weak or expired():
            return best
        best = cut
    return best


@torch.no_grad()
def cut_edges(model: KAN, edges: list[tuple[float, int, int, int]], X: torch.Tensor) -> None:
    """Mask edges (effect, layer, i, j) in place; what each is on average goes to its node's bias."""
    inputs = model.activations(X)
    means = [layer.edges(x).mean(dim=0) for layer, x in zip(model.layers, inputs, strict=False)]
    for _, depth, i, j in edges:
        model.layers[depth].bias[j] += means[depth][j, i]
        model.layers[depth].mask_edge(i, j)


def _without(trained: Trained, edges: list[tuple[float, int, int, int]], sample: Sample) -> Trained:
    model = copy.deepcopy(trained.model)
    cut_edges(model, edges, sample.X)
    fit_sample(model, sample, max_steps=30)
    return Trained(trained.shape, model, trained.grid_size, held_error(model, sample))


def in_units_of_y(model: KAN, scale: float, shift: float) -> KAN:
    """A copy that computes ``scale * model + shift`` (the last layer has sum nodes only)."""
    model = copy.deepcopy(model)
    last = model.layers[-1]
    with torch.no_grad():
        last.set_weights(last.weights() * scale)
        last.edge_constants[..., 2:4] *= scale
        last.bias.mul_(scale).add_(shift)
    return model
