"""Several devices train what one does: eight simulated ones in a process of their own."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from ltr import NeuralRanker, load_ranker, save_ranker
from ltr.arguments import ArgumentError
from ltr.datasets import make_ranking

PROGRAM = """
import json, sys, warnings
import jax, numpy as np
from jax.sharding import Mesh
from ltr import NeuralRanker, TSPRanker
from ltr.datasets import RankingData, make_ranking

warnings.simplefilter("ignore")
data = make_ranking(n_queries=45, list_size=(3, 12), random_state=0)
qid = np.unique(data.qid, return_inverse=True)[1]
half = np.flatnonzero(qid < 22), np.flatnonzero(qid >= 22)
parts = [RankingData(data.X[rows], data.y[rows], qid[rows]) for rows in half]
SMALL = dict(max_epochs=3, batch_size=16, random_state=0, hidden_layer_sizes=(8,))

def centered(ranker):
    scores = ranker.predict(data.X, qid)
    return scores - (np.bincount(qid, scores) / np.bincount(qid))[qid]

def stream(ranker):
    return ranker.fit_stream(lambda epoch: iter(parts))

def fit(ranker):
    return ranker.fit(data.X, data.y, qid)

cases = {
    "listnet": (NeuralRanker("listnet", "mlp", **SMALL), fit),
    "listnet float64": (NeuralRanker("listnet", dtype="float64", **SMALL), fit),
    "lambdarank attention": (NeuralRanker("lambdarank", "attention", **SMALL), fit),
    "draws": (NeuralRanker("gumbel_ndcg", "linear", **SMALL), fit),
    "stream": (NeuralRanker("listnet", "mlp", **SMALL), stream),
    "pairs": (TSPRanker("pairwise", encoder="identity", **SMALL), fit),
}
square = Mesh(np.array(jax.devices()[:4]).reshape(2, 2), ("a", "b"))
meshes = dict.fromkeys(cases, (8,)) | {"listnet": (8, "all", square), "stream": (square,)}
result = {"n_devices": jax.local_device_count()}
for name, (ranker, train) in cases.items():
    one = centered(train(ranker.set_params(devices=None)))
    result[name] = [
        float(np.abs(centered(train(ranker.set_params(devices=devices))) - one).max())
        for devices in meshes[name]
    ]

def stop(state):
    if state.epoch == 2:
        raise RuntimeError

options = SMALL | {"loss": "gumbel_ndcg", "scorer": "mlp", "devices": "all"}
whole = fit(NeuralRanker(**options)).predict(data.X)
options |= {"checkpoint_dir": sys.argv[1], "checkpoint_every_s": 0}
try:
    fit(NeuralRanker(callbacks=[stop], **options))
except RuntimeError:
    epochs = []
    again = fit(NeuralRanker(callbacks=[lambda state: epochs.append(state.epoch)], **options))
result["epochs after a stop"] = epochs
result["the same bits"] = np.array_equal(again.predict(data.X), whole)
print(json.dumps(result))
"""


def test_eight_devices_are_one(tmp_path):
    """Eight for each kind of training; all that there are, and a mesh, for one or two.

    A fit of eight that is stopped goes on to the same bits.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    flags += " --xla_force_host_platform_device_count=8"
    environment = os.environ | {"XLA_FLAGS": flags}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout.splitlines()[-1])
    assert result.pop("n_devices") == 8
    assert result.pop("epochs after a stop") == [2, 3]
    assert result.pop("the same bits")
    for name, differences in result.items():
        limit = 1e-12 if name == "listnet float64" else 1e-5
        assert max(differences) < limit, name


def test_too_many_devices():
    n = jax.local_device_count()
    with pytest.raises(ArgumentError) as error:
        NeuralRanker(devices=n + 1).fit([[1.0], [2.0]], [0, 1])
    assert str(error.value) == (
        f"devices must be at most {n}, the devices that JAX has here; got {n + 1}. On a "
        "CPU, XLA_FLAGS=--xla_force_host_platform_device_count=8 simulates 8."
    )
    for devices in ("gpu", jax.devices(), 2.0, {1}, np.array(jax.devices())):
        with pytest.raises(ArgumentError) as error:
            NeuralRanker(devices=devices).fit([[1.0], [2.0]], [0, 1])
        assert str(error.value) == (
            "devices must be None, 'all', a number of devices or a jax.sharding.Mesh; "
            f"got {devices!r}. JAX uses a GPU if it is installed for one; a Mesh names "
            "devices: jax.sharding.Mesh(np.array(devices), ('lists',))."
        )
    twice = Mesh(np.array(jax.devices()[:1] * 2), ("lists",))
    with pytest.raises(ArgumentError, match="each of them once; got .*, "):
        NeuralRanker(devices=twice).fit([[1.0], [2.0]], [0, 1])


def test_a_saved_ranker_has_no_mesh(tmp_path):
    """Devices are those of this machine."""
    data = make_ranking(n_queries=5, random_state=0)
    mesh = Mesh(jax.devices()[:1], "one")
    ranker = NeuralRanker("mse", "linear", max_epochs=1, devices=mesh, random_state=0)
    save_ranker(ranker.fit(data.X, data.y, data.qid), tmp_path / "model")
    assert load_ranker(tmp_path / "model").devices is None
