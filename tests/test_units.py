"""Units: reading them, what formulas they allow, and the groups they leave, against physics known to be right."""

from __future__ import annotations

import builtins
import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from kanlib.errors import FormulaError, InputError
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.units import Units, check, dimension_of, dimensionless_groups, power_product, to_base
from kanlib.symbolic.units import table as module

x, y, t, m, v, a, b, p = sympy.symbols("x y t m v a b p", real=True)
MOTION = Units.parse({"x": "m", "y": "km", "t": "s", "m": "kg", "v": "m/s"}, "m")
COLUMNS = (x, y, t, m, v)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m/s^2", "length/time**2"),
        ("m s-2", "length/time**2"),
        ("m·s⁻²", "length/time**2"),
        ("kg m2 s-2", "length**2*mass/time**2"),
        ("J/(mol K)", "length**2*mass/(substance*temperature*time**2)"),
        ("J/degC", "length**2*mass/(temperature*time**2)"),
        ("µm", "length"),
        ("s-1", "1/time"),
        ("W/m2/K", "mass/(temperature*time**3)"),
        ("µg/m³", "mass/length**3"),
        ("V/m^0.5", "length**(3/2)*mass/(current*time**3)"),
        ("au", "length"),
        ("m**(1/3)", "length**(1/3)"),
        ("cmH2O", "mass/(length*time**2)"),
        ("kg−1", "1/mass"),  # the minus sign of typesetting
        ("(m/s)**2", "length**2/time**2"),
        ("J/mol/K", "length**2*mass/(substance*temperature*time**2)"),
        ("K*J/mol", "length**2*mass*temperature/(substance*time**2)"),
        ("1/(s m)", "1/(length*time)"),
        ("m/s per K", "length/(temperature*time)"),
        ("kg/m per s", "mass/(length*time)"),
        ("W per m per K", "length*mass/(temperature*time**3)"),
        ("W per (m K)", "length*mass/(temperature*time**3)"),
        ("N m per rad", "length**2*mass/time**2"),
        ("N per (m/s)", "mass/time"),
        ("kg/cubic meter", "mass/length**3"),
        ("m per second squared", "length/time**2"),
        ("V/Hz^0.5", "length**2*mass/(current*time**(5/2))"),
        ("rad", "1"),
        ("degree", "1"),
        ("%", "1"),
        ("", "1"),
        ("1", "1"),
    ],
)
def test_units_as_people_write_them(text: str, expected: str) -> None:
    units = Units.parse([text], "")
    assert units.text(units.column(0)) == expected


@pytest.mark.parametrize(
    "text",
    ["furlongs per", "3 m", "m +", "no_such_unit", "__class__", "m)(", "V/√Hz", "%RH", "a.u.", "m//s", "m**100", "None"]
    + ["1e3 m", "10^3 m", "__import__('os')", "().__class__", "m.__class__", "m" * 200, "(" * 90 + "m"]
    + ["m**9**9**9", "9**9**9", "m**11**2", "m**0.1**9**9", "m^(9**9)", "((9**99)**99)**99", "m**1e400"],
)
def test_a_text_that_is_no_unit_is_refused_by_the_column(text: str) -> None:
    with pytest.raises(InputError, match=r"'speed'.*expected one such as"):
        Units.parse({"speed": text}, "m")


@pytest.mark.parametrize("text", ["degC", "degF", "dB"])
def test_scales_that_do_not_start_at_zero_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="kelvin"):
        Units.parse({"T": text}, "m")
    with pytest.raises(InputError, match="the output"):
        Units.parse({"T": "K"}, text)


@pytest.mark.parametrize("text", ["(((fm**99)**99)**99)", "(m**99)**99", "fm**99"])
def test_powers_of_no_measurement_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="powers beyond 100"):
        Units.parse([text], "m")


MEANT = {
    "AU": "astronomical",
    "pH": "pure number",
    "Nm": r"N\*m",
    "kNm/rad": r"N\*m",
    "k": "kelvin",
    "G": "Gaussian",
    "Gs": "gauss",
    "kt": "knot",
    "mg N/L": "element",
    "° C": "degC",
    "ms-1": "m/s",
    "ms^-2": "m/s",
    "deg C": "degC",
    "mol%": "percent",
    "J/mol K": r"a/\(b\*c\)",
    "J/mol*K": r"a/\(b\*c\)",
    "W/m²K": r"a/\(b\*c\)",
    "m/(J/kg K)": r"a/\(b\*c\)",
    "W per m K": r"a/\(b\*c\)",
    "J per kg*K": r"a/\(b\*c\)",
    "W/m per K s": r"a/\(b\*c\)",
    "s/(J per kg K)": r"a/\(b\*c\)",
    "N per m/s": r"a/\(b/c\)",  # of a damper: N*s/m, where pint has N/m/s
    "m/s per m/s": r"a/\(b/c\)",
    "V/sqrt(Hz)": "write a power",
    "V/sqrt(Hz) K": "write a power",
    "V/sqrt(Hz)/Hz^0.5": "write a power",
}


