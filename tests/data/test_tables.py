"""CSV, TSV and Parquet tables, DataFrames."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from ltr.datasets import RankingData, load_table, make_ranking, save_table


def data_with_everything():
    data = make_ranking(6, random_state=0)
    X = data.X.copy()
    X[3, 2] = np.nan
    X[0, 0], X[1, 1] = 1 / 3, 5e-324
    ids = np.array([f"doc {i}, part #1" for i in range(len(data.y))])
    shuffled = np.random.default_rng(0).permutation(len(data.y))
    qid = np.array([f"q{q}" for q in data.qid])
    return RankingData(X, data.y, qid, data.feature_names, docids=ids).take(shuffled)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "tsv.gz", "parquet", "pq"])
def test_round_trip(tmp_path, suffix):
    """Interleaved lists, ids that are words, NaN: all come back to the bit."""
    if suffix in ("parquet", "pq"):
        pytest.importorskip("pyarrow")
    data, path = data_with_everything(), tmp_path / f"data.{suffix}"
    save_table(data, path)
    again = load_table(path, docid="docid")
    np.testing.assert_array_equal(again.X, data.X)
    np.testing.assert_array_equal(again.y, data.y)
    assert again.y.dtype == data.y.dtype
    assert again.qid.tolist() == data.qid.tolist()
    assert again.docids.tolist() == data.docids.tolist()
    assert again.feature_names == data.feature_names
    assert again.description == f"table: {path}"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_frame_and_chosen_columns():
    """Features in the order asked for; missing values of pandas become NaN."""
    frame = pd.DataFrame(
        {
            "grade": [1.0, 0.0],
            "b": pd.array([1, None], dtype="Int64"),
            "session": pd.Categorical(["x", "y"]),
            "text": ["not", "used"],
            "a": [True, False],
        }
    )
    data = load_table(
        frame, label="grade", qid="session", features=["b", "a"], dtype=np.float32
    )
    np.testing.assert_array_equal(data.X, [[1, 1], [np.nan, 0]])
    assert data.X.dtype == np.float32
    assert data.qid.tolist() == ["x", "y"]
    assert data.qid.dtype.kind == "U"
    assert data.feature_names == ["b", "a"]


FRAME = {"label": [1, 0], "qid": [7, 7], "f": [0.5, 1.0]}


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            {},
            {"label": "lable"},
            "column 'lable' is not in the table, which has 'label', 'qid', 'f'. Did "
            "you mean 'label'?",
        ),
        (
            {f"x{i}": [0, 0] for i in range(9)},
            {"docid": "url"},
            "column 'url' is not in the table, which has 'label', 'qid', 'f', 'x0', "
            "'x1', 'x2', 'x3', 'x4', 'x5', 'x6', and 2 more.",
        ),
        (
            {"f": ["a", "b"], "g": pd.to_datetime(["2020-01-01"] * 2)},
            {},
            "labels and features must be numeric in the table; got text or dates in "
            "'f', 'g'. List the feature columns in features=, or encode these.",
        ),
        (
            {"qid": [7, None]},
            {},
            "column 'qid' must have no empty cells in the table; row 1 (counted from "
            "0) is empty. Drop such rows.",
        ),
    ],
)
def test_errors(change, options, message):
    """The message in full."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(pd.DataFrame(FRAME | change), **options)


