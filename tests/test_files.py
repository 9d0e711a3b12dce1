"""Files and folders appear whole or not at all; gzipped text is read as text."""

import errno
import os
import re

import numpy as np
import pytest

from ltr.files import id_text, whole_file, whole_folder


def test_failed_file(tmp_path):
    """After an error the old file is there, and nothing beside it."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stop(scratch):
        scratch.write_text("half")
        raise KeyError

    with pytest.raises(KeyError), whole_file(path) as scratch:
        stop(scratch)
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_error_without_a_name(tmp_path):
    """An error of the system that names no file names the target."""
    message = (
        f"[Errno {errno.ENOSPC}] {tmp_path / 'a.txt'} could not be written, and no part "
        "of it was kept: No space left on device"
    )
    with (
        pytest.raises(OSError, match=f"^{re.escape(message)}$"),
        whole_file(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_existing_folder(tmp_path):
    """It is refused, unless it is empty and may be."""
    folder = tmp_path / "model"
    folder.mkdir()
    message = f"{folder} must not exist yet; delete it or choose another folder."
    with (
        pytest.raises(FileExistsError, match=f"^{re.escape(message)}$"),
        whole_folder(folder),
    ):
        pytest.fail("nothing may be written")
    with pytest.raises(KeyError), whole_folder(folder, replace_empty=True):
        raise KeyError
    with whole_folder(folder, replace_empty=True) as scratch:
        (scratch / "new.txt").write_text("new")
    with (
        pytest.raises(FileExistsError, match=f"^{re.escape(message)}$"),
        whole_folder(folder, replace_empty=True),
    ):
        pass
    assert [file.name for file in folder.iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_no_parent_folder(tmp_path):
    """It is not made in passing."""
    path = tmp_path / "nowhere" / "a.txt"
    message = f"{path} cannot be written: there is no folder {path.parent}."
    for whole in (whole_file, whole_folder):
        with (
            pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"),
            whole(path),
        ):
            pytest.fail("nothing may be written")


def test_reader_that_holds_the_target_open(tmp_path, monkeypatch):
    """On Windows a rename over an open file is refused: it is tried for a while."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    refusals = iter([PermissionError(errno.EACCES, "in use")] * 2)
    rename = os.replace

    def refuse_twice(source, target):
        for refusal in refusals:
            raise refusal
        rename(source, target)

    monkeypatch.setattr("ltr.files._REPLACE_MAY_WAIT", True)
    monkeypatch.setattr("ltr.files.os.replace", refuse_twice)
    with whole_file(path) as scratch:
        scratch.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("may_wait", "number"),
    [(True, errno.EACCES), (False, errno.EACCES), (True, errno.ENOSPC)],
)
def test_rename_that_is_refused_for_good(tmp_path, monkeypatch, may_wait, number):
    """The wait has an end, is Windows' own, and is for a refusal only."""
    path, calls = tmp_path / "a.txt", []
    path.write_text("old")

    def refuse(source, target):
        calls.append(source)
        raise OSError(number, "in use")

    monkeypatch.setattr("ltr.files._REPLACE_MAY_WAIT", may_wait)
    monkeypatch.setattr("ltr.files._WAIT_FOR_READERS_S", 0.03)
    monkeypatch.setattr("ltr.files.os.replace", refuse)
    with (
        pytest.raises(OSError, match="no part of it was kept"),
        whole_file(path) as scratch,
    ):
        scratch.write_text("new")
    assert path.read_text() == "old"
    assert (len(calls) > 1) == (may_wait and number == errno.EACCES)


def test_ids_of_bytes():
    """NumPy, HDF5 and Parquet hold text as bytes."""
    assert [id_text(i) for i in (b"\xc3\xa9", np.bytes_(b"a"), "b", 7)] == [
        *"\xe9ab",
        "7",
    ]
    message = r"qid must be text, or bytes in UTF-8; got b'\xe9'. Decode it."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        id_text(np.bytes_(b"\xe9"), "qid")
