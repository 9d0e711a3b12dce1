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

# What two processes train, and one.
CASES = """
import jax, jax.numpy as jnp, numpy as np
from ltr import NeuralRanker, TSPRanker
from ltr.datasets import make_ranking
from ltr.losses import wasserstein_batch_loss
from ltr.scorers import MLPScorer

data = make_ranking(n_queries=130, list_size=(3, 12), random_state=0)
qid = np.unique(data.qid, return_inverse=True)[1]
gaps = [np.abs(np.subtract.outer(x, x))[..., None] for x in np.split(data.X[:, 0], np.flatnonzero(np.diff(qid)) + 1)]

class Shrinking(MLPScorer):
    def penalty(self, params, X, where):
        return 0.1 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))

SMALL = dict(max_epochs=3, batch_size=16, random_state=0, early_stopping=False, hidden_layer_sizes=(4,))
TOWERS = dict(scorer="two_tower", n_query_features=2, in_batch=True)
RANKERS = {
    "per_batch, in_batch": NeuralRanker(wasserstein_batch_loss, **TOWERS, **SMALL),
    "penalty": NeuralRanker("listnet", Shrinking((4,)), **SMALL),
    "pair_features": TSPRanker("successor", pair_hidden_layer_sizes=(3,), **SMALL),
    "draws": NeuralRanker("gumbel_ndcg", dropout=0.2, **SMALL),
}

def weights_of(name, own, devices):
    ranker = RANKERS[name].set_params(devices=devices)
    pairs = {"pair_features": [gaps[q] for q in np.unique(qid[own])]} if name == "pair_features" else {}
    ranker.fit(data.X[own], data.y[own], qid[own], **pairs)
    return [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(ranker._learned_state.params)]
"""

PROGRAM = """
import json, os, signal, sys, time, warnings
import jax, numpy as np, pandas as pd
process, port, folder, stage = int(sys.argv[1]), *sys.argv[2:]
jax.distributed.initialize(f"localhost:{port}", 2, process)
# cases
from types import SimpleNamespace
from scipy.sparse import csr_matrix
from ltr.datasets import RankingData
from ltr.training.devices import find_mesh
from ltr.training.hosts import Hosts

own = qid < 80 if process == 0 else qid >= 80
X, y, qid_own = data.X[own], data.y[own], qid[own]
result = {}

def fit(changes, X=X, **validation):
    options = dict(loss="listnet", scorer="linear", max_epochs=9, batch_size=16, random_state=0)
    ranker = NeuralRanker(**options | {"devices": "all"} | changes)
    n = X.shape[0]
    weights = {"query_weight": 1.0 + qid_own[:n] % 3}
    return ranker.fit(X, y[:n], qid_own[:n], **weights, **validation)

def error(changes, X=X, **validation):
    try:
        fit(changes, X, **validation)
    except (Exception, KeyboardInterrupt) as problem:
        return f"{type(problem).__name__}: {problem}"

def save(result):
    with open(f"{folder}/{stage}_{process}.json", "w") as file:
        json.dump(result, file)

def watched(callback):
    "Losses and scores of a fit that draws, and can go on."
    ranker = fit({
        "loss": "gumbel_ndcg", "callbacks": [callback],
        "checkpoint_dir": f"{folder}/state", "checkpoint_every_s": 0,
    })
    return [ranker.history_["loss"], ranker.predict(data.X).tolist()]

if stage == "again":
    epochs = []
    result["again"] = watched(lambda state: epochs.append(state.epoch))
    save(result | {"epochs": epochs})
    sys.exit()

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
result["sparse"] = error({}, csr_matrix(X))
names = [f"f{i}" for i in range(X.shape[1])]
frame = pd.DataFrame(X, columns=names)
result["columns"] = error({}, frame[names[::-1]] if process else frame)

def fail(state):
    if state.epoch == 2 and process == 1:
        raise RuntimeError("no disk")

def interrupt(state):
    if state.epoch == 3 and process == 1:
        os.kill(os.getpid(), signal.SIGINT)

calls = []

def metric(y, scores, qid):
    calls.append(len(y))
    if len(calls) > 3 and process == 1:
        raise RuntimeError("no judge")
    return 1.0

rows = {"X_val": X, "y_val": y, "qid_val": qid_own}
result["callback"] = error({"callbacks": [fail]})
result["metric"] = error({"metric": metric}, **rows)
result["stopped"] = error({"callbacks": [interrupt], "max_epochs": 99})
result["no rows"] = error({}, **{k: v[: 0 if process else None] for k, v in rows.items()})
for name, rows in {"partial_fit": (X, y, qid_own), "fit_stream": (RankingData(X, y, qid_own),)}.items():
    try:
        getattr(ranker, name)(*rows)
    except ValueError as problem:
        result[name] = str(problem)
result["weights"] = {name: weights_of(name, own, "all") for name in RANKERS}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit({"devices": None, "max_epochs": 1})
result["forgotten"] = [str(w.message) for w in caught if "jax.distributed" in str(w.message)]

result["whole"] = watched(lambda state: None)

def kill(state):
    result["at"] = time.time()
    if state.epoch == 3 and process == 1:
        save(result)
        os.kill(os.getpid(), signal.SIGKILL)

try:
    watched(kill)
except Exception as problem:
    result["killed"] = f"{type(problem).__name__}: {problem}"
result["seconds"] = time.time() - result["at"]
save(result)
os._exit(0)  # jax.distributed would wait for the other process
"""


