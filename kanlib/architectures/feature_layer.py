"""A KAN layer that hands out features instead of sums, for architectures that sum in their own way."""

from __future__ import annotations

import torch
from torch import Tensor

from kanlib.initialization import INIT_RULES
from kanlib.layer import KANLayer

__all__ = ["FeatureLayer"]


class FeatureLayer(KANLayer):
    """Functions on edges (i, j) as in `kanlib.KANLayer`; calling the layer gives the features they are made of.

    It is a KAN layer in all else: grids are sized by `kanlib.architectures.fit_grids`, edges can be masked, looked at
    with `edge` and `edges`, and fixed to primitives. Who owns it adds up ``features * weights()`` and has the bias:
    the one of this layer is a buffer of zeros.

    Parameters
    ----------
    in_features, out_features, **options
        As for `kanlib.KANLayer`.
    fan_in, fan_out : int, optional
        Edges that a sum has and that leave an input, where these are not in_features and out_features: the
        init rule's sizes of first weights are for them.

    Examples
    --------
    >>> layer = FeatureLayer(2, 3, grid_size=5, degree=3)
    >>> layer(torch.zeros(10, 2)).shape, layer.weights().shape
    (torch.Size([10, 2, 9]), torch.Size([3, 2, 9]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        fan_in: int | None = None,
        fan_out: int | None = None,
        **options: object,
    ) -> None:
        super().__init__(in_features, out_features, **options)  # type: ignore[arg-type]
        bias = self.bias.detach()
        del self.bias
        self.register_buffer("bias", bias, persistent=False)
        self._scale_weights(fan_in or in_features, fan_out or out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Features (..., in_features, F) of x (..., in_features); errors as for `kanlib.KANLayer`."""
        return self.features(x)

    @torch.no_grad()
    def _scale_weights(self, fan_in: int, fan_out: int) -> None:
        rule, n_basis = INIT_RULES[self.init], self.coefficients.shape[2]
        drawn, wanted = rule(self.in_features, self.out_features, n_basis), rule(fan_in, fan_out, n_basis)
        for parameter, was, sigma in zip((self.coefficients, self.base_weight), drawn, wanted, strict=True):
            if parameter is not None and was > 0.0:
                parameter.mul_(sigma / was)
