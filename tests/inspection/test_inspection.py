"""Explanations: sums that hold, known models that are found, words that read well."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr import (
    AutoRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
    VotingRanker,
)
from ltr.datasets import make_ranking
from ltr.inspection import (
    contributions,
    explain_pair,
    partial_dependence,
    permutation_importance,
)
from ltr.inspection.tables import text_table
from ltr.metrics import bootstrap_interval, ndcg_score
from ltr.plotting import ContributionsDisplay
from ltr.rankers.neural.scaling import fit_scaling
from ltr.rankers.neural.training import LearnedState

DATA = make_ranking(
    24, list_size=(4, 16), n_features=6, n_informative=4, random_state=0
)
TREES = {"n_estimators": 10, "num_leaves": 8, "min_child_samples": 3, "n_jobs": 1}
MEMBERS = [
    ("trees", LambdaMARTRanker(**TREES, random_state=0)),
    ("linear", LinearRanker()),
    ("constant", RandomRanker()),
]


def neural(scorer, preprocess):
    """A neural ranker with drawn weights, as after a fit: nothing is compiled."""
    ranker = NeuralRanker(scorer=scorer, preprocess=preprocess, hidden_layer_sizes=(8,))
    rng, model = np.random.default_rng(0), ranker.make_scorer()

    def draw(form):
        if hasattr(form, "_fields"):
            return type(form)(*map(draw, form))
        if isinstance(form, (dict, tuple, list)):
            items = form.items() if isinstance(form, dict) else enumerate(form)
            parts = {key: draw(part) for key, part in items}
            return parts if isinstance(form, dict) else tuple(parts.values())
        return rng.normal(size=form.shape).astype(np.float32)

    ranker.n_features_in_, ranker._column_names = 6, None
    ranker._fitted_with_qid = True
    scaling = fit_scaling(DATA.X, None, preprocess)
    ranker._learned_state = LearnedState(model, draw(model.outline(6)), scaling)
    return ranker


RANKERS = {
    "trees": LambdaMARTRanker(**TREES, random_state=0),
    "linear": LinearRanker(preprocess="log1p"),
    "within lists": LinearRanker(preprocess="query"),
    "raw": LinearRanker(preprocess=None),
    "voting": VotingRanker(MEMBERS, weights=[1, 2, 3]),
    "range": VotingRanker(MEMBERS, normalize="minmax"),
    "stacking": StackingRanker(MEMBERS, cv=2),
    "auto": AutoRanker(members=("linear", "lambdamart"), random_state=0),
    "constant": RandomRanker(),
    "neural linear": neural("linear", "standard"),
    "mlp": neural("mlp", "standard"),
    "wide and deep": neural("wide_deep", "query"),
    "attention": neural("attention", "standard"),
}


@pytest.fixture(scope="module")
def rankers():
    """All of them, fitted."""
    return {
        name: ranker
        if isinstance(ranker, NeuralRanker)
        else ranker.fit(DATA.X, DATA.y, DATA.qid)
        for name, ranker in RANKERS.items()
    }


@pytest.mark.parametrize("name", RANKERS)
def test_contributions_sum_to_scores(rankers, name):
    """Baseline and contributions are the score, to 1e-9; so is the difference of a pair."""
    ranker = rankers[name]

    @settings(max_examples=1 if name == "attention" else 5)
    @given(st.integers(0, 2**32 - 1))
    def law(seed):
        rng = np.random.default_rng(seed)
        X = DATA.X + rng.normal(size=DATA.X.shape)
        query = rng.choice(DATA.qid)
        rows = rng.choice(np.flatnonzero(DATA.qid == query), 2, replace=False)
        options = {"n_permutations": 4, "random_state": 0}
        shares = contributions(ranker, X, DATA.qid, rows=rows, **options)
        scores = ranker.predict(X, DATA.qid)[rows]
        total = shares.baseline + shares.values.sum(axis=1)
        np.testing.assert_allclose(total, scores, rtol=0, atol=1e-9)
        np.testing.assert_allclose(shares.scores, scores, rtol=0, atol=1e-9)
        is_sampled = name in ("mlp", "wide and deep", "attention")
        assert shares.is_exact == (not is_sampled)
        explanation = explain_pair(ranker, X, *rows.tolist(), DATA.qid, **options)
        gap = explanation.values.sum() - (scores[0] - scores[1])
        assert abs(gap) < 1e-9
        assert abs(explanation.difference - (scores[0] - scores[1])) < 1e-9

    law()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_an_additive_model_is_found(seed):
    """f(x) = Σ fⱼ(xⱼ): each feature contributes fⱼ(xⱼ) − fⱼ(0), without an error."""
    rng = np.random.default_rng(seed)
    ranker = neural("mlp", None)
    hidden, output = ranker._learned_state.params
    # each hidden unit reads one feature only, so that the network is additive
    mask = np.zeros(hidden.weight.shape)
    mask[rng.integers(0, 6, 8), np.arange(8)] = 1.0
    weight = rng.normal(size=mask.shape) * mask
    bias = rng.normal(size=8)
    layer = hidden._replace(weight=weight, bias=bias)
    ranker._learned_state = ranker._learned_state._replace(params=(layer, output))
    X = rng.normal(size=(3, 6))
    shares = contributions(ranker, X, n_permutations=2, random_state=0)
    out = np.asarray(output.weight, dtype=np.float64)[:, 0]
    units = np.maximum(X[:, :, None] * weight + bias, 0) - np.maximum(bias, 0)
    expected = (units * mask * out).sum(axis=2)
    np.testing.assert_allclose(shares.values, expected, rtol=0, atol=1e-12)
    assert shares.errors.max() < 1e-12


def test_shapley_values_of_an_interaction():
    """Sampled values are within their errors of those over all orders."""
    from itertools import permutations

    ranker = neural("mlp", None)
    X = DATA.X[:1]
    shares = contributions(ranker, X, n_permutations=400, random_state=0)
    values = []
    for order in permutations(range(6)):
        path = np.zeros((7, 6))
        for step, feature in enumerate(order):
            path[step + 1] = path[step]
            path[step + 1, feature] = X[0, feature]
        gains = np.diff(ranker.predict(path))
        values.append(gains[np.argsort(order)])
    errors = np.abs(shares.values[0] - np.mean(values, axis=0))
    assert (errors <= 4 * shares.errors[0] + 1e-12).all()
    assert (shares.errors > 0).any()


def test_linear_contributions():
    """Weight times standardized feature; the baseline is the mean item."""
    ranker = LinearRanker(preprocess="standard").fit(DATA.X, DATA.y, DATA.qid)
    z = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0)
    shares = contributions(ranker, DATA.X, DATA.qid)
    np.testing.assert_allclose(shares.values, z * ranker.coef_, atol=1e-12)
    assert (shares.baseline == 0).all()
    assert (shares.method, shares.features[:2]) == ("linear", ["f0", "f1"])


@pytest.mark.parametrize(
    ("normalize", "spread"), [("zscore", np.std), ("minmax", np.ptp)]
)
def test_contributions_of_a_blend(normalize, spread):
    """Weighted contributions of the members, each over its spread in the list."""
    members = [("linear", LinearRanker()), ("within", LinearRanker(preprocess="query"))]
    blend = VotingRanker(members, weights=[1, 3], normalize=normalize)
    blend.fit(DATA.X, DATA.y, DATA.qid)
    shares = contributions(blend, DATA.X, DATA.qid)
    linear, within = (contributions(m, DATA.X, DATA.qid) for m in blend.rankers_)
    for query in np.unique(DATA.qid):
        rows = DATA.qid == query
        expected = 0.25 * linear.values[rows] / spread(linear.scores[rows])
        expected += 0.75 * within.values[rows] / spread(within.scores[rows])
        np.testing.assert_allclose(shares.values[rows], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("permute", ["rows", "lists"])
def test_importance(permute):
    """A feature that the ranker does not read loses nothing; the one it reads, all."""
    rng = np.random.default_rng(0)
    qid = np.repeat(np.arange(40), 10)
    X = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    y = np.digitize(X["a"], [0.0, 1.0])
    ranker = SingleFeatureRanker().fit(X, y, qid)
    importance = permutation_importance(
        ranker, X, y, qid, n_repeats=3, permute=permute, random_state=0
    )
    assert importance.features == ["a", "b"]
    assert importance.mean[1] == 0.0
    assert importance.intervals[1].tolist() == [0.0, 0.0]
    low, high = importance.intervals[0]
    assert 0.1 < low < importance.mean[0] < high
    assert importance.score == ndcg_score(y, X["a"], qid=qid, k=10)
    assert importance.metric == "ndcg@10"
    assert importance.importances.shape == (2, 3)
    by_map = permutation_importance(ranker, X, y, qid, metric="map", random_state=0)
    assert by_map.metric == "map"


def test_importance_within_lists_keeps_levels():
    """A feature that is constant in each list loses nothing within lists."""
    X = np.column_stack([DATA.X[:, 0], DATA.qid.astype(float)])
    ranker = LambdaMARTRanker(**TREES, random_state=0).fit(X, DATA.y, DATA.qid)
    within = permutation_importance(
        ranker, X, DATA.y, DATA.qid, permute="lists", random_state=0
    )
    over = permutation_importance(ranker, X, DATA.y, DATA.qid, random_state=0)
    assert within.mean[1] == 0.0
    assert over.mean[1] != 0.0


@pytest.mark.parametrize("name", ["trees", "within lists", "voting"])
def test_dependence(rankers, name):
    """Scores and ranks are those of predict with one value replaced."""
    ranker = rankers[name]
    dependence = partial_dependence(
        ranker, DATA.X, 2, DATA.qid, grid=4, n_items=3, random_state=0
    )
    scores = ranker.predict(DATA.X, DATA.qid)
    for i, row in enumerate(dependence.rows):
        for j, value in enumerate(dependence.grid):
            X = DATA.X.copy()
            X[row, 2] = value
            changed = ranker.predict(X, DATA.qid)
            rank = ranker.rank(X, DATA.qid)[row]
            ties = (changed == changed[row]) & (DATA.qid == DATA.qid[row])
            expected = changed[row] - scores[row]
            np.testing.assert_allclose(dependence.changes[i, j], expected, atol=1e-12)
            assert dependence.ranks[i, j] == rank + (ties.sum() - 1) / 2
    np.testing.assert_array_equal(dependence.mean_rank, dependence.ranks.mean(axis=0))


def test_dependence_on_a_category():
    """A column of category dtype has its categories as the grid."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"color": rng.choice(["red", "blue", "green"], 200)})
    X = X.astype("category").assign(size=rng.normal(size=200))
    qid = np.repeat(np.arange(20), 10)
    y = (X["color"] == "red").to_numpy() * 2
    ranker = LambdaMARTRanker(**TREES, random_state=0).fit(X, y, qid)
    dependence = partial_dependence(ranker, X, "color", qid, n_items=10, random_state=0)
    assert dependence.grid.tolist() == ["blue", "green", "red"]
    assert dependence.mean_rank.argmin() == 2


