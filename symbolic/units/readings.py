"""Abbreviations that pint takes for another unit than their writer means: "cfm" is a hundredth of a fermi to it.

pint tries every prefix in front of every symbol, and knows symbols of trades (Nm counts yarn) and of constants (k). So
it is its own name for each part of a text that is looked at, whatever the prefix. What is written out (number_meter) is
meant, and so is a short symbol behind a prefix where that is the custom (kHz, not ppt for a trillionth of a pint).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any

__all__ = ["misunderstood"]

# pint's name, with a prefix or for all of them -> what to write instead
_ABBREVIATED = {
    "number_meter": "N*m (newton metre) or number_meter (of yarn)",
    "boltzmann_constant": "K (kelvin) or boltzmann_constant, or convert thousands",
    "molar_gas_constant": "molar_gas_constant, roentgen or degR",
    "dry_pint": "dots_per_inch or dry_pint",
    "absorbance_unit": "au (astronomical unit) or absorbance_unit",
    "picohenry": "'' (a pure number) or picohenry",
    "gigasecond": "tesla, after converting gauss (1 G = 1e-4 T), or gigasecond",
    "megatesla": "t (metric ton) or megatesla",
    "millimetric_ton": "t (metric ton) or kg",
    "millibarn": "mbar (pressure) or millibarn",
    "kilobarn": "kbar (pressure), kilobit or kilobarn",
    "megabarn": "Mbar (pressure), megabit or megabarn",
    "gilbert": "gigabit, gigabarn or gilbert",
    "debye": "debye, darcy or dalton",
    "cup": "cP (centipoise) or cup",
    "grain": "g (gram) or grain",
    "langley": "ly (light year) or langley",
    "jute": "TJ (terajoule) or jute",
}
# where a prefix stands in front
_BEHIND_PREFIX = {
    "fermi": "ft^3/min where cubic feet per minute are meant",
    "pint": "'' (a pure number, after converting the column) where parts per trillion are meant",
    "unified_atomic_mass_unit": "µm (micrometre), ft^3 (cubic foot), or Da for a mass",
}
# names that mean something else even when they are written out
_WORDS = {
    "rads": "rad (angle), or Gy after converting (1 rad of dose = 0.01 Gy)",
    "mil": "thou (1/1000 inch), or rad after converting an angle",
}
# units with a symbol of one or two letters that people put prefixes in front of
_PREFIXED = (
    "meter second ampere gram kelvin steradian hertz newton pascal joule watt coulomb volt farad ohm siemens weber "
    "henry tesla lumen lux becquerel gray sievert liter molar metric_ton year parsec light_year astronomical_unit "
    "angstrom barn byte baud electron_volt hartree rydberg dalton poise stokes curie enzyme_unit watt_hour volt_ampere "
    "ampere_hour absorbance_unit strain pound force_gram townsend ampere_turn css_pixel"
)
# what pint multiplies and people do not: names, or their ends
_PRODUCTS = (
    (("degree",), ("degree_Celsius", "degree_Fahrenheit", "degree_Rankine", "kelvin"), "degC, degF or K for a degree"),
    (("femtoliter",), ("ounce",), "fluid_ounce"),
    (
        ("bar", "pascal", "pound_force_per_square_inch"),
        ("gram", "year"),
        "the unit alone, after adding the atmosphere where a gauge was read",
    ),
)
_MODIFIERS = {"per", "square", "sq", "squared", "cubic", "cubed"}


def misunderstood(registry: Any, spelling: str, items: Iterable[tuple[str, Any]]) -> tuple[str, str] | None:
    """What pint reads in a text, and what to write instead; None where that is what people mean.

    Parameters
    ----------
    registry : pint's, which knows all units of the text.
    spelling : as it was given to pint.
    items : (unit, exponent) as pint read them.

    Examples
    --------
    >>> import pint
    >>> known = pint.UnitRegistry(cache_folder=None)
    >>> misunderstood(known, "cNm", [("centinumber_meter", 1)])
    ('centinumber_meter', 'N*m (newton metre) or number_meter (of yarn)')
    >>> misunderstood(known, "kHz", [("kilohertz", 1)]) is None
    True
    """
    for token in re.findall(r"[^\W\d]\w*", spelling.replace("°", "degree")):
        read = None if token in _MODIFIERS else _one(registry, token)
        if read is not None:
            return read
    return _product(dict(items))


def _one(registry: Any, token: str) -> tuple[str, str] | None:
    """Of one name or abbreviation."""
    parsed = registry.parse_unit_name(token)
    if not parsed:
        return None
    prefix, root, _ = parsed[0]  # the one pint takes
    name = prefix + root
    if root in registry.get_group("ESU").members:
        return name, "T, A/m, C or another SI unit after converting the column: Gaussian units have other dimensions"
    if root in _WORDS:
        return name, _WORDS[root]
    if root in token or "_" in token:  # written out, as number_meter and k_B are
        return None
    customary = not prefix or root in _PREFIXED.split()
    advice = _ABBREVIATED.get(name) or (None if prefix and customary else _ABBREVIATED.get(root))
    if advice is not None:
        return name, advice
    if not customary and any(_is(registry, token[k:], root) for k in (1, 2) if len(token) <= k + 2):
        return name, _BEHIND_PREFIX.get(root, f"{name} where that is meant, else the full name of what is")
    # a plural to pint, as lbs is; behind a capital letter it is a product with seconds
    stem = token[:-1]
    if token.endswith("s") and len(stem) < 5 and not stem.islower() and _is(registry, stem, root, prefix):
        return name, f"{stem}*s (times seconds) or {stem}"
    return None


def _is(registry: Any, token: str, root: str, prefix: str = "") -> bool:
    return (prefix, root) in [found[:2] for found in registry.parse_unit_name(token)]


def _product(items: Mapping[str, Any]) -> tuple[str, str] | None:
    for first, second, advice in _PRODUCTS:
        for a, b in permutations(items, 2):
            if a.endswith(first) and b.removeprefix("delta_") in second and items[a] * items[b] > 0:
                return f"{a} times {b}", advice
    return None
