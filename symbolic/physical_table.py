"""The constants of nature by their symbols: values, uncertainties and SI units, of CODATA in `scipy.constants`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from scipy import constants as codata

__all__ = ["PhysicalConstant", "physical_constants"]

# symbol -> its name in scipy.constants.physical_constants
_CODATA = {
    "c": "speed of light in vacuum",
    "h": "Planck constant",
    "hbar": "reduced Planck constant",
    "k_B": "Boltzmann constant",
    "e": "elementary charge",
    "G": "Newtonian constant of gravitation",
    "eps0": "vacuum electric permittivity",
    "mu0": "vacuum mag. permeability",
    "Z_0": "characteristic impedance of vacuum",
    "N_A": "Avogadro constant",
    "R": "molar gas constant",
    "F": "Faraday constant",
    "sigma_SB": "Stefan-Boltzmann constant",
    "b_W": "Wien wavelength displacement law constant",
    "alpha": "fine-structure constant",
    "R_inf": "Rydberg constant",
    "a_0": "Bohr radius",
    "mu_B": "Bohr magneton",
    "Phi_0": "mag. flux quantum",
    "m_e": "electron mass",
    "m_p": "proton mass",
    "m_n": "neutron mass",
    "m_u": "atomic mass constant",
    "g_n": "standard acceleration of gravity",
    "atm": "standard atmosphere",
}
# exact by definition, and not in CODATA's table
_DEFINED = (
    ("T_0", "zero degrees Celsius", codata.zero_Celsius, "K"),
    ("au", "astronomical unit", codata.au, "m"),
    ("ly", "light year", codata.light_year, "m"),
    ("pc", "parsec", codata.parsec, "m"),
)


@dataclass(frozen=True)
class PhysicalConstant:
    """A named value of physics.

    Attributes
    ----------
    symbol, name : as in "k_B", "Boltzmann constant".
    value : in SI units.
    relative_uncertainty : one standard deviation; 0 where it is exact.
    unit : its SI unit, as in "J K^-1"; "" for a pure number.
    """

    symbol: str
    name: str
    value: float
    relative_uncertainty: float
    unit: str

    def __str__(self) -> str:
        return f"{self.symbol} = {self.value:.10g} {self.unit}".rstrip() + f" ({self.name})"


@lru_cache(maxsize=1)
def physical_constants() -> dict[str, PhysicalConstant]:
    """The table: symbol -> constant.

    Examples
    --------
    >>> print(physical_constants()["c"])
    c = 299792458 m s^-1 (speed of light in vacuum)
    """
    table = {}
    for symbol, name in _CODATA.items():
        value, unit, uncertainty = codata.physical_constants[name]
        table[symbol] = PhysicalConstant(symbol, name, float(value), float(uncertainty) / abs(float(value)), unit)
    for symbol, name, exact, unit in _DEFINED:
        table[symbol] = PhysicalConstant(symbol, name, float(exact), 0.0, unit)
    return table
