"""LambdaMARTRanker: LightGBM's trees, and what LightGBM refuses."""

import copy
import pickle
import re

import jax
import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from ltr import LambdaMARTRanker
from ltr.datasets import make_ranking
from ltr.losses import lambdarank_loss as lambda_loss
from ltr.metrics import ndcg_score
from ltr.queries import group_queries
from ltr.rankers.trees.label_gains import label_gains
from ltr.rankers.trees.objectives import LambdaRankObjective, lambda_gradients

DATA = make_ranking(
    120, list_size=(5, 40), n_features=8, n_informative=5, random_state=0
)
TRAIN, TEST = DATA.train_test_split(0.3, random_state=0)
SIZES = np.bincount(TRAIN.qid)[np.unique(TRAIN.qid)]


def small(**parameters):
    parameters = {"n_estimators": 10, "n_jobs": 1, "random_state": 0} | parameters
    return LambdaMARTRanker(**parameters)


def fitted(data=TRAIN, **parameters):
    return small(**parameters).fit(data.X, data.y, data.qid)


def trees(booster):
    return booster.dump_model()["tree_info"]


def plain(y=TRAIN.y, weight=None, n=10, **params):
    """LightGBM itself, on grouped rows."""
    params = {"objective": "lambdarank", "metric": "None", "verbosity": -1} | params
    params |= {"num_threads": 1, "seed": 0}
    return lightgbm.train(
        params, lightgbm.Dataset(TRAIN.X, y, group=SIZES, weight=weight), n
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"loss": "xe_ndcg"}, {"objective": "rank_xendcg"}),
        ({"loss": "mse"}, {"objective": "regression"}),
        (
            {"num_leaves": 7, "learning_rate": 0.3, "min_child_samples": 5},
            {"num_leaves": 7, "learning_rate": 0.3, "min_data_in_leaf": 5},
        ),
        (
            {"subsample": 0.5, "subsample_freq": 1, "colsample_bytree": 0.5},
            {"bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.5},
        ),
        (
            {"truncation_level": 3, "norm": False, "reg_alpha": 0.1, "reg_lambda": 2.0},
            {
                "lambdarank_truncation_level": 3,
                "lambdarank_norm": False,
                "lambda_l1": 0.1,
                "lambda_l2": 2.0,
            },
        ),
        (
            {"max_depth": 2, "min_split_gain": 0.1, "min_child_weight": 0.5},
            {"max_depth": 2, "min_gain_to_split": 0.1, "min_sum_hessian_in_leaf": 0.5},
        ),
        ({"extra_params": {"max_bin": 15}}, {"max_bin": 15}),
    ],
)
def test_trees_equal_lightgbm(ours, theirs):
    """On grouped rows with whole labels the trees are exactly LightGBM's."""
    assert trees(fitted(**ours).booster_) == trees(plain(**theirs))


def test_weights_equal_lightgbm():
    """Row weights, and list weights as row weights."""
    weight = np.random.default_rng(0).uniform(0.5, 2, len(TRAIN.y))
    ours = small().fit(TRAIN.X, TRAIN.y, TRAIN.qid, sample_weight=weight)
    assert trees(ours.booster_) == trees(plain(weight=weight))
    per_list = 1.0 + TRAIN.qid % 3
    ours = small().fit(TRAIN.X, TRAIN.y, TRAIN.qid, query_weight=per_list)
    assert trees(ours.booster_) == trees(plain(weight=per_list))


def test_interleaved_rows():
    """Rows in any order with any ids give nearly the same ranker.

    Only LightGBM's first iteration, where all scores tie, depends on the order.
    """
    order = np.random.default_rng(0).permutation(len(TRAIN.y))
    names = np.array([f"list {q}" for q in TRAIN.qid])[order]
    shuffled = small(n_estimators=50).fit(TRAIN.X[order], TRAIN.y[order], names)
    grouped = fitted(n_estimators=50)
    a = shuffled.score(TEST.X, TEST.y, TEST.qid)
    b = grouped.score(TEST.X, TEST.y, TEST.qid)
    assert abs(a - b) < 0.04
    lists = group_queries(names, len(names))
    stable = small(n_estimators=50).fit(
        TRAIN.X[order][lists.order], TRAIN.y[order][lists.order], names[lists.order]
    )
    assert trees(stable.booster_) == trees(shuffled.booster_)


