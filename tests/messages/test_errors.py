"""Bad input to the rankers: every message in full."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from ltr import LambdaMARTRanker, NeuralRanker
from ltr.datasets import make_ranking
from ltr.losses import LOSSES
from ltr.metrics import METRICS
from ltr.rankers.features import check_dense_X
from ltr.scorers import SCORERS

DATA = make_ranking(12, list_size=5, n_features=3, n_informative=2, random_state=0)
X, Y, QID = DATA.X, DATA.y, DATA.qid
N = len(Y)


def neural(**parameters):
    return NeuralRanker(**{"scorer": "linear", "max_epochs": 1} | parameters)


def trees(**parameters):
    return LambdaMARTRanker(**{"n_estimators": 2, "n_jobs": 1} | parameters)


def spoiled(array, value, *place):
    array = np.array(array, dtype=float)
    array[place] = value
    return array


def unweighted(scores, labels, *, where):
    return (where * (scores - labels) ** 2).sum(-1)


def itemwise(scores, labels, *, where):
    return where * (scores - labels) ** 2


FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
WORDS = pd.Series(["red"]).dtype
IMPUTE = (
    "Impute it, for example with sklearn.impute.SimpleImputer, or use LambdaMARTRanker, "
    "which takes NaN."
)
KNOWN_LOSSES = ", ".join(repr(name) for name in sorted(LOSSES))

INPUTS = {
    "NaN in X": (
        lambda: neural().fit(spoiled(X, np.nan, 4, 1), Y, QID),
        f"X must be finite; got NaN at row 4, column 1. {IMPUTE}",
    ),
    "inf in X": (
        lambda: neural().fit(spoiled(X, -np.inf, 4, 1), Y, QID),
        "X must be finite; got inf at row 4, column 1. Clip or replace it.",
    ),
    "inf of both signs": (
        lambda: neural().fit(
            spoiled(spoiled(np.float32(X), np.inf, 4, 1), -np.inf, 5, 1), Y, QID
        ),
        "X must be finite; got inf at row 4, column 1. Clip or replace it.",
    ),
    "NaN in a frame": (
        lambda: neural().fit(
            pd.DataFrame(spoiled(X, np.nan, 2, 0), columns=["bm25", "b", "c"]), Y, QID
        ),
        f"X must be finite; got NaN at row 2, column 0 ('bm25'). {IMPUTE}",
    ),
    "inf for trees": (
        lambda: trees().fit(spoiled(X, np.inf, 4, 1), Y, QID),
        "X must be finite or NaN; got inf at row 4, column 1. Clip or replace it.",
    ),
    "inf in predict": (
        lambda: neural().fit(X, Y, QID).predict(spoiled(X, np.inf, 4, 1)),
        "X must be finite; got inf at row 4, column 1. Clip or replace it.",
    ),
    "NaN in y": (
        lambda: neural().fit(X, spoiled(Y, np.nan, 7), QID),
        "y must be finite; got NaN at row 7. Drop such rows or give them a label.",
    ),
    "inf in y": (
        lambda: trees().fit(X, spoiled(Y, np.inf, 7), QID),
        "y must be finite; got inf at row 7. Drop such rows or give them a label.",
    ),
    "text in y": (
        lambda: trees().fit(X, np.array(["good"] * N), QID),
        "y must hold numbers; got dtype <U4. Encode labels as numbers, larger meaning "
        "better.",
    ),
    "short y": (
        lambda: neural().fit(X, Y[:-10], QID),
        "y must have one label per row of X; got 50 labels for 60 rows.",
    ),
    "y with two columns": (
        lambda: neural().fit(X, np.zeros((N, 2)), QID),
        "y must be one-dimensional with one label per row of X; got shape (60, 2).",
    ),
    "no y": (
        lambda: neural().fit(X, None, QID),
        "fit requires y to be passed, but the target y is None.",
    ),
    "short qid": (
        lambda: neural().fit(X, Y, QID[:-10]),
        "qid must have one entry per row of X; got 50 entries for 60 rows. Pass the query "
        "id of every row, not the sizes of the lists.",
    ),
    "sizes as qid": (
        lambda: trees().fit(X, Y, [5] * 12),
        "qid must have one entry per row of X; got 12 entries for 60 rows. Pass the query "
        "id of every row, not the sizes of the lists. Turn sizes into ids with "
        "ltr.group_sizes_to_qid(sizes).",
    ),
    "short qid in predict": (
        lambda: trees().fit(X, Y, QID).predict(X, QID[:3]),
        "qid must have one entry per row of X; got 3 entries for 60 rows. Pass the query "
        "id of every row, not the sizes of the lists.",
    ),
    "negative weight": (
        lambda: neural().fit(X, Y, QID, spoiled(np.ones(N), -2, 3)),
        "sample_weight must be >= 0; got -2 at row 3. A weight says how often a row "
        "counts.",
    ),
    "zero weights": (
        lambda: neural().fit(X, Y, QID, np.zeros(N)),
        "sample_weight must have at least one weight above zero; got only zeros.",
    ),
    "short weights": (
        lambda: trees().fit(X, Y, QID, np.ones(3)),
        "sample_weight must have one weight per row of X; got 3 weights for 60 rows.",
    ),
    "query_weight per row": (
        lambda: trees().fit(X, Y, QID, query_weight=np.arange(1.0, N + 1)),
        "query_weight must be constant within a query; got 1 and 2 (row 1) for qid 0. "
        "Use sample_weight to weight rows.",
    ),
    "short extras": (
        lambda: trees().fit(X, Y, QID, position=[1, 2]),
        "position must have one entry per row of X; got 2 entries for 60 rows.",
    ),
    "unknown loss": (
        lambda: neural(loss="ranknett").fit(X, Y, QID),
        f"loss='ranknett' is not a known loss. Known losses: {KNOWN_LOSSES}. Did you "
        "mean 'ranknet'?",
    ),
    "loss without a name": (
        lambda: neural(loss="ips_softmax").fit(X, Y, QID),
        f"loss='ips_softmax' is not a known loss. Known losses: {KNOWN_LOSSES}. Pass the "
        "function itself: ltr.losses.ips_softmax_loss.",
    ),
    "unknown loss of trees": (
        lambda: trees(loss="ranknett").fit(X, Y, QID),
        f"loss='ranknett' is not a known loss. Known losses: {KNOWN_LOSSES}. Did you "
        "mean 'ranknet'?",
    ),
    "loss of pair scores in trees": (
        lambda: trees(loss="crf").fit(X, Y, QID),
        "loss='crf' learns scores of pairs of items, but trees score items. Use it in "
        "TSPRanker, or a loss of ltr.losses.LOSSES here.",
    ),
    "no loss in trees": (
        lambda: trees(loss=3).fit(X, Y, QID),
        "loss must be a name of ltr.losses.LOSSES or a function of its signature; got "
        "3.",
    ),
    "teacher missing in trees": (
        lambda: trees(loss="pld").fit(X, Y, QID),
        "teacher_scores is required by loss='pld'. Pass it to fit(..., "
        "teacher_scores=...).",
    ),
    "teacher for trees that have none": (
        lambda: trees(loss="listnet").fit(X, Y, QID, teacher_scores=Y),
        "loss='listnet' takes no teacher_scores. Leave it out of fit.",
    ),
    "curvature of trees": (
        lambda: trees(loss="listnet", curvature="newton").fit(X, Y, QID),
        "curvature must be one of 'auto', 'items', 'pairs', 'softmax', 'secant', "
        "'ones'; got 'newton'.",
    ),
    "random forest on a loss in JAX": (
        lambda: trees(
            loss="listnet", subsample=0.5, extra_params={"boosting": "rf"}
        ).fit(X, Y, QID),
        "boosting='rf' needs one of LightGBM's own losses, 'lambdarank', 'xe_ndcg', "
        "'mse'; got loss='listnet'. Set one of them, or another boosting.",
    ),
    "unknown scorer": (
        lambda: neural(scorer="mpl").fit(X, Y, QID),
        f"scorer must be one of {', '.join(map(repr, SCORERS))}, or a Scorer object; "
        "got 'mpl'.",
    ),
    "two towers without width": (
        lambda: neural(scorer="two_tower").fit(X, Y, QID),
        "n_query_features is required by scorer='two_tower': how many of the first "
        "columns of X are the query embedding.",
    ),
    "labels below 0": (
        lambda: neural(loss="lambdarank").fit(X, Y - 1.0, QID),
        f"y must be >= 0 for loss='lambdarank'; got -1 at row {int((Y == 0).argmax())}. "
        "Shift the labels, or use a loss that takes any label: 'ranknet', 'listnet', "
        "'listmle', 'hinge' or 'mse'.",
    ),
    "X_val alone": (
        lambda: neural().fit(X, Y, QID, X_val=X),
        "X_val and y_val must be given together; got only one of them.",
    ),
    "no qid_val": (
        lambda: trees().fit(X, Y, QID, X_val=X, y_val=Y),
        "qid_val is required because fit was given a qid. Pass the query of each row of "
        "X_val.",
    ),
    "X_val without early stopping": (
        lambda: neural(early_stopping=False).fit(
            X, Y, QID, X_val=X, y_val=Y, qid_val=QID
        ),
        "X_val is used to stop early, or to watch metrics; got early_stopping=False and "
        "no metrics. Leave it out, set early_stopping='auto', or pass metrics.",
    ),
    "bad y_val": (
        lambda: trees().fit(X, Y, QID, X_val=X, y_val=Y[:5], qid_val=QID),
        "In the validation set: y must have one label per row of X; got 5 labels for 60 "
        "rows.",
    ),
    "one list to split": (
        lambda: neural(early_stopping=True).fit(X, Y, np.zeros(N)),
        "early_stopping=True needs at least two queries to hold one out; got 1. Pass "
        "qid, or X_val, y_val and qid_val.",
    ),
    "score without qid": (
        lambda: neural().fit(X, Y, QID).score(X, Y),
        "score needs qid because fit was given one; got qid=None. Pass qid; in a search "
        "or pipeline, enable metadata routing "
        "(sklearn.set_config(enable_metadata_routing=True)) or use "
        "ltr.model_selection.cross_validate_ranker.",
    ),
    "weights in score": (
        lambda: neural().fit(X, Y, QID).score(X, Y, QID, np.ones(N)),
        "score takes no sample_weight, because a metric has a value per query, not per "
        "row; got an array. Leave it out, or pass query_weight.",
    ),
    "other columns": (
        lambda: neural().fit(X, Y, QID).predict(X[:, :2]),
        "X has 2 features, but NeuralRanker is expecting 3 features as input.",
    ),
    "weights for a loss without": (
        lambda: neural(loss=unweighted).fit(X, Y, QID, np.ones(N)),
        f"loss={unweighted!r} takes no weights, so sample_weight has no effect. Leave it "
        "out, or give the loss an argument weights.",
    ),
    "negative labels and ndcg": (
        lambda: neural(loss="ranknet", early_stopping=True).fit(X, Y - 2, QID),
        "metric='ndcg@10' cannot score these labels: labels must be >= 0 for "
        "gain='exp2'; got -2. Shift them, pass gain as a function, or use a metric that "
        "takes any label: kendall_tau_score, spearman_score or pairwise_accuracy_score. "
        "For the ranker, set metric='spearman', 'kendall_tau' or 'pairwise_accuracy'.",
    ),
    "words in a frame": (
        lambda: neural().fit(FRAME.assign(b="red"), Y, QID),
        f"column 'b' of X has dtype {WORDS}, which is not a number. One-hot encode or "
        "drop it, or use LambdaMARTRanker for categories.",
    ),
    "words for trees": (
        lambda: trees().fit(FRAME.assign(b="red"), Y, QID),
        f"column 'b' of X has dtype {WORDS}, which is not a number. Convert it to "
        "a category (.astype('category') in pandas, .cast(pl.Categorical) in polars) or "
        "drop it.",
    ),
    "dates for trees": (
        lambda: trees().fit(
            FRAME.assign(b=pd.Timestamp("2026-01-01").as_unit("ns")), Y, QID
        ),
        "column 'b' of X has dtype datetime64[ns], which is not a number. Convert it "
        "to a category (.astype('category') in pandas, .cast(pl.Categorical) in "
        "polars) or drop it.",
    ),
    "shuffled labels": (
        lambda: trees().fit(FRAME, pd.Series(Y).sample(frac=1, random_state=0), QID),
        "y must be in the order of the rows of X; got the same index in another order. "
        "Pass y.loc[X.index], or y.to_numpy() to match rows by position.",
    ),
    "objective in extra_params": (
        lambda: trees(extra_params={"objective": "regression"}).fit(X, Y, QID),
        "extra_params sets 'objective', which is the parameter 'loss' of the ranker. Set "
        "that instead.",
    ),
    "unknown metric": (
        lambda: trees(metric="ndgc").fit(X, Y, QID),
        "metric='ndgc' is not a known metric. Known metrics: "
        + ", ".join(map(repr, sorted(METRICS)))
        + ". Did you mean 'ndcg'? A cut-off is written as in 'ndcg@10'.",
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_message(name):
    """What was expected, what came and where, and what to do."""
    run, message = INPUTS[name]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number > 0; got 0."),
        ({"learning_rate": "big"}, "learning_rate must be a number > 0; got 'big'."),
        ({"weight_decay": -1}, "weight_decay must be a number >= 0; got -1."),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1; got 0."),
        ({"batch_size": 2.5}, "batch_size must be a whole number >= 1; got 2.5."),
        ({"max_epochs": -1}, "max_epochs must be a whole number >= 0; got -1."),
        (
            {"validation_fraction": 1.5},
            "validation_fraction must be a number > 0 and <= 1; got 1.5.",
        ),
        (
            {"early_stopping": "yes"},
            "early_stopping must be one of True, False, 'auto'; got 'yes'.",
        ),
        (
            {"dtype": "half"},
            "dtype must be one of 'float32', 'float64', 'bfloat16'; got 'half'.",
        ),
        (
            {"preprocess": "minmax"},
            "preprocess must be one of 'auto', 'query', 'standard', 'log1p', None; got 'minmax'.",
        ),
    ],
)
def test_parameters_of_neural(parameters, message):
    """Parameters are checked in fit, not in __init__."""
    ranker = neural(**parameters)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(X, Y, QID)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_estimators": 0}, "n_estimators must be a whole number >= 1; got 0."),
        ({"num_leaves": 1}, "num_leaves must be a whole number >= 2; got 1."),
        ({"max_depth": -2}, "max_depth must be a whole number >= -1; got -2."),
        ({"subsample": 0.0}, "subsample must be a number > 0 and <= 1; got 0.0."),
        ({"reg_lambda": -1.0}, "reg_lambda must be a number >= 0; got -1.0."),
        (
            {"importance_type": "cover"},
            "importance_type must be one of 'split', 'gain'; got 'cover'.",
        ),
        (
            {"categorical_features": "auto"},
            "categorical_features must be 'from_dtype', a sequence of column names or "
            "indices, or None; got 'auto'.",
        ),
        (
            {"categorical_features": [7]},
            "categorical_features must be columns of X, 0 to 2; got 7.",
        ),
    ],
)
def test_parameters_of_lambdamart(parameters, message):
    """LightGBM never sees them, so its fatal text is never shown."""
    ranker = trees(**parameters)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(X, Y, QID)


@pytest.mark.parametrize("ranker", [neural(), trees()], ids=repr)
class TestShapes:
    """What scikit-learn's own checks say."""

    def test_one_dimensional_X(self, ranker):
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
            ranker.fit(X[:, 0], Y, QID)

    def test_empty_X(self, ranker):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            ranker.fit(np.empty((0, 3)), np.empty(0), np.empty(0))
        with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(60, 0\)\)"):
            ranker.fit(np.empty((N, 0)), Y, QID)

    def test_unfitted(self, ranker):
        from sklearn.base import clone

        for method in ("predict", "rank"):
            message = f"This {type(ranker).__name__} instance is not fitted yet"
            with pytest.raises(NotFittedError, match=message):
                getattr(clone(ranker), method)(X)
        with pytest.raises(NotFittedError, match=message):
            clone(ranker).score(X, Y)


