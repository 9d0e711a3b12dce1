"""Metrics: values, options, and agreement with other libraries."""

import re
import warnings

import numpy as np
import pytest
from support.strategies import each_list, ragged

from ltr import metrics as m


def golden_lists():
    """Two orders of four items, and the first one reversed."""
    return [4, 3, 2, 1], [3, 4, 2, 1], [1, 2, 3, 4]


def test_overlap_by_hand():
    """The values of other programs: AO .75 and .4166667, RBO as Webber's program."""
    gold, near, reverse = golden_lists()
    assert m.average_overlap_score(gold, near) == 0.75
    np.testing.assert_allclose(m.average_overlap_score(gold, reverse), 0.4166667)
    agreement = np.array([0.0, 1.0, 1.0, 1.0])
    p = 0.9
    finite = (1 - p) * (agreement * p ** np.arange(4)).sum()
    value = lambda **o: m.rbo_score(gold, near, persistence=p, **o)
    np.testing.assert_allclose(value(extrapolate=False), finite)
    np.testing.assert_allclose(value(), finite + p**4)
    np.testing.assert_allclose(value(k=2), (1 - p) * p + p**2)
    assert m.rbo_score(gold, gold) == 1.0


def test_tau_ap_by_hand():
    """Yilmaz's definition: the share of items above each rank that belong there."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        y, s = rng.permutation(7), rng.permutation(7)
        ranked = y[np.argsort(-s)]
        share = [(ranked[:i] > ranked[i]).mean() for i in range(1, 7)]
        np.testing.assert_allclose(m.tau_ap_score(y, s), 2 * np.mean(share) - 1)


def test_information_coefficient_is_pearsons():
    """Of each list; a constant score has none."""
    y, s, qid = ragged()
    ours = m.information_coefficient_score(y, s, qid=qid, per_query=True)
    for value, (a, b) in zip(ours, each_list(y, s, qid), strict=True):
        if len(set(a)) > 1 and len(set(b)) > 1:
            np.testing.assert_allclose(value, np.corrcoef(a, b)[0, 1], atol=1e-12)
    assert m.information_coefficient_score([1, 2], [0.1, 0.1]) == 0.0
    with pytest.raises(ValueError, match="Use spearman_score"):
        m.information_coefficient_score([1, 2], [0, np.inf])


def test_counts_by_hand():
    """Hits, success, R-precision, capped recall and bpref."""
    y, s = [0, 1, 0, 1, 1, -1], [6, 5, 4, 3, 2, 1]
    assert m.hits_score(y, s, k=4) == 2.0
    assert [m.success_score(y, s, k=k) for k in (1, 2)] == [0.0, 1.0]
    assert m.r_precision_score(y, s) == 1 / 3
    recall = lambda **o: m.normalized_recall_score(y, s, k=2, **o)
    assert (recall(), recall(cap=True)) == (1 / 3, 1 / 2)
    np.testing.assert_allclose(m.bpref_score(y, s), (1 - 1 / 2 + 0 + 0) / 3)
    assert m.auc_score(y, s) == 4 / 9


def test_sets_by_hand():
    """F, capped recall, judged documents, counts."""
    y, s = [0, 1, 0, 1, 1, -1], [6, 5, 4, 3, 2, 1]
    assert m.f_score(y, s, k=2) == pytest.approx(2 * 0.5 / 3 / (0.5 + 1 / 3))
    assert m.f_score(y, s, k=2, beta=2) == pytest.approx(5 * 0.5 / 3 / (2 + 1 / 3))
    assert m.recall_score(y, s, k=2, cap=True) == 1 / 2
    assert m.recall_score(y, s, cap=True) == 1.0
    assert m.judged_score(y, s) == 5 / 6
    assert m.judged_score(y, s, k=10) == 5 / 6
    assert m.judged_score([0, -1], [1, 1], k=1) == 1 / 2
    assert (m.n_returned_score(y, s), m.n_relevant_score(y, s)) == (6, 3)


def slow_interpolated(y, s, recall):
    """The definition, rank by rank."""
    ranked = [y[i] > 0 for i in sorted(range(len(y)), key=lambda i: -s[i])]
    needed = int(recall * sum(ranked) + 0.5)
    points = [(sum(ranked[:r]), r) for r in range(1, len(y) + 1)]
    return max((n / r for n, r in points if n >= needed), default=0.0)


def test_interpolated_precision():
    """Every point of the curve; a tie group is a straight piece of it."""
    y, s, qid = ragged(ties=False)
    for recall in (0.0, 0.1, 0.3, 0.5, 0.77, 1.0):
        expected = [slow_interpolated(a, b, recall) for a, b in each_list(y, s, qid)]
        ours = m.interpolated_precision_score(
            y, s, qid=qid, recall=recall, empty=0, per_query=True
        )
        np.testing.assert_allclose(ours, expected, rtol=1e-12)
    levels = m.interpolated_precision_score
    curve = [levels(y, s, qid=qid, recall=i / 10) for i in range(11)]
    assert levels(y, s, qid=qid) == pytest.approx(np.mean(curve))
    assert levels([1, 0, 1, 0], [1, 1, 1, 1], recall=0.1) == 1 / 2
    assert levels([0, 1, 0, 0], [2, 1, 1, 1], recall=1) == pytest.approx(1 / 4)


def test_geometric_means():
    """Poor lists count; 0 is 1e-5; the interval is that of the logarithms."""
    y, s, qid = [1, 0, 0, 1, 0, 1], [2, 1, 2, 1, 2, 1], [1, 1, 2, 2, 3, 3]
    assert m.evaluate(y, s, qid, "gm_map")["mean"].item() == pytest.approx(
        0.25 ** (1 / 3)
    )
    ap = lambda **o: m.average_precision_score(y, s, qid=qid, mean="geometric", **o)
    assert ap() == pytest.approx(0.25 ** (1 / 3))
    assert ap(k=1) == pytest.approx(1e-5 ** (2 / 3))
    table = m.evaluate(y, s, qid, ["gm_map", "map", "gm_bpref"])
    logs = m.bootstrap_interval(np.log([1.0, 0.5, 0.5]))
    np.testing.assert_allclose(table.loc["gm_map", ["low", "high"]], np.exp(logs))
    assert table.loc["map", "mean"] == pytest.approx(2 / 3)
    assert table.loc["gm_bpref", "mean"] == pytest.approx(1e-5 ** (2 / 3))


@pytest.mark.parametrize("name", m.METRICS)
def test_constant_scores_are_a_random_order(name):
    """With averaged ties the order of the rows is of no consequence."""
    averaged = m.get_metric(name, ties="first", empty=0).with_averaged_ties()
    assert averaged([1, 0], [1, 1], None) == averaged([0, 1], [1, 1], None)


def test_long_lists_of_ties():
    """Closed forms stay exact for thousands of tied items."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 4000).astype(float)
    s = rng.integers(0, 3, 4000).astype(float)
    names = [
        "ndcg@10",
        "map",
        "mrr",
        "p@100",
        "r_precision",
        "bpref",
        "average_overlap",
    ]
    exact = m.evaluate(y, s, None, names)["mean"]
    draws = [
        m.evaluate(y, s + rng.random(4000) / 2, None, names, per_query=True).iloc[0]
        for _ in range(40)
    ]
    mean, spread = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(40)
    labels_tie = exact.index == "average_overlap"
    assert (np.abs(exact - mean) < 5 * spread + 1e-9)[~labels_tie].all()
    assert abs(exact["average_overlap"] - mean[-1]) < 5e-3


