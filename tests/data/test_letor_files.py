"""Writing LETOR files, and what happens when a write or a read goes wrong."""

import errno
import gzip
import re
import tracemalloc
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import csr_matrix
from sklearn.datasets import dump_svmlight_file

from ltr.datasets import (
    RankingData,
    convert_letor,
    load_letor,
    make_ranking,
    save_letor,
)


def same(a, b):
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.y, b.y)
    assert a.qid.tolist() == b.qid.tolist()
    if a.docids is None:
        assert b.docids is None
    else:
        assert a.docids.tolist() == b.docids.tolist()


@given(
    values=st.lists(
        st.floats(allow_infinity=False) | st.just(0.0), min_size=6, max_size=6
    ),
    dtype=st.sampled_from([np.float64, np.float32]),
    sparse=st.booleans(),
    zero_based=st.booleans(),
    words=st.booleans(),
)
def test_round_trip(tmp_path_factory, values, dtype, sparse, zero_based, words):
    """Every number comes back to the bit, NaN included."""
    path = tmp_path_factory.mktemp("letor") / "data.txt.gz"
    with np.errstate(over="ignore"):
        X = np.array(values, dtype=dtype).reshape(3, 2)
    X[np.isinf(X)] = 1.0
    data = RankingData(
        X,
        np.array([0.1, 2.0, -1.0]),
        np.array(["a", "7", "a"]) if words else np.array([7, -7, 7]),
        docids=np.array(["GX-1", "", "two words"]) if words else None,
    )
    save_letor(data, path, sparse=sparse, zero_based=zero_based)
    same(data, load_letor(path, n_features=2, zero_based=zero_based, dtype=dtype))


def test_text(tmp_path):
    """The format in full; whole labels stay whole; zeros are left out when sparse."""
    data = RankingData(
        np.array([[0.5, 0.0], [0.0, 0.0]]),
        np.array([2, 0]),
        np.array([7, 7]),
        docids=np.array(["a", ""]),
    )
    save_letor(data, tmp_path / "dense.txt")
    save_letor(data, tmp_path / "sparse.txt", sparse=True, zero_based=True)
    dense, sparse = ((tmp_path / f"{n}.txt").read_text() for n in ("dense", "sparse"))
    assert dense == "2 qid:7 1:0.5 2:0.0 # docid = a\n0 qid:7 1:0.0 2:0.0\n"
    assert sparse == "2 qid:7 0:0.5 # docid = a\n0 qid:7\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"y": np.array([1.0, np.nan])},
            "labels must be finite, and features finite or NaN, in a LETOR file; got "
            "the label nan in row 1. Replace it or drop the row.",
        ),
        (
            {"X": np.array([[1.0, 2.0], [3.0, -np.inf]])},
            "labels must be finite, and features finite or NaN, in a LETOR file; got "
            "-inf in row 1, column 1. Replace it or drop the row.",
        ),
        (
            {"qid": np.array(["q1", "q 2"])},
            "qid must be one word without '#' in a LETOR file; got 'q 2'.",
        ),
        (
            {"docids": np.array(["a", "b\nc"])},
            "docids must survive as comments of a LETOR file; got 'b\\nc', which "
            "does not. Remove line breaks and outer spaces.",
        ),
        (
            {"docids": np.array(["a", "b\rc"])},
            "docids must survive as comments of a LETOR file; got 'b\\rc', which "
            "does not. Remove line breaks and outer spaces.",
        ),
        (
            {"qid": np.array(["q1", "q\0x"])},
            "qid must be one word without '#' in a LETOR file; got 'q\\x00x'.",
        ),
        (
            {"X": csr_matrix([[1.0, 0.0], [0.0, np.inf]])},
            "labels must be finite, and features finite or NaN, in a LETOR file; got "
            "inf in row 1, column 1. Replace it or drop the row.",
        ),
    ],
)
def test_what_cannot_be_written(tmp_path, change, message):
    """The message in full, and no file."""
    whole = {"X": np.ones((2, 2)), "y": np.ones(2), "qid": np.array([1, 1])}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_letor(RankingData(**(whole | change)), tmp_path / "data.txt")
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path, monkeypatch):
    """An older file stays as it was; nothing else is left."""
    path = tmp_path / "data.txt"
    path.write_text("old")
    data = make_ranking(5, random_state=0)
    monkeypatch.setattr("ltr.datasets.letor.files.open", full_disk, raising=False)
    message = (
        f"{path} could not be written, and no part of it was kept: No space left on "
        "device"
    )
    with pytest.raises(OSError, match=re.escape(message)) as caught:
        save_letor(data, path)
    assert caught.value.errno == errno.ENOSPC
    assert [file.name for file in tmp_path.iterdir()] == ["data.txt"]
    assert path.read_text() == "old"


