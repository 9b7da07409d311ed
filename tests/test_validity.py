"""Where formulas end, against what can be said by hand."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
import sympy

import kanlib.symbolic
from kanlib.errors import InputError
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.tape import evaluate
from kanlib.symbolic.validity import conditions, validity
from kanlib.symbolic.validity.records import digits_of

x, y, z, a = sympy.symbols("x y z a", real=True)


def table(*ranges: tuple[float, float], n: int = 50) -> np.ndarray:
    return np.random.default_rng(0).uniform(*zip(*ranges), (n, len(ranges)))


def law(expr: sympy.Expr, *symbols: sympy.Symbol) -> Formula:
    return Formula(expr, {}, symbols or (x,))


# expression, data, interval known by hand (None: to the end of what is looked at), kind of the edges
CASES = [
    (1 / x, (1, 2), (0.0, None), "pole"),
    (1 / x**2, (1, 2), (0.0, None), "pole"),
    (1 / (x**2 - 6 * x + 9), (1, 2), (None, 3.0), "pole"),
    (1 / sympy.sqrt(9 - x**2), (0, 2), (-3.0, 3.0), "pole"),
    (x ** sympy.Float(-0.3), (1, 2), (0.0, None), "pole"),
    (sympy.tan(x), (-1, 1), (-math.pi / 2, math.pi / 2), "pole"),
    (1 / sympy.sin(x), (1, 2), (0.0, math.pi), "pole"),
    (x / sympy.sin(x), (-1, 1), (-math.pi, math.pi), "pole"),  # 0 is removable
    (sympy.exp(1 / x), (1, 2), (0.0, None), "pole"),
    (1 / (1 - sympy.exp(x)), (1, 2), (0.0, None), "pole"),
    (sympy.coth(x), (1, 2), (0.0, None), "pole"),
    (sympy.atan(1 / x), (1, 2), (0.0, None), "jump"),
    (sympy.log(x), (1, 2), (0.0, None), "domain"),
    (sympy.log(x**2), (1, 2), (0.0, None), "pole"),
    (sympy.sqrt(4 - x), (1, 2), (None, 4.0), "domain"),
    (x ** sympy.Rational(3, 2), (0.5, 1), (0.0, None), "domain"),
    (x**x, (0.5, 1), (0.0, None), "domain"),
    (sympy.asin(x / 2), (-1, 1), (-2.0, 2.0), "domain"),
    (sympy.acos(x - 3), (2.5, 3.5), (2.0, 4.0), "domain"),
    (sympy.acosh(x), (2, 3), (1.0, None), "domain"),
    (sympy.atanh(x), (-0.5, 0.5), (-1.0, 1.0), "domain"),
    (sympy.log(sympy.sqrt(x) - 1), (2, 3), (1.0, None), "domain"),
    (1e-6 / (x - 3) + 1, (1, 2), (None, 3.0), "pole"),
]


@pytest.mark.parametrize(("expr", "data", "expected", "kind"), CASES, ids=[str(case[0]) for case in CASES])
def test_edges_known_by_hand(
    expr: sympy.Expr, data: tuple[float, float], expected: tuple[float | None, float | None], kind: str
) -> None:
    X = np.linspace(*data, 30)[:, None]
    found = validity(law(expr), X)
    (reach,) = found.ranges
    width = data[1] - data[0]
    low = data[0] - 3 * width if expected[0] is None else expected[0]
    high = data[1] + 3 * width if expected[1] is None else expected[1]
    assert reach.everywhere == pytest.approx((low, high), abs=1e-6 * width)
    assert reach.at_median == pytest.approx(reach.everywhere)
    assert str(reach).count(" < ") + str(reach).count(" > ") == len(reach.edges)
    assert [edge.value for edge in reach.edges] == pytest.approx([v for v in expected if v is not None], abs=1e-6)
    assert {edge.kind for edge in reach.edges} == {kind} and not found.inside
    inner = np.linspace(low, high, 503)[1:-1, None]
    values = evaluate(expr, (x,), inner)
    assert np.isfinite(values[np.abs(inner[:, 0]) > 1e-9]).all()  # x / sin(x) has no value at 0 itself


@pytest.mark.parametrize(
    "expr",
    [
        x**3 - 2 * x,
        sympy.exp(-(x**2)),
        1 / (1 + x**2),
        sympy.sin(x) / x,
        (x**2 - 1) / (x - 1),
        (1 - sympy.cos(x)) / x**2,
        sympy.log(1 + sympy.exp(x)),
        sympy.sqrt((x - 1) ** 2),
        sympy.sqrt(x**2 - 2 * x + 1),
        sympy.Abs(x),
        sympy.exp(-1 / x**2),
        sympy.Integer(2) ** x,
    ],
    ids=str,
)
def test_formulas_without_an_edge(expr: sympy.Expr) -> None:
    found = validity(law(expr), np.linspace(-1.5, 2.1, 40)[:, None])
    assert not found.poles and not found.domain_edges and found.ranges[0].edges == ()
    assert "3 ranges beyond" in str(found)


def test_the_velocity_of_light_is_named() -> None:
    """In units of 1e8 m/s: gamma = 1/sqrt(1 - v^2/c^2) ends at c, however far c is in units of the data."""
    momentum = Formula(y * x / sympy.sqrt(1 - x**2 / a**2), {a: 2.99792458}, (y, x), names=("mass [kg]", "v"))
    found = validity(momentum, table((1, 5), (0.5, 2.0)))
    mass, speed = found.ranges
    assert mass.edges == () and not found.inside
    assert speed.everywhere == pytest.approx((-2.99792458, 2.99792458), rel=1e-9)
    assert "finite for -2.998 < v < 2.998 (denominator root of 1 - 0.1113*x**2)" in str(found)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e15])
def test_the_scale_of_the_data_does_not_matter(scale: float) -> None:
    found = validity(law(1 / (1 - x / (3 * scale))), scale * np.linspace(1, 2, 20)[:, None])
    assert found.ranges[0].everywhere == pytest.approx((-2 * scale, 3 * scale), rel=1e-9)


def test_a_pole_inside_the_box_is_reported_though_no_row_is_near() -> None:
    """1/(x - y), with data on one side of the pole only."""
    X = table((0, 1), (0, 1), n=200)
    X = X[X[:, 0] > X[:, 1] + 0.1]
    found = validity(law(1 / (x - y), x, y), X)
    (edge,) = found.inside
    assert edge.kind == "pole" and "x - y" in edge.part
    ((name, value),) = edge.others
    assert {edge.column, name} == {"x", "y"} and edge.value == pytest.approx(value)
    assert "within the data's box: pole" in str(found)


def test_a_pole_in_a_gap_of_the_data() -> None:
    X = np.concatenate([np.linspace(0, 0.9, 20), np.linspace(1.1, 2, 20)])[:, None]
    found = validity(law(1 / (x - 1)), X)
    assert [edge.value for edge in found.inside] == pytest.approx([1.0])
    assert found.ranges[0].everywhere is None and "ends within the data" in str(found)


def test_a_corner_of_the_box_without_a_value() -> None:
    """sqrt(1 - x^2 - y^2) on the disc: the box has corners outside of it."""
    X = table((-1, 1), (-1, 1), n=300)
    X = X[(X**2).sum(axis=1) < 0.9]
    found = validity(law(sympy.sqrt(1 - x**2 - y**2), x, y), X)
    (edge,) = found.inside
    assert edge.kind == "domain" and edge.value**2 + edge.others[0][1] ** 2 == pytest.approx(1.0)
    assert found.ranges[0].at_median == pytest.approx((-1, 1), abs=0.02)


def test_the_tightest_row_counts() -> None:
    """log(x - y) with y up to 1: beside the median's edge, x has to stay above the largest y of all rows."""
    X = np.column_stack([np.full(20, 3.0) + np.linspace(0, 1, 20), np.linspace(0, 1, 20)])
    reach = validity(law(sympy.log(x - y), x, y), X).ranges[0]
    assert reach.at_median[0] == pytest.approx(0.5)
    assert reach.everywhere is not None and reach.everywhere[0] == pytest.approx(1.0)
    assert reach.edges[0].others == (("y", pytest.approx(1.0)),)


