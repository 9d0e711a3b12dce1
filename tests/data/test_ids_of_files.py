"""Ids, names and numbers that a format cannot hold: refused by readers and writers."""

import re

import numpy as np
import pandas as pd
import pytest

from ltr.datasets import (
    RankingData,
    load_letor,
    load_preflib,
    load_table,
    read_qrels,
    read_run,
    save_letor,
    save_preflib,
    save_table,
    write_run,
)


def data(qid="a", names=None, y=(1.0, 0.0), docids=None):
    """Two rows of a query."""
    ids = None if docids is None else np.array(docids)
    return RankingData(
        np.ones((2, 1)), np.array(y), np.array([qid, "b"]), names, docids=ids
    )


def refused(call, message):
    """The message in full."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


LARGE = "line 3: column {!r} must hold {}; got {!r}. Replace it, or drop the row."


@pytest.mark.parametrize(
    ("row", "column", "need"),
    [
        ("7,1e400,1", "label", "finite numbers"),
        ("7,inf,1", "label", "finite numbers"),
        ("7,-Infinity,1", "label", "finite numbers"),
        ("7,1,1e400", "f", "numbers in range"),
        ("7,1,-2.5E+309", "f", "numbers in range"),
    ],
)
def test_tables_with_numbers_out_of_range(tmp_path, row, column, need):
    """A number that is too large for a float, and an infinite label."""
    word = row.split(",")[1 if column == "label" else 2]
    for suffix, separator in (("csv", ","), ("tsv", "\t")):
        path = tmp_path / f"a.{suffix}"
        text = f"qid,label,f\n7,0,inf\n{row}\n".replace(",", separator)
        path.write_text(text)
        message = f"{path}, {LARGE.format(column, need, word)}"
        refused(lambda path=path: load_table(path), message)
    path.write_text("qid\tlabel\tf\n7\t0\tinf\n")
    assert load_table(path).X.tolist() == [[np.inf]]


def test_frames_with_infinite_labels():
    """Refused as in files."""
    message = (
        "column 'label' must hold finite numbers in the table; got inf in row 1 "
        "(counted from 0). Replace it, or drop the row."
    )
    frame = pd.DataFrame({"label": [1, np.inf], "qid": [1, 1], "f": [0, np.inf]})
    refused(lambda: load_table(frame), message)
    frame["label"] = pd.array([1, 0], dtype="Int64")
    assert load_table(frame).X.tolist() == [[0], [np.inf]]


MARK = "\ufeff"


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        (
            "a.txt",
            lambda path: write_run({MARK + "q": {"a": 1}, "q": {"b": 2}}, path),
            "a qid must be text that a TREC file can hold; got '\\ufeffq', which has a "
            "byte-order mark at its start. Change it.",
        ),
        (
            "a.csv",
            lambda path: save_table(data(MARK + "q"), path),
            "qid must be text that a .csv file can hold; got '\\ufeffq', which has a "
            "byte-order mark at its start. Change it.",
        ),
        (
            "a.tsv",
            lambda path: save_table(data(docids=["x", ""]), path),
            "docid must be text that a .tsv file can hold; got '', which has no "
            "character. Change it.",
        ),
        (
            "a.csv",
            lambda path: save_table(data(""), path),
            "qid must be text that a .csv file can hold; got '', which has no "
            "character. Change it.",
        ),
        (
            "a.csv",
            lambda path: save_table(data(names=["f\rg"]), path),
            "feature_names must be text that a .csv file can hold; got 'f\\rg', which "
            "has a carriage return. Change it.",
        ),
        (
            "a.csv",
            lambda path: save_table(data(names=["f\0g"]), path),
            "feature_names must be text that a .csv file can hold; got 'f\\x00g', which "
            "has a NUL character. Change it.",
        ),
        (
            "a.parquet",
            lambda path: save_table(data(names=[""]), path),
            "feature_names must not be empty in a table; got ['']. Name each.",
        ),
        (
            "a.csv",
            lambda path: save_table(data(y=(1.0, np.inf)), path),
            "labels must be finite in a table; got inf in row 1. Replace it or drop "
            "the row.",
        ),
        (
            "a.csv",
            lambda path: save_table(data("\ud800"), path),
            "qid must be text that a .csv file can hold; got '\\ud800', which has a "
            "surrogate. Change it.",
        ),
        (
            "a.txt",
            lambda path: write_run({"\ud800": {"a": 1}}, path),
            "run: a qid must be text; got '\\ud800', which has a surrogate.",
        ),
        (
            "a.jsonl",
            lambda path: write_run({"q": {"a\0": 1}}, path),
            "run: a docid must not contain a NUL character; got 'a\\x00'.",
        ),
        (
            "a.txt",
            lambda path: write_run({"q": {"a": 1}}, path, tag="\ud800"),
            "a tag must be text that a TREC file can hold; got '\\ud800', which has a "
            "surrogate. Change it.",
        ),
        (
            "a.txt",
            lambda path: save_letor(data("\ud800"), path),
            "qid must be text that a LETOR file can hold; got '\\ud800', which has a "
            "surrogate. Change it.",
        ),
        (
            "a.txt",
            lambda path: save_letor(data(docids=["x", MARK + "y"]), path),
            "docids must be text that a LETOR file can hold; got '\\ufeffy', which has "
            "a byte-order mark at its start. Change it.",
        ),
        (
            "a.soc",
            lambda path: save_preflib(path, [[0]], names=["\ud800"]),
            "names and metadata must be text that a PrefLib file can hold; got "
            "'\\ud800', which has a surrogate. Change it.",
        ),
    ],
)
def test_what_is_not_written(tmp_path, name, write, message):
    """The message in full, and no file."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    refused(lambda: write(tmp_path / name), message)
    assert list(tmp_path.iterdir()) == []


