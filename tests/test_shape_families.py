"""The kinds of shapes `find_shape` tries take turns; a link of products starts from products that follow g^-1(y)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from kanlib.gauss_newton import gauss_newton
from kanlib.symbolic import find_shape
from kanlib.symbolic.problem import hold_out, sample_of
from kanlib.symbolic.sample import Sample
from kanlib.symbolic.shape_search import EXACT, _families, _in_turns
from kanlib.symbolic.shape_starts import linked_starts


def _sample(y: np.ndarray, X: np.ndarray) -> Sample:
    return sample_of(X, y, hold_out(len(X), np.random.default_rng(0)))


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_no_kind_waits_for_another_to_end(n: int) -> None:
    families = _families(n)
    order = list(_in_turns(families))
    assert len(order) == sum(map(len, families))
    edges = [shape.n_edges for _, shape in order]
    assert edges == sorted(edges)
    for number, family in enumerate(families):
        assert [shape.name for k, shape in order if k == number] == [shape.name for shape in family]
    if n > 1:
        # every kind has had its turn before the sums of products grow long
        before = itertools.takewhile(lambda entry: entry[1].name != "sum of 4 products", order)
        assert {number for number, _ in before} == {0, 1, 2, 3}


def test_products_start_from_the_inverse_of_the_link() -> None:
    X = np.random.default_rng(1).uniform(-1, 1, (600, 3))
    inner = X[:, 0] * X[:, 1] + X[:, 1] ** 2 * X[:, 2]
    positive = (3 + X[:, 0]) * (2 + X[:, 1]) + X[:, 1] ** 2 * X[:, 2]
    for number, y in enumerate((np.exp(2 * inner), 1 / positive)):
        sample = _sample(y, X)
        starts = linked_starts(2)(sample, 6, torch.Generator().manual_seed(0))
        model = next(itertools.islice(starts, number, None))  # log y, then 1/y
        gauss_newton(model, sample.X, sample.t, max_steps=20, margin=0.1)
        with torch.no_grad():
            error = float((model(sample.X_held)[:, 0] - sample.t_held).square().mean().sqrt())
        assert error < 8e-3  # from random factors 15e-3 and more


def test_a_target_of_both_signs_has_no_logarithm() -> None:
    X = np.random.default_rng(1).uniform(-1, 1, (100, 2))
    y = X[:, 0] * X[:, 1]
    counts = [
        len(list(linked_starts(1)(_sample(target, X), 3, torch.Generator().manual_seed(0))))
        for target in (y, y + 2, -y - 2)
    ]
    assert counts == [5, 7, 7]


def test_a_search_ends_where_nothing_is_left_to_gain() -> None:
    X = np.random.default_rng(2).uniform(-1, 1, (400, 2))
    found = find_shape(X, X[:, 0] * X[:, 1] ** 2, time_limit=60)
    assert found.template.startswith("product") and found.best.held_rmse < EXACT
    assert len(found.tried) < 10
