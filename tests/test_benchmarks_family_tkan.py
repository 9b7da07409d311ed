"""The TKAN table: no row sees what comes later, rules and errors are what they say, and all is written and drawn."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import tkan  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.forecasters import NETWORKS, ridge  # noqa: E402
from benchmarks.family.series import HORIZONS, SERIES, WINDOW, Series, load  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402


@pytest.mark.parametrize("name", SERIES)
def test_no_part_sees_what_comes_later(name: str) -> None:
    series = load(name)
    first, second = series.ends
    training, validation, test = series.origins()
    assert training[0] == WINDOW - 1 and training[-1] + max(HORIZONS) < first
    assert validation[0] + 1 >= first and validation[-1] + max(HORIZONS) < second
    assert test[0] + 1 >= second and test[-1] + max(HORIZONS) == len(series.values) - 1
    changed = series.values.copy()
    changed[first:] += 100.0
    other = Series(name, changed, series.season)
    for a, b in zip(series.rows()[0], other.rows()[0], strict=True):
        assert torch.equal(a, b)  # the training rows, and what they are standardised by


def test_rows_are_windows_and_what_follows() -> None:
    series = Series("line", np.arange(400.0), 12)
    (x, y), _, (x_test, _) = series.rows()
    step = 1 / series.values[: series.ends[0]].std()
    expected = step * torch.arange(1 - WINDOW, 1, dtype=torch.float32)
    torch.testing.assert_close(x[3, :, 0], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(x_test[-1, :, 0], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(y[0], step * torch.tensor(HORIZONS, dtype=torch.float32), atol=1e-5, rtol=1e-5)


def test_rules_are_exact_where_they_should_be() -> None:
    t = np.arange(400)
    wave = Series("wave", np.sin(2 * np.pi * t / 12), 12)
    training, validation, test = wave.rows()
    np.testing.assert_allclose(wave.seasonal_naive(), test[1].numpy(), atol=1e-5)
    forecast, _ = ridge(training, validation, test)
    np.testing.assert_allclose(forecast, test[1].numpy(), atol=1e-3)  # two values determine a sine
    exact = tkan._judge(wave, test[1], test[1])
    assert exact[:-1] == [0.0] * 6 and exact[-1] == 1.0
    stays = tkan._judge(wave, np.zeros_like(test[1]), test[1])
    assert stays[:-1] == pytest.approx([1.0] * 6)


def test_networks_are_of_one_size_and_start_from_their_seed_alone() -> None:
    windows = load("sunspots, yearly").rows()[0][0]
    sizes = {name: n_parameters(new(windows, 0)) for name, new in NETWORKS.items()}
    assert max(sizes.values()) < 1.1 * min(sizes.values())
    for new in NETWORKS.values():
        torch.manual_seed(3)
        first = new(windows, 0)(windows)
        torch.manual_seed(4)
        assert torch.equal(new(windows, 0)(windows), first)
        assert not torch.equal(new(windows, 1)(windows), first)


def test_claims_can_fail() -> None:
    made, *measured = SERIES
    alike = dict.fromkeys(("TKAN", "TKAN, tanh candidate"), (0.5, 0.6, 0.55))
    errors: dict[tuple[str, str], tuple[float, ...]] = {
        (name, model): own
        for name in SERIES
        for model, own in ({"ridge": (0.4,), "GRU": (0.52, 0.56, 0.58), "LSTM": (0.58, 0.56, 0.52)} | alike).items()
    }
    errors |= {(made, "GRU"): (0.4, 0.5, 0.45), (made, "LSTM"): (0.4, 0.5, 0.45)}

    def held(**changes: tuple[float, ...]) -> bool:
        rows: list[list[object]] = []
        for (name, model), own in (errors | {(measured[0], model): own for model, own in changes.items()}).items():
            for seed, error in enumerate(own):
                row: list[object] = [name, model, seed, *[""] * (len(tkan.COLUMNS) - 3)]
                row[tkan.MEAN] = error
                rows.append(row)
        return all(tkan._checks(rows).values())

    assert held()
    for model, own in (
        ("TKAN", (0.5, 1.1, 0.55)),
        ("TKAN", (0.5, 0.3, 0.55)),
        ("GRU", (0.4, 0.5, 0.45)),
        ("LSTM", (0.7, 0.8, 0.75)),
        ("TKAN, tanh candidate", (0.7, 0.8, 0.75)),
    ):
        assert not held(**{model: own}), (model, own)
    errors[made, "LSTM"] = (0.4, 0.5, 0.56)
    assert not held()


def test_the_claims_hold_and_are_written_and_drawn(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    assert main(["--quick", "--only", "tkan", "--threads", str(threads), "--output", str(tmp_path)]) == 0
    with (tmp_path / "family_tkan.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    assert {record["model"] for record in records} == {"last value", "seasonal naive", "ridge", *NETWORKS}
    assert (tmp_path / "family_tkan.png").stat().st_size > 10_000