def test_tables_without_labels(tmp_path):
    """Labels that are all NaN are left out, and such a file reads back."""
    path = tmp_path / "a.csv"
    save_table(data(y=(np.nan, np.nan)), path)
    assert path.read_text() == "qid,feature_1\na,1.0\nb,1.0\n"
    again = load_table(path, label=None)
    assert [again.X.tolist(), again.qid.tolist()] == [[[1], [1]], ["a", "b"]]
    save_table(data(y=np.array([1, 0], dtype=object)), path)
    assert load_table(path).y.tolist() == [1, 0]


@pytest.mark.parametrize("mark", ["", MARK])
def test_marks_in_tables(tmp_path, mark):
    """Dropped before a row, where files were joined; kept inside quotes."""
    path = tmp_path / "a.csv"
    rows = [f'{mark}"q\n{mark}",1,1', f'{mark}"q\n",1,2', f"{mark}x,0,3"]
    path.write_text("\n".join([f"{mark}qid,label,f", *rows]), encoding="utf-8")
    assert load_table(path).qid.tolist() == [f"q\n{mark}", "q\n", "x"]
    path.write_text(f"{mark}qid,label,f\n{mark}7,1,1\n", encoding="utf-8")
    assert load_table(path).qid.tolist() == [7]
    both = data(f"q\n{mark}", docids=["x", f"\n{mark}y"])
    save_table(both, path)
    again = load_table(path, docid="docid")
    assert [again.qid.tolist(), again.docids.tolist()] == [
        both.qid.tolist(),
        both.docids.tolist(),
    ]


def test_ids_with_outer_spaces(tmp_path):
    """They stay as they are written: two queries, as in a table and in JSON lines."""
    path = tmp_path / "a.tsv"
    path.write_text("query-id\t corpus-id \tscore\nq\td\t 1\nq \te\t1 \n")
    assert read_run(path)["qid"].tolist() == ["q", "q "]
    assert read_qrels(path)["label"].tolist() == [1, 1]
    path.write_text("query-id\tcorpus-id\tscore\nq\td\t1\n \te\t1\n")
    refused(
        lambda: read_run(path), f"{path}, line 3: an id must not be empty; got 'e\\t1'."
    )


OBJECT = (
    "a line must be a JSON object with 'qid', 'docid' and 'label', or with 'qid' and "
    "'results'"
)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.jsonl",
            '{"qid": "a\\u0000", "docid": "x", "label": 1}',
            f"line 1: {OBJECT}; got 'a\\x00', which has a NUL character.",
        ),
        (
            "a.jsonl",
            '{"qid": "a", "query_id": "b", "docid": "x", "label": 1}',
            f"line 1: {OBJECT}; got both 'qid' and 'query_id'.",
        ),
        (
            "a.jsonl",
            '{"qid": "a", "docid": "x", "label": 1, "rel": 0}',
            f"line 1: {OBJECT}; got both 'label' and 'rel'.",
        ),
        (
            "a.tsv",
            "qid\tquery-id\tdocid\tlabel\na\tb\tx\t1\n",
            "line 1: must have one column for the qid; got 'qid' and 'query-id'. Drop "
            "or rename all but one.",
        ),
    ],
)
def test_fields_that_are_refused(tmp_path, name, text, message):
    """The message in full; a score beside a label is no second label."""
    path = tmp_path / name
    path.write_text(text)
    refused(lambda: read_qrels(path), f"{path}, {message}")


def test_a_score_beside_a_label(tmp_path):
    """It is no second label."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"qid": "a", "docid": "x", "label": 1, "score": 3}')
    assert read_qrels(path)["label"].tolist() == [1]
    assert read_run(path)["score"].tolist() == [3]


LINE = (
    "line 2: a line must be 'label qid:id index:value index:value ... # comment' with "
)
INDICES = (
    "distinct feature indices that are whole numbers from 0 to 10000000, and values "
    "that are finite numbers or nan"
)
BLANK = "a qid without other blanks than a space or a tab after it"


@pytest.mark.parametrize(
    ("line", "need"),
    [
        ("1 qid:1 1.0:1", INDICES),
        ("1 qid:1 1:1 1e1:1", INDICES),
        ("1 qid:1 +1:1", INDICES),
        ("1 qid:1 1:1 2.:1", INDICES),
        *[(f"1 qid:1{blank}1:1", BLANK) for blank in "\xa0\x85\x1c\u2028\u3000"],
        ("1 qid:\u2003a 1:1", BLANK),
    ],
)
def test_lines_of_letor_that_are_refused(tmp_path, line, need):
    """The message in full."""
    path = tmp_path / "a.txt"
    path.write_text(f"1 qid:1 1:1\n{line}\n", encoding="utf-8")
    refused(lambda: load_letor(path), f"{path}, {LINE}{need}; got {line!r}.")


def test_names_of_preflib_survive(tmp_path):
    """A no-break space within a name is text."""
    path = tmp_path / "a.soc"
    save_preflib(path, [[0]], names=["a\xa0b"])
    assert load_preflib(path).names == ["a\xa0b"]
