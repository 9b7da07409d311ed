"""Every primitive against every edge at once: c * f(a*x + b; p) + d fitted to sampled curves.

The offset d and the factor c are linear and never searched: they are solved for at every trial (variable
projection), for all edges, primitives and starts in one array. What remains is searched only where it is not
redundant: a scale moves into c for powers, a shift moves into c for exp and into d for the scale of a logarithm.
Starts come from grids on the curve's own range, mapped to [-1, 1], and the best are refined by damped
Gauss-Newton steps, all of them together.

Source: Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973) 413, applied to one-dimensional curves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from kanlib.errors import InputError
from kanlib.primitives import PRIMITIVES

from .library import LIBRARY, search_names

__all__ = ["EdgeFit", "fit_edges", "search_set", "starting_points"]

_REFINED_STARTS = 4
_STEPS = 40
_EXACT = 1e-26  # relative error below which a curve is met to rounding


@dataclass(frozen=True)
class EdgeFit:
    """One primitive on one edge: ``c * f(a * x + b; p) + d`` with its error relative to the curve's variance."""

    name: str
    constants: tuple[float, float, float, float, float]
    nmse: float
    complexity: float

    @property
    def cost(self) -> float:
        """Log error plus a price for length; lower is better."""
        return math.log(max(self.nmse, 1e-24)) + 0.35 * self.complexity


@dataclass(frozen=True)
class _Family:
    """Where a primitive is started on [-1, 1], and which of (a, b, p) are worth moving.

    Starts stand in groups of ``group`` neighbours, of which only the best is refined: starts of one valley must not
    take the places of another.
    """

    starts: tuple[tuple[float, float, float], ...]
    moves_a: bool
    moves_b: bool
    moves_p: bool = False
    group: int = 1
    ray: bool = False  # the argument is +-u + b with b > 1, moved on a logarithmic scale of b - 1


def fit_edges(x: Tensor, y: Tensor, names: tuple[str, ...] | None = None) -> list[list[EdgeFit]]:
    """Fit primitives to curves.

    Parameters
    ----------
    x, y : Tensor, shape (n_edges, n_points)
        Each row one curve, at points spread as the data are.
    names : tuple of str, optional
        The primitives to try; all that are not redundant by default.

    Returns
    -------
    list of list of EdgeFit
        For every edge, its fits from the cheapest (see ``EdgeFit.cost``) to the dearest.

    Examples
    --------
    >>> import torch
    >>> x = torch.linspace(0.5, 3, 100, dtype=torch.float64)[None]
    >>> best = fit_edges(x, 2 * torch.log(x) + 1)[0][0]
    >>> best.name, best.nmse < 1e-20
    ('log', True)
    """
    x, y = x.to(torch.float64), y.to(torch.float64)
    middle = (x.amax(1) + x.amin(1)) / 2
    half = ((x.amax(1) - x.amin(1)) / 2).clamp_min(1e-300)
    u = (x - middle[:, None]) / half[:, None]
    mean, spread = y.mean(1), y.std(1, unbiased=False).clamp_min(1e-300)
    target = (y - mean[:, None]) / spread[:, None]

    chosen = [n for n in (names or tuple(_families())) if n in _families()]
    problems = _Problems.start(chosen, u, target)
    problems.refine(_STEPS)

    fits: list[list[EdgeFit]] = [[] for _ in range(x.shape[0])]
    best: dict[tuple[int, str], tuple[float, tuple[float, ...]]] = {}
    a, b, c, d, p = problems.solution()
    # Back from [-1, 1] to the edge's own coordinate and scale.
    s, m, e = half[problems.edge], middle[problems.edge], problems.edge
    rows = torch.stack([a / s, b - a * m / s, c * spread[e], d * spread[e] + mean[e], p, problems.nmse], 1).tolist()
    for name, edge, row in zip(problems.names, e.tolist(), rows, strict=True):
        if all(map(math.isfinite, row)) and row[5] < best.get((edge, name), (math.inf,))[0]:
            best[edge, name] = (row[5], tuple(row[:5]))
    for (edge, name), (nmse, constants) in best.items():
        k = constants
        fits[edge].append(EdgeFit(name, (k[0], k[1], k[2], k[3], k[4]), nmse, LIBRARY[name].complexity))
    return [sorted(edge_fits, key=lambda fit: fit.cost) for edge_fits in fits]


