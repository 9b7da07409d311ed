"""The scikit-learn face: the conventions, the way back to units, names, and bad input."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from kanlib.errors import InputError
from kanlib.estimators import KANClassifier, KANRegressor
from kanlib.prune import prune

Array = np.ndarray[Any, Any]


def conventions() -> list[Any]:
    """scikit-learn's checks, without the one that needs an environment variable set before SciPy is imported."""
    small: dict[str, Any] = {"hidden_widths": (2,), "max_steps": 15, "random_state": 0}
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{name(check)}-{number}")
        for kind in (KANRegressor, KANClassifier)
        for number, (estimator, check) in enumerate(estimator_checks_generator(kind(**small)))
        if "array_api" not in name(check)
    ]


def name(check: Any) -> str:
    return str(getattr(check, "func", check).__name__)


@pytest.mark.parametrize(("estimator", "check"), conventions())
def test_scikit_learn_conventions(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def table(n: int = 120, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2)) * [10.0, 0.01] + [300.0, 5.0]
    return x, 1e3 * np.sin((x[:, 0] - 300) / 4) + 1e7 * (x[:, 1] - 5) ** 2 + 1e4


def classes(n: int = 150) -> tuple[Array, Array]:
    x = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    return x, np.where((x**2).sum(axis=1) < 0.5, "in", np.where(x[:, 0] > 0, "right", "left"))


def test_the_regressor_fits_data_of_any_scale_and_gives_the_way_back() -> None:
    x, y = table()
    model = KANRegressor(hidden_widths=(), random_state=0).fit(x, y)
    assert model.score(x, y) > 0.999
    inside = torch.from_numpy((x - model.x_mean_) / model.x_scale_)
    outside = model.network_(inside).detach().numpy()[:, 0] * model.y_scale_ + model.y_mean_
    np.testing.assert_allclose(model.predict(x), outside)
    raw = KANRegressor(hidden_widths=(), standardize=False, random_state=0).fit(x, y)
    np.testing.assert_allclose(raw.predict(x), raw.network_(torch.from_numpy(x))[:, 0].detach().numpy())


def test_attributes() -> None:
    x, y = table()
    model = KANRegressor(random_state=0).fit(x, y)
    assert model.n_features_in_ == 2 and model.fit_result_.model is model.network_
    assert model.n_iter_ == model.fit_result_.n_steps > 0
    assert [width.size for width in model.network_.widths] == [2, 5, 1]
    assert model.network_.layers[0].grid.dtype == torch.float64
    assert not hasattr(model, "feature_names_in_") and model.network_.input_names is None


def test_frames_keep_their_names_down_to_the_network_and_its_pruning() -> None:
    x, y = table()
    frame = pd.DataFrame({"T": x[:, 0], "p": x[:, 1], "junk": np.random.default_rng(1).normal(size=len(x))})
    model = KANRegressor(hidden_widths=(), random_state=0).fit(frame, pd.Series(y, name="rate"))
    assert model.feature_names_in_.tolist() == ["T", "p", "junk"]
    assert model.network_.input_names == ("T", "p", "junk")
    assert prune(model.network_, (frame.to_numpy() - model.x_mean_) / model.x_scale_).report.inputs_kept == ("T", "p")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["p", "T", "junk"]])


def test_several_targets() -> None:
    x, y = table()
    targets = np.column_stack([y, -3 * y, np.ones_like(y)])
    model = KANRegressor(hidden_widths=(), random_state=0).fit(x, targets)
    assert model.predict(x).shape == targets.shape
    assert model.score(x, targets) > 0.999


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    x, y = table()
    first = KANRegressor(random_state=3, max_steps=20).fit(x, y).predict(x)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(first, KANRegressor(random_state=3, max_steps=20).fit(x[order], y[order]).predict(x))
    assert not np.array_equal(first, KANRegressor(random_state=4, max_steps=20).fit(x, y).predict(x))


