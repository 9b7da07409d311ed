"""Text becomes a formula, and nothing else: never code, never a hang, never another formula than the one written."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Float, Integer, Rational, Symbol

from kanlib.errors import FormulaError, InputTypeError
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.library import LIBRARY
from kanlib.symbolic.names import safe_symbols
from kanlib.symbolic.parsing import free_names, parse_formula
from kanlib.symbolic.printing import print_text
from kanlib.symbolic.tape import evaluate

x, y = XY = sympy.symbols("x y", real=True)
a = Symbol("a", positive=True)
XYA = (*XY, a)


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("2*x**2 + y - 1/3", 2 * x**2 + y - Rational(1, 3)),
        ("-x**2", -(x**2)),
        ("+x - -y", x + y),
        ("2**-1*x", x / 2),
        ("x/y/2", x / (2 * y)),
        ("0.1*x", Float(0.1) * x),
        ("1e-3*x", Float(1e-3) * x),
        ("6/4", Rational(3, 2)),
        ("2**10", Integer(1024)),
        ("pi*x/2 + E", sympy.pi * x / 2 + sympy.E),
        ("E**x", sympy.exp(x)),
        ("ln(x) + log(2)", sympy.log(x) + sympy.log(2)),
        ("sqrt(x**2)", sympy.Abs(x)),
        ("abs(x)*sign(y)", sympy.Abs(x) * sympy.sign(y)),
        ("x**0.5", x ** Float(0.5)),
        ("x**(1/2)", sympy.sqrt(x)),
        ("x**-2.5", x ** Float(-2.5)),
        ("cot(x) + asinh(y)*erf(x)", sympy.cot(x) + sympy.asinh(y) * sympy.erf(x)),
        ("  x\n + y ", x + y),
        ("2**x", 2**x),
        ("(1 + 0)**(9**9)*x", x),
    ],
)
def test_what_a_formula_may_hold(text: str, expr: Expr) -> None:
    assert parse_formula(text, XY) == expr


def test_a_formula_stays_as_it_was_written() -> None:
    for text in ("2*(x + 1)", "-2.5*(x + y)", "x*(y + 1) - (x + y)", "2.0*sin(2*(x + 1.5))"):
        parsed = parse_formula(text, XY)
        assert parse_formula(print_text(parsed), XY) == parsed
    assert str(parse_formula("2*(x + 1)", XY)) == "2*(x + 1)"


FUNCTIONS = "exp log sqrt sin cos tan cot sec csc asin acos atan sinh cosh tanh coth asinh acosh atanh Abs sign erf"
NEGATIVE = {
    "-x - 1": -x - 1,
    "-a*x - y": -a * x - y,
    "-(x + 1)": -x - 1,
    "-2*(x + a)": -2 * x - 2 * a,
    "-x - sin(-y - 1)": -x - sympy.sin(-y - 1),
    "-0.5*x - pi": -Float(0.5) * x - sympy.pi,
}


@pytest.mark.parametrize("name", FUNCTIONS.split())
@pytest.mark.parametrize("argument", NEGATIVE)
def test_an_argument_that_starts_negative(name: str, argument: str) -> None:
    expr = parse_formula(f"{name}({argument})", XYA)
    assert parse_formula(print_text(expr), XYA) == expr
    X = np.random.default_rng(0).uniform(-3.0, 0.5, (50, 3))
    X[:, 2] = np.abs(X[:, 2])
    expected = evaluate(getattr(sympy, name)(NEGATIVE[argument]), XYA, X)
    np.testing.assert_allclose(evaluate(expr, XYA, X), expected, rtol=1e-9, atol=1e-12)


leaves = st.builds(
    lambda c, column: c * column,
    st.sampled_from([Integer(1), Integer(3), Rational(1, 3), Float(0.5), Float(1.7), sympy.pi]),
    st.sampled_from(XYA),
)
total = ["sin", "cos", "tanh", "atan", "sinh", "cosh", "exp", "erf", "asinh", "Abs", "sign", "tan", "cot", "sec", "csc"]


def grown(parts: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    function = st.sampled_from([getattr(sympy, name) for name in total])
    return st.one_of(
        st.builds(lambda f, u, v: f(-u - v), function, parts, parts),
        st.builds(lambda f, u: f(-u), function, parts),
        st.builds(lambda u, v: -u - v, parts, parts),
        st.builds(lambda u, v: u * v, parts, parts),
        st.builds(lambda u, p: sympy.Pow(-u - 1, p), parts, st.sampled_from([2, 3, -1, -2])),
    )


@settings(max_examples=500)
@given(st.recursive(leaves, grown, max_leaves=8))
def test_a_formula_comes_back_from_its_text(expr: Expr) -> None:
    """In SymPy's own form, however often its arguments start negative."""
    assume(not expr.has(sympy.nan, sympy.zoo, sympy.oo, sympy.AccumBounds))
    formula = Formula(expr, {}, XYA)
    assert parse_formula(str(formula), XYA) == formula.expr