def test_a_constant_model_never_looks_perfect():
    """Equal scores are worth a random order, in whatever order the rows stand."""
    for y in ([4, 2, 1, 0, 0, 0], [0, 0, 0, 1, 2, 4]):
        value = m.ndcg_score(y, np.zeros(6), k=5)
        np.testing.assert_allclose(value, 0.5368194, atol=1e-7)  # sklearn's


def test_tie_rules():
    """Row order, pessimistic, and trec_eval's descending document ids."""
    y, s = [0, 1, 0], [0.5, 0.5, 0.5]
    rr = lambda ties, **o: m.reciprocal_rank_score(y, s, ties=ties, **o)
    assert rr("first") == 1 / 2
    assert rr("worst") == 1 / 3
    assert rr("trec", docids=["a", "c", "b"]) == 1.0
    np.testing.assert_allclose(rr("average"), (1 + 1 / 2 + 1 / 3) / 3)


def test_trec_compares_scores_as_they_are():
    """Scores that differ beyond float32 are no tie for trec_eval 10; rounded, they are."""
    scores = np.array([1.0 + 1e-12, 1.0])
    value = lambda s: m.reciprocal_rank_score([0, 1], s, ties="trec", docids=["a", "b"])
    assert value(scores) == 0.5
    assert value(scores.astype(np.float32)) == 1.0


