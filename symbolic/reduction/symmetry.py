"""Symmetries of a law, read off the gradient of a smooth stand-in.

A law that reads z_i and z_j only as one coordinate has a gradient that says so: as z_i * z_j if z_i f_i = z_j f_j,
as z_i - z_j if f_i = -f_j, as z_i^p + c z_j^q if log|f_i / f_j| is linear in the logarithms of z_i and z_j. A law that
scales, f(s^a z) = s^b f(z), fulfils Euler's equation sum_i a_i z_i f_i = b f; its exponents are a null vector of the
matrix of the columns z_i f_i and f: Buckingham's groups, found without units. Here such changes are only proposed,
the most obvious first; whether they hold is tested on rows the stand-in has not seen.

Sources: Udrescu & Tegmark, Science Advances 6 (2020) eaay2631 (translation and scaling symmetries);
Constantine, del Rosario & Iaccarino, arXiv 1708.04303 (dimensionless groups from gradients).
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from sympy import Float, Rational

from .coordinates import Change, Coordinates, combined, powered
from .surrogate import Surrogate

__all__ = ["proposals"]

Array = NDArray[np.float64]

_LARGEST_POWER = 5
_FEW = 4
_HOPELESS = 0.7  # defect beyond which a change is not even proposed, unless the coordinates are few
_TRIM = 0.9  # of the rows count: the others are those where the stand-in is worst


def proposals(coordinates: Coordinates, surrogate: Surrogate) -> list[Change]:
    """Changes to fewer coordinates, the smallest defect first."""
    fields = _Fields(coordinates, surrogate)
    found = [*_dropped(coordinates, fields), *_factors(coordinates, fields), *_merges(coordinates, fields)]
    found += _scalings(coordinates, fields)
    return sorted((change for change in found if math.isfinite(change.defect)), key=lambda change: change.defect)


class _Fields:
    """The stand-in's gradient on the rows it was fitted to; every quantity in units of its largest value.

    A row is as far from zero as its flows z_i f_i are; the wildest are left aside.
    """

    def __init__(self, coordinates: Coordinates, surrogate: Surrogate) -> None:
        rows = surrogate.rows
        weight = coordinates.factor_values[rows]
        z, f = coordinates.values[rows], surrogate.predict(coordinates.values[rows]) * weight
        self.size = np.abs(z).max(axis=0)  # of each coordinate
        unit = float(np.abs(f).max()) or 1.0
        slope = surrogate.gradient(z) * (weight[:, None] / unit) * self.size
        length = np.linalg.norm(slope, axis=1)
        inside = length <= np.nanquantile(length, _TRIM)
        self.z = z[inside] / self.size
        self.f = f[inside] / unit
        self.slope = slope[inside]
        self.flow = self.z * self.slope  # z_i f_i
        self.spread = float(self.f.std()) or 1.0

    def defect(self, parts: list[Array]) -> float:
        """How far from zero the sum of these parts is, relative to their sizes."""
        total = sum(parts)
        size = sum(float(np.mean(part**2)) for part in parts)
        return math.sqrt(float(np.mean(np.square(total))) / max(size, 1e-300))


def _dropped(coordinates: Coordinates, fields: _Fields) -> list[Change]:
    """Coordinates whose effect, slope times spread, is small against the spread of y."""
    found = []
    for i in range(coordinates.k):
        effect = float(np.sqrt(np.mean(fields.slope[:, i] ** 2))) * float(fields.z[:, i].std())
        changed = powered(coordinates, [Fraction(0)] * coordinates.k, i)
        if changed is not None:
            found.append(Change("drop", changed, 0.5 * effect / fields.spread))
    return found


def _factors(coordinates: Coordinates, fields: _Fields) -> list[Change]:
    """f = z_i^p * rest: z_i f_i = p f."""
    found: list[Change] = []
    f = fields.f
    size = float(f @ f)
    if size == 0:
        return found
    for i in range(coordinates.k):
        flow = fields.flow[:, i]
        exponent = float(flow @ f) / size
        for p in _with(_rationals(exponent), (1, -1, 2, -2), coordinates.k):
            defect = fields.defect([flow, -float(p) * f])
            if defect > _HOPELESS and coordinates.k > _FEW:
                continue
            changed = powered(coordinates, [Fraction(0)] * coordinates.k, i, p)
            if changed is not None:
                found.append(Change("factor", changed, defect))
    return found


def _merges(coordinates: Coordinates, fields: _Fields) -> list[Change]:
    found = []
    for i, j in itertools.permutations(range(coordinates.k), 2):
        found += _products(coordinates, fields, i, j)
        if i < j:
            found += _sums(coordinates, fields, i, j)
    return found


def _products(coordinates: Coordinates, fields: _Fields, i: int, j: int) -> list[Change]:
    """z_i * z_j^q: z_j f_j = q z_i f_i. Every pair is asked in both orders; |q| >= 1 keeps one of them."""
    one, other = fields.flow[:, i], fields.flow[:, j]
    size = float(one @ one)
    if size == 0:
        return []
    ratio = float(other @ one) / size
    found = []
    for q in _with(_rationals(ratio), (1, -1), coordinates.k):
        if q == 0 or abs(q) < 1 or (abs(q) == 1 and q > 0 and i > j):
            continue
        defect = fields.defect([other, -float(q) * one])
        if defect > _HOPELESS and coordinates.k > _FEW:
            continue
        exponents = [q if m == i else Fraction(0) for m in range(coordinates.k)]
        changed = powered(coordinates, exponents, j)
        if changed is not None:
            found.append(Change("merge", changed, defect))
    return found


def _sums(coordinates: Coordinates, fields: _Fields, i: int, j: int) -> list[Change]:
    """z_i^p + c z_j^q for small p and q; c is what makes the gradients agree."""
    found: list[Change] = []
    powers = [(Fraction(p), Fraction(q)) for p in (1, 2, -1) for q in (1, 2, -1)]
    fitted = _fitted_powers(fields, i, j)
    if fitted is not None and fitted not in powers:
        powers.append(fitted)
    for p, q in powers:
        found += _sum(coordinates, fields, i, j, p, q)
    return found


def _sum(coordinates: Coordinates, fields: _Fields, i: int, j: int, p: Fraction, q: Fraction) -> list[Change]:
    """With c as it is estimated, and with the simple number next to it."""
    full_i, full_j = coordinates.values[:, i], coordinates.values[:, j]
    for power, full in ((p, full_i), (q, full_j)):
        if (power.denominator != 1 and full.min() <= 0) or (power < 0 and full.min() <= 0 <= full.max()):
            return []
    zi, zj = fields.z[:, i], fields.z[:, j]
    # f_i / (p z_i^(p-1)) = f_j / (c q z_j^(q-1)), multiplied out so that nothing is divided by
    with np.errstate(all="ignore"):
        one = fields.slope[:, i] * float(q) * zj ** float(q - 1)
        other = fields.slope[:, j] * float(p) * zi ** float(p - 1)
    size = float(one @ one)
    if size == 0 or not np.isfinite(size):
        return []
    with np.errstate(all="ignore"):
        unit = float(fields.size[i] ** float(p) / fields.size[j] ** float(q))  # of c
    c = float(other @ one) / size * unit
    if c == 0 or not np.isfinite(c) or not 0 < unit < math.inf:
        return []
    found = []
    simple = _with(_near(c), (1, -1), coordinates.k if p == q == 1 else _FEW + 1)
    for number, value in ((Float(c), c), *((Rational(e), float(e)) for e in simple)):
        defect = fields.defect([other, -value / unit * one])
        if defect > _HOPELESS and coordinates.k > _FEW:
            continue
        with np.errstate(all="ignore"):
            values = full_i ** float(p) + value * full_j ** float(q)
        expr = coordinates.expressions[i] ** Rational(p) + number * coordinates.expressions[j] ** Rational(q)
        changed = combined(coordinates, i, j, expr, values)
        if changed is not None:
            found.append(Change("merge", changed, defect))
    return found


def _fitted_powers(fields: _Fields, i: int, j: int) -> tuple[Fraction, Fraction] | None:
    """p and q from log|f_i / f_j| = a + (p - 1) log z_i - (q - 1) log z_j."""
    zi, zj = fields.z[:, i], fields.z[:, j]
    if zi.min() <= 0 or zj.min() <= 0:
        return None
    with np.errstate(all="ignore"):
        ratio = np.log(np.abs(fields.slope[:, i] / fields.slope[:, j]))
    finite = np.isfinite(ratio)
    if finite.sum() < 20:
        return None
    design = np.column_stack([np.ones(int(finite.sum())), np.log(zi[finite]), np.log(zj[finite])])
    _, s, t = np.linalg.lstsq(design, ratio[finite], rcond=None)[0]
    p, q = Fraction(round(2 * (s + 1)), 2), Fraction(round(2 * (1 - t)), 2)
    small = abs(p) <= _LARGEST_POWER and abs(q) <= _LARGEST_POWER
    return (p, q) if p != 0 and q != 0 and small else None


def _scalings(coordinates: Coordinates, fields: _Fields) -> list[Change]:
    """Euler's equation with two or more coordinates that scale together, y among them or not."""
    k = coordinates.k
    columns = np.column_stack([fields.flow, -fields.f])
    sizes = np.sqrt(np.mean(columns**2, axis=0))
    if not np.all(np.isfinite(sizes)) or np.any(sizes[:k] == 0) or sizes[k] == 0:
        return []
    gram = (columns / sizes).T @ (columns / sizes) / len(columns)
    found = []
    # With many coordinates there are too many sets of them; merges of two come first anyway.
    largest = 5 if k <= 7 else 3 if k <= 10 else 1
    for size in range(2, min(k, largest) + 1):
        for support in itertools.combinations(range(k), size):
            for with_y in (False, True):
                if size == 2 and not with_y:
                    continue  # a merge of two
                chosen = [*support, k] if with_y else list(support)
                _, vectors = np.linalg.eigh(gram[np.ix_(chosen, chosen)])
                exact = _integers(vectors[:, 0] / sizes[chosen])
                options = [] if exact is None else [exact]
                options += _simple_scalings(gram, sizes, support, with_y)
                for exponents in options:
                    weights = np.array([float(e) for e in exponents]) * sizes[chosen]
                    weights /= np.linalg.norm(weights)
                    defect = math.sqrt(max(float(weights @ gram[np.ix_(chosen, chosen)] @ weights), 0.0))
                    if defect > 0.3:
                        continue
                    change = _scaled(coordinates, dict(zip(chosen, exponents, strict=True)), defect)
                    if change is not None:
                        found.append(change)
    return found


