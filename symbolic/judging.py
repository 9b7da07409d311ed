"""The formulas of a search before the verdict: what each is held against, and the record of all that were judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constancy import drift
from .description import structure_cost
from .discovery import FrontPoint
from .formula import Formula
from .joint import Candidate
from .noise import NoiseModel
from .priors.prior import Prior
from .problem import Problem
from .reference import polynomial_length
from .verdict import EXACT, Judgement, cancellation, held_out_residuals, imitation, judge
from .views import Reference

__all__ = ["Entry", "Judging"]

Array = NDArray[np.float64]

_FEW_CONSTANTS = 4  # fitted; a formula with more may have a shorter rival among the networks
_SLACK = 3.0  # nats
_HOPELESS = 2.0  # times the error of the best network
# Fitted constants, and the relative error that is no accident with so many: a series of sin(x) may reach 1e-11.
_NO_ACCIDENT = ((2, 1e-10), (5, 1e-13), (99, 3e-15))
_DRIFT = 1e-6  # chance of a change of the constants along a column, from which they are said to change
_ROWS_PER_CONSTANT = 2  # different rows; replicates that were held out have been seen


@dataclass(frozen=True)
class Entry:
    """One formula that was judged."""

    point: FrontPoint
    judgement: Judgement
    candidate: Candidate
    noise: NoiseModel
    held_residuals: Array

    @property
    def length(self) -> float:
        """Description length, by which accepted formulas are compared."""
        return self.point.length


class Judging:
    """What formulas are held against, and those that were.

    Parameters
    ----------
    problem : the table.
    held : (n,) marks the rows that no formula is fitted to; None where every row is left out once.
    seed : of the permutations by which neighbours are compared, the same for every formula.
    known : what is known of the law.
    """

    def __init__(self, problem: Problem, held: NDArray[np.bool_] | None, seed: int, known: Prior) -> None:
        self.problem, self.held, self.seed, self.known = problem, held, seed, known
        self.distinct = len(np.unique(problem.X[:, list(problem.varying)], axis=0))
        self.noise_models = known.noise_models(problem.y)
        self.references: list[Reference] = []
        self.network_errors: list[float] = []  # of networks, relative to the spread of y
        self.entries: list[Entry] = []
        self._polynomials: dict[tuple[tuple[int, ...], str], tuple[float, int]] = {}
        self.tried = 0  # formulas that were held against the held-out rows, hopeless ones included

    def refer(self, name: str, residuals: Array) -> None:
        """Keep the residuals of a network or stand-in on the held-out rows as what a formula must not fall behind."""
        assert self.held is not None, "without rows to hold out there is nothing to compare on"
        reference = Reference.of(name, residuals, self.problem, self.held)
        if reference is not None:
            self.references.append(reference)

    def floor(self) -> float:
        """The smallest error anything reached on held-out rows, relative to the spread of y."""
        if self.held is None:
            return min(self.network_errors, default=math.inf)
        return min((reference.error for reference in self.references), default=math.inf)

    def hopeless(self, formula: Formula) -> bool:
        """Whether a candidate is so far from passing on held-out rows that no polish can make up for it."""
        self.tried += 1
        problem = self.problem
        residuals = held_out_residuals(formula, problem.X, problem.y, self.held)
        seen = slice(None) if self.held is None else self.held
        error = math.sqrt(float(np.mean((residuals * problem.roots[seen]) ** 2)))
        if self.held is not None and not error <= _HOPELESS * self.floor() * problem.spread + EXACT * problem.spread:
            return True
        return not error < problem.spread * math.exp(-1 / len(residuals))  # one nat better than the mean

    def record(self, formula: Formula, template: str, candidate: Candidate, noise: NoiseModel) -> None:
        """Judge a formula and keep it, accepted or not."""
        problem = self.problem
        residuals = held_out_residuals(formula, problem.X, problem.y, self.held, noise.weight(problem.y))
        everywhere = problem.y - formula.predict(problem.X)
        judgement = self.judge(residuals, everywhere, formula.used)
        rmse = math.sqrt(float(np.mean(residuals**2)))
        # Few rows: the residuals of left-out rows, which many constants cannot make small.
        few = self.held is None
        free = len(formula.fitted)
        shown = residuals if few else everywhere
        structure = structure_cost(formula.form)
        length = noise.length(shown, problem.y, free, structure) if np.isfinite(rmse) else math.inf
        if judgement.accepted and free * _ROWS_PER_CONSTANT > self.distinct:
            few_rows = f"{self.distinct} different rows are too few for its {free} fitted constants"
            reason = f"{few_rows}: nearly anything would meet them"
            judgement = Judgement(False, (reason,))
        if judgement.accepted:
            judgement = self._as_known(formula, everywhere, judgement)
        imitates = imitation(formula) if rmse > EXACT * problem.spread else None
        if judgement.accepted and imitates is not None:
            judgement = Judgement(False, (imitates,))
        if judgement.accepted and rmse > EXACT * problem.spread:
            other, degree = self._polynomial(formula.used, noise)
            # A law may be a polynomial; nodes are counted a little differently there.
            if length > other + _SLACK:
                reason = f"it is no shorter than a polynomial of degree {degree} that describes the data as well"
                judgement = Judgement(False, (reason,))
        if judgement.accepted and rmse > EXACT * problem.spread:  # last: the dearest of the tests
            judgement = self._constant(formula, everywhere, noise, judgement)
        point = FrontPoint(formula.complexity, rmse, formula, template, judgement.accepted, length)
        self.entries.append(Entry(point, judgement, candidate, noise, residuals))

    def _polynomial(self, columns: tuple[int, ...], noise: NoiseModel) -> tuple[float, int]:
        """Description length and degree of the best polynomial of some columns, under a noise model."""
        key = (columns, noise.name)
        if key not in self._polynomials:
            few = self.held is None
            self._polynomials[key] = polynomial_length(self.problem.X, self.problem.y, columns, noise, one_by_one=few)
        return self._polynomials[key]

    def _constant(self, formula: Formula, everywhere: Array, noise: NoiseModel, judgement: Judgement) -> Judgement:
        """The judgement of a formula that passed, after a look whether its constants hold along every column."""
        problem = self.problem
        found = drift(formula, problem.X, everywhere, problem.varying, noise.weight(problem.y))
        if found is None:
            return judgement
        if found.chance < _DRIFT:
            change = f"they change with {problem.names[found.column]} (chance {max(found.chance, 1e-300):.0e})"
            return Judgement(False, (f"its constants are not constant: {change}",))
        reason = f"its constants hold along every column (p = {found.chance:.2g} for the least steady one)"
        return Judgement(True, (*judgement.reasons, reason))

    def _as_known(self, formula: Formula, everywhere: Array, judgement: Judgement) -> Judgement:
        """The judgement of a formula that passed, in the light of what is known of laws in general and of this one."""
        problem, noise = self.problem, self.known.noise
        reason = cancellation(formula, problem.X) or self.known.refuses(formula, problem.X, problem.y)
        if reason is not None:
            return Judgement(False, (reason,))
        if noise is not None and noise.absolute:
            free = len(formula.fitted)
            dof = len(problem.y) - free
            size = f"chi^2/dof = {noise.chi_squared(everywhere) / dof:.3g} on {dof} degrees of freedom"
            return Judgement(True, (*judgement.reasons, f"its residuals have the size of the known noise ({size})"))
        return judgement

    def judge(self, residuals: Array, everywhere: Array, used: tuple[int, ...]) -> Judgement:
        """The tests of the verdict, in units of each row's error where these are known."""
        y, held, root = self.problem.y, self.held, self.problem.roots
        network: Array | None = None
        if held is None:
            n = len(y)
            reference = (y - np.average(y, weights=root**2)) * n / (n - 1)
        else:
            reference = y[held] - np.average(y[~held], weights=root[~held] ** 2)
            if self.references:
                network = min(self.references, key=lambda other: other.error).residuals * root[held]
        seen = slice(None) if held is None else held
        return judge(
            residuals * root[seen],
            reference * root[seen],
            network,
            all_residuals=everywhere * root,
            X=self.problem.X,
            spread=self.problem.spread,
            rng=np.random.default_rng(self.seed),
            one_by_one=held is None,
            tried=self.tried,
            own=self.problem.X[:, list(used)],
            alike=held is not None and bool(np.ptp(y[held]) == 0.0),
        )

    def accepted(self) -> bool:
        return any(entry.point.accepted for entry in self.entries)

    def brief(self) -> bool:
        """Whether a formula with few fitted constants has passed."""
        accepted = [entry.point.formula for entry in self.entries if entry.point.accepted]
        return any(len(formula.fitted) <= _FEW_CONSTANTS for formula in accepted)

    def settled(self, most: int) -> bool:
        """Whether the shortest formula that passed leaves nothing to be wished for: so few constants are fitted."""
        accepted = [entry for entry in self.entries if entry.point.accepted]
        best = min(accepted, key=lambda entry: entry.length, default=None)
        return best is not None and (self.is_exact(best.point) or len(best.point.formula.fitted) <= most)

    def exact(self) -> bool:
        """Whether a formula meets the data so closely, for its number of fitted constants, that nothing else can."""
        return any(entry.point.accepted and self.is_exact(entry.point) for entry in self.entries)

    def is_exact(self, point: FrontPoint) -> bool:
        free = len(point.formula.fitted)
        limit = next(limit for most, limit in _NO_ACCIDENT if free <= most)
        return point.rmse <= limit * self.problem.spread

    def best_so_far(self) -> Formula | None:
        """The shortest formula that passed, else the one nearest to the held-out rows."""
        accepted = [entry for entry in self.entries if entry.point.accepted]
        if accepted:
            return min(accepted, key=lambda entry: entry.length).point.formula
        finite = [entry for entry in self.entries if math.isfinite(entry.point.rmse)]
        return min(finite, key=lambda entry: entry.point.rmse).point.formula if finite else None
