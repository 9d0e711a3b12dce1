"""Files and folders appear whole or not at all; gzipped text is read as text."""

import errno
import re

import pytest

from ltr.files import whole_file, whole_folder


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
