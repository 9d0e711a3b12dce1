"""Runs and judgments by id: reading, warnings, comparisons, real files."""

import gzip
import json
import re
import warnings
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from support.runs import as_dict, mean_of

from ltr import metrics as m
from ltr.datasets import load_letor, read_qrels, read_run, write_run

RUN = {"q1": {"a": 3.0, "b": 2.0, "c": 1.0}, "q2": {"a": 1.0, "x": 0.5}}


QRELS = {"q1": {"b": 1, "d": 2, "a": 0}, "q2": {"a": 2}, "q3": {"a": 1}}


@pytest.mark.parametrize("name", ["run.txt", "run.txt.gz", "run.jsonl", "run.jsonl.gz"])
def test_a_written_run_reads_back(tmp_path, name):
    """Every digit of a score, in each format."""
    run = {q: {d: s / 3 for d, s in docs.items()} for q, docs in RUN.items()}
    write_run(run, tmp_path / name, tag="mine")
    assert as_dict(read_run(tmp_path / name)) == run
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_forms_of_a_run(tmp_path):
    """TREC files with junk at the end, tables, dicts, nested JSON: one table."""
    text = "q1 Q0 a 1 3 t more words\nq1\tQ0\tb\t2\t2.0 t\nq1 Q0 c 3 1e0\n"
    (tmp_path / "run").write_text(text + "q2 Q0 a 1 1 t\n\nq2 Q0 x 2 .5 t\n")
    nested = [json.dumps({"qid": q, "results": docs}) for q, docs in RUN.items()]
    (tmp_path / "run.jsonl").write_text("\n".join(nested))
    table = read_run(RUN)
    beir = table.rename(columns={"qid": "query-id", "docid": "corpus-id"})
    for source in (tmp_path / "run", tmp_path / "run.jsonl", RUN, table, beir):
        assert as_dict(read_run(source)) == RUN


ID = st.text(
    st.characters(min_codepoint=33, blacklist_categories=("Z", "C")), min_size=1
)


@given(
    rows=st.lists(
        st.tuples(
            ID.filter(lambda qid: qid[0] != "#")  # a comment
            | st.sampled_from(["a", "a" * 8, "a" * 70]),
            ID,
            st.floats(-9, 9),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[:2],
    ),
    gap=st.sampled_from([" ", "\t", "  "]),
    end=st.sampled_from(["\n", "\r\n", "\n\n", " more words\n"]),
)
def test_ids_and_numbers_of_any_form(tmp_path, rows, gap, end):
    """Long ids, other alphabets, tabs, blank lines: as a split of each line reads it."""
    lines = [gap.join([q, "Q0", d, "1", repr(s), "tag"]) + end for q, d, s in rows]
    (tmp_path / "run").write_bytes("".join(lines).encode())
    expected = {}
    for q, d, s in rows:
        expected.setdefault(q, {})[d] = s
    assert as_dict(read_run(tmp_path / "run")) == expected


def test_files_of_several_blocks(tmp_path, monkeypatch):
    """A block boundary inside a line, ids that grow from block to block."""
    monkeypatch.setattr("ltr.datasets.runs.files.BLOCK_BYTES", 64)
    rows = [(f"q{i % 7}", f"d{10**i}", i / 3) for i in range(30)]
    lines = [f"{q} Q0 {d} 1 {s} tag" for q, d, s in rows]
    for last in ("", "\n"):
        (tmp_path / "run").write_text("\n".join(lines) + last)
        assert (
            list(read_run(tmp_path / "run").itertuples(index=False, name=None)) == rows
        )


def test_ids_are_text():
    """NA, numbers and # are ids as others."""
    run = read_run(
        pd.DataFrame({"qid": [1, 1], "docid": ["NA", "#2"], "score": [1, 2]})
    )
    assert as_dict(run) == {"1": {"NA": 1.0, "#2": 2.0}}


def test_forms_of_judgments(tmp_path):
    """TREC, BEIR's folder, dicts."""
    folder = tmp_path / "qrels"
    folder.mkdir()
    lines = ["query-id\tcorpus-id\tscore"]
    lines += [f"{q}\t{d}\t{y}" for q, docs in QRELS.items() for d, y in docs.items()]
    (folder / "test.tsv").write_text("\n".join(lines))
    trec = "".join(f"{q} 0 {d} {y}\n" for q, z in QRELS.items() for d, y in z.items())
    (tmp_path / "qrels.gz").write_bytes(gzip.compress(trec.encode()))
    for source in (tmp_path, tmp_path / "qrels.gz", folder / "test.tsv", QRELS):
        assert as_dict(read_qrels(source)) == QRELS


FORM = "a line must have the form 'qid Q0 docid rank score tag'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "q1 Q0 a 1 3 t\nq1 Q0 b two\n",
            f"line 2: {FORM}; got 'q1 Q0 b two'.",
        ),
        ("q1 Q0 a 1 high t\n", f"line 1: {FORM}; got 'q1 Q0 a 1 high t'."),
        ("q1 Q0 a 1 1_000 t\n", f"line 1: {FORM}; got 'q1 Q0 a 1 1_000 t'."),
        ("q1 Q0 a 1 nan t\n", f"line 1: {FORM}; got 'q1 Q0 a 1 nan t'."),
        (  # an id of two words moves the score
            "q1 Q0 a 1 3 t\nq1 Q0 New York 2 0.5 t\n",
            f"line 2: {FORM}; got 'q1 Q0 New York 2 0.5 t'.",
        ),
        (
            "# tag x\n\nq1 Q0 a 1 3 t\nq2 Q0 a 1 3 t\n#\nq1 Q0 a 2 1 t\n",
            "line 6: a query must have a document only once; got 'a' again for query "
            "'q1', as in line 3. Keep one of the rows.",
        ),
        (
            "q1 Q0 a 1 2\0.5 t\n",
            "line 1: text must not have NUL bytes; got one after 'q1 Q0 a 1 2'. Is this "
            'a binary file, or text in UTF-16 (pass encoding="utf-16-le")?',
        ),
    ],
)
def test_malformed_runs(tmp_path, text, message):
    """The whole message."""
    path = tmp_path / "run"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {message}')}$"):
        read_run(path)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", " # \n"])
