"""The expression of a network computes what the network computes, with constants that are all independent."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import torch
from sympy import Float

from kanlib.errors import FormulaError, InputError
from kanlib.network import KAN
from kanlib.primitives import PRIMITIVES
from kanlib.symbolic.compose import canonical, network_expression
from kanlib.symbolic.constants import covariance_matrix
from kanlib.symbolic.library import LIBRARY
from kanlib.symbolic.parameters import parametrize, reduce_parameters
from kanlib.symbolic.tape import compile_tape

a, b, c, x, y, z = sympy.symbols("a b c x y z", real=True)


def sample(columns: int = 2, rows: int = 100) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.0, 1.0, (rows, columns))


def values_of(structure: sympy.Expr, values: dict, symbols: tuple, X: np.ndarray) -> np.ndarray:
    return compile_tape(structure, symbols, tuple(values)).bind(X).value(np.array(list(values.values())))


def rank_of(structure: sympy.Expr, values: dict, symbols: tuple, X: np.ndarray) -> int:
    bound = compile_tape(structure, symbols, tuple(values)).bind(X)
    bound.value(np.array(list(values.values())))
    return covariance_matrix(bound.jacobian_rows().T, 1.0)[1]


def network_values(model: KAN, X: np.ndarray, output: int = 0) -> np.ndarray:
    return model(torch.from_numpy(X))[:, output].detach().numpy()


@pytest.mark.parametrize("name", LIBRARY)
def test_every_primitive_inside_and_outside(name: str) -> None:
    """y = exp(f(x) + sin(y)), then y = f(log(x) + y**2): values agree and all constants are independent."""
    X = sample()
    for first in (True, False):
        model = KAN([2, 1, 1], dtype=torch.float64)
        # all primitives are inside their domain for u in [0.35, 0.65]
        model.layers[0].fix_edge(0, 0, name if first else "square", (0.3, 0.35, 0.25, 0.07, 1.3))
        model.layers[0].fix_edge(1, 0, "sin", (0.5, 0.3, 0.1, -0.02, 1))
        model.layers[1].fix_edge(0, 0, "exp" if first else name, (0.4, 0.37, 1.5, 0.2, 1.3))
        structure, values = network_expression(model, (x, y))
        np.testing.assert_allclose(values_of(structure, values, (x, y), X), network_values(model, X), rtol=1e-10)
        structure, values = reduce_parameters(structure, values, (x, y), X)
        np.testing.assert_allclose(values_of(structure, values, (x, y), X), network_values(model, X), rtol=1e-7)
        assert rank_of(structure, values, (x, y), X) == len(values)


def test_sums_and_products() -> None:
    X = sample(3)
    model = KAN([3, (1, [2]), 1], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in model.layers:
            layer.bias.copy_(torch.rand(layer.bias.shape, generator=generator, dtype=torch.float64))
    names = list(PRIMITIVES)
    for layer in model.layers:
        for j in range(layer.out_features):
            for i in range(layer.in_features):
                name = ("identity", "sin", "square", "exp")[(i + 2 * j) % 4]
                constants = torch.rand(5, generator=generator, dtype=torch.float64).tolist()
                layer.fix_edge(i, j, name, constants)
                assert name in names
    model.layers[0].mask_edge(1, 0)
    structure, values = network_expression(model, (x, y, z))
    np.testing.assert_allclose(values_of(structure, values, (x, y, z), X), network_values(model, X), rtol=1e-12)
    smaller, fewer = reduce_parameters(structure, values, (x, y, z), X)
    np.testing.assert_allclose(values_of(smaller, fewer, (x, y, z), X), network_values(model, X), rtol=1e-7)
    assert rank_of(smaller, fewer, (x, y, z), X) == len(fewer) <= len(values)


def test_masked_edges_and_unreached_splines_are_absent() -> None:
    model = KAN([3, 2, 2], dtype=torch.float64)
    first, second = model.layers
    first.fix_edge(0, 0, "square", (1.0, 0.5, 2.0, 0.0, 1.0))
    first.mask_edge(1, 0)
    first.mask_edge(2, 0)
    second.fix_edge(0, 0, "identity", (1.0, 0.0, 1.0, 0.0, 1.0))
    second.mask_edge(1, 0)  # node 1 of the hidden layer keeps its spline edges: nothing of output 0 reads it
    structure, values = network_expression(model, (x, y, z))
    assert structure.free_symbols & {x, y, z} == {x}
    np.testing.assert_allclose(values_of(structure, values, (x, y, z), sample(3)), network_values(model, sample(3)))
    with pytest.raises(FormulaError, match=r"Edge \(layer 1, input 0, output 1\) is a spline"):
        network_expression(model, (x, y, z), output=1)
    second.fix_edge(1, 1, "exp", (0.3, 0.0, 1.0, 0.0, 1.0))
    second.mask_edge(0, 1)
    with pytest.raises(FormulaError, match="layer 0"):
        network_expression(model, (x, y, z), output=1)


def test_input_index_selects_columns() -> None:
    model = KAN([1, 1], in_features=3, input_index=[2], dtype=torch.float64)
    model.layers[0].fix_edge(0, 0, "exp", (0.5, 0.0, 2.0, 0.0, 1.0))
    structure, _ = network_expression(model, (x, y, z))
    assert structure.free_symbols & {x, y, z} == {z}


def test_wrong_arguments() -> None:
    model = KAN([2, 1], dtype=torch.float64)
    with pytest.raises(InputError, match="1 symbols"):
        network_expression(model, (x,))
    with pytest.raises(InputError, match="output 3"):
        network_expression(model, (x, y), output=3)
    model.layers[0].fix_edge(0, 0, "exp", (float("nan"), 0.0, 2.0, 0.0, 1.0))
    model.layers[0].mask_edge(1, 0)
    with pytest.raises(FormulaError, match="finite"):
        network_expression(model, (x, y))


def test_a_network_without_edges_is_a_constant() -> None:
    model = KAN([1, 1], dtype=torch.float64)
    model.layers[0].mask_edge(0, 0)
    assert network_expression(model, (x,)) == (sympy.Integer(0), {})


def test_equal_constants_of_different_edges_stay_apart() -> None:
    model = KAN([2, 1], dtype=torch.float64)
    for i in (0, 1):
        model.layers[0].fix_edge(i, 0, "sin", (0.3, 0.3, 2.0, 0.0, 1.0))
    _, values = network_expression(model, (x, y))
    assert len(values) == 6


CANONICAL = [
    (3.0 * (2.0 * x + 3.0) ** 2, "12.0*(x + 1.5)**2"),
    (sympy.sqrt(4.0 * x + 2.0), "2.0*sqrt(x + 0.5)"),
    (sympy.sqrt(-4.0 * x + 2.0), "2.0*sqrt(0.5 - x)"),
    (1 / (2.0 * x - 1.0), "0.5/(x - 0.5)"),
    (1 / (1 - 2.0 * x), "1/(1 - 2.0*x)"),
    (sympy.exp(x + Float(0.0)), "exp(x)"),
    (sympy.exp(1.5 * sympy.log(x)), "x**1.5"),
    (sympy.Abs(-2.0 * x + 1.0), "2.0*Abs(x - 0.5)"),
    (x**2, "x**2"),
    (sympy.sin(2.0 * x + 1.0), "sin(2.0*x + 1.0)"),
]


@pytest.mark.parametrize(("expr", "expected"), CANONICAL)
def test_canonical_form(expr: sympy.Expr, expected: str) -> None:
    got = canonical(expr)
    assert str(got.xreplace({n: Float(float(n), 4) for n in got.atoms(Float)})).replace("000", "") == expected
    points = np.linspace(0.01, 0.45, 9)
    np.testing.assert_allclose(
        sympy.lambdify(x, got, "numpy")(points), sympy.lambdify(x, expr, "numpy")(points), rtol=1e-13
    )


@pytest.mark.parametrize("size", ["1e-400", "1e-200", "1e200", "1e400"])
@pytest.mark.parametrize("power", [-3, 3])
def test_scales_beyond_a_double_stay_where_they_are(size: str, power: int) -> None:
    scale = Float(size)
    for expr in ((scale * x + scale) ** power, sympy.Abs(scale * x + 1.0) ** power):
        assert canonical(expr).free_symbols == {x} and not canonical(expr).has(sympy.oo, sympy.zoo)
    logarithm = canonical(sympy.log(scale * x))
    assert logarithm.free_symbols == {x} and not logarithm.has(sympy.oo, sympy.zoo)


def test_log_scale_becomes_a_constant() -> None:
    structure, values = parametrize(canonical(3.0 * sympy.log(2.0 * x + 1.0) + 0.7))
    assert len(values) == 3 and rank_of(structure, values, (x,), sample(1)) == 3


def test_parametrize_names_in_reading_order() -> None:
    structure, values = parametrize(2.5 * x**2 + sympy.sin(0.5 * y) / (x + 1.5), reserved=(sympy.Symbol("c2"),))
    assert str(structure) == "c1*x**2 + sin(c3*y)/(c4 + x)"
    assert list(map(str, values)) == ["c1", "c3", "c4"] and list(values.values()) == [2.5, 0.5, 1.5]
    assert parametrize(x**2 + 1) == (x**2 + 1, {})


def test_parametrize_shares_equal_floats_and_keeps_exact_numbers() -> None:
    u = 0.3 * x + 0.7
    structure, values = parametrize(u * sympy.log(u) + sympy.pi * x**3)
    assert len(values) == 2 and structure.has(sympy.pi)
    _, named = parametrize(2 * sympy.pi * x**3 / 3 + sympy.sqrt(x) + x ** sympy.Rational(3, 2) - y, exact=True)
    assert sorted(map(str, named.values())) == ["2*pi/3", "3/2"]


@pytest.mark.parametrize(
    ("structure", "left"),
    [
        (a * b * x, 1),
        ((a * x + b) * (c * y + 1), 3),
        (a * sympy.exp(b * x + c), 2),
        (a * (b * x + c) ** 2, 2),
        (sympy.log(a * x) + b, 1),
        (a + b + c * x, 2),
        (a * x / (b + c * x), 2),
        (sympy.sin(a * x) + 0 * b, 1),
        (a * x ** (b + c), 2),
    ],
)
def test_redundant_constants_are_fixed(structure: sympy.Expr, left: int) -> None:
    X = sample() + 0.1
    start = dict(zip((s for s in (a, b, c) if s in structure.free_symbols), (1.3, 0.7, 0.4)))
    smaller, values = reduce_parameters(structure, start, (x, y), X)
    assert len(values) == left == rank_of(smaller, values, (x, y), X)
    np.testing.assert_allclose(values_of(smaller, values, (x, y), X), values_of(structure, start, (x, y), X), rtol=1e-7)
    assert not smaller.atoms(Float)  # fixed at 0, 1 or -1, not at a number from nowhere


def test_a_sign_under_an_even_power_goes() -> None:
    a, b = sympy.symbols("a b", real=True)
    assert (canonical((-1.0 * a - 2.0) ** 2) / (a + 2.0) ** 2).is_number
    assert (canonical((-1.0 * a - 2.0 * b) ** 4) / (a + 2.0 * b) ** 4).is_number
