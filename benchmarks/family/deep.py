"""Twenty-two KAN layers deep: residual blocks with kept variance (arXiv 2510.23501) against plain stacks and others.

Friedman's first function, y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5, of ten columns of which five do not
matter, without noise; columns and target are standardised by the training rows. Errors are root mean squares on test
rows over the standard deviation of y: 1 is the mean. A run counts as diverged where its loss was not a number in some
step, or its error is no better than that of the mean (above 0.95).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from sklearn.datasets import make_friedman1
from torch import Tensor, nn

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib import attribute
from kanlib.architectures.deep import DeepKAN
from kanlib.architectures.inner_layers import inside

from .contest import Entry, Split, against, compete
from .deep_models import CONTESTANTS, growth
from .deep_picture import draw
from .training import evaluate, n_parameters

__all__ = ["draw", "friedman", "make"]

RATES, QUICK_RATES = (1e-2, 3e-2), (1e-2,)
EPOCHS, QUICK_EPOCHS = 40, 8
N_TRAIN, N_VALIDATION, N_TEST, N_COLUMNS = 800, 300, 1000, 10
NO_BETTER = 0.95
DEEP = next(iter(CONTESTANTS))
COLUMNS = (
    *("model", "seed", "relative RMSE", "spread", "diverged", "learning rate", "parameters", "seconds"),
    *("values, last / first layer", "gradients, first / last layer", "share of values that differs between rows"),
    *("against DeepKAN", "note", "picture"),
)


def friedman(seed: int) -> Split:
    """Rows of a seed: 800 / 300 / 1000."""
    found = make_friedman1(N_TRAIN + N_VALIDATION + N_TEST, n_features=N_COLUMNS, noise=0.0, random_state=seed)
    X, y = (torch.as_tensor(a, dtype=torch.float32) for a in (found[0], found[1][:, None]))
    X, y = ((a - a[:N_TRAIN].mean(0)) / a[:N_TRAIN].std(0) for a in (X, y))
    ends = (0, N_TRAIN, N_TRAIN + N_VALIDATION, len(X))
    return Split(*((X[a:b], y[a:b]) for a, b in pairwise(ends)))


def make(options: Options) -> Table:
    """Every contestant and seed, and a row of means for each."""
    rates, epochs = (QUICK_RATES, QUICK_EPOCHS) if options.quick else (RATES, EPOCHS)
    rows: dict[str, list[list[object]]] = {}
    for name, contestant in CONTESTANTS.items():
        entries = compete(
            lambda seed, split, contestant=contestant: contestant.build(split.train[0], seed),  # type: ignore[misc]
            friedman,
            nn.functional.mse_loss,
            seeds=options.seeds,
            rates=rates,
            epochs=epochs,
            batch_size=80,
        )
        rows[name] = [_row(name, entry) for entry in entries]
        options.say(f"{name}: relative RMSE {statistics.fmean(_numbers(rows[name], 2)):.3g}")
    checks = _checks(rows, options.quick)
    errors = {name: _numbers(own, 2) for name, own in rows.items()}
    for name, own in rows.items():
        own.append(_summary(own, "" if name == DEEP else against(errors[name], errors[DEEP], "lower")))
    return BriefTable(
        "family_deep",
        "Depth: 22 KAN layers on Friedman's first function, relative RMSE on test rows",
        COLUMNS,
        [row for own in rows.values() for row in own],
        checks,
        hidden=("picture",),
    )


def _row(name: str, entry: Entry) -> list[object]:
    split = friedman(entry.seed)
    error = evaluate(entry.module, split.test, nn.functional.mse_loss) ** 0.5
    diverged = not (entry.finite and error <= NO_BETTER)
    fresh = CONTESTANTS[name].build(split.train[0], entry.seed)
    sizes, slopes, shares = growth(fresh, *split.train)
    ratios = (sizes[-1] / sizes[0], slopes[0] / slopes[-1], shares[-1])
    counts = (entry.learning_rate, n_parameters(entry.module), entry.trained.seconds)
    picture = _picture(entry.module, split.train[0], sizes, slopes) if entry.seed == 0 else ""
    return [name, entry.seed, error, "", int(diverged), *counts, *ratios, "", entry.note, picture]


def _summary(rows: Sequence[Sequence[object]], verdict: str) -> list[object]:
    errors, seconds = _numbers(rows, 2), _numbers(rows, 7)
    spread = f"{statistics.stdev(errors):.2g}" if len(errors) > 1 else ""
    diverged = f"{sum(int(str(row[4])) for row in rows)} of {len(rows)}"
    ratios = [statistics.geometric_mean(_numbers(rows, k)) for k in (8, 9, 10)]
    mean = statistics.fmean(errors)
    return [
        rows[0][0],
        "mean",
        mean,
        spread,
        diverged,
        *rows[0][5:7],
        statistics.fmean(seconds),
        *ratios,
        verdict,
        rows[0][-2],
        "",
    ]


def _numbers(rows: Sequence[Sequence[object]], column: int) -> list[float]:
    return [float(str(row[column])) for row in rows]


def _picture(module: nn.Module, X: Tensor, sizes: Sequence[float], slopes: Sequence[float]) -> str:
    """Sizes and gradients by layer at the start; of a deep KAN also curves of its first layer, one an input.

    That layer is a network to the core, whose attribution says how much each column moves the hidden values, and by
    which edge most. Text: "sizes | gradients | lowest highest | score: curve of x1 | ...".
    """
    parts = [" ".join(f"{v:.3e}" for v in values) for values in (sizes, slopes)]
    if isinstance(module, DeepKAN):
        network, rows = inside(module, "first", X)
        scores = attribute(network, rows)
        low, high = float(X.min()), float(X.max())
        parts.append(f"{low:.3f} {high:.3f}")
        for i in range(network.in_features):
            j = int(scores.edges[0][:, i].argmax())
            with torch.no_grad():
                values = network.layers[0].edge(torch.linspace(low, high, 41), i, j)
            curve = " ".join(f"{v:.3f}" for v in (values - values.mean()).tolist())
            parts.append(f"{float(scores.inputs[i] / scores.inputs.sum()):.3f}:{curve}")
    return "|".join(parts)


def _checks(rows: Mapping[str, Sequence[Sequence[object]]], quick: bool) -> dict[str, bool]:
    counts = [int(str(row[6])) for own in rows.values() for row in own]
    deep = rows[DEEP]
    values, gradients = _numbers(deep, 8), _numbers(deep, 9)
    faded = _numbers(rows["plain stack, default first weights"], 9)
    blind = _numbers(rows["plain stack, variance kept"], 10)
    claims = {
        "all have as many parameters, within a tenth": max(counts) <= 1.1 * min(counts),
        "DeepKAN diverges in no seed": not any(_numbers(deep, 4)),
        "DeepKAN starts with values and gradients of one size through all blocks, within a factor of two": max(
            max(v, 1 / v) for v in (*values, *gradients)
        )
        < 2,
        "a plain stack with default weights starts with gradients that fade by more than a hundred": max(faded) < 0.01,
        "a plain stack with kept variance starts with rows nearly equal: a fifth of the values differs": max(blind)
        < 0.2,
    }
    if quick:
        return claims
    mean = {name: statistics.fmean(_numbers(own, 2)) for name, own in rows.items()}
    best = min(error for name, error in mean.items() if name.startswith("plain"))
    return claims | {
        "DeepKAN's error is less than half of that of the best plain stack, on average": mean[DEEP] < best / 2
    }
