"""The table of KAN convolutions: both ways give one result, and claims can fail. Times are no matter of tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import convolution  # noqa: E402
from benchmarks.family.convolution import KINDS, Case, Unfolded  # noqa: E402
from benchmarks.parts import Options  # noqa: E402


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unfolding_gives_the_same(n: int) -> None:
    case = Case(n, 2, 3, 3, 5, 2)
    ours = KINDS[n][0](2, 3, 3, padding=1, init="lecun")
    x = torch.rand(2, 2, *[5] * n, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Unfolded(ours)(x), ours(x), atol=1e-5, rtol=1e-5)
    assert str(case).startswith(f"{n}-D: 2 to 3 channels")


def test_a_quick_run_has_all_contestants() -> None:
    table = convolution.make(Options(quick=True, seeds=1, log=False))
    assert len(table.rows) == 4 * 3 and all(float(str(row[4])) > 0 for row in table.rows)
    ratios = [row[7] for row in table.rows if row[1] == convolution.FLOOR]
    assert ratios == [1.0] * 3


def test_claims_can_fail() -> None:
    def rows(ours: float) -> list[list[object]]:
        return [
            [f"{n}-D", model, "ms", "", value]
            for n in (1, 2)
            for model, value in ((convolution.OURS, ours), (convolution.UNFOLDED, 10.0))
        ]

    assert list(convolution.checks(rows(1.0)).values()) == [True, True]
    assert list(convolution.checks(rows(5.0)).values()) == [True, False]
    assert list(convolution.checks(rows(11.0)).values()) == [False, False]


def test_the_claim_on_digits_is_of_a_paired_test() -> None:
    times = [
        ["2-D", model, "ms", "", value] for model, value in ((convolution.OURS, 1.0), (convolution.UNFOLDED, 10.0))
    ]

    def held(*ours: float) -> bool:
        digits = [
            ["digits", model, "accuracy", seed, value]
            for model, own in ((convolution.DIGITS_OURS, ours), (convolution.PLAIN, (0.95, 0.96, 0.94)))
            for seed, value in enumerate(own)
        ]
        return all(convolution.checks([*times, *digits]).values())

    assert held(0.92, 0.931, 0.91)
    assert not held(0.92, 0.97, 0.95) and not held(0.98, 0.991, 0.97)