class full_disk:
    """A file on a disk that is full."""

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_missing_folder(tmp_path):
    """Said before anything is written."""
    path = tmp_path / "nowhere" / "data.txt"
    message = f"{path} cannot be written: there is no folder {path.parent}."
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        save_letor(make_ranking(2, random_state=0), path)


def test_new_widths_and_late_comments(tmp_path, monkeypatch):
    """Blocks that are wider than those before, and comments that begin late."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((60, 30)) < np.arange(1, 61)[:, None] / 60, 1.5, 0.0)
    docids = np.array([""] * 50 + [f"d{i}" for i in range(9)] + [""])
    data = RankingData(X, np.arange(60.0), np.repeat([3, 1], 30), docids=docids)
    save_letor(data, tmp_path / "data.txt", sparse=True)
    monkeypatch.setattr("ltr.datasets.letor.lines._BLOCK_BYTES", 100)
    same(data, load_letor(tmp_path / "data.txt", n_features=30))


def test_gzip_cut_at_every_kind_of_place(tmp_path):
    """Never rows of a part of a file."""
    whole = gzip.compress(b"1 qid:1 1:2\n" * 5000)
    path = tmp_path / "data.txt.gz"
    for size in (5, 11, 40, len(whole) - 4, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="must be a complete gzip file"):
            load_letor(path)


@pytest.mark.parametrize("density", [1.0, 0.3])
@pytest.mark.parametrize("block", [100, 2**22])
def test_files_of_scikit_learn(tmp_path, monkeypatch, density, block):
    """Indices from 0, as it writes them by default; dense, sparse and as a matrix."""
    monkeypatch.setattr("ltr.datasets.letor.lines._BLOCK_BYTES", block)
    rng = np.random.default_rng(0)
    X = np.where(rng.random((40, 5)) < density, rng.normal(size=(40, 5)), 0)
    X = np.round(X, 3)  # scikit-learn writes 16 digits
    X[:10, 0] = 0  # the index 0 comes late
    y, qid, path = rng.integers(0, 3, 40), np.repeat([4, 2], 20), tmp_path / "data.txt"
    dump_svmlight_file(X, y, str(path), query_id=qid, comment="by scikit-learn")
    same(load_letor(path), RankingData(X, y, qid))
    np.testing.assert_array_equal(load_letor(path, sparse=True).X.toarray(), X)
    assert load_letor(path, n_features=7).X.shape == (40, 7)
    save_letor(RankingData(X, y, qid), path, sparse=True)  # from 1
    same(load_letor(path), RankingData(X, y, qid))
    assert load_letor(path, zero_based=True).X.shape == (40, 6)


def test_wide_file(tmp_path):
    """A SciPy matrix on request; an error that says so before the table is made."""
    path = tmp_path / "data.txt"
    columns = np.random.default_rng(0).integers(0, 10**6 - 1, 5000)
    columns[-1] = 10**6 - 1
    entries = np.ones(5000), (np.repeat(np.arange(1000), 5), columns)
    X = csr_matrix(entries, shape=(1000, 10**6))
    data = RankingData(X, np.ones(1000), np.repeat(np.arange(10), 100))
    save_letor(data, path)
    again = load_letor(path, sparse=True, n_features=10**6)
    assert again.X.shape == X.shape
    assert (again.X != X).nnz == 0
    message = (
        f"{path}: a dense table must not be large and nearly all zeros; got {X.nnz:,} "
        "values for 1,000 rows × 1,000,000 columns, which take 7.5 GiB or more. Read "
        "the file with load_letor(..., sparse=True) (--sparse on the command line), or "
        "number its features without gaps."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_letor(path)
    half = data.take(data.qid < 5)
    assert half.X.shape == (500, 10**6)


def test_ids_stay_distinct(tmp_path):
    """Bytes that are no UTF-8, padded numbers, a mark at the start of the file."""
    path = tmp_path / "data.txt"
    path.write_bytes(b"1 qid:\xe9 1:1\n1 qid:\xe8 1:1\n")
    with pytest.raises(ValueError, match="line 1: text must be in utf-8; got the byte"):
        load_letor(path)
    assert load_letor(path, encoding="latin-1").qid.tolist() == ["é", "è"]
    path.write_bytes(b"\xef\xbb\xbf1 qid:07 1:1\r1 qid:7 1:1\r")
    assert load_letor(path).qid.tolist() == ["07", "7"]


def test_one_long_id(tmp_path):
    """It takes its own room, not that of all rows."""
    path = tmp_path / "data.txt"
    lines = "1 qid:a 1:1\n" * 20_000
    path.write_text(lines + f"1 qid:{'x' * 200_000} 1:1 # {'y' * 200_000}\n")
    tracemalloc.start()
    data = load_letor(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    assert [len(data.qid[-1]), len(data.docids[-1])] == [200_000, 200_000]
    assert data.n_queries == 2


def test_blank_lines_are_skipped_fast(tmp_path):
    """Blocks of nothing but line ends are not cut into lines."""
    path = tmp_path / "data.txt.gz"
    path.write_bytes(gzip.compress(b"\n" * 2_000_000 + b"1 qid:1 x:1\n", 1))
    with pytest.raises(ValueError, match=r"line 2000001: "):
        load_letor(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"zero_based": "yes"},
            "zero_based must be one of True, False, 'auto'; got 'yes'.",
        ),
        (
            {"n_features": -1},
            "n_features must be a whole number >= 0, or None; got -1.",
        ),
        (
            {"encoding": "latin1234"},
            "encoding must be a text encoding that Python knows, such as 'utf-8' or "
            "'latin-1'; got 'latin1234'.",
        ),
    ],
)
def test_options_of_the_wrong_kind(tmp_path, options, message):
    """Said before a file is opened; NumPy's booleans are booleans."""
    for call in (load_letor, partial(convert_letor, folder=tmp_path / "data")):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call(tmp_path / "missing.txt", **options)
    path = tmp_path / "data.txt"
    path.write_text("1 qid:1 2:5\n")
    assert load_letor(path, zero_based=np.True_).X.tolist() == [[0, 0, 5]]


@pytest.mark.parametrize(
    "load", [load_letor, partial(load_letor, sparse=True), convert_letor]
)
def test_feature_beyond_single_precision(tmp_path, load):
    """Refused with its line, not infinite in silence."""
    path = tmp_path / "a.txt"
    path.write_text("1 qid:1 1:1e38\n\n0 qid:1 1:2 3:-1e39\n")
    message = (
        f"{path}, line 3: features must be in the range of dtype=float32; got -1e+39 "
        "for the index 3. Pass dtype=numpy.float64, or clip it."
    )
    folder = (tmp_path / "arrays",) if load is convert_letor else ()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load(path, *folder, dtype=np.float32)
    assert load(path, *folder).X.max() == 1e38


def test_ids_of_bytes(tmp_path):
    """Text as NumPy's bytes is written as text, not as ``b'a'``."""
    ids = np.array([b"a", b"b"])
    path = tmp_path / "a.txt"
    save_letor(RankingData(np.ones((2, 1)), np.ones(2), ids, docids=ids), path)
    data = load_letor(path)
    assert (data.qid.tolist(), data.docids.tolist()) == (["a", "b"], ["a", "b"])
