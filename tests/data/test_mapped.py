"""Data sets larger than memory: converted to arrays on disk and mapped."""

import errno
import os
import re
import tracemalloc

import numpy as np
import pytest

from ltr import SingleFeatureRanker
from ltr.datasets import (
    RankingData,
    convert_letor,
    load_letor,
    make_ranking,
    open_ranking,
    save_letor,
)


@pytest.fixture
def blocks(monkeypatch):
    """Small blocks, so that a small file has many of them."""
    monkeypatch.setattr("ltr.datasets.letor.lines._BLOCK_BYTES", 20_000)


def saved(path, n_queries=30, docids=False, **options):
    data = make_ranking(n_queries, random_state=0)
    if docids:
        ids = np.array([f"d{i}" for i in range(len(data.y))])
        data = RankingData(data.X, data.y, data.qid, docids=ids)
    save_letor(data, path, **options)
    return path


@pytest.mark.parametrize("docids", [False, True])
@pytest.mark.parametrize("options", [{}, {"dtype": np.float32, "n_features": 25}])
def test_same_as_in_memory(tmp_path, blocks, docids, options):
    """The arrays of load_letor, mapped and read-only."""
    path = saved(tmp_path / "data.txt.gz", docids=docids)
    mapped = convert_letor(path, tmp_path / "data", **options)
    again = open_ranking(tmp_path / "data")
    data = load_letor(path, **options)
    for a, b in ((mapped, data), (again, data)):
        np.testing.assert_array_equal(a.X, b.X)
        np.testing.assert_array_equal(a.y, b.y)
        np.testing.assert_array_equal(a.qid, b.qid)
        assert a.X.dtype == b.X.dtype
        assert a.description == b.description
        assert (a.docids is None) == (b.docids is None) == (not docids)
    assert isinstance(again.X, np.memmap)
    assert not again.X.flags.writeable
    half = again.take(again.y > 0)
    np.testing.assert_array_equal(half.X, data.X[data.y > 0])
    scores = SingleFeatureRanker().fit(again.X, again.y, again.qid).predict(again.X)
    assert np.isfinite(scores).all()


