"""What a search amounts to: the shortest of the formulas that passed, or none and why."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kanlib.errors import FormulaError
from kanlib.network import KAN

from .bootstrap import bootstrap_constants
from .compiler.compiling import compile_formula
from .conditioning import near_degenerate
from .deadline import within
from .discovery import Discovery, FrontPoint, pareto_front
from .formula import Formula
from .judging import Entry
from .noise import NoiseModel
from .physical import physical_notes
from .priors.noise import RowNoise
from .problem import Problem
from .search import Search
from .snapping import fitted, snap
from .stability import Stability, compare, kind
from .validity.checking import Validity, validity
from .verdict import EXACT

__all__ = ["conclude"]

_RIVALS = 5  # forms that the law is compared with on resampled rows
_FLEXIBLE = 5  # fitted constants of a formula that may follow a law it is not, such as a Bessel function by waves
_HALF = 0.5  # share of resamples below which the choice is said to be in doubt
_SNAP, _RESAMPLING, _VALIDITY, _LEAST = 0.3, 0.5, 1.0, 0.2  # seconds
_REFITS, _FEWEST_REFITS = 100, 20  # for standard errors, of at most _RESAMPLING seconds; fewer tell nothing
_SAME = 0.1  # times the noise: curves that are nearer are one curve in other words, such as exp and a far cosh
_RIVAL = 3.0  # nats within which a formula is no clear second (odds of 20 to 1)


def conclude(search: Search, physical: bool | Sequence[str] = False) -> Discovery:
    """Choose among the formulas that passed every test by their description length.

    With ``physical`` its constants are compared with constants of nature, all or those named.
    """
    accepted = [entry for entry in search.judging.entries if entry.point.accepted]
    best = min(accepted, key=lambda entry: entry.length, default=None)
    return _none(search) if best is None else _found(search, best, accepted, physical)


def _found(search: Search, best: Entry, accepted: list[Entry], physical: bool | Sequence[str]) -> Discovery:
    problem, held = search.problem, search.held
    y = problem.y
    formula = _on_all_rows(search, best, time.monotonic() + max(search.left(), _SNAP))
    formula, resampled = _resampled(search, formula, best.noise)
    chosen = replace(best.point, formula=formula, complexity=formula.complexity)
    own = kind(formula)
    others = [entry.point for entry in search.judging.entries if kind(entry.point.formula) != own]
    rivals = tuple(sorted((p for p in others if math.isfinite(p.length)), key=lambda p: p.length)[:_RIVALS])
    weight = problem.roots**2
    seen, known = (slice(None), slice(None)) if held is None else (held, ~held)
    reference = y[seen] - np.average(y[known], weights=weight[known])
    fitted_note = f"constants of the formula fitted to all rows, with {best.noise.name}"
    steady = _stability(search, formula, rivals)
    valid = within(max(min(search.left(), _VALIDITY), _LEAST), validity, formula, problem.X)
    reasons = best.judgement.reasons
    if steady is not None and steady.share < _HALF:
        reasons = (*reasons, f"but {steady}: other forms describe the data about as well")
    free = len(formula.fitted)
    if steady is not None and free >= _FLEXIBLE:
        caveat = f"but it has {free} fitted constants: within this noise it may stand in for another law"
        reasons = (*reasons, f"{caveat}, which more precise rows would tell")
    return Discovery(
        status="found",
        message=f"a formula of the shape {problem.target_name} = {best.point.template} is supported",
        reasons=reasons,
        formula=formula,
        front=pareto_front([*others, chosen], keep=chosen),
        network=_law_network(search, formula),
        r2=1 - float(np.sum(weight[seen] * best.held_residuals**2) / np.sum(weight[seen] * reference**2)),
        rmse=best.point.rmse,
        notes=(
            *search.notes,
            *_rivals(problem, formula, best, accepted),
            fitted_note,
            *(() if steady is None else (str(steady),)),
            *resampled,
            *physical_notes(formula, physical, search.known.units),
            *_ends(valid),
        ),
        seconds=time.monotonic() - search.start,
        validity=valid,
        stability=steady,
        rivals=rivals,
        **_common(search, best.point.rmse),
    )


def _stability(search: Search, formula: Formula, rivals: Sequence[FrontPoint]) -> Stability | None:
    """Whether the form is chosen again on resampled rows; a fit without noise leaves nothing to chance."""
    problem, noise = search.problem, search.known.noise
    if _exact(problem, formula) or (noise is not None and np.ptp(noise.size) > 0):
        return None  # resamples are compared with errors of equal size, or proportional to y
    seconds = max(min(search.left(), _RESAMPLING), _LEAST)
    others = [point.formula for point in rivals]
    with np.errstate(over="ignore"):  # constants of a form that is no law may be of any size
        return compare(formula, others, problem.X, problem.y, seed=search.seed, time_limit=seconds)


def _ends(valid: Validity | None) -> list[str]:
    """A note for every column along which the formula ends, and for what is not finite between the rows."""
    if valid is None:
        return []
    limited = [str(each) for each in valid.ranges if each.edges or each.median_edges]
    return [f"where it ends: {text}" for text in (*limited, *(f"within the data's box: {e}" for e in valid.inside))]


def _none(search: Search) -> Discovery:
    best = search.growing.best_network()
    rmse = math.nan if best is None else search.growing.network_rmse(*best)
    message, reasons = _why_none(search)
    return Discovery(
        status="none",
        message=message,
        reasons=reasons,
        formula=None,
        front=pareto_front([entry.point for entry in search.judging.entries]),
        network=None if best is None else search.growing.network(*best),
        r2=1 - (rmse / float(np.std(search.problem.y))) ** 2,
        rmse=rmse,
        notes=tuple(search.notes),
        seconds=time.monotonic() - search.start,
        **_common(search),
    )


def _common(search: Search, rmse: float = math.inf) -> dict[str, Any]:
    """What every conclusion tells; ``rmse`` of the formula that was found."""
    problem = search.problem
    return {
        "seed": search.seed,
        "held_out": search.held_out,
        "noise_floor": min(_noise_floor(search), rmse),  # NaN stays: no floor is known
        "names": problem.names,
        "target_name": problem.target_name,
        "ranges": np.stack([problem.X.min(axis=0), problem.X.max(axis=0)], axis=1),
    }


def _noise_floor(search: Search) -> float:
    """What a network or stand-in leaves on all held-out rows; the search itself leaves the worst rows aside."""
    references = search.judging.references
    if search.held is not None and references:
        return min(math.sqrt(float(np.mean(each.residuals**2))) for each in references)
    floor = search.judging.floor()
    return floor * search.problem.spread if math.isfinite(floor) else math.nan


def _law_network(search: Search, formula: Formula) -> KAN | None:
    """The network that computes the formula; splines where the formula has a part no primitive computes."""
    try:
        return compile_formula(formula, X=search.problem.X)
    except FormulaError:
        best = search.growing.best_network()
        return None if best is None else search.growing.network(*best)


def _on_all_rows(search: Search, best: Entry, deadline: float) -> Formula:
    """Constants from all rows; more rows may single out an exact constant that fewer could not."""
    X, y, formula, noise = search.problem.X, search.problem.y, best.point.formula, best.noise
    weight = noise.weight(y)
    refitted = snap(fitted(formula, X, y, weight), X, y, weight, deadline=deadline)
    if np.all(np.isfinite(refitted.predict(X))) and search.known.refuses(refitted, X, y) is None:
        formula = refitted
    return noise.known_errors(formula, X) if isinstance(noise, RowNoise) else formula


def _exact(problem: Problem, formula: Formula) -> bool:
    """Whether nothing is left over that chance could have a part in."""
    residuals = problem.y - formula.predict(problem.X)
    return float(np.sqrt(np.mean(residuals**2))) <= EXACT * problem.spread


def _resampled(search: Search, formula: Formula, noise: NoiseModel) -> tuple[Formula, list[str]]:
    """The formula with errors of its constants from resampled rows where they nearly say the same, and a note."""
    X, y = search.problem.X, search.problem.y
    known = isinstance(noise, RowNoise) and noise.absolute  # the constants have the errors that this noise gives them
    if known or _exact(search.problem, formula) or not near_degenerate(formula, X, sample_weight=noise.weight(y)):
        return formula, []
    alike = "the fitted constants nearly say the same on these rows"
    end = time.monotonic() + max(min(search.left(), _RESAMPLING), _LEAST)

    def expired() -> bool:
        return time.monotonic() > end

    seconds, weight = 2 * _RESAMPLING, noise.weight(y)
    found = within(
        seconds,
        lambda: bootstrap_constants(formula, X, y, weight, n=_REFITS, seed=search.seed, expired=expired),
    )
    if found is None or len(found.values) < _FEWEST_REFITS:
        return formula, [f"{alike}: their standard errors, of a straight-line approximation, cannot be trusted"]
    covariance = np.atleast_2d(np.cov(found.values, rowvar=False))
    refits = f"{len(found.values)} refits to resampled rows"
    return replace(formula, covariance=covariance), [f"{alike}: their standard errors are those of {refits}"]


def _rivals(problem: Problem, formula: Formula, best: Entry, accepted: list[Entry]) -> list[str]:
    """A note for every formula that passed, is hardly longer, of another kind, and another curve."""
    behind: dict[str, float] = {}
    chosen = formula.predict(problem.X)
    noise = float(np.std(problem.y - chosen))
    kinds = {kind(formula), kind(best.point.formula)}
    for entry in sorted(accepted, key=lambda entry: entry.length):
        apart = float(np.std(entry.point.formula.predict(problem.X) - chosen))
        close = entry.length < best.length + _RIVAL
        if close and apart > _SAME * noise and kind(entry.point.formula) not in kinds:
            behind.setdefault(entry.point.formula.text(), entry.length - best.length)
    return [
        f"{problem.target_name} = {text} is supported almost as well ({nats:.1f} nats behind): "
        "more rows would tell them apart"
        for text, nats in behind.items()
    ]


def _why_none(search: Search) -> tuple[str, tuple[str, ...]]:
    if not search.judging.entries:
        if search.finishing.contradicting:
            message = "every form that was found contradicts what is known of the law"
            return message, (
                f"{len(search.finishing.contradicting)} forms were left aside; allow more functions or other shapes",
            )
        if search.expired():
            return "time was up before a formula was tried", ("raise time_limit",)
        if not search.growing.trained:
            return "the rows are too few, or too alike, for the constants of even the smallest network", tuple(
                note for note in search.notes if "not tried" in note
            )
        return "no network explains the held-out rows with few enough edges to read a formula off", tuple(
            note for note in search.notes if "error" in note
        )
    tried = sorted(search.judging.entries, key=lambda entry: entry.point.rmse)
    target = search.problem.target_name
    every = [f"{target} = {entry.point.formula.text()}: {entry.judgement.reasons[-1]}" for entry in tried]
    reasons = tuple(dict.fromkeys(every))[:3]
    return "no formula passes the tests; the best was refused because " + tried[0].judgement.reasons[-1], reasons
