"""fetch_*: downloads from a server that the tests start, with all its moods."""

import errno
import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.downloads import ARCHIVE, DONE, check, fetch, left_in

from ltr.datasets import (
    fetch_mslr,
)
from ltr.datasets.benchmarks.sources import SOURCES


def test_first_and_second_time(server, fold, tmp_path, capsys):
    """Terms before the download; then neither network nor archive."""
    folder, server.body = fold
    sha256 = hashlib.sha256(server.body).hexdigest()
    check(fetch(server, tmp_path, sha256=sha256.upper()), folder)
    said = capsys.readouterr().err
    assert said.startswith(
        f"Downloading MSLR-WEB10K from {server.url}\nto {tmp_path / 'mslr-web10k'}.\n"
        "Its page: https://www.microsoft.com/en-us/research/project/mslr/\n"
        "Terms: Microsoft's research license (see the page); do not redistribute.\n"
        "MSLR-WEB10K: 0.0 of 0.0 MB\n"
    )
    assert "converting Fold2/train.txt (once)" in said
    assert left_in(tmp_path) == [*DONE, *ARCHIVE]
    os.remove(tmp_path / "mslr-web10k" / "archive")
    splits = fetch(server, tmp_path)
    check(splits, folder)
    assert isinstance(splits.train.X, np.memmap)
    assert splits.train.description == "MSLR-WEB10K, Fold2/train.txt"
    assert server.asked == [None]
    assert capsys.readouterr().err == ""


def test_several_at_once(server, fold, tmp_path):
    """One downloads, the others wait and find what it made."""
    folder, server.body = fold
    server.cuts = [1000]
    with ThreadPoolExecutor(4) as pool:
        for splits in pool.map(lambda _: fetch(server, tmp_path), range(4)):
            check(splits, folder)
    assert server.asked == [None, "bytes=1000-"]


def test_leftovers_of_a_killed_process(server, fold, tmp_path):
    """Folders that it had begun are not taken for arrays, and go away."""
    folder, server.body = fold
    begun = tmp_path / "mslr-web10k" / ".Fold2-train.txt-float64-x1y2"
    begun.mkdir(parents=True)
    (begun / "X.npy").write_bytes(b"half")
    check(fetch(server, tmp_path), folder)
    assert left_in(tmp_path) == [*DONE, *ARCHIVE]


def test_other_type_uses_the_same_archive(server, fold, tmp_path):
    """One download, arrays of each type."""
    _, server.body = fold
    fetch(server, tmp_path)
    single = fetch(server, tmp_path, dtype=np.float32)
    assert single.test.X.dtype == np.float32
    assert len(server.asked) == 1


def test_unknown_checksum_is_said(server, fold, tmp_path, capsys):
    """With the checksum that came; the known one is not that of another address."""
    _, server.body = fold
    fetch(server, tmp_path, verbose=False)
    said = capsys.readouterr().err
    assert said.endswith(
        "ltr knows no checksum of MSLR-WEB10K at this address. The download has the "
        f"SHA-256 {hashlib.sha256(server.body).hexdigest()}; pass it as sha256= to "
        "have it checked.\n"
    )
    assert "(once)" not in said


def test_known_address_and_checksum(server, fold, tmp_path, monkeypatch):
    """Without url= they are those of the table."""
    folder, server.body = fold
    known = SOURCES["mslr-web30k"]
    wrong = type(known)(*[*vars(known).values()][:4], server.url, known.sha256)
    monkeypatch.setitem(SOURCES, "mslr-web30k", wrong)
    with pytest.raises(ValueError, match=f"must have the SHA-256 {known.sha256}; got"):
        fetch_mslr("30k", 2, data_home=tmp_path)
    right = hashlib.sha256(server.body).hexdigest()
    monkeypatch.setitem(
        SOURCES,
        "mslr-web30k",
        type(known)(*[*vars(known).values()][:4], server.url, right),
    )
    monkeypatch.setenv("LTR_DATA_HOME", str(tmp_path))
    check(fetch_mslr("30k", 2), folder)


