"""Small blocks are predicted on one thread, of BLAS and of LightGBM."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl

from ltr import LambdaMARTRanker
from ltr.queries import group_queries
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.threads import blas_threads_for


def blas_threads():
    """Threads that the BLAS of NumPy would use now."""
    libraries = threadpoolctl.threadpool_info()
    return {x["num_threads"] for x in libraries if "numpy" in x["filepath"]}


@pytest.fixture(autouse=True)
def two_threads():
    """A number of threads that is not 1, whatever the machine."""
    limiter = threadpoolctl.threadpool_limits(2, "blas")  # a `with` would own it
    try:
        if blas_threads() != {2}:
            pytest.skip("this BLAS has one thread")
        yield
    finally:
        limiter.restore_original_limits()


def test_small_products_on_one_thread():
    """Large ones keep their threads; an error restores them."""
    with blas_threads_for(1e6):
        assert blas_threads() == {1}
    with blas_threads_for(1e9):
        assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError), blas_threads_for(1e6):
        raise ZeroDivisionError
    assert blas_threads() == {2}


def test_overlapping_callers():
    """The last of two restores the number of threads, whichever came first."""
    entered, leave = threading.Event(), threading.Event()

    def other():
        with blas_threads_for(1.0):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with blas_threads_for(1.0):
        thread.start()
        assert entered.wait(10)
        assert blas_threads() == {1}
    assert blas_threads() == {1}
    leave.set()
    thread.join()
    assert blas_threads() == {2}


def test_scorers_predict_small_blocks_on_one_thread():
    """In scores and in pairs; the work counts rows, parameters and lists."""
    seen = []

    def apply(params, X):
        seen.append(blas_threads())
        return (
            SimpleNamespace(matrix=np.zeros((*X.shape[:2], X.shape[1])))
            if X.ndim == 3
            else X[:, 0]
        )

    scorer = SimpleNamespace(apply=apply, uses_list=False)
    small = FittedScorer(scorer, [np.zeros((3, 8))], None)
    X, queries = np.zeros((10, 3)), group_queries(np.arange(10) // 5, 10)
    small.scores(X, queries)
    list(small.pairs(X, queries))
    large = FittedScorer(scorer, [np.zeros((3, 2**23))], None)
    large.scores(X, queries)
    assert seen[:2] == [{1}, {1}]
    assert seen[2:]
    assert all(threads == {2} for threads in seen[2:])


def test_trees_predict_small_blocks_on_one_thread(monkeypatch):
    """Whatever n_jobs says; large blocks get n_jobs threads."""
    X = np.arange(200.0)[:, None]
    ranker = LambdaMARTRanker(n_estimators=2, n_jobs=1)
    ranker.fit(X, np.arange(200) % 5, np.arange(200) // 10).set_params(n_jobs=2)
    threads = []
    predict = ranker.booster_.predict

    def record(table, **options):
        threads.append(options["num_threads"])
        return predict(table, **options)

    monkeypatch.setattr(ranker.booster_, "predict", record)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    ranker.predict(X)
    ranker.predict_contrib(X)
    ranker.predict(np.zeros((60_000, 1)))
    ranker.predict_contrib(np.zeros((2000, 1)))
    assert threads == [1, 1, 2, 2]
