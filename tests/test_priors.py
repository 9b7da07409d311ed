"""Prior knowledge: each kind refuses what contradicts it, lets the truth through, and says what is wrong in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from kanlib.errors import FormulaError, InputError, InputTypeError, KanlibError
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.joint import Candidate
from kanlib.symbolic.library import allowed_functions, functions_of
from kanlib.symbolic.noise import EQUAL
from kanlib.symbolic.priors import Prior, prior
from kanlib.symbolic.priors.functions import function_constraints
from kanlib.symbolic.priors.multi_start import multi_start
from kanlib.symbolic.priors.noise import given_noise, weighted_rows
from kanlib.symbolic.priors.partial_law import partial_law
from kanlib.symbolic.priors.shapes import shape_constraints
from kanlib.symbolic.reduction.coordinates import Coordinates
from kanlib.symbolic.snapping import fitted
from kanlib.symbolic.symbolify import finish

x, t, m, a, c1, c2 = sympy.symbols("x t m a c1 c2", real=True)
ROWS = np.random.default_rng(0).uniform(0.5, 2.0, (60, 2))


def known(names: str = "m a", X: np.ndarray = ROWS, y: np.ndarray | None = None, **given: Any) -> Prior:
    return prior(X, X.sum(axis=1) if y is None else y, names.split(), **given)


FORCE = {"units": {"m": "kg", "a": "m/s^2"}, "output_unit": "N"}


@pytest.mark.parametrize("dimensionless", [True, False])
def test_units_allow_the_force_law_and_refuse_the_sum(dimensionless: bool) -> None:
    units = known(**FORCE, dimensionless_constants=dimensionless)
    assert units.refuses(Formula(m * a, {}, (m, a)), ROWS) is None
    assert units.refuses(Formula(c1 * m * a, {c1: 1.3}, (m, a)), ROWS) is None
    reason = units.refuses(Formula(m + a, {}, (m, a)), ROWS)
    assert reason is not None and "mass" in reason and "cannot be added" in reason


@pytest.mark.parametrize("value", [4.905, sympy.Rational(981, 200), sympy.pi])
def test_a_constant_may_carry_a_dimension_unless_said_otherwise(value: Any) -> None:
    X = ROWS[:, :1]
    fall = Formula(c1 * t**2, {c1: value}, (t,))
    assert known("t", X, units={"t": "s"}, output_unit="m").refuses(fall, X) is None
    pure = known("t", X, units={"t": "s"}, output_unit="s", dimensionless_constants=True)
    assert pure.refuses(fall, X) is not None


def test_an_exponent_that_was_recognised_is_a_number_still() -> None:
    X = ROWS[:, :1]
    volume = known("x", X, units={"x": "m"}, output_unit="m^3")
    for power, right in ((3, True), (2, False)):
        formula = Formula(x**c1, {c1: sympy.Integer(power)}, (x,))
        assert (volume.refuses(formula, X) is None) is right
    assert volume.refuses(Formula(x**c1, {c1: 2.5}, (x,)), X) is not None


def test_a_scale_moved_out_of_a_logarithm_is_moved_back_in_thought() -> None:
    X = ROWS[:, :1]
    entropy = known("t", X, units={"t": "K"}, output_unit="J/K")
    moved = Formula(c1 * sympy.log(t) + c2, {c1: 2.0, c2: 0.3}, (t,))
    assert entropy.refuses(moved, X) is None
    assert entropy.refuses(Formula(c1 * sympy.log(t), {c1: 2.0}, (t,)), X) is not None


def test_mixed_units_are_noted_and_one_system_is_not() -> None:
    assert not known(units={"m": "g", "a": "cm/s^2"}, output_unit="dyn").notes
    (note,) = known(units={"m": "g", "a": "m/s^2"}, output_unit="N").notes
    assert "m in g" in note and "convert" in note
    assert known(units={"m": "degree", "a": ""}, output_unit="").notes


def test_dimensionless_groups_are_coordinates_of_the_law() -> None:
    X = np.random.default_rng(1).uniform(0.5, 2.0, (50, 3))
    period = 2 * np.pi * np.sqrt(X[:, 0] / X[:, 1]) * (1 + X[:, 2] ** 2 / 16)
    units = {"l": "m", "g": "m/s^2", "angle": "rad"}
    swing = known("l g angle", X, period, units=units, output_unit="s", dimensionless_constants=True)
    (found,) = swing.coordinates(X)
    assert isinstance(found, Coordinates) and found.k == 1
    np.testing.assert_allclose(found.factor_values * 2 * np.pi * (1 + found.values[:, 0] ** 2 / 16), period)
    assert not known("l g angle", X, period, units=units, output_unit="s").coordinates(X)


def test_a_column_that_does_not_vary_is_a_constant_with_a_dimension() -> None:
    X = np.column_stack([ROWS[:, 0], np.full(len(ROWS), 9.81)])
    period = 2 * np.pi * np.sqrt(X[:, 0] / X[:, 1])
    swing = known("l g", X, period, units={"l": "m", "g": "m/s^2"}, output_unit="s", dimensionless_constants=True)
    assert any("g is the same" in note for note in swing.notes)
    l, _ = swing.symbols
    (found,) = swing.coordinates(X[:, :1], (l,))
    assert found.factor == sympy.sqrt(l) and found.k == 0
    assert swing.refuses(Formula(c1 * sympy.sqrt(l), {c1: 2.006}, swing.symbols), X) is None


@pytest.mark.parametrize(
    ("name", "holds", "lacks"),
    [
        ("exp", sympy.exp(-(x**2)), sympy.log(x)),
        ("sin", sympy.cos(x), sympy.tan(x)),
        ("arccos", sympy.asin(x), sympy.atan(x)),
        ("sqrt", 1 / sympy.sqrt(x), x**2),
        ("square", (x + 1) ** 2, x**3),
        ("power", x**1.37, sympy.sqrt(x)),
        ("abs", sympy.Abs(x - 1), x),
    ],
)
def test_forbidden_and_required_are_opposites(name: str, holds: sympy.Expr, lacks: sympy.Expr) -> None:
    banned, wanted = function_constraints(forbidden=[name]), function_constraints(required=[name])
    assert banned.refuses(holds) and not banned.refuses(lacks)
    assert wanted.refuses(lacks) and not wanted.refuses(holds)
    assert name not in banned.primitives


def test_forbidding_cos_takes_sin_out_of_the_search_too() -> None:
    assert "sin" not in function_constraints(forbidden=["cos"]).primitives
    assert "sin" in function_constraints(forbidden=["tan"]).primitives


@pytest.mark.parametrize(
    ("name", "holders"),
    [
        ("exp", {"gaussian", "softplus"}),
        ("log", {"softplus", "entropy"}),
        ("sqrt", {"lorentz", "hyperbola", "semicircle", "reciprocal_sqrt"}),
        ("square", {"gaussian", "lorentzian"}),
    ],
)
def test_what_holds_a_forbidden_function_is_not_searched_for(name: str, holders: set[str]) -> None:
    allowed = function_constraints(forbidden=[name]).primitives
    assert not holders & set(allowed) and "sin" in allowed
    assert not functions_of(name) & allowed_functions(allowed)
    with pytest.raises(InputError, match="every primitive"):
        function_constraints(sorted(holders), forbidden=[name])


def test_a_function_is_required_where_a_primitive_holds_it() -> None:
    assert function_constraints(["gaussian"], required=["exp"]).required == ("exp",)
    assert function_constraints(["sin"], required=["square", "cos"]).required == ("square", "cos")


def refused(expr: sympy.Expr, low: float, high: float, **claims: Any) -> bool:
    X = np.linspace(low, high, 40)[:, None]
    return shape_constraints(("x",), **claims).refuses(expr, (x,), X) is not None


def test_sine_is_monotone_only_up_to_its_crest() -> None:
    assert refused(sympy.sin(x), 0, 6, monotone={"x": "increasing"})
    assert refused(sympy.sin(x), 0, 6, monotone={"x": "decreasing"})
    assert not refused(sympy.sin(x), 0, 1.5, monotone={"x": "increasing"})


@pytest.mark.parametrize("pole", [0.0, 0.0123])
def test_a_pole_or_a_jump_between_the_rows_breaks_a_claim(pole: float) -> None:
    assert not refused(-1 / x, 1, 2, monotone={"x": "increasing"})
    assert refused(-1 / (x - pole), -1, 1, monotone={"x": "increasing"})  # its slope is positive at every row
    assert refused(-sympy.sign(x - pole), -1, 1, monotone={"x": "increasing"})


@pytest.mark.parametrize(
    ("expr", "low", "word"),
    [
        (x**2, -1, "convex"),
        (sympy.Abs(x), -1, "convex"),
        (sympy.exp(-x), -1, "convex"),
        (sympy.log(x), 0.1, "concave"),
        (sympy.sqrt(x), 0.0, "concave"),
        (-(x**4), -1, "concave"),
    ],
)
def test_curvature(expr: sympy.Expr, low: float, word: str) -> None:
    other = {"convex": "concave", "concave": "convex"}[word]
    assert not refused(expr, low, 2, convex={"x": word})
    assert refused(expr, low, 2, convex={"x": other})


@given(st.floats(-3, 3), st.floats(-1e6, 1e6), st.sampled_from([1e-6, 1.0, 1e6]))
def test_a_straight_line_is_judged_by_its_slope_in_any_unit(slope: float, offset: float, unit: float) -> None:
    line = sympy.Float(slope * unit) * x + sympy.Float(offset)
    if abs(slope) * unit > 1e-8 * abs(offset):
        assert refused(line, 0, 1, monotone={"x": "increasing"}) is (slope < 0)
    assert not refused(line, 0, 1, convex={"x": "convex"})


def test_a_claim_is_about_its_column_alone() -> None:
    X = np.random.default_rng(2).uniform(-1, 1, (50, 2))
    shape = shape_constraints(("x", "t"), monotone={"x": "increasing"})
    assert shape.refuses(x * sympy.exp(t) - t**3, (x, t), X) is None
    assert shape.refuses(x * t, (x, t), X) is not None
    assert shape.refuses(sympy.sin(7 * t), (x, t), X) is None


def test_bounds() -> None:
    assert not refused(sympy.tanh(x), -3, 3, bounds=(-1, 1))
    reason = shape_constraints(("x",), bounds=(0, None)).refuses(x**3 + 1, (x,), np.linspace(-2, 2, 30)[:, None])
    assert reason == "it is -7 at x = -2, below the bound 0"
    assert refused(1 / x**2, -1, 1, bounds=(None, 2e4))  # between the rows it passes every bound
    assert not refused(sympy.log(x), -1, 2, bounds=(None, 1))  # no value is beyond no bound


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e7])
@pytest.mark.parametrize("size", [1e-5, 1.0, 1e6])
def test_a_form_is_fitted_in_any_unit_without_start_values(unit: float, size: float) -> None:
    T = np.linspace(0, 4, 80)[:, None] * unit
    y = size * (5 * np.exp(-2 * T[:, 0] / unit) + 1)
    best = known("t", T, y, start="a*exp(-b*t) + c").start_candidates(T, y)[0]
    values = {str(symbol): value for symbol, value in best.values.items()}
    assert values == pytest.approx({"a": 5 * size, "b": 2 / unit, "c": size}, rel=1e-8)
    assert isinstance(best, Candidate) and best.rmse < 1e-10 * size


@pytest.mark.parametrize(
    ("form", "law"),
    [
        ("A*sin(w*t + p)", lambda t: 3 * np.sin(17.3 * t + 0.7)),
        ("h/(1 + ((t - t0)/w)**2)", lambda t: 2 / (1 + ((t - 101.3) / 0.2) ** 2)),
        ("V*t/(K + t)", lambda t: 3 * t / (0.02 + t)),
        ("a*t**n", lambda t: 0.3 * t**2.7),
        ("a*exp(-b*t) + c*exp(-d*t)", lambda t: 3 * np.exp(-t) + 2 * np.exp(-6 * t)),
    ],
)
def test_forms_of_many_kinds_are_fitted(form: str, law: Any) -> None:
    low = 100.0 if "t0" in form else 0.01
    T = np.linspace(low, low + 3, 120)[:, None]
    y = law(T[:, 0])
    best = known("t", T, y, start=form).start_candidates(T, y)[0]
    assert best.rmse < 1e-8 * np.std(y)


def test_the_same_seed_gives_the_same_candidates() -> None:
    X, y = ROWS[:, :1], np.exp(-ROWS[:, 0]) + 0.1 * ROWS[:, 1]
    given = known("t", X, y, start="a*exp(-b*t) + c")
    assert given.start_candidates(X, y, seed=3) == given.start_candidates(X, y, seed=3)


def test_the_better_form_is_first_and_weights_count() -> None:
    X = np.linspace(0, 1, 40)[:, None]
    y = 2 * X[:, 0]
    y[0] = 100.0
    weight = np.ones(40)
    weight[0] = 0.0
    best = known("t", X, y, start="k*t", sample_weight=weight).start_candidates(X, y)[0]
    assert list(best.values.values()) == pytest.approx([2.0])


@pytest.mark.parametrize(
    ("size", "text", "count"),
    [
        (2.0, "a*t**1000", 0),  # 4**1000 is no float: whatever a is, no start is finite
        (1e30, "sin(b*t**12)", 0),
        (1e200, "sin(b*t) + c", 3),  # as many optima as are kept
    ],
)
def test_sizes_beyond_floats_are_no_crash(size: float, text: str, count: int) -> None:
    X = size * np.random.default_rng(0).uniform(1, 2, (40, 1))
    found = known("t", X, X[:, 0] / size, start=text).start_candidates(X, X[:, 0] / size, n_starts=3)
    assert len(found) == count
    assert all(math.isfinite(candidate.rmse) for candidate in found)


def test_a_size_is_read_off_a_power_of_any_height() -> None:
    """The dimension of a in a*t**20000 is not to be a text: a formula that is read has no such powers."""
    X = np.linspace(0.999, 1.001, 60)[:, None]
    (best, *_) = multi_start(c1 * t**20000, (c1,), (t,), X, 3 * X[:, 0] ** 20000)
    assert best.values == pytest.approx([3.0], rel=1e-6)


def test_a_known_factor_is_a_coordinate_with_its_constants_fitted() -> None:
    X = np.random.default_rng(3).uniform(0, 2, (200, 2))
    y = np.exp(-1.5 * X[:, 0]) * (2 + X[:, 1] ** 2)
    given = known("t x", X, y, start="k*exp(-b*t)", start_role="factor")
    (found,) = given.coordinates(X, None, y)
    # k belongs to F, b is what a polynomial in the place of F leaves
    np.testing.assert_allclose(found.factor_values, np.exp(-1.5 * X[:, 0]), rtol=1e-6)
    assert not given.start_candidates(X, y)


def test_a_start_names_columns_as_the_table_or_as_the_formula_does() -> None:
    X = ROWS
    given = prior(X, X[:, 0], ["mass [kg]", "E"], start="k*mass_kg/E")
    assert given.start is not None
    assert given.start.expr.free_symbols == {*given.symbols, sympy.Symbol("k", real=True)}
    plain = prior(X, X[:, 0], ["t", "x"], start=sympy.Symbol("k") * sympy.Symbol("t"))
    assert plain.start is not None and plain.start.constants == (sympy.Symbol("k", real=True),)


def test_residuals_of_the_known_size_pass_and_larger_ones_do_not() -> None:
    rng = np.random.default_rng(5)
    std = rng.uniform(0.01, 1.0, 200)
    errors = given_noise(std, 200)
    for _ in range(100):
        residuals = std * rng.normal(size=200)
        assert errors.refuses(residuals) is None
        assert errors.refuses(1.5 * residuals) is not None
    assert errors.refuses(np.full(200, np.inf)) is not None


def test_a_wrong_law_is_refused_by_its_residuals() -> None:
    rng = np.random.default_rng(6)
    X = np.linspace(0, 3, 100)[:, None]
    y = np.exp(-X[:, 0]) + rng.normal(0, 0.01, 100)
    given = known("x", X, y, noise=0.01)
    right = fitted(Formula(c1 * sympy.exp(-x), {c1: 1.0}, (x,)), X, y)
    wrong = fitted(Formula(c1 + c2 * x, {c1: 1.0, c2: 0.0}, (x,)), X, y)
    assert given.refuses(right, X, y) is None
    reason = given.refuses(wrong, X, y)
    assert reason is not None and "chi^2" in reason
    assert given.refuses(wrong, X) is None


def test_lengths_are_comparable_with_those_of_unknown_noise() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=1000) * 5
    residuals = rng.normal(0, 0.3, 1000)
    lengths = [model.length(residuals, y, 2, 5.0) for model in (EQUAL, given_noise(0.3, y))]
    # the likelihoods differ by chi-squared of one degree of freedom, the size that is estimated
    assert abs(lengths[0] - lengths[1]) < 3.0
    assert given_noise(0.6, y).length(residuals, y, 2, 5.0) > lengths[1] + 100
    weighted = weighted_rows(np.full(1000, 7.0), 1000)
    assert weighted.length(residuals, y, 2, 5.0) == pytest.approx(lengths[0])


def test_rows_without_weight_count_for_nothing() -> None:
    rng = np.random.default_rng(8)
    y, residuals = rng.normal(size=50), rng.normal(size=50)
    weight = np.r_[np.ones(40), np.zeros(10)]
    all_rows, few = weighted_rows(weight, 50), weighted_rows(np.ones(40), 40)
    assert all_rows.length(residuals, y, 1, 0.0) == pytest.approx(few.length(residuals[:40], y[:40], 1, 0.0))
    np.testing.assert_array_equal(all_rows.weight(y), weight)
    np.testing.assert_array_equal(all_rows.on(weight > 0).weight(y[:40]), np.ones(40))


def test_knowledge_about_some_of_the_rows() -> None:
    std = np.linspace(0.1, 1.0, 60)
    known_rows = known(noise=std).on(np.arange(60) < 20)
    assert known_rows.noise is not None
    np.testing.assert_allclose(known_rows.noise.weight(np.zeros(20)), std[:20] ** -2)
    nothing = known()
    assert nothing.on(slice(5)) is nothing


def test_the_fingerprint_tells_knowledge_apart() -> None:
    given: list[dict[str, Any]] = [
        {},
        FORCE,
        {**FORCE, "output_unit": "kN"},
        {"noise": 0.1},
        {"noise": 0.2},
        {"sample_weight": np.ones(60)},
        {"start": "k*m"},
        {"start": "k*m", "start_role": "factor"},
        {"bounds": (0, None)},
        {"monotone": {"m": "increasing"}},
        {"convex": {"m": "convex"}},
        {"forbidden": ["sin"]},
        {"required": ["sin"]},
    ]
    assert len({known(**each).fingerprint for each in given}) == len(given)
    assert all(known(**each).fingerprint == known(**each).fingerprint for each in given)


def test_a_candidate_without_hope_is_known_before_it_is_finished() -> None:
    X = np.linspace(0, 2, 50)[:, None]
    falling = known("x", X, -X[:, 0], monotone={"x": "decreasing"}, forbidden=["sin", "square"])

    def hopeless(structure: sympy.Expr, value: float) -> bool:
        return falling.hopeless(Candidate(structure, {c1: value}, 0.0, 0.0), X)

    assert hopeless(-sympy.sin(c1 * x), 0.1) and hopeless(c1 * x, 1.0)
    assert not hopeless(-c1 * x**2, 1.0)  # an exponent may turn out another
    slightly = -x + c1 * x**3
    assert not hopeless(slightly, 0.0833334)  # rises by a hair at the end
    assert falling.refuses(Formula(slightly, {c1: 0.08334}, (x,)), X) is not None


def test_known_noise_gives_the_errors_of_scipy() -> None:
    rng = np.random.default_rng(9)
    X = np.linspace(0, 3, 60)[:, None]
    std = np.linspace(0.01, 0.1, 60)
    y = 2 * np.exp(-X[:, 0]) + std * rng.normal(size=60)
    errors = given_noise(2 * std, y)
    formula = fitted(Formula(c1 * sympy.exp(-c2 * x), {c1: 2.0, c2: 1.0}, (x,)), X, y, errors.weight(y))
    _, covariance = curve_fit(
        lambda u, p, q: p * np.exp(-q * u), X[:, 0], y, p0=(2.0, 1.0), sigma=2 * std, absolute_sigma=True
    )
    np.testing.assert_allclose(errors.known_errors(formula, X).covariance, covariance, rtol=1e-4)
    assert formula.covariance is not None
    assert not np.allclose(formula.covariance, covariance, rtol=1e-2)


def test_a_candidate_is_finished_with_known_noise_on_some_rows() -> None:
    rng = np.random.default_rng(10)
    X = np.linspace(1, 3, 80)[:, None]
    std = 0.001 * X[:, 0] ** 4
    y = 2.0 * X[:, 0] ** 3 + std * rng.normal(size=80)
    rows = np.arange(80) % 5 > 0
    candidate = Candidate(c1 * x**3 + c2, {c1: 1.9, c2: 0.1}, 0.1, 0.0)
    noise = given_noise(std, y).on(rows)
    formula = finish(candidate, X[rows], y[rows], (x,), ("x",), "y", noise)
    assert formula.expr == 2 * x**3


def test_without_prior_knowledge_nothing_is_refused() -> None:
    nothing = known()
    assert nothing.refuses(Formula(sympy.sin(50 * m) / a, {}, (m, a)), ROWS, ROWS[:, 0]) is None
    assert nothing.coordinates(ROWS, None, ROWS[:, 0]) == [] and nothing.start_candidates(ROWS, ROWS[:, 0]) == []
    assert nothing.notes == ()
    assert nothing.noise_models(np.array([-1.0, 1.0])) == (EQUAL,)


def test_a_root_may_be_required_where_only_its_reciprocal_is_forbidden() -> None:
    allowed = function_constraints(forbidden=["reciprocal_sqrt", "power"], required=["sqrt"])
    assert allowed.refuses(sympy.sqrt(x)) is None
    assert allowed.refuses(1 / sympy.sqrt(x)) is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output_unit": "m"}, "give units too"),
        ({"dimensionless_constants": True}, "give units too"),
        ({"units": {"m": "kg", "a": "m"}}, "without output_unit"),
        ({"units": {"m": "kg"}, "output_unit": ""}, r"no units of \['a'\]"),
        ({"units": {"m": "kg", "a": "m", "z": "s"}, "output_unit": ""}, r"units of \['z'\]"),
        ({"units": ["kg"], "output_unit": ""}, "one for each"),
        ({"units": ["kg", "furlongs per"], "output_unit": ""}, "'a'"),
        ({"units": ["kg", "m"], "output_unit": "s", "dimensionless_constants": True}, "add the column"),
        ({"forbidden": ["sine"]}, "expected names among"),
        ({"forbidden": "sin"}, "expected a list"),
        ({"required": ["gaussian"]}, "expected names among"),
        ({"required": ["sin"], "forbidden": ["cos"]}, "take one of them out"),
        ({"required": ["power"], "forbidden": ["power"]}, "take one of them out"),
        (
            {"required": ["reciprocal_sqrt"], "forbidden": ["sqrt"]},
            "'reciprocal_sqrt' is required and 'sqrt' forbidden",
        ),
        ({"primitives": ["sin"], "forbidden": ["cos"]}, "every primitive"),
        ({"monotone": {"z": "increasing"}}, "expected one of 'm', 'a'"),
        ({"monotone": {"m": "up"}}, "'increasing' or 'decreasing'"),
        ({"monotone": ["m"]}, "expected a dict"),
        ({"convex": {"m": "increasing"}}, "'convex' or 'concave'"),
        ({"bounds": (1, 0)}, "low < high"),
        ({"bounds": (math.nan, 1)}, "low < high"),
        ({"bounds": 5}, r"expected \(low, high\)"),
        ({"bounds": (100, 200)}, "half of y"),
        ({"noise": 0.0}, "positive"),
        ({"noise": [1.0, 2.0]}, "one a row"),
        ({"noise": 1e200}, "in another unit"),
        ({"noise": "small"}, "expected numbers"),
        ({"sample_weight": np.zeros(60)}, "positive"),
        ({"sample_weight": -np.ones(60)}, "not negative"),
        ({"sample_weight": np.ones(60), "noise": 1.0}, "give noise alone"),
        ({"start": "k*m", "start_role": "half"}, r"expected 'law' or 'factor'\.$"),
        ({"start": "k*m", "start_role": "term"}, r"expected 'law' or 'factor'\. .* taken off y"),
        ({"start_role": ["law"]}, "expected 'law' or 'factor'"),
        ({"start": sympy.Function("f")(m)}, "not a function kanlib evaluates"),
        ({"start": sympy.oo * m}, "finite numbers"),
        ({"start": m * sympy.Symbol("two words")}, "rename it"),
        ({"start": m * sympy.Symbol("lambda")}, "rename it"),
        ({"start": "9**9**9*m"}, "expected powers up to"),
        ({"bounds": (0, 10**400)}, r"expected \(low, high\)"),
        ({"monotone": {"m": ["increasing"]}}, "'increasing' or 'decreasing'"),
        ({"noise": 10**400}, "expected numbers"),
        ({"sample_weight": [10**400] * 60}, "expected numbers"),
        ({"forbidden": None}, "expected a list"),
        ({"required": 5}, "expected a list"),
        ({"primitives": "sin"}, "primitives is 'sin'; expected a list"),
        ({"units": 5, "output_unit": "m"}, "one for each"),
        ({"required": ["exp"], "primitives": ["sin"]}, "add it to primitives"),
        ({"required": ["exp"], "primitives": ["sin", "log"]}, "add it to primitives"),
        ({"start": "k*exp(-b)"}, "none of the columns"),
        ({"start": "k*f(m)"}, "one of the functions"),
        ({"start": "2(m)"}, "product is written"),
        ({"start": "k*("}, "no formula"),
        ({"start": 5}, "expected a text"),
    ],
)
def test_what_is_wrong_is_said_with_advice(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KanlibError, match=message):
        known(**given)


def test_errors_are_of_the_standard_kinds_too() -> None:
    with pytest.raises(InputTypeError):
        partial_law(5, "law", ("x",), (x,))  # type: ignore[arg-type]
    with pytest.raises(FormulaError):
        partial_law("k", "law", ("x",), (x,))
    with pytest.raises(InputError, match="expected 'law' or 'factor'"):
        partial_law("k*x", "part", ("x",), (x,))
    with pytest.raises(InputError, match="choose the same rows"):
        given_noise(1.0, 5).weight(np.zeros(4))
