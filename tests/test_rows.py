"""Inputs by row: pandas objects with one index in two orders, and masked arrays."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from support.rows import DATA, NEURAL, QID, RANKERS, TREES, S, X, Y

from ltr import (
    ConstrainedRanker,
    RandomRanker,
    SingleFeatureRanker,
)
from ltr.datasets import RankingData, describe, simulate_clicks
from ltr.datasets.biased import make_biased_rankings
from ltr.losses import lipo_lambda_loss, mse_loss, pld_loss, slic_loss
from ltr.losses.clicks import ips_softmax_loss
from ltr.metrics import METRICS, evaluate, get_metric
from ltr.metrics.comparison import RunComparison
from ltr.metrics.significance import (
    effect_size,
    paired_randomization_test,
    paired_t_test,
)
from ltr.model_selection import (
    QueryKFold,
    QueryMinMaxScaler,
    QueryShuffleSplit,
    QueryStandardScaler,
    WalkForwardSplit,
    cross_validate_ranker,
    make_ranking_scorer,
)
from ltr.plotting import (
    ListLengthDisplay,
    MetricAtKDisplay,
    QueryDifferencesDisplay,
    SeedReliabilityDisplay,
)
from ltr.queries import check_rows
from ltr.solvers import (
    Quota,
    borda,
    bradley_terry,
    comparisons_to_matrix,
    copeland,
    det_const_sort,
    explain_conflict,
    fair_exposure,
    footrule,
    kemeny,
    kemeny_distance,
    pairwise_counts,
    plackett_luce,
    ranked_pairs,
    schulze,
    select_committee,
    solve_assignment,
    solve_ordering,
    solve_orderings,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.dynamic import best_path

GROUP = pd.Series(np.tile(["u", "v", "u", "v", "u"], 8))


WEIGHT = pd.Series(np.ones(len(Y)))


QUOTA = ConstrainedRanker(SingleFeatureRanker(), [Quota("g", "u", lower=1, top=2)])


ITEMS = list("wxyz")


SQUARE = pd.DataFrame(np.arange(16.0).reshape(4, 4) % 7, ITEMS, ITEMS)


PER_ITEM = pd.Series([4.0, 3.0, 2.0, 1.0], ITEMS)


SIDES = pd.Series(["u", "v", "u", "v"], ITEMS)


REAL = pd.Series(True, ITEMS)


VOTES = pd.DataFrame([[0, 1, 2], [1, 0, 2], [2, 1, 0]], ["p", "q", "r"])


VOTERS = pd.Series([3.0, 2.0, 1.0], ["p", "q", "r"])


SEEDS = pd.Series([0.1, 0.2, 0.3], list("abc"))


PATH = solve_path(SQUARE.to_numpy())


CONFLICT = solve_assignment(
    PER_ITEM,
    constraints=[Quota("g", "u", lower=2, top=1)],
    attributes={"g": SIDES},
)


def other_order(values):
    """The same rows, the index included, in another order."""
    return values.iloc[::-1]


def message(name, reference):
    """The whole message."""
    return (
        f"{name} must be in the order of the rows of {reference}; got the same index "
        f"in another order. Pass {name}.loc[{reference}.index], or {name}.to_numpy() "
        "to match rows by position."
    )


@pytest.fixture(scope="module")
def fitted():
    """Every ranker, fitted."""
    return {name: ranker.fit(X, Y, QID) for name, ranker in RANKERS.items()}


def check(call, name, reference):
    """The call raises the message, and does not if the rows are matched."""
    with pytest.raises(ValueError, match=f"^{re.escape(message(name, reference))}$"):
        call(other_order)
    call(lambda values: values)


@pytest.mark.parametrize("metric", sorted(METRICS))
@pytest.mark.parametrize("column", ["y_score", "qid"])
def test_metrics(metric, column):
    """Every metric compares the scores and the ids with the labels."""
    face = METRICS[metric]

    def call(change):
        inputs = {"y_score": S, "qid": QID}
        inputs[column] = change(inputs[column])
        return face(Y.clip(0, 1), **inputs)

    check(call, column, "y_true")


CALLS = {
    "evaluate": ("y_score", "y_true", lambda f: evaluate(Y, f(S), QID)),
    "evaluate, arrays of labels": (
        "qid", "y_score", lambda f: evaluate(DATA.y, S, f(QID)),
    ),
    "evaluate, docids": (
        "docids", "y_true",
        lambda f: evaluate(Y, S, QID, ties="trec", docids=f(GROUP)),
    ),
    "get_metric": ("qid", "y_true", lambda f: get_metric("map")(Y, S, f(QID))),
    "paired_t_test": ("b", "a", lambda f: paired_t_test(Y, f(S))),
    "paired_randomization_test": (
        "b", "a", lambda f: paired_randomization_test(Y, f(S), n_resamples=9),
    ),
    "effect_size": ("b", "a", lambda f: effect_size(Y, f(S))),
    "RunComparison": (
        "two", "one", lambda f: RunComparison({"one": X, "two": f(X)}, ["a"], "one"),
    ),
    "fit without a frame": (
        "qid", "y", lambda f: RandomRanker().fit(DATA.X, Y, f(QID)),
    ),
    "position": (
        "position", "X",
        lambda f: TREES.fit(X, Y, QID, position=f(WEIGHT)),
    ),
    "sample_weight": (
        "sample_weight", "X", lambda f: NEURAL.fit(X, Y, QID, f(WEIGHT)),
    ),
    "attributes": (
        "attributes['g']", "X",
        lambda f: QUOTA.fit(X, Y, QID).predict(X, QID, attributes={"g": f(GROUP)}),
    ),
    "cross_validate_ranker, y": (
        "y", "X", lambda f: cross_validate_ranker(RandomRanker(), X, f(Y), QID, cv=2),
    ),
    "cross_validate_ranker, qid": (
        "qid", "X", lambda f: cross_validate_ranker(RandomRanker(), X, Y, f(QID), cv=2),
    ),
    "cross_validate_ranker, weights": (
        "sample_weight", "X",
        lambda f: cross_validate_ranker(
            NEURAL, X, Y, QID, cv=2, fit_params={"sample_weight": f(WEIGHT)}
        ),
    ),
    "make_ranking_scorer": (
        "y", "X",
        lambda f: make_ranking_scorer("map")(
            RandomRanker().fit(X, Y, QID), X, f(Y), qid=QID
        ),
    ),
    "QueryKFold": ("qid", "X", lambda f: list(QueryKFold(2).split(X, Y, qid=f(QID)))),
    "QueryKFold, y": ("y", "X", lambda f: list(QueryKFold(2).split(X, f(Y), qid=QID))),
    "QueryShuffleSplit": (
        "qid", "X", lambda f: list(QueryShuffleSplit(2).split(X, qid=f(QID))),
    ),
    "WalkForwardSplit": (
        "dates", "X", lambda f: list(WalkForwardSplit(2).split(X, dates=f(QID))),
    ),
    "split_three": (
        "dates", "X", lambda f: list(WalkForwardSplit(2).split_three(X, dates=f(QID))),
    ),
    "QueryStandardScaler": (
        "qid", "X", lambda f: QueryStandardScaler().fit_transform(X, qid=f(QID)),
    ),
    "QueryMinMaxScaler": (
        "qid", "X",
        lambda f: QueryMinMaxScaler().fit(X, qid=QID).transform(X, f(QID)),
    ),
    "MetricAtKDisplay": (
        "y", "X",
        lambda f: MetricAtKDisplay.from_estimators(
            {"r": RandomRanker().fit(X, Y, QID)}, X, f(Y), QID
        ),
    ),
    "QueryDifferencesDisplay": (
        "values['s']", "values['r']",
        lambda f: QueryDifferencesDisplay.from_values({"r": Y, "s": f(S)}),
    ),
    "ListLengthDisplay": (
        "values['r']", "sizes", lambda f: ListLengthDisplay({"r": f(S)}, QID + 2),
    ),
    "a loss": ("labels", "scores", lambda f: mse_loss(S, f(Y))),
    "weights of a loss": (
        "weights", "scores", lambda f: mse_loss(S, Y, weights=f(WEIGHT)),
    ),
    "teacher of a loss": (
        "teacher_scores", "scores", lambda f: pld_loss(S, Y, teacher_scores=f(S)),
    ),
    "position of a loss": (
        "position", "scores", lambda f: ips_softmax_loss(S, Y, position=f(WEIGHT)),
    ),
    "reference of a loss": (
        "reference_scores", "scores",
        lambda f: lipo_lambda_loss(S, Y, reference_scores=f(S)),
    ),
    "labels of a loss with rewards": (
        "labels", "scores", lambda f: slic_loss(S, f(Y)),
    ),
    "solve_assignment": (
        "attributes['g']", "gain",
        lambda f: solve_assignment(
            S, constraints=[Quota("g", "u", lower=1, top=2)], attributes={"g": f(GROUP)}
        ),
    ),
    "comparisons_to_matrix": (
        "losers", "winners", lambda f: comparisons_to_matrix(QID, f(QID + 1)),
    ),
    "RankingData": ("qid", "X", lambda f: RankingData(X, Y, f(QID))),
    "describe": ("y", "X", lambda f: describe(X, f(Y), QID)),
    "simulate_clicks": (
        "scores", "y", lambda f: simulate_clicks(Y, f(S), n_sessions=1),
    ),
    "make_biased_rankings": (
        "group", "utilities",
        lambda f: make_biased_rankings(Y + 1.0, f(GROUP == "u"), 0.5, 2),
    ),
    "fair_exposure": ("groups", "scores", lambda f: fair_exposure(PER_ITEM, f(SIDES))),
    "det_const_sort": (
        "groups", "scores",
        lambda f: det_const_sort(PER_ITEM, f(SIDES), {"u": 0.5, "v": 0.5}),
    ),
    "kemeny": ("weights", "rankings", lambda f: kemeny(VOTES, weights=f(VOTERS))),
    "pairwise_counts": (
        "weights", "rankings", lambda f: pairwise_counts(VOTES, weights=f(VOTERS)),
    ),
    "plackett_luce": (
        "weights", "rankings", lambda f: plackett_luce(VOTES, weights=f(VOTERS), ridge=1),
    ),
    "footrule": ("weights", "rankings", lambda f: footrule(VOTES, weights=f(VOTERS))),
    "select_committee": (
        "weights", "rankings", lambda f: select_committee(VOTES, 1, weights=f(VOTERS)),
    ),
    "solve_path, start": (
        "start", "matrix", lambda f: solve_path(SQUARE, start=f(PER_ITEM)),
    ),
    "solve_path, end": (
        "end", "start", lambda f: solve_path(DATA.X[:4, [0] * 4], start=PER_ITEM,
                                             end=f(PER_ITEM)),
    ),
    "solve_paths, start": (
        "start[1]", "matrices[1]",
        lambda f: solve_paths([SQUARE, SQUARE], start=[PER_ITEM, f(PER_ITEM)]),
    ),
    "solve_paths, a frame of starts": (
        "start[0]", "matrices[0]",
        lambda f: solve_paths([SQUARE] * 2, start=f(pd.DataFrame([PER_ITEM] * 2).T).T),
    ),
    "solve_orderings, where": (
        "where[0]", "matrices[0]",
        lambda f: solve_orderings([SQUARE], where=[f(REAL)]),
    ),
    "best_path": (
        "start", "matrix", lambda f: best_path(SQUARE, start=f(PER_ITEM)),
    ),
    "verify": (
        "start", "matrix", lambda f: verify(PATH, solve_path, SQUARE, start=f(PER_ITEM)),
    ),
    "explain_conflict": (
        "attributes['h']", "attributes['g']",
        lambda f: explain_conflict(CONFLICT, {"g": SIDES, "h": f(SIDES)}),
    ),
    "seeds": (
        "values['r'][1]", "values['r'][0]",
        lambda f: SeedReliabilityDisplay.from_values({"r": [SEEDS, f(SEEDS)]}),
    ),
    "scores of seeds": (
        "y_score['r'][1]", "y_score['r'][0]",
        lambda f: SeedReliabilityDisplay.from_predictions(
            DATA.y, {"r": [S, f(S)]}, DATA.qid
        ),
    ),
    "scores of rankers": (
        "y_score['s']", "y_score['r']",
        lambda f: MetricAtKDisplay.from_predictions(
            DATA.y, {"r": S, "s": f(S)}, DATA.qid, k=(1,)
        ),
    ),
    "ids of differences": (
        "qid", "values['r']",
        lambda f: QueryDifferencesDisplay.from_values({"r": Y, "s": S}, qid=f(QID)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_functions(case):
    """Wherever two inputs by row meet."""
    name, reference, call = CALLS[case]
    check(call, name, reference)


@pytest.mark.filterwarnings("ignore:predict")
@pytest.mark.parametrize("name", RANKERS)
@pytest.mark.parametrize("method", ["fit", "predict", "rank", "score"])
def test_rankers(fitted, name, method):
    """Every method of every ranker."""
    ranker = fitted[name]
    if method == "fit":
        check(lambda f: ranker.fit(X, f(Y), QID), "y", "X")
        check(lambda f: ranker.fit(X, Y, f(QID)), "qid", "X")
    elif method == "score":
        check(lambda f: ranker.score(X, f(Y), QID), "y", "X")
        check(lambda f: ranker.score(X, Y, f(QID)), "qid", "X")
    else:
        check(lambda f: getattr(ranker, method)(X, f(QID)), "qid", "X")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("matrix", solve_path),
        ("matrix", solve_ordering),
        ("matrices[1]", lambda matrix: solve_paths([SQUARE, matrix])),
        ("matrices[1]", lambda matrix: solve_orderings([SQUARE, matrix])),
        ("matrices[0]", lambda matrix: solve_orderings([matrix], where=[[True] * 4])),
        ("matrix", best_path),
        ("matrix", partial(verify, PATH, solve_path)),
        *[("counts", score) for score in (borda, copeland, bradley_terry)],
        *[("counts", method) for method in (ranked_pairs, schulze)],
        ("counts", partial(kemeny_distance, [0, 1, 2, 3])),
    ],
)
def test_rows_and_columns(name, call):
    """Of a square frame, whose items are the rows and the columns."""
    text = (
        f"{name} must have rows and columns in one order; got the same items in "
        f"another order. Pass {name}.loc[order, order], with order a list of the items,"
        f" or {name}.to_numpy() to match them by position."
    )
    reordered = SQUARE[ITEMS[::-1]]
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        call(reordered)
    call(SQUARE)
    call(SQUARE.loc[ITEMS[::-1], ITEMS[::-1]])
    call(SQUARE.set_axis(range(4), axis=1))  # says nothing about the order
    call(reordered.to_numpy())


def test_rows_of_a_batch():
    """Frames of starts are read by row, and their labels are not looked up."""
    starts = pd.DataFrame([[9.0, 0, 0], [0, 0, 9]], index=[5, 6])
    batch = solve_paths(np.zeros((2, 3, 3)), start=starts)
    assert [solution.order[0] for solution in batch] == [0, 2]


def test_repeated_entries():
    """An index of query ids: there is no .loc that would put it right."""
    y, s = Y.set_axis(QID), S.set_axis(QID)
    text = (
        "y_score must be in the order of the rows of y_true; got the same index in "
        "another order. Sort both the same way, or y_score"
    )
    text = text.replace("or y_score", "or pass y_score.to_numpy() to match rows by ")
    with pytest.raises(ValueError, match=f"^{re.escape(text)}position.$"):
        evaluate(y, other_order(s))
    evaluate(y, s)


@pytest.mark.parametrize(
    ("index", "other"),
    [
        ([5, 6, 7], [0, 1, 2]),  # a test set beside fresh predictions
        ([0, 1, 2], [0, 1, 5]),
        ([0, 0, 1], [1, 1, 0]),
        (["a", "b", "c"], [2, 1, 0]),
        (pd.date_range("2020", periods=3), pd.date_range("2021", periods=3)),
    ],
)
def test_other_indices(index, other):
    """Indices that are not permutations of each other: rows are matched by position."""
    check_rows({"a": pd.Series(range(3), index), "b": pd.Series(range(3), other)})


@pytest.mark.parametrize(
    "index",
    [
        [1, "a", None],
        pd.date_range("2020", periods=3),
        pd.MultiIndex.from_product([["x"], [1, 2, 3]]),
        pd.CategoricalIndex(["a", "b", "c"]),
        [np.nan, 1.0, 2.0],
    ],
)
def test_kinds_of_index(index):
    """Any index can be a permutation."""
    column = pd.Series(range(3), index)
    with pytest.raises(ValueError, match="b must be in the order of the rows of a"):
        check_rows({"a": column, "b": other_order(column)})
