"""Walk-forward splits: no day is seen from two sides."""

import re
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn
from hypothesis import assume, given
from sklearn.model_selection import GridSearchCV

from ltr import NeuralRanker
from ltr.model_selection import WalkForwardSplit


@st.composite
def plans(draw):
    """A splitter, and days of rows in any order that are enough for it."""
    look_back = draw(st.integers(0, 4))
    splitter = WalkForwardSplit(
        draw(st.integers(1, 3)),
        test_days=draw(st.integers(1, 4)),
        validation_days=draw(st.integers(0, 3)),
        embargo=look_back + 1,
        max_train_days=draw(st.none() | st.integers(1, 5)),
    )
    needed = splitter.n_splits * splitter.test_days + splitter.validation_days
    n_days = needed + 2 * (look_back + 1) + draw(st.integers(1, 6))
    rows_of_day = draw(st.lists(st.integers(1, 3), min_size=n_days, max_size=n_days))
    days = draw(st.permutations(np.repeat(np.arange(n_days), rows_of_day).tolist()))
    return splitter, look_back, np.array(days)


def window(days, look_back):
    """Every day from which features or label of a row come."""
    return {d + offset for d in days.tolist() for offset in range(-look_back, 2)}


@given(plan=plans())
def test_no_window_overlaps(plan):
    """Training, validation and test see different days, features and labels alike."""
    splitter, look_back, days = plan
    parts = list(splitter.split_three(days[:, None], dates=days))
    assert len(parts) == splitter.get_n_splits()
    for part in parts:
        windows = [window(days[rows], look_back) for rows in part]
        for i in range(3):
            for j in range(i):
                assert not windows[i] & windows[j]


@given(plan=plans())
def test_parts_are_whole_days_in_time(plan):
    """Parts are runs of whole days in the order of time, of the lengths asked for."""
    splitter, _, days = plan
    n_days, tests = days.max() + 1, []
    for train, validation, test in splitter.split_three(days, dates=days):
        for rows in (train, validation, test):
            assert (np.diff(rows) > 0).all()
            assert set(rows) == set(np.flatnonzero(np.isin(days, days[rows])))
        spans = [sorted(set(days[rows])) for rows in (train, validation, test)]
        assert all(span == list(range(span[0], span[-1] + 1)) for span in spans if span)
        assert len(spans[0]) >= 1
        assert len(spans[0]) <= (splitter.max_train_days or n_days)
        assert len(spans[1]) == splitter.validation_days
        assert len(spans[2]) == splitter.test_days
        gaps = [
            later[0] - earlier[-1] - 1
            for earlier, later in pairwise(filter(len, spans))
        ]
        assert set(gaps) == {splitter.embargo}
        tests += spans[2]
    n_tested = splitter.n_splits * splitter.test_days
    assert tests == list(range(n_days - n_tested, n_days))


@given(plan=plans())
def test_the_embargo_is_not_longer_than_needed(plan):
    """A day less, and the label of a training day is in the window of a test day."""
    splitter, look_back, days = plan
    assume(splitter.validation_days == 0)
    splitter.embargo = look_back
    for train, test in splitter.split(days, dates=days):
        assert window(days[train], look_back) & window(days[test], look_back)


@pytest.mark.parametrize(
    "dates",
    [
        np.array(["2017-12-08", "2017-12-11", "2018-01-02", "2018-01-03"]),
        np.array(["2017-12-08", "2017-12-11", "2018-01-02", "2018-01-03"], "M8[D]"),
        [1.5, 2.5, 10.0, 11.0],
    ],
)
def test_kinds_of_dates(dates):
    """Strings, dates, numbers; weekends are no days."""
    rows = [3, 0, 2, 1]
    shuffled = np.asarray(dates)[rows]
    splitter = WalkForwardSplit(1, test_days=1, embargo=1)
    ((train, test),) = splitter.split(np.zeros((4, 1)), dates=shuffled)
    assert (train.tolist(), test.tolist()) == ([1, 3], [0])


def test_test_days_by_default():
    """As many as there are splits and one more."""
    parts = list(WalkForwardSplit(3).split(np.zeros(9), dates=np.arange(9)))
    assert [test.tolist() for _, test in parts] == [[3, 4], [5, 6], [7, 8]]
    assert [len(train) for train, _ in parts] == [3, 5, 7]


def test_in_a_search():
    """With routing, dates reach the splitter and qid the ranker."""
    rng = np.random.default_rng(0)
    X, day = rng.normal(size=(60, 2)), np.repeat(np.arange(10), 6)
    qid = np.arange(60) // 3
    ranker = NeuralRanker("ranknet", "linear", max_epochs=1, random_state=0)
    splitter = WalkForwardSplit(2, test_days=2, embargo=1)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(ranker, {"learning_rate": [0.01, 0.1]}, cv=splitter)
        search.fit(X, X[:, 0] > 0, qid=qid, dates=day)
        assert search.cv_results_["split1_test_score"].shape == (2,)
        with pytest.raises(ValueError, match="needs the day of each row"):
            search.fit(X, X[:, 0] > 0, qid=qid)


DAYS = np.arange(6)


@pytest.mark.parametrize(
    ("options", "dates", "message"),
    [
        ({"n_splits": 0}, DAYS, "n_splits must be a whole number >= 1; got 0."),
        ({"test_days": 0}, DAYS, "test_days must be a whole number >= 1; got 0."),
        ({"test_days": "2"}, DAYS, "test_days must be a whole number >= 1; got '2'."),
        ({"embargo": -1}, DAYS, "embargo must be a whole number >= 0; got -1."),
        (
            {"validation_days": -1},
            DAYS,
            "validation_days must be a whole number >= 0; got -1.",
        ),
        (
            {"max_train_days": 0},
            DAYS,
            "max_train_days must be a whole number >= 1; got 0.",
        ),
        (
            {"n_splits": 2, "test_days": 1, "validation_days": 2, "embargo": 1},
            DAYS,
            "2 test parts of 1 days, 2 days of validation, 2 embargoes of 1 and a day "
            "of training take 7 days; got 6. Pass more days, or lower n_splits, "
            "validation_days or embargo.",
        ),
        (
            {"n_splits": 1, "embargo": 50},
            DAYS,
            "1 test parts of 3 days, 0 days of validation, 1 embargoes of 50 and a day "
            "of training take 54 days; got 6. Pass more days, or lower test_days or "
            "embargo.",
        ),
        (
            {},
            DAYS[:5],
            "dates must have one value for each of the 6 rows of X; got shape (5,).",
        ),
        (
            {},
            [1, 2, 3, 4, 5, np.nan],
            "dates must not be missing; got NaN or NaT. Drop those rows.",
        ),
        (
            {},
            np.array([1, 2, 3, 4, 5, None], object),
            "dates must sort by time; got values that do not compare. Use numbers, "
            "dates or ISO strings, all of one kind, none missing.",
        ),
        (
            {},
            None,
            "WalkForwardSplit.split needs the day of each row; got dates=None. Pass "
            "dates, or dates=qid if each query is a day; in a search, enable metadata "
            "routing (sklearn.set_config(enable_metadata_routing=True)) and call fit(X, "
            "y, qid=qid, dates=dates); in cross_validate_ranker, pass cv=splitter.split("
            "X, dates=dates).",
        ),
    ],
)
def test_errors(options, dates, message):
    """What is wrong with the numbers or with the dates."""
    splitter = WalkForwardSplit(**options)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        list(splitter.split(np.zeros((6, 1)), dates=dates))