def test_no_line(tmp_path, text):
    """An empty file, blank lines, comments."""
    path = tmp_path / "run"
    path.write_text(text)
    message = (
        f"{path} must have lines of the form 'qid Q0 docid rank score tag'; got none."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_run(path)


def test_docno_of_pyterrier():
    """Beside docno, docid is the number of the document in an index."""
    frame = pd.DataFrame(
        {"qid": ["1", "1"], "docid": [7, 3], "docno": ["a", "b"], "score": [2.0, 1.0]}
    )
    assert read_run(frame)["docid"].tolist() == ["a", "b"]
    assert mean_of(frame, {"1": {"b": 1}}, "mrr") == 1 / 2
    twice = frame.assign(doc_id=frame.docno)
    with pytest.raises(ValueError, match="one column for the docid; got 'doc_id' and"):
        read_run(twice)


def test_other_errors(tmp_path):
    """What is no run, and what cannot be written as one."""
    message = (
        "run must have a column 'docid' (or 'corpus-id', 'corpus_id', 'doc_id', "
        "'docno', 'p_id', 'pid', 'doc'); got ['qid', 'score']."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_run(pd.DataFrame({"qid": [1], "score": [2]}))
    with pytest.raises(ValueError, match="got nan for query 'q', document 'a'"):
        read_run({"q": {"a": float("nan")}})
    with pytest.raises(
        ValueError, match="must not contain a NUL character; got 'a.x00'"
    ):
        read_run({"q": {"a\0": 1, "b": 2}})
    with pytest.raises(FileNotFoundError, match="none does not exist.$"):
        read_run(tmp_path / "none")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"q1 Q0 a 1 3 t\n" * 99)[:-9])
    with pytest.raises(ValueError, match="must be a complete gzip file"):
        read_run(tmp_path / "cut.gz")
    with pytest.raises(
        ValueError, match="a docid must be one word in a TREC file; got 'a b'"
    ):
        write_run({"q": {"a b": 1}}, tmp_path / "run")
    with pytest.raises(ValueError, match="some of the judged queries"):
        m.evaluate_run({"other": {"a": 1}}, QRELS)