def test_wider_toward_the_end(tmp_path, blocks):
    """Without n_features the width is that of the whole file."""
    X = np.where(np.arange(40) <= np.arange(400)[:, None] // 10, 1.0, 0.0)
    data = RankingData(X, np.zeros(400), np.repeat(np.arange(4), 100))
    save_letor(data, tmp_path / "data.txt", sparse=True)
    np.testing.assert_array_equal(
        convert_letor(tmp_path / "data.txt", tmp_path / "data").X, X
    )


def test_memory(tmp_path, blocks):
    """A fraction of the features is in memory at a time."""
    path = saved(tmp_path / "data.txt", n_queries=200)
    convert_letor(path, tmp_path / "warm", n_features=20)
    tracemalloc.start()
    data = convert_letor(path, tmp_path / "data", n_features=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.X.nbytes > 600_000
    assert peak < data.X.nbytes / 2


def test_nothing_is_left_after_an_error(tmp_path, blocks):
    """A malformed line at the end, an index too high, no rows, a missing file."""
    path = saved(tmp_path / "data.txt")
    with path.open("a") as file:
        file.write("1 qid:1 2:x\n")
    n_lines = len(path.read_text().splitlines())
    with pytest.raises(ValueError, match=f"data.txt, line {n_lines}: a line must be"):
        convert_letor(path, tmp_path / "data")
    with pytest.raises(ValueError, match="indices must fit into n_features=3 columns"):
        convert_letor(path, tmp_path / "data", n_features=3)
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="must have at least one row; got none in"):
        convert_letor(tmp_path / "empty.txt", tmp_path / "data")
    with pytest.raises(FileNotFoundError):
        convert_letor(tmp_path / "missing.txt", tmp_path / "data")
    assert {p.name for p in tmp_path.iterdir()} == {"data.txt", "empty.txt"}


@pytest.mark.parametrize("part", ["X", "y"])
def test_full_disk(tmp_path, monkeypatch, part):
    """The features do not fit, or the labels after them."""
    path = saved(tmp_path / "data.txt")
    if part == "X":

        def add(self, values):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("ltr.datasets.letor.arrays._TableFile.add", add)
        reason = "No space left on device"
    else:

        def save(name, array):
            raise OSError("1300 requested and 512 written")  # as NumPy says it

        monkeypatch.setattr(np, "save", save)
        reason = "1300 requested and 512 written"
    message = (
        f"{tmp_path / 'data'} could not be written, and no part of it was kept: "
        f"{reason}"
    )
    with pytest.raises(OSError, match=re.escape(message)):
        convert_letor(path, tmp_path / "data")
    assert [p.name for p in tmp_path.iterdir()] == ["data.txt"]


def test_folders(tmp_path):
    """One that exists is not touched; one of another kind is not opened."""
    path = saved(tmp_path / "data.txt")
    message = f"{tmp_path} must not exist yet; delete it or choose another folder."
    with pytest.raises(FileExistsError, match=re.escape(message)):
        convert_letor(path, tmp_path)
    message = (
        f"{tmp_path} must be a folder that ltr.datasets.convert_letor wrote; it has no "
        "ranking.json."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        open_ranking(tmp_path)


@pytest.mark.parametrize("n_features", [None, 3, 4])
def test_indices_from_0(tmp_path, blocks, n_features):
    """Recognized by an index 0, also one after rows that were written already."""
    path = tmp_path / "data.txt"
    path.write_text("1 qid:1 1:1 2:2\n" * 3000 + "1 qid:1 0:3\n")
    data = convert_letor(path, tmp_path / "data", n_features=n_features)
    assert data.X.shape == (3001, n_features or 3)
    assert data.X[[0, 3000], :3].tolist() == [[0, 1, 2], [3, 0, 0]]
    with pytest.raises(ValueError, match=r"n_features=2 columns; got the index 2"):
        convert_letor(path, tmp_path / "other", n_features=2)


def test_first_index_of_several_files(tmp_path):
    """One decision for all files, which the data remember, in memory and mapped."""
    (tmp_path / "a").write_text("1 qid:1 1:5\n")
    (tmp_path / "b").write_text("1 qid:2 0:7\n")
    for i, names in enumerate(("ab", "ba", "a")):
        paths = [tmp_path / name for name in names]
        for data in (load_letor(paths), convert_letor(paths, tmp_path / f"m{i}")):
            assert data.take([0]).zero_based is ("b" in names)
            rows = {"a": [0, 5], "b": [7, 0]} if "b" in names else {"a": [5]}
            assert data.X.tolist() == [rows[name] for name in names]
    about = tmp_path / "m0" / "ranking.json"
    text = about.read_text()
    about.write_text(text.replace(', "zero_based": true', ""))  # of 0.1
    assert open_ranking(tmp_path / "m0").zero_based is None
    about.write_text(text.replace("true", "1"))
    with pytest.raises(ValueError, match="have true or false as 'zero_based'; got '1'"):
        open_ranking(tmp_path / "m0")


def test_long_id(tmp_path):
    """Refused before its length is multiplied by the number of rows."""
    path = tmp_path / "data.txt"
    path.write_text("1 qid:1 1:1\n" * 5000 + f"1 qid:{'x' * 200_000} 1:1\n")
    message = (
        "qid must not need more than 64 MiB, mostly of padding, in mapped data; got "
        "5,001 rows and an id of 200,000 characters. Shorten the long ids, or read the "
        "files with load_letor."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        convert_letor(path, tmp_path / "data")
    assert [p.name for p in tmp_path.iterdir()] == ["data.txt"]


@pytest.fixture
def folder(tmp_path):
    """Mapped data of 5 queries."""
    convert_letor(saved(tmp_path / "data.txt", 5, docids=True), tmp_path / "data")
    return tmp_path / "data"


END = " The folder is damaged: convert the files again."


@pytest.mark.parametrize(
    ("name", "array", "problem"),
    [
        ("y", np.zeros(3), "have one entry per row of X, 91; got 3"),
        ("qid", np.zeros(99, int), "have one entry per row of X, 91; got 99"),
        ("docids", np.array(["a"] * 97), "have one entry per row of X, 91; got 97"),
        (
            "X",
            np.full((91, 20), "1"),
            "hold floats in 2 dimensions; got shape (91, 20) and dtype <U1",
        ),
        ("X", np.zeros(91), "hold floats in 2 dimensions; got shape (91,) and dtype "),
        ("y", np.zeros((91, 1)), "hold floats in 1 dimension; got shape (91, 1) and "),
        ("y", np.zeros(91, int), "hold floats in 1 dimension; got shape (91,) and "),
        ("y", np.zeros(91, "M8[s]"), "hold floats in 1 dimension; got shape (91,) "),
        (
            "qid",
            np.zeros(91),
            "hold integers or text in 1 dimension; got shape (91,) and dtype float64",
        ),
        (
            "qid",
            np.array([{}] * 91),
            "be an array that NumPy wrote; got Array can't be memory-mapped: Python "
            "objects in dtype.",
        ),
    ],
)
def test_arrays_of_a_damaged_folder(folder, name, array, problem):
    """Named before the data are used."""
    np.save(folder / f"{name}.npy", array)
    with pytest.raises(
        ValueError, match=f"^{re.escape(f'{folder / name}.npy must {problem}')}.*{END}$"
    ):
        open_ranking(folder)


def test_array_files_of_a_damaged_folder(folder):
    """Cut off, longer than announced, empty, an archive, a pipe, none."""
    path = folder / "y.npy"
    whole = path.read_bytes()
    header = whole.replace(b"(91,)", b"(-8,)")
    assert header != whole
    for data in (whole[:-1], whole + b"0", b"", b"PK\x03\x04", b"text", header):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} must .*{END}$"):
            open_ranking(folder)
    path.unlink()
    message = f"{path} must be a file; got none.{END}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_ranking(folder)
    os.mkfifo(path)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_ranking(folder)


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ("[]", "be a JSON object; got '[]'"),
        ("{", "be a JSON object; got Expecting property name"),
        ("[" * 100_000, "be a JSON object; got maximum recursion depth exceeded"),
        ("\xff", "be a JSON object; got 'utf-8' codec can't decode byte"),
        ('{"arrays": []}', "have a text as 'description'; got 'None'"),
        (
            '{"description": "", "arrays": ["X", "../y", "qid"]}',
            "have the list ['X', 'y', 'qid'], or with 'docids', as 'arrays'; got",
        ),
        (
            '{"description": "", "arrays": 1}',
            "have the list ['X', 'y', 'qid'], or with 'docids', as 'arrays'; got '1'",
        ),
        (" " * 2**21, "have at most 1,048,576 bytes; got 2,097,152"),
    ],
)
def test_description_of_a_damaged_folder(folder, about, problem):
    """Broken or deep JSON, and fields of another kind."""
    path = folder / "ranking.json"
    path.write_text(about, encoding="latin-1")
    with pytest.raises(
        ValueError, match=f"^{re.escape(f'{path} must {problem}')}.*{END}$"
    ):
        open_ranking(folder)


def test_pipe_that_must_be_read_twice(tmp_path):
    """Said before anything waits for its writer."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    message = (
        f"{path} is a pipe, which can only be read once. Pass n_features= and "
        "zero_based=, or a file."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        convert_letor(path, tmp_path / "data")
