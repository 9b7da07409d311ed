"""The benchmark of depth: what must not regress holds, what it measures is right, and its claims can fail."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import deep  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.deep_models import CONTESTANTS, DEPTH, growth  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402
from kanlib import KANLayer  # noqa: E402


def test_what_must_not_regress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = str(torch.get_num_threads())
    code = main(["--quick", "--only", "deep", "--threads", threads, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    with (tmp_path / "family_deep.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == set(CONTESTANTS)
    assert (tmp_path / "family_deep.png").stat().st_size > 10_000


def test_the_function_is_friedmans() -> None:
    split = deep.friedman(3)
    raw = deep.make_friedman1(2100, n_features=10, noise=0.0, random_state=3)
    x = raw[0]
    y = 10 * _sin(x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    y = torch.as_tensor(y, dtype=torch.float32)
    torch.testing.assert_close(split.test[1][:, 0], (y[1100:] - y[:800].mean()) / y[:800].std(), atol=1e-4, rtol=1e-4)
    assert [len(rows[0]) for rows in (split.train, split.validation, split.test)] == [800, 300, 1000]
    torch.testing.assert_close(split.train[0].std(0), torch.ones(10))


def _sin(products: object) -> object:
    return torch.sin(math.pi * torch.as_tensor(products)).numpy()


def test_deep_ones_are_deep_and_all_have_as_many_parameters() -> None:
    X = deep.friedman(0).train[0]
    modules = {name: contestant.build(X, 0) for name, contestant in CONTESTANTS.items()}
    counts = [n_parameters(module) for module in modules.values()]
    assert max(counts) < 1.1 * min(counts)
    for name, module in modules.items():
        layers = sum(isinstance(m, KANLayer) for m in module.modules())
        expected = {"residual MLP": 0, "shallow KAN": 2}.get(name, DEPTH + 2)
        assert layers == expected, name


class _Chain(nn.Module):
    """x -> 2 x -> 6 x -> the sum of 6 x: everything is known."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def activations(self, x: torch.Tensor) -> list[torch.Tensor]:
        first = self.factor * x
        second = 3 * first
        return [first, second, second.sum(1, keepdim=True)]


def test_growth_is_measured_right() -> None:
    X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    sizes, slopes, shares = growth(_Chain(), X, torch.zeros(50, 1))
    rms = float(X.square().mean().sqrt())
    assert sizes == pytest.approx([2 * rms, 6 * rms], rel=1e-5)
    assert slopes[0] / slopes[1] == pytest.approx(3, rel=1e-5)
    # d/dh of mean over rows of s^2 is 2 s / n in every column; times n.
    assert slopes[1] == pytest.approx(float((2 * 6 * X.sum(1)).square().mean().sqrt()), rel=1e-5)
    assert shares[0] == pytest.approx(float(X.var(0, correction=0).mean() / X.square().mean()), rel=1e-5)


def test_claims_can_fail() -> None:
    def rows(**changes: object) -> dict[str, list[list[object]]]:
        good: dict[str, list[object]] = {}
        for name in CONTESTANTS:
            good[name] = [name, 0, 0.1, "", 0, 1e-2, 100, 1.0, 1.0, 1.0, 0.8, "", ""]
            good[name][2] = 0.4 if name.startswith("plain") else 0.1
        good["plain stack, default first weights"][9] = 1e-6
        good["plain stack, variance kept"][10] = 0.05
        for column, value in changes.items():
            good[deep.DEEP][{"error": 2, "diverged": 4, "count": 6, "values": 8, "gradients": 9}[column]] = value
        return {name: [row] for name, row in good.items()}

    assert all(deep._checks(rows(), quick=True).values())
    for bad in ({"diverged": 1}, {"count": 150}, {"values": 0.4}, {"gradients": 3.0}):
        assert not all(deep._checks(rows(**bad), quick=True).values()), bad
    assert all(deep._checks(rows(), quick=False).values())
    assert not all(deep._checks(rows(error=0.3), quick=False).values())
