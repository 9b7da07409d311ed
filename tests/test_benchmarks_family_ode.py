"""The KAN-ODE table: its claims hold, formulas are judged as it says, and all is written and drawn."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from sympy import Integer, Rational, sin, symbols

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import ode_fields  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.lotka_volterra import N_KNOWN, TIMES, compare, solve, trajectory  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402

x, y = symbols("x y", real=True)


def test_only_the_true_terms_are_right() -> None:
    assert compare([x * (Rational(3, 2) - y), 3 * x * y - y]) == (True, 0.0)
    right, worst = compare([1.5 * x - x * y, 3.03 * x * y - y])
    assert right and worst == pytest.approx(0.01)
    for wrong in (x * (Rational(3, 2) - y) + Rational(1, 1000), sin(x) * y, Integer(0), x - y):
        assert not compare([wrong, 3 * x * y - y])[0]
        assert not compare([x * (Rational(3, 2) - y), wrong])[0]


def test_the_trajectory_keeps_what_the_system_keeps() -> None:
    """delta x - gamma log x + beta y - alpha log y is constant along an orbit."""
    u = trajectory()
    kept = 3 * u[:, 0] - u[:, 0].log() + u[:, 1] - 1.5 * u[:, 1].log()
    assert float(kept.max() - kept.min()) < 1e-8 and u.shape == (141, 2)


def test_solutions_are_followed_until_they_run_away() -> None:
    matrix = np.array([[0.0, 1.0], [-1.0, 0.0]])
    found = solve(lambda u: matrix @ u, (1.0, 0.0))
    expected = np.stack([expm(matrix * t) @ [1.0, 0.0] for t in TIMES.tolist()])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    lost = solve(lambda u: u**2)  # 1 / (1 - t)
    assert bool(lost[:9].isfinite().all()) and bool(lost[-1].isnan().all())


def test_what_is_compared_has_the_sizes_it_says_and_its_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ode_fields, "ITERATIONS", 5)
    known = trajectory()[:N_KNOWN]
    torch.manual_seed(1)
    first = {name: new(known, 0) for name, new in ode_fields.FIELDS.items() if "32" not in name}
    sizes = [n_parameters(model) for model in first.values()]
    assert sizes == [187, 187, 60, 60]
    torch.manual_seed(2)
    name = "MLP [2, 37, 2]"
    assert torch.equal(ode_fields.FIELDS[name](known, 0)(known), first[name](known))
    (starts, pieces), _ = ode_fields.pieces(known)
    assert torch.equal(pieces[3], known[3:9]) and torch.equal(starts[3], known[3])


def test_the_claims_hold_and_are_written_and_drawn(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    assert main(["--quick", "--only", "ode", "--threads", str(threads), "--output", str(tmp_path)]) == 0
    with (tmp_path / "family_ode.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    law = next(record for record in records if record["model"] == "law")
    assert (law["dx/dt"], law["dy/dt"]) == ("x*(3/2 - y)", "3*x*y - y")
    assert sum(record["model"].startswith("edge") for record in records) == 4
    assert (tmp_path / "family_ode.png").stat().st_size > 10_000