def test_weights_of_zero_leave_rows_out() -> None:
    x, y = table()
    wrong = np.where(np.arange(len(y)) % 4 == 0, y + 1e5, y)
    weight = (np.arange(len(y)) % 4 != 0).astype(float)
    model = KANRegressor(hidden_widths=(), random_state=0).fit(x, wrong, sample_weight=weight)
    assert model.score(x, y) > 0.99


def test_the_classifier() -> None:
    x, y = classes()
    model = KANClassifier(hidden_widths=(3,), max_steps=60, random_state=0).fit(x, y)
    assert model.classes_.tolist() == ["in", "left", "right"]
    assert model.score(x, y) > 0.95
    probability = model.predict_proba(x)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert (model.classes_[probability.argmax(axis=1)] == model.predict(x)).all()
    assert model.decision_function(x).shape == (len(x), 3)
    two = KANClassifier(hidden_widths=(), max_steps=30, random_state=0).fit(x, y == "in")
    assert two.predict(x).dtype == bool and two.decision_function(x).shape == (len(x),)
    assert ((two.decision_function(x) > 0) == two.predict(x)).all()


def test_pipelines_search_cloning_and_pickles() -> None:
    x, y = table(60)
    model = KANRegressor(hidden_widths=(), max_steps=10, random_state=0)
    assert cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=3).mean() > 0.9
    search = GridSearchCV(model, {"grid_size": [2, 4], "roughness": [0.0, 1e-4]}, cv=2).fit(x, y)
    assert search.best_params_["grid_size"] in (2, 4)
    assert clone(model).get_params() == model.get_params()
    fitted = pickle.loads(pickle.dumps(model.fit(x, y)))  # noqa: S301
    np.testing.assert_array_equal(fitted.predict(x), model.predict(x))


def test_every_setting_reaches_fit() -> None:
    x, y = table()
    model = KANRegressor(
        hidden_widths=[(1, 1)],
        grid_size=3,
        degree=2,
        method="adam",
        max_steps=4,
        learning_rate=0.05,
        batch_size=16,
        l1=1e-3,
        entropy=1e-3,
        roughness=0.0,
        grid_schedule=(3, 6),
        validation_fraction=0.25,
        patience=3,
        random_state=np.random.RandomState(0),
    ).fit(x, y)
    assert model.fit_result_.method == "adam" and model.n_iter_ <= 8
    assert model.network_.widths[1].products == (2,) and model.network_.layers[0].degree == 2
    assert "validation_loss" in model.fit_result_.history
    assert model.fit_result_.history["grid_size"][-1] == 6


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    KANRegressor(max_steps=3, random_state=0).fit(*table())
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- input of every kind


def test_integer_and_boolean_data_are_numbers() -> None:
    x = np.arange(40).reshape(20, 2)
    y = 3 * x[:, 0] - x[:, 1]
    assert KANRegressor(hidden_widths=(), random_state=0).fit(x, y).score(x, y) > 0.99
    assert KANRegressor(hidden_widths=(), random_state=0).fit(x, y > 20).predict(x).dtype == np.float64
    assert KANClassifier(hidden_widths=(), max_steps=20, random_state=0).fit(x, (y > 20).astype(int)).score(x, y > 20)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_rows_constant_columns_and_one_column_work(n: int) -> None:
    x, y = table(n)
    assert np.isfinite(KANRegressor(random_state=0, max_steps=10).fit(x, y).predict(table(50)[0])).all()
    x[:, 1] = 7.7
    model = KANRegressor(random_state=0, max_steps=10).fit(x, y)
    assert np.isfinite(model.predict(x)).all() and model.x_scale_[1] == 1.0
    assert np.isfinite(KANRegressor(random_state=0, max_steps=10).fit(x[:, :1], y).predict(x[:, :1])).all()


