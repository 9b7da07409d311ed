"""pykan's rows of the tables with classes: the runs of peers/pykan_classify.py, on the rows the other models have."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pykan_peer import peer_lines

__all__ = ["STEPS", "ClassRow", "pykan_classes"]

Array = NDArray[Any]

STEPS = 30
PEER_SECONDS = 120.0


@dataclass(frozen=True)
class ClassRow:
    """What pykan reached.

    Attributes
    ----------
    accuracy : share of the test rows that are right; NaN where there is none, and the note says why.
    parameters : trainable numbers of its spline edges; None without an accuracy.
    seconds : of all starts, imports left out.
    note : how far it came, and what ended it early.
    """

    accuracy: float
    parameters: int | None
    seconds: float
    note: str


def pykan_classes(
    interpreter: str,
    hidden: Sequence[int | Sequence[int]],
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    *,
    grid: int,
    seed: int,
    starts: int = 1,
    steps: int = STEPS,
    seconds: float = PEER_SECONDS,
) -> ClassRow:
    """Train pykan on standardised rows, one output for each class of the training rows.

    Parameters
    ----------
    interpreter : an interpreter that has pykan.
    hidden : nodes of the hidden layers; one with products is [sums, products of two].
    train, test : X (n, columns), and classes of any kind; one that only test rows have is never right.
    starts : seeds to try; the one that ends at the smallest loss on the training rows counts, as for kanlib.
    seconds : after which a start is ended; what it had reached by then counts.
    """
    (X, y), (new_X, new_y) = train, test
    mean, scale = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-12)
    classes = np.unique(y)
    arrays = {
        "train_X": (X - mean) / scale,
        "train_y": np.searchsorted(classes, y),
        "test_X": (new_X - mean) / scale,
        "test_y": np.where(np.isin(new_y, classes), np.searchsorted(classes, new_y), -1),
    }
    widths = [X.shape[1], *(nodes if isinstance(nodes, int) else list(nodes) for nodes in hidden), len(classes)]
    settings = ["--widths", json.dumps(widths), "--grid", str(grid), "--steps", str(steps)]
    best: dict[str, float] = {"train_loss": math.inf}
    spent, notes = 0.0, []
    for start in range(starts):
        options = [*settings, "--seed", str(1000 * seed + start)]
        lines, note = peer_lines(interpreter, "pykan_classify.py", arrays, options, seconds)
        sound = [line for line in lines if math.isfinite(line["train_loss"])]
        if lines and len(sound) < len(lines):
            note = f"its loss is no number after step {sound[-1]['step'] if sound else 0}"
        if note and note not in notes:
            notes.append(note)
        spent += lines[-1]["seconds"] if lines else 0.0
        if sound and sound[-1]["train_loss"] < best["train_loss"]:
            best = sound[-1]
    if "accuracy" not in best:
        return ClassRow(math.nan, None, math.nan, "; ".join(notes) or "failed: it printed nothing")
    told = [f"step {best['step']:g} of {steps}", *([f"best of {starts} starts"] if starts > 1 else []), *notes]
    return ClassRow(best["accuracy"], int(best["parameters"]), spent, "; ".join(told))