def test_swapped_arguments(tmp_path):
    """Files of the other kind are named; grades where scores belong are a warning."""
    run, qrels = tmp_path / "run", tmp_path / "qrels"
    write_run(RUN, run)
    qrels.write_text("q1 0 b 1\nq2 0 a 2\n")
    message = (
        f"{qrels}, line 1: {FORM}; got 'q1 0 b 1'. It looks like judgments. Are the run "
        "and the judgments swapped?"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.evaluate_run(qrels, run)
    message = (
        f"{run}, line 1: a line must have the form 'qid 0 docid label'; got 'q1 Q0 a 1 "
        "3.0 ltr'. It looks like a run. Are the run and the judgments swapped?"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.evaluate_run(RUN, run)
    with pytest.warns(UserWarning, match="are they swapped. The run comes first"):
        m.evaluate_run(QRELS, {"q1": {"a": 0.5, "b": 0.25}})
    with warnings.catch_warnings():  # rankings have no scores
        warnings.simplefilter("error")
        m.evaluate_run({"q1": ["c", "a"]}, {"q1": {"a": 0.5, "c": 1, "b": 0}}, ["map"])


def test_a_query_only_once():
    """Ids are text: two keys of a mapping may be one query."""
    message = (
        "run: a query must be there only once; got 1 and '1', which are the same id. "
        "Keep one of them."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.evaluate_run({1: ["a"], "1": ["c"]}, {"1": {"a": 1}})


def test_rules_by_hand():
    """Documents that were not returned, not judged, queries that were not answered."""
    value = lambda name, **o: m.evaluate_run(RUN, QRELS, [name], **o)["mean"].item()
    assert value("recall") == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert value("recall", missing="skip") == pytest.approx((1 / 2 + 1) / 2)
    assert value("map", missing="skip") == pytest.approx((1 / 2 / 2 + 1) / 2)
    assert value("setP", missing="skip") == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert value("normalized_recall@1", empty="skip") == pytest.approx((0 + 1) / 2)
    ideal, found = 2 + 1 / np.log2(3), 1 / np.log2(3)
    assert value("ndcg", missing="skip") == pytest.approx((found / ideal + 1) / 2)
    assert value("bpref", missing="skip") == pytest.approx((0 + 1) / 2)
    assert value("P@2", missing="skip", unjudged="drop") == pytest.approx(1 / 2)
    assert value("mrr", missing="skip", depth=1) == pytest.approx((0 + 1) / 2)
    # judged documents of q1: a, b, then d, which was not returned, with the best label
    assert value("auc", missing="skip", empty="skip") == pytest.approx(0.0)


UNJUDGED = (
    "no document that {} returned for a judged query has a judgment, so every metric "
    "treats them as irrelevant. It has ['10.0', '11.0'], the judgments ['10', '12']; "
    "write document ids the same way in both."
)


def test_no_document_is_judged(recwarn):
    """A warning shows both forms; a query without a judged document is none."""
    run = {"q": {10.0: 2, 11.0: 1}, "p": {10.0: 1}}
    qrels = {"q": {10: 1, 12: 0}, "p": {10: 1}}
    right = {q: {int(d): s for d, s in docs.items()} for q, docs in run.items()}
    m.evaluate_run({**right, "p": {"z": 1}}, qrels)
    m.compare_runs({"a": right, "b": right}, qrels, "map")
    assert not recwarn.list
    with pytest.warns(UserWarning, match=f"^{re.escape(UNJUDGED.format('the run'))}$"):
        assert mean_of(run, qrels, "map") == 0.0
    named = re.escape(UNJUDGED.format("the run 'b'"))
    with pytest.warns(UserWarning, match=f"^{named}$") as warned:
        m.compare_runs({"a": right, "b": run}, qrels, "map")
    assert len(warned) == 1
    assert warned[0].filename == __file__
    message = (
        "the run must have some of the judged queries; it has ['1.0'], the judgments "
        "['q', 'p']. Write query ids the same way in both."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.evaluate_run({1.0: {10: 1}}, qrels)


def several(seed=0, n_queries=40):
    """Three runs on the same judged queries: good, the same with noise, random."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, (n_queries, 8))
    noise = rng.normal(size=(n_queries, 8))
    table = lambda s: {
        f"q{i}": {f"d{j}": float(s[i, j]) for j in range(8)} for i in range(n_queries)
    }
    runs = {"good": table(y + noise / 2), "copy": table(y + noise / 2)}
    return runs | {"random": table(noise)}, {
        q: {d: int(x) for d, x in docs.items()} for q, docs in table(y).items()
    }


@pytest.mark.parametrize("test", ["randomization", "t"])
def test_compare_runs(test):
    """A copy differs by nothing, a random run by a lot; Holm's factor is 2."""
    runs, qrels = several()
    comparison = m.compare_runs(runs, qrels, ["ndcg@5", "map"], test=test)
    table = comparison.table
    assert table.index.tolist()[0] == ("good", "ndcg@5")
    copy, random = table.loc[("copy", "map")], table.loc[("random", "map")]
    assert (copy["difference"], copy["p_value"], copy["effect_size"]) == (0, 1, 0)
    values = {n: t["map"].to_numpy() for n, t in comparison.per_query.items()}
    raw = {"randomization": m.paired_randomization_test, "t": m.paired_t_test}[test]
    assert random["p_value"] == 2 * raw(values["random"], values["good"]) < 0.01
    assert random["difference_high"] < 0
    assert random["effect_size"] == m.effect_size(values["random"], values["good"])


def test_a_comparison_prints_as_a_table():
    """Columns under each other, marks beside the digits; HTML in a notebook."""
    runs, qrels = several()
    comparison = m.compare_runs(
        {"a": runs["good"], "another run": runs["random"]}, qrels, ["map", "ndcg@5"]
    )
    assert repr(comparison) == comparison.to_text().rstrip("\n")
    assert comparison._repr_html_() == comparison.to_html()
    (a, b), (c, d) = (
        [f"{x:.4f}" for x in comparison.table["mean"].loc[run]]
        for run in ("a", "another run")
    )
    assert repr(comparison) == (
        f"run              map    ndcg@5\n"
        f"a            *{a}   *{b}\n"
        f"another run   {c}†   {d}†\n\n"
        "* best; † differs from a, p < 0.05 (paired randomization test over 40 queries, "
        "Holm's correction over 1 run)."
    )


def test_tables_of_a_comparison():
    """Best ones bold, † where the difference is significant, names escaped."""
    runs, qrels = several()
    runs = {"good": runs["good"], "a_b & <c>": runs["random"]}
    comparison = m.compare_runs(runs, qrels, "map")
    good, bad = (f"{comparison.table['mean'].iloc[i]:.3f}" for i in (0, 1))
    note = (
        "differs from good, p < 0.05 (paired randomization test over 40 queries, Holm's "
        "correction over 1 run)."
    )
    assert comparison.to_markdown(3) == (
        f"| run | map |\n|---|---|\n| good | **{good}** |\n| a_b & <c> | {bad}† |\n\n"
        f"† {note}\n"
    )
    assert rf"a\_b \& <c> & {bad}$^{{\dagger}}$ \\" in comparison.to_latex(3)
    assert r"\textbf{" + good + "}" in comparison.to_latex(3)
    assert f"<th>a_b &amp; &lt;c&gt;</th><td>{bad}<sup>†</sup></td>" in (
        comparison.to_html(3)
    )


def test_errors_of_a_comparison():
    """One run, an unknown baseline."""
    runs, qrels = several(n_queries=3)
    with pytest.raises(ValueError, match="needs at least two runs"):
        m.compare_runs({"good": runs["good"]}, qrels)
    with pytest.raises(
        ValueError,
        match="^baseline must be one of 'good', 'copy', 'random'; got 'best'.$",
    ):
        m.compare_runs(runs, qrels, baseline="best")


def test_letors_numbers(ltr_data):
    """The best single feature of MQ2008 under LETOR's rules, mean of the five folds."""
    folder = Path(ltr_data) / "mq2008"
    names, means = ["ndcg@1", "ndcg@5", "ndcg@10", "map"], []
    for part in range(1, 6):
        data = load_letor(folder / f"S{part}.txt.gz")
        options = {"discount": "letor", "ties": "first", "empty": 0}
        table = m.evaluate(data.y, data.X[:, 38], data.qid, names, **options)
        means.append(table["mean"])
    np.testing.assert_allclose(np.mean(means, axis=0), [0.3524, 0.4683, 0.2233, 0.4712], atol=1e-4)  # fmt: skip


def test_cells_of_several_runs_and_metrics():
    """Each number of each output stands in the row of its run and column of its metric."""
    qrels = {q: {"a": 1, "b": 0, "c": 0} for q in ("q1", "q2", "q3")}
    runs = {
        "first": {q: {"a": 3.0, "b": 2.0, "c": 1.0} for q in qrels},
        "last": {q: {"a": 1.0, "b": 2.0, "c": 3.0} for q in qrels},
    }
    comparison = m.compare_runs(runs, qrels, ["mrr", "precision@1", "ndcg@3"])
    rows = [row for row in comparison.to_markdown(2).splitlines() if "|" in row]
    plain = [row.replace("*", "").replace("†", "") for row in rows]
    cells = {row.split("|")[1].strip(): row for row in plain}
    assert [c.strip() for c in cells["first"].split("|")[2:5]] == ["1.00"] * 3
    assert [c.strip() for c in cells["last"].split("|")[2:5]] == [
        "0.33",
        "0.00",
        "0.50",
    ]
    for text in (comparison.to_latex(2), comparison.to_html(2)):
        row = next(line for line in text.splitlines() if "last" in line)
        assert row.index("0.33") < row.index("0.00") < row.index("0.50")
