"""fit on a memory map: it streams if a copy would not fit into memory."""

import resource
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
from ltr.datasets import make_ranking, open_shards, save_shards
from ltr.memory import available_bytes, memory_bytes
from ltr.rankers import maps

DATA = make_ranking(60, list_size=6, n_features=4, n_informative=2, random_state=0)
TEST = make_ranking(9, list_size=6, n_features=4, n_informative=2, random_state=1)
VALIDATION = {"X_val": TEST.X, "y_val": TEST.y, "qid_val": TEST.qid}
RANKERS = {
    "network": NeuralRanker("ranknet", "linear", max_epochs=2, random_state=0),
    "pairs": TSPRanker(encoder="identity", max_epochs=2, random_state=0),
    "trees": LambdaMARTRanker(n_estimators=3, n_jobs=1, random_state=0),
}


TRAINS_IN_MEMORY = {
    "network": "ltr.rankers.neural.neural.train_scorer",
    "pairs": "ltr.rankers.pairs.tsprank.train_scorer",
    "trees": "ltr.rankers.trees.lambdamart.grow",
}


class InMemory(Exception):
    """Training would begin, on all rows."""


def stops(*arguments, **options):
    raise InMemory


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """The data as open_ranking maps them."""
    folder = tmp_path_factory.mktemp("maps") / "train"
    save_shards(DATA, folder, rows=10**6)
    (data,) = open_shards(folder)
    return data


@pytest.fixture
def streams(monkeypatch):
    """Which rankers have streamed, where the memory is less than twice the map."""
    monkeypatch.setattr(maps, "memory_bytes", lambda: 1.9 * DATA.X.nbytes)
    streamed = []
    for ranker in RANKERS.values():
        method = type(ranker).fit_stream

        def fit_stream(self, *arguments, method=method, **options):
            streamed.append(type(self))
            return method(self, *arguments, **options)

        monkeypatch.setattr(type(ranker), "fit_stream", fit_stream)
    return streamed


def fit(ranker, method, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(clone(ranker), method)(*arguments, **options)


@pytest.mark.parametrize("name", RANKERS)
def test_it_is_fit_stream(name, mapped, streams):
    """The same scores, with and without validation rows; trees are those of ``fit``."""
    ranker = RANKERS[name]
    columns = mapped.X, mapped.y, mapped.qid
    for options, validation in (({}, None), (VALIDATION, TEST)):
        fitted = fit(ranker, "fit", *columns, **options)
        assert streams == [type(ranker)]
        rows = {"buffer_rows": 32}  # six of them take half of the memory
        streamed = fit(ranker, "fit_stream", mapped, validation=validation, **rows)
        streams.clear()
        scores = fitted.predict(TEST.X, TEST.qid)
        np.testing.assert_array_equal(scores, streamed.predict(TEST.X, TEST.qid))
        assert fitted.history_.keys() == streamed.history_.keys()
    if name == "trees":
        in_memory = fit(ranker, "fit", DATA.X, DATA.y, DATA.qid, **VALIDATION)
        np.testing.assert_array_equal(scores, in_memory.predict(TEST.X))
    assert streams == []


@pytest.mark.parametrize(
    ("name", "parameters", "changes"),
    [
        ("network", {}, {"X": np.asarray}),
        ("network", {}, {"X": lambda X: X[np.arange(len(X))]}),
        ("network", {}, {"qid": lambda qid: None}),
        ("network", {}, {"qid": lambda qid: np.append(qid[3:], qid[:3])}),
        ("network", {"early_stopping": True}, {}),
        ("network", {"refit": True}, {}),
        ("network", {}, {"sample_weight": np.ones_like}),
        ("network", {}, {"query_weight": np.ones_like}),
        ("network", {"loss": "irpo"}, {"position": np.ones_like,
                                       "reference_scores": np.ones_like}),
        ("pairs", {}, {"query_weight": np.ones_like}),
        ("pairs", {"pair_features": lambda X: X @ X.T}, {}),
        ("trees", {"loss": "ranknet"}, {"teacher_scores": np.cumsum}),
        ("trees", {"early_stopping": True}, {}),
    ],
)  # fmt: skip
def test_what_stays_in_memory(name, parameters, changes, mapped, streams, monkeypatch):
    """No map of a file, no lists in a piece, or more than fit_stream can do."""
    columns = {"X": mapped.X, "y": mapped.y, "qid": mapped.qid}
    columns |= {
        key: change(columns.get(key, mapped.y)) for key, change in changes.items()
    }
    ranker = clone(RANKERS[name]).set_params(**parameters)
    monkeypatch.setattr(TRAINS_IN_MEMORY[name], stops)
    with pytest.raises(InMemory):
        fit(ranker, "fit", **columns)
    assert streams == []


def test_memory_enough(mapped, streams, monkeypatch):
    """Twice the map: nothing changes. Below, it says so on request."""
    monkeypatch.setattr(maps, "memory_bytes", lambda: 2.0 * DATA.X.nbytes)
    monkeypatch.setattr(TRAINS_IN_MEMORY["network"], stops)
    with pytest.raises(InMemory):
        fit(RANKERS["network"], "fit", mapped.X, mapped.y, mapped.qid)
    assert streams == []


def test_it_says_so(mapped, monkeypatch, capsys):
    """With ``verbose``."""
    monkeypatch.setattr(maps, "memory_bytes", lambda: 1000.0)
    for verbose in (0, 1):
        ranker = clone(RANKERS["trees"]).set_params(verbose=verbose)
        arguments = maps.stream_of_map(
            ranker, mapped.X, mapped.y, mapped.qid, (None, None, None)
        )
        assert arguments is not None
        assert arguments["validation"] is None
        line = (
            "X is a memory map of 0.0 GB, more than half of the 0.0 GB of memory that "
            "this process may have: fit is fit_stream with buffer_rows=2\n"
        )
        assert capsys.readouterr().err == line * verbose


@pytest.mark.parametrize("name", ["network", "pairs"])
def test_several_processes(name, mapped, streams, monkeypatch, capsys):
    """They train in memory, and nothing says that they stream."""
    module = TRAINS_IN_MEMORY[name].removesuffix(".train_scorer")
    hosts = SimpleNamespace(n=2, together=stops)
    monkeypatch.setattr(f"{module}.find_hosts", lambda devices, X: hosts)
    ranker = clone(RANKERS[name]).set_params(verbose=1)
    with pytest.raises(InMemory):
        ranker.fit(mapped.X, mapped.y, mapped.qid)
    assert streams == []
    assert capsys.readouterr().err == ""


LIMITED = """
import resource, sys
from ltr.memory import available_bytes, memory_bytes
whole, machine = available_bytes(), memory_bytes()
for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
    resource.setrlimit(kind, (2 * 10**9, resource.RLIM_INFINITY))
    print(0 < available_bytes() < min(whole, 2e9), memory_bytes() == 2e9)
    resource.setrlimit(kind, (resource.RLIM_INFINITY,) * 2)
print(available_bytes() > 0.5 * whole, memory_bytes() == machine > whole)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_limits_of_the_process():
    """They count as memory, too."""
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    process = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == ["True"] * 6
    assert 0 < available_bytes() < memory_bytes()
