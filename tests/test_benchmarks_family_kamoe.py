"""The mixtures' table: regimes and laws are what they should be, scores are right, claims hold and can fail."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.family import kamoe  # noqa: E402
from benchmarks.family.__main__ import main  # noqa: E402
from benchmarks.family.kamoe_data import NOISE, PROBLEMS, draw_rows  # noqa: E402
from benchmarks.family.kamoe_formula import border_formula, border_network  # noqa: E402
from benchmarks.family.kamoe_models import BALANCE, MODELS, MixtureInTraining, new_model, squared_error  # noqa: E402
from benchmarks.family.training import n_parameters  # noqa: E402
from kanlib.architectures.kamoe import KAMoE, load_balance  # noqa: E402
from kanlib.layer import KANLayer  # noqa: E402


def test_what_must_not_regress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = str(torch.get_num_threads())
    code = main(["--quick", "--only", "kamoe", "--threads", threads, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    with (tmp_path / "family_kamoe.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert {record["model"] for record in records} == {*MODELS, *kamoe.FORMULAS}
    assert (tmp_path / "family_kamoe.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", PROBLEMS)
def test_in_a_regime_its_law_holds_and_nothing_else_does(name: str) -> None:
    problem = PROBLEMS[name]
    rows = draw_rows(problem, 4000, 3, 0)
    assert float(torch.bincount(rows.regime).min()) > 0.2 * 4000 / problem.regimes
    one = torch.cat([rows.X, torch.ones(4000, 1)], 1)
    for r in range(problem.regimes):
        own = rows.regime == r
        found = torch.linalg.lstsq(one[own], rows.y[own]).solution
        left = one @ found - rows.y
        assert float(left[own].std()) == pytest.approx(NOISE, rel=0.1) and float(left[~own].std()) > 0.5
    new = draw_rows(problem, 4000, 3, 2)
    assert not torch.equal(new.X, rows.X)
    assert not torch.equal(draw_rows(problem, 4000, 4, 0).y, rows.y)


def test_borders_are_where_they_are_said_to_be() -> None:
    p = torch.tensor([[0.0, 0.79], [0.0, 0.81], [0.5, 0.5], [-0.5, 0.5], [0.5, 0.74], [0.5, 0.76], [0.5, 0.0]])
    assert PROBLEMS["circle"].regime(p[:2]).tolist() == [0, 1]
    assert PROBLEMS["four quarters"].regime(p[2:4]).tolist() == [1, 0]
    assert PROBLEMS["wavy bands"].regime(p[4:]).tolist() == [1, 2, 0]  # the wave is 0.4 high at 0.5


@pytest.mark.parametrize("regimes", [2, 3])
def test_contestants_have_as_many_parameters(regimes: int) -> None:
    X = torch.rand(100, 4) * 2 - 1
    counts = {name: n_parameters(new_model(name, regimes, X, torch.Generator().manual_seed(0))) for name in MODELS}
    for name in ("mixture, GRN gate", "one MLP", "one KAN"):
        assert counts[name] == pytest.approx(counts[MODELS[0]], rel=0.1), counts


def test_first_weights_are_the_seeds() -> None:
    X = torch.rand(50, 4)
    for name in MODELS:
        a, b, c = (
            nn.utils.parameters_to_vector(new_model(name, 2, X, torch.Generator().manual_seed(s)).parameters())
            for s in (1, 1, 2)
        )
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_the_loss_has_the_balance_in_training_only() -> None:
    X, y = torch.rand(20, 4), torch.rand(20, 1)
    model = new_model(MODELS[0], 2, X, torch.Generator().manual_seed(0))
    assert isinstance(model, MixtureInTraining)
    plain = nn.functional.mse_loss(model.mixture(X), y)
    torch.testing.assert_close(squared_error(model.eval()(X), y), plain)
    balance = BALANCE * load_balance(model.gates(X))
    torch.testing.assert_close(squared_error(model.train()(X), y), plain + balance)


def test_scores() -> None:
    y = torch.tensor([[0.0], [2.0]])
    assert kamoe.r2(0.25, y) == pytest.approx(0.75)
    names = kamoe.matched(np.array([0, 0, 1, 1, 2]), np.array([2, 2, 0, 0, 1]), 3)
    assert names.tolist() == [2, 0, 1]
    rows = draw_rows(PROBLEMS["circle"], 500, 0, 0)
    gate = nn.Module()
    gate.forward = lambda x: 50 * torch.stack([0.64 - x[:, :2].square().sum(1), torch.zeros(len(x))], 1)  # type: ignore[method-assign]
    model = MixtureInTraining(KAMoE([nn.Identity(), nn.Identity()], gate=gate))
    assert kamoe.regime_information(model, rows) == pytest.approx(1.0)


def test_a_border_network_is_the_difference_of_the_logits() -> None:
    gate = KANLayer(4, 2, generator=torch.Generator().manual_seed(2))
    X = torch.rand(300, 4) * 2 - 1
    with torch.no_grad():
        gate.bias += torch.tensor([0.3, -0.4])
        gate.coefficients[:, 3] = 0.001  # an edge that hardly moves
        gate.base_weight[:, 3] = 0.0  # type: ignore[index]
        gate.coefficients[0, 3, 2] = 0.002
    network = border_network(gate, X)
    with torch.no_grad():
        difference = (gate(X)[:, 1] - gate(X)[:, 0]).double()
    assert network.layers[0].mask.tolist() == [[True, True, True, False]]
    torch.testing.assert_close(network(X.double())[:, 0].detach(), difference, atol=0.01, rtol=0)


def test_a_circle_is_read_off_a_gate() -> None:
    gate, X = KANLayer(4, 2, grid_size=5), torch.rand(500, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        gate.base_weight.zero_()  # type: ignore[union-attr]
        gate.coefficients.zero_()
        features = gate.features(X)[:, 0, 1:]
        gate.coefficients[1, :2] = torch.linalg.lstsq(features, (9 * X[:, 0] ** 2)[:, None]).solution.T
        gate.bias[1] = -4.0
    formula = border_formula(gate, X, ("square",)).formula
    d = formula.predict(np.array([[0.5, 0.0, 0.3, 0.1], [0.4, math.sqrt(0.64 - 0.16), -1.0, 1.0]]))
    assert d == pytest.approx([9 * 0.25 - 4, 9 * 0.64 - 4], abs=0.02)


def _rows(problem: str, seed: int = 0) -> list[list[object]]:
    """Rows of one seed that all claims but those of a tie hold for."""

    def row(model: str, score: float, information: float) -> list[object]:
        return [problem, model, seed, score + 0.001 * seed, information, 1, 0.01, 1.0, "", ""]

    squares = list(kamoe.FORMULAS)[1]
    rows = [row(MODELS[0], 0.95, 0.9), row(MODELS[1], 0.9, 0.8), row(MODELS[2], 0.9, 0.4)]
    return [*rows, row(MODELS[3], 0.5, 0.1), row(squares, 0.9, 0.8)]


def _changed(rows: list[list[object]], problem: str, model: str, column: int, *values: float) -> list[list[object]]:
    """The rows with other values, one a seed."""
    found = [list(row) for row in rows]
    for row in found:
        if row[:2] == [problem, model]:
            row[column] = values[int(str(row[2]))]
    return found


def test_claims_can_fail() -> None:
    good = _rows("circle")
    assert all(kamoe._checks(good).values())
    squares = list(kamoe.FORMULAS)[1]
    for model, column, value in ((0, 3, 0.4), (1, 4, 0.6), (3, 4, 0.4)):
        assert not all(kamoe._checks(_changed(good, "circle", MODELS[model], column, value)).values())
    assert not all(kamoe._checks(_changed(good, "circle", squares, 4, 0.6)).values())


def test_claims_on_gates_are_of_paired_tests() -> None:
    grn = MODELS[2]
    rows = [row for problem in PROBLEMS for seed in range(3) for row in _rows(problem, seed)]
    rows = _changed(rows, "circle", grn, 3, 0.9, 0.97, 0.94)
    rows = _changed(rows, "four quarters", grn, 3, 0.6, 0.97, 0.98)
    rows = _changed(rows, "four quarters", grn, 4, 0.1, 0.95, 0.95)
    checks = kamoe._checks(rows)
    assert all(checks.values()) and len(checks) == len(kamoe._checks(_rows("circle"))) + 3
    for problem, column, values in (
        ("wavy bands", 3, (0.9, 0.97, 0.94)),
        ("circle", 3, (0.9, 0.9, 0.9)),
        ("four quarters", 3, (0.9, 0.9, 0.98)),
        ("four quarters", 4, (0.1, 0.1, 0.95)),
    ):
        assert not all(kamoe._checks(_changed(rows, problem, grn, column, *values)).values()), (problem, column)
