"""Weights of queries: in means, intervals and tests, and what is refused."""

import re
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from ltr import metrics as m

Y = np.array([2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
S = np.array([0.1, 0.9, 0.5, 0.2, 0.6, 0.3, 0.8, 0.4])
QID = np.array(["a", "b", "a", "b", "c", "b", "c", "d"])  # "b" and "d" are blank
OF_QUERY = {"a": 3.0, "b": 5.0, "c": 1.0, "d": 0.0}
W = np.array([OF_QUERY[q] for q in QID])


@pytest.mark.parametrize("empty", ["skip", 0, 1])
def test_mean_by_hand(empty):
    """Σ w m / Σ w over the queries that count, blank ones as ``empty`` says."""
    value = m.ndcg_score(Y, S, qid=QID, empty=empty, query_weight=W)
    a = (1.0 + 3.0 / np.log2(3)) / (3.0 + 1.0 / np.log2(3))
    c = 1.0 / np.log2(3)
    blank = 0.0 if empty == "skip" else 5.0 * empty
    total = 4.0 if empty == "skip" else 9.0
    assert value == pytest.approx((3.0 * a + c + blank) / total, rel=1e-14)
    ndcg = m.get_metric("ndcg", empty=empty)
    assert ndcg(Y, S, QID, query_weight=W) == value
    table = m.evaluate(Y, S, QID, ["ndcg"], empty=empty, query_weight=W)
    assert table.loc["ndcg", "mean"] == value
    assert table.loc["ndcg", "n_lists"] == (2 if empty == "skip" else 3)


def test_geometric_mean():
    """Weights are exponents."""
    a, c = m.average_precision_score(Y, S, qid=QID, per_query=True)[[0, 2]]
    value = m.get_metric("gm_map")(Y, S, QID, query_weight=W)
    assert value == pytest.approx((a**3 * c) ** (1 / 4), rel=1e-14)


def test_query_of_weight_zero_is_not_there():
    """ERR is relative to the largest label, which such a query does not have."""
    y, s, qid = np.append(Y, 4.0), np.append(S, 0.0), np.append(QID, "e")
    for metric in ("err", "ndcg", "map"):
        without = m.get_metric(metric)(Y, S, QID, query_weight=W)
        weighted = m.get_metric(metric)(y, s, qid, query_weight=np.append(W, 0.0))
        assert weighted == without, metric
        tables = [
            m.evaluate(Y, S, QID, metric, query_weight=W),
            m.evaluate(y, s, qid, metric, query_weight=np.append(W, 0.0)),
        ]
        assert tables[0].equals(tables[1]), metric
    docids = np.array([f"d{i}" for i in range(len(y))])
    tied = partial(m.ndcg_score, ties="trec")
    assert tied(Y, 0 * S, qid=QID, docids=docids[:-1], query_weight=W) == tied(
        y, 0 * s, qid=qid, docids=docids, query_weight=np.append(W, 0.0)
    )


@given(
    queries=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=5,
    ).filter(lambda queries: any(weight for _, weight in queries))
)
def test_evaluate_repeats_queries(queries):
    """Integer weights are repetitions, also of queries that are left out."""
    rows = [(y, s, q, w) for q, (items, w) in enumerate(queries) for y, s in items]
    copies = [
        (y, s, (q, copy))
        for q, (items, w) in enumerate(queries)
        for copy in range(w)
        for y, s in items
    ]
    y, s, qid, weight = map(list, zip(*rows, strict=True))
    names = ["ndcg@2", "map", "gm_map", "mrr"]
    weighted = m.evaluate(y, s, qid, names, query_weight=weight)["mean"]
    repeated = m.evaluate(*map(list, zip(*copies, strict=True)), names)["mean"]
    np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


def test_own_functions():
    """Weighted query by query by evaluate; else they have to take the weights."""

    def top(y_true, y_score, qid):
        return np.mean([y_true[qid == q][y_score[qid == q].argmax()] for q in set(qid)])

    def weighted_top(y_true, y_score, qid, query_weight=None):
        weight = np.ones(len(qid)) if query_weight is None else query_weight
        ids = sorted(set(qid))
        values = [y_true[qid == q][y_score[qid == q].argmax()] for q in ids]
        return np.average(values, weights=[weight[qid == q][0] for q in ids])

    table = m.evaluate(Y, S, QID, top, query_weight=W)
    assert table["mean"].to_dict() == {"top": pytest.approx(3 / 9)}
    assert m.get_metric(weighted_top)(Y, S, QID, query_weight=W) == pytest.approx(3 / 9)
    assert m.get_metric(weighted_top)(Y, S, QID) == 0.25
    message = (
        "metric 'top' returns one number for all queries, so query_weight cannot "
        "weight them. Let the function take query_weight=None, the weight of each "
        "row's query, or declare a kernel with @ltr.metrics.ranking_metric()."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.get_metric(top)(Y, S, QID, query_weight=W)


CONSTANT = (
    "query_weight must be constant within a query; got 3 and 9 (row 2) for qid 'a'. "
)
CURES = {
    "X": "Use sample_weight to weight rows.",
    "y_true": "Give all rows of a query the same weight.",
}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            np.where(np.arange(8) == 3, -1.0, W),
            "query_weight must be >= 0; got -1 at row 3. A weight says how often a "
            "query counts.",
        ),
        (
            np.where(QID == "c", np.nan, W),
            "query_weight must be finite; got NaN at row 4. Drop such rows or give them "
            "a weight.",
        ),
        (
            np.where(QID == "c", np.inf, W),
            "query_weight must be finite; got inf at row 4. Drop such rows or give them "
            "a weight.",
        ),
        (
            0 * W,
            "query_weight must have at least one weight above zero; got only zeros.",
        ),
        (
            W[:7],
            "query_weight must have one weight per row of {}; got 7 weights for 8 rows.",
        ),
        (
            W[[0, 1, 4, 7]],
            "query_weight must have one weight per row of {}; got one per query, 4 "
            "weights for 8 rows. Repeat the weight of a query for each of its rows.",
        ),
        (np.where(np.arange(8) == 2, 9.0, W), CONSTANT),
        (
            ["x"] * 8,
            "query_weight must hold numbers; got dtype <U1. Encode weights as numbers.",
        ),
        (
            {"a": 3.0, "b": 1.0, "c": 2.0},
            "query_weight must have one weight per row of {}; got a dict. Look up the "
            "weight of each row's query: [query_weight[query] for query in qid].",
        ),
        (
            scipy.sparse.csr_matrix(W),
            "query_weight must be one-dimensional with one weight per row of {}; got a "
            "sparse matrix. Pass query_weight.toarray().ravel().",
        ),
        (
            iter(W),
            "query_weight must be one-dimensional with one weight per row of {}; got an "
            "iterator. Pass a list or an array.",
        ),
    ],
)
def test_messages(weights, message):
    """One check for metrics, evaluate and fit, in full."""
    from ltr import LambdaMARTRanker

    calls = {
        "y_true": [
            lambda: m.ndcg_score(Y, S, qid=QID, query_weight=weights),
            lambda: m.evaluate(Y, S, QID, query_weight=weights),
            lambda: m.get_metric("map")(Y, S, QID, query_weight=weights),
        ],
        "X": [
            lambda: LambdaMARTRanker().fit(np.c_[S, Y], Y, QID, query_weight=weights),
        ],
    }
    for rows_of, all_calls in calls.items():
        cure = CURES[rows_of] if message == CONSTANT else ""
        for call in all_calls:
            text = re.escape(message.replace("{}", rows_of) + cure)
            with pytest.raises(ValueError, match=f"^{text}$"):
                call()


