"""Two quasiperiodic chains whose mobility edges are known, their eigenstates, and which of these are extended.

Both are one particle on a line of N sites with hopping and a potential that never repeats, c_n = cos(2 pi b n + phi)
with b = (sqrt(5) - 1)/2. The hopping to the next site is the unit of energy, the ends are open:

GAAM    H = sum_n |n><n+1| + h.c. + sum_n 2 lam c_n / (1 - alpha c_n) |n><n|,   |alpha| < 1
        Ganeshan, Pixley and Das Sarma 2015, Phys. Rev. Lett. 114, 146601;     edge  alpha E = 2 (1 - lam)
MAAM    H = sum_{m != n} e^p e^(-p |m - n|) |m><n| + sum_n lam c_n |n><n|
        Biddle and Das Sarma 2010, Phys. Rev. Lett. 104, 070601;               edge  lam cosh(p) = E + e^p

Both edges follow from one line. Write T for the sum over the two neighbours and C for the product with 2 c_n: the
Fourier transform turns one into the other. Both eigenvalue equations can be brought into the form

    (x - T/2) (y - C/2) u = m u      with numbers x, y, m.                                              (1)

Then w = (y - C/2) u obeys (y - C/2) (x - T/2) w = m w, whose Fourier transform is (1) with x and y exchanged. A
localised u of (x, y) is thus an extended state of (y, x) and the other way round, so they can only change roles at
|x| = |y|; hopping wins where |x| < |y|. What x and y are:

GAAM    E u = T u + lam C / (1 - alpha C/2) u. With h = 1 - alpha C/2, lam C = (2 lam/alpha)(1 - h): multiplied by h,
        (1 - alpha C/2)(alpha E + 2 lam - alpha T) u = 2 lam u. So y = 1/alpha and x = (alpha E + 2 lam)/(2 alpha), and
        x = y is alpha E + 2 lam = 2. (The factors stand the other way round here, which w = ... undoes.)
MAAM    With K_mn = e^(-p |m - n|), diagonal included, e^p K u = (E + e^p - lam C/2) u, and the inverse of K is
        (cosh p - T/2)/sinh p. So x = cosh p, y = (E + e^p)/lam, and x = y is lam cosh(p) = E + e^p.

No state is at x = -y: alpha H + 2 lam = alpha T + 2 lam/(1 - alpha C/2) > -2, and E + e^p > -lam.

An eigenstate with amplitudes u_n has the inverse participation ratio IPR = sum_n |u_n|^4 (for sum_n |u_n|^2 = 1) and
the fractal dimension D = -log(IPR)/log(N): towards 1 where it is extended, towards 0 where it is localised. As N grows
every threshold between gives the same labels; here it is 1/2. In a chain of finite length states near the edge are
neither, and a few states sit at the ends: this is why the exact edge does not label all eigenstates either, and its
accuracy is the yardstick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.linalg import eigh, eigh_tridiagonal
from sympy import Expr, Symbol

__all__ = ["SYSTEMS", "Chains", "System", "dimension", "hamiltonian", "sample", "states"]

Array = NDArray[np.float64]

FREQUENCY = (np.sqrt(5.0) - 1.0) / 2.0
THRESHOLD = 0.5

E, LAM, ALPHA, P = sympy.symbols("E_ lam alpha p", real=True)


@dataclass(frozen=True)
class System:
    """A family of chains.

    Attributes
    ----------
    name, symbols : "GAAM" or "MAAM"; energy, strength of the potential, and the family's own parameter.
    ranges : of the two parameters; chains are drawn uniformly in them. They are our choice, not the KAN
        paper's: they hold chains whose states are all extended, all localised, and of both kinds.
    edge : the exact edge; positive where states are extended.
    published : accuracies of the KAN paper (arXiv 2404.19756, section 4.4): its theory, and its automatic formula.
    """

    name: str
    symbols: tuple[Symbol, Symbol, Symbol]
    ranges: tuple[tuple[float, float], tuple[float, float]]
    edge: Expr
    published: Mapping[str, float]


SYSTEMS = {
    system.name: system
    for system in (
        System(
            "GAAM",
            (E, LAM, ALPHA),
            ((0.2, 1.8), (-0.8, 0.8)),
            2 - 2 * LAM - ALPHA * E,
            {"theory": 0.992, "KAN": 0.990},
        ),
        System(
            "MAAM",
            (E, LAM, P),
            ((0.2, 4.0), (0.3, 2.5)),
            E + sympy.exp(P) - LAM * sympy.cosh(P),
            {"theory": 0.986, "KAN": 0.971},
        ),
    )
}


@dataclass(frozen=True)
class Chains:
    """Eigenstates of several chains, one row each.

    Attributes
    ----------
    X : (n, 3), the columns of ``System.symbols``.
    dimension : (n,) fractal dimensions.
    chain : (n,) number of the chain: rows of one are not independent of each other.
    """

    X: Array
    dimension: Array
    chain: NDArray[np.int64]

    @property
    def extended(self) -> NDArray[np.bool_]:
        return self.dimension > THRESHOLD

    def rows(self, where: NDArray[np.int64]) -> Chains:
        """Some of the rows."""
        return Chains(self.X[where], self.dimension[where], self.chain[where])


def hamiltonian(name: str, size: int, lam: float, own: float, phase: float) -> Array:
    """The matrix (size, size) of one chain; ``own`` is alpha or p.

    Examples
    --------
    >>> hamiltonian("GAAM", 3, 0.0, 0.5, 0.0).round(2).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    wave = np.cos(2 * np.pi * FREQUENCY * np.arange(size) + phase)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    if name == "GAAM":
        return np.diag(_potential(wave, lam, own)) + (distance == 1)
    if name != "MAAM":
        raise ValueError(f"name is {name!r}; expected one of {sorted(SYSTEMS)}.")
    matrix = np.exp(-own * (distance - 1.0))
    np.fill_diagonal(matrix, lam * wave)
    return matrix


