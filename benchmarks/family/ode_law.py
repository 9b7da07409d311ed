"""From one trajectory to its law: derivatives, small KANs, their formulas, and constants through the solver.

1. Derivatives of the rows by splines; two rows at either end, where splines know least, are left out.
2. `kanlib.fit` of small KANs to each of them: a sum f(x) + g(y), a product f(x) g(y), and only where neither is within
   the derivatives' estimated error, a product of two sums.
3. `kanlib.symbolic.symbolify` reads them, with straight lines and parabolas only, and with all primitives. Its targets
   get white noise of the size of the derivatives' error. The formula with the shortest description is the law.
4. Constants that are not exact (and, with noise, the start) are fitted through the solver to the rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from sympy import Expr
from torch import Tensor

from kanlib import KAN, fit
from kanlib.architectures.ode_derivatives import smooth_derivatives
from kanlib.errors import FormulaError
from kanlib.symbolic import Formula, symbolify
from kanlib.symbolic.snapping import formula_length

from .lotka_volterra import NAMES, solve

__all__ = ["Law", "find_law"]

INNER = slice(2, -2)
POLYNOMIAL = ("identity", "square")


@dataclass(frozen=True)
class Shape:
    """A small network of x and y with one output: its widths, and the edges (input, subnode) that are taken out."""

    name: str
    widths: tuple[int | tuple[int, int], ...]
    masked: tuple[tuple[int, int], ...] = ()

    def network(self, seed: int) -> KAN:
        """With its first weights."""
        generator = torch.Generator().manual_seed(seed)
        model = KAN(self.widths, grid_size=2, dtype=torch.float64, generator=generator, input_names=NAMES)
        for edge in self.masked:
            model.layers[0].mask_edge(*edge)
        return model


SMALL = (Shape("f(x) + g(y)", (2, 1)), Shape("f(x) g(y)", (2, (0, 1)), ((1, 0), (0, 1))))
LARGE = (Shape("(f(x) + g(y)) (h(x) + k(y))", (2, (0, 1))),)


@dataclass(frozen=True)
class Law:
    """Right-hand sides as formulas, the networks they were read from, and the start the solution sets out from."""

    expressions: tuple[Expr, ...]
    networks: tuple[KAN, ...]
    start: tuple[float, ...]
    field: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def solve(self, times: Tensor) -> Tensor:
        """States (T, 2)."""
        return solve(self.field, self.start, times)


def find_law(t: Tensor, y: Tensor, noise: Sequence[float], seed: int) -> Law:
    """All four steps."""
    smooth = smooth_derivatives(t, y, noise)
    states, errors = smooth.states[INNER], smooth.errors[INNER].square().mean(0).sqrt()
    unknown = torch.randn(states.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = [
        _state_equation(k, states, smooth.derivatives[INNER, k], float(errors[k]), unknown[:, k], seed)
        for k in range(2)
    ]
    formulas, networks = [formula for formula, _ in found], tuple(network for _, network in found)
    return _refit(formulas, networks, t, y, fit_start=any(value > 0 for value in noise))


def _state_equation(
    k: int, states: Tensor, derivative: Tensor, error: float, unknown: Tensor, seed: int
) -> tuple[Formula, KAN]:
    """Steps 2 and 3 for one column: the shortest formula, and the network it was read from."""
    target = derivative + error * unknown
    candidates: list[tuple[float, Formula, KAN]] = []
    for shapes in (SMALL, LARGE):
        losses = []
        for shape in shapes:
            model = shape.network(seed)
            losses.append(
                fit(model, states, derivative, starts=4, roughness=1e-6, seed=seed, progress=False).train_loss
            )
            for primitives in (POLYNOMIAL, None):
                with suppress(FormulaError):
                    formula = symbolify(
                        model, states, target, names=NAMES, target_name=f"d{NAMES[k]}/dt", primitives=primitives
                    )
                    length = formula_length(formula, states.numpy(), target.numpy())
                    candidates.append((length, formula, model))
        if candidates and min(losses) <= error**2:
            break
    _, formula, model = min(candidates, key=lambda candidate: candidate[0])
    return formula, model


def _refit(formulas: Sequence[Formula], networks: tuple[KAN, ...], t: Tensor, y: Tensor, fit_start: bool) -> Law:
    """Constants from the rows: least squares of the solution's deviations, from the constants of the formulas."""
    constants = [sympy.Dummy() for formula in formulas for _ in formula.fitted]
    first = [float(formula.values[symbol]) for formula in formulas for symbol in formula.fitted]
    structures, place = [], 0
    for formula in formulas:
        exact = {symbol: value for symbol, value in formula.values.items() if symbol not in formula.fitted}
        own = constants[place : place + len(formula.fitted)]
        structures.append(formula.structure.subs(exact).subs(dict(zip(formula.fitted, own))))
        place += len(own)
    function = sympy.lambdify([formulas[0].symbols, constants], structures, "numpy")

    def field_of(values: Sequence[float]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        return lambda u: np.array(function(u, values), dtype=float)

    scale = y.std(0)
    start = y[0].tolist()

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found = solve(field_of(values[: len(first)]), values[len(first) :] if fit_start else start, t)
        difference: NDArray[np.float64] = ((found - y) / scale).nan_to_num(10.0).clamp(-10, 10).flatten().numpy()
        return difference

    guess = np.array(first + (start if fit_start else []))
    best = least_squares(residuals, guess, x_scale=np.abs(guess) + 1e-6, max_nfev=30).x if len(guess) else guess
    values = best[: len(first)].tolist()
    expressions = tuple(sympy.sympify(s).subs(dict(zip(constants, values))) for s in structures)
    return Law(expressions, networks, tuple(best[len(first) :] if fit_start else start), field_of(values))