def test_words():
    """The text names scores, the largest contributions on both sides, and the rest."""
    X = pd.DataFrame(
        {"clicks": [5.0, 2.0, 1.0], "price": [9.0, 4.0, 2.0], "age": [1.0, 1.0, 1.0]}
    )
    ranker = LinearRanker(alpha=0.1, preprocess=None).fit(X, [2, 1, 0])
    explanation = explain_pair(ranker, X, 0, 2, names=("the shoe", "the boot"))
    assert str(explanation) == (
        "the shoe ranks above the boot: its score is 2.99 against 0.686. In favor of "
        "the shoe: price (9 against 2) adds 3.08. In favor of the boot: clicks (5 "
        "against 1) adds 0.771. The other feature shifts the difference by 0."
    )
    reverse = explain_pair(ranker, X, 2, 0)
    assert str(reverse).startswith("Item 2 ranks below item 0: its score is 0.686 ")
    np.testing.assert_array_equal(reverse.values, -explanation.values)
    tie = dataclasses.replace(explanation, difference=0.0)
    assert "the shoe ties with the boot" in str(tie)
    sampled = dataclasses.replace(explanation, errors=np.array([0.0, 0.25, 0.0]))
    assert str(sampled).endswith("estimates, with standard errors up to 0.25.")


def test_missing_values_and_categories_in_words():
    """Values read as they stand in the table."""
    X = pd.DataFrame({"color": ["red", "blue"] * 20, "size": [1.0, np.nan] * 20})
    X = X.astype({"color": "category"})
    y, qid = np.tile([1, 0], 20), np.repeat(np.arange(10), 4)
    options = {"min_data_per_group": 1, "cat_smooth": 0.0}
    ranker = LambdaMARTRanker(**TREES, extra_params=options).fit(X, y, qid)
    text = str(explain_pair(ranker, X, 0, 1, qid))
    assert "color (red against blue)" in text or "size (1 against missing)" in text


