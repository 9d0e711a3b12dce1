"""Fusion of runs: by hand, against peers' formulas, by ids; exact Kemeny; ltr fuse."""

import itertools
import re
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ltr import fusion as f
from ltr.cli import main
from ltr.datasets import read_run, write_run
from ltr.metrics import evaluate_run

ONE = {"q": {"a": 9.0, "b": 5.0, "c": 1.0}, "p": {"a": 1.0}}
TWO = {"q": {"d": 0.8, "b": 0.6, "a": 0.2}}
BY_RANK = ["rrf", "borda", "condorcet", "log_isr", "round_robin", "kemeny"]


def scores(run, qid="q"):
    """{docid: score} of a query, in the order of the run."""
    rows = run[run["qid"] == qid]
    return dict(zip(rows["docid"], rows["score"].tolist(), strict=True))


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("comb_sum", {}, {"b": 0.5 + 2 / 3, "d": 1.0, "a": 1.0, "c": 0.0}),
        ("comb_sum", {"norm": "none"}, {"a": 9.2, "b": 5.6, "c": 1.0, "d": 0.8}),
        ("comb_sum", {"norm": "rank"}, {"b": 4 / 3, "a": 4 / 3, "d": 1.0, "c": 1 / 3}),
        ("comb_sum", {"weights": [2, 1]}, {"a": 2, "b": 1 + 2 / 3, "d": 1.0, "c": 0.0}),
        ("comb_mnz", {}, {"b": 1 + 4 / 3, "a": 2.0, "d": 1.0, "c": 0.0}),
        ("comb_anz", {}, {"d": 1.0, "b": (0.5 + 2 / 3) / 2, "a": 0.5, "c": 0.0}),
        ("comb_max", {}, {"d": 1.0, "a": 1.0, "b": 2 / 3, "c": 0.0}),
        (
            "comb_max",
            {"norm": lambda s: s / s.sum()},
            {"a": 0.6, "d": 0.5, "b": 0.375, "c": 1 / 15},
        ),
        ("interpolate", {"alpha": 0.25}, {"d": 0.75, "b": 0.625, "a": 0.25, "c": 0.0}),
        ("rrf", {"k": 1}, {"a": 1 / 2 + 1 / 4, "b": 2 / 3, "d": 1 / 2, "c": 1 / 4}),
        ("rrf", {"k": 0, "weights": [1, 0]}, {"a": 1, "b": 1 / 2, "c": 1 / 3, "d": 0}),
        ("borda", {}, {"b": 4.0, "a": 4.0, "d": 3.0, "c": 1.0}),
        ("borda", {"missing": "share"}, {"b": 6.0, "a": 6.0, "d": 5.0, "c": 3.0}),
        ("round_robin", {}, {"a": 0.0, "d": -1.0, "b": -2.0, "c": -4.0}),
        ("round_robin", {"depth": 1}, {"a": 0.0, "d": -1.0}),
        ("condorcet", {}, {"b": 1.0, "a": 1.0, "d": 0.0, "c": -2.0}),
    ],
)
def test_by_hand(method, options, expected):
    """Values of each document; equal ones by descending id."""
    fused = f.FUSIONS[method]([ONE, TWO], **options)
    assert scores(fused) == pytest.approx(expected)
    assert list(scores(fused)) == sorted(
        expected, key=lambda d: (round(expected[d], 9), d), reverse=True
    )
    assert list(scores(fused, "p")) == ["a"]  # a query of one run alone


def test_z_scores():
    """Missing documents count as the worst one, not as the mean."""
    z = lambda s: (s - s.mean()) / s.std()
    one, two = z(np.array([9.0, 5, 1])), z(np.array([0.8, 0.6, 0.2]))
    expected = {"a": one[0] + two[2], "b": one[1] + two[1], "c": one[2] + two.min()}
    fused = f.comb_sum([ONE, TWO], norm="zscore")
    assert scores(fused) == pytest.approx(expected | {"d": one.min() + two[0]})


def test_constant_scores():
    """They say nothing: 1/2 by min-max, 0 by z-score."""
    flat = {"q": {"a": 3.0, "b": 3.0}}
    assert scores(f.comb_sum([flat])) == {"b": 0.5, "a": 0.5}
    assert scores(f.comb_sum([flat], norm="zscore")) == {"b": 0.0, "a": 0.0}


