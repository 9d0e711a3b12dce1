"""``ltr serve``: what it answers, what it refuses, and that it loses nothing."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("starlette")

from support.asgi import Client

from ltr import LambdaMARTRanker, LinearRanker, SingleFeatureRanker, save_ranker
from ltr.serving import Limits, create_app
from ltr.serving.batching import Batcher, Overloaded

X = np.random.default_rng(0).normal(size=(40, 3))
Y, QID = (X[:, 0] > 0).astype(int), np.arange(40) // 8
NAMES = ["price", "rating", "age"]


@pytest.fixture(scope="module")
def ranker():
    """Scaled within the list: a score depends on the items beside it."""
    return LinearRanker(preprocess="query").fit(X, Y, QID)


@pytest.fixture(scope="module")
def client(ranker):
    limits = Limits(body_bytes=2000, n_items=9, n_lists=3)
    return Client(create_app(ranker, limits))


def test_one_list(client, ranker):
    response = client.post("/rank", json={"features": X[:5].tolist(), "k": 2})
    scores = ranker.predict(X[:5])
    assert response.status_code == 200
    assert response.json() == {
        "scores": scores.tolist(),
        "order": ranker.order(X[:5], k=2).tolist(),
    }


def test_several_lists(client, ranker):
    """Each list is scaled by itself; an empty one has no scores."""
    lists = [
        {"features": X[:4].tolist(), "ids": ["a", "b", "c", "d"]},
        {"features": []},
        {"features": X[4:7].tolist(), "k": 1},
    ]
    answers = client.post("/rank", json={"lists": lists, "k": 2}).json()["lists"]
    order = ranker.order(X[:4], k=2).tolist()
    assert answers[0]["scores"] == ranker.predict(X[:4]).tolist()
    assert answers[0]["order"] == order
    assert answers[0]["ids"] == ["abcd"[i] for i in order]
    assert answers[1] == {"scores": [], "order": []}
    assert answers[2]["order"] == ranker.order(X[4:7], k=1).tolist()


def test_named_features():
    frame = pd.DataFrame(X, columns=NAMES)
    ranker = LinearRanker().fit(frame, Y, QID)
    client = Client(create_app(ranker))
    rows = [dict(zip(NAMES[::-1], row[::-1], strict=True)) for row in X[:4].tolist()]
    expected = ranker.predict(frame[:4]).tolist()
    with pytest.warns(UserWarning, match="valid feature names"):
        answer = client.post("/rank", json={"features": rows}).json()
    assert answer["scores"] == expected
    columns = {"feature_names": NAMES[::-1], "features": X[:4, ::-1].tolist()}
    with pytest.warns(UserWarning, match="valid feature names"):
        assert client.post("/rank", json=columns).json()["scores"] == expected
    for features, message in (
        (
            [{"price": 1}],
            "item 0 must have the 3 features of the ranker; it lacks 'rating'.",
        ),
        (
            [dict.fromkeys(NAMES, 1) | {"size": 1}],
            "item 0 must have the 3 features of the ranker; it has 'size'.",
        ),
        ([dict.fromkeys(NAMES, 1), 2], "item 1 must be an object like item 0."),
    ):
        response = client.post("/rank", json={"features": features})
        assert (response.status_code, response.json()) == (400, {"error": message})


def test_missing_values():
    """null is NaN for trees; a score that is infinite is null; others refuse it."""
    trees = LambdaMARTRanker(n_estimators=2, min_child_samples=2, n_jobs=1)
    trees.fit(X, Y, QID)
    rows = X[:3].tolist()
    rows[1][0] = None
    answer = Client(create_app(trees)).post("/rank", json={"features": rows})
    assert answer.json()["scores"] == trees.predict(np.array(rows, float)).tolist()
    feature = SingleFeatureRanker().fit(X, Y, QID)
    answer = Client(create_app(feature)).post("/rank", json={"features": rows})
    assert answer.json()["scores"][1] is None
    assert answer.json()["order"][-1] == 1


IDS = (
    "'ids' must be values that JSON in UTF-8 can hold: finite numbers, text without half "
    "a surrogate pair, and no deep nesting."
)
LONG = "'features' must have at most 9 items; got 10."
REFUSED = [
    (b"", 400, "the body must be JSON: Expecting value: line 1 column 1 (char 0)."),
    (b"[]", 400, "the body must be a JSON object; got an array."),
    (b"\xff", 400, None),
    (b"[" * 1500, 400, None),
    (
        b'{"features": [[1, 2, NaN]]}',
        400,
        "the body must be JSON, which has no NaN; pass null.",
    ),
    (
        b'{"features": [[1, 2, 1e999]]}',
        400,
        "'features' must be numbers in the range of float64.",
    ),
    (
        b'{"features": [[1, 2, "3"]]}',
        400,
        "feature 2 of item 0 must be a number or null; got '3'.",
    ),
    (
        b'{"features": [[1, 2, true]]}',
        400,
        "feature 2 of item 0 must be a number or null; got True.",
    ),
    (
        b'{"features": [[1, 2, [3]]]}',
        400,
        "feature 2 of item 0 must be a number or null; got [3].",
    ),
    (b'{"features": [[1, 2]]}', 400, "item 0 must be an array of 3 numbers; got 2."),
    (b'{"features": [1]}', 400, "item 0 must be an array of 3 numbers; got 1."),
    (
        b'{"features": {"a": 1}}',
        400,
        "'features' must be an array with an entry for each item; got an object.",
    ),
    (
        b'{"featurs": []}',
        400,
        "the body must have the keys feature_names, features, ids, k, lists only; got 'featurs'.",
    ),
    (
        b'{"features": [], "lists": []}',
        400,
        "the body must have 'features' or 'lists'; got both.",
    ),
    (
        b'{"lists": []}',
        400,
        "'lists' must be an array of objects; got an empty array.",
    ),
    (
        b'{"lists": [{"features": []}], "ids": []}',
        400,
        "a body with 'lists' must have the keys feature_names, k, lists only; got 'ids'.",
    ),
    (
        b'{"features": [[1, 2, 3]], "k": 1, "k": 2}',
        400,
        "an object in the body must have distinct keys; got 'k' twice.",
    ),
    (b'{"features": [[1, 2, 3]], "ids": [1e999]}', 400, IDS),
    (b'{"features": [[1, 2, 3]], "ids": ["\\ud800"]}', 400, IDS),
    (b'{"lists": [1]}', 400, "'lists' must have objects; got 1 as list 0."),
    (
        b'{"lists": [{"features": [[1]]}]}',
        400,
        "item 0 of list 0 must be an array of 3 numbers; got 1.",
    ),
    (
        b'{"features": [[1, 2, 3]], "k": 0}',
        400,
        "'k' must be a whole number >= 1; got 0.",
    ),
    (
        b'{"features": [[1, 2, 3]], "ids": []}',
        400,
        "'ids' must have one entry for each of the 1 items; got 0.",
    ),
    (
        b'{"features": [{"price": 1}]}',
        400,
        "'features' must be arrays: the ranker was fitted without names of features.",
    ),
    (json.dumps({"features": [[1, 2, 3]] * 10}).encode(), 413, LONG),
    (
        json.dumps({"lists": [{"features": []}] * 4}).encode(),
        413,
        "'lists' must have at most 3 lists; got 4.",
    ),
    (b" " * 2001, 413, "the body must have at most 2000 bytes. Send fewer items."),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refused(client, number):
    body, status, message = REFUSED[number]
    response = client.post("/rank", content=body)
    assert response.status_code == status
    error = response.json()["error"]
    assert error == message if message else error.startswith("the body must be JSON")


def test_what_fails_otherwise(caplog):
    """A fault of the ranker is logged and counted; a compressed body is not guessed."""

    class Faulty:
        n_features_in_ = 1

        def predict(self, X, qid):
            raise TypeError("no such attribute")

    client = Client(create_app(Faulty()))
    response = client.post("/rank", json={"features": [[1.0]]})
    assert response.status_code == 500
    assert response.json() == {
        "error": "the ranker failed; the log of the server says why."
    }
    assert "no such attribute" in caplog.text
    assert 'ltr_requests_total{status="500"} 1' in client.get("/metrics").text
    response = client.post("/rank", content=b"x", headers={"content-encoding": "gzip"})
    assert response.status_code == 415
    assert response.json() == {
        "error": "the body must not be compressed; got content-encoding 'gzip'."
    }


def test_a_long_body_without_its_length(client):
    """It is read up to the limit only."""
    sent = []

    def parts():
        for _ in range(100):
            sent.append(1000)
            yield b" " * 1000

    assert client.post("/rank", content=parts()).status_code == 413
    assert sum(sent) == 3000  # of at most 2000


def test_health_and_metrics(ranker):
    client = Client(create_app(ranker))
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert (health["ranker"], health["n_features"]) == ("LinearRanker", 3)
    client.post("/rank", json={"features": X[:5].tolist()})
    client.post("/rank", content=b"{")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'ltr_requests_total{status="200"} 1',
        'ltr_requests_total{status="400"} 1',
        "ltr_request_seconds_count 2",
        "ltr_lists_total 1",
        "ltr_items_total 5",
        "ltr_batches_total 1",
        "ltr_waiting_requests 0",
    ):
        assert line in lines
    assert client.get("/rank").status_code == 405


def test_requests_are_scored_together():
    """What comes while a batch is scored is one batch; an error is of its request."""

    sizes = []

    class Slow:
        def predict(self, X, qid):
            time.sleep(0.02)
            sizes.append(len(set(qid)))
            if (X < 0).any():
                raise ValueError("negative")
            return X[:, 0]

    async def run():
        batcher = Batcher(Slow(), max_waiting=6)
        first = asyncio.create_task(batcher.scores([np.ones((2, 1))]))
        await asyncio.sleep(0.005)
        others = [
            asyncio.create_task(batcher.scores([np.full((1, 1), value)]))
            for value in (3.0, -1.0, 4.0, 5.0, 6.0, 7.0)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.scores([np.ones((1, 1))])
        results = await asyncio.gather(first, *others, return_exceptions=True)
        assert batcher.n_waiting == 0
        batcher.close()
        return batcher, results

    batcher, results = asyncio.run(run())
    assert results[0][0].tolist() == [1.0, 1.0]
    assert str(results[2]) == "negative"
    values = [r[0].tolist() for r in (results[1], *results[3:])]
    assert values == [[3.0], [4.0], [5.0], [6.0], [7.0]]
    assert (batcher.n_batches, batcher.n_requests) == (2, 7)
    assert sizes[:2] == [1, 6]


def test_too_many_requests(ranker):
    client = Client(create_app(ranker, Limits(n_waiting=0)))
    response = client.post("/rank", json={"features": X[:2].tolist()})
    assert response.status_code == 503
    assert response.json() == {"error": "0 requests wait already. Try again."}
    assert response.headers["retry-after"] == "1"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_sigterm_loses_no_accepted_request(ranker, tmp_path):
    """The process of ``ltr serve`` is small, answers all it has accepted, and ends."""
    pytest.importorskip("uvicorn")
    save_ranker(ranker, tmp_path / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "--model", str(tmp_path / "model"), "--port", str(port)]
    code = f"import sys; from ltr.cli import main; status = main({words!r}); print(*sys.modules); sys.exit(status)"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    try:
        health = f"http://127.0.0.1:{port}/health"
        for _ in range(2000):
            if server.poll() is not None:
                break
            try:
                urllib.request.urlopen(health).close()
                break
            except urllib.error.URLError:
                time.sleep(0.05)
        body = json.dumps({"features": X[:8].tolist()}).encode()

        def begin():
            """A request whose last byte is not sent yet: the server has accepted it."""
            connection = socket.create_connection(("127.0.0.1", port), timeout=100)
            head = (
                f"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode() + body[:-1])
            return connection

        connections = [begin() for _ in range(20)]
        for _ in range(2):  # whoever came before them is accepted, and its head is read
            urllib.request.urlopen(health).close()
        server.send_signal(signal.SIGTERM)
        time.sleep(0.2)

        def finish(connection):
            connection.sendall(body[-1:])
            with connection, connection.makefile("rb") as answer:
                return answer.read()

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(finish, connections))
        output, errors = server.communicate(timeout=100)
    finally:
        server.kill()
    assert server.returncode in (0, -signal.SIGTERM), errors
    scores = ranker.predict(X[:8]).tolist()
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["scores"] == scores
    assert not {"jax", "sklearn", "pandas", "scipy"} & set(output.split())


def test_command_without_a_ranker(capsys, tmp_path):
    from ltr.cli import main

    assert main(["serve", "--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == (
        f"ltr serve: folder must hold a saved ranker; got {str(tmp_path / 'none')!r}, "
        "which does not exist. Write one with save_ranker or `ltr train`.\n"
    )
