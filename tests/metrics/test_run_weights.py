"""Weights of queries by id, for runs and comparisons of runs."""

import re

import numpy as np
import pandas as pd
import pytest

from ltr import metrics as m

QRELS = {
    "1": {"a": 1, "b": 0},
    "2": {"a": 2, "c": 1},
    "3": {"b": 4},  # the largest label, which ERR divides by
    "4": {"c": 1},
    "5": {"d": 1},
}
RUN = {
    "1": {"b": 2.0, "a": 1.0},
    "2": {"c": 9.0, "a": 8.0, "z": 1.0},
    "3": {"b": 1.0},
    "4": {"z": 3.0, "c": 2.0},
}
WEIGHTS = {1: 3, "2": 1.0, "3": 0, "4": 2, "5": 1, "6": 9}
NAMES = ["ndcg@10", "err", "map", "mrr", "gm_map"]


def test_mean_by_hand(tmp_path):
    """As a mapping, a Series or a file; queries of weight 0 are not there."""
    table = m.evaluate_run(RUN, QRELS, NAMES, query_weight=WEIGHTS)
    assert table.loc["mrr", "mean"] == (3 * 0.5 + 1 + 2 * 0.5 + 0) / 7
    assert table["n_lists"].tolist() == [4] * 5
    qrels = {qid: QRELS[qid] for qid in ("1", "2", "4", "5")}
    ones = dict.fromkeys(qrels, 2.0)
    without = m.evaluate_run(RUN, qrels, NAMES)
    pd.testing.assert_frame_equal(
        m.evaluate_run(RUN, QRELS, NAMES, query_weight={**ones, "3": 0}), without
    )
    path = tmp_path / "weights.txt"
    path.write_text("".join(f"{qid}\t{w}\n" for qid, w in WEIGHTS.items()) + "\n")
    for source in (pd.Series(WEIGHTS), path, str(path)):
        again = m.evaluate_run(RUN, QRELS, NAMES, query_weight=source)
        pd.testing.assert_frame_equal(again, table)
    skipped = m.evaluate_run(RUN, QRELS, "mrr", query_weight=WEIGHTS, missing="skip")
    assert skipped.loc["mrr", "mean"] == (3 * 0.5 + 1 + 2 * 0.5) / 6


@pytest.mark.parametrize(
    "options", [{"depth": 1}, {"unjudged": "drop"}, {"missing": 0}]
)
def test_integer_weights_repeat_queries(options):
    """Also with the rules of trec_eval."""
    copies = [
        (q, i) for q, w in WEIGHTS.items() if str(q) in QRELS for i in range(int(w))
    ]
    runs = {f"{q}.{i}": RUN[str(q)] for q, i in copies if str(q) in RUN}
    qrels = {f"{q}.{i}": QRELS[str(q)] for q, i in copies}
    weighted = m.evaluate_run(RUN, QRELS, NAMES, query_weight=WEIGHTS, **options)
    repeated = m.evaluate_run(runs, qrels, NAMES, **options)
    np.testing.assert_allclose(weighted["mean"], repeated["mean"], rtol=1e-13)


