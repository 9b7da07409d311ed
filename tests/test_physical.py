"""Constants of nature: found where the digits are a surprise, and nowhere else."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy
from scipy import constants as codata

from kanlib.errors import InputError
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.physical import match_physical, physical_constants, physical_notes
from kanlib.symbolic.priors.units import unit_constraints
from kanlib.symbolic.units import Units


def test_the_table_is_in_units_that_are_known() -> None:
    for constant in physical_constants().values():
        units = Units.parse([constant.unit], "")
        assert units.factors[0] == pytest.approx(1.0), constant  # SI units
        assert constant.value > 0 and 0 <= constant.relative_uncertainty < 1e-4


def test_the_constants_of_the_table_fit_together() -> None:
    """Relations of the theory, so that no name has the value of another."""
    value = {symbol: constant.value for symbol, constant in physical_constants().items()}
    same = pytest.approx
    assert value["h"] == same(2 * math.pi * value["hbar"])
    assert value["R"] == same(value["N_A"] * value["k_B"])
    assert value["F"] == same(value["N_A"] * value["e"])
    assert value["c"] == same((value["eps0"] * value["mu0"]) ** -0.5)
    assert value["Z_0"] == same(value["mu0"] * value["c"])
    assert value["alpha"] == same(value["e"] ** 2 / (2 * value["eps0"] * value["h"] * value["c"]))
    assert value["R_inf"] == same(value["alpha"] ** 2 * value["m_e"] * value["c"] / (2 * value["h"]))
    assert value["a_0"] == same(value["hbar"] / (value["m_e"] * value["c"] * value["alpha"]))
    assert value["mu_B"] == same(value["e"] * value["hbar"] / (2 * value["m_e"]))
    assert value["Phi_0"] == same(value["h"] / (2 * value["e"]))
    assert value["sigma_SB"] == same(math.pi**2 * value["k_B"] ** 4 / (60 * value["hbar"] ** 3 * value["c"] ** 2))
    assert value["b_W"] == same(value["h"] * value["c"] / (value["k_B"] * 4.965114231744276))  # x = 5 (1 - exp(-x))
    assert value["m_u"] * value["N_A"] == same(1e-3, rel=1e-8)
    assert value["m_n"] > value["m_p"] > value["m_u"] > value["m_e"]


@pytest.mark.parametrize("symbol", list(physical_constants()))
def test_six_digits_name_every_constant(symbol: str) -> None:
    value = physical_constants()[symbol].value
    found = match_physical(value * (1 + 2e-7), 1e-6 * value)
    assert found[0].text == symbol and found[0].value == pytest.approx(value, rel=1e-15)
    assert abs(found[0].z) <= 0.3
    assert match_physical(-value, 1e-6 * value)[0].text == f"-{symbol}"


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("2*G", 2 * codata.G),
        ("c**2", codata.c**2),
        ("1/(4*pi*eps0)", 1 / (4 * math.pi * codata.epsilon_0)),
        ("4*pi**2/G", 4 * math.pi**2 / codata.G),
        ("3*k_B/2", 1.5 * codata.k),
        ("m_e/2", codata.m_e / 2),
    ],
)
def test_factors_and_powers(expected: str, value: float) -> None:
    found = match_physical(value, 1e-6 * value, ["G", "c", "eps0", "k_B", "m_e"])[0]
    assert found.text == expected
    product = float(found.factor) * found.constant.value ** float(found.power)
    assert product == pytest.approx(value, rel=1e-12) == found.value


@pytest.mark.parametrize(("value", "error"), [(0.0641, 0.008), (9.8, 0.1), (6.7e-11, 0.1e-11), (3e8, 1e7)])
def test_few_digits_are_no_surprise(value: float, error: float) -> None:
    assert match_physical(value, error) == []


def test_fewer_digits_do_when_few_constants_come_into_question() -> None:
    assert match_physical(6.67e-11, 0.05e-11) == []
    assert [match.text for match in match_physical(6.67e-11, 0.05e-11, ["G"])] == ["G"]


def test_a_value_outside_the_interval_is_no_match() -> None:
    """Local gravity is not the standard one when the error says so."""
    assert match_physical(9.8123, 1e-4, ["g_n"]) == []
    assert match_physical(9.8066, 1e-4, ["g_n"])[0].text == "g_n"


def test_the_uncertainty_of_the_constant_counts() -> None:
    """G is known to 2e-5: a number closer than that to it is G, however sharp the fit."""
    G = physical_constants()["G"]
    found = match_physical(G.value * (1 + 3e-5), 0.0)
    assert found[0].text == "G" and found[0].z == pytest.approx(3e-5 / G.relative_uncertainty, rel=1e-3)
    assert not [match for match in match_physical(G.value * (1 + 3e-4), 0.0) if match.constant == G]


def test_numbers_by_chance_are_rarely_named() -> None:
    """Of random numbers with four digits a few in a hundred at most get a name; of numbers with two, none."""
    rng = np.random.default_rng(0)
    values = 10 ** rng.uniform(-35, 25, 400)
    assert sum(bool(match_physical(value, 1e-4 * value)) for value in values) <= 4
    assert not any(match_physical(value, 3e-2 * value) for value in values)


@pytest.mark.parametrize("value", [2.0, math.pi, 1.0, 0.5, 4 * math.pi])
def test_plain_numbers_are_no_constants_of_nature(value: float) -> None:
    assert match_physical(value, 1e-9) == []


@pytest.mark.parametrize(("value", "error"), [(0.0, 1.0), (math.nan, 1.0), (1.0, math.inf), (1.0, math.nan)])
def test_nothing_is_said_about_numbers_that_are_not_known(value: float, error: float) -> None:
    assert match_physical(value, error) == []


def test_the_shortest_description_comes_first() -> None:
    h = physical_constants()["h"].value
    found = match_physical(h, 1e-6 * h)
    assert [match.text for match in found][:2] == ["h", "2*pi*hbar"]
    assert all(a.nats >= b.nats for a, b in pairwise(found))


def test_factors_of_ones_own() -> None:
    value = 5 * codata.c
    assert [match.text for match in match_physical(value, 1e-6 * value, factors=(1, 5))] == ["5*c"]
    seventh = match_physical(codata.c / 7, 10.0, ["c"], factors=[Fraction(1, 7), sympy.pi])
    assert [match.text for match in seventh] == ["c/7"]


def test_wrong_names_and_factors_are_refused() -> None:
    with pytest.raises(InputError, match=r"quux.*sigma_SB"):
        match_physical(1.0, 0.1, ["quux"])
    with pytest.raises(InputError, match="expected a list"):
        match_physical(1.0, 0.1, "G")
    with pytest.raises(InputError, match="other than 0"):
        match_physical(1.0, 0.1, factors=(0,))
    assert match_physical(codata.c, 1.0, ["speed of light in vacuum"])[0].constant.symbol == "c"


g, m, r, T = sympy.symbols("g m r T", real=True)
GRAVITY = g * m**2 / r**2


def _law(value: float, structure: sympy.Expr = GRAVITY, symbols: tuple = (m, r)) -> Formula:
    return Formula(structure, {g: value}, symbols, covariance=np.array([[(1e-6 * value) ** 2]]))


@pytest.mark.parametrize(
    ("units", "output", "factor"),
    [
        (["kg", "m"], "N", 1.0),
        (["g", "cm"], "dyn", 1e3),  # 6.674e-8 cm^3/(g s^2)
        (["Mg", "km"], "Mg km/s^2", 1e-6),
        (["kg", "km"], "N", 1e-6),  # as with a unit of time of its own
    ],
)
def test_fitted_numbers_are_compared_in_si_units(units: list[str], output: str, factor: float) -> None:
    known = unit_constraints(("m", "r"), (m, r), units, output)
    (note,) = physical_notes(_law(codata.G * factor), ["G", "c"], known)
    assert "is G (" in note and ("in SI units" in note) == (factor != 1.0)
    if factor != 1.0:  # the number of SI is another quantity in these units
        assert not physical_notes(_law(codata.G), ["G", "c"], known)


def test_mixed_units_are_said_to_leave_nothing_to_compare() -> None:
    known = unit_constraints(("m", "r", "T"), (m, r, T), ["kg", "km", "m"], "N")
    (note,) = physical_notes(_law(codata.G, GRAVITY * T / r, (m, r, T)), True, known)
    assert "not looked for" in note and "SI units" in note


def test_a_dimension_of_a_power_with_many_digits_is_kept_as_it_is() -> None:
    """length**1.23456789123: no text, where a fraction of it is written and read again, is in the way."""
    known = unit_constraints(("r",), (r,), ["cm"], "cm")
    scale, dimension = known.constants_to_si(Formula(g * r**T, {g: 2.0, T: 1.23456789123}, (r,)))["g"]
    assert dimension == {"length": 1 - Fraction(1.23456789123)}
    assert scale == pytest.approx(0.01 ** (1 - 1.23456789123), rel=1e-12)
    assert known.constants_to_si(Formula(g * T * r, {g: 2.0, T: 3.0}, (r,)))["g"][1] is None


def test_a_name_of_another_dimension_is_none() -> None:
    line = unit_constraints(("m",), (m,), ["kg"], "s")
    law = _law(codata.c, g * m, (m,))
    assert physical_notes(law, ["c"]) and not physical_notes(law, ["c"], line)
    energy = unit_constraints(("m",), (m,), ["kg"], "J")
    assert "is c**2 (" in physical_notes(_law(codata.c**2, g * m, (m,)), ["c"], energy)[0]
    pure = unit_constraints(("m",), (m,), [""], "", dimensionless_constants=True)
    assert not physical_notes(law, ["c"], pure)
    assert "is alpha (" in physical_notes(_law(codata.alpha, g * m, (m,)), ["alpha", "c"], pure)[0]


def test_notes_only_where_they_are_asked_for() -> None:
    assert physical_notes(_law(codata.G), False) == [] and "is G (" in physical_notes(_law(codata.G), True)[0]
    loose = Formula(GRAVITY, {g: codata.G}, (m, r), covariance=np.array([[(0.2 * codata.G) ** 2]]))
    assert physical_notes(loose, ["G"]) == []
    exact = Formula(g * m, {g: sympy.Integer(299792458)}, (m,))
    assert physical_notes(exact, ["c"]) == ["g = 299792458 is c (speed of light in vacuum)"]
    for names in ("G", 5, [["G"]], ["phlogiston"]):
        with pytest.raises(InputError, match="expected a list of symbols"):
            physical_notes(exact, names)  # type: ignore[arg-type]
