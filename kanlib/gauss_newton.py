"""Gauss-Newton training of small KANs: Levenberg damping, and variable projection where the last layer is linear.

A KAN is a separable model: given the values z(theta) that enter the last layer, the output is linear in that
layer's coefficients c. Variable projection solves for c exactly at every step,

    r(theta) = min_c || y - A(z(theta)) c ||,

and the remaining problem in theta is far better behaved than the joint one. Its Jacobian is taken in Kaufman's
form, -P (dA c), with P the projector off the columns of A.

The last layer's grid follows the values it receives, so a step can never push a hidden value off the grid, and
the scale and offset of a hidden node, which the output does not determine, play no part. With a margin it reaches
somewhat further than these values: rows to come will exceed them now and then. Cells without data continue the
polynomial of their neighbours (a faint penalty on differences of order degree + 1).

A network of one layer without fixed edges is linear in all constants and solved in one step, for the smallest change of
the constants it has: what the data say nothing about stays as it was, so that it keeps what earlier data taught it.

Sources: Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973) 413; Kaufman, BIT 15 (1975) 49. The steps themselves are
those of :mod:`kanlib.descent`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .descent import descend, diagonal_scale
from .jacobian import Trace, jacobian, plan, trace
from .node_gauge import rescaled
from .quadratic import difference_rows, penalty_root, spline_columns, stretch_grid
from .solver_result import ADVICE, SolverResult

if TYPE_CHECKING:
    from .layer import KANLayer
    from .network import KAN

__all__ = ["SolverResult", "gauss_newton"]


@dataclass
class _State:
    """One point of the search: where the network stands, and what a step from here needs."""

    constants: list[Tensor]
    passed: Trace
    objective: float
    loss: float
    residual: Tensor  # (n_outputs, batch), weighted
    penalty_residual: Tensor
    basis: list[Tensor] = field(default_factory=list)  # one orthonormal basis of A per output (variable projection)
    rows: list[Tensor] = field(default_factory=list)  # of the penalties


def gauss_newton(
    model: KAN,
    X: Tensor,
    y: Tensor,
    *,
    sample_weight: Tensor | None = None,
    roughness: float = 0.0,
    ridge: float = 1e-12,
    max_steps: int = 100,
    tolerance: float = 1e-9,
    damping: float = 1e-2,
    margin: float = 0.0,
    callback: Callable[[int, float], bool | None] | None = None,
) -> SolverResult:
    """Fit all constants of ``model`` to ``y`` by damped Gauss-Newton steps, in place.

    Parameters
    ----------
    model : KAN
        float64 is advised; fixed (symbolic) edges take part with their constants, masked edges do not.
    X : Tensor, shape (n, in_features)
    y : Tensor, shape (n,) or (n, out_features)
    sample_weight : Tensor, shape (n,), optional
        Non-negative; the squared error of a row counts that many times.
    roughness : float
        Weight of the summed ``int (d^2 f / du^2)^2 du`` of all spline edges, u running over [0, 1] on the edge's
        grid, against the mean squared error.
    ridge : float
        Relative weight that keeps undetermined coefficients at zero (in a network that is linear in all constants:
        where they are); far below any effect on the fit.
    max_steps : int
        Steps tried at the most.
    tolerance : float
        The search ends when three accepted steps in a row each lower the objective by less than this fraction, or ten
        together lower the squared error by less than a thousandth.
    damping : float
        Initial Levenberg damping, relative to the scaled normal matrix.
    margin : float
        How far the last layer's grid reaches beyond the values of the hidden nodes, as a fraction of their range.
    callback : callable, optional
        Called with (step, loss); a true return value ends the search.

    Returns
    -------
    SolverResult
        A trial that is not finite is refused, so the model is always left in its best finite state.

    Examples
    --------
    >>> import torch
    >>> from kanlib import KAN
    >>> from kanlib.gauss_newton import gauss_newton
    >>> from kanlib.warm_start import additive_start
    >>> rng = torch.Generator().manual_seed(0)
    >>> X = 2 * torch.rand(300, 2, generator=rng, dtype=torch.float64) - 1
    >>> y = torch.exp(torch.sin(torch.pi * X[:, 0]) + X[:, 1] ** 2)
    >>> model = KAN([2, 1, 1], grid_size=8, base=None, generator=rng, dtype=torch.float64)
    >>> taken = additive_start(model, X, y)  # far from it the search may end in a local minimum
    >>> gauss_newton(model, X, y).loss < 1e-4
    True
    """
    solver = _Solver(model, X, y, sample_weight, roughness, ridge, margin)
    return solver.run(max_steps, tolerance, damping, callback)


class _Solver:
    def __init__(
        self,
        model: KAN,
        X: Tensor,
        y: Tensor,
        weight: Tensor | None,
        roughness: float,
        ridge: float,
        margin: float,
    ) -> None:
        self.model, self.X, self.roughness, self.ridge = model, X, roughness, ridge
        self.y = (y[:, None] if y.ndim == 1 else y).T  # (n_outputs, n)
        # Rows are scaled so that a squared norm is a mean squared error.
        total = X.shape[0] if weight is None else weight.sum()
        self.root = ((torch.ones_like(X[:, 0]) if weight is None else weight) / total).sqrt()
        self.plans = plan(model)
        self.projects = not model.widths[-1].products
        self.first_features = model.layers[0].features(X[:, model.input_index])
        self.penalties = [penalty_root(p, roughness) for p in self.plans]
        last = self.plans[-1]
        self.inner_last = ~last.linear if self.projects else torch.ones_like(last.linear)
        self.smallest = torch.where(spline_columns(last), _UNSEEN, 1e-150)
        # What the ridge holds undetermined coefficients to. Earlier fits mean something only where the basis stays: a
        # deep network's last grid moves with its hidden values.
        linear = len(self.plans) == 1 and not bool(self.inner_last.any())
        self.anchor = last.pack() if linear else None
        self.margin = margin if len(self.plans) > 1 else 0.0  # one layer: plain least squares
        self.differences = [difference_rows(p)[: None if self.margin else 0] for p in self.plans]
        self.rows = [
            torch.cat([root, _FIRST * rows]) for root, rows in zip(self.penalties, self.differences, strict=True)
        ]

    def run(
        self,
        max_steps: int,
        tolerance: float,
        damping: float,
        callback: Callable[[int, float], bool | None] | None,
    ) -> SolverResult:
        state = self.evaluate([p.pack() for p in self.plans])
        if state is None:
            return SolverResult(
                "diverged",
                "the network is not finite at its start: check the data and the fixed edges' domains",
                math.nan,
                (),
                0,
            )
        n_free = sum(p.n_constants for p in self.plans[:-1]) + int(self.inner_last.sum())
        if n_free == 0:
            return SolverResult("converged", ADVICE["converged"], state.loss, (state.loss,), 0)
        floor = (1e-15 * float((self.y * self.root).square().sum().sqrt())) ** 2
        state, result = descend(
            self, state, max_steps=max_steps, tolerance=tolerance, damping=damping, floor=floor, callback=callback
        )
        self.restore(state)
        return result

    def trial(self, state: _State, move: Tensor) -> _State | None:
        return self.evaluate(self.moved(state, move))

    def evaluate(self, constants: list[Tensor]) -> _State | None:
        """The state at ``constants``, with the last layer solved for; None where it is not finite."""
        for p, values in zip(self.plans, constants, strict=True):
            p.unpack(values)
        basis: list[Tensor] = []
        try:
            passed = trace(
                self.model, self.X, self.first_features, partial(self.solve_last, basis) if self.projects else None
            )
        except _NotFiniteError:
            return None
        if self.projects:
            constants = [*constants[:-1], self.plans[-1].pack()]
        residual = (self.y - passed.output.T) * self.root
        penalty_residual = self.penalty_residual(constants)
        loss = float(residual.square().sum()) / residual.shape[0]
        objective = float(residual.square().sum() + penalty_residual.square().sum())
        if not math.isfinite(objective):
            return None
        return _State(constants, passed, objective, loss, residual, penalty_residual, basis, self.rows)

    def solve_last(self, basis: list[Tensor], layer: KANLayer, value: Tensor) -> Tensor:
        """Least squares for the linear constants of the last layer, one problem per output.

        Writes them into the layer, appends one orthonormal basis per output to ``basis``, returns the features.
        """
        if not bool(torch.isfinite(value).all()):
            raise _NotFiniteError
        p = self.plans[-1]
        features = self.first_features
        if len(self.plans) > 1:
            stretch_grid(layer, value, self.margin)
            features = layer.features(value)
        columns = p.columns(value, features) * self.root[:, None]
        if not bool(torch.isfinite(columns).all()):
            raise _NotFiniteError
        offsets = self.fixed_offsets()
        solved = p.pack()
        for m in range(self.y.shape[0]):
            chosen = ((p.owner == m) & p.linear).nonzero()[:, 0]
            matrix = torch.cat([columns[:, chosen], self.rows[-1][:, chosen]])
            norms = matrix.norm(dim=0)
            norms = torch.where(norms > self.smallest[chosen], norms, 1.0)
            ridge = math.sqrt(self.ridge) * torch.eye(chosen.numel(), dtype=matrix.dtype, device=matrix.device)
            q, r = torch.linalg.qr(torch.cat([matrix / norms, ridge]))
            target = (self.y[m] - offsets[m]) * self.root
            right = q[: target.numel()].T @ target
            if self.anchor is not None:
                right += q[len(matrix) :].T @ (math.sqrt(self.ridge) * norms * self.anchor[chosen])
            solution = torch.linalg.solve_triangular(r, right[:, None], upper=True)
            solved[chosen] = solution[:, 0] / norms
            basis.append(q)
        p.unpack(solved)
        return features

    def fixed_offsets(self) -> Tensor:
        """What the last layer adds that no adjustable constant carries: offsets d, biases of spline nodes."""
        layer = self.model.layers[-1]
        offsets = layer.bias.detach().clone()
        offsets[self.plans[-1].bias_nodes] = 0.0
        for j, i, _, _ in self.plans[-1].fixed:
            offsets[j] += layer.edge_constants[j, i, 3].detach()
        return offsets

    def normal_equations(self, state: _State) -> tuple[Tensor, Tensor, Tensor]:
        """J^T J, J^T r and the column norms of J, with the last layer's linear part projected out."""
        blocks = jacobian(self.model, self.plans, state.passed)
        last = [blocks[-1][..., self.inner_last]] if bool(self.inner_last.any()) else []
        free = torch.cat([*blocks[:-1], *last], dim=-1).mul_(self.root[:, None])
        penalty = self.penalty_matrix()
        normal = penalty.T @ penalty
        gradient = penalty.T @ state.penalty_residual[: penalty.shape[0]]
        for m, (columns, residual) in enumerate(zip(free, state.residual, strict=True)):
            if self.projects:
                q, n = state.basis[m], len(residual)
                overlap = q[:n].T @ columns
                columns.addmm_(q[:n], overlap, alpha=-1)
                # The rows below the data belong to the penalties of the solved layer, whose optimum is included.
                below = q[n:] @ overlap
                normal.addmm_(below.T, below)
            normal.addmm_(columns.T, columns)
            gradient.addmv_(columns.T, residual)
        return normal, gradient, diagonal_scale(normal)

    def penalty_matrix(self) -> Tensor:
        """The penalty rows of the constants that are stepped (the solved ones carry theirs in the projection)."""
        if not self.projects:
            return torch.block_diag(*self.rows)
        stepped = torch.block_diag(*self.rows[:-1]) if len(self.rows) > 1 else self.root.new_zeros(0, 0)
        return torch.nn.functional.pad(stepped, (0, int(self.inner_last.sum())))

    def moved(self, state: _State, move: Tensor) -> list[Tensor]:
        constants, start = [], 0
        for values in state.constants[:-1]:
            constants.append(values + move[start : start + values.numel()])
            start += values.numel()
        last = state.constants[-1].clone()
        last[self.inner_last] += move[start:]
        return [*constants, last]

    def prepare(self, state: _State) -> None:
        """Weigh the differences by the misfit, and the state's objective with them.

        An empirical prior: both are taken for normal with the variances they have now, so that one difference of usual
        size counts as much as one residual. The fit hardly feels that; a cell without data is theirs alone.
        """
        if not self.margin:
            return
        loss = float(state.residual.square().sum()) / state.residual.numel()
        self.rows = list(self.penalties)
        for depth, (rows, values) in enumerate(zip(self.differences, state.constants, strict=True)):
            if len(rows):
                size = float((rows @ values).square().mean())
                weight = math.sqrt(loss / max(size, 1e-300))
                weight = min(max(weight, _LIGHTEST), _HEAVIEST)
                self.rows[depth] = torch.cat([self.penalties[depth], weight * rows])
        state.rows = self.rows
        state.penalty_residual = self.penalty_residual(state.constants)
        state.objective = float(state.residual.square().sum() + state.penalty_residual.square().sum())

    def penalty_residual(self, constants: list[Tensor]) -> Tensor:
        return -torch.cat([rows @ values for rows, values in zip(self.rows, constants, strict=True)])

    def restore(self, state: _State) -> None:
        self.rows = state.rows
        self.evaluate(state.constants)

    def settle(self, state: _State) -> _State:
        """Hidden nodes on a scale where numbers have digits, unless the loss would rise."""
        constants = rescaled(self.model, self.plans, state.passed, state.constants) if self.projects else None
        if constants is None:
            return state
        scaled = self.evaluate(constants)
        if scaled is None or scaled.loss > state.loss * (1 + 1e-6):
            self.restore(state)
            return state
        return scaled


# Bounds of the weight of a difference, and the first one: columns have at most size one.
_LIGHTEST, _FIRST, _HEAVIEST = 1e-8, 1e-3, 1e-1


# A B-spline of smaller size on the data (its root mean square) has not been seen by them. At unit length the rounding
# of its column would be an equation like others, and its coefficient of any size: 1e137 where it is zero everywhere.
_UNSEEN = 1e-10


class _NotFiniteError(ArithmeticError):
    """A trial left the range of finite numbers; it is refused."""
