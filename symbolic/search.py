"""The search for a law: find its coordinates, propose closed forms and networks of growing shape, and judge."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kanlib.errors import FormulaError
from kanlib.network import KAN
from kanlib.progress import progress_bar

from .coordinates import start
from .description import structure_cost
from .discovery import FrontPoint
from .formula import Formula
from .joint import Candidate
from .names import safe_symbols
from .noise import EQUAL, NoiseModel, noise_models
from .problem import FEW_ROWS, Problem, split
from .reduction import Step, reduce_coordinates
from .reference import polynomial_length
from .shapes import Shape, Trained, bears, ladder, train
from .surrogate import trimmed_error
from .symbolify import finish
from .trim import in_units_of_y, trim
from .verdict import EXACT, Judgement, held_out_residuals, judge
from .view import View

__all__ = ["Entry", "Search"]

Array = NDArray[np.float64]

_CLEAR = 1e-3  # held-out error relative to y at which a shape is looked at before larger ones are tried
_COMPARABLE = 1.25  # shapes within this factor of the best held-out error are looked at
_POOR = 0.1  # error relative to y above which a shape is not worth a look
_MOST_EDGES = 12  # beyond this no formula of the whole network is readable
_FINISHED = 4  # candidates of a shape that are finished and judged at the most
_BEHIND = 8.0  # nats by which a candidate may be behind the first and still become the shortest
_SLACK = 3.0  # nats
_HOPELESS = 2.0  # times the error of the best network
# Fitted constants, and the relative error that is no accident with so many: a series of sin(x) may reach 1e-11.
_NO_ACCIDENT = ((2, 1e-10), (5, 1e-13), (99, 3e-15))
_VIEWS = 3  # steps of the reduction that are looked at, beside the plain columns
_SMALL = ("additive", "link of a sum", "product")  # shapes that are always tried: each takes a moment


@dataclass(frozen=True)
class Entry:
    """One formula that was judged."""

    point: FrontPoint
    judgement: Judgement
    candidate: Candidate
    noise: NoiseModel
    held_residuals: Array
    length: float  # description length, by which accepted formulas are compared


@dataclass(frozen=True)
class Reference:
    """What a formula is compared with: residuals of a network or stand-in on the held-out rows."""

    name: str
    residuals: Array
    error: float  # relative to the spread of y, worst rows left aside


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
        self.trained: list[tuple[View, Trained]] = []
        self.references: list[Reference] = []
        self.noise_models = noise_models(problem.y)
        self.entries: list[Entry] = []
        self.looked_at: set[tuple[str, str]] = set()
        self.bar = progress_bar(
            desc="discover", disable=not progress, leave=False, bar_format="{desc} [{elapsed}]{postfix}"
        )

    def left(self) -> float:
        """Seconds until the time is up."""
        return self.start + self.time_limit - time.monotonic()

    def expired(self) -> bool:
        return self.left() < 0

    def run(self) -> None:
        """From the fewest coordinates to the columns themselves, until a law is found."""
        for view in self.views():
            if self.expired():
                self.notes.append(f"time was up before y = {view.name} was looked at")
                break
            self.explore(view)
            if self.accepted():
                return

    def views(self) -> list[View]:
        """The law in its coordinates, fewest first; the plain columns last."""
        problem = self.problem
        symbols = tuple(self.symbols[i] for i in problem.varying)
        X = problem.X[:, list(problem.varying)]
        steps: list[Step] = []
        if self.held is not None and len(problem.y) >= FEW_ROWS:
            self.bar.set_description("discover: coordinates")
            rows = ~self.held
            limit = self.start + 0.4 * self.time_limit
            steps = reduce_coordinates(X[rows], problem.y[rows], symbols, lambda: time.monotonic() > limit)
            self.compare_with(steps, symbols, X)
        chosen = [step.coordinates for step in steps[1:][-_VIEWS:][::-1]]
        if chosen:
            self.notes.append(f"coordinates: {problem.target_name} = {chosen[0].text()}")
        plain = [View.of(c, symbols, X, problem.y, self.held) for c in [*chosen, start(symbols, X)]]
        return [view for view in plain if view is not None]

    def compare_with(self, steps: list[Step], symbols: Any, X: Array) -> None:
        """Keep the residuals of the best stand-in as what a formula must not fall behind."""
        assert self.held is not None
        y = self.problem.y[self.held]
        for step in steps:
            moved = step.coordinates.on(symbols, X[self.held]) if step.surrogate is not None else None
            if moved is None or step.surrogate is None:
                continue
            residuals = moved.factor_values * step.surrogate.predict(moved.values) - y
            self.refer(f"a polynomial in {moved.text()}", residuals)

    def refer(self, name: str, residuals: Array) -> None:
        if np.all(np.isfinite(residuals)):
            error = trimmed_error((residuals / self.problem.spread) ** 2)
            self.references.append(Reference(name, residuals, error))

    def floor(self) -> float:
        """The smallest error anything reached on held-out rows, relative to the spread of y."""
        if self.held is None:
            return min((trained.held_error for _, trained in self.trained), default=math.inf)
        return min((reference.error for reference in self.references), default=math.inf)

    def explore(self, view: View) -> None:
        self.bar.set_description(f"discover: {view.name}")
        if self.held is not None:
            for forms in view.closed_forms(self.primitives, self.floor(), self.expired):
                self.finish_some(forms, view, view.name)
                if self.exact():
                    return
        if view.sample is None:
            return
        grown: list[Trained] = []
        for shape in ladder(view.coordinates.k):
            if self.expired():
                self.notes.append(f"time was up before the shape '{shape.name}'")
                break
            if self.accepted() and shape.name not in _SMALL:
                break  # a larger network has nothing to add but another way to write the same
            trained = self.grow(shape, view)
            if trained is None:
                continue
            grown.append(trained)
            if trained.held_error < _CLEAR or trained.held_error <= _COMPARABLE * self.floor():
                self.look_at(trained, view)
                if self.exact():
                    return
        # The best network's own edges may be no primitives, where another shape's are: exp(a + b) is a product too.
        for trained in sorted(grown, key=lambda t: t.n_edges):
            if self.accepted() or self.expired():
                break
            if trained.held_error < max(_POOR, _COMPARABLE * self.floor()):
                self.look_at(trained, view)

    def grow(self, shape: Shape, view: View) -> Trained | None:
        sample = view.sample
        assert sample is not None
        trained = train(shape, sample, self.generator, self.expired)
        where = "" if view.coordinates.plain else f" of {view.name}"
        if trained is None:
            rows = sample.n_distinct
            few = f"not tried, {rows} different rows cannot bear its constants"
            self.notes.append(f"{shape.name}{where}: {'every start diverged' if bears(shape, sample) else few}")
            return None
        if len(sample.t) >= 40:
            trained = trim(trained, sample, share=1.0 if shape.name == "general" else 0.5, expired=self.expired)
        self.trained.append((view, trained))
        if self.held is not None:
            with torch.no_grad():
                residuals = (trained.model(sample.X_held)[:, 0] - sample.t_held).numpy() * sample.scale
            self.refer(f"the network {shape.name}", residuals * view.coordinates.factor_values[self.held])
        self.notes.append(
            f"{shape.name}{where}, y = {shape.template}: grid of {trained.grid_size} cells, "
            f"error {trained.held_error:.2g} of the spread of y"
        )
        return trained

    def look_at(self, trained: Trained, view: View) -> None:
        """Read formulas off a network and judge them."""
        key = (view.name, trained.shape.name)
        if key in self.looked_at or trained.n_edges > _MOST_EDGES:
            return
        self.looked_at.add(key)
        self.bar.set_description(f"discover: formulas for {trained.shape.name}")
        assert view.sample is not None
        network = in_units_of_y(trained.model, view.sample.scale, view.sample.shift)
        found = view.network_forms(network, self.primitives, self.expired, most=40)
        template = trained.shape.template if view.coordinates.plain else f"{trained.shape.template}, {view.name}"
        self.finish_some(found, view, template)

    def finish_some(self, found: list[Candidate], view: View, template: str) -> None:
        """Finish and judge the shortest candidates."""
        problem, rows = self.problem, slice(None) if self.held is None else ~self.held
        X, y = problem.X[rows], problem.y[rows]
        for rank, candidate in enumerate(found[:_FINISHED]):
            if self.accepted() and candidate.length > found[0].length + _BEHIND:
                break
            raw = Formula(
                candidate.structure, candidate.values, self.symbols, names=problem.names, target=problem.target_name
            )
            if self.hopeless(raw):
                if rank == 0:
                    self.record(raw, template, candidate, EQUAL)
                continue
            for noise in self.noise_models:
                seconds = min(5.0, max(0.5, self.left()))
                try:
                    formula = finish(
                        candidate, X, y, self.symbols, problem.names, problem.target_name, noise, time_limit=seconds
                    )
                except FormulaError:
                    continue  # it left the real numbers on the way: no candidate after all
                self.record(formula, template, candidate, noise)
                if self.exact():
                    break
            if self.exact() or self.expired():
                break

    def hopeless(self, formula: Formula) -> bool:
        """Whether a candidate is so far from passing on held-out rows that no polish can make up for it."""
        problem = self.problem
        residuals = held_out_residuals(formula, problem.X, problem.y, self.held)
        error = math.sqrt(float(np.mean(residuals**2)))
        if self.held is not None and not error <= _HOPELESS * self.floor() * problem.spread + EXACT * problem.spread:
            return True
        return not error < problem.spread * math.exp(-1 / len(residuals))  # one nat better than the mean

    def record(self, formula: Formula, template: str, candidate: Candidate, noise: NoiseModel) -> None:
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
        point = FrontPoint(formula.complexity, rmse, formula, template, judgement.accepted)
        self.entries.append(Entry(point, judgement, candidate, noise, residuals, length))
        self.bar.set_postfix_str(f"{problem.target_name} = {formula.text()}", refresh=False)

    def judge(self, residuals: Array, everywhere: Array) -> Judgement:
        y = self.problem.y
        network: Array | None = None
        if self.held is None:
            n = len(y)
            reference = (y - y.mean()) * n / (n - 1)
        else:
            reference = y[self.held] - y[~self.held].mean()
            if self.references:
                network = min(self.references, key=lambda other: other.error).residuals
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
        """Whether a formula meets the data so closely, for its number of fitted constants, that nothing else can."""
        return any(entry.point.accepted and self.is_exact(entry.point) for entry in self.entries)

    def is_exact(self, point: FrontPoint) -> bool:
        free = sum(constant.exact is None for constant in point.formula.constants)
        limit = next(limit for most, limit in _NO_ACCIDENT if free <= most)
        return point.rmse <= limit * self.problem.spread

    def best_network(self) -> tuple[View, Trained] | None:
        """The network of the plain columns that predicts held-out rows best."""
        plain = [pair for pair in self.trained if pair[0].coordinates.plain]
        return min(plain, key=lambda pair: pair[1].held_error, default=None)

    def network_rmse(self, trained: Trained) -> float:
        """Error of a network of the plain columns on held-out rows, in units of y (per degree of freedom if few)."""
        if self.held is None:
            return trained.held_error * self.sample.scale
        with torch.no_grad():
            residuals = trained.model(self.sample.X_held)[:, 0] - self.sample.t_held
        return float(residuals.square().mean().sqrt()) * self.sample.scale

    def network(self, trained: Trained) -> KAN:
        """The trained network in the units of the data, reading the original columns."""
        network = in_units_of_y(trained.model, self.sample.scale, self.sample.shift)
        return self.problem.on_all_columns(network)
