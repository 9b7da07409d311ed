"""Bases of functions of one variable, for the edges of KAN layers; `KANLayer(basis=...)` takes their names.

| name | functions | reaches | good for |
|---|---|---|---|
| bspline | B-splines of the degree | k + 1 cells | smooth curves; grids that are refined; the default |
| gaussian | Gaussian bumps | its neighbours | smooth curves, fast |
| chebyshev, legendre | polynomials | everywhere | analytic functions, polynomials |
| fourier | sines and cosines | everywhere | what repeats |
| mexican_hat, morlet, dog | wavelets at dyadic scales | its scale | bumps, several scales |
| rational | partial fractions with fixed poles | decays slowly | resonances, steep flanks |
| piecewise_linear | hats | 2 cells | kinks, cheap values |
"""

from __future__ import annotations

from kanlib.errors import InputError

from .bsplines import BSpline
from .fourier import Fourier
from .polynomials import Chebyshev, Legendre
from .protocol import Basis, Extrapolate, UnitBasis
from .radial import Gaussian, PiecewiseLinear, Rational
from .wavelets import DoG, MexicanHat, Morlet

__all__ = ["BASES", "Basis", "Extrapolate", "UnitBasis", "get_basis"]

# name -> basis. A basis of your own is used once it is in here, under its name.
BASES: dict[str, Basis] = {
    basis.name: basis
    for basis in (
        BSpline(),
        Gaussian(),
        Chebyshev(),
        Legendre(),
        Fourier(),
        MexicanHat(),
        Morlet(),
        DoG(),
        Rational(),
        PiecewiseLinear(),
    )
}


def get_basis(name: str) -> Basis:
    """The basis of that name.

    Raises
    ------
    InputError
        When there is none.

    Examples
    --------
    >>> get_basis("fourier").complexity(grid_size=5, degree=3)
    8
    """
    try:
        return BASES[name]
    except (KeyError, TypeError):
        raise InputError(f"basis {name!r} is not known; expected one of {', '.join(map(repr, BASES))}.") from None
