"""trec_eval's rules and versions: a slow reading of them, and its own test files."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from support.runs import as_dict, mean_of

from ltr import metrics as m
from ltr.datasets import read_qrels, read_run


@pytest.mark.parametrize("depth", [None, 1])
def test_versions_of_trec_eval(depth):
    """10 compares scores as they are; 9 in single precision, in every rule for ties."""
    times = {"q": {"a": 1700000001, "b": 1700000000}}
    value = lambda **o: mean_of(times, {"q": {"a": 1}}, "map", depth=depth, **o)
    assert value() == value(trec_eval="10") == value(ties="average") == 1.0
    assert value(trec_eval="9") == (0.5 if depth is None else 0.0)  # "b" > "a"
    if depth is None:
        assert value(trec_eval="9", ties="average") == 0.75
    ids = {"q": {"d9": 1.0, "d10": 1.0, "z": 0.5}}
    assert mean_of(ids, {"q": {"d10": 1}}, "mrr") == 1 / 2  # "d9" > "d10"
    with pytest.raises(
        ValueError, match="^trec_eval must be one of '10', '9'; got '8'.$"
    ):
        value(trec_eval="8")


def test_scores_at_the_ends_of_the_range():
    """The lowest score is above a document that was not returned, in both versions."""
    run = {"q": {"a": -np.inf, "b": 1e300, "c": -1.7e308, "d": np.inf}}
    for version in ("10", "9"):
        table = m.evaluate_run(
            run, {"q": {"a": 1}}, ["mrr", "num_ret", "hits"], trec_eval=version
        )
        assert table["mean"].tolist() == [1 / 4, 4, 1]


def test_recalls_of_version_9_are_rounded_up():
    """A quarter of 5 documents is 1 to version 10, and 2 to version 9."""
    run = {"q": {"a": 3, "x": 2, "b": 1}}
    value = lambda v: mean_of(
        run, {"q": dict.fromkeys("abcde", 1)}, "iprec_at_recall_0.25", trec_eval=v
    )
    assert (value("10"), value("9")) == (1.0, pytest.approx(2 / 3))


def test_dropped_documents():
    """A label below 0 is not judged (-J); documents are cut before they are dropped."""
    value = lambda run, qrels, name, **o: mean_of(
        {"q": run}, {"q": qrels}, name, unjudged="drop", **o
    )
    negative = {"a": 2, "b": 1}, {"a": -1, "b": 1}
    assert value(*negative, "P_1") == value(*negative, "ndcg") == 1.0
    assert value(*negative, "num_ret") == 1.0
    late = {"x": 9, "a": 8, "b": 7}, {"a": 0, "b": 1}
    assert [value(*late, "mrr", depth=k) for k in (1, 2, 3)] == [0.0, 0.0, 0.5]
    assert value({"x": 1, "y": 2}, {"x": -1, "z": 1}, "map") == 0.0
    assert value({"a": 1, "b": 2}, {"a": 1, "b": 0}, "auc") == 0.0


@st.composite
def runs_and_qrels(draw):
    """Small runs with ties over judged, unjudged and missing documents."""
    docs = "abcdefg"
    scores = st.sampled_from([0.0, 1.0, 2.5])
    part = st.dictionaries(st.sampled_from(docs), scores, min_size=1)
    run = draw(st.dictionaries(st.sampled_from("123"), part, min_size=1))
    labels = st.dictionaries(st.sampled_from(docs), st.integers(-1, 2), min_size=1)
    return run, {q: draw(labels) for q in "123"}


def slow_trec_eval(run, qrels, k, depth=None, drop=False):
    """Measures as trec_eval's manual defines them, one document at a time."""
    rows = {}
    for q, judged in qrels.items():
        ranked = sorted(
            run.get(q, {}).items(), key=lambda x: (x[1], x[0]), reverse=True
        )[:depth]
        if drop:
            ranked = [(d, s) for d, s in ranked if judged.get(d, -1) >= 0]
        relevant = sum(y > 0 for y in judged.values())
        others = sum(y == 0 for y in judged.values())
        ap = bpref = dcg = above = found = top = inf = unsampled = at_half = 0.0
        half = int(relevant / 2 + 0.9)
        for i, (d, _) in enumerate(ranked, start=1):
            y = judged.get(d, -1)
            if y > 0:
                share = (found + 1e-5) / (found + above + 2e-5)
                inf += (1 + (found + above + unsampled) * share) / i
                found += 1
                at_half += i <= half
                ap += found / i
                bound = min(relevant, others)
                bpref += 1 - (min(above, relevant) / bound if above else 0)
            above += y == 0
            unsampled += y < 0 and d in judged
            if i <= k:
                top += y > 0
                dcg += max(y, 0) / np.log2(i + 1)
        best = sorted((max(y, 0) for y in judged.values()), reverse=True)[:k]
        ideal = sum(y / np.log2(i + 1) for i, y in enumerate(best, start=1))
        r = max(relevant, 1)
        rows[q] = [ap / r, top / k, dcg / ideal if ideal else 0.0, bpref / r, inf / r]
        rows[q] += [found**2 / max(len(ranked), 1) / r, at_half / max(half, 1)]
    return rows


