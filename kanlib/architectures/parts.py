"""What the architectures are made of besides KAN layers: their options, linear maps, and grids sized by data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import torch
from torch import Tensor, nn

from kanlib.bases import Extrapolate
from kanlib.errors import InputError
from kanlib.grids import update_layer_grid

from .inner_layers import layer_inputs

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["LayerOptions", "draw_normal", "draw_uniform", "fit_grids", "layer_norm", "linear", "with_generator"]


class LayerOptions(TypedDict, total=False):
    """Keywords of `kanlib.KANLayer` that an architecture passes to every layer inside; see there.

    The defaults suit standardised columns: grids from -1 to 1, and a base function that bends around zero. Standardise
    the columns, then size the grids by `fit_grids`.
    """

    grid_size: int
    degree: int
    basis: str
    grid_range: tuple[float, float]
    base: str | None
    knots: Literal["uniform", "free"]
    extrapolate: Extrapolate
    init: str
    generator: torch.Generator | None
    device: torch.device | str | None
    dtype: torch.dtype | None


def with_generator(options: LayerOptions) -> LayerOptions:
    """The options with a generator: one for all layers, or every layer would draw the same first weights.

    Examples
    --------
    >>> with_generator({"grid_size": 3})["generator"].initial_seed()
    0
    """
    filled = LayerOptions(**options)
    if filled.get("generator") is None:
        filled["generator"] = torch.Generator().manual_seed(0)
    return filled


@torch.no_grad()
def linear(in_features: int, out_features: int, *, bias: bool = True, **options: Unpack[LayerOptions]) -> nn.Linear:
    """`torch.nn.Linear` with first weights from the options' generator, not from torch's global one.

    Uniform within 1 / sqrt(in_features), as torch has it; device and dtype are the options'.

    Examples
    --------
    >>> linear(3, 2, generator=torch.Generator().manual_seed(1))(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """
    options = with_generator(options)
    place: dict[str, Any] = {
        "device": options.get("device") or torch.get_default_device(),
        "dtype": options.get("dtype"),
    }
    layer = nn.utils.skip_init(nn.Linear, in_features, out_features, bias=bias, **place)
    for parameter in layer.parameters():
        parameter.copy_(draw_uniform(tuple(parameter.shape), **options) / math.sqrt(in_features))
    return layer


def layer_norm(features: int, **options: Unpack[LayerOptions]) -> nn.LayerNorm:
    """`torch.nn.LayerNorm` of the options' device and dtype.

    Examples
    --------
    >>> layer_norm(3, dtype=torch.float64).weight.dtype
    torch.float64
    """
    return nn.LayerNorm(features, device=options.get("device"), dtype=options.get("dtype"))


def draw_normal(shape: tuple[int, ...], sigma: float, **options: Unpack[LayerOptions]) -> Tensor:
    """Normal numbers for first weights: drawn where the generator lives, then moved to the options' device.

    So the first weights do not depend on the device.

    Examples
    --------
    >>> draw_normal((2, 3), 0.1).shape
    torch.Size([2, 3])
    """
    return _placed(_drawn(shape, options).mul_(sigma), options)


def draw_uniform(shape: tuple[int, ...], **options: Unpack[LayerOptions]) -> Tensor:
    """Uniform numbers from -1 to 1, as `draw_normal`.

    Examples
    --------
    >>> bool(draw_uniform((100,)).abs().max() <= 1)
    True
    """
    return _placed(_drawn(shape, options, uniform=True), options)


def _drawn(shape: tuple[int, ...], options: LayerOptions, uniform: bool = False) -> Tensor:
    generator = with_generator(options)["generator"]
    assert generator is not None
    empty = torch.empty(shape, dtype=options.get("dtype"), device=generator.device)
    return empty.uniform_(-1.0, 1.0, generator=generator) if uniform else empty.normal_(generator=generator)


def _placed(noise: Tensor, options: LayerOptions) -> Tensor:
    return noise.to(options.get("device") or torch.get_default_device())


@torch.no_grad()
def fit_grids(module: nn.Module, *inputs: Any, rounds: int = 2, margin: float = 0.05) -> None:
    """Size the grids of all KAN layers inside any module by the values that reach them, in place.

    Each grid is fitted to what its layer gets, over all its calls (a recurrent layer has many), as by
    `kanlib.update_grid`: each curve becomes the nearest one on the new grid, which is far off for Fourier series and
    Morlet wavelets, so size grids before training. A later layer's values move a little when the grids before it do,
    hence more than one round. Grids that repeat stay.

    Splines are sized by it, base functions are not: they see the values as they are. Columns in raw units (1,000 give
    or take 300) have to be standardised before, or layers made with ``base=None``.

    Parameters
    ----------
    module : nn.Module
    *inputs
        What the module is called with; a few hundred rows are enough.
    rounds : int
    margin : float
        Fraction of the range added on either side.

    Raises
    ------
    InputError
        When no KAN layer was reached, or values are not finite.

    Examples
    --------
    >>> from kanlib import KANLayer
    >>> model = nn.Sequential(KANLayer(1, 3), nn.Tanh(), KANLayer(3, 1))
    >>> fit_grids(model, torch.tensor([[0.0], [10.0]]), margin=0.0)
    >>> model[0].grid[0, [0, -1]]
    tensor([ 0., 10.])
    """
    if rounds < 1 or margin < 0:
        raise InputError(f"fit_grids got rounds={rounds}, margin={margin}; expected at least one, and zero or more.")
    for _ in range(rounds):
        seen = layer_inputs(module, *inputs)
        if not seen:
            raise InputError("fit_grids saw no KANLayer at work in the module; expected one at least.")
        for layer, rows in seen.items():
            update_layer_grid(layer, rows, margin=margin)
