"""What a search amounts to: the shortest of the formulas that passed, or none and why."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from kanlib.errors import FormulaError
from kanlib.network import KAN

from .compiler import compile_formula
from .discovery import Discovery, pareto_front
from .formula import Formula
from .noise import NoiseModel
from .problem import Problem
from .search import Entry, Search
from .snapping import fitted, snap

__all__ = ["conclude"]

_SAME = 0.1  # times the noise: curves that are nearer are one curve in other words, such as exp and a far cosh
_RIVAL = 3.0  # nats within which a formula is no clear second (odds of 20 to 1)


def conclude(search: Search) -> Discovery:
    """Choose among the formulas that passed every test by their description length."""
    accepted = [entry for entry in search.entries if entry.point.accepted]
    best = min(accepted, key=lambda entry: entry.length, default=None)
    return _none(search) if best is None else _found(search, best, accepted)


def _found(search: Search, best: Entry, accepted: list[Entry]) -> Discovery:
    problem, held = search.problem, search.held
    y = problem.y
    formula = _on_all_rows(problem, best.point.formula, best.noise)
    chosen = replace(best.point, formula=formula, complexity=formula.complexity)
    others = [entry.point for entry in search.entries if entry.point.formula.form != formula.form]
    reference = y - y.mean() if held is None else y[held] - y[~held].mean()
    fitted_note = f"constants of the formula fitted to all rows, with {best.noise.name}"
    return Discovery(
        status="found",
        message=f"a formula of the shape {problem.target_name} = {best.point.template} is supported",
        reasons=best.judgement.reasons,
        formula=formula,
        front=pareto_front([*others, chosen], keep=chosen),
        network=_law_network(search, formula),
        r2=1 - float(np.sum(best.held_residuals**2) / np.sum(reference**2)),
        rmse=best.point.rmse,
        notes=(*search.notes, *_rivals(problem, best, accepted), fitted_note),
        seconds=time.monotonic() - search.start,
        **_common(search),
    )


def _none(search: Search) -> Discovery:
    best = search.best_network()
    shown = None if best is None else best[1]
    rmse = math.nan if shown is None else search.network_rmse(shown)
    message, reasons = _why_none(search)
    return Discovery(
        status="none",
        message=message,
        reasons=reasons,
        formula=None,
        front=pareto_front([entry.point for entry in search.entries]),
        network=None if shown is None else search.network(shown),
        r2=1 - (rmse / search.problem.spread) ** 2,
        rmse=rmse,
        notes=tuple(search.notes),
        seconds=time.monotonic() - search.start,
        **_common(search),
    )


def _common(search: Search) -> dict[str, Any]:
    problem = search.problem
    return {
        "seed": search.seed,
        "held_out": search.held_out,
        "noise_floor": _noise_floor(search),
        "names": problem.names,
        "target_name": problem.target_name,
        "ranges": np.stack([problem.X.min(axis=0), problem.X.max(axis=0)], axis=1),
    }


def _noise_floor(search: Search) -> float:
    floor = search.floor()
    return floor * search.problem.spread if math.isfinite(floor) else math.nan


def _law_network(search: Search, formula: Formula) -> KAN | None:
    """The network that computes the formula; splines where the formula has a part no primitive computes."""
    try:
        return compile_formula(formula, X=search.problem.X)
    except FormulaError:
        best = search.best_network()
        return None if best is None else search.network(best[1])


def _on_all_rows(problem: Problem, formula: Formula, noise: NoiseModel) -> Formula:
    """Constants from all rows; more rows may single out an exact constant that fewer could not."""
    weight = noise.weight(problem.y)
    refitted = snap(fitted(formula, problem.X, problem.y, weight), problem.X, problem.y, weight)
    return refitted if np.all(np.isfinite(refitted.predict(problem.X))) else formula


def _rivals(problem: Problem, best: Entry, accepted: list[Entry]) -> list[str]:
    """A note for every formula that passed, is hardly longer, and is another curve."""
    behind: dict[str, float] = {}
    chosen = best.point.formula.predict(problem.X)
    noise = float(np.std(problem.y - chosen))
    for entry in sorted(accepted, key=lambda entry: entry.length):
        apart = float(np.std(entry.point.formula.predict(problem.X) - chosen))
        if entry.length < best.length + _RIVAL and apart > _SAME * noise:
            behind.setdefault(entry.point.formula.text(), entry.length - best.length)
    return [
        f"{problem.target_name} = {text} is supported almost as well ({nats:.1f} nats behind): "
        "more rows would tell them apart"
        for text, nats in behind.items()
    ]


def _why_none(search: Search) -> tuple[str, tuple[str, ...]]:
    if not search.entries:
        if search.expired():
            return "time was up before a formula was tried", ("raise time_limit",)
        if not search.trained:
            return "the rows are too few, or too alike, for the constants of even the smallest network", tuple(
                note for note in search.notes if "not tried" in note
            )
        return "no network explains the held-out rows with few enough edges to read a formula off", tuple(
            note for note in search.notes if "error" in note
        )
    tried = sorted(search.entries, key=lambda entry: entry.point.rmse)
    target = search.problem.target_name
    every = [f"{target} = {entry.point.formula.text()}: {entry.judgement.reasons[-1]}" for entry in tried]
    reasons = tuple(dict.fromkeys(every))[:3]
    return "no formula passes the tests; the best was refused because " + tried[0].judgement.reasons[-1], reasons
