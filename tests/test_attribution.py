"""Scores: shares of spread that do not see constants, add up where edges are independent, and know products."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kanlib.attribution import attribute, edge_scores, edge_spread, input_scores, node_scores
from kanlib.errors import InputError, InputTypeError
from kanlib.network import KAN


def data(n: int, columns: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.rand(n, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


def network(widths: list[object], seed: int = 0, **kwargs: object) -> KAN:
    rng = torch.Generator().manual_seed(seed)
    model = KAN(widths, init="lecun", generator=rng, dtype=torch.float64, **kwargs)
    with torch.no_grad():
        for layer in model.layers:
            layer.bias += torch.randn(layer.bias.shape, generator=rng, dtype=torch.float64)
    return model


def test_edge_spread_is_the_standard_deviation_of_the_edges() -> None:
    model, x = network([3, 4]), 1.5 * data(200, 3)
    layer = model.layers[0]
    layer.fix_edge(1, 2, "cube", (1.0, 0.5, 2.0, 3.0, 1.0))
    layer.mask_edge(0, 0)
    expected = layer.edges(x).std(dim=0, unbiased=False)
    torch.testing.assert_close(edge_spread(layer, x), expected.detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(edge_spread(layer, x[:3]), layer.edges(x[:3]).std(dim=0, unbiased=False).detach())


def test_shapes_and_helpers() -> None:
    model, x = network([3, (2, [2]), 2]), data(50, 3)
    scores = attribute(model, x)
    assert [tuple(score.shape) for score in scores.edges] == [(4, 3), (2, 3)]
    assert [tuple(score.shape) for score in scores.nodes] == [(3,), (3,)]
    assert all(map(torch.equal, edge_scores(model, x), scores.edges))
    assert all(map(torch.equal, node_scores(model, x), scores.nodes))
    assert torch.equal(input_scores(model, x), scores.inputs)


def test_one_layer_gives_the_shares_of_the_deviation() -> None:
    """y = 3 a + 4 b with independent a, b of unit spread: shares 3/5 and 4/5."""
    model = KAN([2, 1], dtype=torch.float64)
    model.layers[0].fix_edge(0, 0, "identity", (1, 0, 3, 0, 1))
    model.layers[0].fix_edge(1, 0, "identity", (1, 0, 4, 0, 1))
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    torch.testing.assert_close(input_scores(model, x), torch.tensor([0.6, 0.8], dtype=torch.float64))


@given(st.integers(0, 1000), st.sampled_from([[3, 1], [3, 4, 2], [2, (1, [2]), 2], [2, 3, (1, [3])]]))
def test_scores_do_not_change_when_curves_are_shifted(seed: int, widths: list[object]) -> None:
    model, x = network(widths, seed), data(60, widths[0] if isinstance(widths[0], int) else 2)
    before = attribute(model, x)
    shifted = copy.deepcopy(model)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in shifted.layers:
            by = 5 * torch.randn(layer.mask.shape, generator=rng, dtype=torch.float64)
            layer.coefficients += by[:, :, None]  # B-splines sum to one, so the curve moves by that much
            layer.bias -= by.sum(dim=1)
    torch.testing.assert_close(shifted(x), model(x), rtol=1e-9, atol=1e-9)
    after = attribute(shifted, x)
    for a, b in zip(before.edges, after.edges, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_a_shift_of_the_outputs_alone_changes_nothing() -> None:
    model, x = network([2, 3, 1]), data(60, 2)
    before = attribute(model, x)
    with torch.no_grad():
        model.layers[-1].bias += 100.0
        model.layers[-1].coefficients[0, 1] += 50.0
    for a, b in zip(before.edges, attribute(model, x).edges, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_irrelevant_parts_score_zero() -> None:
    model, x = network([3, 3, 1]), data(60, 3)
    with torch.no_grad():
        model.layers[0].mask[:, 1] = False  # input 1 feeds nothing
        model.layers[1].coefficients[0, 2] = 7.0  # node 2 is read by a constant
        model.layers[1].base_weight[0, 2] = 0.0
    scores = attribute(model, x)
    assert float(scores.inputs[1]) == 0.0
    assert float(scores.nodes[1][2]) < 1e-12
    assert bool((scores.edges[0][2] < 1e-12).all())
    assert float(scores.inputs[0]) > 0.01


def test_a_constant_column_scores_zero() -> None:
    model, x = network([2, 3, 1]), data(60, 2)
    x[:, 1] = 0.3
    scores = input_scores(model, x)
    assert float(scores[1]) < 1e-12 < float(scores[0])


def factors(a: float, b: float, offset: float) -> KAN:
    """(a x0 + offset) * (b x1)."""
    model = KAN([2, (0, [2])], dtype=torch.float64)
    for j in range(2):
        for i in range(2):
            if i != j:
                model.layers[0].mask_edge(i, j)
    model.layers[0].fix_edge(0, 0, "identity", (1, 0, a, offset, 1))
    model.layers[0].fix_edge(1, 1, "identity", (1, 0, b, 0, 1))
    return model


def test_a_product_asks_what_it_loses_with_a_factor() -> None:
    """x0 hardly varies around 10: the product is 10 x1, and x0's share is a / sqrt(a^2 + 100)."""
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    spread = (0.1**2 + 10.0**2) ** 0.5
    expected = torch.tensor([0.1 / spread, 1.0], dtype=torch.float64)
    torch.testing.assert_close(input_scores(factors(0.1, 1.0, 10.0), x), expected)
    # The scale of a factor that takes it from the other does not matter.
    torch.testing.assert_close(input_scores(factors(0.001, 100.0, 0.1), x), expected)
    # A constant factor scores zero, however large.
    assert float(input_scores(factors(0.0, 1.0, 1e3), x)[0]) == 0.0