def test_blank_lists():
    """Lists without a relevant item are left out, or count as 0 or 1."""
    y, s, qid = [1, 0, 0, 0], [0.1, 0.9, 0.5, 0.2], [1, 1, 2, 2]
    rr = lambda empty: m.reciprocal_rank_score(y, s, qid=qid, empty=empty)
    assert (rr("skip"), rr(0), rr(1)) == (0.5, 0.25, 0.75)
    values = m.reciprocal_rank_score(y, s, qid=qid, per_query=True)
    np.testing.assert_array_equal(values, [0.5, np.nan])


def test_all_lists_blank():
    """The mean of nothing is nan, with a warning that says why."""
    message = "no list has a relevant item. Pass empty=0"
    with pytest.warns(UserWarning, match=re.escape(message)):
        assert np.isnan(m.ndcg_score([0, 0], [1, 2]))


def test_map_denominators():
    """All relevant items (trec_eval), or at most k of them (LightGBM)."""
    y, s = [1, 0, 1, 1], [4, 3, 2, 1]
    ap = lambda d: m.average_precision_score(y, s, k=2, denominator=d)
    np.testing.assert_allclose([ap("relevant"), ap("min")], [1 / 3, 1 / 2])


def test_letor_discount():
    """1, 1, 1 / log2(3), … and 0 for a list shorter than k."""
    y, s = [1, 2, 0], [3, 2, 1]
    expected = (1 + 3) / (3 + 1)
    assert m.ndcg_score(y, s, discount="letor") == expected
    assert m.ndcg_score(y, s, discount="letor", k=4) == 0.0
    assert m.ndcg_score(y, s, discount="letor", k=3) == expected


def test_gains():
    """2^y − 1, y, a table, a function; each by hand."""
    y, s = [0, 2, 1], [3, 2, 1]
    log = np.log2
    for gain, g in {
        "exp2": (0, 3, 1),
        "linear": (0, 2, 1),
        (5, 7, 9): (5, 9, 7),
    }.items():
        dcg = g[0] + g[1] / log(3) + g[2] / 2
        best = sorted(g, reverse=True)
        ideal = best[0] + best[1] / log(3) + best[2] / 2
        gain = list(gain) if isinstance(gain, tuple) else gain
        np.testing.assert_allclose(m.ndcg_score(y, s, gain=gain), dcg / ideal)
    np.testing.assert_allclose(
        m.ndcg_score(y, s, gain=lambda y: y**2), (4 / log(3) + 1 / 2) / (4 + 1 / log(3))
    )


def test_err_by_hand():
    """A user stops with probability (2^y − 1) / 2^max."""
    stop = np.array([1 / 4, 3 / 4, 0])  # labels 1, 2, 0 in ranked order
    expected = stop[0] + (1 - stop[0]) * stop[1] / 2
    np.testing.assert_allclose(m.err_score([1, 2, 0], [3, 2, 1]), expected)
    np.testing.assert_allclose(m.err_score([1, 2, 0], [3, 2, 1], k=1), 1 / 4)
    assert m.err_score([1, 2, 0], [3, 2, 1], max_label=4) < expected


@pytest.mark.parametrize(
    ("name", "function", "options"),
    [
        ("ndcg@10", m.ndcg_score, {"k": 10}),
        ("nDCG", m.ndcg_score, {}),
        ("AP", m.average_precision_score, {}),
        ("map@5", m.average_precision_score, {"k": 5}),
        ("rr@3", m.reciprocal_rank_score, {"k": 3}),
        ("P@2", m.precision_score, {"k": 2}),
        ("kendall-tau", m.kendall_tau_score, {}),
        ("err@20", m.err_score, {"k": 20}),
        ("nDCG(dcg='log2')@10", m.ndcg_score, {"gain": "linear", "k": 10}),
        ("nDCG(dcg='exp-log2')@3", m.ndcg_score, {"gain": "exp2", "k": 3}),
        ("nDCG(gains={0: 1, 2: 5})", m.ndcg_score, {"gain": [1, 1, 5]}),
        ("ndcg(gain=linear, empty=0)", m.ndcg_score, {"gain": "linear", "empty": 0}),
        ("RBP(p=0.5)", m.rbp_score, {"persistence": 0.5}),
        ("RBP(rel=1)@5", m.rbp_score, {"threshold": np.nextafter(1, 0), "k": 5}),
        ("P(cutoff=5)", m.precision_score, {"k": 5}),
        ("ndcg_cut_10", m.ndcg_score, {"k": 10}),
        ("P_5", m.precision_score, {"k": 5}),
        ("recip_rank", m.reciprocal_rank_score, {}),
        ("Rprec", m.r_precision_score, {}),
        ("Bpref", m.bpref_score, {}),
        ("Success@5", m.success_score, {"k": 5}),
        ("IC", m.information_coefficient_score, {}),
        ("gm_map", m.average_precision_score, {"mean": "geometric"}),
        ("GMAP", m.average_precision_score, {"mean": "geometric"}),
        ("iprec_at_recall_0.10", m.interpolated_precision_score, {"recall": 0.1}),
        (
            "IPrec(rel=1)@.1",
            m.interpolated_precision_score,
            {"recall": 0.1, "threshold": np.nextafter(1, 0)},
        ),
        ("11pt_avg", m.interpolated_precision_score, {}),
        ("relative_P_10", m.recall_score, {"cap": True, "k": 10}),
        ("SetF(beta=2)", m.f_score, {"beta": 2}),
        ("f1@5", m.f_score, {"k": 5}),
        ("P.5", m.precision_score, {"k": 5}),
        ("Judged@10", m.judged_score, {"k": 10}),
        ("num_rel_ret", m.hits_score, {}),
    ],
)
def test_names(name, function, options):
    """Names in either case, short ones, with a cut-off."""
    metric = m.get_metric(name)
    assert (metric.function, metric.options) == (function, options)