def test_real_labels_are_gains_above_the_minimum():
    """Real labels work as LightGBM with a table of y − min(y)."""
    y = np.round(TRAIN.true_scores, 2)
    ours = small(metric="spearman").fit(TRAIN.X, y, TRAIN.qid)
    values, codes = np.unique(y, return_inverse=True)
    theirs = plain(codes, label_gain=(values - values[0]).tolist())
    np.testing.assert_allclose(ours.predict(TEST.X), theirs.predict(TEST.X), rtol=1e-9)


def test_labels_above_30():
    """They take the linear gain with a warning, or any gain without one."""
    y = TRAIN.y * 20
    with pytest.warns(UserWarning, match="Labels go up to 80, where 2\\^label - 1"):
        ours = small().fit(TRAIN.X, y, TRAIN.qid)
    linear = small(label_gain="linear").fit(TRAIN.X, y, TRAIN.qid)
    assert trees(ours.booster_) == trees(linear.booster_)
    table = small(label_gain=np.arange(81.0)).fit(TRAIN.X, y, TRAIN.qid)
    assert trees(table.booster_) == trees(linear.booster_)
    small(label_gain="exp2").fit(TRAIN.X, y, TRAIN.qid)
    root = small(label_gain=np.sqrt).fit(TRAIN.X, y, TRAIN.qid)
    assert trees(root.booster_) != trees(linear.booster_)


def test_negative_labels():
    """Returns: trained by their rank in the list, scored by a correlation."""
    y = TRAIN.true_scores
    ranker = small(metric="kendall_tau").fit(TRAIN.X, y, TRAIN.qid)
    assert ranker.score(TEST.X, TEST.true_scores, TEST.qid) > 0.2
    with pytest.raises(ValueError, match="labels must be >= 0 for gain='exp2'"):
        ranker.set_params(metric="ndcg@10").score(TRAIN.X, y, TRAIN.qid)


def test_many_distinct_labels_leave_a_small_model():
    """The table of gains is dropped from the model after training."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=len(TRAIN.y))
    ranker = small(metric="spearman").fit(TRAIN.X, y, TRAIN.qid)
    assert len(ranker.booster_.model_to_string()) < 60_000
    assert not re.search(r"\[label_gain: \d", ranker.booster_.model_to_string())


@pytest.mark.parametrize("norm", [True, False])
def test_long_list_objective_equals_lightgbm(norm):
    """The NumPy objective for long lists gives LightGBM's trees on short ones."""
    queries = group_queries(TRAIN.qid, len(TRAIN.y))
    objective = LambdaRankObjective(2.0**TRAIN.y - 1, queries, None, 5, norm)
    settings = {"lambdarank_truncation_level": 5, "lambdarank_norm": norm}
    ours = plain(objective=lambda scores, _: objective(scores), n=20)
    theirs = plain(n=20, **settings)
    # LightGBM looks sigmoids up in a table, which can move a split by one row
    distance = np.abs(ours.predict(TEST.X) - theirs.predict(TEST.X))
    assert np.quantile(distance, 0.98) < 1e-3


