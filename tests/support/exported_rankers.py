"""Rankers to export, and rows to compare their scores on."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from ltr import (
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
)
from ltr.datasets import make_ranking
from ltr.export import (
    export_onnx,
)
from ltr.rankers.neural.scaling import fit_scaling
from ltr.rankers.neural.training import LearnedState

DATA = make_ranking(
    24, list_size=(4, 20), n_features=6, n_informative=4, random_state=0
)
NAMES = [f"f{i}" for i in range(6)]
N_ROWS = 1000
TREES = {"n_estimators": 8, "num_leaves": 8, "min_child_samples": 3, "n_jobs": 1}
SETTINGS = settings(max_examples=5)
seeds = st.integers(0, 2**32 - 1)


def features(kind):
    """Training features: an ulp apart, heavy-tailed, with zeros, NaN or categories."""
    rng = np.random.default_rng(1)
    X = DATA.X.astype(np.float32)
    X[:, 0] = 1 + np.round(8 * X[:, 0]) * np.finfo(np.float32).eps
    X[:, 1] = np.exp(3 * X[:, 1])
    X[rng.random(X.shape) < 0.2] = 0.0
    if kind in ("nan", "zero", "rf"):
        X[rng.random(X.shape) < 0.2] = np.nan
    if kind == "categories":
        X[:, 4:] = rng.integers(0, 40, (len(X), 2))
        X[::9, 4] = np.nan
    return X


def rows(X, seed):
    """Drawn rows: training values, their neighbors, zeros, tiny values and NaN."""
    rng = np.random.default_rng(seed)
    drawn = np.array([rng.choice(column, N_ROWS) for column in X.T]).T
    for direction in (-np.inf, np.inf):
        moved = rng.random(drawn.shape) < 0.2
        drawn = np.where(moved, np.nextafter(drawn, np.float32(direction)), drawn)
    noise = rng.normal(size=drawn.shape).astype(np.float32)
    return np.where(rng.random(drawn.shape) < 0.3, noise, drawn)


def rows_of(kind, seed, *, with_nan=True, with_tiny=True):
    X = features(kind)
    drawn = rows(X, seed)
    rng = np.random.default_rng(seed)
    if kind == "categories":
        drawn[:, 4:] = rng.integers(0, 60, (N_ROWS, 2))  # some that fit did not see
    if not with_tiny:
        drawn[np.abs(drawn) < 1e-30] = 0.0  # Solr tells no number of less from 0
    if with_nan:
        drawn[rng.random(drawn.shape) < 0.1] = np.nan
    else:
        drawn = np.nan_to_num(drawn)
    return drawn


@pytest.fixture(scope="module")
def trees():
    """Fitted trees by kind."""
    options = {
        "numbers": {},
        "nan": {},
        "zero": {"extra_params": {"zero_as_missing": True}},
        "rf": {"extra_params": {"boosting": "rf"}, "subsample": 0.5},
        "categories": {
            "categorical_features": [4, 5],
            "extra_params": {"min_data_per_group": 2, "cat_smooth": 1.0},
        },
    }
    fitted = {}
    for kind, more in options.items():
        ranker = LambdaMARTRanker(**TREES, **more, random_state=0)
        labels = DATA.y
        if kind == "categories":
            labels = DATA.y + (np.nan_to_num(features(kind)[:, 4]) % 3 == 0)
        fitted[kind] = ranker.fit(features(kind), labels, DATA.qid)
    return fitted


def onnx_scores(ranker, X, path, **options):
    runtime = pytest.importorskip("onnxruntime")
    export_onnx(ranker, path, **options)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["scores"], {"X": X})[0]


def as_fitted(ranker, X):
    """A neural ranker with drawn weights, as after a fit: nothing is compiled."""
    rng, scorer = np.random.default_rng(0), ranker.make_scorer()

    def draw(form):
        if hasattr(form, "_fields"):
            return type(form)(*map(draw, form))
        if isinstance(form, dict):
            return {name: draw(part) for name, part in form.items()}
        if isinstance(form, (tuple, list)):
            return tuple(map(draw, form))
        return rng.normal(size=form.shape).astype(np.float32) / form.shape[0] ** 0.5

    preprocess = ranker.preprocess
    if scorer.wants_raw_features and preprocess == "auto":
        preprocess = None
    ranker.n_features_in_, ranker._column_names = X.shape[1], None
    ranker._fitted_with_qid = True
    scaling = fit_scaling(X, None, preprocess)
    params = draw(scorer.outline(X.shape[1]))
    ranker._learned_state = LearnedState(scorer, params, scaling)
    return ranker


def fitted(ranker, X):
    """Neural rankers get drawn weights, others are fitted."""
    if isinstance(ranker, NeuralRanker):
        return as_fitted(ranker, X)
    return ranker.fit(X, DATA.y, DATA.qid)


NEURAL = {"hidden_layer_sizes": (8, 4)}


MEMBERS = [
    ("trees", LambdaMARTRanker(**TREES, random_state=0)),
    ("linear", LinearRanker()),
    ("constant", RandomRanker()),
]