def test_the_lowest_relevant_label():
    """ir_measures' rel=2 counts labels of 2 and more, also between whole numbers."""
    value = m.get_metric("AP(rel=2)")([2, 1.9, 2.5], [3, 2, 1], None)
    assert value == m.average_precision_score([1, 0, 1], [3, 2, 1])


def test_options_reach_the_metrics_that_take_them():
    """One set of options serves several metrics."""
    assert m.get_metric("ndcg@3", empty=0, gain="linear").options == {
        "empty": 0,
        "gain": "linear",
        "k": 3,
    }
    assert m.get_metric("kendall_tau", empty=0, gain="linear").options == {"empty": 0}


def test_evaluate():
    """Means with intervals, or one row per list."""
    y, s, qid = ragged()
    table = m.evaluate(y, s, qid, ["ndcg@10", "map", "kendall_tau"])
    assert list(table.columns) == ["mean", "low", "high", "n_lists"]
    assert table.loc["ndcg@10", "mean"] == m.ndcg_score(y, s, qid=qid, k=10)
    assert (table["low"] < table["mean"]).all()
    assert (table["mean"] < table["high"]).all()
    rows = m.evaluate(y, s, qid, ["ndcg@10", "map"], per_query=True)
    assert list(rows.index) == list(dict.fromkeys(qid.tolist()))
    np.testing.assert_allclose(rows.mean(), table.loc[["ndcg@10", "map"], "mean"])


def test_evaluate_accepts_tuples_as_ids():
    """The index of evaluate holds the ids as they are."""
    rows = m.evaluate([1, 0], [1, 2], [("a", 1), ("a", 1)], "mrr", per_query=True)
    assert rows.index.tolist() == [("a", 1)]


