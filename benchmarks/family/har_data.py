"""Synthetic windows of a motion sensor: activities are waveforms, people differ, and the noise is a setting.

An activity is a set of harmonics for each of three accelerations and three rates of turn, with a pace of its own. A
person has a pace, a vigour, a way to wear the sensor (a rotation of both triples), and offsets. A window starts
anywhere in the cycle. Gravity is in the accelerations, turned with the sensor. None of this is recorded data: numbers
got here are about these waveforms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

__all__ = ["ACTIVITIES", "CHANNELS", "LENGTH", "Split", "split"]

CHANNELS = ("acc x", "acc y", "acc z", "gyro x", "gyro y", "gyro z")
LENGTH, RATE = 96, 32.0  # samples of a window, samples a second
HARMONICS, GRAVITY = 4, 1.0
# Cycles a second and vigour. The last two differ from the rest by these, the first four by their waveforms.
ACTIVITIES = {
    "walk": (1.7, 1.0),
    "stairs up": (1.6, 1.0),
    "stairs down": (1.8, 1.1),
    "carry": (1.7, 0.9),
    "run": (2.6, 1.6),
    "stand": (0.4, 0.25),
}
# People: standard deviations of log pace, log vigour, the angle of wearing (radians), and offsets.
PACE, VIGOUR, ANGLE, OFFSET = 0.10, 0.20, 0.30, 0.15


@dataclass(frozen=True)
class Split:
    """Windows (n, 6, 96) and activities (n,) of one set of people."""

    X: Tensor
    y: Tensor


@cache
def _waveforms() -> tuple[Tensor, Tensor]:
    """Amplitudes and phases (activities, 6, harmonics), the same for everybody; those of everyday walking are alike."""
    generator = torch.Generator().manual_seed(2024)
    n = len(ACTIVITIES)
    shape = (n, len(CHANNELS), HARMONICS)
    decay = torch.arange(1, HARMONICS + 1) ** -0.7
    amplitude = (0.4 + torch.rand(shape, generator=generator)) * decay
    phase = 2 * math.pi * torch.rand(shape, generator=generator)
    walking = slice(1, 4)  # gaits are variations of the first
    amplitude[walking] = amplitude[:1] * (1 + 0.25 * torch.randn(amplitude[walking].shape, generator=generator))
    phase[walking] = phase[:1] + 0.4 * torch.randn(phase[walking].shape, generator=generator)
    return amplitude, phase


def _rotation(angle: float, axis: Tensor) -> Tensor:
    """Rodrigues' matrix of a rotation by an angle about an axis."""
    x, y, z = (axis / axis.norm()).tolist()
    cross = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return torch.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def _person(generator: torch.Generator, windows: int, noise: float) -> Split:
    """So many windows of every activity by one new person."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    pace, vigour = math.exp(PACE * float(normal(1))), math.exp(VIGOUR * float(normal(1)))
    turn = _rotation(ANGLE * float(normal(1)), normal(3))
    offset = OFFSET * normal(6, 1)
    amplitude, phase = _waveforms()
    k = torch.arange(1, HARMONICS + 1)
    t = torch.arange(LENGTH) / RATE
    gravity = torch.tensor([0.0, 0.0, GRAVITY, 0.0, 0.0, 0.0])[:, None]
    both = torch.block_diag(turn, turn)
    X, y = [], []
    for activity, (frequency, strength) in enumerate(ACTIVITIES.values()):
        for _ in range(windows):
            start = 2 * math.pi * float(torch.rand(1, generator=generator))
            now = pace * frequency * math.exp(0.03 * float(normal(1)))
            angles = k[:, None] * (2 * math.pi * now * t + start)  # (harmonics, times)
            waves = (amplitude[activity][..., None] * torch.cos(angles + phase[activity][..., None])).sum(dim=1)
            motion = strength * vigour * math.exp(0.1 * float(normal(1))) * waves
            X.append(both @ (motion + gravity) + offset + noise * normal(6, LENGTH))
            y.append(activity)
    return Split(torch.stack(X), torch.tensor(y))


def split(seed: int, noise: float, people: tuple[int, ...] = (8, 5, 10), windows: int = 10) -> list[Split]:
    """Training, validation and test windows, of people of their own each.

    The people and what they do come from the seed, so that another noise is the same windows with other noise.
    """
    found, number = [], 0
    for n in people:
        own = []
        for _ in range(n):
            own.append(_person(torch.Generator().manual_seed(1000 * seed + number), windows, noise))
            number += 1
        found.append(Split(torch.cat([p.X for p in own]), torch.cat([p.y for p in own])))
    return found
