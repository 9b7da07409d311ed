"""First weights that keep the size of signals and of gradients, whatever the basis: Glorot's rule for KAN layers."""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from kanlib.checks import check_choice
from kanlib.errors import InputError
from kanlib.layer import KANLayer

__all__ = ["feature_moments", "preserve_variance"]

BALANCES = ("average", "forward", "backward")
N_POINTS = 512


@torch.no_grad()
def feature_moments(layer: KANLayer, x: Tensor | None = None, *, centred: bool = False) -> tuple[Tensor, Tensor]:
    """Second moments of what the layer's weights multiply, and of its slope: E[f_m(x)^2] and E[f_m'(x)^2].

    Parameters
    ----------
    layer : KANLayer
    x : Tensor, shape (n, in_features), optional
        A sample of the expected inputs. By default points of equal probability of the standard normal distribution.
    centred : bool
        Variances of the features instead of their second moments.

    Returns
    -------
    Tensor, Tensor, shape (F,)
        Means over the sample and over the inputs, for every one of the F features of `KANLayer.features`.

    Raises
    ------
    InputError
        When the sample has another width or no rows.

    Examples
    --------
    >>> values, slopes = feature_moments(KANLayer(2, 3, base="identity"))
    >>> bool((values[0] - 1).abs() < 0.01), bool(slopes[0] == 1)  # the features start with x itself
    (True, True)
    """
    x = _sample(layer, x)
    features = layer.features(x)
    values = features.var(0, correction=0) if centred else features.square().mean(0)
    return values.mean(0), layer.feature_derivatives(x).square().mean((0, 1))


@torch.no_grad()
def preserve_variance(
    layer: KANLayer,
    x: Tensor | None = None,
    *,
    balance: Literal["average", "forward", "backward"] = "average",
    centred: bool = False,
    generator: torch.Generator | None = None,
) -> KANLayer:
    """Draw new weights so that outputs are as large as inputs, gradients of inputs as those of outputs.

    The outputs are y_j = b_j + sum_im c_jim f_m(x_i), with n inputs, n' outputs and F features f_m. With independent
    weights of mean zero, each of the F features giving an equal share,

        E y^2  = n F Var(c_m) E[f_m^2],    E (dL/dx)^2 = n' F Var(c_m) E[f_m'^2] E (dL/dy)^2.

    Both are kept where n = n' and E[f_m^2] = Var(x) E[f_m'^2], as for a linear layer; else there is a choice:

        forward     Var(c_m) = Var(x) / (n F E[f_m^2])
        backward    Var(c_m) = 1 / (n' F E[f_m'^2])
        average     Var(c_m) = 2 / (n F E[f_m^2] / Var(x) + n' F E[f_m'^2])

    The base function has a variance of its own; the functions of the basis share one, from the means over m.

    Many bases, such as splines, are positive: a large part of E y^2 is then an offset of each output, the same for
    all rows, and after some layers of a plain stack rows are nearly equal. With centred=True, E[f_m^2] is replaced by
    Var f_m, and the bias takes off the offsets, so that what differs between rows keeps its size. For normal inputs
    E[f_m'^2] is then never smaller than Var(f_m) / Var(x) (Poincaré's inequality, equal for linear functions only):
    in a plain stack of curved functions signals fade, or gradients grow, or both. Hence residual blocks.

    Parameters
    ----------
    layer : KANLayer
        Changed in place; masked and fixed edges keep what they have.
    x : Tensor, shape (n, in_features), optional
        A sample of the expected inputs; standard normal by default.
    balance : {"average", "forward", "backward"}
    centred : bool
        False is the rule of the paper, with a bias of zero.
    generator : torch.Generator, optional
        With none, one with seed 0.

    Returns
    -------
    KANLayer
        The layer.

    Examples
    --------
    >>> layer = preserve_variance(KANLayer(50, 200), balance="forward")
    >>> x = torch.randn(500, 50, generator=torch.Generator().manual_seed(0))
    >>> bool(0.8 < layer(x).square().mean() < 1.25)
    True

    Source: arXiv 2510.23501 (its Glorot-like initialisation, which has Var(x) as a factor of both terms: the same for
    inputs of unit variance); Glorot and Bengio (2010). Centring is an addition of this library.
    """
    check_choice("balance", balance, BALANCES)
    generator = generator or torch.Generator().manual_seed(0)
    x = _sample(layer, x)
    values, slopes = feature_moments(layer, x, centred=centred)
    spread = x.var(0, correction=0).mean()
    forward = layer.in_features * len(values) * values / spread
    backward = layer.out_features * len(values) * slopes
    first = 0 if layer.base_weight is None else 1
    weights = layer.weights()
    for part in (slice(0, first), slice(first, None)):
        if not weights[..., part].numel():
            continue
        demands = {"forward": forward[part].mean(), "backward": backward[part].mean()}
        demands["average"] = (demands["forward"] + demands["backward"]) / 2
        if not spread.is_meta and not (float(spread) > 0 and 0 < float(demands[balance]) < float("inf")):
            raise InputError(
                f"preserve_variance got a sample of variance {float(spread):.3g} on which {balance!r} asks for weights "
                f"of variance 1 / {float(demands[balance]):.3g}; expected finite inputs that vary, and functions that "
                "do (degree 1 or more where slopes count)."
            )
        # Drawn where the generator lives: the first weights do not depend on the layer's device.
        noise = torch.empty(weights[..., part].shape, dtype=weights.dtype, device=generator.device)
        weights[..., part] = noise.normal_(generator=generator).to(weights.device) * demands[balance].rsqrt()
    layer.set_weights(weights)
    means = layer.features(x).mean(0)
    layer.bias.copy_(-torch.einsum("if,oif->o", means, layer.weights()) if centred else torch.zeros_like(layer.bias))
    return layer


def _sample(layer: KANLayer, x: Tensor | None) -> Tensor:
    """The sample, or quantiles of the standard normal distribution at the middles of cells of equal probability."""
    if x is None:
        normal = NormalDist()
        points = torch.tensor([normal.inv_cdf((i + 0.5) / N_POINTS) for i in range(N_POINTS)]).to(layer.bias)
        return points.unsqueeze(1).expand(-1, layer.in_features)
    if x.ndim != 2 or len(x) == 0:
        raise InputError(f"the sample has shape {tuple(x.shape)}; expected (n, {layer.in_features}), n at least 1.")
    return x