def test_rbp_of_binary_relevance():
    """A threshold gives the original measure, which is at most 1, whatever the grades."""
    y, scores = [4, 0, 2, 1], [4.0, 3.0, 2.0, 1.0]
    expected = 0.2 * (1 + 0.8**2)
    assert m.rbp_score(y, scores, threshold=1) == pytest.approx(expected)
    assert m.rbp_score([1, 0, 1, 0], scores) == pytest.approx(expected)
    assert m.rbp_score(np.full(50, 4), np.arange(50), threshold=0) < 1
    message = (
        "threshold makes every gain 0 or 1; got it with another gain. Pass one of "
        "threshold and gain."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.rbp_score(y, scores, threshold=1, gain="exp2")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: m.ndcg_score([1, -1], [0, 0]),
            "labels must be >= 0 for gain='exp2'; got -1. Shift them, pass gain as a "
            "function, or use a metric that takes any label: kendall_tau_score, "
            "spearman_score or pairwise_accuracy_score.",
        ),
        (
            lambda: m.ndcg_score([1, 2000], [0, 0]),
            "labels must be <= 1000 for gain='exp2' (2^label overflows); got 2000. Pass "
            "gain='linear'.",
        ),
        (
            lambda: m.ndcg_score([1, 3], [0, 0], gain=[0, 1, 3]),
            "a gain table of length 3 takes whole labels from 0 to 2; got 3. Extend the "
            "table or pass gain as a function.",
        ),
        (
            lambda: m.ndcg_score([1, np.nan], [0, 0]),
            "y_true must be finite; got nan at row 1.",
        ),
        (
            lambda: m.ndcg_score([1, 0], [0, np.nan]),
            "y_score must be a number, not nan; got nan at row 1.",
        ),
        (
            lambda: m.ndcg_score([[1, 0]], [[0, 1]]),
            "y_true must be one-dimensional; got shape (1, 2). Flatten it and pass the "
            "query of each row as qid.",
        ),
        (
            lambda: m.ndcg_score([1, 0], [0, 1, 2]),
            "y_true and y_score must have the same length; got 2 labels and 3 scores.",
        ),
        (
            lambda: m.ndcg_score([], []),
            "y_true must have at least one row; got an empty array.",
        ),
        (
            lambda: m.ndcg_score([1, 0], [0, 1], qid=[1]),
            "qid must have one entry per row of y_true; got 1 entries for 2 rows. Pass "
            "the query id of every row, not the sizes of the lists.",
        ),
        (
            lambda: m.ndcg_score([1], [0], k=0),
            "k must be a whole number >= 1, or None; got 0.",
        ),
        (
            lambda: m.ndcg_score([1, 0], [0, 1], ties="trec"),
            "docids is required by ties='trec'. Pass docids=….",
        ),
        (
            lambda: m.ndcg_score([1], [0], ties="best"),
            "ties must be one of 'average', 'first', 'worst', 'trec'; got 'best'.",
        ),
        (
            lambda: m.ndcg_score([1], [0], empty=2),
            "empty must be one of 'skip', 0, 1; got 2.",
        ),
        (
            lambda: m.err_score([3], [0], max_label=2),
            "max_label must be at least the largest label; got max_label=2 and a label "
            "of 3.",
        ),
        (
            lambda: m.get_metric("mrr(gain=linear)"),
            "metric 'mrr' takes no option 'gain'; got 'mrr(gain=linear)'. Its options: "
            "docids, empty, k, threshold, ties.",
        ),
        (
            lambda: m.rbo_score([1, 0], [1, 0], persistence=1.0),
            "persistence must be < 1; got 1.0. For p = 1 use average_overlap_score.",
        ),
        (
            lambda: m.ndcg_score([1, 0], [0, 0], ties="trec", docids=["a"]),
            "docids must have one entry per row of y_true; got 1 entries for 2 rows.",
        ),
        (
            lambda: m.get_metric("kendall_tau@5"),
            "metric 'kendall_tau' takes no cut-off; got 'kendall_tau@5'.",
        ),
        (
            lambda: m.get_metric("unj_10"),
            "metric 'unj_10' is not here: it is a cost, 1 minus the share of judged documents. "
            "The nearest one is 'judged'.",
        ),
        (
            lambda: m.get_metric("alpha_nDCG@10"),
            "metric 'alpha_nDCG@10' is not here: it needs judgments per subtopic. The "
            "nearest one is 'ndcg'.",
        ),
        (
            lambda: m.evaluate([1, 0], [1, 0], None, "gm_map", per_query=True),
            "a geometric mean has a value over all queries only, none per query; pass "
            "mean='arithmetic' ('map' in place of 'gm_map').",
        ),
        (
            lambda: m.average_precision_score([1, 0], [1, 0], mean="harmonic"),
            "mean must be one of 'arithmetic', 'geometric'; got 'harmonic'.",
        ),
        (
            lambda: m.interpolated_precision_score([1, 0], [1, 0], recall=[0.5, 2]),
            "recall must be one or several of [0, 1]; got [0.5, 2].",
        ),
        (
            lambda: m.f_score([1, 0], [1, 0], beta=0),
            "beta must be a number > 0; got 0.",
        ),
        (
            lambda: m.f_score([1, 0], [1, 0], beta=np.inf),
            "beta must be a number > 0; got inf.",
        ),
        (
            lambda: m.get_metric("ndgc@10"),
            "metric='ndgc@10' is not a known metric. Known metrics: "
            f"{', '.join(map(repr, sorted(m.METRICS)))}. Did you mean 'ndcg'? A cut-off "
            "is written as in 'ndcg@10'.",
        ),
    ],
)
def test_errors(call, message):
    """Every message in full."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_no_warning_from_ordinary_use():
    """Blank lists, single rows and ties are not worth a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, s, qid = [1, 0, 0], [0.5, 0.5, 0.1], [1, 1, 2]
        m.evaluate(y, s, qid, list(m.METRICS))


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("groups", "Pass the query of each row as qid."),
        ("gian", "Did you mean 'gain'?"),
    ],
)
def test_unknown_options_are_refused(option, hint):
    """A typo, or another library's name for qid, is not ignored."""
    with pytest.raises(TypeError, match=re.escape(hint)):
        m.evaluate([1, 0], [0.5, 0.2], **{option: [0, 0]})
