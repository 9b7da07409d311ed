"""The autoencoders' table: rows are kept apart, PCA is what it should be, claims hold and can fail, all is drawn."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import autoencoder  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402
from benchmarks.family.trials import Setting, choose, matched_width, with_spread  # noqa: E402


def test_what_must_not_regress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = str(torch.get_num_threads())
    code = main(["--quick", "--only", "autoencoder", "--threads", threads, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    with (tmp_path / "family_autoencoder.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert {record["model"] for record in records} >= {
        "PCA",
        "KAN",
        "MLP",
    } and '"codes":' not in capsys.readouterr().out
    assert (tmp_path / "family_autoencoder.png").stat().st_size > 10_000


def test_rows_are_kept_apart() -> None:
    first, second = autoencoder.flat_digits(0), autoencoder.flat_digits(1)
    assert torch.equal(first.test, second.test) and not torch.equal(first.train, second.train)
    assert len(first.train) + len(first.validation) + len(first.test) == 1797
    rows = torch.cat([first.train, first.validation, first.test])
    assert len(rows.unique(dim=0)) == len(rows)  # no image twice, so none in two sets
    assert float(rows.min()) == 0.0 and float(rows.max()) == 1.0


def test_the_error_of_pca_is_what_its_components_leave() -> None:
    data = autoencoder.flat_digits(0)
    row = autoencoder._pca(8, 0)
    centre = data.train.mean(0)
    _, _, axes = torch.linalg.svd(data.train - centre, full_matrices=False)
    left = (data.test - centre) - (data.test - centre) @ axes[:8].T @ axes[:8]
    assert row[3] == pytest.approx(float(left.square().mean()), rel=1e-3)


@pytest.mark.parametrize("code", autoencoder.CODES)
def test_the_perceptron_has_as_many_parameters(code: int) -> None:
    new = autoencoder._models(code)
    kan, mlp = (new[name](torch.Generator(), autoencoder.flat_digits(0).train[:50]) for name in ("KAN", "MLP"))
    assert n_parameters(mlp) == pytest.approx(n_parameters(kan), rel=0.02)


def _row(model: str, code: int, error: float, accuracy: float, seed: int = 0) -> list[object]:
    return [model, code, seed, error, accuracy, 1, "", "", 1.0, ""]


def test_claims_can_fail() -> None:
    good = [_row("PCA", 2, 0.05, 0.6), _row("KAN", 2, 0.03, 0.8), _row("KAN without hidden layers", 2, 0.04, 0.6)]
    assert all(autoencoder._checks(good).values())
    for worse in (_row("KAN", 2, 0.06, 0.8), _row("KAN", 2, 0.03, 0.65)):
        bad = [worse if old[0] == worse[0] else old for old in good]
        assert not all(autoencoder._checks(bad).values())


def test_claims_on_who_is_ahead_are_of_paired_tests() -> None:
    flat = "KAN without hidden layers"
    errors = {
        **{("PCA", code): 0.05 for code in (2, 4, 8, 16)},
        **{("KAN", code): 0.03 for code in (2, 4, 8)},
        **{("MLP", code): 0.02 for code in (4, 8)},
        **{(flat, code): 0.04 for code in (2, 4, 8)},
        ("KAN", 16): 0.05,
        ("MLP", 16): 0.04,
        (flat, 16): 0.06,
        ("MLP", 2): 0.03,
    }

    def held(**changes: float) -> bool:
        given = errors | {(name, int(code)): value for key, value in changes.items() for name, code in [key.split("_")]}
        # Seeds differ by 0.001 at 3, and the perceptron with two numbers by another pattern: a tie.
        return all(
            autoencoder._checks(
                [
                    _row(model, code, error + (0.001 * seed if (model, code) != ("MLP", 2) else 0.001 * (2 - seed)),
                         0.8 if model == "KAN" else 0.6, seed)
                    for (model, code), error in given.items()
                    for seed in range(3)
                ]
            ).values()
        )  # fmt: skip

    assert held()
    for change in ({"MLP_8": 0.03}, {"MLP_2": 0.01}, {"KAN_16": 0.04}, {f"{flat}_16": 0.04}, {f"{flat}_4": 0.05}):
        assert not held(**change), change


def test_neighbours_are_asked_about_new_rows() -> None:
    codes, labels = torch.arange(20.0)[:, None], torch.arange(20) // 10
    new = torch.tensor([[2.5], [17.5], [3.5]])
    assert autoencoder.neighbour_accuracy(codes, labels, new, torch.tensor([0, 1, 1])) == pytest.approx(2 / 3)


def test_summaries_and_choices() -> None:
    columns = ("model", "seed", "error", "note")
    rows = [["a", 0, 1.0, "x"], ["b", 0, 5.0, "y"], ["a", 1, 3.0, "x"], ["a", 2, 5.0, "x"]]
    found = with_spread(columns, rows, ("model",), ("error",))
    assert found[:4] == rows and found[4:] == [["a", "mean", 3.0, "x"], ["a", "std", 2.0, "x"]]  # b has one seed
    settings = (Setting(1.0), Setting(0.1), Setting(0.01))
    assert choose(lambda s: {1.0: float("nan"), 0.1: 0.5, 0.01: 0.7}[s.learning_rate], settings) == settings[1]
    assert matched_width(lambda width: 10 * width + 3, 104) == 10
