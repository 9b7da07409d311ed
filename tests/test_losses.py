"""Losses and targets: every form of y, and shapes that never broadcast silently."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fit_cases import METHODS, network, quiet, table
from torch import Tensor

from kanlib.errors import InputError


def test_classification() -> None:
    x, _ = table(300)
    y = (x[:, 0] ** 2 + x[:, 1] ** 2 > 0.6).long()
    for loss in ("cross_entropy", torch.nn.functional.cross_entropy):
        model = network((2, 2))
        result = quiet(model, x, y, loss=loss, steps=50)
        assert result.method == "lbfgs"
        assert float((model(x).argmax(dim=1) == y).double().mean()) > 0.95


@pytest.mark.parametrize("target", ["int", "bool", "array", "list", "column", "float32", "series"])
def test_targets_come_in_many_forms(target: str) -> None:
    import pandas as pd

    x, _ = table(50)
    y = (x[:, 0] > 0).double()
    forms = {
        "int": y.long(),
        "bool": y.bool(),
        "array": y.numpy(),
        "list": y.tolist(),
        "column": y[:, None],
        "float32": y.float(),
        "series": pd.Series(y.numpy()),
    }
    results = [quiet(network((2, 1)), x, form, steps=3).train_loss for form in (y, forms[target])]
    assert results[0] == results[1]


def test_shapes_never_broadcast_silently() -> None:
    """A callable gets the target as a column, so that (n, 1) - (n,) cannot happen."""
    x, y = table(30)
    seen: list[tuple[Any, ...]] = []

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        seen.append((tuple(prediction.shape), tuple(target.shape), target.dtype))
        return (prediction - target).square().mean()

    quiet(network((2, 1)), x, y, loss=loss, steps=1)
    quiet(network((2, 1)), x, y.round().long(), loss=loss, steps=1)
    assert set(seen) == {((30, 1), (30, 1), torch.float64)}
    for bad in (y.repeat(2, 1).T, y[:, None, None]):
        with pytest.raises(InputError, match="expected equal shapes"):
            quiet(network((2, 1)), x, bad)
    with pytest.raises(InputError, match="expected equal shapes"):
        quiet(network((2, 3)), x, y)


def test_several_outputs() -> None:
    x, y = table()
    targets = torch.stack([y, 2 * y, y**2], dim=1)
    for method in METHODS:
        assert quiet(network((2, 3)), x, targets, method=method, steps=30).history["train_loss"][-1] < 2