def test_values_per_query_have_no_weights():
    """They are what is averaged."""
    message = (
        "query_weight weights a mean over queries; got per_query=True, which asks for "
        "the values before the mean. Leave one of them out."
    )
    for call in (
        lambda: m.ndcg_score(Y, S, qid=QID, query_weight=W, per_query=True),
        lambda: m.evaluate(Y, S, QID, query_weight=W, per_query=True),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()


def test_no_weighted_query_counts():
    """The warning says that the others have no weight."""
    message = (
        "The mean is not defined and nan is returned: no list of positive weight has a "
        "relevant item. Pass empty=0 or empty=1 to count such lists."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        value = m.ndcg_score(Y, S, qid=QID, query_weight=np.where(QID == "b", 1.0, 0.0))
    assert np.isnan(value)


@pytest.mark.parametrize("n", [4, 60])
def test_interval_is_that_of_resampling(n):
    """Queries are drawn, and bring their weights."""
    rng = np.random.default_rng(n)
    values, weights = rng.exponential(size=n), rng.exponential(size=n)
    draws = rng.integers(n, size=(40_000, n))
    drawn = weights[draws]
    means = (drawn * values[draws]).sum(axis=1) / drawn.sum(axis=1)
    ends = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    interval = partial(m.bootstrap_interval, query_weight=weights)
    np.testing.assert_allclose(interval(values), ends, atol=0.06 * means.std())
    # neither the unit of the weights nor a query that does not count matters
    more = m.bootstrap_interval(
        np.append(values, [9.0, np.nan]), query_weight=7e9 * np.append(weights, [0, 50])
    )
    np.testing.assert_allclose(more, interval(values), rtol=1e-6)
    equal = m.bootstrap_interval(values, query_weight=np.full(n, 0.3))
    assert equal == m.bootstrap_interval(values)


def test_tests_of_weighted_differences():
    """Equal weights change nothing; p-values are uniform if nothing differs."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 25))
    weights = rng.integers(1, 5, size=25).astype(float)
    for test in (m.paired_t_test, m.paired_randomization_test, m.effect_size):
        assert test(a, b, query_weight=np.full(25, 4.0)) == pytest.approx(test(a, b))
        out = np.append(a, 50.0), np.append(b, 0.0)
        weighted = test(a, b, query_weight=weights)
        assert test(*out, query_weight=np.append(3 * weights, 0)) == pytest.approx(
            weighted
        )
        assert weighted != pytest.approx(test(a, b))
    p_values = [
        m.paired_t_test(
            rng.normal(size=30),
            rng.normal(size=30),
            query_weight=rng.exponential(size=30),
        )
        for _ in range(400)
    ]
    assert 0.06 <= np.mean(np.array(p_values) < 0.1) <= 0.16


def test_other_names_of_weights():
    """What scikit-learn's users type is answered with the right name."""
    with pytest.raises(TypeError) as caught:
        m.evaluate(Y, S, QID, sample_weight=W)
    assert str(caught.value).startswith(
        "'sample_weight' is not an option of any metric. Known options: "
    )
    assert str(caught.value).endswith(
        " Pass the weight of each row's query as query_weight."
    )