@pytest.mark.filterwarnings("ignore:no document that the run returned")
@given(
    case=runs_and_qrels(),
    k=st.integers(1, 4),
    depth=st.sampled_from([None, 1, 2]),
    drop=st.booleans(),
)
def test_equals_trec_eval_as_written(case, k, depth, drop):
    """Against a slow reading of trec_eval's rules, with -M and -J."""
    run, qrels = case
    names = ["map", f"P_{k}", f"ndcg_cut_{k}", "bpref", "infAP", "set_map"]
    names.append("Rprec_mult_0.50")
    options = {"depth": depth, "unjudged": "drop" if drop else "irrelevant"}
    ours = m.evaluate_run(run, qrels, names, per_query=True, **options)
    expected = slow_trec_eval(run, qrels, k, depth, drop)
    np.testing.assert_allclose(ours, [expected[q] for q in ours.index], atol=1e-12)


def test_inferred_ap_expects_the_counts_of_tie_groups():
    """Where all items of a tie group are judged, the value is the mean over orders."""
    y, s = np.array([1.0, 0, 1, -1, 2, 0]), np.array([3.0, 2, 2, 1, 0, 0])
    orders = [[5, 4, 3, 2, 1, 0], [5, 3, 4, 2, 1, 0], [5, 4, 3, 2, 0, 1]]
    orders.append([5, 3, 4, 2, 0, 1])
    mean = np.mean([m.inferred_ap_score(y, order) for order in orders])
    assert m.inferred_ap_score(y, s) == pytest.approx(mean, abs=1e-6)


@given(case=runs_and_qrels(), ties=st.sampled_from(["trec", "average", "first"]))
def test_arrays_and_runs_agree(case, ties):
    """A run that returns exactly the judged documents is rows of arrays."""
    run, qrels = case
    qrels = {
        q: {d: max(qrels[q].get(d, 0), 0) for d in docs} for q, docs in run.items()
    }
    rows = [(q, d, s) for q, docs in run.items() for d, s in docs.items()]
    qid, docids, s = zip(*rows, strict=True)
    y = [qrels[q][d] for q, d, _ in rows]
    names = [name for name in m.METRICS if name != "err"]  # it takes the largest label
    by_run = m.evaluate_run(run, qrels, names, per_query=True, ties=ties)
    options = {"gain": "linear", "empty": 0, "ties": ties, "docids": docids}
    options["persistence"] = 0.9
    by_rows = m.evaluate(y, s, list(qid), names, per_query=True, **options)
    np.testing.assert_allclose(by_run.loc[by_rows.index], by_rows, atol=1e-12)


TREC = ["map", "Rprec", "bpref", "recip_rank", "ndcg", "num_ret", "num_rel"]


TREC += ["num_rel_ret", "11pt_avg", "set_P", "set_recall", "set_F", "set_relative_P"]


TREC += [
    f"{name}_{k}"
    for name in ("P", "recall", "ndcg_cut", "map_cut", "relative_P")
    for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)
]


TREC += [f"success_{k}" for k in (1, 5, 10)]


TREC += ["infAP", "set_map", *(f"Rprec_mult_{k / 5:.2f}" for k in range(1, 11))]


TREC += [f"iprec_at_recall_{k / 10:.2f}" for k in range(11)]


GEOMETRIC = ["gm_map", "gm_bpref"]


SUMS = ("num_ret", "num_rel", "num_rel_ret")


PARAMETERS = "P_5 P_3 P_7 recall_20 recall_2000 ndcg_cut_10 ndcg_cut_20 ndcg_cut_23"


PARAMETERS += " success_2 success_5 success_20 iprec_at_recall_0.10"


