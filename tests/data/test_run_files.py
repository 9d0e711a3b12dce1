"""Runs and judgments in the files and objects that people have."""

import gzip
import re
import tracemalloc
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from support.runs import as_dict

from ltr.datasets import (
    load_preflib,
    load_tsplib,
    read_qrels,
    read_run,
    write_run,
)
from ltr.fusion import FUSIONS, tune_alpha
from ltr.metrics import compare_runs, evaluate_run, reciprocal_rank_score, run_overlap
from ltr.plotting import MetricAtKDisplay

RUN = {"é": {"a": 2.5, "b#1": 2.0}, "7": {"a": -1.0}}
TREC = "é Q0 a 1 2.5 t\né Q0 b#1 2 2 t\n7 Q0 a 1 -1e0 t\n"
TSV = "qid\tdocid\tscore\né\ta\t2.5\né\tb#1\t2\n7\ta\t-1e0\n"
JSONL = (
    '{"qid": "é", "results": {"a": 2.5, "b#1": 2}}\n{"qid":7,"docid":"a","score":-1}\n'
)
FORMATS = {"run": TREC, "run.tsv": TSV, "run.jsonl": JSONL}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("latin-1", b""), ("utf-16", b"")],
)
def test_text_of_any_kind(tmp_path, name, end, encoding, mark):
    """Marks, line ends, encodings, gzip by content: one run."""
    data = mark + FORMATS[name].replace("\n", end).encode(encoding)
    for content in (data, gzip.compress(data), data.rstrip()):
        (tmp_path / name).write_bytes(content)
        assert as_dict(read_run(tmp_path / name, encoding=encoding)) == RUN


