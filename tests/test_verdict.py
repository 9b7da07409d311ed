"""What the tests of a formula accept and refuse; noise models."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kanlib.symbolic import discover
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.noise import EQUAL, noise_models
from kanlib.symbolic.verdict import held_out_residuals, imitation, judge, neighbour_score

x1 = sympy.Symbol("x1", real=True)
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (200, 1))
NOISE = 0.1 * RNG.normal(size=200)
Y = np.sin(3 * X[:, 0]) + NOISE


def _judge(residuals: np.ndarray, network: np.ndarray | None = None, few: bool = False) -> tuple[bool, str]:
    judgement = judge(
        residuals[:50],
        Y[:50] - Y.mean(),
        None if network is None else network[:50],
        all_residuals=residuals,
        X=X,
        spread=float(Y.std()),
        rng=np.random.default_rng(1),
        one_by_one=few,
    )
    return judgement.accepted, judgement.reasons[-1]


def test_a_true_law_passes_with_and_without_noise() -> None:
    assert _judge(NOISE, NOISE * 1.01)[0]
    assert _judge(1e-14 * NOISE, 1e-6 * NOISE)[0]
    assert _judge(NOISE, None, few=True)[0]


@pytest.mark.parametrize(
    ("residuals", "network", "why"),
    [
        (Y - Y.mean(), None, "better than their mean"),
        (Y - X[:, 0], NOISE, "network"),
        (NOISE + 0.15 * np.sin(9 * X[:, 0]), None, "not noise"),
        (np.where(np.arange(200) == 7, np.nan, NOISE), None, "finite"),
    ],
    ids=["mean", "network", "left over", "NaN"],
)
def test_wrong_laws_are_refused_with_the_reason(residuals: np.ndarray, network: np.ndarray | None, why: str) -> None:
    accepted, reason = _judge(residuals, network)
    assert not accepted and why in reason


def test_one_formula_of_many_must_gain_more_than_one_alone() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=100)

    def accepted(tried: int, few: bool = False) -> bool:
        residuals = (y - y.mean()) * np.exp(-0.09)
        judgement = judge(
            residuals,
            y - y.mean(),
            None,
            all_residuals=rng.permutation(y),
            X=rng.normal(size=(100, 1)),
            spread=float(y.std()),
            rng=np.random.default_rng(1),
            one_by_one=few,
            tried=tried,
        )
        assert judgement.accepted or "nats" in judgement.reasons[-1]
        return judgement.accepted

    assert [accepted(tried) for tried in (1, 10, 100)] == [True, True, False]  # 9 nats; 6, 8.3, 10.6 are needed
    assert not accepted(1, few=True)


def test_formulas_made_of_noise_hardly_ever_pass_however_many_are_tried() -> None:
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(40):
        n, m = 160, 40
        table, y = rng.normal(size=(n + m, 12)), rng.standard_t(4, size=n + m)
        for tried in range(1, 26):
            chosen = table[:, rng.permutation(12)[:3]] ** rng.integers(1, 4, size=3)
            constants = np.linalg.lstsq(chosen[:n], y[:n], rcond=None)[0]
            residuals = y - chosen @ constants
            passed += judge(
                residuals[n:],
                y[n:] - y[:n].mean(),
                None,
                all_residuals=residuals[:10],  # too few for the third test: the first is looked at
                X=table[:10],
                spread=float(y.std()),
                rng=rng,
                one_by_one=False,
                tried=tried,
            ).accepted
    assert passed == 0


def test_one_row_that_towers_over_the_others_proves_nothing() -> None:
    y = 0.1 * np.random.default_rng(8).normal(size=60)
    y[7] = 50.0
    table = np.random.default_rng(9).uniform(size=(60, 1))
    spike = np.where(np.arange(60) == 7, 48.0, 0.4)  # meets the one row, and is worse than the mean of the others
    judgement = judge(
        y - spike,
        y - y.mean(),
        None,
        all_residuals=y - spike,
        X=table,
        spread=float(y.std()),
        rng=np.random.default_rng(1),
        one_by_one=False,
    )
    assert not judgement.accepted and "one held-out row decides" in judgement.reasons[-1]


def test_neighbour_score_is_standard_normal_under_noise() -> None:
    rng = np.random.default_rng(3)
    scores = [neighbour_score(rng.normal(size=(60, 2)), rng.normal(size=60), rng) for _ in range(150)]
    assert abs(np.mean(scores)) < 0.3 and 0.8 < np.std(scores) < 1.3


def test_the_order_of_rows_with_equal_residuals_does_not_matter() -> None:
    """Rounded values give ties: ranked by their place in a sorted table, equal residuals would seem to grow with x."""
    residuals = np.zeros(200)
    residuals[:10] = np.arange(10) - 4.5  # of all others nothing is left: counts, or values that were rounded
    order = np.argsort(X[:, 0])
    scores = [neighbour_score(X[rows], residuals[rows], np.random.default_rng(5)) for rows in (order, order[::-1])]
    assert abs(scores[0]) < 4 and scores[0] == pytest.approx(scores[1], abs=0.5)


def test_neighbours_among_replicates_and_constant_columns() -> None:
    rng = np.random.default_rng(4)
    table = np.repeat(np.arange(20.0), 5)[:, None]
    residuals = rng.normal(size=100)
    assert abs(neighbour_score(table, residuals, rng)) < 4
    assert neighbour_score(table, np.repeat(rng.normal(size=20), 5), rng) > 4
    assert neighbour_score(np.ones((30, 2)), rng.normal(size=30), rng) == 0.0


def test_neighbours_in_a_column_that_spans_decades() -> None:
    rng = np.random.default_rng(6)
    u = rng.uniform(0, 1, (100, 2))
    table = np.stack([np.exp(20 * u[:, 0]), u[:, 1]], axis=1)
    assert neighbour_score(table, np.sin(6 * u[:, 0]), rng) > 4
    assert abs(neighbour_score(table, rng.normal(size=100), rng)) < 4


def test_held_out_rows_that_are_all_alike_prove_nothing() -> None:
    spike = np.zeros(200)
    spike[[70, 80]] = 1
    reference = np.full(50, -spike.mean())
    common = {"X": X, "spread": float(spike.std()), "rng": np.random.default_rng(0), "one_by_one": False}
    # y = 0 meets the held-out rows exactly, not the others; a rational function with poles next to the two meets all.
    for held_out, others in ((np.zeros(50), spike), (np.full(50, 1e-3), spike), (np.zeros(50), np.zeros(200))):
        judgement = judge(held_out, reference, None, all_residuals=others, alike=True, **common)
        assert not judgement.accepted and "all have the same y" in judgement.reasons[0]


def test_a_target_of_two_equal_spikes_is_no_law() -> None:
    y = np.zeros(200)
    y[[3, 7]] = 1
    for seed in range(3):
        table = np.random.default_rng(seed).uniform(-1, 1, (200, 1))
        assert discover(table, y, primitives=["identity", "square", "gaussian"]).status == "none"


@pytest.mark.parametrize("unit", [1e-100, 1e90])
def test_the_unit_of_y_does_not_change_the_verdict(unit: float) -> None:
    residuals = unit * (Y - X[:, 0])
    network, reference = unit * NOISE[:50], unit * (Y[:50] - Y.mean())
    common = {"X": X, "spread": unit * float(Y.std()), "rng": np.random.default_rng(1), "one_by_one": False}
    judgement = judge(residuals[:50], reference, network, all_residuals=residuals, **common)
    assert not judgement.accepted and "network" in judgement.reasons[0]


def test_values_that_are_almost_zero_have_no_proportional_errors() -> None:
    assert noise_models(np.exp(-50 * np.linspace(0, 10, 20))) == (EQUAL,)
    assert len(noise_models(np.exp(-20 * np.linspace(0, 10, 20)))) == 2


def test_leaving_one_out_equals_refitting_without_the_row() -> None:
    a = sympy.Symbol("a", real=True)
    rows, y = X[:12], X[:12, 0] * 2 + NOISE[:12]
    formula = Formula(a * x1, {a: 1.0}, (x1,))
    residuals = held_out_residuals(formula, rows, y, None)
    for k in range(12):
        keep = np.arange(12) != k
        slope = float(rows[keep, 0] @ y[keep] / (rows[keep, 0] @ rows[keep, 0]))
        assert residuals[k] == pytest.approx(y[k] - slope * rows[k, 0], abs=1e-10)


def test_the_likelihood_prefers_the_noise_model_of_the_data() -> None:
    rng = np.random.default_rng(5)
    truth = np.exp(rng.uniform(0, 6, 100))
    equal, proportional = noise_models(truth)
    assert equal is EQUAL and equal.weight(truth) is None
    for noise, better, worse in (
        (rng.normal(size=100) * 0.3, equal, proportional),
        (rng.normal(size=100) * 0.1 * truth, proportional, equal),
    ):
        y = np.abs(truth + noise)
        assert better.length(y - truth, y, 1, 3) < worse.length(y - truth, y, 1, 3)


def test_many_constants_and_functions_for_so_few_inputs_could_imitate_anything() -> None:
    a, b, c, d = sympy.symbols("a b c d", real=True)
    values = {a: 1.1, b: 0.7, c: 2.0, d: 0.4}
    waves = a * sympy.sin(b * x1) + c * sympy.cos(d * x1) * sympy.exp(-x1)  # 4 constants, 3 functions: 10 of 9
    assert imitation(Formula(waves, values, (x1,))) is not None
    x2 = sympy.Symbol("x2", real=True)
    two = waves.subs(sympy.exp(-x1), sympy.exp(-x2))
    assert imitation(Formula(two, values, (x1, x2))) is None  # an input more allows two more
    assert imitation(Formula(waves, {**values, c: sympy.Integer(2)}, (x1,))) is None  # exact constants are not free
    polynomial = a + b * x1 + c * x1**2 + d * x1**3  # powers by whole numbers are no functions
    assert imitation(Formula(polynomial, values, (x1,))) is None
    # five roots of one product are one, however they are written; of one sum they are five
    roots = [sympy.sqrt(sympy.Abs(s)) for s in sympy.symbols("x1:6", real=True)]
    columns = sympy.symbols("x1:6", real=True)
    free = sympy.symbols("k1:10", real=True)
    nine = dict.fromkeys(free, 2.0)  # of 17 that five inputs allow
    for product in (sympy.Mul(*roots), roots[0] * roots[1] / sympy.Mul(*roots[2:])):
        assert imitation(Formula(sympy.Add(*free[1:]) + free[0] * product, nine, columns)) is None
    assert imitation(Formula(sympy.Add(*free[1:]) + free[0] * sympy.Add(*roots), nine, columns)) is not None


def test_irrelevant_columns_do_not_hide_what_is_left_over() -> None:
    """Rows near each other in five columns are far apart in the one that matters."""
    rng = np.random.default_rng(0)
    wide = rng.uniform(-1, 1, (2000, 6))
    left = 0.3 * np.sin(20 * wide[:, 0])
    y = wide[:, 0] + left + 0.1 * rng.normal(size=2000)
    residuals = y - wide[:, 0]
    given = {"all_residuals": residuals, "X": wide, "spread": float(y.std()), "one_by_one": False}

    def verdict(**own: np.ndarray) -> bool:
        held = slice(0, 400)
        return judge(residuals[held], y[held] - y.mean(), None, rng=np.random.default_rng(1), **given, **own).accepted

    assert verdict() and not verdict(own=wide[:, :1])
