"""Sparse features in neural rankers: as dense ones, without the array."""

import re
import warnings

import jax
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from ltr import NeuralRanker, TSPRanker, load_ranker, save_ranker, serving
from ltr.datasets import RankingData
from ltr.lists import pack
from ltr.queries import group_queries
from ltr.rankers.neural.scaling import fit_scaling
from ltr.rankers.sparse_features import check_X
from ltr.scorers import LinearScorer
from ltr.training.sparse_rows import SparseRows, capacities_of

RNG = np.random.default_rng(0)
N_LISTS, N_FEATURES = 30, 40
QID = np.repeat(np.arange(N_LISTS), 6)
_array = sp.random(len(QID), N_FEATURES, 0.1, random_state=0).toarray()
_array[7] = 0.0  # an item without any value
X = sp.csr_matrix(_array)
Y = np.clip(np.round(X @ RNG.normal(size=N_FEATURES) * 2 + 1), 0, 4)


def small(scorer="linear", **parameters):
    parameters = {
        "max_epochs": 2,
        "learning_rate": 0.01,
        "hidden_layer_sizes": (4,),
        "batch_size": 8,
        "dtype": "float64",
        "random_state": 0,
    } | parameters
    return NeuralRanker("listnet", scorer, **parameters)


def fitted(X=X, scorer="linear", y=Y, qid=QID, method="fit", **parameters):
    inputs = {
        k: parameters.pop(k) for k in ("X_val", "y_val", "qid_val") if k in parameters
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return getattr(small(scorer, **parameters), method)(X, y, qid, **inputs)


@pytest.fixture(scope="module")
def linear():
    return fitted(preprocess="standard")


# The step


product = jax.jit(lambda table, rows, weight: table[rows].reshape(-1, 3) @ weight)


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.2, 0.6, 1.0]))
def test_a_mini_batch_times_weights_is_that_of_dense_rows(seed, density):
    """X[rows] · W beside the array, for rows in any order, some of them padding."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(6, 3)) * (rng.random((6, 3)) < density)
    table = sp.csr_matrix(dense)
    values = np.zeros(18)
    values[: table.nnz] = table.data
    columns = np.zeros(18, dtype=np.int32)
    columns[: table.nnz] = table.indices
    on_device = SparseRows(
        starts=np.append(table.indptr, 0),
        counts=np.append(np.diff(table.indptr), [0, 0]),
        columns=columns,
        values=values,
        n_columns=3,
        capacities=((2, 12),),
    )
    rows, weight = rng.integers(0, 8, (2, 2)), rng.normal(size=(3, 2))
    padded = np.vstack([dense, np.zeros((2, 3))])
    actual = product(on_device, rows, weight)
    np.testing.assert_allclose(actual, padded[rows.ravel()] @ weight, atol=1e-5)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=9), st.integers(1, 4))
@pytest.mark.parametrize("reusable", [False, True])
def test_every_mini_batch_has_room_for_its_values(reusable, sizes, batch_size):
    rng = np.random.default_rng(len(sizes))
    table = sp.csr_matrix(rng.random((sum(sizes), 4)) < 0.5, dtype=float)
    queries = group_queries(np.repeat(np.arange(len(sizes)), sizes), sum(sizes))
    packed = pack(queries, batch_size=batch_size, reusable_shapes=reusable)
    capacities = dict(capacities_of(table, packed, is_reusable=reusable))
    counts = np.append(np.diff(table.indptr), 0)
    for rows in packed.epoch(rng):
        assert 0 < capacities[rows.shape[1]] >= counts[rows].sum()


@pytest.mark.parametrize("scorer", ["linear", "mlp", "wide_deep"])
def test_a_fit_is_that_of_the_same_matrix_as_array(scorer):
    """Every scorer that takes sparse X, with early stopping: the same to 1e-5."""
    Z = StandardScaler(with_mean=False).fit(X).transform(X)
    options = {"scorer": scorer, "preprocess": None, "early_stopping": True}
    sparse, dense = fitted(sp.csr_matrix(Z), **options), fitted(Z.toarray(), **options)
    np.testing.assert_allclose(sparse.history_["loss"], dense.history_["loss"])
    assert sparse.best_score_ == dense.best_score_
    expected = dense.predict(Z.toarray())
    np.testing.assert_allclose(sparse.predict(Z), expected, atol=1e-5)
    np.testing.assert_allclose(dense.predict(Z), expected, atol=1e-12)


def test_half_precision_rounds_no_sparse_product():
    half, single = (fitted(dtype=dtype) for dtype in ("bfloat16", "float32"))
    np.testing.assert_array_equal(half.coef_, single.coef_)


def test_every_format_is_the_same_matrix(linear):
    """Formats, and a CSR matrix whose duplicates and order are not canonical."""
    expected = linear.predict(X)
    for kind in (sp.csc_matrix, sp.coo_array, sp.csr_array, sp.lil_matrix):
        np.testing.assert_array_equal(linear.predict(kind(X)), expected)
    order = np.concatenate(
        [np.arange(a, b)[::-1] for a, b in zip(X.indptr, X.indptr[1:], strict=False)]
    )
    halves = np.repeat(X.data[order] / 2, 2)
    twice = sp.csr_matrix((halves, np.repeat(X.indices[order], 2), 2 * X.indptr))
    np.testing.assert_allclose(linear.predict(twice), expected, atol=1e-15)
    assert twice.nnz == 2 * X.nnz  # the user's matrix is as it was
    again = fitted(sp.coo_matrix(X), preprocess="standard")
    np.testing.assert_array_equal(again.coef_, linear.coef_)


# Scaling


@pytest.mark.parametrize("with_weights", [False, True])
def test_scales_of_sparse_features(with_weights):
    """Those of "standard" are as scikit-learn's, the others by non-zero values."""
    table = X.tolil()
    table[:40, 3], table[4, 3] = 0.1, 9.0  # a heavy tail
    table = table.tocsr()
    weights = np.arange(len(QID)) % 3.0 if with_weights else None
    rows = slice(None) if weights is None else weights > 0
    kept = None if weights is None else weights[rows]
    scaler = StandardScaler(with_mean=False).fit(table[rows], sample_weight=kept)
    standard = fit_scaling(table, weights, "standard")
    np.testing.assert_allclose(standard.scale, scaler.scale_)
    assert not standard.mean.any()
    assert not standard.log_features.any()
    for preprocess in ("log1p", "auto"):
        scaling = fit_scaling(table, weights, preprocess)
        for column in range(N_FEATURES):
            values = table[rows][:, [column]].toarray().ravel()
            heavy = np.sqrt(
                np.average(
                    values[values != 0] ** 2,
                    weights=None if kept is None else kept[values != 0],
                )
            )
            is_log = preprocess == "log1p" or np.abs(values).max() > 5 * heavy
            assert scaling.log_features[column] == is_log
            values = np.log1p(values) if is_log else values
            share = None if kept is None else kept[values != 0]
            expected = np.sqrt(np.average(values[values != 0] ** 2, weights=share))
            np.testing.assert_allclose(scaling.scale[column], expected)
        Z = scaling.transform(table)
        assert (Z != 0).sum() == table.nnz
        np.testing.assert_allclose(Z.toarray(), scaling.transform(table.toarray()))
    assert fit_scaling(table, weights, "auto").log_features[3]