# what pint makes of a text, by its own name, and what the writer is told
MISUNDERSTOOD = {
    "cNm": ("centinumber_meter", r"N\*m"),
    "uNm": ("micronumber_meter", r"N\*m"),
    "nG": ("nanogauss", "A/m"),
    "MG": ("megagauss", "A/m"),
    "kilogauss": ("kilogauss", "A/m"),
    "Oe": ("oersted", "A/m"),
    "Mx": ("maxwell", "A/m"),
    "statC": ("franklin", "A/m"),
    "esu": ("franklin", "A/m"),
    "statohm": ("statohm", "A/m"),  # without half powers, but no ohm either
    "cfm": ("centifermi", "cubic feet per minute"),
    "cu ft": ("centiunified_atomic_mass_unit", "cubic foot"),
    "ppt": ("picopint", "parts per trillion"),
    "ph": ("picohour", "picohour"),
    "dpi": ("dry_pint", "dots_per_inch"),
    "1/k": ("boltzmann_constant", "kelvin"),
    "cp": ("cup", "centipoise"),
    "mb": ("millibarn", "mbar"),
    "rads/s": ("rads", r"rad \(angle\)"),
    "mil": ("mil", "thou"),
    "mPas": ("millipascal", r"mPa\*s"),
    "fl oz": ("femtoliter times ounce", "fluid_ounce"),
    "degree celsius": ("degree times delta_degree_Celsius", "degC"),
    "W/(m degree kelvin)": ("degree times kelvin", "K for a degree"),
    "bar(g)": ("bar times gram", "unit alone"),
}


@pytest.mark.parametrize("text", MISUNDERSTOOD)
def test_what_pint_takes_for_another_unit_is_refused_by_its_name(text: str) -> None:
    read, meant = MISUNDERSTOOD[text]
    with pytest.raises(InputError, match=rf"{re.escape(text)}' of 'a' would be read as {read}; write .*{meant}"):
        Units.parse({"a": text}, "yr")


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("fm", 1e-15),
        ("centifermi", 1e-17),
        ("number_meter", 1e3),
        ("k_B", 1.380649e-23),
        ("dry_pint", 5.506e-4),
        ("mAU", 1e-3),
        ("fb", 1e-43),
        ("kHz", 1e3),
        ("lbs", 0.45359237),
        ("kcounts", 1e3),
        ("deg/K", math.pi / 180),
        ("W/(m*delta_degC)", 1.0),
    ],
)
def test_units_that_are_written_out_or_customary_are_read(text: str, factor: float) -> None:
    assert Units.parse([text], "").factors[0] == pytest.approx(factor, rel=1e-3)


@pytest.mark.parametrize(("text", "meant"), MEANT.items())
def test_texts_with_two_meanings_are_refused(text: str, meant: str) -> None:
    with pytest.raises(InputError, match=meant):
        Units.parse({"a": text}, "yr")


def test_one_text_is_not_a_list_of_units() -> None:
    with pytest.raises(InputError, match="expected a list"):
        Units.parse("m", "m")


def test_without_pint_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "pint":
            raise ImportError(name)
        return real(name, *rest, **options)

    module._registry.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"kanlib\[units\]"):
        Units.parse(["m"], "m")


def test_factors_bring_mixed_units_together() -> None:
    """A distance in miles, a time in hours, a speed in km/h: in base units y = x/t holds with factor one."""
    factors, output = to_base(Units.parse({"x": "mile", "t": "h"}, "km/h"))
    X = np.array([[60.0, 1.0], [10.0, 2.0]])
    y_km_h = X[:, 0] * 1.609344 / X[:, 1]
    base = X * factors
    np.testing.assert_allclose(base[:, 0] / base[:, 1], y_km_h * output, rtol=1e-12)


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (x + 2 * y, "length"),
        (x / t - v, "length/time"),
        (sympy.sqrt(x / t * v), "length/time"),
        (m * v**2 / 2, "length**2*mass/time**2"),
        (sympy.exp(-x / y) * x, "length"),
        (sympy.Abs(x - y) * sympy.sign(v), "length"),
        (x ** sympy.Float(1.5), "length**(3/2)"),
        ((x / y) ** (v * t / x), "1"),
        (sympy.Max(x, y) / sympy.atan2(x, y), "length"),
        (sympy.pi * x**2 + 3 * y**2, "length**2"),
        (sympy.Float(2.5) * x, "length"),
    ],
    ids=str,
)
def test_dimensions_of_consistent_expressions(expr: sympy.Expr, expected: str) -> None:
    dimension = dimension_of(expr, MOTION, COLUMNS)
    assert dimension is not None and MOTION.text(dimension) == expected