PARAMETERS += " iprec_at_recall_0.20 iprec_at_recall_0.25 iprec_at_recall_0.50"


PARAMETERS += " iprec_at_recall_0.75 Rprec_mult_5.00 Rprec_mult_0.20 Rprec_mult_0.35"


@pytest.mark.parametrize(
    ("expected", "run", "qrels", "names", "options"),
    [
        ("out.test", "results.test", "qrels.test", TREC, {}),
        ("out.test.a", "results.test", "qrels.test", TREC, {}),
        ("out.test.aq", "results.test", "qrels.test", TREC, {}),
        ("out.test.aqc", "results.trunc", "qrels.test", TREC, {}),
        ("out.test.aqcM", "results.trunc", "qrels.test", TREC, {"depth": 100}),
        ("out.test.aql", "results.test", "qrels.rel_level", TREC, {"threshold": 1.0}),
        ("out.test.meas_params", "results.test", "qrels.test", PARAMETERS.split(), {}),
    ],
)
def test_trec_evals_own_tests(ltr_data, expected, run, qrels, names, options):
    """Every measure that we have, per query and overall, to the 4 digits printed."""
    folder = Path(ltr_data) / "trec-eval-tests"
    lines = (folder / expected).read_text().splitlines()
    wanted = {tuple(line.split()[:2]): line.split()[2] for line in lines}
    files = folder / run, folder / qrels
    table = m.evaluate_run(*files, names, per_query=True, **options)
    values = {(name, q): v for name in names for q, v in table[name].items()}
    values |= {(name, "all"): v for name, v in table.mean().items()}
    values |= {(n, "all"): table[n].sum() for n in SUMS if n in names}
    geometric = m.evaluate_run(*files, GEOMETRIC, **options)["mean"]
    values |= {(name, "all"): v for name, v in geometric.items()}
    shared = values.keys() & wanted.keys()
    n_names = {"out.test": 28, "out.test.meas_params": 19}.get(expected, len(TREC) + 2)
    assert len({name for name, _ in shared}) == n_names
    for key in shared:
        assert abs(values[key] - float(wanted[key])) < 5.0001e-5, key


@pytest.mark.parametrize("depth", [None, 100])
@pytest.mark.parametrize("qrels", ["qrels.test", "qrels.rel_level"])
def test_trec_evals_judged_documents_only(ltr_data, qrels, depth):
    """-J, after -M: every measure is that of the judged documents of the run's top."""
    folder = Path(ltr_data) / "trec-eval-tests"
    labels = as_dict(read_qrels(folder / qrels))
    run = as_dict(read_run(folder / "results.test"))
    judged_run = {
        q: {
            d: s
            for d, s in sorted(docs.items(), key=lambda x: x[::-1], reverse=True)[
                :depth
            ]
            if labels[q].get(d, -1) >= 0
        }
        for q, docs in run.items()
    }
    options = {"depth": depth, "unjudged": "drop", "per_query": True}
    ours = m.evaluate_run(folder / "results.test", folder / qrels, TREC, **options)
    expected = m.evaluate_run(judged_run, labels, TREC, per_query=True)
    pd.testing.assert_frame_equal(ours, expected)
    assert not ours.equals(
        m.evaluate_run(folder / "results.test", folder / qrels, TREC, per_query=True)
    )


def test_trec_evals_judged_documents(ltr_data):
    """1 minus its share of documents without judgments."""
    folder = Path(ltr_data) / "trec-eval-tests"
    files = folder / "results.test", folder / "qrels.rel_level"
    names = ["judged@5", "judged@10", "judged@20"]
    table = m.evaluate_run(*files, names, per_query=True)
    expected = [[0, 0, 0.1], [0, 0, 0], [0.2, 0.5, 0.5]]
    np.testing.assert_allclose(1 - table, expected, atol=5.0001e-5)


def test_trec_evals_rbp_and_gains(ltr_data):
    """Rank-biased precision, p 0.9 unless given; gains by level."""
    folder = Path(ltr_data) / "trec-eval-tests"
    files = folder / "results.test", folder / "qrels.test"
    table = m.evaluate_run(*files, ["rbp", "nDCG(gains={1:3})"], per_query=True)
    expected = [[0.1861, 0.1584], [0.7628, 0.6617], [0.0212, 0.3862]]
    np.testing.assert_allclose(table, expected, atol=5.0001e-5)