class _Problems:
    """Many (edge, primitive, start) problems, moved together."""

    def __init__(self, names: list[str], edge: Tensor, abp: Tensor, u: Tensor, target: Tensor) -> None:
        order = sorted(range(len(names)), key=lambda k: names[k])
        self.names = [names[k] for k in order]
        self.edge, self.abp = edge[order], abp[order]
        self.u, self.target = u[self.edge], target[self.edge]
        self.groups = []
        start = 0
        for name, members in itertools.groupby(self.names):
            count = len(list(members))
            self.groups.append((name, slice(start, start + count)))
            start += count
        families = [_families()[n] for n in self.names]
        self.moves = torch.tensor([[f.moves_a, f.moves_b, f.moves_p] for f in families])
        self.ray = torch.tensor([f.ray for f in families], dtype=torch.bool)
        self.nmse = torch.full((len(names),), math.inf, dtype=torch.float64)

    @classmethod
    def start(cls, chosen: list[str], u: Tensor, target: Tensor) -> _Problems:
        """The best few starts of every primitive on every edge."""
        names: list[str] = []
        edges, abps = [], []
        for name in chosen:
            if name == "sin":
                abp, nmse = _sine_starts(u, target)
            else:
                abp = torch.tensor(_families()[name].starts, dtype=torch.float64).expand(u.shape[0], -1, -1)
                argument = abp[..., 0, None] * u[:, None] + abp[..., 1, None]
                phi = PRIMITIVES[name](argument, abp[..., 2, None].expand_as(argument))
                nmse = _project(phi, target[:, None])[2]
            group = _families()[name].group
            nmse, first = nmse.unflatten(1, (-1, group)).min(dim=2)
            count = min(_REFINED_STARTS, nmse.shape[1])
            nmse, best = nmse.topk(count, dim=1, largest=False)
            index = best * group + first.gather(1, best)
            picked = torch.gather(abp, 1, index[..., None].expand(-1, -1, 3))
            keep = torch.isfinite(nmse)
            edges.append(torch.arange(u.shape[0])[:, None].expand(-1, count)[keep])
            abps.append(picked[keep])
            names += [name] * int(keep.sum())
        return cls(names, torch.cat(edges), torch.cat(abps), u, target)

    def refine(self, steps: int) -> None:
        """Damped Gauss-Newton on (a, b, p) of all problems, c and d eliminated."""
        damping = torch.full_like(self.nmse, 1e-2)
        self.nmse, normal, gradient = self.linearise(self.abp)
        idle = 0
        for _ in range(steps):
            scale = normal.diagonal(dim1=1, dim2=2).clamp_min(1e-30)
            system = normal + torch.diag_embed(damping[:, None] * scale)
            system = system + torch.diag_embed((~self.moves).to(torch.float64))
            move = torch.linalg.solve_ex(system, gradient[..., None])[0][..., 0]
            trial = self.moved(torch.where(torch.isfinite(move), move, 0.0))
            nmse, trial_normal, trial_gradient = self.linearise(trial)
            better = nmse < self.nmse
            moving = better & (nmse < 0.999 * self.nmse) & (self.nmse > _EXACT)
            idle = 0 if bool(moving.any()) else idle + 1
            self.abp = torch.where(better[:, None], trial, self.abp)
            self.nmse = torch.where(better, nmse, self.nmse)
            normal = torch.where(better[:, None, None], trial_normal, normal)
            gradient = torch.where(better[:, None], trial_gradient, gradient)
            damping = torch.where(better, damping / 5, damping * 4).clamp(1e-12, 1e12)
            if idle >= 4:
                break

    def moved(self, move: Tensor) -> Tensor:
        trial = self.abp + move
        distance = (self.abp[:, 1] - 1) * torch.exp(move[:, 1].clamp(-2, 2))
        trial[:, 1] = torch.where(self.ray, 1 + distance, trial[:, 1])
        return trial

    def linearise(self, abp: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        phi, slope, p_slope = self.evaluate(abp)
        c, _, nmse, centred = _project(phi, self.target)
        residual = self.target - c[..., None] * centred
        shift = torch.where(self.ray, abp[:, 1] - 1, 1.0)[:, None]
        columns = torch.stack([slope * self.u, slope * shift, p_slope], dim=1) * c[:, None, None]
        columns = torch.where(self.moves[..., None], columns, 0.0)
        columns = columns - columns.mean(dim=2, keepdim=True)
        size = centred.square().sum(1).clamp_min(1e-300)[:, None, None]
        along = (columns * centred[:, None]).sum(2, keepdim=True) / size
        columns = columns - along * centred[:, None]
        columns = torch.where(torch.isfinite(columns), columns, 0.0)
        residual = torch.where(torch.isfinite(residual), residual, 0.0)
        return nmse, columns @ columns.transpose(1, 2), (columns @ residual[..., None])[..., 0]

    def evaluate(self, abp: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """f, df/du and df/dp at the problems' points."""
        argument = (abp[:, :1] * self.u + abp[:, 1:2]).detach().requires_grad_()
        p = abp[:, 2:].expand_as(argument).detach().clone().requires_grad_()
        with torch.enable_grad():
            phi = torch.cat([PRIMITIVES[name](argument[part], p[part]) for name, part in self.groups])
            slope, p_slope = torch.autograd.grad(phi.sum(), (argument, p), allow_unused=True)
        zero = torch.zeros_like(argument)
        return phi.detach(), zero if slope is None else slope, zero if p_slope is None else p_slope

    def solution(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        phi, _, _ = self.evaluate(self.abp)
        c, mean, self.nmse, _ = _project(phi, self.target)
        return self.abp[:, 0], self.abp[:, 1], c, -c * mean, self.abp[:, 2]


def _project(phi: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Least squares of a standardised target on [phi, 1]: factor, mean of phi, relative error, centred phi."""
    mean = phi.mean(dim=-1)
    centred = phi - mean[..., None]
    size = centred.square().sum(-1)
    c = (centred * target).sum(-1) / size
    nmse = (target - c[..., None] * centred).square().mean(-1)
    # A primitive that hardly varies on the range fits anything only by rounding errors.
    flat = size <= 1e-18 * phi.square().sum(-1)
    return c, mean, torch.where(torch.isfinite(nmse) & ~flat, nmse, math.inf), centred


def _sine_starts(u: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies on a grid; amplitude, phase and offset of each by least squares."""
    slow, fast = torch.logspace(-1, 0, 8, dtype=torch.float64), torch.arange(1.4, 60, 0.5, dtype=torch.float64)
    frequency = torch.cat([slow, fast])
    angle = frequency[:, None] * u[:, None, :]
    basis = torch.stack([torch.ones_like(angle), torch.sin(angle), torch.cos(angle)], dim=-1)
    gram = basis.transpose(-1, -2) @ basis + 1e-12 * torch.eye(3, dtype=torch.float64)
    right = basis.transpose(-1, -2) @ target[:, None, :, None]
    weights = torch.linalg.solve(gram, right)
    nmse = (target[:, None] - (basis @ weights)[..., 0]).square().mean(-1)
    phase = torch.atan2(weights[..., 2, 0], weights[..., 1, 0])
    return torch.stack([frequency.expand_as(phase), phase, torch.ones_like(phase)], dim=-1), nmse


def _pairs(ends: list[float]) -> tuple[tuple[float, float, float], ...]:
    """(a, b) that map [-1, 1] onto every interval between two different ends, in both directions."""
    return tuple(((hi - lo) / 2, (hi + lo) / 2, 1.0) for lo, hi in itertools.permutations(ends, 2))


def search_set(primitives: Sequence[str] | None = None) -> tuple[str, ...]:
    """The primitives to search: all that are not redundant, or the given ones.

    Raises
    ------
    InputError
        An unknown name.
    """
    if primitives is None:
        return search_names()
    unknown = sorted(set(primitives) - set(PRIMITIVES))
    if unknown or not primitives:
        raise InputError(f"primitives {unknown} are not known; expected names among {sorted(PRIMITIVES)}.")
    return tuple(dict.fromkeys(_TWINS.get(name, name) for name in primitives))


# The curve of the left is one of the right, with other constants.
_TWINS = {"cos": "sin", "arccos": "arcsin", "sigmoid": "tanh", "saturation": "reciprocal"}


@cache
def _families() -> dict[str, _Family]:
    shift = tuple((1.0, b, 1.0) for b in torch.linspace(-3, 3, 25).tolist())
    distances = [10.0**k for k in (-4, -3, -2, -1.5, -1, -0.6, -0.3, 0, 0.3, 0.6, 1, 1.5, 2)]
    ray = tuple((sign, 1 + t, 1.0) for t in distances for sign in (1.0, -1.0))
    powers = tuple((a, b, p) for a, b, _ in ray[::2] + ray[1::2] for p in (-2.5, -1.5, -0.7, 0.3, 0.7, 1.5, 2.5, 3.5))
    scales = [0.3, 0.6, 1.0, 1.6, 2.5, 4.0, 7.0, 12.0]
    centres = [-1.4, -1.0, -0.7, -0.35, 0.0, 0.35, 0.7, 1.0, 1.4]
    affine = tuple((a, -a * u0, 1.0) for u0 in centres for a in scales)
    both = affine + tuple((-a, -b, p) for a, b, p in affine)
    exponential = tuple((s * a, 0.0, 1.0) for a in (0.1, 0.3, 0.6, 1.0, 2.0, 3.5, 6.0, 10.0, 20.0) for s in (1.0, -1.0))
    unit = _pairs([-0.999, -0.95, -0.75, -0.4, 0.0, 0.4, 0.75, 0.95, 0.999])
    quarter = _pairs([-1.55, -1.4, -1.0, -0.5, 0.0, 0.5, 1.0, 1.4, 1.55])
    positive = _pairs([0.001, 0.03, 0.1, 0.37, 1.0, 2.0, 4.0, 10.0])

    def shifted() -> _Family:
        return _Family(shift, False, True)

    def on_ray(starts: tuple[tuple[float, float, float], ...] = ray) -> _Family:
        return _Family(starts, False, True, ray=True)

    def free(starts: tuple[tuple[float, float, float], ...], group: int = 1) -> _Family:
        return _Family(starts, True, True, group=group)

    return {
        "identity": _Family(((1.0, 0.0, 1.0),), False, False),
        "square": shifted(),
        "cube": shifted(),
        "fourth": shifted(),
        "fifth": shifted(),
        "abs": shifted(),
        # A step has no slope to follow: its place comes from a fine grid of starts.
        "sign": _Family(tuple((1.0, b, 1.0) for b in torch.linspace(-0.98, 0.98, 99).tolist()), False, False),
        "reciprocal": on_ray(),
        "reciprocal_square": on_ray(),
        "sqrt": on_ray(),
        "reciprocal_sqrt": on_ray(),
        "log": on_ray(),
        "power": _Family(powers, False, True, True, group=8, ray=True),
        "exp": _Family(exponential, True, False),
        "sin": free(()),
        "tan": free(quarter),
        "tanh": free(affine, 8),
        "arctan": free(affine, 8),
        "erf": free(affine, 8),
        "gaussian": free(affine, 8),
        "lorentzian": free(affine, 8),
        "hyperbola": free(affine, 8),
        "sinh": free(affine, 8),
        "cosh": free(affine, 8),
        "softplus": free(both, 8),
        "arcsin": free(unit),
        "arctanh": free(unit),
        "semicircle": free(unit),
        "lorentz": free(unit),
        "entropy": free(positive),
    }


def starting_points(name: str) -> tuple[tuple[tuple[float, float, float], ...], tuple[bool, bool, bool], bool]:
    """Where constants (a, b, p) of a primitive start on [-1, 1], which of them are worth moving, and whether on a ray.

    On a ray the argument is +-u + b with b > 1, and b - 1 is moved on a logarithmic scale.
    """
    family = _families()[name]
    starts = family.starts
    if name == "sin":
        slow, fast = torch.logspace(-1, 0, 5).tolist(), torch.arange(1.4, 30, 0.4).tolist()
        starts = tuple((a, b, 1.0) for a in slow + fast for b in (0.0, 0.8, 1.6, 2.4))
    return starts, (family.moves_a, family.moves_b, family.moves_p), family.ray
