"""Trees on a cluster of two processes: whole lists, the same bits, losses of workers."""

import os
import re
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from ltr import LambdaMARTRanker, load_ranker, save_ranker
from ltr.datasets import RankingData, make_ranking
from ltr.datasets import describe as describe_in_memory
from ltr.metrics import err_score, ndcg_score
from ltr.metrics import evaluate as evaluate_in_memory

pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

import dask  # noqa: E402
from distributed import Client, LocalCluster  # noqa: E402

from ltr.dask import DaskLambdaMARTRanker, describe, evaluate  # noqa: E402
from ltr.dask.placement import Worker, share_lists  # noqa: E402
from ltr.dask.rounds import WorkerLostError, network_of  # noqa: E402

DATA = make_ranking(
    n_queries=60, list_size=(5, 15), n_features=5, n_informative=3, random_state=0
)
SHUFFLED = np.random.default_rng(0).permutation(len(DATA.y))  # lists are interleaved
X, Y, QID = DATA.X[SHUFFLED], DATA.y[SHUFFLED], DATA.qid[SHUFFLED]
SMALL = {"n_estimators": 8, "num_leaves": 7, "min_child_samples": 5, "random_state": 0}


@pytest.fixture(scope="module")
def client():
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def arrays():
    """Rows in chunks of three sizes."""
    return (
        da.from_array(X, chunks=(100, 2)),
        da.from_array(Y, chunks=77),
        da.from_array(QID, chunks=250),
    )


@pytest.mark.parametrize("loss", ["lambdarank", "ranknet"])
def test_same_bits_and_as_good(client, arrays, loss):
    ranker = DaskLambdaMARTRanker(loss, client=client, **SMALL)
    scores = ranker.fit(*arrays).to_local().predict(X)
    again = clone(ranker).fit(*arrays).predict(arrays[0])
    assert isinstance(again, da.Array)
    assert np.array_equal(again.compute(), scores)
    local = LambdaMARTRanker(loss, n_jobs=1, **SMALL).fit(X, Y, QID).predict(X)
    both = [ndcg_score(Y, s, qid=QID, k=10) for s in (scores, local)]
    assert both[0] == pytest.approx(both[1], abs=0.03)


def test_forms_of_input(client, arrays):
    """Delayed and ready parts, lists that are cut by parts, and sparse features."""
    expected = DaskLambdaMARTRanker(client=client, **SMALL).fit(*arrays).predict(X)
    cuts = [slice(0, 150), slice(150, None)]
    parts = [RankingData(X[cut], Y[cut], QID[cut]) for cut in cuts]
    sparse = [RankingData(scipy.sparse.csr_matrix(p.X), p.y, p.qid) for p in parts]
    for form in (
        [parts[0], dask.delayed(parts[1])],
        client.scatter(parts),
        sparse,
    ):
        ranker = DaskLambdaMARTRanker(client=client, **SMALL).fit(form)
        assert np.array_equal(ranker.predict(X), expected)


def test_long_list_and_many_workers(client):
    """A list longer than a share is on one worker; of one list, the other has none."""
    qid = np.where(np.arange(len(Y)) % 10 < 8, 0, QID + 1)
    arrays = [da.from_array(column, chunks=200) for column in (Y, qid)]
    features = da.from_array(X, chunks=(200, -1))
    ranker = DaskLambdaMARTRanker("listnet", client=client, **SMALL)
    assert ranker.fit(features, *arrays).n_iter_ == 8
    one = np.zeros(len(Y))
    arrays[1] = da.from_array(one, chunks=200)
    alone = DaskLambdaMARTRanker(client=client, **SMALL).fit(features, *arrays)
    local = LambdaMARTRanker(n_jobs=1, **SMALL | {"random_state": None})
    seed = np.random.RandomState(0).randint(2**31 - 1)
    local.set_params(random_state=int(seed)).fit(X, Y, one)
    assert np.array_equal(alone.predict(X), local.predict(X))


def test_weights_and_labels(client, arrays):
    """Weights of lists, and labels below 0 whose gains need the minimum of all parts."""
    y = np.where(QID < 30, Y - 3.5, Y)
    columns = [da.from_array(column, chunks=300) for column in (y, QID)]
    weight = da.from_array(np.where(QID % 2, 1.0, 0.0), chunks=300)
    ranker = DaskLambdaMARTRanker(client=client, metric="spearman", **SMALL)
    ranker.fit(arrays[0], *columns, query_weight=weight)
    assert np.isfinite(ranker.predict(X)).all()
    keep = QID % 2 == 1
    without = DaskLambdaMARTRanker(
        "ranknet", client=client, metric="spearman", **SMALL
    ).fit([RankingData(X[keep], y[keep], QID[keep])])
    assert without.n_features_in_ == 5


