"""fit: oracles, the choice of method, and what it does when things go wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from fit_cases import METHODS, network, quiet, state, table
from scipy.interpolate import make_lsq_spline
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from kanlib.errors import InputError
from kanlib.fit import fit
from kanlib.grids import refine
from kanlib.methods import choose_method
from kanlib.network import KAN

# ---------------------------------------------------------------- oracles


@pytest.mark.parametrize("method", ["gauss-newton", "lbfgs"])
def test_one_edge_is_scipys_least_squares_spline(method: str) -> None:
    rng = torch.Generator().manual_seed(0)
    x = (2 * torch.rand(300, generator=rng, dtype=torch.float64) - 1).sort().values
    y = torch.exp(x) + 0.1 * torch.randn(300, generator=rng, dtype=torch.float64)
    model = KAN([1, 1], grid_size=4, base=None, dtype=torch.float64)
    quiet(model, x[:, None], y, method=method, update_grid=False, steps=300)
    knots = np.r_[[-1.0] * 4, -0.5, 0.0, 0.5, [1.0] * 4]
    expected = make_lsq_spline(x.numpy(), y.numpy(), knots, k=3)(x.numpy())
    np.testing.assert_allclose(model(x[:, None])[:, 0].detach(), expected, atol=1e-6 if method == "lbfgs" else 1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lowers_the_loss_and_reports_it(method: str) -> None:
    x, y = table()
    model = network()
    result = quiet(model, x, y, method=method, steps=60)
    history = result.history
    assert result.method == method and result.status in ("converged", "max_steps")
    assert result.train_loss < 0.02 * history["train_loss"][0]
    assert result.train_loss == pytest.approx(float((model(x)[:, 0] - y).square().mean().detach()), rel=1e-6)
    assert result.model is model and result.seconds > 0 and result.n_steps <= 60
    assert len({len(values) for values in history.values()}) == 1
    assert history["step"][0] == 0 and history["step"] == sorted(set(history["step"]))
    assert result.train_loss == min(history["train_loss"])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gauss_newton_finds_a_law_from_most_starts() -> None:
    """Variable projection alone is caught by poor inner functions from five of six of these starts."""
    x, _ = table(400)
    y = torch.exp(torch.sin(torch.pi * x[:, 0]) + x[:, 1] ** 2)
    losses = [quiet(network((2, 1, 1), seed=seed, grid_size=8), x, y, steps=60).train_loss for seed in range(6)]
    assert sorted(losses)[3] < 1e-5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_seed_gives_the_same_bits(method: str, dtype: torch.dtype) -> None:
    x, y = table()
    runs = []
    for attempt in range(2):
        torch.manual_seed(attempt)  # the global generator must not matter
        model = network(dtype=dtype)
        untouched = torch.random.get_rng_state()
        result = quiet(model, x, y, method=method, steps=8, validation=0.2, seed=3)
        assert torch.equal(torch.random.get_rng_state(), untouched)
        losses = {key: values for key, values in result.history.items() if key != "seconds"}
        runs.append((state(model), losses))
    assert all(map(torch.equal, runs[0][0], runs[1][0]))
    assert runs[0][1] == runs[1][1]


def test_roughness_is_the_same_objective_for_both_solvers() -> None:
    x, y = table(100, noise=0.3)
    ends = []
    for method in ("gauss-newton", "lbfgs"):
        model = network((2, 1), base=None)
        result = quiet(model, x, y, method=method, roughness=1e-3, steps=300, update_grid=False)
        ends.append(result.history["objective"][-1])
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_roughness_and_l1_do_what_they_are_for() -> None:
    x, y = table(60, noise=0.3)
    rough = quiet(network((2, 1), grid_size=10), x, y).train_loss
    assert quiet(network((2, 1), grid_size=10), x, y, roughness=1e-2).train_loss > rough
    x3 = torch.cat([x, torch.rand(60, 1, generator=torch.Generator().manual_seed(5), dtype=torch.float64)], dim=1)
    model = network((3, 1))
    result = quiet(model, x3, y, method="lbfgs", l1=0.05, entropy=0.01, steps=100)
    assert result.history["objective"][-1] > result.history["train_loss"][-1]
    size = model.layers[0].edges(x3).std(dim=0)[0].detach()
    assert float(size[2]) < 0.1 * float(size[:2].min())


def test_sample_weights_are_repeated_rows() -> None:
    x, y = table(80, noise=0.2)
    counts = torch.arange(80) % 3
    for method in ("gauss-newton", "lbfgs"):
        weighted, repeated = network((2, 1)), network((2, 1))
        quiet(weighted, x, y, sample_weight=counts, method=method, update_grid=False, roughness=1e-4)
        quiet(
            repeated,
            x.repeat_interleave(counts, dim=0),
            y.repeat_interleave(counts),
            method=method,
            update_grid=False,
            roughness=1e-4,
        )
        torch.testing.assert_close(weighted(x), repeated(x), atol=1e-4, rtol=1e-4)


# ---------------------------------------------------------------- grids


@pytest.mark.parametrize("method", METHODS)
def test_a_grid_schedule_refines_the_model_in_place(method: str) -> None:
    x, y = table()
    model = network()
    result = quiet(model, x, y, method=method, grid_schedule=(3, 6, 12), steps=10)
    assert {layer.grid_size for layer in model.layers} <= {3, 6, 12}
    assert result.history["grid_size"][-1] == 12 and result.history["grid_size"][0] == 3
    assert result.model is model and result.n_steps <= 30
    assert float((model(x)[:, 0] - y).square().mean().detach()) == pytest.approx(result.train_loss, rel=1e-6)
    assert refine(model, 24).layers[0].grid_size == 24  # a normal network all the same
    assert copy.deepcopy(model).config()["grid_size"] == [layer.grid_size for layer in model.layers]


def test_finer_grids_fit_better() -> None:
    x, y = table()
    coarse, fine = network((2, 1)), network((2, 1))
    first = quiet(coarse, x, y).train_loss
    assert quiet(fine, x, y, grid_schedule=(3, 9, 27)).train_loss < 1e-3 * first
    assert fine.layers[0].grid_size == 27
    steps = quiet(network((2, 1)), x, y, grid_schedule=(3, 9, 27)).history["step"]
    assert steps == sorted(set(steps))


def test_grids_follow_the_data_unless_told_not_to() -> None:
    x, y = table()
    moved, still = network((2, 1)), network((2, 1))
    quiet(moved, 100 + 5 * x, y)
    assert float(moved.out_of_grid_fraction(100 + 5 * x)[0].max()) == 0.0
    assert moved.layers[0].grid[0, 0] > 90
    grid = still.layers[0].grid.clone()
    quiet(still, x, y, update_grid=False)
    assert torch.equal(still.layers[0].grid, grid)


def test_without_refinement_parameters_keep_their_identity() -> None:
    x, y = table()
    for method in METHODS:
        for dtype in (torch.float32, torch.float64):
            model = network(dtype=dtype)
            before = [id(tensor) for tensor in (*model.parameters(), *model.buffers())]
            quiet(model, x, y, method=method, steps=5)
            assert [id(tensor) for tensor in (*model.parameters(), *model.buffers())] == before
            assert all(parameter.dtype == dtype for parameter in model.parameters())


@pytest.mark.parametrize("schedule", [(), (6, 3), (3, 3), (2, 4)])
def test_a_grid_schedule_has_to_go_up(schedule: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected increasing sizes"):
        quiet(network(), *table(), grid_schedule=schedule)


# ---------------------------------------------------------------- the choice of method


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, "gauss-newton"),
        ({"roughness": 1e-3}, "gauss-newton"),
        ({"l1": 1e-3}, "lbfgs"),
        ({"loss": torch.nn.functional.l1_loss}, "lbfgs"),
        ({"batch_size": 50}, "adam"),
        ({"schedule": "linear"}, "adam"),
    ],
)
def test_auto_chooses_and_says_why(kwargs: dict[str, Any], expected: str) -> None:
    result = quiet(network(), *table(), steps=2, **kwargs)
    assert result.method == expected
    assert f"'auto' chose {expected!r}" in result.message


def test_auto_thinks_of_the_size() -> None:
    from kanlib.losses import as_loss
    from kanlib.problem import Rows
    from kanlib.regularizers import Penalties

    settings: dict[str, Any] = dict.fromkeys(("steps", "learning_rate", "batch_size", "schedule")) | {"starts": 1}
    for widths, n, expected in (
        ([2, 5, 1], 1000, "gauss-newton"),
        ([50, 50, 1], 1000, "lbfgs"),
        ([50, 50, 1], 50_000, "adam"),
    ):
        rows = Rows(torch.zeros(n, 1), torch.zeros(n, 1))
        assert choose_method("auto", KAN(widths), rows, as_loss("mse"), Penalties(), **settings).name == expected


def test_frozen_parameters_stay() -> None:
    x, y = table()
    model = network()
    model.layers[0].base_weight.requires_grad_(False)
    before = model.layers[0].base_weight.clone()
    result = quiet(model, x, y, steps=5)
    assert result.method == "lbfgs" and torch.equal(model.layers[0].base_weight, before)


def test_fixed_edges_are_trained_by_their_constants() -> None:
    x, _ = table()
    y = torch.sin(2.5 * x[:, 0] + 0.3)
    for method in ("gauss-newton", "lbfgs"):
        model = KAN([2, 1], dtype=torch.float64)
        model.layers[0].mask_edge(1, 0)
        model.layers[0].fix_edge(0, 0, "sin", (2.0, 0.0, 0.8, 0.0, 1.0))
        assert quiet(model, x, y, method=method).train_loss < 1e-10
        assert model.layers[0].edge_constants[0, 0, 0].item() == pytest.approx(2.5, abs=1e-4)


# ---------------------------------------------------------------- validation, patience, callbacks


@pytest.mark.parametrize("method", METHODS)
def test_the_state_with_the_best_validation_loss_is_kept(method: str) -> None:
    x, y = table(60, noise=0.5)
    xv, yv = table(200, noise=0.5, seed=1)
    model = network((2, 4, 1), grid_size=8)
    result = quiet(model, x, y, method=method, validation=(xv, yv), steps=40)
    losses = result.history["validation_loss"]
    best = min(losses)
    assert result.validation_loss == best
    assert result.best_step == result.history["step"][losses.index(best)]
    assert float((model(xv)[:, 0] - yv).square().mean().detach()) == pytest.approx(best, rel=1e-9)


def test_early_stopping() -> None:
    x, y = table(40, noise=0.5)
    result = quiet(network((2, 6, 1), grid_size=10), x, y, method="lbfgs", validation=0.3, patience=5, steps=400)
    assert result.status == "early_stopped" and "patience" in result.message
    assert result.n_steps == result.best_step + 5 < 400


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_sees_every_step_and_can_stop(method: str) -> None:
    rows: list[Mapping[str, float]] = []

    def callback(row: Mapping[str, float]) -> bool:
        rows.append(row)
        return row["step"] >= 3

    result = quiet(network(), *table(), method=method, callback=callback, steps=50)
    assert result.status == "stopped" and "callback" in result.message
    assert [row["step"] for row in rows] == result.history["step"]


@pytest.mark.parametrize("validation", [0.0, 1.0, -0.2, 1.5, 0.0001])
def test_a_validation_fraction_has_to_leave_rows(validation: float) -> None:
    with pytest.raises(InputError, match="expected a fraction between 0 and 1"):
        quiet(network(), *table(50), validation=validation)


# ---------------------------------------------------------------- mini-batches


def test_loaders() -> None:
    x, y = table()
    loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True, generator=torch.Generator().manual_seed(0))
    model = network()
    result = quiet(model, loader, steps=30, validation=(x, y), patience=30)
    assert result.method == "adam" and "come in batches" in result.message
    assert result.validation_loss < 0.1 * result.history["validation_loss"][0]
    assert quiet(network(), Batches(x, y), steps=5).n_steps == 5


class Batches:
    """The least a loader has to be."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield self.x[:100], self.y[:100]
        yield self.x[100:], self.y[100:]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential", "linear"])