def test_without_a_value_at_the_medians_the_nearest_row_stands_for_them() -> None:
    """Data on a ring, whose middle has no value: sqrt(x^2 + y^2 - 1)."""
    angle = np.linspace(0, 2 * np.pi, 41)[:-1]
    X = 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    found = validity(law(sympy.sqrt(x**2 + y**2 - 1), x, y), X)
    low, high = found.ranges[0].at_median
    assert high - low > 1.0 and found.inside[0].kind == "domain"


def test_overflow_is_an_edge_of_its_own() -> None:
    found = validity(law(sympy.exp(x)), np.linspace(0, 500, 20)[:, None])
    (edge,) = found.ranges[0].edges
    assert edge.kind == "overflow" and edge.value == pytest.approx(709.78, abs=5.0)
    assert not found.poles and not found.inside


def test_columns_that_are_not_read_may_hold_anything() -> None:
    X = table((1, 2), (1, 2))
    X[:, 1] = np.nan
    found = validity(law(sympy.log(x), x, z), X)
    assert [reach.column for reach in found.ranges] == ["x"]


def test_constant_columns_and_constant_formulas() -> None:
    found = validity(law(1 / (x - y), x, y), np.column_stack([np.linspace(4, 5, 20), np.full(20, 2.0)]))
    assert found.ranges[1].everywhere == pytest.approx((-4.0, 4.0))  # three times its size, and the smallest x
    constant = validity(Formula(a, {a: 1.0}, (x,)), np.ones((3, 1)))
    assert constant.ranges == () and constant.inside == () and "everywhere" in str(constant)


