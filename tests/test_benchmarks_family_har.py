"""The sensor windows' table: people are kept apart, windows are what they are said to be, claims hold and can fail."""

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

from benchmarks.family import har, har_data  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.har_data import ACTIVITIES, LENGTH, RATE, split  # noqa: E402
from benchmarks.family.har_features import hand_features  # noqa: E402
from benchmarks.family.har_models import MODELS, new_model  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402


def test_what_must_not_regress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = str(torch.get_num_threads())
    code = main(["--quick", "--only", "har", "--threads", threads, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    with (tmp_path / "family_har.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert {record["model"] for record in records} == {*MODELS, har.HAND}
    assert (tmp_path / "family_har.png").stat().st_size > 10_000


def test_sets_are_of_other_people() -> None:
    sets = split(3, 0.0, people=(3, 2, 2), windows=2)
    assert [len(s.X) for s in sets] == [3 * 12, 2 * 12, 2 * 12]
    # The mean of a window without noise is gravity, turned, plus the person's offset: the same for all of a person's,
    # up to cycles that the window cuts, and so far apart for two people.
    means = torch.cat([s.X.mean(-1) for s in sets]).reshape(7, 12, 6)
    centre = means.mean(dim=1)
    apart = torch.cdist(centre, centre) + 9 * torch.eye(7)
    assert float(apart.min()) > 0.05
    assert not torch.equal(split(4, 0.0)[0].X[:5], split(3, 0.0)[0].X[:5])


def test_another_noise_is_the_same_windows() -> None:
    clean, noisy = split(0, 0.0, people=(1, 1, 1), windows=2)[0], split(0, 0.5, people=(1, 1, 1), windows=2)[0]
    left = noisy.X - clean.X
    assert float(left.std()) == pytest.approx(0.5, rel=0.05) and float(left.mean().abs()) < 0.05
    assert clean.y.tolist() == [k for k in range(len(ACTIVITIES)) for _ in range(2)]


def test_a_rotation_keeps_lengths() -> None:
    turn = har_data._rotation(0.7, torch.tensor([1.0, 2.0, -1.0]))
    torch.testing.assert_close(turn @ turn.T, torch.eye(3))
    torch.testing.assert_close(turn.trace(), torch.tensor(1 + 2 * math.cos(0.7)))
    axis = torch.tensor([1.0, 2.0, -1.0])
    torch.testing.assert_close(turn @ axis, axis)


def test_features_by_hand() -> None:
    t = torch.arange(LENGTH) / RATE
    X = torch.zeros(1, 6, LENGTH)
    X[0, 0] = 2 + 3 * torch.sin(2 * math.pi * 4 * t)
    X[0, 1] = -3 * torch.sin(2 * math.pi * 4 * t)
    found = hand_features(X)[0]
    assert found.shape == (24 + 6 * 6 + 15 + 4,)
    assert float(found[0]) == pytest.approx(2.0, abs=1e-4) and float(found[6]) == pytest.approx(3 / 2**0.5, rel=0.01)
    assert float(found[12]) == pytest.approx(math.log(4 + 4.5), rel=1e-3) and float(found[18]) == pytest.approx(6.0)
    assert float(found[24]) == pytest.approx(4.0)  # the highest line is that of the sine
    assert float(found[24 + 36]) == pytest.approx(-1.0, abs=1e-4)  # channels 0 and 1 are each other's opposite
    assert bool(found[:24].isfinite().sum() == 20)  # the energy of a silent channel has no logarithm


def test_contestants_have_about_as_many_parameters() -> None:
    X = split(0, 0.3, people=(1, 1, 1), windows=2)[0].X
    counts = {name: n_parameters(new_model(name, X, torch.Generator().manual_seed(0))) for name in MODELS}
    for count in counts.values():
        assert count == pytest.approx(counts["KAN convolution"], rel=0.15), counts
    assert counts["CNN"] == pytest.approx(counts["KAN convolution"], rel=0.05)
    assert counts["MLP mixer"] == pytest.approx(counts["KAN-MLP mixer"], rel=0.05)


def test_first_weights_are_the_seeds() -> None:
    X = split(0, 0.3, people=(1, 1, 1), windows=2)[0].X
    for name in MODELS:
        vectors = []
        for seed in (1, 1, 2):
            model = new_model(name, X, torch.Generator().manual_seed(seed))
            vectors.append(nn.utils.parameters_to_vector(model.parameters()))
        a, b, c = vectors
        assert torch.equal(a, b) and not torch.equal(a, c), name


def test_scores() -> None:
    truth, named = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 1])
    accuracy, f1 = har.scores(truth, named)
    assert accuracy == 0.75 and f1 == pytest.approx((0.8 + 2 / 3) / 2)


def test_claims_can_fail() -> None:
    def row(model: str, accuracy: float) -> list[object]:
        return [har.NOISES[0], model, 0, accuracy, accuracy, 1, "", "", 1.0, ""]

    good = [row("KAN convolution", 0.95), row("CNN", 0.95), row(har.HAND, 0.95)]
    assert all(har._checks(good).values())
    for worse in good:
        bad = [row(str(old[1]), 0.8) if old is worse else old for old in good]
        assert not all(har._checks(bad).values())
