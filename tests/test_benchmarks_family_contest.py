"""The contest is fair: rates are chosen by validation rows alone, and what is not finite is noticed."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import torch
from scipy.stats import ttest_rel
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import contest  # noqa: E402
from benchmarks.family.contest import Split, against, compete  # noqa: E402


def _split(seed: int) -> Split:
    x = torch.randn(90, 2, generator=torch.Generator().manual_seed(seed))
    y = x.sum(1, keepdim=True)
    return Split((x[:30], y[:30]), (x[30:60], y[30:60]), (x[60:], float("nan") * y[60:]))


def _build(seed: int, split: Split) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(2, 1)


def test_the_docstrings_run() -> None:
    assert doctest.testmod(contest).failed == 0


def test_the_rate_is_chosen_on_the_first_seed_by_validation() -> None:
    """Test rows are NaN: nothing is read from them. A rate that moves nothing and one that is too large lose."""
    for rates in ((1e-6, 0.1, 1e6), (0.1, 1e6, 1e-6)):
        entries = list(compete(_build, _split, nn.functional.mse_loss, seeds=3, rates=rates, epochs=40, batch_size=10))
        assert [entry.seed for entry in entries] == [0, 1, 2]
        assert {entry.learning_rate for entry in entries} == {0.1} and not any(entry.note for entry in entries)
        assert all(entry.trained.validation_loss < 0.01 and entry.finite for entry in entries)


def test_a_rate_at_the_end_of_the_set_is_noted() -> None:
    for rates, note in (((1e-6, 0.1), "highest rate tried"), ((1e6, 0.1), "lowest rate tried"), ((0.1,), "")):
        entries = compete(_build, _split, nn.functional.mse_loss, seeds=2, rates=rates, epochs=20, batch_size=10)
        assert [entry.note for entry in entries] == [note] * 2


def test_a_loss_that_is_not_finite_is_noticed() -> None:
    def broken(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean() * float("inf")

    (entry,) = compete(_build, _split, broken, seeds=1, rates=(0.1,), epochs=1)
    assert not entry.finite


def test_against_tells_who_wins() -> None:
    assert against([1.0, 2.0, 3.0], [0.5, 1.5, 2.5]) == "wins: +0.5 ± 0, better in 3 of 3"
    assert against([1.0, 2.0, 3.0], [0.5, 1.5, 2.5], "lower") == "loses: +0.5 ± 0, better in 0 of 3"
    assert against([1.0], [2.0]) == "undecided: -1, better in 0 of 1"


def test_the_verdict_is_that_of_a_paired_test() -> None:
    generator = torch.Generator().manual_seed(0)
    words = set()
    for shift in (0.0, 0.5, 1.0, 2.0):
        a, b = (torch.randn(5, generator=generator, dtype=torch.float64) for _ in range(2))
        word = against((a + shift).tolist(), b.tolist()).split(":")[0]
        words.add(word)
        assert (word == "undecided") == (ttest_rel(a.numpy() + shift, b.numpy()).pvalue > 0.05)
    assert words == {"undecided", "wins"}