@pytest.mark.parametrize("test", ["randomization", "t"])
def test_comparison(test):
    """Means, differences, p-values and effects are those of the weighted values."""
    rng = np.random.default_rng(0)
    qrels = {f"q{i}": {"a": 1, "b": 0, "c": 0} for i in range(12)}
    runs = {
        name: {q: dict(zip("abc", rng.random(3), strict=True)) for q in qrels}
        for name in ("base", "other")
    }
    weights = {q: i % 4 for i, q in enumerate(qrels)}
    comparison = m.compare_runs(runs, qrels, ["mrr"], query_weight=weights, test=test)
    table = comparison.table.xs("mrr", level="metric")
    base, other = (
        m.evaluate_run(run, qrels, "mrr", per_query=True) for run in runs.values()
    )
    a, b, w = other["mrr"], base["mrr"], np.array(list(weights.values()), float)
    p_value = m.paired_t_test if test == "t" else m.paired_randomization_test
    low, high = m.bootstrap_interval(a - b, query_weight=w)
    expected = {
        "mean": np.average(a, weights=w),
        "difference": np.average(a - b, weights=w),
        "difference_low": low,
        "difference_high": high,
        "p_value": p_value(a, b, query_weight=w),
        "effect_size": m.effect_size(a, b, query_weight=w),
        "n_queries": 9,
    }
    assert table.loc["other", list(expected)].to_dict() == pytest.approx(expected)
    assert table.loc["base", "mean"] == pytest.approx(np.average(b, weights=w))
    assert "over 9 weighted queries, Holm" in comparison.to_text()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            [1, 2],
            "query_weight must be {qid: weight}, a Series with the queries as its index, "
            "or the path of a file; got list.",
        ),
        (
            pd.DataFrame({"weight": [1, 2]}, index=["1", "2"]),
            "query_weight must be {qid: weight}, a Series with the queries as its index, "
            "or the path of a file; got DataFrame.",
        ),
        (
            {"1": 10**400},
            f"query_weight must be a finite number >= 0 for each query; got {10**400} for "
            "'1'.",
        ),
        (
            {"1": 1, "2": 1, "3": 1},
            "query_weight must have a weight for each judged query; got none of '4' and of "
            "1 other. Give those that do not count weight 0.",
        ),
        (
            {"1": 1, "2": -1},
            "query_weight must be a finite number >= 0 for each query; got -1 for '2'.",
        ),
        (
            {"1": np.nan},
            "query_weight must be a finite number >= 0 for each query; got nan for '1'.",
        ),
        (
            {"1": "much"},
            "query_weight must be a finite number >= 0 for each query; got 'much' for '1'.",
        ),
        (
            {"1": 1, 1: 2},
            "query_weight must have one weight for each query; got two for '1'.",
        ),
        (
            {"1": 1, "2": 1},
            "query_weight must have a weight for each judged query; got none of '3' and of "
            "2 others. Give those that do not count weight 0.",
        ),
        (
            dict.fromkeys(QRELS, 0.0),
            "query_weight must have a weight above zero for some judged query; got only "
            "zeros.",
        ),
    ],
)
def test_messages(weights, message):
    """In full."""
    for measured in (
        lambda: m.evaluate_run(RUN, QRELS, query_weight=weights),
        lambda: m.compare_runs({"a": RUN, "b": RUN}, QRELS, query_weight=weights),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            measured()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1 2\n2 x\n",
            ", line 2: a line must be a query and its weight, a finite number >= 0; got "
            "'2 x'.",
        ),
        (
            "1\n",
            ", line 1: a line must be a query and its weight, a finite number >= 0; got "
            "'1'.",
        ),
        (
            "1 -2\n",
            ", line 1: a line must be a query and its weight, a finite number >= 0; got "
            "'1 -2'.",
        ),
        ("1 2\n\n1 3\n", ", line 3: a query must have one weight; got two for '1'."),
    ],
)
def test_messages_of_files(tmp_path, text, message):
    """With file and line, in full."""
    path = tmp_path / "weights.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path) + message)}$"):
        m.evaluate_run(RUN, QRELS, query_weight=path)


def test_values_per_query_have_no_weights():
    """They are what is averaged; and a geometric mean cannot be compared."""
    message = (
        "query_weight weights a mean over queries; got per_query=True, which asks for "
        "the values before the mean. Leave one of them out."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.evaluate_run(RUN, QRELS, query_weight=WEIGHTS, per_query=True)
    with pytest.raises(ValueError, match="^a geometric mean has a value over all"):
        m.compare_runs({"a": RUN, "b": RUN}, QRELS, "gm_map", query_weight=WEIGHTS)
