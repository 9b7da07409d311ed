"""Checks of arguments that layers and networks share."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError, InputTypeError


def largest(dtype: torch.dtype) -> float:
    """The largest magnitude of data: a grid over it, with the knots beyond its ends, does not overflow."""
    return torch.finfo(dtype).max / 16


def check_choice(what: str, value: object, known: tuple[object, ...]) -> None:
    """Raise InputError unless the value is one of those known."""
    if value not in known:
        raise InputError(f"{what} {value!r} is not known; expected one of {', '.join(map(repr, known))}.")


def check_input(who: str, x: Tensor, features: int, dtype: torch.dtype) -> Tensor:
    """Return x if it is a tensor (..., features) of that dtype, and raise what is wrong with it otherwise.

    Under autocast, where the dtype of x is not the user's choice, x is converted.
    """
    if not isinstance(x, Tensor):
        raise InputTypeError(
            f"{who} got {type(x).__name__}; expected a tensor. Convert it: torch.as_tensor(x, dtype={dtype})."
        )
    if x.ndim == 0 or x.shape[-1] != features:
        raise InputError(
            f"{who} got x of shape {tuple(x.shape)}; expected (..., {features}). "
            "Put the inputs in the last dimension, or build it with that many inputs."
        )
    if x.dtype == dtype:
        return x
    if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
        return x.to(dtype)
    other = f", or the module: module.to({x.dtype})" if x.is_floating_point() else ""
    raise InputTypeError(
        f"{who} got x of dtype {x.dtype}; expected {dtype}, as its parameters have. Convert x: x.to({dtype}){other}."
    )


def check_trainable(model: nn.Module) -> None:
    """Raise InputError where a parameter is not finite: nothing could be learned from there."""
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        raise InputError("The model has parameters that are not finite; build a new one, or load a good state.")


def check_seed(seed: object) -> int:
    """The seed of a search, a whole number that NumPy and torch both take."""
    if not isinstance(seed, Integral) or not 0 <= int(seed) < 2**63:
        raise InputError(f"seed is {seed!r}; expected a whole number from 0 to 2^63 - 1.")
    return int(seed)


def as_generator(seed: Any) -> torch.Generator:
    """The generator itself, or a new one of that seed."""
    if isinstance(seed, torch.Generator):
        return seed
    if not hasattr(seed, "__index__"):
        raise InputTypeError(f"seed is {seed!r}; expected a whole number or a torch.Generator.")
    if not -(2**63) <= int(seed) < 2**63:
        raise InputError(f"seed is {seed}; expected a whole number of at most 63 bits.")
    return torch.Generator().manual_seed(int(seed))