def test_schedules_by_name(schedule: str) -> None:
    result = quiet(network(), *table(), method="adam", schedule=schedule, steps=10)
    assert result.train_loss < result.history["train_loss"][0]


def test_schedules_by_callable() -> None:
    rates: list[float] = []

    def schedule(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
        rates.append(scheduler.get_last_lr()[0])
        return scheduler

    quiet(network(), *table(), schedule=schedule, steps=6, learning_rate=0.02)
    assert rates == [0.02]
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
    assert quiet(network(), *table(), schedule=lambda o: plateau(o, patience=1), steps=6).n_steps == 6


# ---------------------------------------------------------------- the record, the bar, frames


def test_the_result_prints_short_and_says_more_on_demand() -> None:
    result = quiet(network(), *table(), validation=0.2)
    assert repr(result).startswith("FitResult(status=") and len(repr(result)) < 160 and "\n" not in repr(result)
    assert str(result) == f"{result!r}\n{result.message}"
    with pytest.raises(AttributeError):
        result.status = "other"  # type: ignore[misc]


def test_progress_goes_to_stderr_and_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = table(30)
    fit(network(), x, y, steps=3)
    shown = capsys.readouterr()
    assert shown.out == "" and "fit" in shown.err
    quiet(network(), x, y, steps=3)
    assert capsys.readouterr() == ("", "")


def test_frames_are_matched_by_their_column_names() -> None:
    import pandas as pd

    x, y = table()
    frame = pd.DataFrame(x.numpy(), columns=["a", "b"])
    ends = [
        quiet(network(input_names=["a", "b"]), form, y, steps=3).train_loss for form in (x, frame, frame[["b", "a"]])
    ]
    assert ends[0] == ends[1] == ends[2]


def test_mode_and_gradients_are_left_as_they_were() -> None:
    model = network().eval()
    x, y = table(30)
    quiet(model, x.requires_grad_(), y, steps=2)
    assert not model.training and x.grad is None


@pytest.mark.parametrize("method", METHODS)
def test_small_steps_are_taken_by_one_thread_and_the_threads_come_back(method: str) -> None:
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        quiet(network(), *table(), method=method, steps=2, callback=lambda _: seen.append(torch.get_num_threads()))
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
        big = network((2, 40, 1), grid_size=100)
        quiet(big, *table(200), method="lbfgs", steps=1, callback=lambda _: seen.append(torch.get_num_threads()))
        assert seen[-1] == 2
    finally:
        torch.set_num_threads(before)
