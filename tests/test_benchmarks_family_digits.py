"""The digits of all parts: rows are kept apart, those of the test are one set, and the seed decides on the others."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family.digits import digits  # noqa: E402


def test_rows_of_the_three_parts_are_apart() -> None:
    split = digits(0)
    parts = [split.train[0], split.validation[0], split.test[0]]
    assert [len(part) for part in parts] == [1097, 300, 400]
    # The 1,797 images are all different, so a set of them counts rows.
    assert len({tuple(image.flatten().tolist()) for part in parts for image in part}) == 1797
    assert all(part.shape[1:] == (1, 8, 8) and part.dtype == torch.float32 for part in parts)
    assert float(parts[0].min()) == 0 and float(parts[0].max()) == 1


def test_no_row_that_chooses_for_one_seed_is_a_test_row_of_another() -> None:
    first, second = digits(0), digits(1)
    assert torch.equal(first.test[0], second.test[0]) and torch.equal(first.test[1], second.test[1])
    assert not torch.equal(first.validation[0], second.validation[0])
    assert not torch.equal(first.train[0], second.train[0])
    assert torch.equal(digits(1).train[0], second.train[0])


def test_images_keep_their_classes() -> None:
    images, classes = load_digits(return_X_y=True)
    known = {tuple(image): int(label) for image, label in zip(images / 16, classes, strict=True)}
    for X, y in (digits(2).train, digits(2).validation, digits(2).test):
        assert [known[tuple(image)] for image in X.flatten(1).double().tolist()] == y.tolist()
