"""fit when things go wrong: losses that are not finite, interruptions, wrong data, wrong settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from fit_cases import METHODS, network, quiet, state, table
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from kanlib.errors import InputError, InputTypeError


class FailsAfter:
    """A loss that is the squared error for some calls and then not a number."""

    def __init__(self, calls: int, value: float = math.nan) -> None:
        self.left, self.value = calls, value

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.left -= 1
        loss = (prediction - target).square().mean()
        return loss if self.left >= 0 else loss * self.value


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_divergence_leaves_the_last_good_state(method: str, value: float) -> None:
    x, y = table()
    model = network()
    result = quiet(model, x, y, method=method, loss=FailsAfter(20, value), steps=100)
    if value != 1e30 or method == "adam":  # a line search refuses a finite rise by itself
        assert result.status == "diverged" and "last good state" in result.message
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state(model))
    loss = float((model(x)[:, 0] - y).square().mean().detach())
    assert loss == pytest.approx(min(result.history["train_loss"]), rel=1e-9)
    assert loss < result.history["train_loss"][0]


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_a_loss_that_is_never_finite_changes_nothing(method: str) -> None:
    x, y = table()
    model = network()
    before = state(model)
    result = quiet(model, x, y, method=method, loss=FailsAfter(0), update_grid=False)
    assert result.status == "diverged" and all(map(torch.equal, before, state(model)))
    assert math.isnan(result.train_loss) and "diverged" in repr(result)


def test_a_learning_rate_that_explodes_ends_in_a_status() -> None:
    x, y = table()
    model = network()
    result = quiet(model, x, y, method="adam", learning_rate=1e300, steps=50)
    assert result.status == "diverged"
    assert bool(torch.isfinite(model(x)).all())


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_keeps_the_best_state(method: str) -> None:
    x, y = table()

    def callback(row: Mapping[str, float]) -> None:
        if row["step"] >= 4:
            raise KeyboardInterrupt

    model = network()
    result = quiet(model, x, y, method=method, callback=callback)
    assert result.status == "interrupted"
    assert float((model(x)[:, 0] - y).square().mean().detach()) == pytest.approx(result.train_loss, rel=1e-9)


def test_an_error_in_the_loss_comes_through_and_leaves_a_good_model() -> None:
    x, y = table()
    model = network()
    calls = 0

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > 10:
            raise RuntimeError("from the user's loss")
        return (prediction - target).square().mean()

    with pytest.raises(RuntimeError, match="from the user's loss"):
        quiet(model, x, y, loss=loss)
    assert bool(torch.isfinite(model(x)).all()) and all(p.grad is None for p in model.parameters())


def test_fixed_edges_out_of_their_domain_end_in_a_status() -> None:
    x, y = table()
    model = network((2, 1))
    model.layers[0].fix_edge(0, 0, "log")
    for method in METHODS:
        assert quiet(model, x, y, method=method).status == "diverged"


def nan_in(values: Tensor) -> Tensor:
    values = values.clone()
    values[3] = math.nan
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (nan_in(x), y), "X has NaN or infinite values in 1 of 50 rows .first in row 3"),
        (lambda x, y: (x, nan_in(y)), "y has NaN or infinite values in 1 of 50 rows"),
        (lambda x, y: (x / 0, y), "X has NaN or infinite"),
        (lambda x, y: (x[:40], y), "y has 50 rows, X has 40"),
        (lambda x, y: (x[:, :1], y), "X has 1 columns; the network takes 2"),
        (lambda x, y: (x[:, 0], y), r"X has shape \(50,\)"),
        (lambda x, y: (x[:0], y[:0]), "X has no rows"),
        (lambda x, y: (x, None), "y is missing"),
        (lambda x, y: (x.tolist(), None), "y is missing"),
        (lambda x, y: (x, 1.0), "a scalar"),
    ],
)
def test_wrong_data_are_clear_errors(change: Any, message: str) -> None:
    x, y = table(50)
    with pytest.raises(InputError, match=message):
        quiet(network(), *change(x, y))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"method": "sgd"}, "method is 'sgd'"),
        ({"loss": "mae"}, "loss is 'mae'"),
        ({"steps": 0}, "steps is 0"),
        ({"learning_rate": -1.0, "method": "adam"}, "learning_rate is -1.0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"seed": 2**70}, "seed is 1180591620717411303424"),
        ({"validation": np.float32(1.0)}, "fraction between 0 and 1"),
        ({"schedule": "warp"}, "schedule is 'warp'"),
        ({"l1": -1.0}, "l1 is -1.0"),
        ({"method": "gauss-newton", "l1": 1e-3}, "roughness penalty only"),
        ({"method": "gauss-newton", "loss": torch.nn.functional.l1_loss}, "the loss is a callable"),
        ({"method": "gauss-newton", "learning_rate": 1.0}, "sets its own step length"),
        ({"method": "lbfgs", "batch_size": 10}, "belong to method 'adam'"),
        ({"sample_weight": np.ones(3)}, r"expected \(50,\)"),
        ({"sample_weight": -np.ones(50)}, "negative"),
        ({"sample_weight": np.zeros(50)}, "only zeros"),
        ({"sample_weight": np.ones(50), "loss": torch.nn.functional.l1_loss}, "weight rows in your callable"),
        ({"loss": lambda p, t: (p - t) ** 2}, "expected a scalar tensor"),
        ({"loss": lambda p, t: 1.0}, "returned float"),
        ({"loss": lambda p, t: (p.detach() - t).mean()}, "does not depend on the network"),
        ({"loss": "cross_entropy"}, "not whole numbers"),
    ],
)
def test_wrong_settings_are_clear_errors(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        quiet(network(), *table(50), **kwargs)


def test_wrong_types_are_clear_errors() -> None:
    x, y = table(20)
    for arguments, kwargs in [
        ((torch.nn.Linear(2, 1), x, y), {}),
        ((network(), [["a", "b"]] * 20, y), {}),
        ((network(), np.array([["a", 1.0]] * 20, dtype=object), y), {}),
        ((network(), x, y), {"loss": 3}),
        ((network(), x, y), {"steps": 2.5}),
        ((network(), x, y), {"patience": 2.5}),
        ((network(), x, y), {"validation": "half"}),
        ((network(), x, y), {"schedule": 3, "method": "adam"}),
        ((network(), DataLoader(TensorDataset(x))), {}),
    ]:
        with pytest.raises(InputTypeError):
            quiet(*arguments, **kwargs)


def test_classes_have_to_fit_the_outputs() -> None:
    x, _ = table(20)
    for y, message in [
        (torch.full((20,), 2), "classes from 2 to 2, the network has 2 outputs"),
        (torch.full((20,), -1), "classes from -1"),
        (torch.zeros(20, 2), "one class a row"),
    ]:
        with pytest.raises(InputError, match=message):
            quiet(network((2, 2)), x, y, loss="cross_entropy")


def test_what_a_loader_cannot_do() -> None:
    x, y = table(20)
    loader = DataLoader(TensorDataset(x, y), batch_size=10)
    for kwargs in ({"method": "lbfgs"}, {"method": "gauss-newton"}, {"validation": 0.2}, {"sample_weight": y}):
        with pytest.raises(InputError, match="loader"):
            quiet(network(), loader, **kwargs)
    with pytest.raises(InputError, match="no batches"):
        quiet(network(), DataLoader(TensorDataset(x, y), batch_size=50, drop_last=True))


def test_values_too_large_for_the_dtype_are_a_clear_error() -> None:
    x, y = table(20)
    with pytest.raises(InputError, match=r"too large for torch.float32"):
        quiet(network(dtype=torch.float32), x, 1e300 * (1 + y.abs()))
    # Finite in float32, but the margin of a grid over it is not.
    with pytest.raises(InputError, match=r"too large for torch.float32"):
        quiet(network(dtype=torch.float32), 3.4e38 * x / x.abs().max(), y)


def test_a_model_that_is_not_finite_is_a_clear_error() -> None:
    model = network()
    with torch.no_grad():
        model.layers[0].bias[0] = math.nan
    with pytest.raises(InputError, match="not finite"):
        quiet(model, *table(20))


@pytest.mark.parametrize("method", METHODS)
def test_tiny_and_constant_data_work(method: str) -> None:
    x = torch.tensor([[0.1, 5.0], [0.2, 5.0], [0.4, 5.0]], dtype=torch.float64)
    y = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)
    for rows in (1, 3):
        model = network()
        result = quiet(model, x[:rows], y[:rows], method=method, steps=30)
        assert result.status != "diverged" and bool(torch.isfinite(model(x)).all())


@pytest.mark.parametrize("method", ["auto", "lbfgs", "adam"])
def test_frozen_layers_stay_as_they_are(method: str) -> None:
    x, y = table(100)
    model = network()
    model.layers[0].requires_grad_(False)
    before = [tensor.clone() for tensor in (*model.layers[0].parameters(), model.layers[0].grid)]
    result = quiet(model, 5 * x, y, method=method, steps=12)
    after = [*model.layers[0].parameters(), model.layers[0].grid]
    assert all(map(torch.equal, before, after))
    assert result.history["train_loss"][-1] < result.history["train_loss"][0]


def test_hidden_values_beyond_the_floats_end_in_a_status() -> None:
    x, y = table(50)
    model = network((2, 2, 1), dtype=torch.float32, base=None)
    with torch.no_grad():
        model.layers[0].bias.fill_(3e38)
        model.layers[1].coefficients.zero_()
    assert quiet(model, x, y, method="lbfgs", steps=5).status in ("max_steps", "converged")
    assert model(x.float()).isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_training_does_not_mind_no_grad(method: str) -> None:
    x, y = table(50)
    with torch.no_grad():
        losses = quiet(network(), x, y, method=method, steps=5).history["train_loss"]
    assert losses[-1] < losses[0]
