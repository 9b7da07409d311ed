"""Features of sensor windows that people have long written by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from .har_data import RATE

__all__ = ["hand_features"]


def hand_features(X: Tensor) -> Tensor:
    """For every channel mean, deviation, energy, range, and frequency and share of the three highest spectral lines;
    correlations of all pairs of channels; mean and deviation of the lengths of both triples. Shape (n, features).
    """
    _, channels, length = X.shape
    mean, deviation = X.mean(-1), X.std(-1)
    centred = X - mean[..., None]
    power = torch.fft.rfft(centred * torch.hann_window(length)).abs().square()
    top = power.topk(3, dim=-1)
    spectrum = torch.cat(
        [(top.indices * (RATE / length)).flatten(1), (top.values / power.sum(-1, keepdim=True)).flatten(1)], dim=1
    )
    unit = centred / deviation[..., None].clamp_min(1e-6)
    pairs = torch.triu_indices(channels, channels, offset=1)
    correlation = (unit @ unit.transpose(1, 2) / (length - 1))[:, pairs[0], pairs[1]]
    lengths = X.unflatten(1, (channels // 3, 3)).norm(dim=2)
    plain = (mean, deviation, X.square().mean(-1).log(), X.amax(-1) - X.amin(-1))
    return torch.cat([*plain, spectrum, correlation, lengths.mean(-1), lengths.std(-1)], dim=1)