def test_missing_values_of_nullable_columns():
    """pandas' NA is neither equal nor unequal to itself; it is missing all the same."""
    color = pd.array(["red", pd.NA] * 20, dtype="string")
    X = pd.DataFrame({"size": pd.array([1, pd.NA] * 20, dtype="Int64")})
    X = X.assign(color=pd.Categorical(color))
    y, qid = np.tile([1, 0], 20), np.repeat(np.arange(10), 4)
    ranker = LambdaMARTRanker(**TREES).fit(X, y, qid)
    assert "size (1 against missing)" in str(explain_pair(ranker, X, 0, 1, qid))
    dependence = partial_dependence(ranker, X, "color", qid, n_items=2)
    assert dependence.grid.tolist() == ["red"]
    display = ContributionsDisplay(contributions(ranker, X, qid, rows=[1]))
    assert display.labels == ["size = missing"]


def test_results_print_as_tables():
    """Not as arrays of every query and item: short, the most important first."""
    X = pd.DataFrame({"noise": [0.0, 0.0] * 9, "price": [3.0, 1.0] * 9})
    y, qid = [1, 0] * 9, np.repeat(np.arange(9), 2)
    ranker = LinearRanker(alpha=0.0, preprocess=None).fit(X, y, qid)
    importance = permutation_importance(ranker, X, y, qid, random_state=0)
    lines = str(importance).splitlines()
    assert lines[0] == "ndcg@10 1.0000, and what it loses without"
    assert lines[1].split() == ["mean", "low", "high"]
    assert [line.split()[0] for line in lines[2:]] == ["price", "noise"]
    assert lines[3].split()[1:] == ["0.0000"] * 3
    dependence = partial_dependence(ranker, X, "price", qid, grid=[0.0, 9.0])
    assert str(dependence) == (
        "price, means of 18 items\n  change of score   rank\n"
        "0         -2.0000 2.0000\n9          7.0000 1.0000"
    )
    shares = contributions(ranker, X, qid, rows=[0, 1])
    assert repr(shares) == (
        "      baseline  noise  price  score\n"
        "row 0   0.0000 0.0000 3.0000 3.0000\n"
        "row 1   0.0000 0.0000 1.0000 1.0000"
    )
    long = text_table(np.zeros((100, 20)), [f"r{i}" for i in range(100)], ["c"] * 20)
    lines = long.splitlines()
    assert (len(lines), len(lines[1].split())) == (62, 14)
    assert (lines[30][:3], lines[31][0], lines[32][:3]) == ("r29", "…", "r70")


