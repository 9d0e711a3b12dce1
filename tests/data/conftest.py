"""Fixtures of the tests of downloads."""

import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.downloads import NAMES, Server

from ltr.datasets import (
    make_ranking,
    save_letor,
)


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