def states(name: str, size: int, lam: float, own: float, phase: float) -> tuple[Array, Array]:
    """Energies (size,) in rising order, and the eigenstates as columns (size, size)."""
    if name == "GAAM":  # three diagonals, so a tenth of the time
        wave = np.cos(2 * np.pi * FREQUENCY * np.arange(size) + phase)
        return eigh_tridiagonal(_potential(wave, lam, own), np.ones(size - 1))  # type: ignore[no-any-return]
    return eigh(hamiltonian(name, size, lam, own, phase), driver="evd", overwrite_a=True)  # type: ignore[no-any-return]


def _potential(wave: Array, lam: float, alpha: float) -> Array:
    return 2 * lam * wave / (1 - alpha * wave)


def dimension(vectors: Array) -> Array:
    """Fractal dimension of every column.

    Examples
    --------
    >>> plane, site = np.full(100, 0.1), np.eye(100)[0]
    >>> abs(dimension(np.column_stack([plane, site]))).round(12).tolist()
    [1.0, 0.0]
    """
    return -np.log((np.abs(vectors) ** 4).sum(axis=0)) / np.log(len(vectors))


def sample(system: System, n_chains: int, size: int, seed: int) -> Chains:
    """All eigenstates of chains with parameters and phases drawn anew."""
    rng = np.random.default_rng(seed)
    blocks, dimensions = [], []
    for _ in range(n_chains):
        lam, own = (rng.uniform(low, high) for low, high in system.ranges)
        energies, vectors = states(system.name, size, lam, own, rng.uniform(0, 2 * np.pi))
        blocks.append(np.column_stack([energies, np.full(size, lam), np.full(size, own)]))
        dimensions.append(dimension(vectors))
    return Chains(np.concatenate(blocks), np.concatenate(dimensions), np.repeat(np.arange(n_chains), size))
