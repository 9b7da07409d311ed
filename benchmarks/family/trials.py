"""Trials over seeds: settings chosen by validation rows, rows of mean and spread, and perceptrons to compare with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.parts import Record
from kanlib.architectures.parts import linear

__all__ = ["Setting", "choose", "matched_width", "of_picture", "perceptron", "spread", "with_spread"]

MEAN, STD = "mean", "std"  # what the seed column of a summary row says


@dataclass(frozen=True)
class Setting:
    """What is chosen by validation rows, from the same few for every contestant."""

    learning_rate: float = 1e-2
    weight_decay: float = 0.0


def choose(validation_loss: Callable[[Setting], float], settings: Sequence[Setting]) -> Setting:
    """The setting with the lowest validation loss; a loss that is not finite counts as the worst."""
    losses = [loss if np.isfinite(loss := validation_loss(setting)) else np.inf for setting in settings]
    return settings[int(np.argmin(losses))]


def perceptron(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear maps with SiLU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [linear(a, b, generator=generator), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def matched_width(count: Callable[[int], int], parameters: int, most: int = 2048) -> int:
    """The width whose module, of ``count(width)`` parameters, comes closest to a number of parameters."""
    return min(range(1, most), key=lambda width: abs(count(width) - parameters))


def with_spread(
    columns: Sequence[str], rows: Sequence[Sequence[object]], by: Sequence[str], values: Sequence[str]
) -> list[list[object]]:
    """The rows, and after them the mean and the standard deviation over seeds of every group of more than one.

    Parameters
    ----------
    columns, rows
        Of a table that has a column ``seed``.
    by : sequence of str
        Columns that name a group.
    values : sequence of str
        Columns of numbers; in a summary the other columns keep what all seeds share.
    """
    groups: dict[tuple[object, ...], list[Sequence[object]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[columns.index(name)] for name in by), []).append(row)
    summary: list[list[object]] = []
    for key, own in groups.items():
        shared = {name: own[0][k] if len({row[k] for row in own}) == 1 else "" for k, name in enumerate(columns)}
        numbers = {name: np.array([float(str(row[columns.index(name)])) for row in own]) for name in values}
        for statistic, of in ((MEAN, np.mean), (STD, _std)) if len(own) > 1 else ():
            line = shared | dict(zip(by, key)) | {"seed": statistic}
            summary.append(list((line | {name: float(of(given)) for name, given in numbers.items()}).values()))
    return [list(row) for row in rows] + summary


def _std(values: np.ndarray) -> float:
    return float(values.std(ddof=1))


def spread(records: Sequence[Record], value: str, **where: str) -> np.ndarray:
    """The values of all seeds in the rows that have those entries; for pictures."""
    return np.array(
        [
            float(record[value])
            for record in records
            if record["seed"] not in (MEAN, STD) and all(record[name] == wanted for name, wanted in where.items())
        ]
    )


def of_picture(records: Sequence[Record], **where: str) -> dict[str, Any]:
    """What the first row with those entries and a picture keeps for it; empty where there is none."""
    for record in records:
        if record["picture"] and all(record[name] == wanted for name, wanted in where.items()):
            found: dict[str, Any] = json.loads(record["picture"])
            return found
    return {}