@pytest.mark.parametrize("name", LIBRARY)
def test_every_primitive_comes_back_from_its_text(name: str) -> None:
    expr = Float(1.7) * LIBRARY[name](Float(0.3) * x + sympy.pi / 7, Float(1.3)) + Rational(2, 3) * y
    assert parse_formula(print_text(expr), XY) == expr


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_keep_every_bit(value: float) -> None:
    assert float(parse_formula(repr(value), XY)) == value


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
def test_fractions_are_exact(p: int, q: int) -> None:
    assert parse_formula(f"{p}/{q}", XY) == Rational(p, q)


def test_columns() -> None:
    assert parse_formula("T + 1", {"T": x}) == x + 1
    energy = Symbol("E", real=True)
    assert parse_formula("E*2", [energy]) == 2 * energy  # a column wins over a constant
    mass = Symbol("µ", real=True)  # the micro sign, which Python's grammar takes for the Greek letter
    assert parse_formula("µ*2", [mass]) == 2 * mass
    assert parse_formula("2", ()) == 2
    with pytest.raises(
        FormulaError, match=r"has 'sped'; expected a column \(speed, mass\), pi or E. Did you mean speed\?"
    ):
        parse_formula("2*sped", sympy.symbols("speed mass"))
    with pytest.raises(FormulaError, match=r"expected a column \(none\), pi or E"):
        parse_formula("q", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x^2", r"has 'x\^2'.*a power is written x\*\*2"),
        ("x // 2", "a quotient is written x/y"),
        ("x % 2", "expected . - . / ..: take it out"),
        ("__import__('os').system('true')", r"expected a function by its name"),
        ("x.real", "has 'x.real'; expected numbers, columns"),
        ("().__class__", "expected numbers, columns"),
        ("lambda: x", "expected numbers, columns"),
        ("[x for x in y]", "expected numbers, columns"),
        ("f'{x}'", "expected numbers, columns"),
        ("x if y else 1", "expected numbers, columns"),
        ("x < y", "expected numbers, columns"),
        ("x and y", "expected numbers, columns"),
        ("~x", "expected numbers, columns"),
        ("x[0]", "expected numbers, columns"),
        ("(x, y)", "expected numbers, columns"),
        ("x := 2", "is no formula"),
        ("x; y", "is no formula"),
        ("", "is no formula"),
        ("x y", "is no formula"),
        ("x +", "is no formula"),
        ("'x'", "expected a number"),
        ("True", "expected a number"),
        ("2j", "expected a number"),
        ("sine(x)", r"expected one of the functions exp, .*Did you mean sin"),
        ("eval(x)", "expected one of the functions"),
        ("exp(x, y)", r"expected one argument: exp\(x\)"),
        ("exp(*x)", r"expected"),
        ("log(x, base=2)", "expected one argument"),
        ("exp", r"expected its argument: exp\(...\)"),
        ("2(x + 1)", r"a product is written 2\*\(x \+ 1\)"),
        ("x(y)", r"x is no function: a product is written x\*\(...\)"),
        ("1/0", "has '1/0'; expected parts with a finite real value"),
        ("x/0", "has 'x/0'; expected parts with a finite real value"),
        ("acos(2 + x - x)", "expected a formula over the reals"),
        ("(x - x - 2)**(1/3)", "expected a formula over the reals"),
        ("atan(1/(x - x))", "expected a formula over the reals"),
        ("sqrt(-1)*x", r"has 'sqrt\(-1\)'"),
        ("log(0)", "finite real value"),
        ("(-8)**(1/3)", "finite real value"),
        ("acosh(0.5)", "finite real value"),
        ("1e999", "expected numbers below 1.8e308"),
        ("1" * 400, "expected numbers below 1.8e308"),
        ("(2*x)**2000", "expected powers up to 10000, and of short numbers"),
        ("(2*x)**1000*2**1000", "expected finite numbers"),
        ("x" * 10_001, "has 10001 characters"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        parse_formula(text, XY)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "x**9**9**9",
        "(1/9)**(9**9)",
        "(10000001/10000000)**(9**9)",
        "(3*(x + 1.5))**(10**300)",
        "(sqrt(2)*5/7)**(10**6)",
        "((x + 2)**9999)**9999",
        "exp(exp(exp(exp(3))))",
        "exp(exp(exp(exp(3.0))))*x",
        "x**(10**10)",
        "-" * 9000 + "x",
        "sin(" * 150 + "x" + ")" * 150,
        "(" * 2000 + "x" + ")" * 2000,
        "x**" * 3000 + "x",
        "(" * 49 + "x" + "+ 1)**3" * 49,
        "((7919*7907*x)**3000)**(1/7)",  # a root of a number of 78,000 bits
        "sqrt((3*x)**9999)",
        "exp(10**9*log(3*x))",  # a power to SymPy
        "E**(10**9*log(3*x))",
        "exp((10**5*x)*(10**5*log(3)/x))",
        "x**(10**9*log(3*y)/log(x))",
        "(((3*x)**(1/2) + 1)*3)**9999",
        "2**(10**9*log(3*x)/log(2))",
        "factorial(10**6)",
        "exp(10**10)",
        "1e400*x",
    ],
)
def test_what_would_take_for_ever_is_refused(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text, XY)
    assert "took longer" not in str(caught.value), "refused by what it is, not by the clock"


