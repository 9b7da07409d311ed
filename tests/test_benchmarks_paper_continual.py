"""Part 5 of the paper's tables: its claims hold, forgetting is measured as it says, and all is written and drawn."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.paper import continual, pykan_peer  # noqa: E402
from benchmarks.paper.__main__ import main  # noqa: E402
from benchmarks.paper.continual_learners import LEARNERS, KANLearner, MLPLearner  # noqa: E402
from benchmarks.parts import Options  # noqa: E402


def test_the_peaks_have_height_one_and_each_phase_has_its_own() -> None:
    rows = continual.even_rows()
    assert rows.shape == (5, 100) and torch.equal(rows.flatten(), rows.flatten().sort().values)
    torch.testing.assert_close(continual.peaks(torch.tensor([-0.8, 0.0, 0.4])), torch.ones(3), atol=1e-6, rtol=0)
    for x in (*rows, *continual.random_rows(0)):
        assert 0.9 < float(continual.peaks(x).max()) <= 1.0 + 1e-6
        assert float(x.max() - x.min()) <= 0.4


def test_the_error_of_a_learner_that_forgets_all_grows() -> None:
    truth = continual.peaks(continual.new_points())
    keeps = [(truth + 1e-3, 1.0)] * 5
    forgets = [(torch.where(torch.arange(5)[:, None] == phase, truth + 1e-3, 0.0), 1.0) for phase in range(5)]
    assert continual.judge("a", 0, keeps)[-1][3:7] == pytest.approx([1e-3, 1e-3, 1e-3, 1.0])
    lost = continual.judge("b", 1, forgets)
    assert lost[0][6] == pytest.approx(1.0) and float(str(lost[-1][6])) > 100 and float(str(lost[-1][4])) > 0.1
    assert lost[-1][-1] == ""  # curves of the first seed only


def test_learners_start_from_their_seed_alone() -> None:
    x = continual.even_rows()[0]
    for new in (lambda seed: KANLearner(seed), lambda seed: MLPLearner(seed, "adam")):
        torch.manual_seed(5)
        first = new(0).predict(x)
        torch.manual_seed(6)
        torch.testing.assert_close(new(0).predict(x), first)
        assert not torch.equal(new(1).predict(x), first)


def test_the_claims_about_kans_hold_and_are_written_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {name: new for name, new in LEARNERS.items() if not name.startswith("MLP")}
    quick["MLP: a line"] = lambda seed: KANLearner(seed, widths=(1, 1), grid_size=1)  # perceptrons take their time
    monkeypatch.setattr(continual, "LEARNERS", quick)
    threads = torch.get_num_threads()
    assert main(["--quick", "--only", "continual", "--threads", str(threads), "--output", str(tmp_path)]) == 0
    with (tmp_path / "paper_continual.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    assert len(records) == 5 * (len(quick) + 1)
    assert all(len(record["curve"].split()) == 200 for record in records)
    assert (tmp_path / "paper_continual.png").stat().st_size > 10_000
    assert len(continual.draw(records).axes) == 6 * (len(quick) + 1)


def test_a_peer_that_is_not_there_is_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'kan'\" >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(continual, "LEARNERS", {"KAN [1, 1]: Gauss-Newton": lambda seed: KANLearner(seed)})
    monkeypatch.setattr(continual, "_checks", lambda rows, first: {})
    table = continual.make(Options(seeds=1, peer_python=str(fake), log=False))
    assert "not installed" in table.text() and "curve" not in table.text()
    assert pykan_peer.PEERS.joinpath("pykan_continual.py").is_file()