def run_both(folder, stage):
    """What two processes have written."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    program = PROGRAM.replace("# cases", CASES)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, number, port, str(folder), stage],
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
    paths = [folder / f"{stage}_{number}.json" for number in (0, 1)]
    assert all(path.exists() for path in paths), "\n".join(errors)
    return [json.loads(path.read_text()) for path in paths]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the processes write."""
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="module")
def results(folder):
    """Of the processes of which one is killed in the end."""
    return run_both(folder, "first")


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
        for method in ("partial_fit", "fit_stream"):
            assert result[method].startswith(
                f"{method} trains in one process; devices='all' are those of 2. Use fit, "
                "with the lists that each of them has in memory, or set devices=1"
            )
        assert result["sparse"].startswith(
            "TypeError: X must be an array of all features to train in 2 processes; got "
            "a sparse matrix. "
        )
        assert result["forgotten"] == [
            "jax.distributed connects 2 processes, and with devices=None each of them "
            "trains a ranker of its own, on its own lists. Set devices='all' in all of "
            "them to train one ranker on the lists of all, or devices=1 if that is what "
            "you want."
        ]


def test_what_fails_in_one_process(results):
    """Callbacks, metrics of one's own and Ctrl-C: none waits for the other."""
    failed = (
        "ValueError: fit needs all processes, and process 1 of 2 failed with {}. Correct "
        "it there, and start all of them again."
    )
    for name, own in (("callback", "no disk"), ("metric", "no judge")):
        assert results[1][name] == f"RuntimeError: {own}"
        assert results[0][name] == failed.format(f"RuntimeError: {own}")
    own = (
        "ValueError: In the validation set: X must have at least one row; got none. "
        "Pass some, or leave out X_val"
    )
    assert results[1]["no rows"] == f"{own}."
    assert results[0]["no rows"] == failed.format(own)
    for result in results:
        assert result["stopped"].startswith("FitStopped: stopped after 3 epochs")
        assert "process 1 has columns of X=['f" in result["columns"]
        assert ", process 0 has columns of X=['f0', 'f1', " in result["columns"]


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


def test_going_on(results, folder):
    """Two new processes that call the same fit end with the same bits."""
    whole = results[0]["whole"]
    assert results[1]["whole"] == whole
    for result in run_both(folder, "again"):
        assert result["again"] == whole
        assert result["epochs"] == list(range(3, 10))
    assert not list((folder / "state").iterdir())


def test_other_fits(results):
    """Of losses and scorers whose step is no sum over lists, of pairs, and of draws."""
    cases = {}
    exec(CASES, cases)
    for name in cases["RANKERS"]:
        first, second = (result["weights"][name] for result in results)
        assert first == second
        one = cases["weights_of"](name, np.ones(len(cases["qid"]), dtype=bool), None)
        same = [
            np.allclose(a, b, atol=1e-5)
            for a, b in zip(one, first, strict=True)
            if np.size(a) > 1  # the output bias shifts all scores, and has no gradient
        ]
        assert all(same) == (name != "draws"), name
