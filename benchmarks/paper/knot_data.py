"""The table of knots as arrays: 2,970 hyperbolic knots of up to 12 crossings, made by `benchmarks.paper.knot_table`.

The columns are those of the knots of Davies et al. 2021, "Advancing mathematics by guiding human intuition with AI"
(Nature 600, 70-74), which the KAN paper (arXiv 2404.19756, section 4.3) takes up, without the degrees of the two
torsion polynomials, which SnapPy computes inside Sage only. Their set has 243,746 knots of up to 15 crossings and
random ones of up to 80; so accuracies here and there stand side by side, and are not of one set.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kanlib.errors import InputError

__all__ = ["GEOMETRY", "ODD", "SYMMETRIES", "TRANSLATIONS", "Knots", "load", "slope", "split"]

Array = NDArray[np.float64]

PATH = Path(__file__).parent / "data" / "knots.csv"
TRANSLATIONS = ("meridian_real", "meridian_imag", "longitude")
GEOMETRY = (
    "volume", "chern_simons", "cusp_volume", *TRANSLATIONS, "geodesic_real", "geodesic_imag", "injectivity_radius",
)  # fmt: skip
ODD = ("chern_simons", "meridian_real", "geodesic_imag")
# The groups that Davies et al. have columns for; the others are none of them.
SYMMETRIES = ("0", "D3", "D4", "D6", "D8", "Z/2 + Z/2")


@dataclass(frozen=True)
class Knots:
    """The table: `values` has the columns of `GEOMETRY`; `symmetry` are names of groups."""

    names: tuple[str, ...]
    signature: NDArray[np.int64]
    values: Array
    symmetry: tuple[str, ...]

    def column(self, name: str) -> Array:
        """One column: of the geometry, "signature", "slope", or a group of `SYMMETRIES` as 0 and 1."""
        if name in GEOMETRY:
            return self.values[:, GEOMETRY.index(name)]
        if name == "signature":
            return self.signature.astype(np.float64)
        if name == "slope":
            return slope(*(self.column(part) for part in TRANSLATIONS))
        if name in SYMMETRIES:
            return np.array([float(group == name) for group in self.symmetry])
        known = ", ".join((*GEOMETRY, "signature", "slope", *SYMMETRIES))
        raise InputError(f"no column {name!r}; expected one of {known}.")

    def columns(self, names: Sequence[str]) -> Array:
        """Several columns side by side, shape (knots, columns)."""
        return np.stack([self.column(name) for name in names], axis=1)

    def take(self, rows: NDArray[np.int64]) -> Knots:
        """Some of the knots."""
        names, symmetry = (tuple(texts[row] for row in rows) for texts in (self.names, self.symmetry))
        return Knots(names, self.signature[rows], self.values[rows], symmetry)

    def with_mirrors(self) -> Knots:
        """The knots and their mirror images: which of the two a table holds is convention.

        Under a reflection the signature and the columns of `ODD` change their signs, and the others stay.
        """
        signs = np.array([-1.0 if name in ODD else 1.0 for name in GEOMETRY])
        signature = np.concatenate([self.signature, -self.signature])
        return Knots(2 * self.names, signature, np.concatenate([self.values, signs * self.values]), 2 * self.symmetry)


def load(path: Path = PATH) -> Knots:
    """Read the table; knots of which SnapPy found no geodesic are left out."""
    if not path.exists():
        raise InputError(f"{path} is missing; make it with python -m benchmarks.paper.knot_table.")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        lost = [name for name in ("name", "signature", "symmetry", *GEOMETRY) if name not in (reader.fieldnames or ())]
        if lost:
            raise InputError(f"{path} has no columns {', '.join(lost)}; make it anew with benchmarks.paper.knot_table.")
        rows = [row for row in reader if row["geodesic_real"]]
    return Knots(
        tuple(row["name"] for row in rows),
        np.array([int(row["signature"]) for row in rows]),
        np.array([[float(row[name]) for name in GEOMETRY] for row in rows]),
        tuple(row["symmetry"] for row in rows),
    )


def slope(meridian_real: Array, meridian_imag: Array, longitude: Array) -> Array:
    """Re(longitude / meridian), the natural slope of Davies et al. 2021b (arXiv 2111.15323); the longitude is real.

    Examples
    --------
    >>> slope(np.array([1.0]), np.array([1.0]), np.array([4.0]))
    array([2.])
    """
    return longitude * meridian_real / (meridian_real**2 + meridian_imag**2)


def split(number: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on (three quarters) and to test on, by the seed."""
    order = np.random.default_rng([seed, 4]).permutation(number)
    return order[number // 4 :], order[: number // 4]
