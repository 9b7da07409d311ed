"""A compiled formula computes the formula, in as few layers as it needs, and the network gives the formula back."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Float, Integer, Rational, Symbol, pi

from kanlib import KAN, load, save
from kanlib.compact import compact, show_widths
from kanlib.errors import FormulaError, InputError, InputTypeError
from kanlib.plots import plot_network
from kanlib.symbolic.compiler import compile_formula
from kanlib.symbolic.compose import network_expression
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.library import LIBRARY
from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.tape import compile_tape, evaluate

x, y, z = XYZ = sympy.symbols("x y z", real=True)


def sample(low: float = 0.2, high: float = 0.9, columns: int = 3, rows: int = 60) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, (rows, columns))


def network_values(model: KAN, X: np.ndarray) -> np.ndarray:
    return model(torch.from_numpy(X))[:, 0].detach().numpy()


def values_back(model: KAN, symbols: tuple[Symbol, ...], X: np.ndarray) -> np.ndarray:
    structure, values = network_expression(model, symbols)
    return compile_tape(structure, symbols, tuple(values)).bind(X).value(np.array(list(values.values())))


LAWS = [
    "exp(-a**2/2)/sqrt(2*pi)",
    "exp(-((a - b)/c)**2/2)/(sqrt(2*pi)*c)",
    "sqrt((a - b)**2 + (c - d)**2)",
    "6.674e-11*a*b/((c - d)**2 + (a - 1.5)**2 + 2)",
    "a/sqrt(1 - b**2/(16*c**2))",
    "a*b*sin(c)",
    "a*b/(4*pi*c**2)",
    "a*(b + c*d*sin(a))",
    "a*b**2/2 + a*9.81*c",
    "(a + b)/(1 + a*b/9)",
    "1/(1/a + b/c)",
    "sqrt(a**2 + b**2 - 2*a*b*cos(c - d))",
    "a*sin(b*c/2)**2/sin(c/2)**2",
    "asin(a/(3*b))",
    "a*b*c*log(d/a)",
    "a*exp(-b*c/(1.38*d))",
    "a*b**3/(pi**2*c**2*(exp(a*b/(c*d)) - 1))",
    "a*tanh(b*c/d)",
    "a/(exp(b*c/d) + exp(-b*c/d))",
    "a*cos(b*c) + d*cos(b*c)**2",
    "212.68*a/(0.0641 + a)",
    "a*(1 - b**2)/(1 + b*cos(c - d))",
    "(4*pi*a/3)**(1/3)",
    "0.3*a**1.5*b**-0.75 + 7",
    "acosh(1 + a*b) + asinh(c - d) + atanh(a/3) + acos(b/4) + atan(c/d)",
    "cot(a) + sec(b/2)*csc(c) + coth(d)",
    "log(1 + exp(a - b)) + 1/(1 + exp(-3*c)) + a*log(a) + sqrt(1 + d**2)",
    "erf(a - b) + Abs(c - d)**3 + sign(a - d)",
    "exp(sin(log(a + b*cos(c*d)/4)))",
    "(a*b - c)**7/(1 + d**11)",
]


@pytest.mark.parametrize("law", LAWS)
def test_laws_there_and_back(law: str) -> None:
    symbols = sympy.symbols("a b c d", real=True)
    expr = parse_formula(law, symbols)
    X = sample(0.5, 1.5, columns=4)
    expected = evaluate(expr, symbols, X)
    assert np.isfinite(expected).all()
    for model in (compile_formula(expr, symbols), compile_formula(expr, symbols, X)):
        assert all(layer.fixed_edges().keys() >= live_edges(layer) for layer in model.layers)
        np.testing.assert_allclose(network_values(model, X), expected, rtol=1e-12)
        np.testing.assert_allclose(values_back(model, symbols, X), expected, rtol=1e-12)


def live_edges(layer: torch.nn.Module) -> set[tuple[int, int]]:
    return {(i, j) for j, i in layer.mask.nonzero().tolist()}


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("x", "[1, 1]"),
        ("2*x - 3*y + 1", "[2, 1]"),
        ("3*sin(2*x + 1) + exp(-y**2/2)", "[2, 1]"),
        ("x*y", "[2, (0, [2])]"),
        ("3*x*y/z", "[3, (0, [3])]"),
        ("x*y + 1", "[2, (0, [2]), 1]"),
        ("x**6*y", "[2, (0, [3])]"),
        ("x*log(x)", "[1, 1]"),
        ("x/(2 + 3*x)", "[1, 1]"),
        ("sqrt(1 - x**2/4)", "[1, 1]"),
        ("1/(1 + exp(-2*x))", "[1, 1]"),
        ("sin(x + y)", "[2, 1, 1]"),
        # an edge into a sum for each pair of nodes: the second function of x needs a node of its own
        ("x**2 + sin(x)", "[1, 2, 1]"),
        # equal parts, and proportional ones, are one node
        ("exp(x*y) + log(x*y)*sin(x*y + 2)", "[2, (0, [2]), (1, [2]), 1]"),
        ("sin(x + y)*cos(2*x + 2*y + 1)", "[2, 1, (0, [2])]"),
        # what is early is added up, and carried as one
        ("sin(x) + y**2 + sin(sin(x*y))", "[2, (1, [2]), 2, 1]"),
        ("cot(x)", "[1, 1, 1]"),
    ],
)
def test_no_more_nodes_than_needed(text: str, widths: str) -> None:
    expr = parse_formula(text, XYZ)
    model = compile_formula(expr)
    assert show_widths(model.widths) == widths
    assert show_widths(compact(model).widths) == widths  # nothing in it is dead


@pytest.mark.parametrize("name", LIBRARY)
def test_every_primitive_is_one_edge(name: str) -> None:
    expr = Rational(5, 4) * LIBRARY[name](Float(0.3) * x + Rational(7, 20), Float(1.3)) + 2
    model = compile_formula(expr)
    np.testing.assert_allclose(
        network_values(model, sample(columns=1)), evaluate(expr, (x,), sample(columns=1)), rtol=1e-13
    )
    if name not in ("entropy", "saturation", "gaussian", "hyperbola", "lorentz", "lorentzian", "semicircle"):
        assert show_widths(model.widths) == "[1, 1]" and len(model.layers[0].fixed_edges()) == 1


@pytest.mark.parametrize("n", [-41, -9, -7, -6, -5, -4, -3, 6, 7, 13, 18, 26, 41])
def test_whole_powers_hold_for_negative_bases(n: int) -> None:
    X = np.array([[-1.3], [-0.7], [0.6], [1.1]])
    np.testing.assert_allclose(network_values(compile_formula(x**n), X), X[:, 0] ** float(n), rtol=1e-13)
    np.testing.assert_allclose(network_values(compile_formula(x ** Float(n)), X), X[:, 0] ** float(n), rtol=1e-13)


@pytest.mark.parametrize("p", [2.5, 1.5, -0.3, Rational(1, 3), 0.5, pi])
def test_broken_powers_are_exact_and_nan_below_zero(p: float | Expr) -> None:
    X = np.array([[-1.3], [0.6], [2.1]])
    values = network_values(compile_formula(x**p), X)
    np.testing.assert_allclose(values, [np.nan, 0.6 ** float(p), 2.1 ** float(p)], rtol=1e-14)


def test_outside_the_domain_as_the_formula() -> None:
    X = np.array([[-2.0, 1.0, 1.0], [2.0, -1.0, 1.0], [2.0, 3.0, 0.0], [0.0, 1.0, 1.0]])
    for text in ("log(x)*y + 1", "acosh(x) + sqrt(y)", "exp(-1/z**2)*x + y", "atan(1/z) + acos(x - 1)", "x*log(x)"):
        expr = parse_formula(text, XYZ)
        np.testing.assert_allclose(network_values(compile_formula(expr, XYZ), X), evaluate(expr, XYZ, X), rtol=1e-13)


def test_asinh_is_accurate_from_tiny_to_huge() -> None:
    X = np.concatenate([-np.geomspace(1e5, 1e-12, 40), [0.0], np.geomspace(1e-12, 1e5, 40)])[:, None]
    np.testing.assert_allclose(network_values(compile_formula(sympy.asinh(x)), X), np.arcsinh(X[:, 0]), rtol=1e-12)
    for far in (np.geomspace(0.1, 1e100, 50)[:, None], -np.geomspace(0.1, 1e100, 50)[:, None]):
        model = compile_formula(sympy.asinh(x), X=far)
        np.testing.assert_allclose(network_values(model, far), np.arcsinh(far[:, 0]), rtol=1e-12)


def test_a_varying_exponent_needs_a_positive_base() -> None:
    X = sample()
    expected = X[:, 0] ** X[:, 1]
    model = compile_formula(x**y, XYZ, X)
    np.testing.assert_allclose(network_values(model, X), expected, rtol=1e-13)
    p = Symbol("p", positive=True)
    np.testing.assert_allclose(network_values(compile_formula(p**y, (p, y)), X[:, :2]), expected, rtol=1e-13)
    for base in (1 + x**2, sympy.exp(x) * sympy.Abs(1 + sympy.asin(x) ** 2), sympy.sqrt(x) + sympy.acos(y) ** 2 + 2):
        np.testing.assert_allclose(
            network_values(compile_formula(base**y), X[:, :2]), evaluate(base**y, (x, y), X[:, :2]), rtol=1e-13
        )
    square = network_values(compile_formula((1 + x**2) ** y), X[:, :2])
    np.testing.assert_allclose(square, (1 + X[:, 0] ** 2) ** X[:, 1], rtol=1e-13)
    np.testing.assert_allclose(network_values(compile_formula(2**x), X[:, :1]), 2 ** X[:, 0], rtol=1e-13)
    for base, data in ((x, None), (x**3 + 2, None), (x - 5, X), (Integer(-2), X)):
        with pytest.raises(FormulaError, match=r"has no network: its base may be negative.*or give X"):
            compile_formula(base**y, XYZ, data)


def test_a_formula_on_its_columns() -> None:
    symbols = sympy.symbols("t_air p E_ v q", real=True)
    c1 = Symbol("c1", real=True)
    formula = Formula(c1 * symbols[2] * sympy.sin(symbols[4]), {c1: 2.5}, symbols, ("t air", "p", "E", "v", "q"))
    model = compile_formula(formula)
    assert model.in_features == 5 and model.used_inputs == (2, 4)
    assert model.input_names == ("t air", "p", "E", "v", "q")
    X = np.full((20, 5), np.nan)
    X[:, [2, 4]] = sample(columns=2, rows=20)
    np.testing.assert_allclose(network_values(model, X), formula.predict(X), rtol=1e-13)
    frame = pd.DataFrame(X, columns=["t air", "p", "E", "v", "q"])
    grid = compile_formula(formula, X=frame).layers[0].grid
    np.testing.assert_allclose(grid[:, 0].numpy(), X[:, [2, 4]].min(axis=0))
    np.testing.assert_allclose(grid[:, -1].numpy(), X[:, [2, 4]].max(axis=0))


def test_a_constant_formula_reads_nothing() -> None:
    model = compile_formula(Float(2.5), (x, y))
    assert model.in_features == 2
    np.testing.assert_array_equal(network_values(model, np.zeros((3, 2))), [2.5] * 3)


@pytest.mark.parametrize("text", ["x*exp(-y**2) + z", "log(x - 2)/sqrt(1 - y**2) + acos(x/9)", "x", "sin(x + y)*z**7"])
def test_pictures_and_files(text: str, tmp_path: Path) -> None:
    expr = parse_formula(text, XYZ)
    X = sample(0.1, 0.9)
    X[:, 0] += 2
    for model in (compile_formula(expr, XYZ), compile_formula(expr, XYZ, X)):
        copy = load(save(model, tmp_path / "law.kan"))
        np.testing.assert_array_equal(network_values(copy, X), network_values(model, X))
        for data in (None, X):
            ax = plot_network(copy, data)
            ax.figure.canvas.draw()
            plt.close(ax.figure)


def test_grids_without_data_lie_in_the_domain() -> None:
    model = compile_formula(sympy.log(x - 5) + 1 / sympy.sqrt(1 - 4 * y**2) + z)
    ends = model.layers[0].grid[:, [0, -1]].tolist()
    np.testing.assert_allclose(ends, [[5.0, 7.0], [-0.5, 0.5], [-1.0, 1.0]])


def test_derivatives_in_inputs_and_constants() -> None:
    expr = x ** Float(2.5) * sympy.exp(-x * y) / (1 + z**2) + sympy.asinh(y * z)
    X = sample()
    model = compile_formula(expr, XYZ)
    table = torch.from_numpy(X).requires_grad_()
    model(table).sum().backward()
    assert table.grad is not None
    for number, symbol in enumerate(XYZ):
        np.testing.assert_allclose(table.grad[:, number].numpy(), evaluate(expr.diff(symbol), XYZ, X), rtol=1e-11)
    assert all(torch.isfinite(layer.edge_constants.grad).all() for layer in model.layers)
    assert torch.autograd.gradgradcheck(lambda t: model(t), table[:3].detach().requires_grad_())


CONSTANTS = st.sampled_from([Integer(2), Rational(3, 4), Float(0.35), Float(1.7), -Float(0.6), pi / 4, Integer(-3)])
UNARY = [
    lambda u: sympy.sin(2 * u),
    sympy.cos,
    sympy.tanh,
    sympy.atan,
    sympy.erf,
    sympy.Abs,
    lambda u: sympy.exp(-u / 2),
    lambda u: sympy.exp(-(u**2)),
    lambda u: sympy.log(Float(1.5) + u**2),
    lambda u: sympy.log(1 + sympy.exp(u)),
    lambda u: sympy.sqrt(2 + u**2),
    lambda u: 1 / (Rational(3, 2) + u**2),
    lambda u: (1 + sympy.Abs(u)) ** Float(1.3),
    lambda u: sympy.asin(sympy.tanh(u) / 2),
    lambda u: sympy.acos(sympy.sin(u) / 2),
    lambda u: sympy.atanh(sympy.cos(u) / 2),
    lambda u: sympy.tan(sympy.sin(u) / 2),
    lambda u: sympy.sec(sympy.sin(u)),
    lambda u: sympy.coth(1 + u**2),
    lambda u: sympy.sinh(sympy.tanh(u)),
    lambda u: sympy.asinh(u),
    lambda u: sympy.acosh(2 + u**2),
    lambda u: u**2,
    lambda u: u**3,
    lambda u: u**6,
]
BINARY = [
    lambda u, v: u + v,
    lambda u, v: u - 2 * v,
    lambda u, v: u * v,
    lambda u, v: u / (2 + v**2),
    lambda u, v: (1 + u**2) ** v,
]
EXPRESSIONS = st.recursive(
    st.one_of(st.sampled_from(XYZ), st.sampled_from(XYZ), CONSTANTS),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(UNARY), inner).map(lambda pair: pair[0](pair[1])),
        st.tuples(st.sampled_from(BINARY), inner, inner).map(lambda triple: triple[0](*triple[1:])),
    ),
    max_leaves=7,
)


@settings(max_examples=150)
@given(EXPRESSIONS)
def test_random_expressions_there_and_back(expr: Expr) -> None:
    X = sample(-1.5, 1.5, rows=40)
    # Where parts are large and cancel, or stand inside a function, no way of computing keeps twelve digits.
    parts = [evaluate(part, XYZ, X) for part in sympy.preorder_traversal(expr) if part.is_real is not False]
    assume(all(np.isfinite(part).all() and np.abs(part).max(initial=0.0) < 20 for part in parts))
    expected = evaluate(expr, XYZ, X)
    model = compile_formula(expr, XYZ)
    np.testing.assert_allclose(network_values(model, X), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(values_back(model, XYZ, X), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("expr", "part"),
    [
        (1 + sympy.besselj(0, x * y), r"besselj\(0, x\*y\) has no network: besselj is no primitive"),
        (sympy.Piecewise((x, x > 0), (y, True)), r"Piecewise\(.*has no network"),
        (sympy.I * x, "I is no finite real number"),
        (sympy.sqrt(-2) * x, r"sqrt\(2\)\*I is no finite real number|I is no finite real number"),
        (x + sympy.zoo, "no finite real number"),
        (sympy.Max(x, y), r"Max\(x, y\) has no network"),
        (sympy.Function("f")(x) + 1, r"f\(x\) has no network"),
        (sympy.Integral(sympy.sin(x * y), (x, 0, 1)), r"Integral\(.*has no network"),
        (Symbol("x") + 1, r"reads x; the columns are x, y, z"),
        (Symbol("w", real=True), "reads w"),
    ],
)
def test_what_has_no_network(expr: Expr, part: str) -> None:
    with pytest.raises(FormulaError, match=part):
        compile_formula(expr, XYZ)


def test_wrong_arguments() -> None:
    with pytest.raises(InputTypeError, match="parse_formula"):
        compile_formula("x + 1", XYZ)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="expected a Formula or an expression"):
        compile_formula(x < y)
    with pytest.raises(InputError, match=r"shape \(5, 2\); expected \(n, 3\)"):
        compile_formula(x, XYZ, np.zeros((5, 2)))
    with pytest.raises(InputError, match="not finite"):
        compile_formula(x, XYZ, np.full((5, 3), np.nan))
    with pytest.raises(InputTypeError, match="not real numbers"):
        compile_formula(x, XYZ, [["a", "b", "c"]])
    with pytest.raises(InputError, match="repeat a name"):
        compile_formula(x, (x, x))
    with pytest.raises(InputError, match="leave them out"):
        compile_formula(Formula(x, {}, (x,)), (y,))
    with pytest.raises(FormulaError, match="reads no column"):
        compile_formula(Integer(3))
    deep = x
    for _ in range(2000):
        deep = sympy.sin(deep, evaluate=False)
    with pytest.raises(FormulaError, match="nested too deeply"):
        compile_formula(deep, XYZ)