def test_cut_connection_resumes(server, fold, tmp_path):
    """In one call: each request asks for what is missing, no byte comes twice."""
    folder, server.body = fold
    server.cuts = [1000, 500]
    check(fetch(server, tmp_path), folder)
    assert server.asked == [None, "bytes=1000-", "bytes=1500-"]
    assert server.sent == len(server.body)
    assert left_in(tmp_path) == [*DONE, *ARCHIVE]


def test_cut_connection_resumes_in_the_next_call(server, fold, tmp_path):
    """What has arrived stays; the message says so."""
    folder, server.body = fold
    server.cuts = [1000, 0, 0, 0]
    message = (
        f"{server.url} could not be downloaded: the connection was cut after 1,000 of "
        f"{len(server.body):,} bytes. The first 1,000 bytes are kept. Download "
        "MSLR-WEB10K by hand from https://www.microsoft.com/en-us/research/project/mslr/ and pass "
        "path= with the archive or its folder."
    )
    with pytest.raises(ConnectionError, match=f"^{re.escape(message)}$"):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == ["archive.part", "archive.part.mark"]
    server.cuts = []
    check(fetch(server, tmp_path), folder)
    assert server.asked[-1] == "bytes=1000-"
    assert left_in(tmp_path) == [*DONE, *ARCHIVE]


def test_file_that_changed_in_between(server, fold, tmp_path):
    """The mark of the part tells the server, which sends the new file from the start."""
    folder, server.body = fold
    server.body, whole = bytes(len(server.body)), server.body
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(ConnectionError):
        fetch(server, tmp_path)
    server.body, server.etag, server.cuts = whole, '"2"', []
    check(fetch(server, tmp_path), folder)


def test_without_validator_and_checksum_it_restarts(server, fold, tmp_path):
    """Nothing could tell that the part belongs to the file; with a checksum, it does."""
    folder, server.body = fold
    sha256 = hashlib.sha256(server.body).hexdigest()
    server.etag = None
    server.cuts = [1000, 300]
    check(fetch(server, tmp_path / "a"), folder)
    assert server.asked == [None, None, None]
    server.cuts, server.asked = [1000, 300], []
    check(fetch(server, tmp_path / "b", sha256=sha256), folder)
    assert server.asked == [None, "bytes=1000-", "bytes=1300-"]


def test_server_without_range(server, fold, tmp_path):
    """It sends everything again, and that is what is kept."""
    folder, server.body = fold
    server.ranges, server.cuts = False, [1000]
    check(fetch(server, tmp_path), folder)
    assert server.asked == [None, "bytes=1000-"]
    assert server.sent == 1000 + len(server.body)


def test_part_that_is_already_whole(server, fold, tmp_path):
    """Or longer than the file, as the server says."""
    folder, server.body = fold
    home = tmp_path / "mslr-web10k"
    home.mkdir()
    (home / "archive.part").write_bytes(server.body)
    (home / "archive.part.mark").write_text(server.etag)
    check(fetch(server, tmp_path), folder)
    assert server.sent == 0
    home = tmp_path / "longer" / "mslr-web10k"
    home.mkdir(parents=True)
    (home / "archive.part").write_bytes(server.body + b"more")
    (home / "archive.part.mark").write_text(server.etag)
    check(fetch(server, tmp_path / "longer"), folder)


