"""S-KAN: does an edge find the basis it needs? Planted targets, and digits for the convolution (arXiv 2408.08338).

Every contestant has ten functions an edge, so after pruning all have as many numbers. One-variable targets ask for
one basis; a sum of two kinds asks for two, which no KAN of one basis has. "Best of 5" trains one KAN of each basis and
keeps the one with the lowest validation error; "least squares" solves networks of one layer in closed form. Targets
have two learning rates to choose from, so that one end always wins; for digits a note says where one does.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from scipy.stats import rankdata

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib.architectures.skan import POOL, SKAN
from kanlib.symbolic import symbolify

from .contest import Better, against, verdict
from .skan_contestants import Outcome, least_squares, one_basis, selective
from .skan_digits import PLAIN, SELECTIVE, run_digits
from .skan_picture import draw
from .skan_targets import FUNCTIONS, NESTED, TARGETS, Rows, best_basis, rows_of

__all__ = ["BEST", "BEST_LS", "GATES", "PICTURED", "SKAN_NAME", "checks", "draw", "make"]

SKAN_NAME, GATES = "S-KAN", "S-KAN, largest gate"
BEST, BEST_LS = "best of 5 by validation", "best of 5 by validation, least squares"
SINGLES = tuple(f"KAN, {basis}" for basis in POOL)
RANKED = (*SINGLES, BEST, SKAN_NAME, GATES)
RATES = (0.03, 0.1)
EPOCHS = 100
PICTURED = "sine + bump"
QUICK = ("spline", "sine", "polynomial", "step", "spline + sine", "bump + polynomial")
COLUMNS = (
    *("target", "model", "metric", "seed", "value", "std", "validation", "parameters", "seconds", "learning rate"),
    *("chosen", "best alone", "note", "curves"),
)


@dataclass(frozen=True)
class Run:
    """One row of the table."""

    target: str
    model: str
    seed: int
    outcome: Outcome
    rate: float | str = ""
    best_alone: tuple[str, ...] = ()
    note: str = ""
    curves: str = ""
    metric: str = "RMSE"

    def row(self) -> list[object]:
        o = self.outcome
        return [
            *(self.target, self.model, self.metric, self.seed, o.test, "", o.validation, o.parameters, o.seconds),
            *(self.rate, " ".join(o.chosen), " ".join(self.best_alone), self.note, self.curves),
        ]


def make(options: Options) -> Table:
    """Every target, contestant and seed, then the digits."""
    runs: list[Run] = []
    for target in QUICK if options.quick else TARGETS:
        rates = dict.fromkeys((*SINGLES, SKAN_NAME, GATES), 0.1)
        for seed in range(options.seeds):
            found = _meet(target, seed, rates, search=seed == 0 and not options.quick)
            runs += found
        own = {run.model: run.outcome.test for run in found}
        options.say(f"{target}: S-KAN {own[SKAN_NAME]:.3g}, best of 5 {own[BEST]:.3g}")
    if not options.quick:
        runs += [
            Run("digits", model, seed, outcome, rate, note=note, metric="accuracy")
            for model, seed, outcome, rate, note in run_digits(options)
        ]
    summary = [*_means(runs), *_ranks(runs), *_hits(runs)]
    return BriefTable(
        "family_skan",
        "S-KAN: a pool of five bases an edge; test errors (noise-free, spread 1) at equal final parameters",
        COLUMNS,
        [run.row() for run in runs] + summary,
        checks(runs),
        hidden=("seed", "curves"),
        printed=lambda row: row[3] == "mean",
    )


def _meet(target: str, seed: int, rates: dict[str, float], *, search: bool) -> list[Run]:
    """All contestants on one target and seed; with search, `rates` are first set by validation errors."""
    rows = rows_of(target, seed)
    widths = [2, 1, 1] if target == NESTED else [len(rows.functions), 1]
    contestants = {
        **{name: partial(one_basis, basis) for name, basis in zip(SINGLES, POOL, strict=True)},
        SKAN_NAME: partial(selective, by="projection"),
        GATES: partial(selective, by="gates"),
    }
    outcomes: dict[str, Outcome] = {}
    for name, contestant in contestants.items():
        tried = {
            rate: contestant(widths, rows, epochs=EPOCHS, learning_rate=rate, seed=seed)
            for rate in (RATES if search else (rates[name],))
        }
        rates[name] = min(tried, key=lambda rate: tried[rate].validation)
        outcomes[name] = tried[rates[name]]
    alone = () if target == NESTED else tuple(best_basis(function, POOL) for function in rows.functions)
    runs = [Run(target, name, seed, outcome, rates[name], alone) for name, outcome in outcomes.items()]
    runs.append(Run(target, BEST, seed, _best(outcomes[name] for name in SINGLES), best_alone=alone))
    if target != NESTED:
        closed = [least_squares(basis, rows) for basis in POOL]
        runs += [Run(target, f"{name}, least squares", seed, o) for name, o in zip(SINGLES, closed, strict=True)]
        runs.append(Run(target, BEST_LS, seed, _best(closed), best_alone=alone))
    if target == PICTURED and seed == 0:
        k = next(k for k, run in enumerate(runs) if run.model == SKAN_NAME)
        note, curves = _inside(outcomes[SKAN_NAME], rows)
        runs[k] = Run(target, SKAN_NAME, seed, outcomes[SKAN_NAME], rates[SKAN_NAME], alone, note, curves)
    return runs


def _best(outcomes: Iterable[Outcome]) -> Outcome:
    """The one with the lowest validation error, at the cost of all."""
    every = list(outcomes)
    best = min(every, key=lambda outcome: outcome.validation)
    seconds = sum(outcome.seconds for outcome in every)
    return Outcome(best.test, best.validation, best.parameters, seconds, best.chosen)


@torch.no_grad()
def _inside(outcome: Outcome, rows: Rows) -> tuple[str, str]:
    """The formula of a pruned S-KAN with its test error, and the curves of its edges beside the true functions."""
    model = outcome.module
    assert isinstance(model, SKAN)
    X, y = (part.double() for part in rows.train)
    formula = symbolify(model.spline_view(rows.train[0]), X, y[:, 0], time_limit=20.0)
    predicted = torch.as_tensor(formula.predict(rows.test[0].double().numpy()))
    error = float((predicted - rows.test[1][:, 0]).square().mean().sqrt())
    x = torch.linspace(-1, 1, 121)
    curves = model.layers[0].edges(x[:, None].expand(-1, len(rows.functions)))[:, 0].T
    lines = [line - line.mean() for curve, f in zip(curves, rows.functions, strict=True) for line in (curve, f(x))]
    return f"{formula} (RMSE {error:.2g})", "|".join(" ".join(f"{v:.3f}" for v in line.tolist()) for line in lines)


def _values(runs: Sequence[Run], target: str, model: str) -> list[float]:
    return [run.outcome.test for run in runs if (run.target, run.model) == (target, model)]


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _means(runs: Sequence[Run]) -> list[list[object]]:
    rows: list[list[object]] = []
    for target, model, metric in dict.fromkeys((run.target, run.model, run.metric) for run in runs):
        own = [run for run in runs if (run.target, run.model) == (target, model)]
        values = [run.outcome.test for run in own]
        seconds = statistics.fmean(run.outcome.seconds for run in own)
        note = ""
        if target == "digits":
            beside = "" if model == PLAIN else f"{against(values, _values(runs, target, PLAIN))}, beside plain"
            note = "; ".join(filter(None, (beside, own[0].note)))
        rows.append(
            [target, model, metric, "mean", statistics.fmean(values), _spread(values), "", own[0].outcome.parameters]
            + [seconds, own[0].rate, "", "", note, ""]
        )
    return rows


def _rank_table(runs: Sequence[Run]) -> dict[str, list[float]]:
    """For every model its average rank over the targets, a number a seed."""
    targets = [t for t in dict.fromkeys(run.target for run in runs) if t in TARGETS]
    seeds = sorted({run.seed for run in runs})
    ranks: dict[str, list[float]] = {model: [] for model in RANKED}
    for seed in seeds:
        by_target = [
            rankdata([_values([run for run in runs if run.seed == seed], target, model)[0] for model in RANKED])
            for target in targets
        ]
        for model, own in zip(RANKED, zip(*by_target, strict=True), strict=True):
            ranks[model].append(statistics.fmean(own))
    return ranks


def _ranks(runs: Sequence[Run]) -> list[list[object]]:
    return [
        ["all targets", model, "average rank", "mean", statistics.fmean(own), _spread(own), *[""] * 8]
        for model, own in _rank_table(runs).items()
    ]


def _hit_rate(runs: Sequence[Run], model: str, *, planted: bool) -> list[float]:
    """Share of the edges of sums whose basis is the best alone, or the planted one where there is one; by seed."""
    shares = []
    for seed in sorted({run.seed for run in runs}):
        hits = []
        for run in runs:
            if run.seed != seed or run.model != model or run.target not in TARGETS or run.target == NESTED:
                continue
            right = [FUNCTIONS[kind][1] for kind in TARGETS[run.target]] if planted else run.best_alone
            hits += [a == b for a, b in zip(run.outcome.chosen, right, strict=True) if b]
        shares.append(statistics.fmean(hits))
    return shares


def _hits(runs: Sequence[Run]) -> list[list[object]]:
    rows: list[list[object]] = []
    for metric, planted in (("chosen = best alone", False), ("chosen = planted", True)):
        for model in (SKAN_NAME, GATES, BEST):
            shares = _hit_rate(runs, model, planted=planted)
            rows.append(["edges of sums", model, metric, "mean", statistics.fmean(shares), _spread(shares), *[""] * 8])
    return rows


def checks(runs: Sequence[Run]) -> dict[str, bool]:
    """The claims."""

    def within(target: str, rivals: Sequence[str]) -> bool:
        """Whether S-KAN is, on average, no more than two standard errors of the paired differences above the best."""
        own = _values(runs, target, SKAN_NAME)
        best = min((_values(runs, target, rival) for rival in rivals), key=statistics.fmean)
        differences = [a - b for a, b in zip(own, best, strict=True)]
        # One seed has no spread: then a tenth, and a tenth of the noise in the rows.
        slack = 2 * _spread(differences) / len(own) ** 0.5 if len(own) > 1 else 0.1 * statistics.fmean(best) + 0.005
        return statistics.fmean(differences) <= slack

    targets = [t for t in dict.fromkeys(run.target for run in runs) if t in TARGETS]
    one, more = [t for t in targets if t in FUNCTIONS], [t for t in targets if t not in FUNCTIONS]
    closed = [f"{name}, least squares" for name in SINGLES]

    def ahead(own: Sequence[float], other: Sequence[float], better: Better) -> bool:
        """By a paired test over the seeds; one seed can only be no worse."""
        if len(own) > 1:
            return verdict(own, other, better) == "wins"
        return own[0] >= other[0] if better == "higher" else own[0] <= other[0]

    ranks = _rank_table(runs)
    hits, by_gate = (_hit_rate(runs, model, planted=False) for model in (SKAN_NAME, GATES))
    claims = {
        "one variable: S-KAN is within seed noise of the best basis, trained": all(within(t, SINGLES) for t in one),
        "and of the best basis in closed form": all(within(t, closed) for t in one),
        "sums and nests: it is within seed noise of the best basis or better": all(within(t, SINGLES) for t in more),
        "S-KAN has the best average rank": all(
            ahead(ranks[SKAN_NAME], other, "lower") for model, other in ranks.items() if model != SKAN_NAME
        ),
        "it chooses the planted basis of nine edges in ten": statistics.fmean(_hit_rate(runs, SKAN_NAME, planted=True))
        >= 0.9,
        "it chooses the best basis by projection more often than by the largest gate": ahead(hits, by_gate, "higher"),
    }
    chosen, flat = (_values(runs, "digits", model) for model in (SELECTIVE, PLAIN))
    if len(chosen) < 2:
        return claims
    return claims | {
        "digits: plain convolutions of as many numbers get more right than S-ConvKAN": verdict(chosen, flat) == "loses"
    }
