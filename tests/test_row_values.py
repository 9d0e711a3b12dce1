"""Values of inputs by row: masked ones, dates, text, ids in a column."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from support.rows import DATA, NEURAL, QID, RANKERS, S, X, Y

from ltr import (
    SingleFeatureRanker,
)
from ltr.datasets import describe
from ltr.losses import mse_loss
from ltr.metrics import METRICS, evaluate
from ltr.metrics.significance import (
    paired_t_test,
)
from ltr.model_selection import (
    QueryKFold,
    QueryStandardScaler,
)
from ltr.queries import group_queries
from ltr.solvers import (
    solve_assignment,
    solve_ordering,
    solve_path,
)

MASKED = np.ma.masked_array(np.ones(len(Y)), mask=np.arange(len(Y)) == 3)


MASKED_X = np.ma.masked_array(DATA.X, mask=DATA.X > 1e9)


MASKED_X[3, 1] = np.ma.masked


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("y_true", partial(evaluate, MASKED, S, QID)),
        ("y_score", partial(METRICS["map"], Y, MASKED)),
        ("qid", partial(METRICS["map"], Y, S, qid=MASKED)),
        ("qid", partial(group_queries, MASKED, len(Y))),
        ("labels", partial(mse_loss, S, MASKED)),
        ("weights", partial(mse_loss, S, Y, weights=MASKED)),
        ("sample_weight", partial(NEURAL.fit, X, Y, QID, MASKED)),
        ("y", partial(describe, X, MASKED)),
        ("gain", partial(solve_assignment, MASKED)),
        ("a", partial(paired_t_test, MASKED, S)),
        *[("y", partial(ranker.fit, X, MASKED)) for ranker in RANKERS.values()],
        *[("X", partial(ranker.fit, MASKED_X, Y, QID)) for ranker in RANKERS.values()],
        ("X", partial(QueryKFold(2).split(MASKED_X, qid=QID).__next__)),
        ("X", partial(QueryStandardScaler().fit, MASKED_X)),
    ],
)
def test_masked_arrays(name, call):
    """The values under a mask are never computed with."""
    value = "an id" if name == "qid" else "a value"
    text = (
        f"{name} must not be masked; got a masked array. Drop those rows or give them "
        f"{value}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        call()


def test_masked_matrices_of_solvers():
    """Every solver reads its matrix in one place."""
    matrix = np.ma.masked_array(np.ones((3, 3)), mask=np.eye(3, k=1))
    message = (
        "matrix must be a square array of numbers; got a masked array. Fill it, with "
        "-inf where an entry is forbidden."
    )
    for solve in (solve_path, solve_ordering):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            solve(matrix)
        solve(np.ma.masked_array(np.ones((3, 3)), mask=False))


@pytest.mark.parametrize(
    "dates",
    [
        pd.Series(pd.date_range("2020", periods=40)),
        np.arange("2020", "2060", dtype="M8[Y]"),
    ],
)
def test_dates_are_no_numbers(dates):
    """Neither as labels nor as scores."""
    for name, columns in (("y_true", (dates, S)), ("y_score", (Y, dates))):
        message = f"{name} must hold numbers; got dtype {dates.dtype}."
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            METRICS["kendall_tau"](*columns)


def test_text_is_no_number():
    """With the name of the argument."""
    with pytest.raises(ValueError, match="^y_score must hold numbers; could not conv"):
        evaluate(Y, ["high"] * len(Y), QID)


@pytest.mark.parametrize(
    "qid", [DATA.qid[:, None], QID.to_frame(), DATA.qid[:, None].tolist()]
)
def test_ids_in_one_column(qid):
    """A column of ids is taken, as a column of labels is."""
    expected = METRICS["ndcg"](Y, S, qid=QID, per_query=True)
    assert np.array_equal(METRICS["ndcg"](Y, S, qid=qid, per_query=True), expected)
    ranker = SingleFeatureRanker().fit(X, Y, qid)
    assert np.array_equal(ranker.rank(X, qid), ranker.rank(X, QID))
    assert len(list(QueryKFold(2).split(X, qid=qid))) == 2


@pytest.mark.parametrize("name", RANKERS)
def test_masked_features_in_predict(name):
    """Also where no other input by row is there to be compared with."""
    ranker = RANKERS[name].fit(X, Y, QID)
    with pytest.raises(ValueError, match="^X must not be masked; got a masked array"):
        ranker.predict(MASKED_X, QID)
