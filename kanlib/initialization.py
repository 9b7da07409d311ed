"""Named rules for the first values of a layer's weights: standard deviations for splines and base functions.

The power law is the best of the rules compared in arXiv 2509.03417 ("Initialization Schemes for
Kolmogorov-Arnold Networks: An Empirical Study"): splines near zero, a strong base path.
"""

from __future__ import annotations

from collections.abc import Callable


def _power_law(n_in: int, n_out: int, n_basis: int) -> tuple[float, float]:
    terms = (n_basis + 1) * n_in
    return terms**-1.75, terms**-0.25


def _zero_spline(n_in: int, n_out: int, n_basis: int) -> tuple[float, float]:
    return 0.0, n_in**-0.5


def _lecun(n_in: int, n_out: int, n_basis: int) -> tuple[float, float]:
    # An input sees n_basis B-splines through a partition of unity, about one of them at a time.
    return n_in**-0.5, n_in**-0.5


def _xavier(n_in: int, n_out: int, n_basis: int) -> tuple[float, float]:
    sigma = (2.0 / (n_in + n_out)) ** 0.5
    return sigma / n_basis**0.5, sigma


# name -> function (n_in, n_out, G + k) -> (sigma of the coefficients, sigma of the base weights)
INIT_RULES: dict[str, Callable[[int, int, int], tuple[float, float]]] = {
    "power_law": _power_law,
    "zero_spline": _zero_spline,
    "lecun": _lecun,
    "xavier": _xavier,
}
