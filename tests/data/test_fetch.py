"""fetch_*: downloads from a server that the tests start, with all its moods."""

import errno
import gzip
import hashlib
import io
import os
import re
import tarfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ltr.datasets import (
    fetch_istella,
    fetch_letor_mq2007,
    fetch_letor_mq2008,
    fetch_mslr,
    fetch_yahoo,
    load_letor,
    make_ranking,
    save_letor,
)
from ltr.datasets.benchmarks.sources import SOURCES

NAMES = ("train", "vali", "test")


class Server:
    """What the server does next, and what it was asked."""

    def __init__(self):
        self.body = b""
        self.ranges = True  # whether it knows Range
        self.etag = '"1"'
        self.says_length = True
        self.other_etag = None  # of an answer to Range
        self.drip_s = 0.0  # pause after each byte
        self.cuts = []  # bytes after which it hangs up, one for each request
        self.status = 200
        self.asked = []  # Range of each request
        self.sent = 0

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status != 200:
            request.send_error(self.status)
            return
        start = 0
        same = request.headers.get("If-Range") in (None, self.etag)
        if wanted and self.ranges and same:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(self.body):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(self.body)}")
                request.end_headers()
                return
            request.send_response(206)
            end = len(self.body)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        else:
            request.send_response(200)
        if self.says_length:
            request.send_header("Content-Length", str(len(self.body) - start))
        if self.etag:
            etag = self.other_etag if start and self.other_etag else self.etag
            request.send_header("ETag", etag)
        request.end_headers()
        length = self.cuts.pop(0) if self.cuts else len(self.body)
        piece = self.body[start : start + length]
        self.sent += len(piece)  # before the client can have it
        for i in range(len(piece) if self.drip_s else 0):
            request.wfile.write(piece[i : i + 1])
            time.sleep(self.drip_s)
        if self.drip_s:
            return
        request.wfile.write(piece)


@pytest.fixture
def server(monkeypatch):
    """A server on this machine; no waiting between attempts."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self)

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}/data"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr("ltr.datasets.benchmarks.download._WAIT_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(scope="module")
def fold(tmp_path_factory):
    """Fold2 of a small data set, and its archives."""
    folder = tmp_path_factory.mktemp("mslr")
    (folder / "Fold2").mkdir()
    for seed, name in enumerate(NAMES):
        data = make_ranking(4, n_features=9, n_informative=3, random_state=seed)
        save_letor(data, folder / "Fold2" / f"{name}.txt")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.write(folder / "Fold2" / f"{name}.txt", f"MS/Fold2/{name}.txt")
    return folder, packed.getvalue()


def fetch(server, home, **options):
    return fetch_mslr("10k", 2, url=server.url, data_home=home, **options)


def check(splits, folder):
    for part, name in zip(splits, NAMES, strict=True):
        expected = load_letor(folder / "Fold2" / f"{name}.txt", n_features=136)
        np.testing.assert_array_equal(part.X, expected.X)
        np.testing.assert_array_equal(part.y, expected.y)
        np.testing.assert_array_equal(part.qid, expected.qid)


def left_in(home):
    """Files in the cache, with one name for each folder of arrays."""
    files = [path.relative_to(home) for path in Path(home).rglob("*") if path.is_file()]
    return sorted({path.parts[1] for path in files} - {"lock"})


DONE = ["Fold2-test.txt-float64", "Fold2-train.txt-float64", "Fold2-vali.txt-float64"]
ARCHIVE = ["archive", "archive.json"]


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


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz", "text"])
def test_archive_that_is_cut_off(server, fold, tmp_path, kind):
    """A server that does not say the length hangs up: found, and not kept."""
    folder, body = fold
    if kind == "text":
        body = b"<html>This page has moved.</html>"
    elif kind != "zip":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=f"w:{kind}") as archive:
            archive.add(folder / "Fold2", "Fold2")
        body = packed.getvalue()
    whole, server.body, server.says_length = body, body[: len(body) * 2 // 3], False
    message = (
        "must be a complete zip or tar archive; reading it failed: .*It was deleted "
    )
    with pytest.raises(ValueError, match=message):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == []
    if kind != "text":
        server.body = whole
        check(fetch(server, tmp_path), folder)


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


def test_paths(fold, tmp_path):
    """An archive or a folder at hand: no network, no cache, arrays in memory."""
    folder, body = fold
    (tmp_path / "MSLR.zip").write_bytes(body)
    for path in (folder, tmp_path / "MSLR.zip"):
        splits = fetch_mslr("30k", 2, path=path, data_home=tmp_path / "home")
        check(splits, folder)
        assert not isinstance(splits.train.X, np.memmap)
    assert not (tmp_path / "home").exists()
    with pytest.raises(FileNotFoundError):
        fetch_mslr(path=tmp_path / "nowhere.zip")
    message = (
        f"{folder} must have exactly one file Fold3/train.txt; got none. Its files: "
        "Fold2/test.txt, Fold2/train.txt, Fold2/vali.txt."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch_mslr(fold=3, path=folder)
    message = "Fold2/train.txt, line 1: a line must be"
    (tmp_path / "Fold2").mkdir()
    for name in NAMES:
        (tmp_path / "Fold2" / f"{name}.txt").write_text("1 qid:1 1:x\n")
    with pytest.raises(ValueError, match=message):
        fetch_mslr(fold=2, path=tmp_path)


def test_the_other_data_sets(tmp_path, capsys):
    """Their files, widths and parts; a licence; an archive of a kind not read."""
    lines = "2 qid:7 1:0.5 46:1 # docid = GX-1\n0 qid:7 2:4\n"
    for name in (
        "MQ/Fold1/train.txt",
        "MQ/Fold1/vali.txt",
        "MQ/Fold1/test.txt",
        "istella/full/train.txt",
        "istella/full/test.txt",
        "set2.train.txt",
        "set2.valid.txt",
        "set2.test.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(lines)
    for fetch_mq in (fetch_letor_mq2007, fetch_letor_mq2008):
        assert fetch_mq(path=tmp_path).valid.docids.tolist() == ["GX-1", ""]
    full = fetch_istella("full", path=tmp_path)
    assert full.train.X.shape == (2, 220)
    assert full.valid is None
    assert fetch_yahoo(tmp_path, subset=2).test.X.shape == (2, 700)
    message = (
        "Yahoo! Learning to Rank Challenge requires a license that Yahoo! grants on "
        "request: request it at "
        "https://webscope.sandbox.yahoo.com/catalog.php?datatype=c and pass path= with "
        "the archive or its folder."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch_yahoo()
    with pytest.raises(ValueError, match="^ltr knows no address of LETOR 4.0 MQ2008. "):
        fetch_letor_mq2008(data_home=tmp_path)
    (tmp_path / "MQ2008.rar").write_bytes(b"Rar!\x1a\x07\x01\x00rest")
    with pytest.raises(ValueError, match="is a RAR archive, which Python cannot read"):
        fetch_letor_mq2008(path=tmp_path / "MQ2008.rar")
    with pytest.raises(ValueError, match="fold must be one of 1, 2, 3, 4, 5; got 6."):
        fetch_letor_mq2008(6, path=tmp_path)
    with pytest.raises(ValueError, match="size must be one of '10k', '30k'; got '20k'"):
        fetch_mslr("20k")
    assert capsys.readouterr().err == ""


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


def other_archive():
    """An archive of the same files with other rows, and its checksum."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in NAMES:
            archive.writestr(f"Fold2/{name}.txt", "1 qid:1 1:77\n0 qid:1 1:2\n")
    return packed.getvalue(), hashlib.sha256(packed.getvalue()).hexdigest()