def test_log_isr():
    """log(1 + N) Σ 1 / rank²."""
    expected = {"a": np.log(3) * (1 + 1 / 9), "b": np.log(3) / 2, "d": np.log(2)}
    fused = scores(f.log_isr([ONE, TWO]))
    assert fused == pytest.approx(expected | {"c": np.log(2) / 9})


def test_ties_of_a_run():
    """By id as trec_eval, averaged, or in the order of the file."""
    run = {"q": {"a": 1.0, "c": 1.0, "b": 1.0}}
    rank = lambda ties: {
        d: 1 / s for d, s in scores(f.rrf([run], k=0, ties=ties)).items()
    }
    assert rank("trec") == pytest.approx({"c": 1, "b": 2, "a": 3})
    assert rank("average") == pytest.approx({"c": 2, "b": 2, "a": 2})
    assert rank("first") == pytest.approx({"a": 1, "c": 2, "b": 3})


def run_strategy():
    """Runs over few documents and queries, with ties."""
    docs = st.dictionaries(
        st.sampled_from("abcde"), st.sampled_from([0.0, 1, 2, 5]), min_size=1
    )
    return st.dictionaries(st.sampled_from("qp"), docs, min_size=1)


def shuffled(run, rng):
    """The rows of a run in another order."""
    table = read_run(run)
    return table.iloc[rng.permutation(len(table))]