def test_warnings_are_those_of_one_machine(client, arrays):
    """About labels that all parts together tell: 31 is in one of them only."""
    y = np.where(np.arange(len(Y)) == 0, 31, Y)
    for labels, message in ((y, "^Labels go up to 31, where"), (0 * Y, "^No list has")):
        ranker = DaskLambdaMARTRanker(client=client, **SMALL)
        with pytest.warns(UserWarning, match=message):
            ranker.fit(arrays[0], da.from_array(labels, chunks=200), arrays[2])


def test_early_stopping(client, arrays):
    """On lists held out, or given; the metric of each tree is that of the predictions."""
    ranker = DaskLambdaMARTRanker(
        client=client,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=3,
        **SMALL | {"n_estimators": 30},
    )
    ranker.fit(*arrays)
    values = ranker.history_["ndcg@10"]
    assert ranker.n_iter_ == np.argmax(values) + 1
    assert ranker.best_score_ == max(values)
    assert len(values) < 30
    assert len(values) % 3 == 0

    given = DaskLambdaMARTRanker(
        client=client, n_iter_no_change=4, trees_per_round=2, **SMALL
    ).fit(*arrays, X_val=arrays[0], y_val=arrays[1], qid_val=arrays[2])
    score = ndcg_score(Y, given.predict(X), qid=QID, k=10)
    assert given.best_score_ == pytest.approx(score, abs=1e-12)


def test_trees_are_added(client, arrays):
    """To those of one machine; with validation, only while the metric improves."""
    local = LambdaMARTRanker(n_jobs=1, **SMALL).fit(X, Y, QID)
    validation = dict(zip(("X_val", "y_val", "qid_val"), arrays, strict=True))
    ranker = DaskLambdaMARTRanker(client=client, n_iter_no_change=3, **SMALL)
    ranker.fit(*arrays, init_model=local, **validation)
    assert 8 <= ranker.n_iter_ <= 16
    before = local.booster_.predict(X)
    assert np.array_equal(ranker.booster_.predict(X, num_iteration=8), before)
    score = ndcg_score(Y, ranker.predict(X), qid=QID, k=10)
    assert ranker.best_score_ == pytest.approx(score, abs=1e-12)
    assert score >= ndcg_score(Y, before, qid=QID, k=10)


def test_err_divides_by_the_largest_label_of_all_workers(client, arrays):
    """One query has a label that no other has."""
    labels = np.where(QID == QID[0], Y + 3, np.minimum(Y, 1))
    ranker = DaskLambdaMARTRanker(client=client, metric="err", **SMALL)
    y_val = da.from_array(labels, chunks=70)
    ranker.fit(*arrays, X_val=arrays[0], y_val=y_val, qid_val=arrays[2])
    scores = ranker.booster_.predict(X)
    assert ranker.best_score_ == pytest.approx(err_score(labels, scores, qid=QID))


def test_saved_without_the_cluster(client, arrays, tmp_path):
    ranker = DaskLambdaMARTRanker(client=client, **SMALL).fit(*arrays)
    with pytest.raises(ValueError, match=r"got Dask\w+\. Pass ranker\.to_local\(\)\."):
        save_ranker(ranker, tmp_path / "trees")
    local = ranker.to_local()
    assert type(local) is LambdaMARTRanker
    save_ranker(local, tmp_path / "trees")
    assert np.array_equal(load_ranker(tmp_path / "trees").predict(X), ranker.predict(X))


def test_metrics_by_pieces(client, arrays):
    scores = np.round(X[:, 0], 1)
    names = ["ndcg@5", "map", "kendall_tau", "gmap"]
    table = evaluate(
        arrays[1], da.from_array(scores, chunks=90), arrays[2], names, client=client
    )
    expected = evaluate_in_memory(Y, scores, QID, names)
    assert table.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)
    assert table.index.tolist() == expected.index.tolist()


def test_weighted_metrics_by_pieces(client, arrays):
    """Weights of queries, 0 among them; ERR divides by the largest label that counts."""
    scores, n_queries = np.round(X[:, 0], 1), len(np.unique(QID))
    codes = np.unique(QID, return_inverse=True)[1]
    weight = (np.arange(n_queries) % 4).astype(float)[codes]
    labels = np.where(codes == 0, 4.0, np.minimum(Y, 2) + (codes == 1))
    rows = {"y_true": labels, "y_score": scores, "qid": QID, "query_weight": weight}
    pieces = {name: da.from_array(value, chunks=70) for name, value in rows.items()}
    names = ["ndcg@5", "err", "gmap"]
    table = evaluate(metrics=names, client=client, **pieces)
    expected = evaluate_in_memory(metrics=names, **rows)
    assert table.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)
    del pieces["query_weight"], rows["query_weight"]
    table = evaluate(metrics="err", client=client, **pieces)
    expected = evaluate_in_memory(metrics="err", **rows)
    assert table.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)
    zeros = da.from_array(np.zeros(len(Y)), chunks=70)
    with pytest.raises(
        ValueError, match=r"^query_weight must have at least one weight"
    ):
        evaluate(client=client, **pieces, query_weight=zeros)


