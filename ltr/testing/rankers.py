"""The laws of rankers, and :func:`check_ranker`."""

from __future__ import annotations

import copy
import functools
import pickle
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone

from ltr.metrics import pairwise_accuracy_score
from ltr.testing.laws import (
    LawTable,
    by_name,
    check_laws,
    differ,
    expect_close,
    law,
    name_of,
    text,
)

N_FEATURES, N_QUERIES, LIST_SIZE = 3, 30, 6
NEAR = {"rtol": 1e-6, "atol": 1e-9}


class Requests(NamedTuple):
    """Items to rank, and an order of the rows.

    Attributes
    ----------
    X : float array of shape (n_samples, n_features)
        Features.
    qid : int array of shape (n_samples,)
        Query of each row, interleaved.
    order : list of int
        An order of the rows.
    """

    X: NDArray[np.float64]
    qid: NDArray[np.int64]
    order: list[int]


@st.composite
def requests(draw: Any, max_rows: int = 8) -> Requests:
    """Up to three queries with features in steps of 1/2, and an order of the rows."""
    feature = st.integers(-3, 3).map(lambda x: x / 2)
    row = st.tuples(
        st.tuples(*[feature] * N_FEATURES), st.integers(0, 2), st.integers(0, 99)
    )
    rows = draw(st.lists(row, min_size=1, max_size=max_rows))
    X, qid, places = zip(*rows, strict=True)
    order = np.argsort(places, kind="stable").tolist()
    return Requests(np.array(X, float), np.array(qid), order)