def test_messages(rankers):
    """What was expected, what came, what to do."""
    X, qid = DATA.X, DATA.qid
    linear = rankers["linear"]
    other = int(np.flatnonzero(qid != qid[0])[0])
    with pytest.raises(ValueError, match="of different queries do not compete"):
        explain_pair(linear, X, 0, other, qid)
    with pytest.raises(ValueError, match="got 1 and 1, the same row"):
        explain_pair(linear, X, 1, 1, qid)
    with pytest.raises(ValueError, match=r"rows must be numbers of rows of X, 0 to"):
        contributions(linear, X, qid, rows=[-1])
    with pytest.raises(ValueError, match=r"number, 0 to 5; got 'price'\."):
        partial_dependence(linear, X, "price", qid)
    from scipy.sparse import csr_matrix

    with pytest.raises(ValueError, match="got a sparse matrix"):
        permutation_importance(linear, csr_matrix(X), DATA.y, qid)
    ranks = VotingRanker(MEMBERS, normalize="rank").fit(X, DATA.y, qid)
    with pytest.raises(ValueError, match="ranks are not sums over features"):
        contributions(ranks, X, qid)
    feature = SingleFeatureRanker().fit(X, DATA.y, qid)
    with pytest.raises(ValueError, match="got SingleFeatureRanker, whose scores"):
        contributions(feature, X, qid)


def test_tables_without_rows_or_values(rankers):
    """No rows have no contributions; the others say what is missing."""
    X, y, qid = DATA.X, DATA.y, DATA.qid
    blend = VotingRanker(MEMBERS).fit(X, y, qid)
    assert contributions(blend, X[:0], qid[:0]).values.shape == (0, X.shape[1])
    linear, missing = rankers["linear"], np.where(np.arange(X.shape[1]) == 0, np.nan, X)
    for call, message in (
        (
            lambda: partial_dependence(linear, missing, 0, qid),
            "X must have values of feature 'f0'; all are missing. Pass grid=, the values "
            "to try.",
        ),
        (
            lambda: partial_dependence(linear, X[:0], 0),
            "X must have at least one row; got none.",
        ),
        (
            lambda: permutation_importance("linear", X, y, qid),
            "ranker must be a fitted estimator with predict; got str.",
        ),
        (
            lambda: permutation_importance(linear, X, y[:5], qid),
            f"y must have one label per row of X; got 5 labels for {len(X)} rows.",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()


def test_importance_of_weighted_queries():
    """A query of weight 0 is not there; the values of the others are averaged."""
    ids, codes = np.unique(DATA.qid, return_inverse=True)
    weight = (np.arange(len(ids)) % 3).astype(float)
    ranker = LinearRanker().fit(DATA.X, DATA.y, DATA.qid)
    options = {"n_repeats": 2, "random_state": 0}
    plain = permutation_importance(ranker, DATA.X, DATA.y, DATA.qid, **options)
    weighted = permutation_importance(
        ranker, DATA.X, DATA.y, DATA.qid, **options, query_weight=weight[codes]
    )
    np.testing.assert_array_equal(weighted.drops, plain.drops)
    of_query = weight[codes[np.sort(np.unique(DATA.qid, return_index=True)[1])]]
    assert not np.isnan(plain.drops).any()
    np.testing.assert_allclose(
        weighted.mean, np.average(plain.drops, axis=1, weights=of_query)
    )
    interval = bootstrap_interval(plain.drops[0], query_weight=of_query)
    assert tuple(weighted.intervals[0]) == pytest.approx(interval)
    assert weighted.score != pytest.approx(plain.score)