NOTHING = (
    "No list has two distinct labels, so no order can be learned. Check y and qid: items "
    "that compete must share a qid."
)


@pytest.mark.parametrize("make", [neural, trees])
@pytest.mark.parametrize(
    ("y", "qid"), [(np.ones(N), QID), (Y, np.arange(N))], ids=["y", "qid"]
)
def test_nothing_to_learn(make, y, qid):
    """A warning, and a ranker that can be used all the same."""
    with pytest.warns(UserWarning, match=f"^{NOTHING}$"):
        ranker = make().fit(X, y, qid)
    assert np.isfinite(ranker.predict(X)).all()


def test_no_pairs_of_items():
    """For regression on the labels one item a list is what is too few."""
    with pytest.warns(UserWarning, match=f"^{NOTHING}$"):
        neural(loss="mse").fit(X, Y, np.arange(N))


def test_context_without_qid_warns():
    """Self-attention over so many rows at once is hardly what was meant."""
    ranker = neural(scorer="attention", hidden_layer_sizes=(4,)).fit(X, Y, QID)
    ranker.predict(X)
    message = (
        "qid is None, so all 1020 rows compete in one list, although fit was given a "
        "qid. Pass the query of each row as qid; if they really are one list, pass "
        "qid=np.zeros(len(X))."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        ranker.predict(np.repeat(X, 17, axis=0))


def test_many_rows_without_qid_warn():
    """Forgetting qid is the most common mistake."""
    big = make_ranking(300, list_size=5, n_features=3, n_informative=2, random_state=0)
    message = (
        "qid is None, so all 1500 rows compete in one list. Pass the query of each row as "
        "qid; if they really are one list, pass qid=np.zeros(len(X))."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        trees().fit(big.X, big.y)
    trees().fit(big.X, big.y, np.zeros(1500))


def test_a_failed_fit_leaves_nothing_fitted():
    """An error in fit is not followed by predictions of nothing."""
    for ranker in (neural(loss="magic"), trees(label_gain=[0, 1])):
        with pytest.raises(ValueError, match="loss='magic'|gain table"):
            ranker.fit(X, Y, QID)
        with pytest.raises(NotFittedError):
            ranker.predict(X)


def test_loss_without_where():
    """A loss must say what it does with padding."""
    with pytest.raises(TypeError, match="which has no argument where. Add it"):
        neural(loss=lambda scores, labels: scores.sum(-1)).fit(X, Y, QID)
    message = (
        "loss must be a name of ltr.losses.LOSSES or a function of its signature; "
    )
    with pytest.raises(TypeError, match=f"^{message}got None.$"):
        neural(loss=None).fit(X, Y, QID)


def test_trees_without_a_split_warn():
    """Too few rows for min_child_samples."""
    with pytest.warns(UserWarning, match="No tree has a split.*min_child_samples=40"):
        trees(min_child_samples=40).fit(X, Y, QID)


def test_rank_refuses_nan():
    """A model of NaN is not ranked by the order of the rows."""
    ranker = neural().fit(X, Y, QID)
    ranker._learned_state.params.weight[:] = np.nan
    with pytest.raises(ValueError, match="predict gave NaN at row 0"):
        ranker.rank(X, QID)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_whose_sum_overflows(dtype):
    """They are finite."""
    features = np.full((N, 3), np.finfo(dtype).max, dtype)
    assert check_dense_X(neural(), features, reset=True) is features
