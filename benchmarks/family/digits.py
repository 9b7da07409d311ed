"""Scikit-learn's handwritten digits, 8 x 8 pixels, and small convolutional networks of one shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from kanlib.architectures.parts import linear

__all__ = ["Digits", "accuracy", "convolutional", "digits", "plain"]

N_TRAIN, N_VALIDATION = 1000, 200  # the other 597 are for the test


@dataclass(frozen=True)
class Digits:
    """Images (n, 1, 8, 8) in [0, 1] and their classes (n,)."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def digits(seed: int) -> Digits:
    """The digits, cut by the seed."""
    images, classes = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    X = torch.as_tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8)[order] / 16
    y = torch.as_tensor(classes)[order]
    cuts = [N_TRAIN, N_VALIDATION, len(X) - N_TRAIN - N_VALIDATION]
    return Digits(*zip(X.split(cuts), y.split(cuts), strict=True))


def convolutional(
    convolution: Callable[[int, int], nn.Module],
    channels: tuple[int, int],
    generator: torch.Generator,
    *between: nn.Module,
) -> nn.Sequential:
    """Two convolutions (in, out) -> module, each with `between` and the mean of 2 x 2 pixels behind; a linear map."""
    first, second = channels
    pool = nn.AvgPool2d(2)
    return nn.Sequential(
        *(convolution(1, first), *between, pool),
        *(convolution(first, second), *between, pool),
        *(nn.Flatten(), linear(4 * second, 10, generator=generator)),
    )


@torch.no_grad()
def plain(n: int, m: int, generator: torch.Generator) -> nn.Conv2d:
    """`torch.nn.Conv2d` of 3 x 3 pixels with first weights from the generator, as torch has them."""
    convolution = nn.utils.skip_init(nn.Conv2d, n, m, 3, padding=1)
    for parameter in convolution.parameters():
        parameter.uniform_(-1, 1, generator=generator).div_((9 * n) ** 0.5)
    return convolution


@torch.no_grad()
def accuracy(module: nn.Module, rows: tuple[Tensor, Tensor]) -> float:
    """Share of the rows whose largest output is that of their class."""
    module.eval()
    return float((module(rows[0]).argmax(1) == rows[1]).double().mean())
