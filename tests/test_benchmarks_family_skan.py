"""The table of S-KAN: targets are what they are called, claims can fail, and what must not regress holds."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import skan  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.skan_contestants import Outcome, count, least_squares  # noqa: E402
from benchmarks.family.skan_digits import PLAIN, SELECTIVE, conv_kan, plain_net, selective_net  # noqa: E402
from benchmarks.family.skan_targets import FUNCTIONS, NESTED, TARGETS, best_basis, rows_of  # noqa: E402
from kanlib.architectures import prune_bases  # noqa: E402
from kanlib.architectures.skan import POOL  # noqa: E402

F64 = torch.float64


def test_what_must_not_regress(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--quick", "--only", "skan", "--threads", str(torch.get_num_threads())])
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("kind", [kind for kind, (_, planted) in FUNCTIONS.items() if planted])
def test_planted_functions_are_in_the_span_of_their_basis(kind: str) -> None:
    rows, planted = rows_of(kind, 3), FUNCTIONS[kind][1]
    assert best_basis(rows.functions[0], POOL) == planted
    # what is left is the noise of 300 rows in eleven numbers
    assert least_squares(planted, rows).test < 3 * 0.05 * (11 / 300) ** 0.5


@pytest.mark.parametrize("target", TARGETS)
def test_targets_have_spread_one_and_test_rows_no_noise(target: str) -> None:
    rows = rows_of(target, 1)
    X, y = rows.test
    assert 0.9 < float(y.std()) < 1.1
    if target != NESTED:
        total = torch.stack([f(X[:, k].double()) for k, f in enumerate(rows.functions)]).sum(0)
        torch.testing.assert_close(total.float(), y[:, 0], atol=1e-4, rtol=1e-4)
    assert not torch.equal(rows_of(target, 2).train[0], rows.train[0])


def test_contestants_on_digits_have_as_many_numbers() -> None:
    one, pool, plain = conv_kan("fourier", 0), selective_net(0), plain_net(0)
    assert count(pool) > 4 * count(one)
    prune_bases(pool)
    assert count(pool) == count(one) and abs(count(plain) / count(one) - 1) < 0.05


def _runs(error: float) -> list[skan.Run]:
    """Runs in which S-KAN has that error and the right bases, and every other contestant the error 0.1."""
    runs = []
    for target in ("spline", "spline + sine"):
        right = ("bspline", "fourier")[: len(TARGETS[target])]
        for model in (*skan.RANKED, *(f"{name}, least squares" for name in skan.SINGLES)):
            chosen = right if model == skan.SKAN_NAME else ("chebyshev",) * len(right)
            outcome = Outcome(error if model == skan.SKAN_NAME else 0.1, 0.1, 11, 1.0, chosen)
            runs.append(skan.Run(target, model, 0, outcome, best_alone=right))
    return runs


def test_claims_can_fail() -> None:
    assert all(skan.checks(_runs(0.05)).values())
    worse = list(skan.checks(_runs(0.2)).values())
    assert worse[:4] == [False] * 4 and all(worse[4:])
    wrong = [
        replace(run, outcome=replace(run.outcome, chosen=("chebyshev",) * len(run.best_alone))) for run in _runs(0.05)
    ]
    assert list(skan.checks(wrong).values())[4:] == [False, True]  # one seed: no worse is enough
    rivals = [
        replace(run, outcome=replace(run.outcome, chosen=run.best_alone)) if run.model == skan.GATES else run
        for run in wrong
    ]
    assert list(skan.checks(rivals).values())[4:] == [False, False]


def test_within_seed_noise_is_of_paired_differences() -> None:
    """Errors that vary much from target to target are no slack: what counts is the spread of differences."""

    def runs(*differences: float) -> list[skan.Run]:
        return [
            replace(run, seed=seed, outcome=replace(run.outcome, test=0.1 + 0.05 * seed + own))
            for seed, difference in enumerate(differences)
            for run in _runs(0.1)
            for own in (difference if run.model == skan.SKAN_NAME else 0.0,)
        ]

    first = "one variable: S-KAN is within seed noise of the best basis, trained"
    assert skan.checks(runs(0.01, -0.01, 0.012))[first]
    assert not skan.checks(runs(0.01, 0.011, 0.012))[first]


def test_the_claim_on_digits_is_of_a_paired_test() -> None:
    def held(*ours: float) -> bool:
        digits = [
            skan.Run("digits", model, seed, Outcome(value, 0.9, 1, 1.0), metric="accuracy")
            for model, own in ((SELECTIVE, ours), (PLAIN, (0.95, 0.96, 0.94)))
            for seed, value in enumerate(own)
        ]
        planted = [replace(run, seed=seed) for seed in range(3) for run in _runs(0.05)]
        return list(skan.checks([*planted, *digits]).values())[-1]

    assert held(0.92, 0.931, 0.91)
    assert not held(0.92, 0.97, 0.95) and not held(0.98, 0.991, 0.97)