def test_scores_rank_the_inputs_of_a_known_function() -> None:
    """A score is the relative change of the output when an input's edges are replaced by their means."""
    model, x = network([3, 1]), data(500, 3)
    scores = input_scores(model, x)
    y = model(x).detach()
    layer = model.layers[0]
    for i in range(3):
        edge = layer.edges(x)[:, 0, i].detach()
        assert float(scores[i]) == pytest.approx(float((edge - edge.mean()).std() / y.std()), rel=1e-9)


def test_only_used_inputs_score() -> None:
    model = KAN([2, 1], in_features=4, input_index=[1, 3], init="lecun", dtype=torch.float64)
    scores = input_scores(model, data(40, 4))
    assert scores[[0, 2]].tolist() == [0.0, 0.0] and bool((scores[[1, 3]] > 0).all())


def test_the_model_and_its_gradients_are_left_alone() -> None:
    model, x = network([2, 2, 1]).float(), data(40, 2).float()
    before = copy.deepcopy(model.state_dict())
    attribute(model, x)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items() if isinstance(v, torch.Tensor))


def test_arrays_frames_and_lists_give_the_same() -> None:
    import pandas as pd

    model, x = network([2, 2, 1], input_names=["a", "b"]), data(40, 2)
    expected = input_scores(model, x)
    frame = pd.DataFrame(x.numpy(), columns=["a", "b"])
    for form in (x.numpy(), x.tolist(), frame, frame[["b", "a"]]):
        assert torch.equal(input_scores(model, form), expected)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.array([[1.0, np.inf], [0.0, 0.0]]), InputError, "NaN or infinite"),
        (np.zeros((0, 2)), InputError, "no rows"),
        (np.zeros((4, 2, 1)), InputError, "has shape"),
        ([["1", "2"], ["3", "4"]], InputTypeError, "real numbers"),
        ([[1.0, 2.0], [3.0]], InputError, "not a rectangular table"),
        (np.zeros((2, 2), dtype=complex), InputTypeError, "real numbers"),
    ],
)
def test_bad_input_is_a_clear_error(x: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        attribute(KAN([2, 1]), x)


def test_a_network_outside_a_domain_is_a_clear_error() -> None:
    model = KAN([1, 1], dtype=torch.float64)
    model.layers[0].fix_edge(0, 0, "log")
    with pytest.raises(InputError, match="not finite on X"):
        attribute(model, [[-1.0], [1.0]])