def test_checksum_of_another_archive(server, fold, tmp_path):
    """What is in the cache is used for its own checksum and address only."""
    folder, server.body = fold
    check(fetch(server, tmp_path), folder)
    own = hashlib.sha256(server.body).hexdigest()
    check(fetch(server, tmp_path, sha256=own), folder)
    assert len(server.asked) == 1
    with pytest.raises(
        ValueError, match=f"must have the SHA-256 {'0' * 64}; got {own}"
    ):
        fetch(server, tmp_path, sha256="0" * 64)
    server.body, sha256 = other_archive()
    assert fetch(server, tmp_path, sha256=sha256).train.X[0, 0] == 77
    other = fetch_mslr("10k", 2, data_home=tmp_path, url=f"{server.url}/other")
    assert other.train.X[0, 0] == 77
    n_asked = len(server.asked)
    check(fetch(server, tmp_path), folder)
    assert fetch(server, tmp_path, sha256=sha256).train.X[0, 0] == 77
    assert len(server.asked) == n_asked


def test_bad_archive_blocks_nothing(server, fold, tmp_path):
    """Neither another address nor the same one, once it has the right file."""
    folder, body = fold
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.html", "moved")
    server.body = packed.getvalue()
    message = "must have exactly one file Fold2/train.txt; got none.*It was deleted"
    with pytest.raises(ValueError, match=message):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == []
    server.body = body
    check(fetch(server, tmp_path), folder)


def test_cached_archive_that_has_changed(server, fold, tmp_path, capsys):
    """Its checksum is checked again before it is read for another fold or type."""
    _, server.body = fold
    fetch(server, tmp_path)
    archive = tmp_path / "mslr-web10k" / "archive"
    archive.write_bytes(other_archive()[0])
    single = fetch(server, tmp_path, dtype=np.float32)
    assert (
        f"{archive} has changed since its download: deleted." in capsys.readouterr().err
    )
    assert len(server.asked) == 2
    assert single.train.X[0, 0] != 77


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip"])
def test_flipped_bits_of_an_archive(fold, tmp_path, kind):
    """The checksum at the end of the stream is read: never other data in silence."""
    folder, body = fold
    if kind != "zip":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=f"w:{kind}") as archive:
            archive.add(folder / "Fold2", "Fold2")
        body = packed.getvalue()
    path, rng = tmp_path / "archive", np.random.default_rng(0)
    messages = []
    for _ in range(40):
        flipped = bytearray(body)
        flipped[rng.integers(len(body))] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        try:
            check(fetch_mslr("10k", 2, path=path), folder)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 30
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_archive_that_unpacks_to_too_much(tmp_path, kind):
    """Refused by the sizes that it announces, before anything is unpacked."""
    path, n_bytes = tmp_path / "archive", 2**27
    if kind == "zip":
        with (
            zipfile.ZipFile(
                path, "w", zipfile.ZIP_DEFLATED, compresslevel=1
            ) as archive,
            archive.open("Fold2/train.txt", "w") as member,
        ):
            for _ in range(n_bytes // 2**20):
                member.write(b"\n" * 2**20)
    else:
        info = tarfile.TarInfo("Fold2/train.txt")
        info.size = n_bytes
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(info.tobuf() + b"\n" * 1000)  # the header is enough
    message = (
        f"{path} must not hold more than 100 times its own size; got 134,217,728 bytes "
        "in Fold2/train.txt."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch_mslr(fold=2, path=path)


def test_pipe_in_place_of_an_archive(tmp_path):
    """Said at once: an archive is read back and forth."""
    os.mkfifo(tmp_path / "pipe")
    message = (
        f"{tmp_path / 'pipe'} must be a folder, or a zip or tar archive on disk; got a "
        "pipe or device. Save it to a file."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fetch_mslr(path=tmp_path / "pipe")
