"""discover, end to end: laws found, no law invented, bad input refused with advice."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch

from kanlib.errors import InputError, InputTypeError
from kanlib.symbolic import discover
from kanlib.table import read_table

DATA = Path(__file__).parent.parent / "tutorials" / "data"
a, b, c, d = sympy.symbols("a b c d", real=True)


def _table(n: int, d: int, low: float, high: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (n, d))


@pytest.mark.parametrize(
    ("law", "expr"),
    [
        (lambda a, b: np.exp(np.sin(np.pi * a) + b**2), sympy.exp(sympy.sin(sympy.pi * a) + b**2)),
        (lambda a, b: a * np.sin(b), a * sympy.sin(b)),
        (lambda a, b: 2 * a + 3 * b - 1, 2 * a + 3 * b - 1),
        (lambda a, b, c, d: a * b + np.sin(c) * np.exp(d), a * b + sympy.sin(c) * sympy.exp(d)),
    ],
    ids=["link", "product", "linear", "sum of products"],
)
def test_finds_the_law(law, expr: sympy.Expr) -> None:
    names = list("abcd")[: law.__code__.co_argcount]
    X = _table(300, len(names), -1, 1)
    y = law(*X.T)
    found = discover(X, y, names=names)
    assert found.status == "found" and found.formula is not None
    assert sympy.simplify(found.formula.expr - expr) == 0
    assert found.rmse < 1e-9 and found.r2 == pytest.approx(1.0)
    assert any(point.formula is found.formula for point in found.front)
    wide = _table(100, len(names), -1.2, 1.2, seed=1)
    np.testing.assert_allclose(found.formula.predict(wide), law(*wide.T), rtol=1e-8, atol=1e-8)
    # The network it was read from computes the same, to the accuracy of splines, in the units of the data.
    with torch.no_grad():
        network = found.network(torch.from_numpy(X))[:, 0].numpy()
    assert np.sqrt(np.mean((network - y) ** 2)) < 0.02


def test_noise_gives_constants_within_their_errors() -> None:
    X = _table(400, 1, 0, 4, seed=3)
    y = 2.7 * np.exp(-0.8 * X[:, 0]) + 0.03 * np.random.default_rng(4).normal(size=400)
    found = discover(X, y, names=["t"], primitives=["exp", "identity", "square", "reciprocal"])
    assert found.formula is not None
    free = {round(c.value, 1): c for c in found.formula.constants if c.exact is None}
    amplitude, rate = free[2.7], free[-0.8]
    assert abs(amplitude.value - 2.7) < 4 * amplitude.standard_error < 0.1
    assert abs(rate.value + 0.8) < 4 * rate.standard_error < 0.1


def test_irrelevant_and_constant_columns_do_not_appear() -> None:
    X = np.hstack([_table(300, 4, 0.5, 2), np.full((300, 1), 7.0)])
    found = discover(X, np.exp(-X[:, 0]) * X[:, 2] ** 2)
    assert found.formula is not None
    assert {str(s) for s in found.formula.expr.free_symbols} == {"x1", "x3"}
    assert any("x5" in note and "constant" in note for note in found.notes)
    assert found.network.in_features == 5


@pytest.mark.parametrize("seed", range(3))
def test_noise_without_a_law_is_called_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = discover(rng.uniform(-1, 1, (150, 2)), rng.normal(size=150), seed=seed)
    assert found.status == "none" and found.formula is None and found.reasons
    assert found.r2 < 0.2 and found.network is not None


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (_table(5, 1, 1, 2), np.arange(5.0)),
        (np.repeat(_table(10, 2, 1, 2), 10, axis=0), np.repeat(np.arange(10.0), 10)),
    ],
    ids=["five rows", "replicates"],
)
def test_too_few_different_rows_are_called_that(X: np.ndarray, y: np.ndarray) -> None:
    found = discover(X, y)
    assert found.status == "none" and found.network is None
    assert "too few" in found.message
    assert "not tried" in found.reasons[0] or "10 different rows" in found.reasons[0]


@pytest.mark.parametrize("limit", ["5", None, math.nan])
def test_a_time_limit_that_is_no_number_is_refused(limit: object) -> None:
    with pytest.raises(InputError, match="number of seconds"):
        discover(_table(20, 1, 0, 1), np.arange(20.0), time_limit=limit)


def test_a_target_that_is_zero_but_for_two_rows_is_no_crash() -> None:
    y = np.zeros(100)
    y[[3, 7]] = 1, -1
    assert discover(_table(100, 1, -1, 1), y, primitives=["identity", "square", "gaussian"]).status == "none"


def test_a_law_out_of_reach_is_called_none_not_approximated() -> None:
    from scipy.special import j0

    X = _table(300, 1, 0, 20)
    found = discover(X, j0(X[:, 0]))
    assert found.status == "none" and found.reasons
    assert found.r2 > 0.999  # the network knows the curve


def test_the_planets_and_the_enzyme() -> None:
    table = read_table(DATA / "planets.csv")
    found = discover(table.values[:, :1], table.values[:, 1], names=table.names[:1], target_name=table.names[1])
    assert found.formula is not None
    assert found.formula.expr == sympy.Symbol(table.names[0], real=True) ** sympy.Rational(3, 2)
    s = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
    rate = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
    found = discover(s[:, None], rate, names=["s"])
    assert found.formula is not None
    # Published (R's nls): V = 212.7 +- 6.9, K = 0.0641 +- 0.0083.
    velocity, half = sorted(found.formula.constants, key=lambda c: -abs(c.value))
    assert velocity.value == pytest.approx(212.7, abs=0.1) and velocity.standard_error == pytest.approx(6.95, abs=0.05)
    assert half.value == pytest.approx(0.0641, abs=1e-4) and half.standard_error == pytest.approx(0.0083, abs=1e-4)


def test_same_seed_same_result_and_the_global_state_is_left_alone() -> None:
    X = _table(100, 2, 0, 1)
    y = X[:, 0] + np.sin(5 * X[:, 1]) + 0.05 * np.random.default_rng(0).normal(size=100)
    torch_before = torch.get_rng_state()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = discover(X, y, seed=3), discover(X, y, seed=3)
    assert str(one.formula) == str(two.formula) and one.rmse == two.rmse and one.notes == two.notes
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_before, torch.get_rng_state())


def test_the_time_limit_is_kept_and_said() -> None:
    X = _table(600, 6, 0, 1)
    y = np.sin(7 * X[:, 0] * X[:, 1]) + X[:, 2] * X[:, 3] ** X[:, 4] + np.cos(5 * X[:, 5] * X[:, 0])
    found = discover(X, y, time_limit=0.5)
    assert found.seconds < 10  # a stage that has begun is finished
    assert any("time was up" in note for note in found.notes)


def test_column_names_reach_the_formula() -> None:
    X = _table(100, 3, 1, 2)
    found = discover(X, X[:, 0] * X[:, 1] / X[:, 2], names=["E", "lambda", "mass [kg]"], target_name="beta")
    assert found.formula is not None
    text = str(found.formula)
    back = {found.formula.symbols_map.get(str(s), str(s)) for s in sympy.sympify(text).free_symbols}
    assert back == {"E", "lambda", "mass [kg]"}


class Frame:
    """What discover uses of a data frame."""

    def __init__(self, values: np.ndarray, columns: list[str]) -> None:
        self.values, self.columns = values, columns

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.values


def test_data_frames_bring_their_names() -> None:
    X = _table(60, 2, 1, 2)
    found = discover(Frame(X, ["u", "v"]), X[:, 0] / X[:, 1])
    assert found.names == ("u", "v") and str(found.formula) == "u/v"


GOOD = _table(30, 2, 0, 1)
BAD = {
    "NaN": (np.where(GOOD > 0.9, np.nan, GOOD), GOOD[:, 0], InputError, "NaN"),
    "infinity in y": (GOOD, np.where(GOOD[:, 0] > 0.9, np.inf, 0.0), InputError, "infinite"),
    "constant columns": (np.ones((30, 2)), GOOD[:, 0], InputError, "constant"),
    "constant y": (GOOD, np.full(30, 2.0), InputError, "varies"),
    "four rows": (GOOD[:4], GOOD[:4, 0], InputError, "at least 5"),
    "one row": (GOOD[:1], GOOD[:1, 0], InputError, "1 row"),
    "one-dimensional X": (GOOD[:, 0], GOOD[:, 1], InputError, "reshape"),
    "no columns": (GOOD[:, :0], GOOD[:, 1], InputError, "no columns"),
    "huge numbers": (1e300 * GOOD, GOOD[:, 0], InputError, "another unit"),
    "tiny y": (GOOD, 1e-300 * GOOD[:, 0], InputError, "another unit"),
    "lengths": (GOOD, GOOD[:-1, 0], InputError, "one number for each row"),
    "two targets": (GOOD, GOOD, InputError, "one number for each row"),
    "strings": (GOOD.astype(str), GOOD[:, 0], InputTypeError, "real numbers"),
    "complex": (GOOD * 1j, GOOD[:, 0], InputTypeError, "complex|real"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_with_advice(case: str) -> None:
    X, y, error, words = BAD[case]
    with pytest.raises(error, match=words):
        discover(X, y)


def test_bad_names_are_refused() -> None:
    with pytest.raises(InputError, match="more than once"):
        discover(GOOD, GOOD[:, 0], names=["a", "a"])
    with pytest.raises(InputError, match="entries"):
        discover(GOOD, GOOD[:, 0], names=["a"])
    with pytest.raises(InputError, match="also an input"):
        discover(GOOD, GOOD[:, 0], names=["a", "b"], target_name="b")


def test_integers_and_float32_are_fine() -> None:
    X = np.arange(1, 31)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(discover(X, 3 * X[:, 0] ** 2).formula) == "3*x1**2"
    found = discover(GOOD.astype(np.float32), (GOOD[:, 0] * 2).astype(np.float32))
    assert found.formula is not None


def test_constants_may_not_become_imaginary_on_the_way() -> None:
    rng = np.random.default_rng(7)
    X = rng.uniform(0.1, 2, (150, 3))
    y = 2 * np.pi * np.sqrt(X[:, 0] / 9.81) * (1 + 0.003 * rng.normal(size=150))
    found = discover(X, y, seed=1)
    assert found.formula is not None
    assert str(found.formula.expr.subs(found.formula.constants[0].value, 1)).endswith("sqrt(x1)")


@pytest.mark.parametrize("known", ["sample_weight", "noise"])
@pytest.mark.parametrize("seed", [2, 4])
def test_rows_of_known_errors_count_by_them_from_the_start(seed: int, known: str) -> None:
    """Half the rows bury the law: only who leaves them aside from the first stand-in on can see it."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 3, (400, 2))
    error = np.where(np.arange(400) < 200, 0.01, 1.0)
    y = X[:, 0] * np.exp(-X[:, 1]) + error * rng.normal(size=400)
    given = {"noise": error} if known == "noise" else {"sample_weight": error**-2}
    found = discover(X, y, names=["a", "b"], **given)
    assert str(found.formula) == "a*exp(-b)" and found.r2 > 0.98