def test_lambda_gradients_by_hand():
    """Against loops over the pairs, by LightGBM's formulas."""
    rng = np.random.default_rng(0)
    s, g = rng.normal(size=7), np.array([3.0, 1, 0, 1, 0, 7, 0])
    for truncation, norm in ((30, True), (2, True), (3, False)):
        order = np.argsort(-s)
        rank = np.empty(7, int)
        rank[order] = np.arange(7)
        best = np.sort(g)[::-1][:truncation]
        ideal = (best / np.log2(2 + np.arange(len(best)))).sum()
        gradient, hessian, total = np.zeros(7), np.zeros(7), 0.0
        for i in range(7):
            for j in range(7):
                if g[i] <= g[j] or min(rank[i], rank[j]) >= truncation:
                    continue
                delta = (g[i] - g[j]) / ideal
                delta *= abs(1 / np.log2(2 + rank[i]) - 1 / np.log2(2 + rank[j]))
                if norm:
                    delta /= 0.01 + abs(s[i] - s[j])
                p = 1 / (1 + np.exp(s[i] - s[j]))
                gradient[i] -= delta * p
                gradient[j] += delta * p
                hessian[[i, j]] += delta * p * (1 - p)
                total += 2 * delta * p
        if norm:
            gradient *= np.log2(1 + total) / total
            hessian *= np.log2(1 + total) / total
        ours = lambda_gradients(
            s[None], g[None], np.array([1 / ideal]), truncation, norm
        )
        np.testing.assert_allclose(ours[0][0], gradient, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(ours[1][0], hessian, rtol=1e-12, atol=1e-15)


def test_list_over_10000_rows():
    """LightGBM's limit on a list is lifted."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_500, 4))
    y = np.clip((X[:, 0] + 0.3 * rng.normal(size=len(X))).round() + 1, 0, 4)
    qid = np.append(np.zeros(12_000), np.repeat(np.arange(1, 51), 10))
    ranker = small(n_estimators=15).fit(X, y, qid)
    assert ranker.score(X, y, qid) > 0.9
    message = (
        "position needs queries of at most 10,000 rows, LightGBM's limit; got one of "
        "12000. Split it, or leave position out."
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        small().fit(X, y, qid, position=np.zeros(len(X)))


@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
def test_blank_lists_with_weights():
    """A blank list counts by its weight in training and not at all in the metric."""
    y = TRAIN.y.copy()
    y[TRAIN.qid % 2 == 0] = 0
    weight = np.full(len(y), 0.1)
    ranker = small(early_stopping=True).fit(TRAIN.X, y, TRAIN.qid, query_weight=weight)
    assert all(0 <= value <= 1 for value in ranker.history_["ndcg@10"])


def test_position_bias():
    """Positions reach LightGBM's model of position bias, in the order of the lists."""
    position = np.concatenate([np.arange(n) for n in SIZES])
    ours = small(position_bias_regularization=0.5)
    ours.fit(TRAIN.X, TRAIN.y, TRAIN.qid, position=position)
    theirs = lightgbm.train(
        {
            "objective": "lambdarank", "metric": "None", "verbosity": -1, "seed": 0,
            "num_threads": 1, "lambdarank_position_bias_regularization": 0.5,
        },
        lightgbm.Dataset(TRAIN.X, TRAIN.y, group=SIZES, position=position),
        10,
    )  # fmt: skip
    assert trees(ours.booster_) == trees(theirs)
    assert trees(ours.booster_) != trees(fitted().booster_)


def test_early_stopping_on_our_metric():
    """The history is our metric of every tree; the best one is kept."""
    ranker = small(
        n_estimators=200, learning_rate=0.5, n_iter_no_change=10, metric="mrr"
    )
    ranker.fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, X_val=TEST.X, y_val=TEST.y, qid_val=TEST.qid
    )
    scores = ranker.history_["mrr"]
    assert len(scores) < 200
    assert ranker.n_iter_ == np.argmax(scores) + 1
    assert ranker.best_score_ == scores[ranker.n_iter_ - 1]
    np.testing.assert_allclose(
        ranker.score(TEST.X, TEST.y, TEST.qid), ranker.best_score_
    )


def test_early_stopping_by_query():
    """True splits off lists; "auto" only stops on given ones."""
    message = (
        r"early_stopping=True chooses the number of trees by \d+ validation queries; the "
        r"metric of fewer than 50 is mostly noise. Pass X_val with more queries, raise "
        r"validation_fraction \(now 0.1\), or grow all trees with early_stopping=False."
    )
    with pytest.warns(UserWarning, match=f"^{message}$"):
        assert np.isfinite(fitted(early_stopping=True).best_score_)
    assert np.isnan(fitted(early_stopping="auto").best_score_)
    assert fitted(early_stopping="auto").history_ == {}


def test_missing_values():
    """NaN is a missing value, in fit and predict."""
    X = TRAIN.X.copy()
    X[::3, 0] = np.nan
    ranker = small().fit(X, TRAIN.y, TRAIN.qid)
    assert np.isfinite(ranker.predict(X)).all()


