"""Bases of functions of one variable, for the edges of KAN layers; `KANLayer(basis=...)` takes their names.

| name | functions | reaches | good for |
|---|---|---|---|
| bspline | B-splines of the degree | k + 1 cells | smooth curves; grids that are refined; the default |
| gaussian | Gaussian bumps | little beyond its neighbours | smooth curves |
| chebyshev, legendre | polynomials of degree G + k - 1 | everywhere | analytic functions, polynomials |
| fourier | sines and cosines | everywhere | what repeats |
| mexican_hat, morlet, dog | wavelets at dyadic scales | its scale | bumps, several scales |
| rational | partial fractions with fixed poles | decays slowly | resonances, steep flanks |
| piecewise_linear | hats | 2 cells | kinks, cheap values |
"""

from __future__ import annotations

from kanlib.errors import InputError

from .bsplines import BSpline
from .fourier import Fourier
from .hats import PiecewiseLinear
from .polynomials import Chebyshev, Legendre
from .protocol import Basis, Extrapolate, UnitBasis
from .radial import Gaussian, Rational
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
        raise InputError(
            f"basis {name!r} is not known; expected the name of one: {', '.join(map(repr, BASES))}. "
            "One of your own gets a name in kanlib.bases.BASES."
        ) from None
