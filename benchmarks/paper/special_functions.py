"""The fifteen special functions of arXiv 2404.19756, section 3.2: ranges, published shapes and errors.

The paper states neither ranges nor grids. Here orders and degrees run from 0 to 2, arguments of oscillating functions
from 1 to 10, of exponential ones from 1 to 5; amplitudes of elliptic integrals up to 1.5 with parameters up to 0.9 (the
singularity is at pi/2 and 1), Legendre functions on [-0.8, 0.8] (theirs are at -1 and 1), the sphere as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["FUNCTIONS", "PUBLISHED_GRID", "SpecialFunction"]

Array = NDArray[np.float64]

# The published grids are unknown; of those the paper went through (3, 5, 10, 20, 50, 100, 200) a coarse one, so that
# the number of constants allowed here is on the strict side.
PUBLISHED_GRID, PUBLISHED_DEGREE = 20, 3


@dataclass(frozen=True)
class SpecialFunction:
    """A function of two variables, and what was published of it.

    Attributes
    ----------
    published_shape : of the best KAN (table 1 of the paper).
    published_kan, published_mlp : its test RMSE, and the best MLP's.
    """

    name: str
    call: str
    function: Callable[[Array, Array], Array]
    ranges: tuple[tuple[float, float], tuple[float, float]]
    published_shape: tuple[int, ...]
    published_kan: float
    published_mlp: float

    def __call__(self, X: Array) -> Array:
        """Values (n,) at X (n, 2)."""
        return np.asarray(self.function(X[:, 0], X[:, 1]), dtype=np.float64)

    @property
    def constants_allowed(self) -> int:
        """Spline coefficients of the published shape on `PUBLISHED_GRID`; pykan's scales and biases not counted."""
        edges = sum(n * m for n, m in pairwise(self.published_shape))
        return edges * (PUBLISHED_GRID + PUBLISHED_DEGREE)


def _legendre(m: int) -> Callable[[Array, Array], Array]:
    return lambda v, x: special.lpmv(m, v, x)


def _harmonic(m: int, n: int) -> Callable[[Array, Array], Array]:
    """The real part; azimuth first, as in the paper's use of SciPy."""
    return lambda azimuth, polar: special.sph_harm_y(n, m, polar, azimuth).real


_ORDER, _DEGREE = (0.0, 2.0), (0.0, 2.0)
_WAVE, _EXPONENTIAL, _LEGENDRE = (1.0, 10.0), (1.0, 5.0), (-0.8, 0.8)
_AMPLITUDE, _PARAMETER = (0.0, 1.5), (0.0, 0.9)
_SPHERE = ((0.0, 2 * np.pi), (0.0, np.pi))


def _all() -> Sequence[SpecialFunction]:
    """Rows of table 1, in its order."""
    F = SpecialFunction
    return (
        F(
            "Jacobi elliptic sn",
            "ellipj(u, m)[0]",
            lambda u, m: special.ellipj(u, m)[0],
            ((0.0, 4.0), _PARAMETER),
            (2, 3, 2, 1, 1, 1),
            1.33e-4,
            6.48e-4,
        ),
        F(
            "incomplete elliptic integral, first kind",
            "ellipkinc(phi, m)",
            special.ellipkinc,
            (_AMPLITUDE, _PARAMETER),
            (2, 2, 1, 1, 1),
            1.24e-4,
            5.52e-4,
        ),
        F(
            "incomplete elliptic integral, second kind",
            "ellipeinc(phi, m)",
            special.ellipeinc,
            (_AMPLITUDE, _PARAMETER),
            (2, 2, 1, 1),
            8.26e-5,
            3.04e-4,
        ),
        F("Bessel, first kind", "jv(v, x)", special.jv, (_ORDER, _WAVE), (2, 3, 1, 1, 1), 1.64e-3, 5.52e-3),
        F("Bessel, second kind", "yv(v, x)", special.yv, (_ORDER, _WAVE), (2, 2, 2, 1), 1.49e-5, 3.45e-4),
        F("modified Bessel, second kind", "kv(v, x)", special.kv, (_ORDER, _EXPONENTIAL), (2, 2, 1), 2.52e-5, 1.67e-4),
        F(
            "modified Bessel, first kind",
            "iv(v, x)",
            special.iv,
            (_ORDER, _EXPONENTIAL),
            (2, 4, 3, 2, 1, 1),
            9.28e-3,
            1.07e-2,
        ),
        F(
            "associated Legendre, m = 0",
            "lpmv(0, v, x)",
            _legendre(0),
            (_DEGREE, _LEGENDRE),
            (2, 2, 1),
            5.25e-5,
            1.74e-2,
        ),
        F(
            "associated Legendre, m = 1",
            "lpmv(1, v, x)",
            _legendre(1),
            (_DEGREE, _LEGENDRE),
            (2, 4, 1),
            6.90e-4,
            1.50e-3,
        ),
        F(
            "associated Legendre, m = 2",
            "lpmv(2, v, x)",
            _legendre(2),
            (_DEGREE, _LEGENDRE),
            (2, 3, 2, 1),
            2.26e-4,
            9.43e-4,
        ),
        F("spherical harmonic, m = 0, n = 1", "sph_harm(0, 1)", _harmonic(0, 1), _SPHERE, (2, 1, 1), 2.21e-7, 1.25e-6),
        F(
            "spherical harmonic, m = 1, n = 1",
            "sph_harm(1, 1)",
            _harmonic(1, 1),
            _SPHERE,
            (2, 3, 2, 1),
            1.22e-4,
            6.70e-4,
        ),
        F("spherical harmonic, m = 0, n = 2", "sph_harm(0, 2)", _harmonic(0, 2), _SPHERE, (2, 1, 1), 1.95e-7, 2.85e-6),
        F(
            "spherical harmonic, m = 1, n = 2",
            "sph_harm(1, 2)",
            _harmonic(1, 2),
            _SPHERE,
            (2, 2, 1, 1),
            1.50e-5,
            1.84e-3,
        ),
        F(
            "spherical harmonic, m = 2, n = 2",
            "sph_harm(2, 2)",
            _harmonic(2, 2),
            _SPHERE,
            (2, 2, 3, 2, 1),
            9.45e-5,
            6.21e-4,
        ),
    )


FUNCTIONS = tuple(_all())