@pytest.mark.parametrize(
    "text",
    [
        "sin(10**100)*x",
        "1234567890123456789012345678901234567**(1/3)*x",
        "*".join(f"(x + {number})" for number in range(900)),
        "exp(" + " + ".join(f"sin({number}*x)" for number in range(1, 300)) + ")",
        "exp(9*log(3*x)) + exp(-3000*y + log(2))",
        "(x + 1)**9999",
        "(" * 28 + "x" + " + 1)**3" * 28,
        "(2.5 + x*" * 40 + "y" + ")" * 40,
        "1/(3 + " * 40 + "x" + ")" * 40,
        "(1 + x/100)**360",
        "(1000*x + 1)**(-200)",
        "(1 - x**2/299792458**2)**20",
        "exp(-100*log(x/1000)**2)",
        "exp(-50*(log(y/100) - 5)**2)",
        "exp(-11604*log(x)/y)",
        "2**(1200*y*log(x/440))",
        "0.0**(2*log(x))",
        "(-0.5)**(2*log(x))",
    ],
)
def test_what_is_only_long_is_built(text: str) -> None:
    expr = parse_formula(text, XY)
    assert parse_formula(print_text(expr), XY) == expr


def test_numbers_that_stand_for_symbols() -> None:
    b, power = sympy.symbols("b c", real=True)
    assert parse_formula("b*x**c", (x, b), {b: 2.5, power: Integer(2)}) == Float(2.5) * x**2
    for text in ("b**c", "(b*x)**c", "exp(c*log(b*x))"):
        parse_formula(text, (x, b, power))
        with pytest.raises(FormulaError, match=r"has .*expected powers up to 10000"):
            parse_formula(text, (x,), {b: Integer(9), power: Integer(10**9)})


def test_the_names_of_a_text() -> None:
    assert free_names("b*exp(-a*t) + b*pi + E - exp") == ("b", "a", "t")
    assert free_names("µ + 1") == ("μ",)  # as Python's grammar spells it
    for text in ("a +", "a" * 10_001):
        with pytest.raises(FormulaError):
            free_names(text)


def test_a_long_sum_is_no_deep_one() -> None:
    assert parse_formula(" + ".join(["x", "2*y"] * 400), XY) == 400 * x + 800 * y
    assert parse_formula("*".join(["x"] * 500), XY) == x**500


PIECES = ["x", "y", "pi", "E", "exp", "sin", "sqrt", "Abs", "q", "lambda", "if", "**", "0.5", "3e5", "1e300", "__"]
PIECES += list("()()+-*/^,.019'[]:=#\\ \n")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    try:
        expr = parse_formula(text, XY)
    except FormulaError:
        return
    assert isinstance(expr, Expr) and expr.free_symbols <= set(XY)
    assert parse_formula(print_text(expr), XY) == expr


def test_wrong_types() -> None:
    with pytest.raises(InputTypeError, match="got int; expected the formula as a string"):
        parse_formula(3, XY)  # type: ignore[arg-type]
    for symbols in (["x"], {"x": 1}, {1: x}, 5):
        with pytest.raises(InputTypeError, match="expected SymPy symbols"):
            parse_formula("x", symbols)  # type: ignore[arg-type]


