"""The record a second-order solver returns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ADVICE", "SolverResult"]


@dataclass(frozen=True)
class SolverResult:
    """How a solver ended.

    Attributes
    ----------
    status : "converged", "max_steps", "stalled", "stopped" (by the callback), "interrupted" or "diverged"
    message : str
        One sentence of advice.
    loss : float
        Mean squared error (weighted, if weights were given) of the state the model is left in; of residuals the
        weighted sum of their mean squares.
    history : tuple of float
        The mean squared error after every accepted step, the start first.
    n_steps : int
        Steps tried, accepted or not.
    damping : float
        The last one, for a search that goes on from here.
    """

    status: str
    message: str
    loss: float
    history: tuple[float, ...]
    n_steps: int
    damping: float = 1e-2


ADVICE = {
    "converged": "the objective no longer falls: more accuracy needs a finer grid or another shape",
    "max_steps": "the steps ran out while the objective still fell: raise the number of steps",
    "stalled": "no damped step lowers the objective: a local minimum for this shape, or rounding",
    "stopped": "the callback ended the search",
}
