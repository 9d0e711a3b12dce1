"""Two processes of jax.distributed train what one does, and tell what went wrong."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from ltr import NeuralRanker
from ltr.datasets import make_ranking

PROGRAM = """
import json, os, signal, sys, time, warnings
import jax, numpy as np
process, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
jax.distributed.initialize(f"localhost:{port}", 2, process)
from types import SimpleNamespace
from ltr import NeuralRanker
from ltr.datasets import make_ranking
from ltr.training.devices import find_mesh
from ltr.training.hosts import Hosts

data = make_ranking(n_queries=130, list_size=(3, 12), random_state=0)
qid = np.unique(data.qid, return_inverse=True)[1]
own = qid < 80 if process == 0 else qid >= 80
X, y, qid_own = data.X[own], data.y[own], qid[own]
result = {}

def fit(changes, X=X):
    options = dict(scorer="linear", max_epochs=9, batch_size=16, random_state=0)
    ranker = NeuralRanker("listnet", **options | {"devices": "all"} | changes)
    return ranker.fit(X, y[: len(X)], qid_own[: len(X)], query_weight=1.0 + qid_own[: len(X)] % 3)

def error(changes, X=X):
    try:
        fit(changes, X)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"

warnings.simplefilter("ignore")
ranker = fit({"max_epochs": 40, "scorer": "mlp", "hidden_layer_sizes": (8,), "n_iter_no_change": 99})
hosts, weights = Hosts(find_mesh("all")), {"weight": np.zeros(9)}
result["advice"] = [
    hosts.advice(seconds, 10, weights, SimpleNamespace(batch_size=16))
    for seconds in (1e-6, 1e6)
]
result["scores"] = ranker.predict(data.X).tolist()
result["history"] = ranker.history_["ndcg@10"]
result["rate"] = error({"learning_rate": 0.1 * (1 + process)})
bad = X.copy()
bad[0, 0] = np.inf if process == 1 else 0.0
result["bad"] = error({}, bad)
result["empty"] = error({}, X[:0] if process else X)
try:
    ranker.partial_fit(X, y, qid_own)
except ValueError as problem:
    result["stream"] = str(problem)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit({"devices": None, "max_epochs": 1})
result["forgotten"] = [str(w.message) for w in caught if "jax.distributed" in str(w.message)]

def watch(state):
    result["at"] = time.time()
    if state.epoch == 3 and process == 1:
        with open(f"{folder}/1.json", "w") as file:
            json.dump(result, file)
        os.kill(os.getpid(), signal.SIGKILL)

result["killed"] = error(
    {"callbacks": [watch], "checkpoint_dir": f"{folder}/state", "checkpoint_every_s": 0}
)
result["seconds"] = time.time() - result["at"]
with open(f"{folder}/0.json", "w") as file:
    json.dump(result, file)
os._exit(0)  # jax.distributed would wait for the other process
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What two processes have written."""
    folder = tmp_path_factory.mktemp("hosts")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, number, port, str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in ("0", "1")
    ]
    try:
        errors = [process.communicate(timeout=400)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    paths = [folder / f"{number}.json" for number in (0, 1)]
    assert all(path.exists() for path in paths), errors
    return [json.loads(path.read_text()) for path in paths]


def test_two_processes_are_one(results):
    """After 300 steps; each has other lists, 80 and 50 of them, with weights."""
    data = make_ranking(n_queries=130, list_size=(3, 12), random_state=0)
    qid = np.unique(data.qid, return_inverse=True)[1]
    ranker = NeuralRanker(
        "listnet", "mlp", hidden_layer_sizes=(8,), max_epochs=40, batch_size=16,
        random_state=0, n_iter_no_change=99,
    )  # fmt: skip
    ranker.fit(data.X, data.y, qid, query_weight=1.0 + qid % 3)
    scores = ranker.predict(data.X)
    means = np.bincount(qid, scores) / np.bincount(qid)
    for result in results:
        others = np.array(result["scores"])
        their_means = np.bincount(qid, others) / np.bincount(qid)
        difference = (scores - means[qid]) - (others - their_means[qid])
        assert np.abs(difference).max() < 1e-4
        assert result["history"] == pytest.approx(ranker.history_["ndcg@10"], abs=1e-9)
    assert results[0]["scores"] == results[1]["scores"]


def test_mistakes(results):
    """All processes stop, and each says who made which mistake."""
    differs = (
        "ValueError: all processes must call fit with the same parameters and columns, "
        "each with its own lists; process 1 has learning_rate=0.2, process 0 has "
        "learning_rate=0.1. Start them with the same."
    )
    empty = (
        "ValueError: X must have at least one list in every process; process 1 of 2 "
        "has no rows. Share the lists out evenly, or start fewer processes."
    )
    failed = (
        "ValueError: fit needs all processes, and process 1 of 2 failed with {} Correct "
        "it there, and start all of them again."
    )
    assert [result["rate"] for result in results] == [differs, differs]
    assert [result["empty"] for result in results] == [failed.format(empty), empty]
    own = results[1]["bad"]
    assert "inf" in own
    assert results[0]["bad"] == failed.format(own)
    for result in results:
        assert result["stream"] == (
            "partial_fit trains in one process; devices='all' are those of 2. Use fit, "
            "or set devices=1 for a ranker in each process."
        )
        assert result["forgotten"] == [
            "jax.distributed connects 2 processes, and with devices=None each of them "
            "trains a ranker of its own, on its own lists. Set devices='all' in all of "
            "them to train one ranker on the lists of all, or devices=1 if that is what "
            "you want."
        ]


def test_short_steps(results):
    """Process 0 advises against steps of a tenth of a microsecond."""
    assert results[1]["advice"] == ["", ""]
    short, long = results[0]["advice"]
    assert short.startswith("A step takes 0.0001 ms, and ")
    assert short.endswith(
        " ms the sum of its gradients over 2 processes; they gain little where it is "
        "not 20 times as long. Raise batch_size (now 16 lists in a step), or train in "
        "one process."
    )
    assert long == ""


def test_killed(results):
    """The other process says who is lost, when, and from where to go on."""
    message = results[0]["killed"]
    assert message.startswith(
        "ConnectionError: process 0 of 2 lost process 1 in epoch 4: it was killed, it "
        "failed, or it cannot be reached ("
    )
    assert message.endswith(
        "). Start all processes again with the same checkpoint_dir: fit goes on from "
        "epoch 3, after 8 steps of it."
    )
    assert results[0]["seconds"] < 30