def test_wrong_checksum(server, fold, tmp_path):
    """The message in full, and nothing in the cache."""
    _, server.body = fold
    found = hashlib.sha256(server.body).hexdigest()
    message = (
        f"{server.url} must have the SHA-256 {'0' * 64}; got {found}. The download was "
        "deleted. Download MSLR-WEB10K by hand from "
        "https://www.microsoft.com/en-us/research/project/mslr/ and pass path= with "
        "the archive or its folder."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch(server, tmp_path, sha256="0" * 64)
    assert left_in(tmp_path) == []


def test_full_disk_while_downloading(server, fold, tmp_path, monkeypatch):
    """The part is deleted: it is of no use and takes room."""
    _, server.body = fold
    real = Path.open

    def open_full(path, mode="r", *args, **kwargs):
        file = real(path, mode, *args, **kwargs)
        return Full(file) if path.suffix == ".part" and mode == "wb" else file

    monkeypatch.setattr(Path, "open", open_full)
    target = tmp_path / "mslr-web10k" / "archive"
    message = (
        f"{target} could not be written, and no part of it was kept: No space left on "
        "device"
    )
    with pytest.raises(OSError, match=re.escape(message)) as caught:
        fetch(server, tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert left_in(tmp_path) == []


class Full:
    """A file that takes nothing."""

    def __init__(self, file):
        self._file = file

    def write(self, block):
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        self._file.close()


def test_full_disk_while_converting(server, fold, tmp_path, monkeypatch):
    """The archive and the arrays that are whole stay; the next call goes on."""
    folder, server.body = fold
    from ltr.datasets.letor import arrays

    add, added = arrays._TableFile.add, []

    def add_once(self, values):
        added.append(values)
        if len(added) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, values)

    monkeypatch.setattr(arrays._TableFile, "add", add_once)
    with pytest.raises(OSError, match=r"Fold2-vali.txt-float64 could not be written"):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == ["Fold2-train.txt-float64", *ARCHIVE]
    monkeypatch.setattr(arrays._TableFile, "add", add)
    check(fetch(server, tmp_path), folder)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [404, 503])
def test_server_that_refuses(server, fold, tmp_path, status):
    """404 at once, 503 after some attempts; nothing is left."""
    server.status = status
    with pytest.raises(ConnectionError, match=f"the server answered {status} "):
        fetch(server, tmp_path)
    assert len(server.asked) == (1 if status == 404 else 3)
    assert left_in(tmp_path) == []


def test_no_network(tmp_path, monkeypatch):
    """Nobody listens at the address."""
    monkeypatch.setattr("ltr.datasets.benchmarks.download._WAIT_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(
        ConnectionError, match="could not be downloaded: .*refused.*by hand"
    ):
        fetch_mslr(url="http://127.0.0.1:9/x.zip", data_home=tmp_path)
    with pytest.raises(
        ValueError, match="url must begin with http:// or https://; got"
    ):
        fetch_mslr(url="file:///etc/passwd", data_home=tmp_path)


def test_partial_answer_with_another_etag(server, fold, tmp_path):
    """The two halves are of two files: the download begins again."""
    folder, server.body = fold
    server.cuts, server.other_etag = [1000], '"2"'
    check(fetch(server, tmp_path), folder)
    assert server.asked == [None, "bytes=1000-", None]


def test_endless_body(server, fold, tmp_path, monkeypatch):
    """Given up at the limit of size, announced or not, without a second attempt."""
    monkeypatch.setattr("ltr.datasets.benchmarks.download._MAX_BYTES", 10_000)
    server.body = bytes(20_000)
    for server.says_length, message in (
        (True, "the server announces 20,000 bytes, more than 10,000"),
        (False, "the server sent more than 10,000 bytes"),
    ):
        server.asked = []
        with pytest.raises(ConnectionError, match=f"not be downloaded: {message}"):
            fetch(server, tmp_path)
        assert len(server.asked) == 1


def test_slow_body(server, fold, tmp_path, monkeypatch):
    """Bytes that drip reset no timeout: the rate counts."""
    monkeypatch.setattr("ltr.datasets.benchmarks.download._SLOW_S", 0.2)
    _, server.body = fold
    server.drip_s = 0.02
    server.cuts = [50]
    with pytest.raises(ConnectionError, match=r"the server sent \d+ bytes in 0\.2 s"):
        fetch(server, tmp_path)


def test_connection_that_always_drops(server, fold, tmp_path, monkeypatch):
    """Some progress in each attempt does not make their number endless."""
    monkeypatch.setattr("ltr.datasets.benchmarks.download._MAX_ATTEMPTS", 5)
    _, server.body = fold
    server.cuts = [1] * 20
    with pytest.raises(ConnectionError, match="the connection was cut after 5 of"):
        fetch(server, tmp_path)