def through_json(formula: Formula) -> Formula:
    return Formula.from_dict(json.loads(json.dumps(formula.to_dict(), allow_nan=False)))


@pytest.fixture
def kinetics() -> Formula:
    symbols, _ = safe_symbols(["conc [ppm]", "E", "lambda"])
    top, half, slope = sympy.symbols("V K c3", real=True)
    return Formula(
        top * symbols[0] / (half + symbols[0]) + slope * symbols[1],
        {top: 212.6837, half: 0.0641213, slope: sympy.pi / 2},
        symbols,
        ("conc [ppm]", "E", "lambda"),
        covariance=np.array([[6.947**2, 1e-3], [1e-3, 0.008281**2]]),
        dof=10,
        residual_std=10.9337,
        relative_errors=True,
        target="rate",
    )


def test_a_record_gives_the_formula_back(kinetics: Formula) -> None:
    back = through_json(kinetics)
    X = np.random.default_rng(0).uniform(0.1, 2.0, (50, 3))
    assert back == kinetics and str(back) == str(kinetics) and back.summary() == kinetics.summary()
    assert back.structure == kinetics.structure and back.symbols == kinetics.symbols
    np.testing.assert_array_equal(back.predict(X), kinetics.predict(X))
    assert [c.exact for c in back.constants] == [None, None, "pi/2"]
    np.testing.assert_allclose([c.standard_error for c in back.constants[:2]], [6.947, 0.008281], rtol=1e-15)
    assert through_json(back).to_dict() == back.to_dict()


@pytest.mark.parametrize("name", LIBRARY)
def test_records_of_every_primitive(name: str) -> None:
    a, b, c = sympy.symbols("a b c", real=True)
    structure = c * LIBRARY[name](a * x + b, Float(1.3)) + y / 7
    formula = Formula(structure, {a: 0.37, b: sympy.sqrt(2) / 4, c: -1.7}, XY)
    back = through_json(formula)
    X = np.random.default_rng(0).uniform(0.1, 1.0, (50, 2))
    assert str(back) == str(formula)
    np.testing.assert_allclose(back.predict(X), formula.predict(X), rtol=1e-15)


def test_records_without_errors_and_without_a_structure(kinetics: Formula) -> None:
    c1 = Symbol("c1", real=True)
    plain = Formula(c1 * x, {c1: 2.0}, (x,))
    assert through_json(plain).covariance is None
    loose = Formula(c1 * x + y, {c1: 2.0, y: 1.0}, (x,), covariance=np.diag([np.inf, 4.0]))
    assert [c.standard_error for c in through_json(loose).constants] == [pytest.approx(np.nan, nan_ok=True), 2.0]
    older = {key: value for key, value in kinetics.to_dict().items() if key not in ("structure", "relative_errors")}
    assert Formula.from_dict(older) == kinetics
    # people read the formula, so its text decides
    assert str(Formula.from_dict({**kinetics.to_dict(), "formula": "2*E_"})) == "2*E_"


ONE = {"symbol": "V", "value": 1.0, "standard_error": None, "exact": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"formula": "__import__('os')", "structure": "__import__('os')"}, "expected one of the functions"),
        ({"constants": [{"symbol": "V"}]}, "it lacks 'exact'|it lacks 'value'"),
        ({"constants": None}, "makes no formula"),
        ({"columns": None}, "makes no formula"),
        ({"symbols": []}, "makes no formula"),
        ({"columns": ["a", "a", "b"]}, "makes no formula"),
        ({"structure": "q*conc_ppm"}, "expected a column"),
        ({"structure": 3}, "expected the formula as a string"),
        ({"formula": 3}, "expected the formula as a string"),
        ({"structure": "V", "constants": [{**ONE, "value": 10**400}]}, "too large"),
        ({"structure": "V", "constants": [{**ONE, "standard_error": 10**400}]}, "too large"),
        ({"structure": "V", "constants": [{**ONE, "value": float("inf")}]}, "not finite"),
        ({"structure": "9**V", "constants": [{**ONE, "exact": "10**9"}]}, "expected powers up to 10000"),
    ],
)
def test_records_that_are_none(kinetics: Formula, change: dict, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        Formula.from_dict({**kinetics.to_dict(), **change})
    with pytest.raises(FormulaError, match="it lacks"):
        Formula.from_dict({})
    with pytest.raises(FormulaError, match="makes no formula"):
        Formula.from_dict(None)  # type: ignore[arg-type]
