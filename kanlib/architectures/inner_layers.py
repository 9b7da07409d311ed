"""Look inside a system: a layer of it as a network of its own, with the rows that reach it.

With these the core's tools work on any architecture: `kanlib.plots.plot_edges(network, rows)` draws its curves,
`kanlib.prune` tells which matter, `kanlib.symbolic.symbolify(network, rows, network(rows))` reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from kanlib.errors import InputError
from kanlib.layer import KANLayer
from kanlib.network import KAN

__all__ = ["as_kan", "inside", "layer_inputs"]


def as_kan(layer: KANLayer) -> KAN:
    """A KAN of this one layer; it holds the layer itself, not a copy.

    Examples
    --------
    >>> layer = KANLayer(2, 3)
    >>> as_kan(layer).layers[0] is layer
    True
    """
    network = KAN([layer.in_features, layer.out_features], grid_size=1, device="meta", dtype=layer.coefficients.dtype)
    network.layers[0] = layer
    network.input_index = torch.arange(layer.in_features, device=layer.grid.device)
    return network.train(layer.training)


@torch.no_grad()
def layer_inputs(module: nn.Module, *inputs: Any) -> dict[KANLayer, Tensor]:
    """What reaches each KAN layer while a module is called, as rows (n, in_features) over all of the layer's calls.

    The module is called once, in evaluation mode. Layers that are not called are not there.

    Examples
    --------
    >>> model = nn.Sequential(KANLayer(1, 3), nn.Tanh(), KANLayer(3, 1))
    >>> [tuple(rows.shape) for rows in layer_inputs(model, torch.zeros(10, 1)).values()]
    [(10, 1), (10, 3)]
    """
    seen: dict[KANLayer, list[Tensor]] = {}

    def hook_of(layer: KANLayer) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def keep(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            x = given[0] if given else named["x"]
            seen.setdefault(layer, []).append(x.detach().reshape(-1, layer.in_features))

        return keep

    layers = [layer for layer in module.modules() if isinstance(layer, KANLayer)]
    hooks = [layer.register_forward_pre_hook(hook_of(layer), with_kwargs=True) for layer in layers]
    modes = [(part, part.training) for part in module.modules()]  # parts may have modes of their own
    module.eval()
    try:
        module(*inputs)
    finally:
        for part, mode in modes:
            part.training = mode
        for hook in hooks:
            hook.remove()
    return {layer: torch.cat(rows) for layer, rows in seen.items()}


def inside(module: nn.Module, name: str, *inputs: Any) -> tuple[KAN, Tensor]:
    """A KAN layer somewhere in a module, as a network that shares its parameters, and the rows that reach it.

    Parameters
    ----------
    module : nn.Module
    name : str
        The layer's, as ``module.named_modules()`` gives it.
    *inputs
        What the module is called with.

    Returns
    -------
    network : KAN
    rows : Tensor, shape (n, in_features)

    Raises
    ------
    InputError
        When there is no KAN layer of that name, or the inputs do not reach it. Layers that do not add up themselves,
        as in convolutions, are not among them: ``KANConv2d.patch_network`` is the view of those.

    Examples
    --------
    >>> from kanlib.symbolic import symbolify
    >>> model = nn.Sequential(nn.Linear(2, 1), KANLayer(1, 1)).double()
    >>> model[1].fix_edge(0, 0, "sin", (2, 0, 1, 0, 1))
    >>> network, rows = inside(model, "1", torch.rand(50, 2, dtype=torch.float64))
    >>> print(symbolify(network, rows, network(rows), names=["s"]))
    sin(2*s)
    """
    # A layer that is used twice has two names.
    layers = {key: part for key, part in module.named_modules(remove_duplicate=False) if _is_network(part)}
    if name not in layers:
        known = ", ".join(map(repr, layers)) or "(it has none)"
        raise InputError(f"there is no KAN layer {name!r} in the module; expected one of: {known}.")
    layer = layers[name]
    assert isinstance(layer, KANLayer)
    rows = layer_inputs(module, *inputs).get(layer)
    if rows is None:
        raise InputError(f"the inputs do not reach the layer {name!r}; call with inputs for which the module uses it.")
    return as_kan(layer), rows


def _is_network(part: nn.Module) -> bool:
    return isinstance(part, KANLayer) and type(part).forward is KANLayer.forward
