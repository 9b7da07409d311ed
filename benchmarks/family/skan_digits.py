"""S-ConvKAN on digits: convolutions that choose their bases, those of one basis, and plain ones of as many numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.parts import Options
from kanlib.architectures.convolution import KANConv2d
from kanlib.architectures.parts import fit_grids
from kanlib.architectures.sconvkan import SelectiveKANConv2d
from kanlib.architectures.selection import prune_bases, select_bases
from kanlib.architectures.selective import Selective
from kanlib.architectures.skan import POOL

from .contest import Split, at_the_end
from .digits import accuracy, convolutional, digits, plain
from .skan_contestants import Outcome, count
from .training import evaluate, train

__all__ = ["PLAIN", "SELECTIVE", "conv_kan", "learn", "plain_net", "run_digits", "selective_net"]

PLAIN, SELECTIVE = "plain convolution", "S-ConvKAN"
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
EPOCHS = 30
CHANNELS = (4, 8)
PLAIN_CHANNELS = (8, 16)  # as many numbers, within 4 %
ROWS = 300  # that size grids and choose bases

cross_entropy = nn.functional.cross_entropy


def conv_kan(basis: str, seed: int) -> nn.Module:
    """Two KAN convolutions of one basis, five functions at every position of the kernel."""
    generator = torch.Generator().manual_seed(seed)
    return convolutional(
        lambda n, m: KANConv2d(n, m, 3, padding=1, grid_size=3, degree=2, base=None, basis=basis, generator=generator),
        CHANNELS,
        generator,
    )


def selective_net(seed: int) -> nn.Module:
    """The same with a pool."""
    generator = torch.Generator().manual_seed(seed)
    return convolutional(
        lambda n, m: SelectiveKANConv2d(n, m, 3, padding=1, grid_size=3, degree=2, base=None, generator=generator),
        CHANNELS,
        generator,
    )


def plain_net(seed: int) -> nn.Module:
    """torch's convolutions with ReLU."""
    generator = torch.Generator().manual_seed(seed)
    return convolutional(lambda n, m: plain(n, m, generator), PLAIN_CHANNELS, generator, nn.ReLU())


def _learn(module: nn.Module, data: Split, rate: float, seed: int) -> Outcome:
    """Train in two halves, grids sized before each; S-ConvKANs choose in between and are pruned in the end."""
    chooses = any(isinstance(part, Selective) for part in module.modules())
    seconds = 0.0
    for half in range(2):
        if not isinstance(module[0], nn.Conv2d):  # type: ignore[index]
            fit_grids(module, data.train[0][:ROWS])
        if half and chooses:
            select_bases(module, data.train[0][:ROWS])
        seconds += train(
            module,
            data.train,
            data.validation,
            cross_entropy,
            epochs=EPOCHS // 2,
            learning_rate=rate,
            seed=2 * seed + half,
        ).seconds
    if chooses:
        prune_bases(module)
    return Outcome(
        accuracy(module, data.test), accuracy(module, data.validation), count(module), seconds, module=module
    )


def learn(net: Callable[[int], nn.Module], seeds: int) -> tuple[list[Outcome], float, str]:
    """Outcomes of the seeds; their learning rate, of the lowest loss on seed 0's validation rows; a note on it.

    By the loss, as in the contest of all other parts: of 300 rows several rates get the same number right.
    """

    def loss(outcome: Outcome) -> float:
        assert outcome.module is not None
        return evaluate(outcome.module, digits(0).validation, cross_entropy)

    tried = {rate: _learn(net(0), digits(0), rate, 0) for rate in RATES}
    rate = min(tried, key=lambda rate: loss(tried[rate]))
    return (
        [tried[rate], *(_learn(net(seed), digits(seed), rate, seed) for seed in range(1, seeds))],
        rate,
        at_the_end(rate, RATES),
    )


def run_digits(options: Options) -> Iterator[tuple[str, int, Outcome, float, str]]:
    """(model, seed, outcome, learning rate, note) of all contestants."""
    nets: dict[str, Callable[[int], nn.Module]] = {
        PLAIN: plain_net,
        **{f"KANConv2d, {basis}": (lambda seed, basis=basis: conv_kan(basis, seed)) for basis in POOL},
        SELECTIVE: selective_net,
    }
    for name, net in nets.items():
        outcomes, rate, note = learn(net, options.seeds)
        for seed, outcome in enumerate(outcomes):
            yield name, seed, outcome, rate, note
        options.say(f"digits: {name}")
