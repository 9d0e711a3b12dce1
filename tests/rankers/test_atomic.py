"""A fit that raises changes nothing, wherever it raises."""

import pickle
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from ltr import (
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    TSPRanker,
)
from ltr.atomic import FitStopped
from ltr.datasets import make_ranking
from ltr.model_selection import QueryStandardScaler
from tests.support.frames import is_own

pd = pytest.importorskip("pandas")
DATA = make_ranking(12, list_size=5, n_features=3, n_informative=2, random_state=0)
FRAME = pd.DataFrame(DATA.X, columns=["a", "b", "c"])
OTHER = FRAME[["c", "b"]] * 2.0
NEURAL = {"early_stopping": True, "max_epochs": 2, "random_state": 0}
ESTIMATORS = [
    NeuralRanker("mse", "linear", **NEURAL),
    TSPRanker("pairwise", encoder="identity", decoder="borda", **NEURAL),
    LambdaMARTRanker(n_estimators=2, early_stopping=True, n_jobs=1, random_state=0),
    ConstrainedRanker(SingleFeatureRanker()),
    SingleFeatureRanker(),
    LinearRanker(),
    RandomRanker(),
    QueryStandardScaler(),
]
pytestmark = pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
by_name = pytest.mark.parametrize(
    "estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__
)


def state_of(estimator):
    return {name: pickle.dumps(value) for name, value in vars(estimator).items()}


@pytest.fixture(scope="module")
def fitted():
    """Each estimator, fitted once."""
    return {type(e): clone(e).fit(FRAME, DATA.y, DATA.qid) for e in ESTIMATORS}


class _Bomb:
    """A profile function that raises at one of our calls."""

    def __init__(self, place, error):
        self.place, self.error, self.calls, self.where = place, error, 0, None

    def __call__(self, frame, event, _):
        if event != "call" or not is_own(frame.f_code):
            return
        self.calls += 1
        if self.calls == self.place:
            self.where = frame.f_code.co_qualname
            raise self.error


def fit_until(estimator, place, error):
    """Fit other data, with an error at this call of our functions; 0: count them."""
    bomb = _Bomb(place, error)
    before = sys.getprofile()
    sys.setprofile(bomb)
    try:
        estimator.fit(OTHER, 1 + DATA.y, DATA.qid)
    finally:
        sys.setprofile(before)
    return bomb


@by_name
def test_an_error_at_any_call_changes_nothing(estimator, fitted):
    """Neither of a fitted estimator nor of a new one; a later fit is as if alone."""
    old = fitted[type(estimator)]
    expected = state_of(old)
    fit_until(clone(estimator), 0, None)  # compiles
    n_calls = fit_until(clone(estimator), 0, None).calls
    places = {*range(1, n_calls + 1, 1 + n_calls // 40), n_calls}
    for place in sorted(places):
        error = (ValueError, MemoryError)[place % 2]("stopped here")
        with pytest.raises(type(error), match="stopped here"):
            fit_until(old, place, error)
        assert state_of(old) == expected, place
        new = clone(estimator)
        with pytest.raises(type(error), match="stopped here"):
            fit_until(new, place, error)
        assert vars(new).keys() == vars(clone(estimator)).keys(), place


@by_name
def test_control_c_changes_all_or_nothing(estimator, fitted):
    """What gradient descent has learned in whole epochs is kept as a whole."""
    estimator = pickle.loads(pickle.dumps(fitted[type(estimator)]))
    expected = state_of(estimator)
    fit_until(clone(estimator), 0, None)  # compiles
    n_calls = fit_until(clone(estimator), 0, None).calls
    for place in range(2, n_calls + 1, 1 + n_calls // 25):
        candidate = pickle.loads(pickle.dumps(estimator))
        with pytest.raises(KeyboardInterrupt) as info:
            fit_until(candidate, place, KeyboardInterrupt())
        if not isinstance(info.value, FitStopped):
            assert state_of(candidate) == expected, place
            continue
        assert candidate.n_features_in_ == 2
        assert candidate.feature_names_in_.tolist() == ["c", "b"]
        assert {len(values) for values in candidate.history_.values()} == {
            candidate.n_iter_
        }
        assert np.isfinite(candidate.predict(OTHER, DATA.qid)).all()


@by_name
def test_columns_in_another_order_after_a_fit_that_fails(estimator, fitted):
    """The old names still hold: other ones are refused, and the old ones predict."""
    estimator = pickle.loads(pickle.dumps(fitted[type(estimator)]))
    use = getattr(estimator, "predict", None) or estimator.transform
    expected = use(FRAME, qid=DATA.qid)
    labels = np.where(np.arange(len(DATA.y)) == 3, np.nan, DATA.y)
    reordered = FRAME[["c", "b", "a"]]
    message = "feature names should match"
    if hasattr(estimator, "predict"):
        with pytest.raises(ValueError, match="NaN at row 3"):
            estimator.fit(reordered, labels, DATA.qid)
    else:
        with pytest.raises(ValueError, match="NaN"):
            estimator.fit(reordered.mask(reordered > 0), labels, DATA.qid)
    with pytest.raises(ValueError, match=message):
        use(reordered, qid=DATA.qid)
    np.testing.assert_array_equal(use(FRAME, qid=DATA.qid), expected)


def test_control_c_in_the_first_epoch(fitted, monkeypatch):
    """Weights that no epoch has trained replace nothing."""
    from ltr import lists

    def stop(*_):
        raise KeyboardInterrupt

    ranker = pickle.loads(pickle.dumps(fitted[NeuralRanker]))
    expected = state_of(ranker)
    monkeypatch.setattr(lists.PackedLists, "epoch", stop)
    message = "^stopped in the first epoch; the ranker is as it was before$"
    with pytest.raises(KeyboardInterrupt, match=message):
        ranker.fit(OTHER, DATA.y, DATA.qid)
    assert state_of(ranker) == expected


def test_a_subclass_and_partial_fit():
    """The law holds for estimators of a user's own, and for parts of a stream."""

    class Counted(SingleFeatureRanker):
        def fit(self, X, y, qid=None):
            self.n_fits_ = getattr(self, "n_fits_", 0) + 1
            super().fit(X, y, qid)
            if self.n_fits_ == 2:
                raise RuntimeError("the second fit")
            return self

    counted = Counted()
    assert counted.fit(FRAME, DATA.y, DATA.qid) is counted
    expected = state_of(counted)
    with pytest.raises(RuntimeError, match="the second fit"):
        counted.fit(OTHER, DATA.y, DATA.qid)
    assert state_of(counted) == expected

    stream = NeuralRanker("mse", "linear", random_state=0)
    with pytest.raises(ValueError, match="one label per row"):
        stream.partial_fit(FRAME, DATA.y[:-1])
    assert not hasattr(stream, "n_features_in_")


def test_parameters_and_unused_attributes(fitted):
    """A fit on an array drops the names that a frame had, and keeps parameters."""
    ranker = pickle.loads(pickle.dumps(fitted[SingleFeatureRanker]))
    ranker.set_params(metric="map")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ranker.fit(DATA.X, np.minimum(DATA.y, 1), DATA.qid)
    assert not hasattr(ranker, "feature_names_in_")
    assert ranker.metric == "map"
