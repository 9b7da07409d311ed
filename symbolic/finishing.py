"""Candidates become formulas: the likeliest are chosen, written in their shortest form, and judged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sympy import Expr, Symbol

from kanlib.errors import FormulaError

from .checkpoint import Checkpoint
from .constants import refit
from .description import structure_cost
from .formula import Formula
from .joint import Candidate
from .judging import Judging
from .noise import EQUAL, NoiseModel
from .printing import print_text
from .priors.prior import Prior
from .rows import spread_rows
from .symbolify import finish

__all__ = ["Finishing"]

_FINISHED = 4  # candidates of a shape that are finished and judged at the most
_LOOKED_THROUGH = 24  # candidates that are compared and held against what is known
_ROWS, _EVALUATIONS = 600, 60  # of a refit that orders them
_FINISH_SECONDS = 5.0  # for one of them
_BEHIND = 8.0  # nats by which a candidate may be behind the first and still become the shortest


class Finishing:
    """Finishes the candidates of a search.

    Parameters
    ----------
    known : what is known of the law.
    judging : has the table, and keeps the formulas.
    checkpoint : keeps what was finished, so that it is not done twice.
    symbols : one a column of the table.
    left : seconds until the time is up.
    tick : called after each formula.

    Attributes
    ----------
    contradicting : forms that were left aside because they contradict what is known.
    """

    def __init__(
        self,
        known: Prior,
        judging: Judging,
        checkpoint: Checkpoint,
        symbols: Sequence[Symbol],
        left: Callable[[], float],
        tick: Callable[[], None],
    ) -> None:
        self.known, self.judging, self.checkpoint = known, judging, checkpoint
        self.problem, self.symbols = judging.problem, tuple(symbols)
        self.rows = slice(None) if judging.held is None else ~judging.held  # that formulas are fitted to
        self.left, self.tick = left, tick
        self.contradicting: set[Expr] = set()

    def some(self, found: list[Candidate], template: str) -> None:
        """Finish and judge the shortest candidates."""
        for rank, (behind, candidate) in enumerate(self.chosen(found)):
            if self.judging.accepted() and behind > _BEHIND:
                break
            raw = self.raw(candidate)
            # Without time, what there is is better than nothing.
            if self.judging.hopeless(raw) or (self.left() <= 0 and not self.judging.entries):
                if rank == 0:
                    self.judging.record(raw, template, candidate, self.judging.noise_models[0])
                    self.tick()
                continue
            for noise in self.judging.noise_models:
                formula = self.finished(candidate, noise) if self.left() > 0 else None
                if formula is None:
                    continue
                self.judging.record(formula, template, candidate, noise)
                self.tick()
                if self.judging.exact():
                    break
            if self.judging.exact() or self.left() <= 0:
                break

    def chosen(self, found: list[Candidate]) -> list[tuple[float, Candidate]]:
        """Candidates to finish, with the nats each is behind the first; those first that agree with what is known."""
        last = []
        first: list[tuple[float, Candidate]] = []
        for behind, candidate in self.ranked(found):
            if len(first) == _FINISHED or (self.left() <= 0 and first):
                break
            if self.known.hopeless(candidate, self.problem.X):
                self.contradicting.add(candidate.structure)
            elif self.known.demands and self.known.refuses(self.raw(candidate), self.problem.X) is not None:
                last.append((behind, candidate))
            else:
                first.append((behind, candidate))
        return (first + last)[:_FINISHED]

    def ranked(self, found: list[Candidate]) -> list[tuple[float, Candidate]]:
        """The shortest candidates with the nats each is behind the shortest, under the noise that suits it best.

        Candidates come with lengths for errors of equal size, under which another form may be the shortest.
        """
        models, found = self.judging.noise_models, found[:_LOOKED_THROUGH]
        columns = []
        for noise in models:
            if noise is EQUAL or self.left() <= 0:
                lengths = [candidate.length for candidate in found]
            else:
                lengths = [self.length(candidate, noise) for candidate in found]
            shortest = min(lengths, default=math.inf)
            columns.append([length - shortest if math.isfinite(length) else math.inf for length in lengths])
        behind = [min(each) for each in zip(*columns)]
        return sorted(zip(behind, found), key=lambda pair: pair[0])

    def length(self, candidate: Candidate, noise: NoiseModel) -> float:
        """Description length of a candidate that is refitted with these errors; infinite where that fails."""
        rows = np.arange(len(self.problem.y))[self.rows]
        rows = rows[spread_rows(len(rows), _ROWS)]
        X, y, noise = self.problem.X[rows], self.problem.y[rows], noise.on(rows)
        constants = tuple(candidate.values)
        values = list(candidate.values.values())
        weight = noise.weight(y)
        form = candidate.structure
        try:
            fit = refit(form, constants, self.symbols, X, y, values, weight, max_evaluations=_EVALUATIONS)
        except FormulaError:
            return math.inf
        if not math.isfinite(fit.rss) or not np.all(np.isfinite(fit.residual)):
            return math.inf
        return noise.length(fit.residual, y, fit.rank, structure_cost(form))

    def raw(self, candidate: Candidate) -> Formula:
        """A candidate as it is."""
        names, target = self.problem.names, self.problem.target_name
        return Formula(candidate.structure, candidate.values, self.symbols, names=names, target=target)

    def finished(self, candidate: Candidate, noise: NoiseModel) -> Formula | None:
        """A candidate in its shortest form; None where it left the real numbers on the way."""
        problem, noise = self.problem, noise.on(self.rows)
        X, y = problem.X[self.rows], problem.y[self.rows]
        start = list(candidate.values.values())
        key = f"{print_text(candidate.structure)} | {start} | {noise.name}" if self.checkpoint else ""
        if key in self.checkpoint.finished:
            known = self.checkpoint.finished[key]
            if known is None:
                return None
            return replace(known, names=problem.names, target=problem.target_name)
        seconds = min(_FINISH_SECONDS, self.left())
        began = time.monotonic()
        formula: Formula | None
        try:
            formula = finish(
                candidate, X, y, self.symbols, problem.names, problem.target_name, noise, time_limit=seconds
            )
        except FormulaError:
            formula = None
        if self.checkpoint and (seconds == _FINISH_SECONDS or time.monotonic() - began < 0.9 * seconds):
            self.checkpoint.keep_finished(key, formula)
        return formula