def test_scales_of_extreme_and_empty_columns():
    """Squares that overflow, and a column without values."""
    table = sp.csr_matrix(np.array([[1e200, 0.0, 1e-3], [3e200, 0.0, 0.0]]))
    for preprocess in ("auto", "standard", "log1p"):
        scaling = fit_scaling(table, None, preprocess)
        assert np.isfinite(scaling.scale).all()
        assert scaling.scale[1] == 1.0
    np.testing.assert_allclose(fit_scaling(table, None, "standard").scale[0], 1e200)


# What a fit consists of


def test_validation_features_may_be_of_the_other_kind():
    """Sparse and dense X_val give the same; so does refit, which joins them."""
    inputs = {"y_val": Y[:60], "qid_val": QID[:60], "refit": True, "max_epochs": 2}
    fits = [
        fitted(X, X_val=X_val, preprocess=None, **inputs)
        for X_val in (X[:60], X[:60].toarray())
    ]
    fits.append(fitted(X.toarray(), X_val=X[:60], preprocess=None, **inputs))
    assert len({ranker.best_score_ for ranker in fits}) == 1
    for ranker in fits[1:]:
        np.testing.assert_allclose(ranker.coef_, fits[0].coef_, atol=1e-10)


def test_warm_start_goes_on_without_means(linear):
    ranker = fitted(warm_start=True)
    ranker.set_params(max_epochs=1).fit(X, Y, QID)
    assert len(ranker.history_["loss"]) == 3
    ranker.fit(X.toarray(), Y, QID)  # its scaling has no means to subtract
    dense = fitted(X.toarray(), warm_start=True)
    message = (
        "X must be dense to go on from a fit on dense features, whose scaling subtracts "
        "their means; got a sparse matrix. Pass X.toarray(), or fit with "
        "warm_start=False."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        dense.fit(X, Y, QID)


def test_partial_fit_and_streams_take_sparse_pieces():
    """A stream of sparse pieces is that of dense ones."""
    half = len(QID) // 2
    ranker = small(preprocess=None)
    dense = small(preprocess=None)
    for rows in (slice(0, half), slice(half, None)):
        ranker.partial_fit(X[rows], Y[rows], QID[rows])
        dense.partial_fit(X[rows].toarray(), Y[rows], QID[rows])
    np.testing.assert_allclose(ranker.coef_, dense.coef_, atol=1e-10)
    pieces = [
        RankingData(X[r], Y[r], QID[r]) for r in (slice(0, half), slice(half, None))
    ]
    arrays = [RankingData(p.X.toarray(), p.y, p.qid) for p in pieces]
    streams = [stream(source) for source in (pieces, arrays)]
    np.testing.assert_allclose(streams[0].coef_, streams[1].coef_, atol=1e-10)
    message = (
        "source must have features of one kind in all pieces; got sparse matrices and "
        "arrays. Convert the arrays by scipy.sparse.csr_matrix."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        stream([pieces[0], arrays[1]])


def stream(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return small(preprocess=None, max_epochs=2).fit_stream(source)


def test_a_checkpoint_knows_the_matrix(tmp_path):
    """Other values, or the same at other places, are other data."""

    class Stop(Exception):
        pass

    def stop(state):
        raise Stop

    options = {"checkpoint_dir": tmp_path, "checkpoint_every_s": 0.0}
    with pytest.raises(Stop):
        fitted(callbacks=[stop], **options)
    for table in (X * 2, X[:, ::-1]):
        with pytest.raises(ValueError, match="data"):
            fitted(table, **options)
    np.testing.assert_array_equal(fitted(**options).coef_, fitted().coef_)


def test_saved_and_served(linear, tmp_path):
    save_ranker(linear, tmp_path / "model")
    expected = linear.predict(X)
    np.testing.assert_array_equal(load_ranker(tmp_path / "model").predict(X), expected)
    served = serving.load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(served.predict(sp.coo_matrix(X)), expected)
    np.testing.assert_allclose(served.predict(X.toarray()), expected, atol=1e-12)


# Memory


def test_no_array_of_the_matrix_is_made(monkeypatch):
    """10^8 entries, of which 500 are not 0."""
    for kind in (sp.csr_matrix, sp.csr_array):
        monkeypatch.setattr(kind, "toarray", _no_array)
    n_features = 10**6
    columns = RNG.integers(0, n_features, 5 * 100)
    wide = sp.csr_matrix(
        (np.ones(500), columns, np.arange(0, 501, 5)), (100, n_features)
    )
    y, qid = np.tile([0, 1], 50), np.repeat(np.arange(10), 10)
    ranker = fitted(wide, y=y, qid=qid, max_epochs=1, dtype="float32")
    assert ranker.predict(wide).shape == (100,)


def _no_array(self, *args, **kwargs):
    raise AssertionError(f"an array of shape {self.shape}")


# Messages


def test_what_needs_an_array_says_what_to_do(linear):
    cases = [
        (
            lambda: fitted(scorer="attention"),
            "X must be dense for AttentionScorer; got a sparse matrix. Use "
            "LambdaMARTRanker, or NeuralRanker with scorer='linear', 'mlp' or "
            "'wide_deep', reduce its columns, for example by "
            "sklearn.decomposition.TruncatedSVD, or pass X.toarray().",
        ),
        (
            lambda: fitted(preprocess="query"),
            "X must be dense for preprocess='query', which subtracts the mean of the "
            "list; got a sparse matrix. Set preprocess='auto', which subtracts nothing "
            "from sparse features, or pass X.toarray().",
        ),
    ]
    for call, message in cases:
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            call()
    with pytest.raises(TypeError, match="dense"):
        TSPRanker().fit(X, Y, QID)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            np.nan,
            "X must be finite; got NaN at row 9, column 2 of a sparse matrix. Replace "
            "it, or use LambdaMARTRanker, which takes NaN.",
        ),
        (
            -np.inf,
            "X must be finite; got inf at row 9, column 2 of a sparse matrix. Replace "
            "it.",
        ),
    ],
)
def test_values_that_are_not_finite(linear, value, message):
    bad = X.tolil()
    bad[9, 2] = value
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        linear.predict(bad)


def test_the_tag_says_what_a_scorer_takes():
    for scorer, expected in {"linear": True, "attention": False}.items():
        tags = NeuralRanker(scorer=scorer).__sklearn_tags__()
        assert tags.input_tags.sparse is expected
    assert (
        check_X(
            fitted(), X, reset=False, scorer=LinearScorer(), within_lists=False
        ).format
        == "csr"
    )
