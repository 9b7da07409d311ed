"""Makes the table of hyperbolic knots: `python -m benchmarks.paper.knot_table`, about 15 minutes; it can be resumed.

Signature and diagram are KnotInfo's (Livingston and Moore, knotinfo.org, by the package ``database_knotinfo``), the
geometry is computed by SnapPy (Culler, Dunfield, Goerner and Weeks, by the package ``snappy``) from that diagram.
KnotInfo's own columns of the geometry are not used: they belong to mirror images as often as not.

The diagram is the PD code, which fixes the knot and not only its kind up to mirror image; so that signature and
geometry are those of the same mirror image, the signature of the diagram is computed anew from its Seifert matrix, and
a knot where KnotInfo says another is left out. KnotInfo's sign is the one that is negative for positive knots.

Columns: name, crossings, signature, volume, chern_simons (mod 1/2), cusp_volume of the maximal cusp, its translations
along the meridian (meridian_real, meridian_imag) and the longitude (turned to be real), the complex length of the
shortest geodesic (geodesic_real, geodesic_imag in (-pi, pi]), injectivity_radius (half of its length, by definition),
symmetry (isometry group of the exterior). Empty where SnapPy finds none. Where several geodesics are the shortest up to
rounding (conjugates of an amphicheiral knot, say), the one with the largest imaginary part counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["COLUMNS", "PATH", "main"]

PATH = Path(__file__).parent / "data" / "knots.csv"
COLUMNS = (
    "name", "crossings", "signature", "volume", "chern_simons", "cusp_volume",
    "meridian_real", "meridian_imag", "longitude", "geodesic_real", "geodesic_imag", "injectivity_radius", "symmetry",
)  # fmt: skip
POSITIVE = "all tetrahedra positively oriented"
CUTOFFS = (0.6, 1.0, 1.4, 1.8, 2.4)  # lengths up to which geodesics are listed, until there is one
TRIES = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the rows that the file lacks; 1 where a package is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper.knot_table", description=__doc__)
    parser.add_argument("--crossings", type=int, default=12, help="at most so many (at most 13)")
    parser.add_argument("--output", type=Path, default=PATH)
    given = parser.parse_args(arguments)
    try:
        import database_knotinfo
        import spherogram  # comes with snappy, which it needs to make an exterior
    except ImportError as error:
        print(f"{error}. The table needs snappy and database_knotinfo: pip install -e '.[benchmarks]'", file=sys.stderr)
        return 1
    done = _names(given.output)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    start, missing, other = time.perf_counter(), 0, []
    with given.output.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not done:
            writer.writerow(COLUMNS)
        for count, knot in enumerate(_hyperbolic(database_knotinfo.link_list(), given.crossings), 1):
            if knot["name"] in done:
                continue
            link = spherogram.Link([tuple(crossing) for crossing in json.loads(knot["pd_notation"])])
            if _signature(link) != int(knot["signature"]):
                other.append(knot["name"])
                continue
            values = _geometry(link.exterior())
            missing += values["geodesic_real"] is None
            values |= {"name": knot["name"], "crossings": knot["crossing_number"], "signature": knot["signature"]}
            writer.writerow([_shown(values[column]) for column in COLUMNS])
            file.flush()
            if count % 100 == 0:
                print(f"  {count} knots, {time.perf_counter() - start:.0f} s, no geodesic: {missing}", flush=True)
    print(f"written: {given.output}; no geodesic: {missing}; another signature than KnotInfo's, left out: {other}")
    return 0


def _names(path: Path) -> set[str]:
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {row["name"] for row in csv.DictReader(file)}


def _hyperbolic(knots: Sequence[dict[str, str]], crossings: int) -> Iterator[dict[str, str]]:
    for knot in knots[1:]:  # the first row holds the titles
        if knot["geometric_type"] == "hyperbolic" and int(knot["crossing_number"]) <= crossings:
            yield knot


def _signature(link: Any) -> int:
    """Signature of V + V^T with KnotInfo's sign; spherogram's Seifert matrix gives the other one."""
    seifert = np.array(link.seifert_matrix())
    values = np.linalg.eigvalsh(seifert + seifert.T)  # never zero: their product is the odd determinant
    return int((values < 0).sum() - (values > 0).sum())


def _geometry(exterior: Any) -> dict[str, Any]:
    """All invariants of the hyperbolic structure."""
    for _ in range(TRIES):
        if exterior.solution_type() == POSITIVE:
            break
        exterior.randomize()
    else:
        raise RuntimeError(f"no geometric triangulation of {exterior} in {TRIES} tries; run the script once more.")
    cusp = exterior.cusp_neighborhood()
    cusp.set_displacement(cusp.stopping_displacement())
    meridian, longitude = (complex(value) for value in cusp.translations(0))
    length = _shortest(exterior)
    return {
        "volume": float(exterior.volume()),
        "chern_simons": float(exterior.chern_simons()),
        "cusp_volume": float(cusp.volume()),
        "meridian_real": meridian.real,
        "meridian_imag": meridian.imag,
        "longitude": longitude.real,
        "geodesic_real": None if length is None else length.real,
        "geodesic_imag": None if length is None else length.imag,
        "injectivity_radius": None if length is None else length.real / 2,
        "symmetry": str(exterior.symmetry_group()),
    }


def _shortest(exterior: Any) -> complex | None:
    """Complex length of the shortest geodesic; None where no Dirichlet domain is found."""
    exterior = exterior.copy()
    for attempt in range(TRIES):
        # A base point of largest injectivity radius, the default, has many faces at one distance, and double
        # precision cannot order them; quadruple precision can, and takes seconds.
        last = attempt >= TRIES - 3
        try:
            domain = (exterior.high_precision() if last else exterior).dirichlet_domain(
                maximize_injectivity_radius=last
            )
            break
        except RuntimeError:
            exterior.randomize()
    else:
        return None
    for cutoff in CUTOFFS:
        lengths = [complex(found["length"]) for found in domain.length_spectrum_dicts(cutoff)]
        if lengths:
            least = min(length.real for length in lengths)
            return max((length for length in lengths if length.real < least + 1e-9), key=lambda length: length.imag)
    return None


def _shown(value: Any) -> str:
    return "" if value is None else f"{round(value, 10) + 0.0:.10g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
