"""The search for a law: find its coordinates, propose closed forms and networks of growing shape, and judge."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from kanlib.progress import progress_bar

from .checkpoint import Checkpoint, fingerprint
from .discovery import Progress
from .finishing import Finishing
from .growing import Growing
from .joint import Candidate
from .judging import Judging
from .names import safe_symbols
from .printing import print_text
from .priors.prior import Prior
from .problem import Problem, hold_out
from .runner import Runner
from .shapes import bears, ladder
from .tasks import CLOSED, Task
from .verdict import EXACT
from .view import View
from .views import views_of, ways

__all__ = ["Search"]

Array = NDArray[np.float64]

_COORDINATES = 0.4  # share of the time that finding coordinates may take
_CLOSED = 0.5  # share of what is left that the closed forms of one view may take
_FITTED = 1  # constants of a formula in some coordinates for which others need not be read
_READ = 0.7  # share of the time after which no more closed forms are tried, but networks
_RESERVE, _MOST_RESERVE = 0.1, 2.0  # share of the time, and seconds, that are kept to finish what was found


class Search:
    """The state of one search: its views, which formulas came of them, and what was done."""

    def __init__(
        self,
        problem: Problem,
        seed: int,
        time_limit: float,
        known: Prior,
        progress: bool,
        *,
        operon: bool = False,
        executor: Executor | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callback: Callable[[Progress], bool | None] | None = None,
    ) -> None:
        self.start = time.monotonic()
        self.problem, self.known, self.primitives = problem, known, known.primitives
        self.seed, self.time_limit, self.callback, self.operon = seed, time_limit, callback, operon
        self.held = hold_out(len(problem.y), np.random.default_rng(seed))
        self.symbols, _ = safe_symbols(problem.names)
        self.notes = [*problem.notes, *known.notes]
        n = len(problem.y)
        self.held_out = (
            f"{n} rows are few: every row was left out once"
            if self.held is None
            else f"{int(self.held.sum())} of {n} rows, chosen at random"
        )
        self.notes.append(f"held out: {self.held_out}")
        self.rows = slice(None) if self.held is None else ~self.held  # that formulas are fitted to
        self.known_fit = known.on(self.rows)
        self.judging = Judging(problem, self.held, seed, known)
        self.stage, self.stopped = "coordinates", False
        self.floor = math.inf
        settings = (*known.primitives, known.fingerprint, *(["operon"] if operon else []))
        self.checkpoint = Checkpoint(checkpoint, fingerprint(problem, seed, settings), self.symbols)
        self.finishing = Finishing(known, self.judging, self.checkpoint, self.symbols, self.left, self.tell)
        self.runner = Runner(executor, self.checkpoint, self.left, self.expired, self.tell)
        self.growing = Growing(
            self.judging, self.finishing, self.runner, self.symbols, self.expired, self.tell, self.notes
        )
        self.bar = progress_bar(
            desc="discover", disable=not progress, leave=False, bar_format="{desc} [{elapsed}]{postfix}"
        )

    def left(self) -> float:
        """Seconds until the time is up."""
        return 0.0 if self.stopped else self.start + self.time_limit - time.monotonic()

    def expired(self) -> bool:
        """Whether nothing new should begin: what is left is kept for finishing what was found."""
        return self.left() < min(_RESERVE * self.time_limit, _MOST_RESERVE)

    def tell(self, stage: str | None = None) -> None:
        """Show how far the search is; whoever is told may end it."""
        self.stage = stage or self.stage
        best = self.judging.best_so_far()
        known = self.runner.known
        counted = f" {self.runner.done}/{known}" if known else ""
        self.bar.set_description(f"discover{counted}: {self.stage}", refresh=best is None)
        if best is not None:
            self.bar.set_postfix_str(f"{self.problem.target_name} = {best.text()}")
        if self.callback is not None and not self.stopped:
            seconds = time.monotonic() - self.start
            self.stopped = self.callback(Progress(seconds, self.stage, best, self.runner.done, known)) is True
            if self.stopped:
                self.notes.append("the search was ended by its callback")

    def run(self) -> None:
        """From the fewest coordinates to the columns themselves, until a law is found."""
        target = self.problem.target_name
        try:
            starts = self.starts()
            given = print_text(starts[0].structure, 4) if starts else ""
            if starts and starts[0].rmse <= EXACT * self.problem.spread:
                self.finishing.some(starts, given)
            views = [] if self.judging.accepted() else self.views()
            # What does not fit exactly is held against the stand-ins too, which the coordinates leave.
            if starts and not self.judging.entries:
                self.finishing.some(starts, given)
            if self.judging.entries and not self.judging.accepted():
                first = min(self.judging.entries, key=lambda entry: entry.length)
                self.notes.append(
                    f"{target} = {given}, the form that was given, was refused: {first.judgement.reasons[-1]}"
                )
            views = [] if self.judging.accepted() else views
            tasks = [task for view in views for task in self.tasks(view).values()]
            self.runner.start(sorted(tasks, key=lambda task: task.name != CLOSED))
            # Closed forms in all coordinates come before networks in any: they take less time and are shorter.
            self.each(self.read, "closed forms", views, lambda: self.judging.settled(_FITTED))
            if not self.judging.brief():
                self.each(self.grow, "networks", views, self.judging.accepted)
        finally:
            self.runner.close()
            self.notes += self.runner.notes
            if self.runner.restored:
                restored, run = self.runner.restored, self.runner.run
                self.notes.append(f"from the checkpoint: {restored} tasks, {run} were worked on")
            if self.finishing.contradicting:
                self.notes.append(
                    f"forms left aside because they contradict what is known: {len(self.finishing.contradicting)}"
                )

    def starts(self) -> list[Candidate]:
        """The form that was given, with its constants fitted."""
        X, y = self.problem.X[self.rows], self.problem.y[self.rows]
        found = self.known_fit.start_candidates(X, y, seed=self.seed, expired=self.expired)
        if not found and self.known.start is not None and self.known.start.role == "law":
            self.notes.append("the form that was given: no constants were found for which it is finite on all rows")
        return found

    def views(self) -> list[View]:
        """The law in its coordinates, fewest first; the plain columns last."""
        self.tell()
        found = self.checkpoint.ways
        if found is None:
            limit = self.start + _COORDINATES * self.time_limit
            found = ways(
                self.problem,
                self.held,
                self.symbols,
                lambda: self.expired() or time.monotonic() > limit,
                1.25 * _COORDINATES * self.time_limit,
            )
            if found.complete:
                self.checkpoint.keep_ways(found)
            else:
                self.notes.append("time was up before all coordinates were looked for")
        self.judging.references += found.references
        # All tasks are given the floor that the coordinates left, so that it does not matter which task ends first.
        self.floor = min((reference.error for reference in found.references), default=math.inf)
        if found.coordinates:
            self.notes.append(f"coordinates: {self.problem.target_name} = {found.coordinates[0].text()}")
        used = [self.symbols[i] for i in self.problem.varying]
        X, y = self.problem.X[:, list(self.problem.varying)][self.rows], self.problem.y[self.rows]
        known = self.known_fit.coordinates(X, used, y, seed=self.seed)
        self.notes += [f"coordinates from what is known: {self.problem.target_name} = {each.text()}" for each in known]
        different = {each.text(): each for each in (*known, *found.coordinates)}
        views = views_of(list(different.values()), self.problem, self.held, self.symbols)
        return list({view.name: view for view in views}.values())

    def tasks(self, view: View) -> dict[str, Task]:
        """What there is to do about a view, by name and in order."""
        names = [CLOSED] if self.held is not None else []
        if view.sample is not None:
            names += [shape.name for shape in ladder(view.coordinates.k) if bears(shape, view.sample)]
        left = self.left() - min(_RESERVE * self.time_limit, _MOST_RESERVE)
        closed = min(_CLOSED * left, self.left() - (1 - _READ) * self.time_limit)
        end = {name: time.time() + (closed if name == CLOSED else left) for name in names}
        given = (self.primitives, self.seed, self.floor)
        return {name: Task(view, name, *given, end[name], operon=self.operon) for name in names}

    def each(self, look: Callable[[View], None], what: str, views: Sequence[View], enough: Callable[[], bool]) -> None:
        """Look at one view after the other, until that is enough or time is up."""
        for view in views:
            if self.expired():
                self.notes.append(f"time was up before {what} of {self.problem.target_name} = {view.name} were tried")
                return
            look(view)
            if enough():
                return

    def read(self, view: View) -> None:
        """Judge the closed forms of a view."""
        task = self.tasks(view).get(CLOSED)
        if task is None:
            return
        self.tell(view.name)
        whole = True
        while (part := self.runner.next(task)) is not None:
            whole = part.complete
            self.finishing.some(list(part.candidates), view.name)
            if self.judging.settled(0):
                return
        if not whole or self.expired():
            target = self.problem.target_name
            self.notes.append(f"time was up before all closed forms of {target} = {view.name} were tried")

    def grow(self, view: View) -> None:
        """Train networks on a view, and judge the formulas they hold."""
        self.growing.on(view, self.tasks(view))
