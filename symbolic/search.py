"""The search for a law: grow networks through the ladder of shapes, read formulas off them, and judge."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kanlib.errors import FormulaError
from kanlib.progress import progress_bar

from .description import structure_cost
from .discovery import FrontPoint
from .formula import Formula
from .joint import Candidate, joint_candidates
from .names import safe_symbols
from .noise import EQUAL, NoiseModel, noise_models
from .problem import Problem, split
from .reference import polynomial_length
from .shapes import Shape, Trained, bears, ladder, train
from .symbolify import finish
from .trim import in_units_of_y, trim
from .verdict import EXACT, Judgement, held_out_residuals, judge

__all__ = ["Entry", "Search"]

Array = NDArray[np.float64]

_CLEAR = 1e-3  # held-out error relative to y at which a shape is looked at before larger ones are tried
_COMPARABLE = 1.25  # shapes within this factor of the best held-out error are looked at
_POOR = 0.1  # error relative to y above which a shape is not worth a look
_MOST_EDGES = 12  # beyond this no formula of the whole network is readable
_FINISHED = 6  # candidates of a shape that are finished and judged at the most
_BEHIND = 8.0  # nats by which a candidate may be behind the first and still become the shortest
_SLACK = 3.0  # nats
_HOPELESS = 2.0  # times the error of the best network


@dataclass(frozen=True)
class Entry:
    """One formula that was judged."""

    point: FrontPoint
    judgement: Judgement
    trained: Trained
    candidate: Candidate
    noise: NoiseModel
    held_residuals: Array
    length: float  # description length, by which accepted formulas are compared


class Search:
    """The state of one search: what was trained, which formulas came of it, and what was done."""

    def __init__(
        self, problem: Problem, seed: int, time_limit: float, primitives: tuple[str, ...], progress: bool
    ) -> None:
        self.start = time.monotonic()
        self.problem, self.primitives = problem, primitives
        self.seed, self.time_limit = seed, time_limit
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.held, self.sample = split(problem, self.rng)
        self.symbols, _ = safe_symbols(problem.names)
        self.notes = list(problem.notes)
        n = len(problem.y)
        self.held_out = (
            f"{n} rows are few: every row was left out once"
            if self.held is None
            else f"{int(self.held.sum())} of {n} rows, chosen at random"
        )
        self.notes.append(f"held out: {self.held_out}")
        self.trained: list[Trained] = []
        self.noise_models = noise_models(problem.y)
        self.entries: list[Entry] = []
        self.looked_at: set[str] = set()
        self.bar = progress_bar(
            desc="discover", disable=not progress, leave=False, bar_format="{desc} [{elapsed}]{postfix}"
        )

    def left(self) -> float:
        """Seconds until the time is up."""
        return self.start + self.time_limit - time.monotonic()

    def expired(self) -> bool:
        return self.left() < 0

    def run(self) -> None:
        shapes = ladder(len(self.problem.varying))
        for shape in shapes:
            if self.expired():
                self.notes.append(f"time was up before the shape '{shape.name}'")
                break
            self.bar.set_description(f"discover: {shape.name}")
            trained = self.grow(shape)
            if trained is not None and trained.held_error < _CLEAR:
                self.look_at(trained)
                if self.exact():
                    return
        if not self.trained:
            return
        floor = min(trained.held_error for trained in self.trained)
        # From the fewest edges up. Once a formula has passed (so that no network does better), larger networks have
        # nothing to add but another way to write the same.
        most = _MOST_EDGES
        by_size = sorted(self.trained, key=lambda t: t.n_edges)
        likely = [t for t in by_size if t.held_error <= _COMPARABLE * floor]
        # The best network's own edges may be no primitives, where another shape's are: exp(a + b) is a product too.
        others = [t for t in by_size if _COMPARABLE * floor < t.held_error < _POOR]
        for trained in [*likely, *others]:
            if trained in others and self.accepted():
                break
            if trained.n_edges <= most and not self.expired():
                self.look_at(trained)
                if self.accepted():
                    most = min(most, trained.n_edges)

    def grow(self, shape: Shape) -> Trained | None:
        trained = train(shape, self.sample, self.generator, self.expired)
        if trained is None:
            rows = self.sample.n_distinct
            few = f"not tried, {rows} different rows cannot bear its constants"
            self.notes.append(f"{shape.name}: {'every start diverged' if bears(shape, self.sample) else few}")
            return None
        if len(self.sample.t) >= 40:
            trained = trim(trained, self.sample, share=1.0 if shape.name == "general" else 0.5, expired=self.expired)
        self.trained.append(trained)
        self.notes.append(
            f"{shape.name}, y = {shape.template}: grid of {trained.grid_size} cells, "
            f"error {trained.held_error:.2g} of the spread of y"
        )
        return trained

    def look_at(self, trained: Trained) -> None:
        """Read formulas off a network and judge them."""
        if trained.shape.name in self.looked_at or trained.n_edges > _MOST_EDGES:
            return
        self.looked_at.add(trained.shape.name)
        self.bar.set_description(f"discover: formulas for {trained.shape.name}")
        problem = self.problem
        rows = slice(None) if self.held is None else ~self.held
        X, y = problem.X[rows], problem.y[rows]
        network = self.network(trained)
        found = joint_candidates(network, X, y, self.symbols, primitives=self.primitives, expired=self.expired, most=40)
        for rank, candidate in enumerate(found[:_FINISHED]):
            if self.accepted() and candidate.length > found[0].length + _BEHIND:
                break
            raw = Formula(
                candidate.structure, candidate.values, self.symbols, names=problem.names, target=problem.target_name
            )
            if self.hopeless(raw):
                if rank == 0:
                    self.record(raw, trained, candidate, EQUAL)
                continue
            for noise in self.noise_models:
                seconds = min(5.0, max(0.5, self.left()))
                try:
                    formula = finish(
                        candidate, X, y, self.symbols, problem.names, problem.target_name, noise, time_limit=seconds
                    )
                except FormulaError:
                    continue  # it left the real numbers on the way: no candidate after all
                self.record(formula, trained, candidate, noise)
                if self.exact():
                    break
            if self.exact() or self.expired():
                break

    def hopeless(self, formula: Formula) -> bool:
        """Whether a candidate is so far from passing on held-out rows that no polish can make up for it."""
        problem = self.problem
        residuals = held_out_residuals(formula, problem.X, problem.y, self.held)
        error = math.sqrt(float(np.mean(residuals**2)))
        floor = min(trained.held_error for trained in self.trained) * self.sample.scale
        if self.held is not None and not error <= _HOPELESS * floor + EXACT * problem.spread:
            return True
        return not error < problem.spread * math.exp(-1 / len(residuals))  # one nat better than the mean

    def record(self, formula: Formula, trained: Trained, candidate: Candidate, noise: NoiseModel) -> None:
        """Judge a formula and keep it, accepted or not."""
        problem = self.problem
        residuals = held_out_residuals(formula, problem.X, problem.y, self.held, noise.weight(problem.y))
        everywhere = problem.y - formula.predict(problem.X)
        judgement = self.judge(residuals, everywhere)
        rmse = math.sqrt(float(np.mean(residuals**2)))
        # Few rows: the residuals of left-out rows, which many constants cannot make small.
        few = self.held is None
        free = sum(constant.exact is None for constant in formula.constants)
        shown = residuals if few else everywhere
        structure = structure_cost(formula.form)
        length = noise.length(shown, problem.y, free, structure) if np.isfinite(rmse) else math.inf
        if judgement.accepted and rmse > EXACT * problem.spread:
            other, degree = polynomial_length(problem.X, problem.y, formula.used, noise, one_by_one=few)
            # A law may be a polynomial; nodes are counted a little differently there.
            if length > other + _SLACK:
                reason = f"it is no shorter than a polynomial of degree {degree} that describes the data as well"
                judgement = Judgement(False, (reason,))
        point = FrontPoint(formula.complexity, rmse, formula, trained.shape.template, judgement.accepted)
        self.entries.append(Entry(point, judgement, trained, candidate, noise, residuals, length))
        self.bar.set_postfix_str(f"{problem.target_name} = {formula.text()}", refresh=False)

    def judge(self, residuals: Array, everywhere: Array) -> Judgement:
        y = self.problem.y
        if self.held is None:
            n = len(y)
            reference, network = (y - y.mean()) * n / (n - 1), None
        else:
            reference = y[self.held] - y[~self.held].mean()
            best = min(self.trained, key=lambda trained: trained.held_error)
            with torch.no_grad():
                network = (best.model(self.sample.X_held)[:, 0] - self.sample.t_held).numpy() * self.sample.scale
        return judge(
            residuals,
            reference,
            network,
            all_residuals=everywhere,
            X=self.problem.X,
            spread=self.problem.spread,
            rng=self.rng,
            one_by_one=self.held is None,
        )

    def accepted(self) -> bool:
        return any(entry.point.accepted for entry in self.entries)

    def exact(self) -> bool:
        points = [entry.point for entry in self.entries]
        return any(point.accepted and point.rmse <= EXACT * self.problem.spread for point in points)

    def network_rmse(self, trained: Trained) -> float:
        """Error of a network on all held-out rows, in units of y (per degree of freedom where none were set aside)."""
        if self.held is None:
            return trained.held_error * self.sample.scale
        with torch.no_grad():
            residuals = trained.model(self.sample.X_held)[:, 0] - self.sample.t_held
        return float(residuals.square().mean().sqrt()) * self.sample.scale

    def network(self, trained: Trained) -> Any:
        """The trained network in the units of the data, reading the original columns."""
        network = in_units_of_y(trained.model, self.sample.scale, self.sample.shift)
        return self.problem.on_all_columns(network)
