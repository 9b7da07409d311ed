"""One contest for all: the same rows, the same loop, and a learning rate from the same few, chosen by validation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.stats import t
from torch import Tensor, nn

from .training import Loss, Trained, train

__all__ = ["Better", "Entry", "Split", "against", "at_the_end", "compete", "verdict"]

Rows = tuple[Tensor, Tensor]
Better = Literal["higher", "lower"]
Verdict = Literal["wins", "loses", "undecided"]


@dataclass(frozen=True)
class Split:
    """Rows (inputs, targets) to train on, to choose by, and to report on."""

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Entry:
    """A trained module; `finite` is whether the loss was a number in every step, `note` as `at_the_end` says."""

    seed: int
    module: nn.Module
    trained: Trained
    learning_rate: float
    finite: bool
    note: str = ""


class _Watched:
    """A loss that remembers whether it was ever not finite."""

    def __init__(self, loss: Loss) -> None:
        self.loss, self.finite = loss, True

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        value = self.loss(output, target)
        self.finite &= math.isfinite(value.item())
        return value


def compete(
    build: Callable[[int, Split], nn.Module],
    data: Callable[[int], Split],
    loss: Loss,
    *,
    seeds: int,
    rates: Sequence[float],
    epochs: int,
    batch_size: int = 64,
) -> Iterator[Entry]:
    """An entry a seed. The first seed tries every rate; that of the lowest validation loss is the rate of all.

    Parameters
    ----------
    build : callable
        (seed, rows) -> a new module.
    data : callable
        seed -> rows.
    """
    tried, note = list(rates), ""
    for seed in range(seeds):
        split = data(seed)
        entries = []
        for rate in tried:
            module, watched = build(seed, split), _Watched(loss)
            trained = train(
                module,
                split.train,
                split.validation,
                watched,
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=rate,
                seed=seed,
            )
            entries.append(Entry(seed, module, trained, rate, watched.finite))
        best = min(entries, key=lambda entry: entry.trained.validation_loss)
        if len(tried) > 1:
            tried, note = [best.learning_rate], at_the_end(best.learning_rate, tried)
        yield replace(best, note=note)


def at_the_end(chosen: float, tried: Sequence[float]) -> str:
    """Whether the lowest or the highest value of several was chosen, so that one beyond may be better still.

    Examples
    --------
    >>> at_the_end(0.1, (0.01, 0.03, 0.1)), at_the_end(0.03, (0.01, 0.03, 0.1)), at_the_end(0.1, (0.1,))
    ('highest rate tried', '', '')
    """
    if len(set(tried)) == 1 or min(tried) < chosen < max(tried):
        return ""
    return f"{'lowest' if chosen == min(tried) else 'highest'} rate tried"


def verdict(own: Sequence[float], other: Sequence[float], better: Better = "higher") -> Verdict:
    """Who wins, seed by seed: "wins" or "loses" where a paired t-test tells the two apart (5 %), else "undecided".

    Where all seeds share their test rows, the verdict is about trainings: first weights, order of the rows, and the
    split of the rest into training and validation. With those test rows given, it says nothing of how the difference
    would vary with other test rows.

    Examples
    --------
    >>> verdict([0.7, 0.71, 0.72], [0.8, 0.8, 0.8]), verdict([0.9], [0.8])
    ('loses', 'undecided')
    """
    sign = 1 if better == "higher" else -1
    mean, spread, n = _differences(own, other)
    if n == 1 or abs(mean) <= float(t.ppf(0.975, n - 1)) * spread / n**0.5:
        return "undecided"
    return "wins" if sign * mean > 0 else "loses"


def _differences(own: Sequence[float], other: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard deviation and number of the differences."""
    differences = [a - b for a, b in zip(own, other, strict=True)]
    mean = round(statistics.fmean(differences), 12) + 0.0  # no "-0"
    return mean, statistics.stdev(differences) if len(differences) > 1 else math.inf, len(differences)


def against(own: Sequence[float], other: Sequence[float], better: Better = "higher") -> str:
    """The verdict; the mean of own minus other and its standard deviation; in how many seeds the own number is better.

    All of it is over trainings only where the seeds share their test rows, as told at `verdict`.

    Examples
    --------
    >>> against([0.7, 0.71, 0.72], [0.8, 0.8, 0.8])
    'loses: -0.09 ± 0.01, better in 0 of 3'
    >>> against([0.9, 0.8, 0.7], [0.8, 0.8, 0.8])
    'undecided: +0 ± 0.1, better in 1 of 3'
    """
    sign = 1 if better == "higher" else -1
    mean, spread, n = _differences(own, other)
    number = sum(sign * (a - b) > 1e-12 for a, b in zip(own, other, strict=True))
    return (
        f"{verdict(own, other, better)}: {mean:+.3g}"
        + (f" ± {spread:.2g}" if n > 1 else "")
        + f", better in {number} of {n}"
    )