def test_description_by_pieces(client, arrays):
    """Lists that are cut by the chunks, and delayed parts: the numbers of the whole."""
    other = DATA.take(DATA.qid < 3)
    whole = describe_in_memory(X, Y, QID, other=other)
    assert describe(*arrays, other=other, client=client) == whole
    parts = [DATA.take(DATA.qid % 2 == remainder) for remainder in (0, 1)]
    parts = [parts[0], dask.delayed(parts[1])]
    assert describe(parts, client=client) == describe_in_memory(DATA)
    with pytest.raises(ValueError, match=r"^X is required; got None\.$"):
        describe(None, *arrays[1:], client=client)


def test_a_killed_worker(client, arrays):
    """Within seconds, by a message that names it; the cluster goes on."""
    before = client.run(os.getpid)
    ranker = DaskLambdaMARTRanker(client=client, **SMALL | {"n_estimators": 200_000})
    victim = next(iter(before.values()))
    killer = threading.Timer(4.0, os.kill, (victim, signal.SIGKILL))
    killer.start()
    started = time.monotonic()
    with pytest.raises(WorkerLostError, match=r"^Worker '\d' at tcp://\S+ was lost wh"):
        ranker.fit(*arrays)
    assert time.monotonic() - started < 34
    client.wait_for_workers(2, timeout=60)
    survivor = set(before.values()) - {victim}
    client.run(
        os.kill,
        survivor.pop(),
        signal.SIGKILL,
        workers=[address for address, pid in before.items() if pid != victim],
        on_error="ignore",
    )  # it still grows trees, waiting for nobody
    deadline = time.monotonic() + 60
    while set(client.run(os.getpid, on_error="return").values()) & set(before.values()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    client.wait_for_workers(2, timeout=60)
    DaskLambdaMARTRanker(client=client, **SMALL).fit(*arrays)


def test_repr_has_what_was_set():
    """As that of any estimator, without the defaults."""
    ranker = DaskLambdaMARTRanker("ranknet", n_estimators=3, trees_per_round=1)
    text = "DaskLambdaMARTRanker(loss='ranknet', n_estimators=3, trees_per_round=1)"
    assert repr(ranker) == text


def test_workers_in_one_process():
    """LightGBM cannot tell them apart."""
    workers = [Worker(str(i), f"inproc://10.0.0.1/7/{i}", 1) for i in range(2)]
    message = (
        "the workers must be processes of their own, so that LightGBM can connect them; "
        "got 2 in one process. Start them by dask.distributed.Client(processes=True), or "
        "a single one."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        network_of(None, workers)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.integers(1, 4))
def test_balance(sizes, n_shares):
    """Graham's bound against the best of all placements, or a bound of it."""
    sizes = np.array(sizes)
    loads = np.bincount(share_lists(sizes, n_shares), sizes, minlength=n_shares)
    best = max(sizes.max(), -(-sizes.sum() // n_shares))
    if len(sizes) > n_shares:  # two of the n + 1 largest share a worker
        largest = np.sort(sizes)[::-1]
        best = max(best, largest[n_shares - 1] + largest[n_shares])
    assert loads.sum() == sizes.sum()
    assert loads.max() <= 4 / 3 * best + 1e-9


def messages(client):
    a, b, c = (da.from_array(v, chunks=100) for v in (X, Y, QID))
    ranker = DaskLambdaMARTRanker(client=client, **SMALL)
    return {
        "arrays in memory": (
            lambda: ranker.fit(a, Y, c),
            TypeError,
            "y must be a Dask array, or X a sequence of RankingData; got ndarray. Make "
            "one by dask.array.from_array, or use LambdaMARTRanker for data in memory.",
        ),
        "X in memory": (
            lambda: ranker.fit(X, b, c),
            TypeError,
            "X must be a Dask array, or X a sequence of RankingData; got ndarray. Make "
            "one by dask.array.from_array, or use LambdaMARTRanker for data in memory.",
        ),
        "no qid": (
            lambda: ranker.fit(a, b),
            ValueError,
            "qid is required with Dask arrays; got None.",
        ),
        "other lengths": (
            lambda: ranker.fit(a, b[:-1], c),
            ValueError,
            f"y and X must have the same number of rows; got {len(Y) - 1} and {len(Y)}.",
        ),
        "labels twice": (
            lambda: ranker.fit([DATA], b),
            ValueError,
            "y must be None if X is a sequence of RankingData, which have labels and "
            "queries of their own.",
        ),
        "NaN in a label": (
            lambda: ranker.fit(a, da.where(b == 0, np.nan, b), c),
            ValueError,
            f"y must be finite; got NaN or infinity at row {np.flatnonzero(Y == 0)[0]}. "
            "Drop such rows, or give them a label.",
        ),
        "validation rows in memory": (
            lambda: ranker.fit(a, b, c, X_val=X, y_val=b, qid_val=c),
            TypeError,
            "In the validation set: X must be a Dask array, or X a sequence of "
            "RankingData; got ndarray. Make one by dask.array.from_array, or use "
            "LambdaMARTRanker for data in memory.",
        ),
        "narrow validation rows": (
            lambda: ranker.fit(a, b, c, X_val=a[:, :3], y_val=b, qid_val=c),
            ValueError,
            "In the validation set: X must have as many columns as the training rows, "
            f"{X.shape[1]}; got 3.",
        ),
        "nothing relevant to validate with": (
            lambda: ranker.fit(a, b, c, X_val=a, y_val=0 * b, qid_val=c),
            ValueError,
            "In the validation set: metric='ndcg@10' must be defined on at least one "
            "validation query; got "
            f"{len(np.unique(QID))} queries, none with a relevant item. Choose other "
            "queries.",
        ),
        "negative labels to validate with": (
            lambda: ranker.fit(a, b, c, X_val=a, y_val=-1 - 0 * b, qid_val=c),
            ValueError,
            "In the validation set: labels must be >= 0 for gain='exp2'; got -1. Shift "
            "them, pass gain as a function, or use a metric that takes any label: "
            "kendall_tau_score, spearman_score or pairwise_accuracy_score.",
        ),
        "pieces of two widths": (
            lambda: ranker.fit(
                [DATA, replace(DATA, X=DATA.X[:, :3], feature_names=None)]
            ),
            ValueError,
            "X must have the same number of columns in all pieces; got pieces of 3, "
            f"{X.shape[1]}.",
        ),
        "another client": (
            lambda: clone(ranker).set_params(client=3).fit(a, b, c),
            TypeError,
            "client must be a distributed.Client; got int. Make one: client = "
            "distributed.Client(address).",
        ),
        "labels to predict for": (
            lambda: ranker.predict(b),
            ValueError,
            f"X must have 2 axes; got shape {b.shape}.",
        ),
        "a stream": (
            lambda: ranker.fit_stream(DATA),
            TypeError,
            "fit_stream reads on one machine. Pass fit Dask arrays or a sequence of "
            "RankingData, or use LambdaMARTRanker.fit_stream.",
        ),
        "warm start": (
            lambda: clone(ranker).set_params(warm_start=True).fit(a, b, c),
            ValueError,
            "warm_start goes on in memory only. Fit all n_estimators at once, or go on "
            "with to_local().",
        ),
        "callbacks": (
            lambda: clone(ranker).set_params(refit=True).fit(a, b, c),
            ValueError,
            "refit is for one machine; got refit=True on a cluster. Leave it out, or use "
            "LambdaMARTRanker.",
        ),
        "positions": (
            lambda: ranker.fit(a, b, c, position=b),
            ValueError,
            "loss='lambdarank' takes no position on a cluster. Leave it out, or use a "
            "loss in JAX that takes it, such as 'irpo'.",
        ),
        "no labels to validate with": (
            lambda: ranker.fit(a, b, c, X_val=a),
            ValueError,
            "In the validation set: y is required with Dask arrays; got None.",
        ),
        "nothing to stop": (
            lambda: (
                clone(ranker)
                .set_params(early_stopping=False)
                .fit(a, b, c, X_val=a, y_val=b, qid_val=c)
            ),
            ValueError,
            "X_val decides when trees on a cluster stop; got early_stopping=False. "
            "Leave it out, or set early_stopping='auto'.",
        ),
        "dart that stops": (
            lambda: (
                clone(ranker)
                .set_params(extra_params={"boosting": "dart"}, early_stopping=True)
                .fit(a, b, c)
            ),
            ValueError,
            "boosting='dart' changes or averages earlier trees, so it cannot stop early "
            "in rounds. Leave out X_val and early_stopping.",
        ),
        "one query to hold out": (
            lambda: (
                clone(ranker)
                .set_params(early_stopping=True)
                .fit(a, b, da.zeros_like(c))
            ),
            ValueError,
            "validation_fraction=0.1 of 1 queries are 0, which leaves nothing to train "
            "on or to stop on. Change it, or pass X_val.",
        ),
    }


def test_messages(client):
    for name, (call, kind, message) in messages(client).items():
        with pytest.raises(kind, match=f"^{re.escape(message)}") as error:
            call()
        if "worker" not in name:
            assert str(error.value) == message