def test_kinds_of_files(tmp_path, monkeypatch):
    """An unknown kind; Parquet without pyarrow; names that clash."""
    data = make_ranking(2, n_features=2, n_informative=1, random_state=0)
    path = tmp_path / "data.txt"
    message = (
        "a table must be a .csv, .tsv, .csv.gz, .tsv.gz, .parquet or .pq file; got "
        f"{path}. LETOR files are read by load_letor."
    )
    for call in (lambda: load_table(path), lambda: save_table(data, path)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = "Parquet files need pyarrow: pip install pyarrow, or use a .csv.gz file."
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        load_table(tmp_path / "data.parquet")
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        save_table(data, tmp_path / "data.parquet")
    clash = RankingData(data.X, data.y, data.qid, ["qid", "b"])
    with pytest.raises(
        ValueError, match="none of label, qid and docid, in a table; got"
    ):
        save_table(clash, tmp_path / "data.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "qid,label,f\n7,1,5,0.5\n7,0,6,0.1\n",
            "line 2: a row must have 3 cells, as the header has; got 4. Quote cells that "
            "contain the separator; is the file cut off?",
        ),
        (
            "qid,label,f\n7,1,0.5\n\n7,0\n",
            "line 4: a row must have 3 cells, as the header has; got 2. Quote cells that "
            "contain the separator; is the file cut off?",
        ),
        (
            'qid,label,f\n"7\n",1,0.5\n7,0\n',
            "line 4: a row must have 3 cells, as the header has; got 2. Quote cells that "
            "contain the separator; is the file cut off?",
        ),
        (
            'qid,label,f\n"7,1,0.5\n7,0,1\n',
            "line 2: a quoted cell must end with a quote before the next separator; got "
            "'\"7,1,0.5'. (unexpected end of data)",
        ),
        (
            "qid,label,f\n7,1,0.5\n7,0,high\n",
            "line 3: column 'f' must hold numbers; got 'high'. List the feature columns "
            "in features=, or encode it.",
        ),
        (
            f"qid,label,f\n7,1,0.5\n7,2{'1' * 5000},0\n",
            f"line 3: column 'label' must hold numbers; got '2{'1' * 56}...'. Encode "
            "the labels as numbers: the higher, the better.",
        ),
        (
            "qid,label,f\n7,1,0.5\n7,0,٣\n",  # three, in digits of Arabic
            "line 3: column 'f' must hold numbers; got '٣'. List the feature columns in "
            "features=, or encode it.",
        ),
        (
            "qid,label,f\n7,1,0.5\n7,good,0\n",
            "line 3: column 'label' must hold numbers; got 'good'. Encode the labels as "
            "numbers: the higher, the better.",
        ),
        (
            "qid,label,f\n7,1,0.5\n7,,1\n",
            "line 3: column 'label' must have no empty cells; got one. Drop such rows.",
        ),
        (
            "qid,label,f\n7,1,0.5\n,1,1\n",
            "line 3: column 'qid' must have no empty cells; got one. Drop such rows.",
        ),
        (
            "qid,label,f,f\n7,1,0.5,1\n",
            "line 1: columns must have distinct names; got 'f' twice. Rename one of "
            "them.",
        ),
        (
            "qid,label,f\n7,1,2\0.5\n",
            "line 2: text must not have NUL bytes; got one after '7,1,2'. Is this a "
            'binary file, or text in UTF-16 (pass encoding="utf-16-le")?',
        ),
    ],
)
def test_lines_that_are_refused(tmp_path, text, message):
    """The message in full; the same in a TSV file."""
    for suffix, separator in (("csv", ","), ("tsv", "\t")):
        path = tmp_path / f"data.{suffix}"
        path.write_text(text.replace(",", separator))
        expected = message.replace("7,1,", f"7{separator}1{separator}")
        expected = expected if separator == "," else expected.replace("\t", "\\t")
        with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {expected}')}$"):
            load_table(path)


@pytest.mark.parametrize("text", ["qid;label;f\n7;1;0,5\n", '\n"qid";"label"\n"7";1\n'])
def test_another_separator(tmp_path, text):
    """A file of semicolons, also with decimal commas or quotes."""
    path = tmp_path / "data.csv"
    path.write_text(text)
    number, header = 1 + text.startswith("\n"), text.split()[0]
    message = (
        f"{path}, line {number}: cells must be separated by ','; got {header!r}, where "
        "';' seems to be the separator. Convert the file, or pass "
        "pandas.read_csv(..., sep=';')."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"features": ["f", "label"]},
            "features must not have the column of the labels; got 'label'. Drop it from "
            "features=.",
        ),
        (
            {"features": ["qid"]},
            "features must not have the column of the query ids; got 'qid'. Drop it "
            "from features=.",
        ),
        (
            {"label": "qid"},
            "labels and query ids must be two columns; got 'qid' for both. Pass their "
            "names as label= and qid=.",
        ),
    ],
)
def test_a_column_has_one_role(options, message):
    """Labels among the features would be a leak."""
    frame = pd.DataFrame({"qid": [1], "label": [1], "f": [0.5]})
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(frame, **options)


