from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from kanlib.estimators import KANClassifier, KANRegressor


@parametrize_with_checks([KANRegressor(hidden_widths=(2,), max_steps=25, random_state=0), KANClassifier(hidden_widths=(2,), max_steps=25, random_state=0)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)