def _simple_scalings(gram: Array, sizes: Array, support: tuple[int, ...], with_y: bool) -> list[list[Fraction]]:
    """Exponents 1, -1 (and 2 in pairs) for the coordinates; that of y, if it scales too, is what fits them best.

    A noisy gradient hides a null vector that it still supports when asked.
    """
    y = len(sizes) - 1
    found = []
    for others in itertools.product((1, -1, 2, -2) if len(support) == 2 else (1, -1), repeat=len(support) - 1):
        exponents = (1, *others)
        if not with_y:
            found.append([*map(Fraction, exponents)])
            continue
        weights = np.array(exponents) * sizes[list(support)]
        # the last column is -f: its exponent is the one that cancels the others
        power = -float(weights @ gram[list(support), y]) / float(gram[y, y] * sizes[y])
        found += [[*map(Fraction, exponents), p] for p in _rationals(power) if p.denominator <= 2]
    return found


def _scaled(coordinates: Coordinates, exponents: dict[int, Fraction], defect: float) -> Change | None:
    """Divide by the coordinate that leaves the simplest exponents."""
    k = coordinates.k
    front = exponents.get(k, Fraction(0))
    options = []
    for pivot in (i for i in exponents if i < k):
        quotient = [-exponents[i] / exponents[pivot] if i in exponents else Fraction(0) for i in range(k)]
        powers = [q for i, q in enumerate(quotient) if i != pivot and q != 0] + [front / exponents[pivot]]
        price = sum(abs(p.numerator) + 3 * (p.denominator - 1) for p in powers)
        changed = powered(coordinates, quotient, pivot, front / exponents[pivot])
        if changed is not None:
            options.append((price, pivot, changed))
    if not options:
        return None
    return Change("scaling", min(options, key=lambda option: option[:2])[2], defect)