class RankerUnderTest:
    """A ranker, fitted once on an easy task.

    Labels are the thirds of the sum of two of three features, with a little noise.

    Parameters
    ----------
    ranker : estimator
        Not fitted; it is cloned.
    """

    def __init__(self, ranker: Any) -> None:
        self.ranker = ranker
        rng = np.random.default_rng(0)
        self.X = rng.normal(size=(N_QUERIES * LIST_SIZE, N_FEATURES))
        utility = self.X[:, 0] + self.X[:, 1] + 0.1 * rng.normal(size=len(self.X))
        self.y = np.digitize(utility, [-0.6, 0.6])
        self.qid = np.tile(np.arange(N_QUERIES), LIST_SIZE)

    def fit(self, qid: Any = None, X: Any = None, y: Any = None) -> Any:
        """A fitted clone."""
        X, y = self.X if X is None else X, self.y if y is None else y
        ranker = clone(self.ranker)
        if "random_state" in ranker.get_params(deep=False):
            ranker.set_params(random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ranker.fit(X, y, self.qid if qid is None else qid)

    @functools.cached_property
    def fitted(self) -> Any:
        """The ranker after fit."""
        return self.fit()

    def predict(self, X: Any, qid: Any, ranker: Any = None) -> NDArray[np.float64]:
        """Scores of the fitted ranker, or of another one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ranker = self.fitted if ranker is None else ranker
            return np.asarray(ranker.predict(X, qid))

    def describe(self, inputs: Mapping[str, Any]) -> list[str]:
        """Lines of Python for the inputs of a law."""
        requests: Requests = inputs["requests"]
        lines = [f"X = {text(requests.X)}", f"qid = {text(requests.qid)}"]
        if requests.order != sorted(requests.order):
            lines.append(f"order = {text(requests.order)}")
        return lines


def state_of(ranker: Any) -> dict[str, bytes]:
    """Every attribute of an estimator, pickled."""
    return {name: pickle.dumps(value) for name, value in vars(ranker).items()}


@law()
def fit_leaves_its_inputs_alone(ranker: RankerUnderTest) -> None:
    """Fitting changes neither X, y nor qid, and takes arrays that are read-only."""
    inputs = [copy.deepcopy(x) for x in (ranker.X, ranker.y, ranker.qid)]
    before = copy.deepcopy(inputs)
    for array in inputs:
        array.flags.writeable = False
    X, y, qid = inputs
    ranker.fit(qid, X, y)
    for name, array, original in zip(("X", "y", "qid"), inputs, before, strict=True):
        expect_close(array, original, f"{name} before fit", rtol=0, atol=0)


@law()
def lengths_must_agree(ranker: RankerUnderTest) -> None:
    """Fit and predict raise a ValueError if X, y and qid differ in length."""
    X, y, qid = ranker.X, ranker.y, ranker.qid
    calls: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "fit with one label too few": (ranker.fit, (qid, X, y[:-1])),
        "fit with one qid too few": (ranker.fit, (qid[:-1], X, y)),
        "predict with one qid too few": (ranker.predict, (X, qid[:-1])),
    }
    for mistake, (call, arguments) in calls.items():
        try:
            call(*arguments)
        except ValueError:
            continue
        raise differ(f"a ValueError from {mistake}", "none")


@law()
def a_fit_that_fails_changes_nothing(ranker: RankerUnderTest) -> None:
    """A fit that raises leaves every attribute of a fitted ranker as it was."""
    refitted = copy.deepcopy(ranker.fitted)
    before = state_of(refitted)
    try:
        refitted.fit(ranker.X[:, ::-2], ranker.y[:-1])
    except ValueError:
        pass
    else:
        raise differ("a ValueError from fit with one label too few", "none")
    after = state_of(refitted)
    names = sorted({*before, *after})
    changed = [name for name in names if before.get(name) != after.get(name)]
    if changed:
        raise differ("no attribute changed", f"changed: {', '.join(changed)}")


@law()
def the_scores_have_learned(ranker: RankerUnderTest) -> None:
    """On an easy task the better of two items has the higher score, mostly."""
    scores = ranker.predict(ranker.X, ranker.qid)
    accuracy = pairwise_accuracy_score(ranker.y, scores, qid=ranker.qid)
    if not accuracy > 0.6:
        raise differ(
            "more than 0.6 of the pairs of the training set in the right order",
            f"{accuracy:.3f}",
        )


@law()
def same_seed_same_scores(ranker: RankerUnderTest) -> None:
    """A clone, fitted again with the same random_state, gives the same scores."""
    scores = ranker.predict(ranker.X, ranker.qid)
    again = ranker.predict(ranker.X, ranker.qid, ranker.fit())
    expect_close(again, scores, "the scores of the first fit", **NEAR)


@law()
def names_of_queries_do_not_teach(ranker: RankerUnderTest) -> None:
    """Fitted with other names of the same queries, a ranker gives the same scores."""
    names = np.array([f"query {number:03}" for number in ranker.qid])
    renamed = ranker.predict(ranker.X, ranker.qid, ranker.fit(names))
    scores = ranker.predict(ranker.X, ranker.qid)
    expect_close(renamed, scores, "the scores of a fit with whole numbers", **NEAR)


@law()
def a_pickled_ranker_predicts_the_same(ranker: RankerUnderTest) -> None:
    """Pickling a fitted ranker keeps its scores."""
    copied = pickle.loads(pickle.dumps(ranker.fitted))
    scores = ranker.predict(ranker.X, ranker.qid)
    expect_close(
        ranker.predict(ranker.X, ranker.qid, copied), scores, "the scores before", 0, 0
    )


@law(requests=requests())
def one_finite_score_per_row(ranker: RankerUnderTest, requests: Requests) -> None:
    """Predict returns a finite float64 for each row."""
    X, qid, _ = requests
    scores = ranker.predict(X, qid)
    if scores.shape != (len(X),) or scores.dtype != np.float64:
        raise differ(
            f"float64 of shape ({len(X)},)", f"{scores.dtype} of shape {scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise differ("finite scores", scores)


@law(requests=requests())
def predict_writes_no_attribute(ranker: RankerUnderTest, requests: Requests) -> None:
    """A fitted ranker is the same after predict, and so are its inputs."""
    fitted = copy.deepcopy(ranker.fitted)
    before = state_of(fitted)
    X, qid = requests.X.copy(), requests.qid.copy()
    ranker.predict(X, qid, fitted)
    after = state_of(fitted)
    changed = [name for name in after if after[name] != before.get(name)]
    if changed:
        raise differ("no attribute changed", f"changed: {', '.join(changed)}")
    expect_close(X, requests.X, "X before predict", 0, 0)
    expect_close(qid, requests.qid, "qid before predict", 0, 0)


@law(requests=requests())
def order_of_rows_permutes_the_scores(
    ranker: RankerUnderTest, requests: Requests
) -> None:
    """Permuting the rows permutes the scores, and changes none of them."""
    X, qid, order = requests
    scores = ranker.predict(X, qid)
    permuted = ranker.predict(X[order], qid[order])
    expect_close(permuted, scores[order], "the scores permuted", **NEAR)


@law(requests=requests())
def names_of_queries_change_nothing(
    ranker: RankerUnderTest, requests: Requests
) -> None:
    """Renaming the queries, to strings in another order, changes no score."""
    X, qid, _ = requests
    names = np.array([f"query {9 - number}" for number in qid])
    scores = ranker.predict(X, qid)
    renamed = ranker.predict(X, names)
    expect_close(renamed, scores, "the scores before renaming", **NEAR)


@law(requests=requests())
def queries_do_not_see_each_other(ranker: RankerUnderTest, requests: Requests) -> None:
    """The scores of a query do not depend on the other queries."""
    X, qid, _ = requests
    scores = ranker.predict(X, qid)
    for query in np.unique(qid):
        alone = ranker.predict(X[qid == query], qid[qid == query])
        expect_close(scores[qid == query], alone, f"query {query} alone", **NEAR)


@law(
    exempt=lambda ranker: "" if hasattr(ranker.ranker, "rank") else "it has no rank",
    requests=requests(),
)
def rank_1_is_the_highest_score(ranker: RankerUnderTest, requests: Requests) -> None:
    """The rank of an item is 1 plus the number of its competitors that score higher."""
    X, qid, _ = requests
    scores = ranker.predict(X, qid)
    above = (qid == qid[:, None]) & (scores > scores[:, None])
    ranks = np.asarray(ranker.fitted.rank(X, qid))
    expect_close(ranks, 1 + above.sum(axis=1), "the ranks of the scores", 0, 0)


RANKER_LAWS = by_name(
    fit_leaves_its_inputs_alone,
    one_finite_score_per_row,
    predict_writes_no_attribute,
    order_of_rows_permutes_the_scores,
    names_of_queries_change_nothing,
    queries_do_not_see_each_other,
    rank_1_is_the_highest_score,
    the_scores_have_learned,
    lengths_must_agree,
    a_fit_that_fails_changes_nothing,
    same_seed_same_scores,
    names_of_queries_do_not_teach,
    a_pickled_ranker_predicts_the_same,
)


def check_ranker(
    ranker: Any,
    *,
    skip: Collection[str] = (),
    max_examples: int = 20,
) -> LawTable:
    """Check a ranker against the laws of rankers.

    The laws are those of :class:`ltr.rankers.base.BaseRanker`: neither the order of the
    rows, the names of the queries nor other queries matter, predict writes nothing,
    rank follows predict, a fit that fails changes nothing, and the ranker learns;
    :data:`RANKER_LAWS` has them all. The ranker is fitted a few times on 180 rows.
    These laws come on top of those of
    :func:`sklearn.utils.estimator_checks.check_estimator`, which takes longer and is
    not run here.

    Parameters
    ----------
    ranker : estimator
        An object with ``fit(X, y, qid)`` and ``predict(X, qid)`` and scikit-learn's
        ``get_params``; it is cloned, and its ``random_state`` is set.
    skip : collection of str, default=()
        Names of laws that the ranker breaks on purpose.
    max_examples : int, default=20
        Inputs that each law of predict is tried on.

    Returns
    -------
    table : LawTable
        Law → number of inputs, or ``"skipped: "`` and why.

    Raises
    ------
    LawBroken
        If a law does not hold, with the smallest rows that show it.
    ValueError
        If a law of ``skip`` is unknown.

    Examples
    --------
    >>> from ltr import SingleFeatureRanker
    >>> from ltr.testing import LawBroken, check_ranker
    >>> table = check_ranker(SingleFeatureRanker(), max_examples=5)
    >>> table["queries_do_not_see_each_other"]
    5

    A ranker that scales its scores by all rows that it is asked for:

    >>> class Scaled(SingleFeatureRanker):
    ...     def predict(self, X, qid=None):
    ...         scores = super().predict(X, qid)
    ...         return scores - scores.max()
    >>> try:
    ...     check_ranker(Scaled())
    ... except LawBroken as broken:
    ...     print(broken)
    Scaled() breaks the law queries_do_not_see_each_other.
    Law: The scores of a query do not depend on the other queries.
    Smallest input found:
        X = [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
        qid = [1, 0]
    Expected: [0.0] (query 1 alone)
    Got: [-0.5]
    If that is intended, pass skip=("queries_do_not_see_each_other",).
    """
    subject = RankerUnderTest(ranker)
    return check_laws(
        name_of(ranker),
        subject,
        RANKER_LAWS,
        skip=skip,
        max_examples=max_examples,
        describe=subject.describe,
    )