@pytest.mark.parametrize(
    ("expr", "part"),
    [
        (m * (x + t), r"t has dimension time, x has dimension length"),
        (sympy.exp(x) * t, r"x, the argument of exp"),
        (sympy.sin(v * t), r"t\*v, the argument of sin"),
        (x + 1, r"1 has no dimension"),
        (x + sympy.Float(0.5), r"0.5 has no dimension"),
        (sympy.Integer(2) ** x, r"x, an exponent in 2\*\*x"),
        (x ** (x / y), r"a base with a variable exponent"),
        (sympy.Max(x, t), "compared"),
    ],
    ids=str,
)
def test_the_message_names_the_part_that_is_wrong(expr: sympy.Expr, part: str) -> None:
    with pytest.raises(FormulaError, match=part):
        dimension_of(expr, MOTION, COLUMNS)
    assert not check(expr, MOTION, COLUMNS)


def test_the_output_has_to_agree_too() -> None:
    assert check(v * t, MOTION, COLUMNS)
    found = check(v * t**2, MOTION, COLUMNS)
    assert not found and "the output has dimension length" in found.reason


def test_free_constants_take_what_dimension_is_needed() -> None:
    """In x(t) = a + b t + p t^2 / 2 the constants are a length, a speed and an acceleration."""
    found = check(a + b * t + p * t**2 / 2, MOTION, COLUMNS, free_constants=True)
    assert found.constants == (("a", "length"), ("b", "length/time"), ("p", "length/time**2"))
    assert not check(a + b * t, MOTION, COLUMNS)


def test_dimensions_of_constants_are_vectors_beside_their_texts() -> None:
    found = check(a + b * t**p, MOTION, COLUMNS, free_constants=True)
    vectors = dict(found.dimensions)
    assert vectors[a] == MOTION.output and vectors[b] is None
    assert MOTION.exponents(MOTION.column(4)) == {"length": 1, "time": -1}
    assert check(a * x + t, MOTION, COLUMNS, free_constants=True).dimensions == ()


def test_one_constant_cannot_have_two_dimensions() -> None:
    """a*x + a*t is wrong whatever a is, while a*x + b*t is right."""
    assert not check(a * x + a * t, MOTION, COLUMNS, free_constants=True)
    assert check(a * x + b * t, MOTION, COLUMNS, free_constants=True)
    assert not check(a * sympy.log(a * t), MOTION, COLUMNS, free_constants=True)


def test_what_the_units_leave_open_is_called_any() -> None:
    assert check(a * b * t, MOTION, COLUMNS, free_constants=True).constants == (("a", "any"), ("b", "any"))
    assert dimension_of(a * x, MOTION, COLUMNS, free_constants=True) is None


def test_exact_numbers_are_pure_even_then() -> None:
    assert not check(x + 1, MOTION, COLUMNS, free_constants=True)
    assert not check(x + sympy.pi * t, MOTION, COLUMNS, free_constants=True)
    assert check(x + sympy.Float(0.5), MOTION, COLUMNS, free_constants=True)


def test_exponents_of_a_formula_count_with_their_value() -> None:
    """t = 2.5 x^1.5: with the exponent known the constant has a unit; without it, it may have any."""
    kepler = Units.parse({"a": "au"}, "yr")
    law = Formula(b * a**p, {b: 1.0002, p: 1.5}, (a,))
    assert check(law, kepler, free_constants=True).constants == (("b", "time/length**(3/2)"),)
    assert not check(law, kepler)
    assert check(b * a**p, kepler, (a,), free_constants=True)
    assert not check(a**p, kepler, (a,))


def test_a_formula_with_exact_constants() -> None:
    law = Formula(a * v * t + b, {a: sympy.Rational(1, 2), b: 0.3}, COLUMNS)
    assert check(law, MOTION, free_constants=True).constants == (("b", "length"),)
    assert not check(law, MOTION)


def test_symbols_and_columns_have_to_be_as_many() -> None:
    with pytest.raises(InputError, match="2 symbols"):
        check(x, MOTION, (x, y))