def test_categories_of_a_frame():
    """Category columns are codes of the categories that fit saw."""
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green", "blue"], len(TRAIN.y))
    y = (color == "green").astype(int)
    frame = pd.DataFrame({"x": TRAIN.X[:, 0], "color": pd.Categorical(color)})
    ranker = small(n_estimators=30, min_child_samples=1).fit(frame, y, TRAIN.qid)
    assert ranker.score(frame, y, TRAIN.qid) == 1.0
    new = pd.DataFrame(
        {"x": [0.0] * 3, "color": pd.Categorical(["green", "red", "violet"])}
    )
    with pytest.warns(
        UserWarning, match="1 of 3 rows have a category in column 'color'"
    ):
        scores = ranker.predict(new)
    assert scores[0] > scores[1]
    same = pd.DataFrame({"x": [0.0] * 3, "color": ["green", "red", None]})
    assert_array_equal(ranker.predict(same.astype({"color": "category"})), scores)
    with pytest.raises(ValueError, match="X must be a DataFrame because fit was given"):
        ranker.predict(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="column 'color' of X has dtype .* Convert it"):
        small().fit(frame.assign(x=pd.Categorical(color), color=color), y, TRAIN.qid)


def test_categories_by_index_and_name():
    """Whole-number columns are categorical if named so."""
    X = TRAIN.X.copy()
    X[:, 1] = np.random.default_rng(0).integers(0, 5, len(X))
    by_index = small(categorical_features=[1]).fit(X, TRAIN.y, TRAIN.qid)
    frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(8)])
    by_name = small(categorical_features=["f1"]).fit(frame, TRAIN.y, TRAIN.qid)
    assert trees(by_index.booster_) == trees(by_name.booster_)
    theirs = lightgbm.train(
        {
            "objective": "lambdarank",
            "metric": "None",
            "verbosity": -1,
            "num_threads": 1,
        },
        lightgbm.Dataset(X, TRAIN.y, group=SIZES, categorical_feature=[1]),
        10,
    )
    assert trees(by_index.booster_) == trees(theirs)
    X[3, 1] = -1
    message = (
        "categorical column 1 of X must hold whole numbers from 0 to 2\\^31 - 1, or NaN for a "
        "missing "
        "value; got -1 at row 3."
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        small(categorical_features=[1]).fit(X, TRAIN.y, TRAIN.qid)
    with pytest.raises(ValueError, match="names 'f9', which is not a column of X"):
        small(categorical_features=["f9"]).fit(frame, TRAIN.y, TRAIN.qid)


def test_sparse():
    """CSR and CSC matrices work, and give the dense ranker."""
    X = np.where(np.abs(TRAIN.X) < 0.5, 0, TRAIN.X)
    dense = small().fit(X, TRAIN.y, TRAIN.qid).predict(X)
    for convert in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
        sparse = small().fit(convert(X), TRAIN.y, TRAIN.qid).predict(convert(X))
        np.testing.assert_allclose(sparse, dense, rtol=1e-12)
    bad = scipy.sparse.csr_matrix(X)
    bad.data[0] = np.inf
    with pytest.raises(ValueError, match="got inf in a sparse matrix"):
        small().fit(bad, TRAIN.y, TRAIN.qid)


def test_warm_start_adds_trees():
    """n_estimators is the number in all; the first trees stay."""
    ranker = small(n_estimators=5, warm_start=True).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    first = trees(ranker.booster_)
    ranker.set_params(n_estimators=12).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert ranker.n_iter_ == 12
    assert trees(ranker.booster_)[:5] == first
    np.testing.assert_allclose(
        ranker.predict(TEST.X), fitted(n_estimators=12).predict(TEST.X), atol=0.05
    )
    with pytest.raises(ValueError, match="got n_estimators=12 and 12 trees"):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)


def test_copies_and_importances():
    """pickle and deepcopy predict the same; importances count splits or gain."""
    ranker = fitted()
    for copied in (pickle.loads(pickle.dumps(ranker)), copy.deepcopy(ranker)):
        assert_array_equal(copied.predict(TEST.X), ranker.predict(TEST.X))
    splits = ranker.feature_importances_
    assert splits.sum() == sum(t["num_leaves"] - 1 for t in trees(ranker.booster_))
    gain = ranker.set_params(importance_type="gain").feature_importances_
    assert gain.argmax() < 5  # an informative feature