@pytest.mark.parametrize(
    "method", [name for name in f.FUSIONS if name != "interpolate"]
)
@settings(max_examples=15)
@given(runs=st.lists(run_strategy(), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_keyed_by_ids(method, runs, seed):
    """The order of rows changes nothing; every returned document is there once."""
    fused = f.FUSIONS[method](runs)
    again = f.FUSIONS[method]([shuffled(r, np.random.default_rng(seed)) for r in runs])
    for qid in {q for run in runs for q in run}:
        assert scores(again, qid) == pytest.approx(scores(fused, qid))
        returned = {d for run in runs for d in run.get(qid, {})}
        assert set(scores(fused, qid)) == returned
    values = fused["score"].to_numpy()
    same = fused["qid"].to_numpy()[1:] == fused["qid"].to_numpy()[:-1]
    assert (np.diff(values)[same] <= 0).all()


@settings(max_examples=20)
@given(runs=st.lists(run_strategy(), min_size=2, max_size=4))
def test_majorities(runs):
    """Copeland's score against counting each contest; Kemeny against all orders."""
    runs = [{"q": run.get("q", {"a": 1.0})} for run in runs]
    pool = f.by_rank.pool_runs(runs)
    rank = [
        dict(zip(pool.docids[pool.document], r, strict=True))
        for r in np.where(pool.returned, pool.ranks, np.inf).T
    ]
    docs = list(rank[0])
    lead = lambda a, b: sum(np.sign(r[b] - r[a]) for r in rank if r[a] != r[b])
    copeland = {a: sum(np.sign(lead(a, b)) for b in docs) for a in docs}
    assert scores(f.condorcet(runs)) == copeland
    agree = lambda order: sum(
        sum(r[a] < r[b] for r in rank) for a, b in itertools.combinations(order, 2)
    )
    best = max(agree(order) for order in itertools.permutations(docs))
    fused = f.kemeny(runs)
    assert agree(list(scores(fused))) == best
    assert fused.attrs["is_optimal"] == {"q": True}


def test_tune_alpha():
    """The best α on judged queries; in the middle of several."""
    qrels = {"q": {"d": 1}}
    alpha, means = f.tune_alpha([ONE, TWO], qrels, "mrr", grid=[0, 0.1, 0.2, 1])
    assert (alpha, means.tolist()) == (0.1, [1.0, 1.0, 1.0, 1 / 3])
    tuned = f.interpolate([ONE, TWO], alpha=alpha)
    assert evaluate_run(tuned, qrels, "mrr")["mean"].item() == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: f.rrf([]), "runs must have at least one run; got none."),
        (lambda: f.rrf([ONE], k=-1), "k must be a number >= 0; got -1."),
        (
            lambda: f.rrf([ONE], depth=0),
            "depth must be a whole number >= 1, or None; got 0.",
        ),
        (
            lambda: f.rrf([ONE, TWO], weights=[1]),
            "weights must be one finite number for each of 2 runs; got [1].",
        ),
        (
            lambda: f.comb_sum([ONE], norm="max"),
            "norm must be one of 'minmax', 'zscore', 'rank', 'none', or a function; got "
            "'max'.",
        ),
        (
            lambda: f.comb_sum([{"q": {"a": np.inf}}]),
            "scores must be finite for norm='minmax'; got an infinite one. Pass "
            "norm='rank'.",
        ),
        (lambda: f.interpolate([ONE]), "interpolation takes two runs; got 1."),
        (
            lambda: f.interpolate([ONE, TWO], alpha=2),
            "alpha must be a number >= 0 and <= 1; got 2.",
        ),
        (
            lambda: f.kemeny([ONE, TWO], max_candidates=3),
            "a query must have at most max_candidates=3 documents; got 4 for 'q'. Pass "
            "depth=…, or raise max_candidates.",
        ),
    ],
)
def test_errors(call, message):
    """Every message in full."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


SINGLE = "a single run. Put it in a list."


@pytest.mark.parametrize("method", f.FUSIONS)
@pytest.mark.parametrize(
    ("runs", "got"),
    [
        ("run.txt", SINGLE),
        (Path("run.txt"), SINGLE),
        ({"q1": {"a": 2.0, "b": 1.0}}, SINGLE),
        ({"q1": ["a", "b"]}, SINGLE),
        (read_run(ONE), SINGLE),
        ({"one", "two"}, "set."),
        (3, "int."),
    ],
)
def test_what_is_no_collection_of_runs(method, runs, got):
    """A single run in any form, a set, which has no order, a number."""
    message = f"runs must be a sequence or mapping of runs; got {got}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        f.FUSIONS[method](runs)


@pytest.mark.parametrize("method", f.FUSIONS)
def test_rankings_without_scores(method):
    """A list of ids, best first, is a run with the scores n, n − 1, …, 1."""
    lists = {"x": {"q": ["a", "b", "c"]}, "y": {"q": ("b", "d")}}
    scored = {"x": {"q": {"a": 3, "b": 2, "c": 1}}, "y": {"q": {"b": 2, "d": 1}}}
    assert f.FUSIONS[method](lists).equals(f.FUSIONS[method](scored))
    message = (
        "runs['y'] must have {docid: score} or a list of ids, best first for each "
        "query; got set for query 'q'."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        f.FUSIONS[method]({**lists, "y": {"q": {"a", "b"}}})


def test_command(tmp_path, capsys):
    """``ltr fuse`` writes a run and compares it with its parts."""
    paths = [str(tmp_path / name) for name in ("one", "two")]
    for run, path in zip((ONE, TWO), paths, strict=True):
        write_run(run, path)
    (tmp_path / "qrels").write_text("q 0 d 1\nq 0 a 0\np 0 a 1\n")
    judged = ["--qrels", str(tmp_path / "qrels"), "--metrics", "mrr"]
    out = ["--out", str(tmp_path / "out")]
    assert main(["fuse", *paths, "--k", "1", *out, *judged]) == 0
    assert scores(read_run(tmp_path / "out")) == scores(f.rrf([ONE, TWO], k=1))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [paths[0], "0.5000"] in [row[:2] for row in rows]
    tuned = ["--method", "interpolate", "--alpha", "tune", *judged]
    assert main(["fuse", *paths, *tuned]) == 0
    assert capsys.readouterr().out.startswith("alpha 0.2 maximizes mrr")
    assert main(["fuse", *paths]) == 2
    assert main(["fuse", *paths, "--method", "borda", "--k", "3", *out]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        "ltr fuse: pass --out to write the fused run, or --qrels to evaluate it.",
        "ltr fuse: --k does not apply to --method borda.",
    ]


def test_robust03(ltr_data):
    """15 runs of TREC 2003, ranks in the order of the files, cut at 1,000."""
    folder = Path(ltr_data) / "trec-robust03"
    short = ("humR03dc", "NLPR03vb10")
    paths = [
        p
        for p in sorted(folder.glob("input.*.gz"))
        if not any(s in p.name for s in short)
    ]
    runs = [read_run(path) for path in paths]
    assert len(runs) == 15
    expected = {"rrf": (0.2911, 0.4641), "borda": (0.2712, 0.4418)}
    for method, values in expected.items():
        fused = f.FUSIONS[method](runs, ties="first")
        table = evaluate_run(
            fused, folder / "robust03_qrels.txt.gz", ["map", "ndcg@10"], depth=1000
        )
        np.testing.assert_allclose(table["mean"], values, atol=5.0001e-5)
