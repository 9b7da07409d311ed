"""Part 5, continual learning: five Gaussian peaks, one after another, each learned from its own rows alone.

The KAN paper's claim (arXiv 2404.19756, section 3.5) is by picture: a KAN of one layer keeps the peaks it has seen, a
perceptron does not. pykan's notebook prints a root mean squared error of 4.0e-6 after every phase. It holds for local
splines only, and the rows that show what breaks it are part of the table: a base function or a bias that learns, a
hidden layer, and to a degree rows that end in the middle of a cell (the spline across the border belongs to both).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options

from .continual_learners import LEARNERS, PEER, Learner
from .continual_picture import draw
from .pykan_peer import peer_lines

__all__ = ["draw", "even_rows", "learn_phases", "make", "peaks", "random_rows"]

N_PEAKS, N_ROWS, N_TEST = 5, 100, 1000  # rows and new points of every region
PUBLISHED = 4.0e-6  # the error of each phase in pykan's notebook
FORGOTTEN = 0.01  # of peaks of height 1
RANDOM = "KAN [1, 1]: random rows"
COLUMNS = (
    *("learner", "seed", "phase", "RMSE of its region", "RMSE of the regions so far", "RMSE of all five"),
    *("error of an earlier region, now / when learned", "seconds", "note", "curve"),
)


def peaks(x: Tensor) -> Tensor:
    """Five peaks exp(-300 (x - c)^2), their centres 0.4 apart, on [-1, 1]."""
    centres = 0.4 * (torch.arange(N_PEAKS, dtype=x.dtype) - (N_PEAKS - 1) / 2)
    return torch.exp(-300 * (x[..., None] - centres) ** 2).sum(-1)


def even_rows(seed: int = 0) -> Tensor:
    """The rows of every phase, (5, 100): even from -1 to 1, as in pykan's notebook."""
    return torch.linspace(-1, 1, N_PEAKS * N_ROWS, dtype=torch.float64).reshape(N_PEAKS, N_ROWS)


def random_rows(seed: int) -> Tensor:
    """The same number of rows, uniform in every region, so that they end somewhere in a cell."""
    unit = torch.rand(N_PEAKS, N_ROWS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 0.4 * (unit + torch.arange(N_PEAKS)[:, None]) - 1


def new_points() -> Tensor:
    """Even points between the rows, (5, 1000)."""
    n = N_PEAKS * N_TEST
    return (2 * (torch.arange(n, dtype=torch.float64) + 0.5) / n - 1).reshape(N_PEAKS, N_TEST)


def learn_phases(learner: Learner, rows: Tensor) -> list[tuple[Tensor, float]]:
    """Train on one phase after another; the prediction at all new points, (5, 1000), and seconds so far."""
    found = []
    points, seconds = new_points(), 0.0
    for x in rows:
        start = time.perf_counter()
        learner.learn(x, peaks(x))
        seconds += time.perf_counter() - start
        found.append((learner.predict(points.flatten()).reshape(points.shape), seconds))
    return found


def judge(name: str, seed: int, found: Sequence[tuple[Tensor, float]], note: str = "") -> list[list[object]]:
    """A row a phase."""
    truth = peaks(new_points())
    rows: list[list[object]] = []
    own: list[float] = []
    for phase, (values, seconds) in enumerate(found):
        squares = (values - truth).square().mean(dim=1)
        errors = squares.sqrt().tolist()
        own.append(errors[phase])
        ratio = max(now / max(was, 1e-300) for now, was in zip(errors, own))
        seen, every = float(squares[: phase + 1].mean().sqrt()), float(squares.mean().sqrt())
        # A picture shows no more than two places; and one seed.
        step = N_TEST // 40
        curve = " ".join(f"{v:.2f}" for v in values.flatten()[::step].clamp(-9, 9).tolist()) if seed == 0 else ""
        rows.append([name, seed, phase + 1, errors[phase], seen, every, ratio, seconds, note, curve])
    return rows


def make(options: Options) -> Table:
    """Every learner and seed, five rows each; pykan where there is an interpreter that has it."""
    jobs: list[tuple[str, Callable[[int], Learner], Callable[[int], Tensor]]] = [
        (name, new, even_rows) for name, new in LEARNERS.items()
    ]
    first, new, _ = jobs[0]
    jobs.insert(1, (RANDOM, new, random_rows))
    rows: list[list[object]] = []
    for name, new, draw_rows in jobs:
        for seed in range(options.seeds):
            rows += judge(name, seed, learn_phases(new(seed), draw_rows(seed)))
        options.say(f"{name}: RMSE of all five peaks {rows[-1][5]:.2g}")
    if options.peer_python and not options.quick:
        for seed in range(options.seeds):
            rows += _pykan(options.peer_python, seed)
        options.say(f"{PEER}: RMSE of all five peaks {rows[-1][5]}")
    return BriefTable(
        "paper_continual",
        f"5. Continual learning: {N_PEAKS} Gaussian peaks in sequence, {N_ROWS} rows a phase, error on new points",
        COLUMNS,
        rows,
        _checks(rows, first),
        hidden=("curve",),
    )


def _pykan(interpreter: str, seed: int) -> list[list[object]]:
    x = even_rows()
    arrays = {"x": x.numpy(), "y": peaks(x).numpy(), "test": new_points().flatten().numpy()}
    lines, note = peer_lines(interpreter, "pykan_continual.py", arrays, ["--seed", str(seed)], 400.0)
    shape = (N_PEAKS, N_TEST)
    found = [
        (torch.tensor(line["values"], dtype=torch.float64).reshape(shape), float(line["seconds"])) for line in lines
    ]
    rows = judge(PEER, seed, found)
    return rows + ([[PEER, seed, *[""] * 6, note, ""]] if note else [])


def _checks(rows: Sequence[Sequence[object]], first: str) -> dict[str, bool]:
    def last(learner: str, column: int) -> list[float]:
        return [float(str(row[column])) for row in rows if learner in str(row[0]) and row[2] == N_PEAKS]

    own = [float(str(row[3])) for row in rows if row[0] == first]
    return {
        f"{first}: every phase ends at the published {PUBLISHED:.1e}": max(own) < 1.05 * PUBLISHED,
        f"{first}: so does the curve of all five": max(last(first, 5)) < 1.05 * PUBLISHED,
        f"{first}: no earlier region is worse by a hundredth": max(last(first, 6)) < 1.01,
        "MLPs forget: their curve of all five is wrong by more than a tenth of a peak": min(last("MLP", 5)) > 0.1,
        "deep KANs forget: by more than a twentieth": min(last("deep KAN", 5)) > 0.05,
        f"a base function forgets: by more than {FORGOTTEN:g}": min(last("with a base", 5)) > FORGOTTEN,
        f"so does a bias that learns: by more than {FORGOTTEN / 2:g}": min(last("bias learns", 5)) > FORGOTTEN / 2,
        f"random rows: the curve of all five is within {FORGOTTEN:g}": max(last(RANDOM, 5)) < FORGOTTEN,
    }