def test_rows_without_a_value_are_left_out_unless_all_are() -> None:
    X = np.linspace(-1, 2, 40)[:, None]
    assert validity(law(sympy.log(x)), X).ranges[0].data[0] > 0
    with pytest.raises(InputError, match="none of 3 rows"):
        validity(law(sympy.log(x)), -np.ones((3, 1)))


def test_the_same_seed_says_the_same() -> None:
    X = table((0, 1), (2, 3), n=500)
    formula = law(1 / (x - y), x, y)
    assert validity(formula, X, seed=3) == validity(formula, X, seed=3)


def test_conditions_are_named_once_and_only_where_they_vary() -> None:
    expr = sympy.sqrt(x) + 3 / sympy.sqrt(x) + sympy.log(2 * y) / (2 * y) + sympy.sqrt(2) * x**3
    assert {condition.text for condition in conditions(expr)} == {
        "square root of x",
        "denominator root of x",
        "logarithm of 2*y",
        "denominator y",
    }


def test_the_function_wins_over_the_file_of_its_name() -> None:
    importlib.import_module("kanlib.symbolic.validity")
    assert kanlib.symbolic.validity is validity


ENDS = {
    "just below the data": (
        sympy.log(x - sympy.Float(1.99999)),
        (2.0, 3.0),
        "data from 2 to 3): finite for x > 1.99999 (",
    ),
    "far from zero": (
        1 / (x - sympy.Float(100000.4)),
        (99999.0, 100000.0),
        "from 99999 to 100000): finite for x < 100000.4 (",
    ),
    "near the last row": (1 / (x - 3), (1.0, 2.9999), "data from 1 to 2.9999): finite for x < 3 ("),
    "rounding of a fit": (1 / (9 - x**2 * sympy.Float(1 + 1e-11)), (0.0, 2.0), "finite for -3 < x < 3 ("),
    "speed of light": (1 / sympy.sqrt(299792.458**2 - x**2), (0.0, 299792.0), "< 299792.5 ("),
    "a row on the end": (sympy.sqrt(x - 3), (3.0, 5.0), "data from 3 to 5): finite for x >= 3 ("),
    "rows on both ends": (sympy.asin(x / 3), (-3.0, 3.0), "data from -3 to 3): finite for -3 <= x <= 3 (asin(x/3))"),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_are_printed_with_the_digits_that_tell_them_from_the_data(name: str) -> None:
    expr, (low, high), expected = ENDS[name]
    found = validity(Formula(expr, {}, (x,)), np.linspace(low, high, 20)[:, None])
    assert expected in str(found) and not found.inside
    assert "at other rows" not in str(found)


@pytest.mark.parametrize(
    ("expr", "kind"), [(1 / (x + y), "pole"), (sympy.log(x + y), "domain"), (sympy.sqrt(x + y), "")]
)
def test_a_value_that_another_row_has_does_not_belong_to_an_interval_by_that(expr: sympy.Expr, kind: str) -> None:
    """Both columns begin at 0, where the other one is 1; at (0, 0), in the box, only the root has a value."""
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    found = validity(Formula(expr, {}, (x, y)), rows)
    assert [edge.kind for edge in found.inside] == [kind] * bool(kind)
    assert ("x >= 0" in str(found)) == (not kind)
    assert ("at other rows it ends within the data" in str(found)) == bool(kind)


def test_digits_keep_the_order_of_values() -> None:
    rng = np.random.default_rng(0)
    for size in (1e-9, 1e-3, 1.0, 1e6):
        values = (rng.normal() + size * rng.normal(size=4)).tolist()
        shown = [float(f"{value:.{digits_of(values, float(np.ptp(values)))}g}") for value in values]
        assert np.argsort(shown).tolist() == np.argsort(values).tolist()
        np.testing.assert_allclose(shown, values, atol=1e-3 * np.ptp(values))


def test_an_edge_between_the_rows_is_printed_with_its_digits_too() -> None:
    expr = 1 / (x - sympy.Float(100000.4))
    (edge,) = validity(Formula(expr, {}, (x,)), np.arange(100000.0, 100003.0)[:, None]).inside
    assert "pole at x = 100000.4 (" in str(edge)