def test_a_column_that_was_constant_does_not_matter_later() -> None:
    x, y = table(60)
    for model in (KANRegressor(random_state=0, max_steps=10), KANClassifier(random_state=0, max_steps=10)):
        model.fit(np.column_stack([x, np.full(60, 1e6)]), y if isinstance(model, KANRegressor) else y > np.median(y))
        one, other = (np.column_stack([x, np.full(60, value)]) for value in (1e6, 2e6))
        assert np.array_equal(model.predict(one), model.predict(other))


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_columns_in_any_unit(size: float) -> None:
    x, y = table(60)
    model = KANRegressor(hidden_widths=(), random_state=0)
    expected = model.fit(x, y).predict(x)
    np.testing.assert_allclose(model.fit(size * x, y).predict(size * x), expected, atol=1e-6)
    np.testing.assert_allclose(model.fit(x, size * y).predict(x) / size, expected, atol=1e-6)


def test_sizes_from_a_search_grid_and_a_single_hidden_width() -> None:
    x, y = table(40)
    model = KANRegressor(np.int64(2), grid_size=np.arange(3, 5)[0], max_steps=5, random_state=0).fit(x, y)
    assert [width.size for width in model.network_.widths] == [x.shape[1], 2, 1]


def test_a_constant_target_is_predicted() -> None:
    x, _ = table(30)
    np.testing.assert_allclose(KANRegressor(random_state=0).fit(x, np.full(30, 4.2)).predict(x), 4.2)


def test_duplicate_column_names_are_a_clear_error() -> None:
    x, y = table(20)
    with pytest.raises(InputError, match="several columns named a"):
        KANRegressor().fit(pd.DataFrame(x, columns=["a", "a"]), y)


@pytest.mark.parametrize("kind", [KANRegressor, KANClassifier])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (np.where(np.arange(len(x))[:, None] == 3, np.nan, x), y), "NaN"),
        (lambda x, y: (np.where(np.arange(len(x))[:, None] == 3, np.inf, x), y), "infinity"),
        (lambda x, y: (x.astype(str).astype(object) + "m", y), "could not convert string to float"),
        (lambda x, y: (x[:, 0], y), "Expected 2D array"),
        (lambda x, y: (x[:-1], y), "inconsistent numbers of samples"),
        (lambda x, y: (x[:0], y[:0]), "0 sample"),
        (lambda x, y: (x[:, :0], y), "0 feature"),
        (lambda x, y: (x, None), "requires y to be passed"),
    ],
)
def test_bad_tables_are_clear_errors(kind: Any, change: Any, message: str) -> None:
    x, y = classes(20)
    with pytest.raises(ValueError, match=message):
        kind().fit(*change(x, (y == "in").astype(int)))


def test_bad_targets_are_clear_errors() -> None:
    x, y = table(20)
    with pytest.raises(ValueError, match="NaN"):
        KANRegressor().fit(x, np.where(y > y.mean(), np.nan, y))
    with pytest.raises(ValueError, match="could not convert"):
        KANRegressor().fit(x, np.array(["a"] * 20))
    with pytest.raises(InputError, match="one class only"):
        KANClassifier().fit(x, np.zeros(20, dtype=int))
    with pytest.raises(ValueError, match="Unknown label type"):
        KANClassifier().fit(x, y)


def test_bad_weights_and_settings_are_clear_errors() -> None:
    x, y = table(20)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        KANRegressor().fit(x, y, sample_weight=-np.ones(20))
    with pytest.raises(InputError, match="only zeros"):
        KANRegressor().fit(x, y, sample_weight=np.zeros(20))
    with pytest.raises(InputError, match=r"method is 'sgd'"):
        KANRegressor(method="sgd").fit(x, y)
    with pytest.raises(InputError, match="expected a fraction"):
        KANRegressor(validation_fraction=2.0).fit(x, y)


def test_several_starts_are_a_regressors() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 2))
    y = x[:, 0] * x[:, 1]
    model = KANRegressor(((0, 1),), starts=8, roughness=0.0, random_state=0).fit(x, y)
    assert model.score(x, y) > 1 - 1e-9
    with pytest.raises(InputError, match="starts is 3, but the method is 'lbfgs'"):
        KANClassifier(2, starts=3).fit(x, y > 0)
