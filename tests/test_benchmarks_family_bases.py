"""The table of bases: its claims hold, can fail, and rest on a fit that is the least-squares one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.family import bases
from benchmarks.family.__main__ import main


def test_what_must_not_regress(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    threads = str(torch.get_num_threads())
    code = main(["--quick", "--only", "bases", "--threads", threads, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    assert (tmp_path / "family_bases.png").stat().st_size > 10_000


def test_errors_are_those_of_least_squares() -> None:
    """NumPy's polynomial through the same rows misses new rows as much as Chebyshev's basis does."""
    rng = torch.Generator().manual_seed(0)
    n, new = bases.ROWS, bases.NEW_ROWS
    x = (2 * torch.rand(n + new, 1, generator=rng, dtype=torch.float64) - 1)[:, 0]
    y = bases.TARGETS["kink"](x).numpy()
    curve = np.polynomial.Chebyshev.fit(x[:n].numpy(), y[:n], bases.GRID_SIZE + bases.DEGREE - 1)
    miss = curve(x[n:].numpy()) - y[n:]
    expected = np.sqrt(np.mean(miss**2)) / np.std(y[n:], ddof=1)
    assert bases.relative_rmse("chebyshev", bases.TARGETS["kink"], 0) == pytest.approx(expected, rel=1e-4)


def test_claims_can_fail() -> None:
    rows = [
        ["accuracy", name, target, 0, 0.1, 20, 4, "", "", "", ""] for name in bases.BASES for target in bases.TARGETS
    ]
    assert not any(bases._checks(rows).values())
