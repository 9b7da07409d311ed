"""KAN convolutions: what they cost beside unfolding and beside plain convolutions, and how they classify digits.

Unfolding is what a KAN layer on patches does: features of a pixel are computed once for every patch it is in. The
floor is an ordinary convolution of the features' number of channels: the same products, and no features at all.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.foundation.tables import Table
from benchmarks.parts import Options
from kanlib.architectures.convolution import KANConv, KANConv1d, KANConv2d, KANConv3d

from .contest import against, verdict
from .convolution_picture import draw
from .skan_digits import PLAIN, conv_kan, learn, plain_net
from .training import n_parameters

__all__ = ["CASES", "Case", "Unfolded", "checks", "draw", "make"]

OURS, UNFOLDED, FLOOR = "KANConv", "unfolded KAN layer", "convolution of as many products"
DIGITS_OURS = "KANConv2d"
COLUMNS = (
    *("case", "model", "metric", "seed", "value", "low", "high", "ratio to the floor", "parameters", "seconds"),
    *("learning rate", "note", "against plain"),
)


@dataclass(frozen=True)
class Case:
    """A convolution of so many dimensions, with a kernel of one size and padding that keeps the size of x."""

    dimensions: int
    in_channels: int
    out_channels: int
    kernel_size: int
    size: int
    batch: int

    def __str__(self) -> str:
        shape = " x ".join([str(self.size)] * self.dimensions)
        kernel = " x ".join([str(self.kernel_size)] * self.dimensions)
        return f"{self.dimensions}-D: {self.in_channels} to {self.out_channels} channels, kernel {kernel}, on {shape}"


CASES = (
    Case(1, 8, 16, 5, 256, 16),
    Case(2, 3, 16, 3, 32, 16),
    Case(2, 16, 16, 3, 16, 16),
    Case(2, 16, 32, 5, 16, 8),
    Case(3, 2, 8, 3, 12, 4),
)
KINDS: dict[int, tuple[type[KANConv], type[nn.Module]]] = {
    1: (KANConv1d, nn.Conv1d),
    2: (KANConv2d, nn.Conv2d),
    3: (KANConv3d, nn.Conv3d),
}


class Unfolded(nn.Module):
    """The same convolution as a KAN layer on patches."""

    def __init__(self, convolution: KANConv) -> None:
        super().__init__()
        self.patches = convolution.patches
        self.layer = convolution.patch_network().layers[0]

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, out_channels, *size); stride 1 and padding that keeps the size."""
        return self.layer(self.patches(x)).unflatten(0, (len(x), *x.shape[2:])).movedim(-1, 1)


def make(options: Options) -> Table:
    """Times of all cases, in turns; then the digits."""
    rows: list[list[object]] = []
    for case in CASES[:3] if options.quick else CASES:
        rows += _times(case, rounds=5 if options.quick else 15)
        options.say(f"{case}: {rows[-4][4]:.3g} ms, unfolded {rows[-3][4]:.3g} ms, floor {rows[-2][4]:.3g} ms")
    if not options.quick:
        rows += _digits(options)
    return Table(
        "family_convolution",
        "KAN convolutions: processor time of forward and backward (median, quartiles), float32, nine features a pixel",
        COLUMNS,
        rows,
        checks(rows),
    )


def _times(case: Case, rounds: int) -> list[list[object]]:
    """Processor milliseconds of forward and backward, which a busy machine hardly changes; contestants take turns."""
    kan, ordinary = KINDS[case.dimensions]
    generator = torch.Generator().manual_seed(0)
    shape = (case.batch, case.in_channels, *[case.size] * case.dimensions)
    numbers = (case.out_channels, case.kernel_size)
    padding = case.kernel_size // 2
    ours = kan(case.in_channels, *numbers, padding=padding, generator=generator)
    n_features = ours.functions.weights().shape[2]
    x = torch.rand(shape, generator=generator)
    contestants: dict[str, tuple[nn.Module, Tensor]] = {
        OURS: (ours, x),
        UNFOLDED: (Unfolded(ours), x),
        FLOOR: (
            ordinary(case.in_channels * n_features, *numbers, padding=padding),  # type: ignore[arg-type]
            torch.rand(case.batch, case.in_channels * n_features, *shape[2:], generator=generator),
        ),
        PLAIN: (ordinary(case.in_channels, *numbers, padding=padding), x),  # type: ignore[arg-type]
    }
    with torch.no_grad():
        gap = float((contestants[UNFOLDED][0](x) - ours(x)).abs().max())
    assert gap < 1e-4, f"unfolding gives another result: {gap}"
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 2):
        for name, (module, given) in contestants.items():
            own = given.clone().requires_grad_()
            start = time.process_time()
            module(own).square().sum().backward()
            if number >= 2:  # the first rounds warm up
                times[name].append(1e3 * (time.process_time() - start))
            module.zero_grad()
    floor = statistics.median(times[FLOOR])
    rows: list[list[object]] = []
    for name, (module, _) in contestants.items():
        low, middle, high = statistics.quantiles(times[name], n=4)
        rows.append([str(case), name, "ms", "", middle, low, high, middle / floor, n_parameters(module), *[""] * 4])
    return rows


def _digits(options: Options) -> list[list[object]]:
    """KAN convolutions and plain ones of as many numbers; learning rates by the validation rows of seed 0."""
    nets: dict[str, Callable[[int], nn.Module]] = {
        PLAIN: plain_net,
        DIGITS_OURS: lambda seed: conv_kan("bspline", seed),
    }
    rows: list[list[object]] = []
    accuracies: dict[str, list[float]] = {}
    for name, net in nets.items():
        outcomes, rate, note = learn(net, options.seeds)
        accuracies[name] = values = [outcome.test for outcome in outcomes]
        for seed, o in enumerate(outcomes):
            rows.append(["digits", name, "accuracy", seed, o.test, "", "", "", o.parameters, o.seconds, rate, note, ""])
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        mean, seconds = statistics.fmean(values), statistics.fmean(o.seconds for o in outcomes)
        rows.append(
            ["digits", name, "accuracy", "mean", mean, mean - spread, mean + spread, "", outcomes[0].parameters]
            + [seconds, rate, note, "" if name == PLAIN else against(values, accuracies[PLAIN])]
        )
        options.say(f"digits, {name}: {mean:.3f}")
    return rows


def checks(rows: Sequence[Sequence[object]]) -> dict[str, bool]:
    """The claims."""

    def of(model: str, column: int) -> list[float]:
        return [float(str(row[column])) for row in rows if row[1] == model and row[2] == "ms"]

    gains = [slow / fast for slow, fast in zip(of(UNFOLDED, 4), of(OURS, 4), strict=True)]
    two = [
        gain
        for gain, row in zip(gains, [r for r in rows if r[1] == OURS and r[2] == "ms"], strict=True)
        if not str(row[0]).startswith("1-D")
    ]
    claims = {
        "features once a pixel are faster than unfolding, in every case": min(gains) > 1.0,
        "by a factor of three at least in two and three dimensions": min(two) > 3.0,
    }
    ours, flat = (
        [float(str(row[4])) for row in rows if row[:2] == ["digits", name] and isinstance(row[3], int)]
        for name in (DIGITS_OURS, PLAIN)
    )
    if len(ours) < 2:  # a quick run has no digits
        return claims
    return claims | {
        "digits: plain convolutions of as many numbers get more images right": verdict(ours, flat) == "loses"
    }
