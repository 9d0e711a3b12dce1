"""ConstrainedRanker: lists keep the constraints, whatever ranks them."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from ltr import (
    AutoRanker,
    ConstrainedRanker,
    LambdaMARTRanker,
    SingleFeatureRanker,
)
from ltr.datasets import make_ranking
from ltr.solvers import AtMost, FixedPosition, Quota, Status, solve_assignment

DATA = make_ranking(12, n_features=4, n_informative=3, random_state=0)
RNG = np.random.default_rng(0)
SELLER = RNG.choice(list("vwxyz"), len(DATA.y))
GROUP = RNG.integers(0, 2, len(DATA.y))
RULES = (AtMost("seller", 1, top=3), Quota("group", 1, lower=1, top=3))
ATTRIBUTES = {"seller": SELLER, "group": GROUP}


def fitted(**parameters):
    ranker = ConstrainedRanker(SingleFeatureRanker(), RULES, **parameters)
    return ranker.fit(DATA.X, DATA.y, DATA.qid)


def kept_in_every_list(scores):
    for qid in np.unique(DATA.qid):
        rows = np.flatnonzero(qid == DATA.qid)
        top = rows[np.argsort(-scores[rows])][:3]
        assert len(set(SELLER[top])) == 3
        assert GROUP[top].sum() >= 1


@parametrize_with_checks(
    [
        ConstrainedRanker(
            LambdaMARTRanker(n_estimators=5, n_jobs=1),
            [FixedPosition(0, 0)],
        )
    ],
    expected_failed_checks=lambda estimator: {
        "check_methods_subset_invariance": "the position of an item depends on its list",
        "check_methods_sample_order_invariance": "the row at slot 0 is another one",
    },
    xfail_strict=True,
)
@pytest.mark.filterwarnings("ignore:No list has two", "ignore:X does not have valid")
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.filterwarnings("ignore:No tree has a split")
def test_estimator(estimator, check):
    """Every check of the installed scikit-learn."""
    check(estimator)


def test_lists_keep_the_constraints():
    """Scores are positions; rank and decode say the same; each list is solved alone."""
    ranker = fitted()
    scores = ranker.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    kept_in_every_list(scores)
    ranks = ranker.rank(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    np.testing.assert_array_equal(ranks, 1 - scores)
    solutions = ranker.decode(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    raw = ranker.ranker_.predict(DATA.X, DATA.qid)
    for qid, solution in zip(dict.fromkeys(DATA.qid.tolist()), solutions, strict=True):
        rows = np.flatnonzero(qid == DATA.qid)
        assert sorted(ranks[rows]) == list(range(1, len(rows) + 1))
        np.testing.assert_array_equal(
            rows[np.argsort(ranks[rows])], rows[solution.order]
        )
        alone = solve_assignment(
            raw[rows],
            constraints=RULES,
            attributes={name: column[rows] for name, column in ATTRIBUTES.items()},
        )
        assert solution.objective == alone.objective


def test_rows_and_ids_in_any_order():
    """Interleaved rows and other ids move nothing but the output."""
    ranker = fitted()
    scores = ranker.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    order = np.random.default_rng(1).permutation(len(DATA.y))
    moved = ranker.predict(
        DATA.X[order],
        [("list", int(qid)) for qid in DATA.qid[order]],
        attributes={name: column[order] for name, column in ATTRIBUTES.items()},
    )
    np.testing.assert_array_equal(moved, scores[order])


def test_no_constraints_keep_the_order():
    """The order of the wrapped ranker, and its metric."""
    ranker = ConstrainedRanker(SingleFeatureRanker()).fit(DATA.X, DATA.y, DATA.qid)
    plain = SingleFeatureRanker().fit(DATA.X, DATA.y, DATA.qid)
    np.testing.assert_array_equal(
        ranker.rank(DATA.X, DATA.qid), plain.rank(DATA.X, DATA.qid)
    )
    score = ranker.score(DATA.X, DATA.y, DATA.qid)
    assert score == pytest.approx(plain.score(DATA.X, DATA.y, DATA.qid))
    fair = fitted().score(DATA.X, DATA.y, DATA.qid, attributes=ATTRIBUTES)
    assert 0 < fair < score


def test_top_k():
    """After the first k, the items follow by their scores."""
    ranker = fitted(k=3)
    scores = ranker.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    kept_in_every_list(scores)
    raw = ranker.ranker_.predict(DATA.X, DATA.qid)
    for qid in np.unique(DATA.qid):
        rows = np.flatnonzero(qid == DATA.qid)
        rest = rows[np.argsort(-scores[rows])][3:]
        assert (np.diff(raw[rest]) <= 0).all()


def test_columns_of_a_frame_are_attributes():
    """They are taken out of the features, unless the ranker knows them."""
    X = pd.DataFrame(DATA.X, columns=list("abcd")).assign(seller=SELLER, group=GROUP)
    ranker = ConstrainedRanker(SingleFeatureRanker(), RULES).fit(X, DATA.y, DATA.qid)
    assert ranker.feature_names_in_.tolist() == list("abcd")
    expected = fitted().predict(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    np.testing.assert_array_equal(ranker.predict(X, DATA.qid), expected)
    only = X.drop(columns="seller")
    given = ranker.predict(only, DATA.qid, attributes={"seller": SELLER})
    np.testing.assert_array_equal(given, expected)
    inner = SingleFeatureRanker().fit(only, DATA.y, DATA.qid)
    wrapped = ConstrainedRanker(inner, RULES)
    kept_in_every_list(wrapped.predict(X, DATA.qid))


def test_fitted_rankers_need_no_fit():
    """A ranker, a frozen one, and an estimator of scikit-learn."""
    inner = SingleFeatureRanker().fit(DATA.X, DATA.y, DATA.qid)
    expected = fitted().predict(DATA.X, DATA.qid, attributes=ATTRIBUTES)
    ready = ConstrainedRanker(inner, RULES)
    np.testing.assert_array_equal(
        ready.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES), expected
    )
    frozen = ConstrainedRanker(FrozenEstimator(inner), RULES)
    frozen = clone(frozen).fit(DATA.X[:8], DATA.y[:8][::-1], DATA.qid[:8])
    np.testing.assert_array_equal(
        frozen.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES), expected
    )
    with pytest.raises(NotFittedError):
        ConstrainedRanker(SingleFeatureRanker(), RULES).predict(DATA.X)
    trees = HistGradientBoostingRegressor(max_iter=5).fit(DATA.X, DATA.y)
    one_list = ConstrainedRanker(trees, RULES, k=3)
    scores = one_list.predict(DATA.X, attributes=ATTRIBUTES)
    assert len(set(SELLER[np.argsort(-scores)[:3]])) == 3


def test_clone_pickle_and_parameters():
    """Constraints are values; parameters of the wrapped ranker can be searched."""
    ranker = fitted()
    assert clone(ranker).constraints == RULES
    again = pickle.loads(pickle.dumps(ranker))
    np.testing.assert_array_equal(
        again.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES),
        ranker.predict(DATA.X, DATA.qid, attributes=ATTRIBUTES),
    )
    assert ranker.set_params(ranker__metric="map").ranker.metric == "map"


def test_a_list_that_cannot():
    """It is named, with the reason; or it is left as free as it must be."""
    X, y, qid = (
        np.array([[3.0], [2.0], [1.0], [9.0]]),
        [2, 1, 0, 1],
        ["p", "p", "p", "q"],
    )
    attributes = {"seller": list("xyyx"), "group": [0, 1, 1, 0]}
    ranker = ConstrainedRanker(SingleFeatureRanker(), [*RULES[1:]]).fit(X, y, qid)
    words = (
        "In list 'q': No order keeps this constraint:\n"
        "- at least 1 item with group 1 among the first 3\n"
        "(0 of the 1 items have group 1.)\n"
    )
    cure = "Loosen a constraint, or pass infeasible='drop'."
    with pytest.raises(ValueError, match=f"^{re.escape(words + cure)}$"):
        ranker.predict(X, qid, attributes=attributes)
    solutions = ranker.decode(X, qid, attributes=attributes)
    assert [s.status for s in solutions] == [Status.OPTIMAL, Status.INFEASIBLE]
    assert solutions[1].conflict == RULES[1:]
    ranker.set_params(infeasible="drop")
    message = f"^{re.escape(words)}Dropping these constraints.$"
    with pytest.warns(UserWarning, match=message) as warned:
        scores = ranker.predict(X, qid, attributes=attributes)
    assert warned[0].filename == __file__
    assert scores.tolist() == [0, -1, -2, 0]


def test_labels_that_the_metric_cannot_score():
    """AutoRanker replaces it, and what wraps it does, too; others refuse."""
    y = DATA.y - 1.0
    auto = AutoRanker(members=["linear"], random_state=0)
    ranker = ConstrainedRanker(auto).fit(DATA.X, y, DATA.qid)
    expected = ranker.ranker_.score(DATA.X, y, DATA.qid)
    assert ranker.score(DATA.X, y, DATA.qid) == pytest.approx(expected)
    plain = ConstrainedRanker(SingleFeatureRanker("spearman")).fit(DATA.X, y, DATA.qid)
    with pytest.raises(ValueError, match="cannot score these labels"):
        plain.score(DATA.X, y, DATA.qid)
    with pytest.raises(ValueError, match="y must have at least one row to be scored"):
        ranker.score(DATA.X[:0], [], [])


def test_messages():
    """What is missing, and where to put it."""
    ranker = fitted()
    message = (
        "a constraint refers to attribute 'seller', but X is not a DataFrame and "
        "attributes does not have it. Pass attributes={'seller': one value per row}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.predict(DATA.X, DATA.qid)
    with pytest.raises(ValueError, match=r"attributes\['seller'\] must have one value"):
        ranker.predict(DATA.X, DATA.qid, attributes={**ATTRIBUTES, "seller": ["x"]})
    with pytest.raises(ValueError, match="score needs qid because fit was given one"):
        ranker.score(DATA.X, DATA.y, attributes=ATTRIBUTES)
    with pytest.raises(ValueError, match="infeasible must be one of 'raise', 'drop'"):
        clone(ranker).set_params(infeasible="ignore").fit(DATA.X, DATA.y)
    high = ConstrainedRanker(ranker.ranker_, [FixedPosition(0, 99)])
    with pytest.raises(ValueError, match=r"In list 0: positions must be in 0, …"):
        high.predict(DATA.X, DATA.qid)


def test_what_is_no_list_and_takes_no_qid():
    """Both are said."""
    X, y, qid = np.ones((2, 1)), [1, 0], [0, 0]
    with pytest.raises(TypeError, match="Put it in a list.$"):
        ConstrainedRanker(SingleFeatureRanker(), AtMost("s", 1)).fit(X, y)
    with pytest.raises(
        TypeError, match=r"^fit of the ranker must take qid; that of Ri"
    ):
        ConstrainedRanker(Ridge()).fit(X, y, qid)
    for wrong in (None, Ridge):
        message = f"ranker must be an estimator with fit and predict; got {wrong!r}."
        with pytest.raises(TypeError, match=f"^{re.escape(message)} Pass a ranker, "):
            ConstrainedRanker(wrong).fit(X, y, qid)
