"""The ladder: the shape that is a law's own fits far better than the shapes below it, and grids fit the rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from kanlib.symbolic.edges import EdgeFit
from kanlib.symbolic.joint import EdgeChoice, assignments, edge_choices, joint_candidates
from kanlib.symbolic.problem import hold_out, sample_of
from kanlib.symbolic.shapes import Trained, held_error, ladder, train
from kanlib.symbolic.trim import edge_effects, in_units_of_y, trim

LAWS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "additive": (2, lambda x: np.sin(3 * x[0]) + x[1] ** 2),
    "link of a sum": (2, lambda x: np.exp(np.cos(2 * x[0]) + x[1])),
    "product": (2, lambda x: (1.5 + x[0]) * np.sin(2 * x[1])),
    "sum of 2 products": (3, lambda x: x[0] * x[1] + np.exp(x[1]) * x[2]),
}


def _trained(law: Callable[[np.ndarray], np.ndarray], d: int, n: int = 300) -> dict[str, Trained]:
    X = np.random.default_rng(5).uniform(-1, 1, (n, d))
    sample = sample_of(X, law(X.T), hold_out(len(X), np.random.default_rng(0)))
    found = {}
    for shape in ladder(d, largest_sum=2)[:-1]:
        trained = train(shape, sample, torch.Generator().manual_seed(0))
        assert trained is not None
        assert trained.held_error == pytest.approx(held_error(trained.model, sample))
        found[shape.name] = trained
    return found


@pytest.mark.parametrize("name", LAWS)
def test_the_true_shape_stands_out_from_the_smaller_ones(name: str) -> None:
    d, law = LAWS[name]
    trained = _trained(law, d)
    own = trained[name].held_error
    assert own < 1e-2
    smaller = itertools.takewhile(lambda key: key != name, trained)
    for other in smaller:
        if (name, other) == ("product", "link of a sum"):
            continue  # a product of positive factors is a link of a sum, exp(log + log); here it changes sign
        assert trained[other].held_error > 10 * own


def test_few_rows_get_coarse_grids_or_no_network() -> None:
    rng = np.random.default_rng(0)
    for n in (6, 8, 12, 30):
        X = rng.uniform(0, 1, (n, 2))
        held = hold_out(n, rng)
        sample = sample_of(X, X[:, 0] + X[:, 1] ** 2, held)
        assert held is None and sample.n_rows == n
        for shape in ladder(2):
            trained = train(shape, sample, torch.Generator().manual_seed(0))
            if trained is not None:
                constants = shape.n_edges * (trained.grid_size + 3)
                assert constants <= n


def test_trimming_cuts_inputs_that_do_not_matter_and_only_those() -> None:
    X = np.random.default_rng(1).uniform(-1, 1, (400, 5))
    y = np.exp(X[:, 1]) + np.sin(2 * X[:, 3])
    sample = sample_of(X, y, hold_out(len(X), np.random.default_rng(0)))
    trained = train(ladder(5)[0], sample, torch.Generator().manual_seed(0))
    assert trained is not None
    cut = trim(trained, sample, share=0.5)
    assert {i for _, _, i, _ in edge_effects(cut.model, sample.X)} == {1, 3}
    assert cut.held_error <= 1.1 * trained.held_error


def test_units_of_y_are_undone_exactly() -> None:
    trained = _trained(LAWS["sum of 2 products"][1], 3, n=120)
    for one in trained.values():
        x = torch.rand(7, 3, dtype=torch.float64)
        torch.testing.assert_close(
            in_units_of_y(one.model, 3.5, -2.0)(x).detach(), 3.5 * one.model(x).detach() - 2.0, atol=1e-9, rtol=0
        )


def _choice(costs: list[float]) -> EdgeChoice:
    fit = EdgeFit("sin", (1, 0, 1, 0, 1), 0.1, 2)
    return EdgeChoice(0, 0, 0, tuple((cost, fit) for cost in sorted(costs)))


def test_assignments_come_in_the_order_of_their_cost_and_all_come() -> None:
    rng = np.random.default_rng(0)
    choices = [_choice(rng.normal(size=k).tolist()) for k in (3, 4, 2)]
    order = list(assignments(choices))
    assert len(order) == len(set(order)) == 24
    costs = [sum(c.fits[k][0] for c, k in zip(choices, index, strict=True)) for index in order]
    assert costs == sorted(costs)
    assert list(assignments([*choices, EdgeChoice(0, 0, 0, ())])) == []


def test_candidates_of_a_trained_link_are_exact() -> None:
    import sympy

    d, law = LAWS["link of a sum"]
    X = np.random.default_rng(2).uniform(-1, 1, (300, d))
    y = law(X.T)
    sample = sample_of(X, y, hold_out(len(X), np.random.default_rng(0)))
    trained = train(ladder(d)[1], sample, torch.Generator().manual_seed(0))
    assert trained is not None
    network = in_units_of_y(trained.model, sample.scale, sample.shift)
    assert len(edge_choices(network, torch.from_numpy(X))) == 3
    best = joint_candidates(network, X, y, sympy.symbols("a b", real=True))[0]
    assert best.rmse < 1e-9 * np.std(y)
    assert {part.func for part in best.structure.atoms(sympy.Function)} == {sympy.sin, sympy.exp}
