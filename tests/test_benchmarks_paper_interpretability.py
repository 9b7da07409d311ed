"""Part 8 of the paper's tables: laws are what they say, exact means exact, and what is missing is drawn as missing."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy
from scipy.special import j0

from kanlib.symbolic import Formula

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.paper import interpretability, interpretability_laws  # noqa: E402
from benchmarks.paper.interpretability import R2, RAPIDITY, TITLES, column_rows, law_row  # noqa: E402
from benchmarks.paper.interpretability_laws import BESSEL, EXAMPLES, Example, is_exact, relations  # noqa: E402
from benchmarks.paper.interpretability_networks import bessel_miss, digit_accuracy, digit_network  # noqa: E402
from benchmarks.paper.interpretability_rivals import mlp_rows, pykan_row  # noqa: E402
from benchmarks.paper.mlp_classes import MLP_METHODS  # noqa: E402
from kanlib import KAN  # noqa: E402

NAMES = {example.name: example for example in EXAMPLES}


def _row(example: Example, seed: int = 0) -> list[object]:
    X, y = example.sample(400, seed)
    names = [symbol.name for symbol in example.symbols]
    return law_row(example.name, X, y, names, example.truth, example.sample(500, seed + 1), seed, 20.0)


def test_examples_of_the_laws() -> None:
    done = doctest.testmod(interpretability_laws)
    assert done.attempted and not done.failed


@pytest.mark.parametrize("example", [*EXAMPLES, BESSEL], ids=lambda example: example.name)
def test_laws_are_finite_and_drawn_by_their_seed(example: Example) -> None:
    X, y = example.sample(300, 1)
    assert np.all(np.isfinite(y)) and X.shape == (300, len(example.symbols))
    np.testing.assert_array_equal(example.sample(300, 1)[0], X)
    assert not np.array_equal(example.sample(300, 2)[0], X)


def test_laws_have_the_values_of_the_paper() -> None:
    deep = NAMES["deep law"].law(np.array([[0.5, 0.5, 0.0, 0.0]]))
    np.testing.assert_allclose(deep, np.exp(0.5))
    np.testing.assert_allclose(NAMES["velocities"].law(np.array([[0.5, 0.5]])), 0.8)
    np.testing.assert_allclose(NAMES["phase transition"].law(np.array([[1.0, 0.0, 0.0]])), 0.0, atol=1e-12)
    np.testing.assert_allclose(BESSEL.law(np.array([[0.1, 0.2]])), np.exp(j0(2.0) + 0.04))
    X = relations(0)
    np.testing.assert_allclose(X[:, 2], np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2))
    np.testing.assert_allclose(X[:, 4], X[:, 3] ** 3)


def test_another_form_of_a_law_is_exact_and_a_near_one_is_not() -> None:
    example = NAMES["velocities"]
    u, v = example.symbols
    X, y = example.sample(200, 0)
    forms = [sympy.tanh(sympy.atanh(u) + sympy.atanh(v)), (u + v) / (1 + u * v), (u + v) / (sympy.Float(1.001) + u * v)]
    formulas = [Formula(form, {}, example.symbols, names=("u", "v"), target="y") for form in forms]
    assert example.truth is not None
    assert [is_exact(f, example.truth, example.symbols, X, y) for f in (*formulas, None)] == [True, True, False, False]


@pytest.mark.parametrize("name", ["product", "quotient", "norm", "velocities"])
def test_the_short_ones_are_found(name: str) -> None:
    row = dict(zip(TITLES, _row(NAMES[name])))
    assert row["status"] == "found" and row["exact"] is True and str(row["network"]).startswith("[2")


def test_a_column_is_found_from_the_others() -> None:
    (row,) = column_rows(0, [4])
    assert row[:6] == ["six columns: x5", "discover", 0, "found", "x4**3", True]


def test_networks_are_read_and_checked() -> None:
    rows = interpretability._network_rows(1)
    assert rows[0][4] == "tanh(atanh(u) + atanh(v))" and rows[0][5] is True
    checks = interpretability._checks(rows)
    assert all(held for claim, held in checks.items() if RAPIDITY in claim or "[2, 1, 1]" in claim or "digit" in claim)
    wrong = [[*row[:4], "u + v", False, *row[6:-2], 1.0 if "less" in row[-1] else 0.1, row[-1]] for row in rows]
    failed = interpretability._checks(wrong)
    assert not any(held for claim, held in failed.items() if "[2, 1, 1]" in claim or "digit" in claim)


def test_rivals_are_no_part_of_the_claims() -> None:
    product = NAMES["product"]
    data, new = product.sample(100, 0), product.sample(50, 1)
    rows = mlp_rows(product, data, new, 0)
    assert [row[1] for row in rows] == list(MLP_METHODS) and all(len(row) == len(TITLES) for row in rows)
    assert all(row[8] < 0.1 for row in rows)
    peer = pykan_row(product, data, new, 0, "no such interpreter")
    assert peer[3].startswith("no formula; failed: No such file") and len(peer) == len(TITLES) and peer[5] is False
    ours = [["product", "discover", 0, "found", "x1*x2", True, "", "", 0.0, 0.1, 1.0, R2]]
    assert interpretability._checks([*ours, *rows, peer])["product: exact with every seed"]


def test_what_pykan_prints_is_read_and_never_run(tmp_path: Path) -> None:
    product = NAMES["product"]
    fake = tmp_path / "python"
    lines = ['{"widths": [2, 1, 1], "test_rmse": 0.5, "seconds": 1.5}', '{"formula": "1.000001*x1*x2", "seconds": 2.5}',
             '{"formula": "open(1)", "seconds": 3.5}', '{"formula": "0.5*x1*x2", "seconds": 4.5}']  # fmt: skip
    fake.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    fake.chmod(0o755)
    row = dict(zip(TITLES, pykan_row(product, product.sample(100, 0), product.sample(50, 1), 0, str(fake))))
    assert (row["status"], row["formula"], row["exact"], row["network"]) == ("read", "1.0*x1*x2", False, "[2, 1, 1]")
    assert row["error on new points / spread"] == pytest.approx(1e-6, rel=0.2) and row["seconds"] == 4.5


def test_measures_tell_an_untrained_network() -> None:
    assert bessel_miss(KAN([2, 1, 1], base=None)) > 0.5
    assert digit_accuracy(digit_network(0), 0) > 0.97


def test_what_was_not_found_is_drawn_as_missing() -> None:
    asked = {"asked of": "discover", "seed": "0"}
    records: list[dict[str, str]] = []
    for example in EXAMPLES:
        found = example.name != "norm"
        text = str(example.truth) if found else ""
        records.append({**asked, "example": example.name, "formula": text, "exact": str(found)})
    records.append({**asked, "example": RAPIDITY, "formula": "tanh(atanh(u) + atanh(v))", "exact": "True"})
    records.append({**asked, "example": "six columns: x3", "formula": "exp(x2**2 + sin(pi*x1))", "exact": "True"})
    records.append({**asked, "example": "six columns: x5", "formula": "x4**2 + 0.5", "exact": "False"})
    error = "error on new points / spread"
    mlp = {"asked of": "MLP, L-BFGS", "seed": "0", error: "0.0012"}
    peer = {"asked of": "pykan", "seed": "0", "formula": "x1", error: "0.25", "measure": "0.03"}
    records += [{**rival, "example": "product"} for rival in (mlp, peer)]
    figure = interpretability.draw(records)
    texts = [text.get_text() for text in figure.texts]
    assert texts.count("no formula was found") == 1 and len(figure.axes) == 12
    assert "errors on new points: pykan's formula 2e-1, network 3e-2, MLP 1e-3" in texts
    assert sum("(not exact)" in text for text in texts) == 1
    names = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "x5" in names and not any(name.startswith("not used") for name in names)