@pytest.mark.parametrize("text", ["", "\n", "label,qid,f\n"])
def test_tables_without_rows(tmp_path, text):
    """The message in full."""
    path = tmp_path / "data.csv"
    path.write_text(text)
    message = f"{path} must have a header and at least one row; got none."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(path)


def test_index_that_pandas_wrote(tmp_path):
    """A column without a name is no feature."""
    path = tmp_path / "data.csv"
    pd.DataFrame(FRAME).to_csv(path)
    message = (
        f"columns must have names in {path}; got one without, perhaps the index that "
        "pandas writes. List the feature columns in features=, or write the file with "
        "to_csv(index=False)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(path)
    assert load_table(path, features=["f"]).X.tolist() == [[0.5], [1.0]]


def test_ids_of_files_stay_distinct(tmp_path):
    """Padded numbers, NA, and numbers among words, however long the file."""
    path = tmp_path / "data.csv"
    ids = ["07", "7", "NA", "7.0", "nan", *["1"] * 5, "x"]
    rows = "".join(f"1,{qid},{i}\n" for i, qid in enumerate(ids))
    path.write_bytes(b"\xef\xbb\xbf" + f"label,qid,f\n{rows}".encode())
    assert load_table(path).qid.tolist() == ids
    path.write_text("label,qid,f\n1,é,1\n", encoding="latin-1")
    assert load_table(path, encoding="latin-1").qid.tolist() == ["é"]


def test_one_long_id_of_a_table(tmp_path):
    """It takes its own room, not that of all rows."""
    path = tmp_path / "data.csv"
    path.write_text("label,qid,f\n" + "1,a,1\n" * 20_000 + f"1,{'x' * 200_000},1\n")
    data = load_table(path)
    assert data.qid.dtype == object
    assert [len(data.qid[-1]), data.n_queries] == [200_000, 2]


@pytest.mark.parametrize("n_rows", [0, 1, 4079, 4080, 4081, 9000])
@pytest.mark.parametrize("dtype", [None, np.float32, np.float64])
@pytest.mark.parametrize("is_file", [True, False])
def test_columns_become_rows(tmp_path, n_rows, dtype, is_file):
    """As cell by cell, whatever the types of the columns and the number of rows."""
    if is_file:
        pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=n_rows)
    numbers[::7] = np.nan
    whole = rng.integers(-5, 100, n_rows)
    columns = {
        "single": numbers.astype(np.float32),
        "double": numbers,
        "half": numbers.astype(np.float16),
        "small": whole.astype(np.int8),
        "large": whole * 2**40,
        "flag": whole > 0,
        "nullable": pd.array(whole, dtype="Int64"),
        "rare": pd.array(np.where(whole > 50, None, whole), dtype="Float32"),
    }
    frame = pd.DataFrame(columns).assign(label=whole, qid=whole)
    table = tmp_path / "data.parquet" if is_file else frame
    if is_file:
        frame.to_parquet(table)
    for names in [*columns], ["single"], ["half", "single"], []:
        X = load_table(table, features=names, dtype=dtype).X
        expected_type = dtype or (np.float32 if names == ["single"] else np.float64)
        assert X.dtype == (np.float32 if dtype is None and not names else expected_type)
        assert X.flags.c_contiguous
        expected = np.empty((n_rows, len(names)), X.dtype)
        for j, name in enumerate(names):
            for i, cell in enumerate(frame[name].tolist()):
                expected[i, j] = np.nan if cell is pd.NA else cell
        np.testing.assert_array_equal(X, expected)