# column units, output, groups known from textbooks: (number, every one of these is a product of powers of them)
CASES = {
    "pendulum": (["m", "m/s^2", "kg"], "s", 0),
    "drag (Reynolds)": (["m/s", "m", "kg/m^3", "Pa*s"], "N", 1),
    "pipe (Reynolds, roughness)": (["m/s", "m", "kg/m^3", "Pa*s", "m"], "Pa/m", 2),
    "heat (Biot, Fourier)": (["W/(m^2*K)", "m", "W/(m*K)", "m^2/s", "s", "K"], "K", 2),
    "pure numbers": (["", "rad", "%"], "", 3),
    "one of a kind": (["m", "s", "kg"], "A", 0),
    "nothing": ([], "m", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_groups_are_dimensionless_independent_and_complete(name: str) -> None:
    inputs, output, count = CASES[name]
    units = Units.parse(inputs, output)
    found = dimensionless_groups(units)
    assert len(found.groups) == count
    if found.groups:
        assert np.linalg.matrix_rank(np.array(found.groups, dtype=float)) == count
    for group in found.groups:
        assert all(sum(e * power for e, power in zip(row, group)) == 0 for row in units.matrix)
    if found.scale is not None:
        reached = [sum(e * power for e, power in zip(row, found.scale)) for row in units.matrix]
        assert reached == list(units.output)


def test_groups_known_by_name() -> None:
    reynolds = dimensionless_groups(Units.parse(["m/s", "m", "kg/m^3", "Pa*s"], "N"))
    assert reynolds.groups == ((1, 1, 1, -1),)
    assert reynolds.scale is not None and sum(power != 0 for power in reynolds.scale) == 2  # mu^2/rho
    pipe = dimensionless_groups(Units.parse(["m/s", "m", "kg/m^3", "Pa*s", "m"], "Pa/m"))
    assert (0, 1, 0, 0, -1) in pipe.groups


def test_an_output_that_no_product_reaches() -> None:
    assert dimensionless_groups(Units.parse(["m", "kg"], "s")).scale is None
    assert dimensionless_groups(Units.parse(["m", "kg"], "")).scale == (0, 0)


def test_the_scale_of_a_period_is_a_square_root() -> None:
    assert dimensionless_groups(Units.parse(["m", "m/s^2", "kg"], "s")).scale == (Fraction(1, 2), Fraction(-1, 2), 0)


def test_many_columns_take_the_short_way() -> None:
    """Where the subsets are too many to try, the groups are still a basis."""
    cycle = ["m/s", "kg*m", "Pa*s", "N", "J*s^3", "kg*A", "V", "m^3/K"]
    units = Units.parse([f"m^{i // 8}*s^{(i * i) % 5}*{cycle[i % 8]}" for i in range(40)], "W")
    found = dimensionless_groups(units)
    matrix = np.array([[float(e) for e in row] for row in units.matrix])
    groups = np.array(found.groups, dtype=float)
    assert len(groups) == 40 - np.linalg.matrix_rank(matrix) == np.linalg.matrix_rank(groups)
    np.testing.assert_array_equal(matrix @ groups.T, 0.0)


@given(st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=1, max_size=6), st.tuples(*[st.integers(-3, 3)] * 3))
def test_groups_of_any_exponents(columns: list[tuple[int, int, int]], output: tuple[int, int, int]) -> None:
    """Rank and null space as SymPy has them, and a scale exactly where one exists."""
    spelled = [f"m^{i}*s^{j}*kg^{k}" for i, j, k in [*columns, output]]
    units = Units.parse(spelled[:-1], spelled[-1])
    found = dimensionless_groups(units)
    matrix = sympy.Matrix(3, len(columns), lambda i, j: columns[j][i])
    assert len(found.groups) == len(columns) - matrix.rank()
    for group in found.groups:
        assert not any(matrix * sympy.Matrix(group))
        assert math.gcd(*group) == 1
    reachable = matrix.row_join(sympy.Matrix(output)).rank() == matrix.rank()
    assert (found.scale is not None) == reachable


@given(st.lists(st.floats(0.1, 10.0), min_size=4, max_size=4), st.floats(0.2, 5.0), st.floats(0.2, 5.0))
def test_groups_do_not_change_with_the_system_of_units(row: list[float], length: float, time: float) -> None:
    group = dimensionless_groups(Units.parse(["m/s", "m", "m/s^2", "s"], "m")).groups[0]
    other = [row[0] * length / time, row[1] * length, row[2] * length / time**2, row[3] * time]
    np.testing.assert_allclose(power_product([row], group), power_product([other], group), rtol=1e-9)
