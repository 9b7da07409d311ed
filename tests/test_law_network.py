"""The network of a found law computes the law, with every edge a primitive written as people do."""

from __future__ import annotations

import numpy as np
import torch

from kanlib.symbolic import discover

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2, (300, 4))


def _law_network(y: np.ndarray) -> torch.nn.Module:
    found = discover(X, y, names=list("abcd"))
    assert found.formula is not None and found.network is not None
    with torch.no_grad():
        values = found.network(torch.from_numpy(X))[:, 0].numpy()
    np.testing.assert_allclose(values, found.formula.predict(X), atol=1e-4 * np.std(y))
    return found.network


def _names(network: torch.nn.Module) -> set[str]:
    for layer in network.layers:
        assert not bool((layer.mask & (layer.primitive_index < 0)).any())  # no spline is left
    return {name for layer in network.layers for name in layer.fixed_edges().values()}


def test_the_edges_of_a_link_are_its_primitives() -> None:
    network = _law_network(np.exp(np.sin(3 * X[:, 0]) + X[:, 1] ** 2))
    assert _names(network) == {"sin", "square", "exp"}
    assert network.used_inputs == (0, 1) and network.in_features == 4


def test_factors_that_are_one_are_gone() -> None:
    noise = 0.01 * RNG.normal(size=300)
    network = _law_network(X[:, 0] * X[:, 1] + np.sin(X[:, 2]) * np.exp(X[:, 3]) + noise)
    assert _names(network) == {"identity", "sin", "exp"}
    assert network.widths[1].products == (2, 2)


def test_constants_are_written_as_people_do() -> None:
    network = _law_network(5 / (2 * X[:, 0] + 1))
    ((i, j),) = network.layers[0].fixed_edges()
    a, b, c, d, _ = network.layers[0].edge_constants[j, i].tolist()
    np.testing.assert_allclose([a, b, c, d], [1, 0.5, 2.5, 0], atol=1e-6)