def test_what_is_read_of_parquet(tmp_path, monkeypatch):
    """The columns that are used; of a folder of files, as Spark writes, all rows."""
    parquet = pytest.importorskip("pyarrow.parquet")
    frame = pd.DataFrame({"label": [1, 0], "qid": [7, 7], "a": [1.0, 2.0], "b": "text"})
    path, folder = tmp_path / "data.parquet", tmp_path / "folder.parquet"
    frame.to_parquet(path)
    folder.mkdir()
    for part in ("part-0.parquet", "part-1.parquet"):
        frame.to_parquet(folder / part)
    read, columns = parquet.ParquetFile.read, []

    def read_and_note(file, selection):
        columns.append(selection)
        return read(file, selection)

    monkeypatch.setattr(parquet.ParquetFile, "read", read_and_note)
    assert load_table(path, features=["a"]).X.tolist() == [[1], [2]]
    assert load_table(folder, features=["a"]).X.tolist() == [[1], [2], [1], [2]]
    assert columns == [["label", "qid", "a"]]
    listed = "which has 'label', 'qid', 'a', 'b'"
    with pytest.raises(ValueError, match=f"'c' is not in .*, {listed}"):
        load_table(path, features=["a", "c"])


def test_damaged_parquet(tmp_path):
    """Our error, with the file."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "data.parquet"
    save_table(make_ranking(3, random_state=0), path)
    whole = path.read_bytes()
    for data in (whole[:-9], b"", whole[:100] + bytes(50) + whole[150:]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=re.escape(f"{path} must be a complete")):
            load_table(path)


def test_frames_with_repeated_names():
    """Refused before a column is taken for two."""
    frame = pd.DataFrame([[1, 7, 1, 2]], columns=["label", "qid", "f", "f"])
    message = (
        "columns must have distinct names in the table; got 'f' twice. Rename one of "
        "them."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"X": csr_matrix(np.eye(2))},
            "X must be an array in a table; got a SciPy matrix. Pass X.toarray(), or "
            "write a LETOR file with save_letor.",
        ),
        (
            {"qid": np.array(["a", "b\rc"])},
            "qid must be text that a .csv file can hold; got 'b\\rc', which has a "
            "carriage return. Change it.",
        ),
    ],
)
def test_what_a_table_cannot_hold(tmp_path, change, message):
    """The message in full, and no file."""
    whole = {"X": np.ones((2, 2)), "y": np.ones(2), "qid": np.array([1, 1])}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_table(RankingData(**(whole | change)), tmp_path / "data.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_file", [True, False])
def test_feature_beyond_single_precision(tmp_path, is_file):
    """Refused with its place, not infinite in silence."""
    frame = pd.DataFrame({"label": [1, 0], "qid": [7, 7], "f": [1e38, 1e39]})
    path = tmp_path / "data.csv"
    frame.to_csv(path, index=False)
    source, place = ("the table", "row 1 (counted from 0)")
    if is_file:
        source, place = str(path), "line 3"
    message = (
        f"features must be in the range of dtype=float32 in {source}; got 1e+39 in "
        f"column 'f', {place}. Pass dtype=numpy.float64, or clip it."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_table(path if is_file else frame, dtype=np.float32)
    assert load_table(path).X.tolist() == [[1e38], [1e39]]


def test_ids_of_bytes(tmp_path):
    """Text as NumPy's bytes is written and read as text, not as ``b'a'``."""
    qid = np.array([b"a", b"b"])
    data = RankingData(np.ones((2, 1)), np.ones(2), qid, docids=qid.astype(object))
    save_table(data, tmp_path / "data.csv")
    back = load_table(tmp_path / "data.csv", docid="docid")
    assert (back.qid.tolist(), back.docids.tolist()) == (["a", "b"], ["a", "b"])
    frame = pd.DataFrame({"label": [1, 0], "qid": qid.astype(object), "f": [1.0, 2.0]})
    assert load_table(frame).qid.tolist() == ["a", "b"]