def test_an_encoding_that_was_not_passed(tmp_path):
    """File, line, byte and cure, by every function that reads files."""
    path = tmp_path / "run"
    path.write_bytes(b"1 Q0 a 1 2 t\n" + TREC.encode("latin-1"))
    message = (
        f"{path}, line 2: text must be in utf-8; got the byte 0xe9 (byte 1 of the line). "
        'Pass encoding= with its encoding, such as encoding="latin-1", or convert the '
        "file: iconv -f LATIN1 -t UTF-8."
    )
    qrels = {"é": {"a": 1}}
    calls = [
        lambda **o: read_run(path, **o),
        lambda **o: evaluate_run(path, qrels, **o),
        lambda **o: compare_runs({"x": path, "y": path}, qrels, **o),
        lambda **o: run_overlap(path, {"é": ["a"]}, **o),
        *(partial(method, [path, path]) for method in FUSIONS.values()),
        partial(tune_alpha, [path, path], qrels),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()
        call(encoding="latin-1")


def test_comments(tmp_path):
    """Lines that begin with # in TREC files; elsewhere # is a character."""
    lines = TREC.splitlines(keepends=True)
    text = "# a\n" + lines[0] + " # b c d e f g\n#\n" + "".join(lines[1:]) + "# end"
    (tmp_path / "run").write_text(text)
    assert as_dict(read_run(tmp_path / "run")) == RUN
    (tmp_path / "qrels").write_text("# a\n1 0 a 1\n# b\n1 0 #b 0\n")
    assert as_dict(read_qrels(tmp_path / "qrels")) == {"1": {"a": 1, "#b": 0}}
    message = (
        "a qid must not begin with '#', which begins a comment in a TREC file; got '#1'. "
        "Write a .jsonl file instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_run({"#1": {"a": 1}}, tmp_path / "run")
    write_run({"#1": {"a": 1}}, tmp_path / "run.jsonl")
    assert as_dict(read_run(tmp_path / "run.jsonl")) == {"#1": {"a": 1}}


@given(
    lines=st.lists(
        st.sampled_from(
            [
                "q1 Q0 {} 1 2.5 t",
                "q1\tQ0\t{}\t1\t2 t u",
                " q2  Q0 {} x .5 ",
                "#",
                "",
                " ",
            ]
        ),
        max_size=12,
    ),
    bad=st.sampled_from(["", "", "q1 Q0 x 1 2_0 t", "q1 Q0 x", "q1 Q0 x y 2 3 t"]),
)
def test_blocks_and_lines_agree(tmp_path, lines, bad):
    """A file of short blocks, some regular and some not, against a split of each line."""
    from ltr.datasets.runs.columns import RUN as LAYOUT
    from ltr.datasets.runs.columns import read_columns

    text = [line.format(f"d{i}" if i % 3 else "é" * 40) for i, line in enumerate(lines)]
    text = [*text, bad] if bad else text
    rows = [line.split() for line in text]
    expected = [(w[0], w[2], float(w[4])) for w in rows if len(w) > 4 and w[0] != "#"]
    if bad or not expected:
        expected = None
    blocks, n_lines = [], 3
    for i in range(0, len(text), n_lines):
        block = "\n".join(text[i : i + n_lines])
        last = "" if i + n_lines >= len(text) else "\n"
        blocks.append((i + 1, (block + last).encode()))
    if expected is None:
        with pytest.raises(ValueError, match=f"line {len(text)}:|got none"):
            read_columns(iter(blocks), LAYOUT, "run")
        return
    run = read_columns(iter(blocks), LAYOUT, "run")
    found = [run.qid.of(i) for i in range(len(expected))]
    ids = [run.docid.of(i) for i in range(len(expected))]
    assert list(zip(found, ids, run.values.tolist(), strict=True)) == expected
    assert [text[line - 1].split()[2] for line in run.lines] == ids


TSV_HEAD = "query-id\tcorpus-id\tscore\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.tsv",
            TSV_HEAD + "q\ta\t1\nq\tb\t1\t7\n",
            "line 3: a row must have 3 cells between tabs, as the header has; got 4 in "
            r"'q\tb\t1\t7'.",
        ),
        (  # the index column of pandas
            "a.tsv",
            TSV_HEAD + "0\tq\ta\t1\n",
            "line 2: a row must have 3 cells between tabs, as the header has; got 4 in "
            r"'0\tq\ta\t1'.",
        ),
        (
            "a.tsv",
            TSV_HEAD + "q\ta\n",
            "line 2: a row must have 3 cells between tabs, as the header has; got 2 in "
            r"'q\ta'.",
        ),
        (
            "a.tsv",
            TSV_HEAD + "q\t\t1\n",
            r"line 2: an id must not be empty; got 'q\t\t1'.",
        ),
        (
            "a.tsv",
            TSV_HEAD + "q\ta\t1_0\n",
            "line 2: a label must be a number; got '1_0'.",
        ),
        (
            "a.tsv",
            TSV_HEAD + "q\ta\tinf\n",
            "line 2: a label must be a finite number; got inf for query 'q', document 'a'.",
        ),
        (
            "a.tsv",
            "query-id\tcorpus-id\n",
            "line 1: must have a column 'label' (or 'relevance', 'rel', 'score'); got "
            "['query-id', 'corpus-id'].",
        ),
        (
            "qrels",
            "q 0 a 1\nq 0 b 1 7\n",
            "line 2: a line must have the form 'qid 0 docid label'; got 'q 0 b 1 7'.",
        ),
        (
            "a.jsonl",
            '{"qid": 7, "results": {"a": 1, "a": 2}}\n',
            "line 1: OBJECT; got 'a' twice.",
        ),
        ("a.jsonl", "\n[1]\n", "line 2: OBJECT; got '[1]'."),
        (
            "a.jsonl",
            '{"qid": 7.0, "docid": "a", "label": 1}',
            "line 1: OBJECT; got 'qid': 7.0.",
        ),
        (
            "a.jsonl",
            '{"qid": 7, "docid": "a", "label": "1"}',
            "line 1: OBJECT; got 'label': '1'.",
        ),
        (
            "a.jsonl",
            '{"qid": 7, "docid": "a", "label": NaN}',
            "line 1: OBJECT; got 'label': nan.",
        ),
        (
            "a.jsonl",
            '{"qid": 7, "docid": "a"}',
            "line 1: OBJECT; got no 'label', but ['qid', 'docid'].",
        ),
        ("a.jsonl", '{"qid": 7,', "line 1: OBJECT; JSON at character 11."),
        ("a.jsonl", "[" * 99999, "line 1: OBJECT; got one nested too deeply."),
        (
            "a.jsonl",
            '{"qid": "\\ud800", "docid": "a", "label": 1}',
            r"line 1: OBJECT; got '\ud800', which has a surrogate.",
        ),
        (
            "a.jsonl",
            '{"qid": 7, "docid": "a", "label": 1' + "0" * 400 + "}",
            f"line 1: OBJECT; got 'label': 1{'0' * 56}....",
        ),
        (
            "a.jsonl",
            '{"qid": 7, "docid": "a", "label": 1' + "0" * 5000 + "}",
            "line 1: OBJECT; got too long a number.",
        ),
    ],
)
def test_malformed_judgments(tmp_path, name, text, message):
    """The whole message."""
    path = tmp_path / name
    path.write_text(text)
    form = (
        "a line must be a JSON object with 'qid', 'docid' and 'label', or with 'qid' and "
        "'results'"
    )
    message = message.replace("OBJECT", form)
    message = message.replace(
        "JSON at", "Expecting property name enclosed in double quotes at"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {message}')}$"):
        read_qrels(path)


def test_numbers_in_json_stay_as_they_are(tmp_path):
    """7 is the id "7", also where other records have text or no such field."""
    path = tmp_path / "run.jsonl"
    lines = [
        '{"qid": 7, "docid": 1, "score": 2}',
        '{"score": 1, "docid": "x", "qid": "7"}',
    ]
    path.write_text("\n".join(lines))
    assert as_dict(read_run(path)) == {"7": {"1": 2.0, "x": 1.0}}


def test_a_trec_file_with_tabs_named_tsv(tmp_path):
    """As MS MARCO's judgments: no header."""
    (tmp_path / "qrels.tsv").write_text("q\t0\ta\t1\n")
    assert as_dict(read_qrels(tmp_path / "qrels.tsv")) == {"q": {"a": 1.0}}


class PolarsLike:
    """What is used of a DataFrame of polars."""

    def __init__(self, table):
        self.columns, self._table = list(table.columns), table

    def get_column(self, name):
        column = self._table[name]
        return type("Series", (), {"to_list": lambda _: column.tolist()})()


def frame(form):
    """The table of a run in one of several libraries."""
    rows = [(q, d, s) for q, docs in RUN.items() for d, s in docs.items()]
    table = pd.DataFrame(rows, columns=["query_id", "doc_id", "score"])
    if form == "pyarrow":
        return pytest.importorskip("pyarrow").table(table)
    if form == "categories":
        return table.rename(columns={"query_id": "qid"}).astype({"qid": "category"})
    if form == "polars":
        return pytest.importorskip("polars").DataFrame(table.to_dict("list"))
    return PolarsLike(table) if form == "like polars" else table


@pytest.mark.parametrize(
    "form", ["pandas", "pyarrow", "categories", "polars", "like polars"]
)
def test_tables_of_several_libraries(form):
    """The same run, wherever runs are taken."""
    table = frame(form)
    assert as_dict(read_run(table)) == RUN
    qrels = {"é": {"a": 1}}
    expected = evaluate_run(RUN, qrels)
    pd.testing.assert_frame_equal(evaluate_run(table, qrels), expected)
    comparison = compare_runs({"x": table, "y": RUN}, qrels, "map")
    assert (comparison.table["mean"] == 1.0).all()
    assert (run_overlap(table, RUN)["rbo"] == 1.0).all()


@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_rankings(form):
    """A list of ids is a ranking, best first."""
    ranking = {"q": form(["b", "a"]), "p": form([])}
    assert as_dict(read_run(ranking)) == {"q": {"b": 2.0, "a": 1.0}}
    table = evaluate_run(ranking, {"q": {"a": 1}}, "mrr")
    assert table["mean"].tolist() == [0.5]
    comparison = compare_runs({"x": ranking, "y": {"q": ["a"]}}, {"q": {"a": 1}}, "mrr")
    assert comparison.table["mean"].tolist() == [0.5, 1.0]
    assert run_overlap(ranking, {"q": {"b": 2, "a": 1}})["rbo"].item() == 1.0
    with pytest.raises(ValueError, match="got 'a' again for query 'q'. Keep one of"):
        read_run({"q": ["a", "a"]})


RUN_FORMS = (
    "run must be a path, a table with the columns qid, docid and score (of pandas, polars "
    "or pyarrow), {qid: {docid: score}} or {qid: [docid, …]}, best first; got "
)
QRELS_FORMS = (
    "qrels must be a path, a table with the columns qid, docid and label (of pandas, "
    "polars or pyarrow) or {qid: {docid: label}}; got "
)


@pytest.mark.parametrize(
    ("read", "source", "message"),
    [
        (read_run, [1, 2], RUN_FORMS + "list."),
        (read_run, pd.Series({"a": 1}), RUN_FORMS + "pandas.Series."),
        (read_run, None, RUN_FORMS + "NoneType."),
        (read_qrels, {"a"}, QRELS_FORMS + "set."),
        (
            read_run,
            {"q": {"a", "b"}},
            "run must have {docid: score} or a list of ids, best first for each query; "
            "got set for query 'q'.",
        ),
        (
            read_run,
            {"q": "ab"},
            "run must have {docid: score} or a list of ids, best first for each query; "
            "got str for query 'q'.",
        ),
        (
            read_run,
            {"q": [("a", 1.5)]},
            "run must have ids, best first, in the list of a query; got ('a', 1.5) for "
            "query 'q'. Pass scores as {docid: score}.",
        ),
        (
            read_qrels,
            {"q": ["a"]},
            "qrels must have {docid: label} for each query; got list for query 'q'.",
        ),
    ],
)
def test_what_is_no_run(read, source, message):
    """Both a TypeError and a ValueError."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        read(source)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read(source)


@pytest.mark.parametrize("runs", [[RUN, RUN], RUN, {"q": ["a", "b"]}, read_run(RUN)])
def test_what_is_no_mapping_of_runs(runs):
    """A list, a single run in any form."""
    got = "list" if isinstance(runs, list) else "a single run"
    message = f"runs must be {{name: run}}; got {got}."
    for call in (compare_runs, MetricAtKDisplay.from_runs):
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            call(runs, {"é": {"a": 1}})


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (["2", "1_000"], "got '1_000'."),
        ([2, "high"], "got 'high'."),
        ([2, 10**400], "int too large to convert to float."),
        ([2, None], "got nan for query 'q', document 'b'."),
        ([2, [1]], "setting an array element with a sequence."),
        (np.array([2, 1j]), "got complex128."),
        (pd.to_datetime(["2020-01-01"] * 2), f"got {pd.to_datetime(['2020']).dtype}."),
    ],
)
def test_what_is_no_score(scores, message):
    """Text is read as in files; dates are no numbers."""
    table = pd.DataFrame({"qid": "q", "docid": ["a", "b"], "score": scores})
    message = f"run: a score must be a number; {message}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_run(table)
    good = table.assign(score=["2", " 1e0"])
    assert read_run(good)["score"].tolist() == [2.0, 1.0]


def test_one_long_id(tmp_path):
    """No array is as wide as the longest id: memory is linear in the file."""
    n, long_id = 3000, "x" * 100_000
    rows = [(f"q{i // 100}", f"d{i}", 1.0) for i in range(n)] + [("q0", long_id, 1.0)]
    text = "".join(f"{q} Q0 {d} 1 {s} t\n" for q, d, s in rows)
    (tmp_path / "run").write_text(text)
    qrels = {"q0": {long_id: 1, "d1": 0}}
    tracemalloc.start()
    try:
        run = read_run(tmp_path / "run")
        value = evaluate_run(tmp_path / "run", qrels, "mrr")["mean"].item()
        docids = run["docid"].tolist()
        labels, scores = np.zeros(n + 1), np.zeros(n + 1)
        labels[-1] = 1
        array = reciprocal_rank_score(labels, scores, ties="trec", docids=docids)
        overlap = run_overlap(run, tmp_path / "run", ties="trec")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert value == array == 1.0  # "x" > "d…"
    assert len(run) == n + 1
    assert (overlap["rbo"] > 0.999).all()
    assert peak < 20e6  # a table as wide as the id has 300 MB


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run", "q Q0 a 1 {digits}x t\n"),
        ("run", "q Q0 a 1 {digits} t\n"),
        ("run", "q Q0 a 1 .{digits} t\n"),
        ("run", "q{blanks}Q0 a 1 x t\n"),
        ("run.tsv", "qid\tdocid\tscore\nq\ta\t{digits}x\n"),
        ("run.jsonl", '{{"qid": 7, "docid": "a", "score": 1.{digits}}}\n'),
        ("run.jsonl", '{{"qid": 7, "docid": "a", "score": 1{blanks}x}}\n'),
        ("run", "q Q0 {digits} 1 1 t\nq Q0 {digits} 1 1 t\n"),
        ("a.soi", "# NUMBER ALTERNATIVES: 3\n1: {{1{blanks}x\n"),
        ("a.soi", "# NUMBER ALTERNATIVES: 3\n1: 1{blanks}x\n"),
        ("a.soi", "# NUMBER ALTERNATIVES: 3\n{digits}: 1\n"),
        ("a.tsp", "TYPE: TSP\nDIMENSION: 2\nEDGE_WEIGHT_SECTION\n{digits}x\n"),
        ("a.tsp", "TYPE: TSP\nDIMENSION: 2\nEDGE_WEIGHT_SECTION\n1{blanks}x\n"),
        ("a.tsp", "TYPE: TSP\nDIMENSION: {digits}\n"),
        ("a.tsp", "TYPE: {digits}\n"),
        ("a.tsp", "TYPE: TSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: {digits}\n"),
    ],
)
def test_long_words(tmp_path, name, text):
    """Refused with a short message; in quadratic time they would take minutes."""
    path = tmp_path / name
    n = 300_000
    path.write_text(text.format(digits="1" * n, blanks=" " * n))
    read = {"soi": load_preflib, "tsp": load_tsplib}.get(name[-3:], read_run)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}") as caught:
        read(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("word", ["a\xa0b", "\u3000", "a\x1cb", "\x85"])
def test_blanks_of_unicode_are_letters(tmp_path, word):
    """Words of TREC files end at the blanks of ASCII, as in trec_eval."""
    path = tmp_path / "run.txt"
    path.write_text(f"{word} Q0 {word} 1 2.5 tag\n", encoding="utf-8")
    run = read_run(path)
    assert run.values.tolist() == [[word, word, 2.5]]
    write_run(run, tmp_path / "copy.txt")
    assert read_run(tmp_path / "copy.txt").equals(run)
    qrels = tmp_path / "qrels.txt"
    qrels.write_text(f"{word} 0 {word} 1\n", encoding="utf-8")
    assert evaluate_run(run, qrels, ["map"])["mean"].tolist() == [1.0]


def test_ids_of_bytes():
    """Text as bytes is read as text, not as ``b'a'``."""
    for source in (
        {b"q": {b"a": 1.0}},
        {np.bytes_(b"q"): [b"a"]},
        pd.DataFrame({"qid": [b"q"], "docid": [b"a"], "score": [1.0]}),
    ):
        assert read_run(source).values.tolist() == [["q", "a", 1.0]]
    message = "run: a qid must be text, or bytes in UTF-8; got b'\\xe9'. Decode it."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_run({b"\xe9": {b"a": 1.0}})