def test_same_seed_same_result():
    """With two threads and random rows and features."""
    options = {
        "subsample": 0.5,
        "subsample_freq": 1,
        "colsample_bytree": 0.5,
        "n_jobs": 2,
    }
    assert trees(fitted(**options).booster_) == trees(fitted(**options).booster_)
    other = fitted(random_state=1, **options)
    assert trees(fitted(**options).booster_) != trees(other.booster_)


def test_verbose(capsys):
    """A line for each tree; LightGBM itself says nothing, and -1 is silence."""
    small(verbose=-1).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert capsys.readouterr().err == ""
    small(verbose=2).fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, X_val=TEST.X, y_val=TEST.y, qid_val=TEST.qid
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        f"tree {i}/10" for i in range(1, 11)
    ]
    assert "ndcg@10 0." in lines[0]


def test_label_gains():
    """The default gain by the range of the labels."""
    whole = label_gains(np.array([0.0, 2.0]), "auto")
    assert (whole.table, whole.gains.tolist()) == (None, [0.0, 3.0])
    real = label_gains(np.array([-0.5, 0.25, -0.5]), "auto")
    assert real.labels.tolist() == [0.0, 1.0, 0.0]
    assert real.table.tolist() == [0.0, 0.75]
    with pytest.raises(
        ValueError, match="gain must be one of 'exp2', 'linear', or a table"
    ):
        label_gains(np.array([1.0]), "exp")


def test_xe_ndcg_needs_whole_labels():
    """Clear errors instead of a silent cast of the labels."""
    with pytest.raises(
        ValueError, match="loss='xe_ndcg' takes whole labels from 0 to 30"
    ):
        small(loss="xe_ndcg").fit(TRAIN.X, TRAIN.y + 0.5, TRAIN.qid)


def test_pointwise_is_regression():
    """loss="mse" is LightGBM's regression; it needs no distinct labels in a list."""
    ranker = fitted(loss="mse")
    value = ndcg_score(TEST.y, ranker.predict(TEST.X), qid=TEST.qid, k=10)
    assert value > 0.6


@pytest.mark.parametrize(
    ("truncation", "norm", "gradient", "hessian"),
    [
        (
            30,
            True,
            [-0.314345447065, 0.044760288484, 0.026485511709, 0.094881699348, 0.148217947524],
            [0.155241457043, 0.046944700073, 0.022600121235, 0.087475924988, 0.092243997381],
        ),
        (
            30,
            False,
            [-0.212675044453, 0.049659753878, 0.044399276021, 0.037897720192, 0.080718294361],
            [0.107108684537, 0.044852701989, 0.038483880503, 0.091591323144, 0.053587265170],
        ),
        (
            2,
            False,
            [-0.224632768752, 0.058832059545, 0.045367831180, 0.040028531970, 0.080404346056],
            [0.113130905540, 0.044488447272, 0.039593500300, 0.096741075402, 0.054768263176],
        ),
    ],
)  # fmt: skip
def test_lambda_gradients_golden(truncation, norm, gradient, hessian):
    """LightGBM's own, from an independent program; with norm off, those of the loss."""
    s, y = np.array([1.2, 0.3, -0.5, 2.0, 0.8]), np.array([3.0, 1, 0, 2, 0])
    gains = 2.0**y - 1
    best = np.sort(gains)[::-1][:truncation]
    ideal = best @ (1 / np.log2(2.0 + np.arange(len(best))))
    found = lambda_gradients(
        s[None], gains[None], np.array([1 / ideal]), truncation, norm
    )
    np.testing.assert_allclose(found[0][0], gradient, atol=1e-11)
    np.testing.assert_allclose(found[1][0], hessian, atol=1e-11)
    if not norm and truncation == 30:
        with jax.enable_x64(True):
            of_loss = jax.grad(lambda_loss)(s, y)
        np.testing.assert_allclose(of_loss, gradient, atol=1e-11)


def test_50_validation_queries_are_enough():
    """No warning then (warnings are errors here), whoever takes them."""
    X, qid = np.arange(200.0)[:, None] % 7, np.arange(200) // 2
    y = np.arange(200) % 2
    small(early_stopping=True, validation_fraction=0.5).fit(X, y, qid)
    with pytest.warns(UserWarning, match="by 49 validation queries"):
        small(early_stopping=True, validation_fraction=0.49).fit(X, y, qid)
