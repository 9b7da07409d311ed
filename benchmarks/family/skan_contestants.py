"""Who meets on the targets of S-KAN: KANs of one basis, trained and in closed form, and S-KANs that choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from kanlib import KANLayer
from kanlib.architectures.parts import fit_grids
from kanlib.architectures.selection import prune_bases, select_bases
from kanlib.architectures.skan import POOL, SKAN

from .skan_targets import DEGREE, GRID_SIZE, Rows
from .training import Trained, evaluate, n_parameters, train

__all__ = ["Outcome", "count", "least_squares", "one_basis", "phases", "selective"]

mse = nn.functional.mse_loss
FULL = 0.6  # of the passes for the full phase


@dataclass(frozen=True)
class Outcome:
    """One run: errors as root mean squares, and which bases were chosen, layer by layer."""

    test: float
    validation: float
    parameters: int
    seconds: float
    chosen: tuple[str, ...] = ()
    module: nn.Module | None = field(default=None, repr=False)


def _outcome(module: nn.Module, rows: Rows, seconds: float, chosen: tuple[str, ...] = ()) -> Outcome:
    test, validation = (evaluate(module, part, mse) ** 0.5 for part in (rows.test, rows.validation))
    return Outcome(test, validation, count(module), seconds, chosen, module)


def count(module: nn.Module) -> int:
    """Trainable numbers at work: in a pruned S-KAN those of the chosen bases."""
    pruned = [part for part in module.modules() if hasattr(part, "n_weights")]
    if not pruned:
        return n_parameters(module)
    inside = sum(n_parameters(layer) for part in pruned for layer in part.layers)  # type: ignore[union-attr]
    return n_parameters(module) - inside + sum(part.n_weights() for part in pruned)  # type: ignore[operator]


def phases(module: nn.Module, rows: Rows, *, epochs: int, learning_rate: float, seed: int, by: str | None) -> float:
    """Train in two parts, hidden grids sized before each; in between, an S-KAN chooses. Returns seconds."""
    seconds = 0.0
    for part, share in enumerate((FULL, 1.0 - FULL)):
        _size_hidden(module, rows.train[0])
        if part and by is not None:
            select_bases(module, rows.train[0], by=by)  # type: ignore[arg-type]
        trained: Trained = train(
            module,
            rows.train,
            rows.validation,
            mse,
            epochs=round(share * epochs),
            batch_size=100,
            learning_rate=learning_rate,
            seed=2 * seed + part,
        )
        seconds += trained.seconds
    return seconds


def _size_hidden(module: nn.Module, X: Tensor) -> None:
    """Grids of all layers but the first, which stays the [-1, 1] that inputs come from."""
    first, *hidden = module.layers if isinstance(module, SKAN) else module.children()
    with torch.no_grad():
        h = first(X)
        for layer in hidden:
            fit_grids(layer, h)
            h = layer(h)


def one_basis(
    basis: str, widths: Sequence[int], rows: Rows, *, epochs: int, learning_rate: float, seed: int
) -> Outcome:
    """A KAN of that basis."""
    generator = torch.Generator().manual_seed(seed)
    layers = [
        KANLayer(n, m, GRID_SIZE, DEGREE, basis=basis, base=None, init="xavier", generator=generator)
        for n, m in pairwise(widths)
    ]
    module = nn.Sequential(*layers)
    seconds = phases(module, rows, epochs=epochs, learning_rate=learning_rate, seed=seed, by=None)
    return _outcome(module, rows, seconds, (basis,) * sum(n * m for n, m in pairwise(widths)))


def selective(
    widths: Sequence[int], rows: Rows, *, epochs: int, learning_rate: float, seed: int, by: str = "projection"
) -> Outcome:
    """An S-KAN after all three phases."""
    generator = torch.Generator().manual_seed(seed)
    module = SKAN(widths, grid_size=GRID_SIZE, degree=DEGREE, base=None, init="xavier", generator=generator)
    seconds = phases(module, rows, epochs=epochs, learning_rate=learning_rate, seed=seed, by=by)
    prune_bases(module)
    chosen = tuple(POOL[number] for layer in module.selection() for number in layer.flatten().tolist())
    return _outcome(module, rows, seconds, chosen)


@torch.no_grad()
def least_squares(basis: str, rows: Rows) -> Outcome:
    """What a KAN of one layer and that basis reaches at best on the training rows: its weights in closed form."""
    X, y = rows.train
    n = X.shape[1]
    layer = KANLayer(n, 1, GRID_SIZE, DEGREE, basis=basis, base=None)
    features: Tensor = layer.features(X).double().flatten(1)
    columns = torch.cat([features, torch.ones(len(X), 1, dtype=torch.float64)], dim=1)
    solution = (torch.linalg.pinv(columns, rtol=1e-5) @ y.double()).float()
    layer.set_weights(solution[:-1].T.reshape(layer.weights().shape))
    layer.bias.copy_(solution[-1])
    return _outcome(layer, rows, 0.0, (basis,) * n)
