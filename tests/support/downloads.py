"""A server with all its moods, and what its downloads must be."""

import re
import time
from pathlib import Path

import numpy as np

from ltr.datasets import (
    fetch_mslr,
    load_letor,
)

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
