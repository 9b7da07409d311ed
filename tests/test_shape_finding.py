"""The shape finder: planted shapes come out, constants keep to their limit, and the network is the table's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from kanlib import KAN, InputError
from kanlib.grids import elevate, refine
from kanlib.jacobian import n_constants
from kanlib.symbolic import FoundShape, find_shape

Array = NDArray[np.float64]


def table(n: int, d: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (n, d))


def error(found: FoundShape, X: Array, y: Array) -> float:
    with torch.no_grad():
        return float(np.sqrt(np.mean((found.network(torch.from_numpy(X))[:, 0].numpy() - y) ** 2)) / y.std())


PLANTED: dict[str, Callable[[Array], Array]] = {
    "additive": lambda X: np.sin(3 * X[:, 0]) + np.exp(X[:, 1]),
    "link of a sum": lambda X: np.cos(np.sin(2 * X[:, 0]) + X[:, 1] ** 2),
    "product": lambda X: np.sin(3 * X[:, 0]) * np.exp(X[:, 1]),
    "sum of 2 products": lambda X: np.sin(3 * X[:, 0] + 2 * X[:, 1]),
}


@pytest.mark.parametrize("shape", PLANTED)
def test_the_planted_shape_is_found(shape: str) -> None:
    X, new = table(1000, 2), table(2000, 2, seed=1)
    found = find_shape(X, PLANTED[shape](X), time_limit=6)
    # a sum of products is a link of a sum, too, wherever that takes fewer constants
    assert found.template.startswith((shape, "2 links") if "2" in shape else shape)
    assert error(found, new, PLANTED[shape](new)) < 1e-6
    assert found.best in found.tried and found.best.held_rmse >= 0.8 * min(t.held_rmse for t in found.tried)


def test_constants_keep_to_their_limit() -> None:
    X = table(1000, 2)
    y = np.sin(3 * X[:, 0] * X[:, 1])
    found = find_shape(X, y, max_constants=60, time_limit=4)
    assert found.best.n_constants == n_constants(found.network) <= 60
    assert all(each.n_constants <= 60 for each in found.tried)
    more = find_shape(X, y, max_constants=200, time_limit=4)
    assert more.best.held_rmse < found.best.held_rmse


def test_the_network_reads_the_columns_of_the_table() -> None:
    frame = pd.DataFrame(table(400, 3), columns=["a", "fixed", "b"])
    frame["fixed"] = 7.0
    y = 100 + 5 * frame["a"] * frame["b"] ** 2
    found = find_shape(frame, y)
    network = found.network
    assert network.in_features == 3 and network.used_inputs == (0, 2)
    assert network.input_names == ("a", "fixed", "b") and network.layers[0].coefficients.dtype == torch.float64
    assert error(found, frame.to_numpy(), y.to_numpy()) < 1e-10


def test_noise_is_not_followed() -> None:
    X, new = table(1000, 2), table(2000, 2, seed=1)

    def law(X: Array) -> Array:
        return X[:, 0] * np.exp(X[:, 1])

    y = law(X) + 0.1 * np.random.default_rng(2).normal(size=1000)
    found = find_shape(X, y, time_limit=3)
    assert found.template.startswith("product") and error(found, new, law(new)) < 0.05


def test_the_same_seed_gives_the_same_network() -> None:
    X = table(300, 2)
    y = np.exp(X[:, 0]) * X[:, 1]
    one, two = (find_shape(X, y, max_constants=40, seed=3) for _ in range(2))
    assert one.tried == two.tried
    for mine, other in zip(one.network.parameters(), two.network.parameters()):
        assert torch.equal(mine, other)


def test_an_identity_edge_counts_once() -> None:
    model = KAN([2, (0, 1), 1], grid_size=4, base=None, dtype=torch.float64)
    model.layers[1].fix_edge(0, 0, "identity")
    assert n_constants(model) == 4 * 7 + 1 + 1  # the last layer: a factor and a bias


def test_what_cannot_be_is_refused() -> None:
    X = table(100, 2)
    with pytest.raises(InputError, match="39 rows; expected at least 40"):
        find_shape(X[:39], X[:39, 0])
    with pytest.raises(InputError, match="allow 5 constants; expected at least 8"):
        find_shape(X, X[:, 0], max_constants=5)
    with pytest.raises(InputError, match="max_constants is 0"):
        find_shape(X, X[:, 0], max_constants=0)
    for limit in ("long", 0, True, float("nan")):
        with pytest.raises(InputError, match="time_limit is"):
            find_shape(X, X[:, 0], time_limit=limit)  # type: ignore[arg-type]
    for seed in (-1, 1.5, "a"):
        with pytest.raises(InputError, match="seed is"):
            find_shape(X, X[:, 0], seed=seed)  # type: ignore[arg-type]
    assert find_shape(X, X[:, 0], time_limit=1e-9).tried  # there is always something to return


def test_elevated_splines_follow_the_curves() -> None:
    """Exactly where the curves are polynomials, which both degrees hold."""
    model = KAN([2, 2, 1], grid_size=4, base="tanh", dtype=torch.float64)
    model.layers[0].mask_edge(1, 1)
    with torch.no_grad():
        for layer in model.layers:
            layer.coefficients.copy_(torch.linspace(-1, 1, 7, dtype=torch.float64).expand_as(layer.coefficients))
    smooth = elevate(model, 5)
    x = torch.from_numpy(table(100, 2))
    torch.testing.assert_close(smooth(x), model(x), rtol=0, atol=1e-9)
    assert [layer.degree for layer in smooth.layers] == [5, 5] and model.layers[0].degree == 3
    assert torch.equal(smooth.layers[0].mask, model.layers[0].mask)
    torch.testing.assert_close(elevate(smooth, 3)(x), model(x), rtol=0, atol=1e-9)
    torch.testing.assert_close(refine(smooth, 8)(x), model(x), rtol=0, atol=1e-9)
    model.layers[0].coefficients.requires_grad_(False)
    other = elevate(model.eval(), 4)
    assert not other.training and not other.layers[0].coefficients.requires_grad
    with pytest.raises(InputError, match="degree 6 is not supported"):
        elevate(model, 6)
