"""Table 4: forward and backward of a layer beside efficient-kan's algorithm, with two floors."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kanlib import KANLayer

from .efficient_kan import EfficientKANLayer
from .tables import Table

__all__ = ["SIZES", "contestants", "layer_table", "rounds"]

# batch, in, out, G
SIZES = ((1024, 64, 64, 5), (1024, 256, 256, 5), (256, 784, 64, 5), (1024, 64, 64, 32))
DEGREE = 3


def contestants(size: tuple[int, int, int, int]) -> dict[str, tuple[nn.Module, Tensor]]:
    """Modules and their inputs; the inputs want gradients, as inside a network."""
    batch, n_in, n_out, grid_size = size
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(batch, n_in, generator=generator) - 1
    # As many multiplications as the dense features of a KAN layer (base function and G + k splines) cost.
    n_features = n_in * (1 + grid_size + DEGREE)
    wide = 2 * torch.rand(batch, n_features, generator=generator) - 1
    modules: dict[str, tuple[nn.Module, Tensor]] = {
        "kanlib": (KANLayer(n_in, n_out, grid_size, DEGREE), x),
        "efficient-kan": (EfficientKANLayer(n_in, n_out, grid_size, DEGREE), x),
        "nn.Linear": (nn.Linear(n_in, n_out), x),
        "equal-FLOP GEMM": (nn.Linear(n_features, n_out, bias=False), wide),
    }
    return {name: (module, inputs.clone().requires_grad_()) for name, (module, inputs) in modules.items()}


def layer_table(repetitions: int, sizes: Sequence[tuple[int, int, int, int]] = SIZES, *, log: bool = True) -> Table:
    """Medians and quartiles over rounds in which every contestant runs once."""
    rows: list[list[object]] = []
    checks: dict[str, bool] = {}
    for size in sizes:
        times = rounds(contestants(size), repetitions)
        ratios = [peer / ours for peer, ours in zip(times["efficient-kan"], times["kanlib"])]
        for name, values in times.items():
            ratio = _quartiles(ratios) if name == "efficient-kan" else ("", "", "")
            rows.append([*size, name, *_quartiles([1e3 * value for value in values]), *ratio])
        checks[f"faster than efficient-kan's algorithm at {size}"] = statistics.median(ratios) > 1.0
        if log:
            print(f"  {size}: efficient-kan takes {statistics.median(ratios):.2f} times as long", flush=True)
    return Table(
        "layers",
        f"4. Layer forward + backward, eager, float32, {torch.get_num_threads()} threads, {repetitions} rounds",
        ["batch", "in", "out", "G", "layer", "lower quartile ms", "median ms", "upper quartile ms"]
        + ["ratio lower", "ratio to kanlib", "ratio upper"],
        rows,
        checks,
    )


def rounds(modules: dict[str, tuple[nn.Module, Tensor]], repetitions: int) -> dict[str, list[float]]:
    """Seconds of forward and backward of every module, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in modules}
    upstream = {name: torch.ones_like(module(x)) for name, (module, x) in modules.items()}
    for number in range(-2, repetitions):  # two rounds to warm up
        for name, (module, x) in modules.items():
            for tensor in (x, *module.parameters()):
                tensor.grad = None
            start = time.perf_counter()
            module(x).backward(upstream[name])
            seconds = time.perf_counter() - start
            if number >= 0:
                times[name].append(seconds)
    return times


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
