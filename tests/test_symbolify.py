"""A trained network becomes a formula, on its own or through the estimator."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from kanlib import KAN, fit
from kanlib.errors import DataWarning, FormulaError, InputError
from kanlib.symbolic import FormulaRegressor, symbolify

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2, (200, 2))


def _fitted(widths: list, y: np.ndarray) -> KAN:
    model = KAN(widths, grid_size=6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fit(model, X, y, progress=False)
    return model


def test_an_additive_network_becomes_its_law() -> None:
    y = 2 * np.log(X[:, 0]) + X[:, 1] ** 2 - 1
    model = _fitted([2, 1], y)
    before = model.state_dict()["layers.0.coefficients"].clone()
    formula = symbolify(model, X, y, names=["u", "v"])
    u, v = sympy.symbols("u v", real=True)
    assert sympy.simplify(formula.expr - (2 * sympy.log(u) + v**2 - 1)) == 0
    assert torch.equal(before, model.state_dict()["layers.0.coefficients"]) and not model.layers[0].fixed_edges()


def test_edges_that_are_fixed_already_stay() -> None:
    y = np.exp(X[:, 0]) + np.sin(3 * X[:, 1])
    model = KAN([2, 1], grid_size=10, dtype=torch.float64)
    model.layers[0].fix_edge(0, 0, "exp", (0.9, 0.0, 1.1, 0.0, 1.0))
    fit(model, X, y, progress=False)
    formula = symbolify(model, X, y, primitives=["sin", "identity"])
    x1, x2 = sympy.symbols("x1 x2", real=True)
    assert sympy.simplify(formula.expr - (sympy.exp(x1) + sympy.sin(3 * x2))) == 0


def test_names_come_from_the_network_and_shapes_are_checked() -> None:
    y = X[:, 0] * 2
    model = KAN([2, 1], dtype=torch.float64, input_names=["p", "q"])
    fit(model, X, y, progress=False)
    assert str(symbolify(model, X, y[:, None])) == "2*p"
    with pytest.raises(InputError, match="one value for each row"):
        symbolify(model, X, y[:-1])
    with pytest.raises(InputError, match="names"):
        symbolify(model, X, y, names=["p"])
    with pytest.raises(InputError, match="output is 1"):
        symbolify(model, X, y, output=1)
    with pytest.raises(InputError, match="not known"):
        symbolify(model, X, y, primitives=["sinus"])
    with pytest.raises(FormulaError, match="more time"):
        symbolify(model, X, y, time_limit=0.0)


@parametrize_with_checks([FormulaRegressor()], legacy=True)
def test_scikit_learn_conventions(estimator, check) -> None:
    if getattr(check, "func", check).__name__ == "check_array_api_input":
        return  # scikit-learn skips it itself unless an environment variable is set
    check(estimator)


def test_the_estimator_says_what_predicts() -> None:
    law = FormulaRegressor().fit(X, X[:, 0] / X[:, 1])
    assert law.predicts_with_ == "formula" and str(law.formula_) == "x1/x2"
    assert law.front_ and law.network_ is not None
    np.testing.assert_allclose(law.predict(X), X[:, 0] / X[:, 1])
    wave = FormulaRegressor(primitives=["identity"]).fit(X, np.sin(9 * X[:, 0]))
    assert wave.predicts_with_ == "network" and wave.formula_ is None
    np.testing.assert_allclose(wave.predict(X), np.sin(9 * X[:, 0]), atol=0.05)

    predicted_by = set()
    for seed in range(4):
        target = np.random.default_rng(seed).normal(size=100)
        noise = FormulaRegressor(random_state=seed).fit(X[:100], target)
        assert noise.formula_ is None
        assert noise.predicts_with_ == ("network" if noise.discovery_.r2 > 0 else "mean")
        predicted_by.add(noise.predicts_with_)
        if noise.predicts_with_ == "mean":
            np.testing.assert_allclose(noise.predict(X), target.mean())
    assert "mean" in predicted_by


def test_rows_outside_the_domain_get_the_nearest_value_with_a_warning() -> None:
    law = FormulaRegressor().fit(X, np.log(X[:, 0]) - X[:, 1])
    with pytest.warns(DataWarning, match="1 of 2 rows"):
        values = law.predict(np.array([[1.0, 1.0], [-1.0, 1.0]]))
    np.testing.assert_allclose(values, [-1.0, np.log(X[:, 0].min()) - 1.0])


def test_data_frames_keep_their_names_through_a_pipeline() -> None:
    pd = pytest.importorskip("pandas")
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    frame = pd.DataFrame(X, columns=["mass [kg]", "v"])
    target = pd.Series(0.5 * X[:, 0] * X[:, 1] ** 2, name="energy")
    model = make_pipeline(FormulaRegressor()).fit(frame, target)
    formula = model[-1].formula_
    assert str(formula) == "mass_kg*v**2/2" and formula.target == "energy"
    assert formula.symbols_map == {"mass_kg": "mass [kg]"}
    assert np.all(cross_val_score(FormulaRegressor(), frame, target, cv=3) > 0.999999)
