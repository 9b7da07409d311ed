"""Orthogonal polynomials as bases: global, exact for polynomials, exponentially accurate for analytic functions.

Both families obey f_{m+1} = a_m u f_m - c_m f_{m-1}; differentiated d times, f^(d)_{m+1} = a_m (u f^(d)_m +
d f^(d-1)_m) - c_m f^(d)_{m-1}.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from .protocol import UnitBasis

__all__ = ["Chebyshev", "Legendre"]


class _Polynomials(UnitBasis):
    @abstractmethod
    def _recurrence(self, m: int) -> tuple[float, float]:
        """a_m and c_m, for m of one and more; a_0 is one."""

    def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
        zero, one = torch.zeros_like(u), torch.ones_like(u)
        keep = u * 0  # NaN stays NaN, in the constant function too
        # Rows of derivative 0, 1, ... up to the one asked for; each needs the one below it.
        before = [one + keep, *[zero] * derivative]
        now = [u, *([one] if derivative else []), *[zero] * (derivative - 1)]
        columns = [before[derivative], now[derivative]]
        for m in range(1, size - 1):
            a, c = self._recurrence(m)
            following = [
                a * (u * now[d] + (d * now[d - 1] if d else 0.0)) - c * before[d] for d in range(derivative + 1)
            ]
            before, now = now, following
            columns.append(now[derivative])
        return torch.stack(columns[:size], dim=-1)

    def constant(self, size: int) -> Tensor:
        return torch.eye(size, dtype=torch.float64)[0]

    def difference_rows(self, size: int, degree: int) -> Tensor:
        """The coefficients of all polynomials of more than the degree: zero for a polynomial of the degree."""
        return torch.eye(size, dtype=torch.float64)[degree + 1 :]


class Chebyshev(_Polynomials):
    """Chebyshev polynomials of the first kind, T_0 to T_{G+k-1}.

    Source: J. C. Mason and D. C. Handscomb, Chebyshev Polynomials, 2003; in KANs arXiv 2405.07200.
    """

    name = "chebyshev"

    def _recurrence(self, m: int) -> tuple[float, float]:
        return 2.0, 1.0


class Legendre(_Polynomials):
    """Legendre polynomials, P_0 to P_{G+k-1}, with P_m(1) = 1.

    Source: NIST Digital Library of Mathematical Functions, section 18.9.
    """

    name = "legendre"

    def _recurrence(self, m: int) -> tuple[float, float]:
        return (2 * m + 1) / (m + 1), m / (m + 1)
