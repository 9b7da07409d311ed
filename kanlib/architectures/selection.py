"""The steps between the phases of an S-KAN: choose a basis for every edge of a network, and drop the others."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from kanlib.errors import InputError

from .inner_layers import layer_inputs
from .selective import Selective

__all__ = ["prune_bases", "select_bases"]


def select_bases(module: nn.Module, *inputs: Any, by: Literal["projection", "gates"] = "projection") -> None:
    """End the full phase of a network: choose a basis for every edge of all its S-KAN layers, in place.

    Layers choose in the order in which they are called, each on what reaches it after those before it have chosen.

    Parameters
    ----------
    module : nn.Module
        Any module with `SelectiveKANLayer` or selective convolutions inside.
    *inputs
        What the module is called with: some hundred training rows.
    by : {"projection", "gates"}
        See `Selective.select`.

    Raises
    ------
    InputError
        When there is no such layer, or bases have been pruned.

    Examples
    --------
    >>> import torch
    >>> from kanlib.architectures.skan import SKAN
    >>> model = SKAN([2, 1], pool=({"degree": 1}, {"degree": 3}))
    >>> select_bases(model, torch.rand(50, 2))
    >>> model.layers[0].phase
    'selective'
    """
    owners = {layer: part for part in _pools(module) for layer in part.layers}
    order = [owners[layer] for layer in layer_inputs(module, *inputs) if layer in owners]
    if missed := len(set(owners.values()) - set(order)):
        raise InputError(f"{missed} layers with a pool are not reached by the inputs; call with inputs that reach all.")
    for part in dict.fromkeys(order):
        seen = layer_inputs(module, *inputs)
        part.select(next(seen[layer] for layer in part.layers if layer in seen), by=by)


def prune_bases(module: nn.Module) -> None:
    """End the selective phase of a network: see `Selective.prune`.

    Examples
    --------
    >>> import torch
    >>> from kanlib.architectures.skan import SKAN
    >>> model, x = SKAN([2, 1], pool=({"degree": 1}, {"degree": 3})), torch.rand(50, 2)
    >>> select_bases(model, x)
    >>> before = model(x)
    >>> prune_bases(model)
    >>> torch.equal(model(x), before)
    True
    """
    for part in _pools(module):
        part.prune()


def _pools(module: nn.Module) -> list[Selective]:
    found = [part for part in module.modules() if isinstance(part, Selective)]
    if not found:
        raise InputError(f"{type(module).__name__} has no layer with a pool of bases; expected one at least.")
    return found
