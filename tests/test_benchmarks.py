"""The benchmarks' claims of correctness (never their times), and that they print and write what they say."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
import torch

from kanlib import KANLayer
from kanlib.polynomials import extended_knots
from kanlib.splines import basis
from kanlib.symbolic import discover

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.foundation.__main__ import main  # noqa: E402
from benchmarks.foundation.discovery import discovery_table, is_exact  # noqa: E402
from benchmarks.foundation.efficient_kan import EfficientKANLayer, cox_de_boor  # noqa: E402
from benchmarks.foundation.fitting import CASES  # noqa: E402
from benchmarks.foundation.law import law, sample  # noqa: E402
from benchmarks.foundation.layers import SIZES, contestants, layer_table  # noqa: E402
from benchmarks.foundation.peer import pykan_table  # noqa: E402
from benchmarks.foundation.tables import BriefTable  # noqa: E402


def test_the_law_is_found_and_checked() -> None:
    table = discovery_table(1, log=False)
    assert table.rows[0][1] is True and table.checks["the exact law in 1 of 1 seeds"]
    assert "exp(b**2 + sin(pi*a))" in table.text()


def test_another_law_does_not_count_as_exact() -> None:
    X, _ = sample(300, 0)
    other = discover(X.numpy(), (X[:, 0] ** 2 + X[:, 1]).numpy(), names=["a", "b"])
    assert other.status == "found" and not is_exact(other)


@pytest.mark.parametrize(("degree", "grid_size"), [(1, 4), (3, 5), (3, 32)])
def test_the_peer_computes_the_same_splines(degree: int, grid_size: int) -> None:
    layer, peer = KANLayer(3, 2, grid_size, degree), EfficientKANLayer(3, 2, grid_size, degree)
    x = 1.98 * torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) - 0.99
    torch.testing.assert_close(peer.knots, extended_knots(layer.grid, degree))
    dense = basis(x, layer.grid, degree, uniform=True)
    torch.testing.assert_close(cox_de_boor(x, peer.knots, degree), dense, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        layer.coefficients.copy_(peer.spline_weight)
        layer.base_weight.copy_(peer.base_weight)
    torch.testing.assert_close(peer(x), layer(x), rtol=1e-4, atol=1e-5)


def test_all_contestants_have_the_shape_of_the_size() -> None:
    for size in SIZES:
        for module, x in contestants(size).values():
            assert module(x).shape == (size[0], size[2]) and x.requires_grad


def test_fits_are_as_close_as_claimed_and_tables_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    main(["--quick", "--only", "fitting", "--threads", str(threads), "--output", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "3. kanlib.fit on y = exp(sin(pi*a) + b^2)" in printed and "reached      KAN([2, 5, 1]" in printed
    with (tmp_path / "fitting.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "median", "worst"] * len(CASES)
    for case, row in zip(CASES, rows[::3]):
        assert float(row["test RMSE"]) < (case.rmse or 1e-6)
    assert all(row["cpu"] and row["date"] and row["torch"] == torch.__version__ for row in rows)


def test_the_layer_table_names_every_contestant() -> None:
    table = layer_table(2, sizes=[(8, 3, 2, 5)], log=False)
    assert [row[4] for row in table.rows] == ["kanlib", "efficient-kan", "nn.Linear", "equal-FLOP GEMM"]
    assert len(table.checks) == 1


def test_a_peer_that_is_missing_or_slow_is_a_row_that_says_so(tmp_path: Path) -> None:
    bare = tmp_path / "python"  # an interpreter without site-packages, so without pykan
    bare.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'kan'\" >&2\nexit 1\n")
    bare.chmod(0o755)
    assert "not installed" in pykan_table(str(bare), threads=1, time_limit=60).text()
    bare.write_text("#!/bin/sh\nexec sleep 60\n")
    assert "stopped after 0 s" in pykan_table(str(bare), threads=1, time_limit=0.1).text()


def test_the_package_never_imports_the_benchmarks() -> None:
    sources = [path for room in ("kanlib", "symbolic", "plots") for path in (ROOT / room).rglob("*.py")]
    assert sources and not [path for path in sources if "import benchmarks" in path.read_text(encoding="utf-8")]
    assert not [path for path in sources if "from benchmarks" in path.read_text(encoding="utf-8")]


def test_the_law_is_the_one_in_the_text() -> None:
    X = torch.tensor([[0.5, 1.0], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(law(X), torch.tensor([2.0, 0.0], dtype=torch.float64).exp())


def test_a_brief_table_is_written_in_full_and_printed_in_part(tmp_path: Path) -> None:
    rows = [["a", 1.0, "long"], ["b", 2.0, ""]]
    table = BriefTable("t", "title", ("model", "error", "curve"), rows, {}, ("curve",), lambda row: row[0] != "b")
    assert [line.split() for line in table.text().splitlines() if line][1:] == [
        ["model", "error"],
        ["-----"] * 2,
        ["a", "1"],
    ]
    with table.write(tmp_path, {"cores": 2}).open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["model", "error", "curve", "cores"],
            ["a", "1", "long", "2"],
            ["b", "2", "", "2"],
        ]
