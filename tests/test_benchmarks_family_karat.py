"""The attention benchmark: what must not regress holds, its rows are apart, and its claims can fail."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import karat  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.digits import digits  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402


def test_what_must_not_regress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = str(torch.get_num_threads())
    code = main(["--quick", "--only", "karat", "--threads", threads, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    with (tmp_path / "family_karat.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == set(karat.CONTESTANTS)
    assert (tmp_path / "family_karat.png").stat().st_size > 10_000


def test_pixels_are_scaled() -> None:
    images, labels = karat.scaled_digits(3).train
    unscaled = digits(3).train
    torch.testing.assert_close(images, 2 * unscaled[0] - 1)
    assert torch.equal(labels, unscaled[1])


def test_all_have_as_many_parameters() -> None:
    counts = [n_parameters(karat.build(name, 0)) for name in karat.CONTESTANTS]
    assert max(counts) < 1.1 * min(counts)


def test_claims_can_fail() -> None:
    def row(count: int) -> list[object]:
        return ["model", 0, "0.97", "", 0.1, 1e-2, count, 1.0, "", "", "", ""]

    ties = {name: [0.93, 0.97, 0.94] for name in karat.CONTESTANTS if name.startswith("KArAt")}
    good = ties | {"softmax": [0.94, 0.95, 0.945], "uniform": [0.93, 0.94, 0.935], karat.STATIC: [0.96, 0.97, 0.966]}
    assert good.keys() == karat.CONTESTANTS.keys()

    def held(*counts: int, **changes: list[float]) -> bool:
        return all(karat._checks(good | changes, [row(count) for count in counts], quick=False).values())

    assert held(100, 105)
    assert not held(100, 120)
    for name, values in (
        ("uniform", [0.5, 0.51, 0.505]),
        ("uniform", [0.96, 0.95, 0.99]),
        ("softmax", [0.96, 0.95, 0.99]),
        ("KArAt, shared", [0.98, 0.99, 0.986]),
        ("KArAt, blockwise", [0.95, 0.96, 0.955]),
        ("KArAt, blockwise", [0.93, 0.94, 0.935]),
    ):
        assert not held(100, **{name: values}), (name, values)
