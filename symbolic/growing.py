"""Networks of growing shape on the coordinates of a law: trained, compared, and read where they say something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from sympy import Symbol

from kanlib.network import KAN

from .finishing import Finishing
from .judging import Judging
from .runner import Runner
from .shapes import Shape, Trained, ladder
from .tasks import MOST_EDGES, Task
from .trim import in_units_of_y
from .view import View

__all__ = ["Growing"]

_CLEAR = 1e-3  # held-out error relative to y at which a shape is looked at before larger ones are tried
_COMPARABLE = 1.25  # shapes within this factor of the best held-out error are looked at
_POOR = 0.1  # error relative to y above which a shape is not worth a look
_SAYS_SOMETHING = 0.7  # error relative to y below which the best network is a curve and no mean


class Growing:
    """The networks of a search.

    Parameters
    ----------
    judging, finishing : of the search: what networks are held against, and what becomes of the formulas they hold.
    runner : does the tasks.
    symbols : one a column of the table.
    expired : whether nothing new should begin.
    tell : says what is being done.
    notes : of the search; what was trained is added.

    Attributes
    ----------
    trained : views and the networks trained on them.
    """

    def __init__(
        self,
        judging: Judging,
        finishing: Finishing,
        runner: Runner,
        symbols: Sequence[Symbol],
        expired: Callable[[], bool],
        tell: Callable[[str], None],
        notes: list[str],
    ) -> None:
        self.judging, self.finishing, self.runner = judging, finishing, runner
        self.problem, self.held, self.symbols = judging.problem, judging.held, tuple(symbols)
        self.expired, self.tell, self.notes = expired, tell, notes
        self.trained: list[tuple[View, Trained]] = []
        self.looked_at: set[str] = set()

    def on(self, view: View, tasks: Mapping[str, Task]) -> None:
        """Train the shapes there are tasks for, small ones first, and judge the formulas they hold."""
        self.tell(view.name)
        if view.sample is None:
            return
        grown: list[tuple[Task, Trained]] = []
        for shape in ladder(view.coordinates.k):
            if self.expired():
                self.notes.append(f"time was up before the shape '{shape.name}'")
                break
            if self.judging.brief() or (self.judging.accepted() and shape.name == "general"):
                break  # a network has nothing to add to a short law but another way to write it
            trained = self._trained(shape, view, tasks.get(shape.name))
            if trained is None:
                continue
            task = tasks[shape.name]
            grown.append((task, trained))
            # Where noise hides the law a smooth stand-in may beat every network: the best of these is looked at too.
            best = min(each.held_error for _, each in grown)
            usual = max(self.judging.floor(), best if best < _SAYS_SOMETHING else 0.0)
            if trained.held_error < _CLEAR or trained.held_error <= _COMPARABLE * usual:
                self._look_at(task, trained)
                if self.judging.exact():
                    return
        # The best network's own edges may be no primitives, where another shape's are: exp(a + b) is a product too.
        for task, trained in sorted(grown, key=lambda pair: pair[1].n_edges):
            if self.judging.accepted() or self.expired():
                break
            if trained.held_error < max(_POOR, _COMPARABLE * self.judging.floor()):
                self._look_at(task, trained)

    def _trained(self, shape: Shape, view: View, task: Task | None) -> Trained | None:
        """The network of a shape, held against the rows that were left out; None, with a note, where there is none."""
        sample = view.sample
        assert sample is not None
        where = "" if view.coordinates.plain else f" of {view.name}"
        if task is None:
            few = f"not tried, {sample.n_distinct} different rows cannot bear its constants"
            self.notes.append(f"{shape.name}{where}: {few}")
            return None
        self.tell(f"{shape.name}{where}")
        part = self.runner.next(task)
        if part is None or part.network is None:
            if not self.expired():
                self.notes.append(f"{shape.name}{where}: every start diverged")
            return None
        trained = Trained(shape, part.network, part.grid_size, part.error)
        self.trained.append((view, trained))
        self.judging.network_errors.append(trained.held_error)
        if self.held is not None:
            with torch.no_grad():
                residuals = (trained.model(sample.X_held)[:, 0] - sample.t_held).numpy() * sample.scale
            self.judging.refer(f"the network {shape.name}", residuals * view.coordinates.factor_values[self.held])
        self.notes.append(
            f"{shape.name}{where}, {self.problem.target_name} = {shape.template}: grid of {trained.grid_size} cells, "
            f"error {trained.held_error:.2g} of the spread of y"
        )
        return trained

    def _look_at(self, task: Task, trained: Trained) -> None:
        """Read formulas off a network and judge them."""
        if task.key in self.looked_at or trained.n_edges > MOST_EDGES:
            return
        self.looked_at.add(task.key)
        self.tell(f"formulas for {trained.shape.name}")
        part = self.runner.next(task)
        view = task.view
        template = trained.shape.template if view.coordinates.plain else f"{trained.shape.template}, {view.name}"
        self.finishing.some([] if part is None else list(part.candidates), template)

    def best_network(self) -> tuple[View, Trained] | None:
        """The network of plain columns that predicts held-out rows best."""
        plain = [pair for pair in self.trained if pair[0].coordinates.plain]
        return min(plain, key=lambda pair: pair[1].held_error, default=None)

    def network_rmse(self, view: View, trained: Trained) -> float:
        """Error of a network of plain columns on held-out rows, in units of y (per degree of freedom if few)."""
        sample = view.sample
        assert sample is not None
        if self.held is None:
            return trained.held_error * sample.scale
        with torch.no_grad():
            residuals = trained.model(sample.X_held)[:, 0] - sample.t_held
        return float(residuals.square().mean().sqrt()) * sample.scale

    def network(self, view: View, trained: Trained) -> KAN:
        """The trained network in the units of the data, reading the original columns."""
        assert view.sample is not None
        network = in_units_of_y(trained.model, view.sample.scale, view.sample.shift)
        columns = tuple(self.symbols.index(symbol) for symbol in view.coordinates.expressions)
        return replace(self.problem, varying=columns).on_all_columns(network)
