"""CSV, TSV and Parquet tables, DataFrames."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

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


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "tsv.gz", "parquet"])
def test_round_trip(tmp_path, suffix):
    """Interleaved lists, ids that are words, NaN: all come back to the bit."""
    if suffix == "parquet":
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
        "a table must be a .csv, .tsv, .csv.gz, .tsv.gz or .parquet file; got "
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
