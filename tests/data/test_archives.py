"""Archives of fetch_*: damaged, changed, hostile, at hand; what each data set holds."""

import gzip
import hashlib
import io
import os
import re
import tarfile
import zipfile

import numpy as np
import pytest
from support.downloads import NAMES, check, fetch, left_in

from ltr.datasets import (
    fetch_istella,
    fetch_letor_mq2007,
    fetch_letor_mq2008,
    fetch_mslr,
    fetch_yahoo,
)


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