def test_a_power_in_front_does_not_hide_the_sum_behind_it() -> None:
    """Rows of a small factor say little about what stands behind it, and the noise floor is that of y."""
    rng = np.random.default_rng(0)
    X = rng.uniform([1, 0, 0], [5, 3, 3], (600, 3))
    y = X[:, 0] ** 3 * (5 + np.sin(X[:, 1]) + np.exp(-X[:, 2]))
    found = discover(X, y + 0.02 * y.std() * rng.normal(size=600), names=["m", "a", "b"])
    assert str(found.formula) == "m**3*(sin(a) + 5 + exp(-b))"


@pytest.mark.parametrize("unit", [1e60, 1e-80])
def test_units_of_any_size_give_the_same_law(unit: float) -> None:
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 3, (300, 3))
    y = X[:, 0] * np.exp(-X[:, 1] / X[:, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = discover(X * [1 / unit, unit, unit], unit * y, names=["a", "b", "c"])
    assert found.formula is not None
    factor, rest = found.formula.expr.as_independent(a, b, c)
    assert rest == a * sympy.exp(-b / c) and float(factor) == pytest.approx(unit**2)


def test_a_fast_wave_is_found_among_columns_that_do_not_matter() -> None:
    """Sixteen periods within the data: no polynomial follows them, and among four columns no two rows are near."""
    X = _table(2000, 4, -50, 50)
    found = discover(X, 0.13 * np.sin(X[:, 2]) - 2.3, names=["a", "b", "c", "d"])
    law = sympy.Rational(13, 100) * sympy.sin(c) - sympy.Rational(23, 10)
    assert found.formula is not None and sympy.nsimplify(found.formula.expr) == law