def _integers(vector: Array) -> list[Fraction] | None:
    """The vector as small whole numbers up to a factor; None where it is not nearly so."""
    largest = float(np.max(np.abs(vector)))
    best: tuple[float, list[Fraction]] | None = None
    for whole in range(1, 5):
        scaled = vector / largest * whole
        rounded = np.round(scaled)
        if np.any(rounded == 0):
            continue
        error = float(np.max(np.abs(scaled - rounded))) * (1 + 0.3 * whole)
        if error < 0.2 and (best is None or error < best[0] - 1e-9):
            best = (error, [Fraction(int(r)) for r in rounded])
    return None if best is None else best[1]


def _rationals(value: float) -> list[Fraction]:
    """The whole, half or third numbers a rough exponent may stand for."""
    if not math.isfinite(value) or abs(value) > _LARGEST_POWER + 0.5:
        return []
    options = {Fraction(round(value)), Fraction(round(2 * value), 2), Fraction(round(3 * value), 3)}
    return [p for p in options if p != 0 and abs(float(p) - value) < 0.3 * max(1.0, abs(value))]


def _with(estimated: list[Fraction], always: tuple[int, ...], k: int) -> list[Fraction]:
    """The estimated numbers and, of few coordinates, the commonest: a gradient may be too rough to suggest them."""
    return list(dict.fromkeys([*estimated, *(map(Fraction, always) if k <= _FEW else ())]))


def _near(value: float) -> list[Fraction]:
    """Simple numbers that a rough estimate may stand for."""
    options = {Fraction(round(value * d), d) for d in (1, 2, 3, 4)}
    return [f for f in options if f != 0 and abs(f.numerator) <= 4 and abs(float(f) - value) <= 0.1 * abs(value)]
