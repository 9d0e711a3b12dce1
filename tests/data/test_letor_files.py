"""Writing LETOR files, and what happens when a write or a read goes wrong."""

import errno
import gzip
import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from ltr.datasets import RankingData, load_letor, make_ranking, save_letor


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
