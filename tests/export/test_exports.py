"""Files of other software: the same scores in their own runtimes, or a reason."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.exported_rankers import (
    DATA,
    MEMBERS,
    N_ROWS,
    NAMES,
    NEURAL,
    SETTINGS,
    as_fitted,
    features,
    fitted,
    onnx_scores,
    rows,
    rows_of,
    seeds,
)
from support.search_engines import (
    plugin_trees,
    ranklib_linear,
    ranklib_trees,
    solr_trees,
    weights_by_name,
)

from ltr import (
    AutoRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
    VotingRanker,
)
from ltr.export import (
    export_lightgbm,
    export_linear_json,
    export_onnx,
    export_ranklib,
    export_solr,
    export_xgboost_json,
)
from ltr.export.ensemble import above32, floor32


@given(st.floats(allow_nan=False), st.integers(-3, 3))
@example(1e-35, 0)
@example(0.1, 0)
@example(1.7976931348623157e308, 0)
def test_thresholds_in_single_precision(threshold, steps):
    """x ≤ t and x ≤ floor32(t) and x < above32(t) agree for every float32 x near t."""
    bounds = np.float32(-np.finfo(np.float32).max), np.float32(np.finfo(np.float32).max)
    with np.errstate(over="ignore"):
        x = np.clip(np.float32(threshold), *bounds)
        for _ in range(abs(steps)):
            x = np.clip(np.nextafter(x, np.float32(np.sign(steps) * np.inf)), *bounds)
    goes_left = float(x) <= threshold
    at = np.array([threshold])
    if abs(x) < bounds[1]:  # ±3.4e38 itself is the exception that is declared
        assert (x <= floor32(at)[0]) == goes_left
        assert (x < above32(at)[0]) == goes_left


@pytest.mark.parametrize("kind", ["numbers", "nan", "zero", "rf", "categories"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_onnx_trees(trees, kind, dtype, tmp_path):
    """Every row to the leaf that LightGBM sends it to."""

    @SETTINGS
    @given(seeds)
    def law(seed):
        X = rows_of(kind, seed).astype(dtype)
        scores = onnx_scores(trees[kind], X, tmp_path / "m.onnx", dtype=dtype)
        assert scores.dtype == dtype
        assert scores.shape == (N_ROWS,)
        np.testing.assert_allclose(scores, trees[kind].predict(X), rtol=0, atol=1e-5)

    law()


@pytest.mark.parametrize("kind", ["numbers", "nan", "rf"])
def test_plugin_trees(trees, kind, tmp_path):
    """The JSON of the plugins, by a slow reader in single precision."""
    path = tmp_path / "model.json"
    export_xgboost_json(trees[kind], path)

    @SETTINGS
    @given(seeds)
    def law(seed):
        X = rows_of(kind, seed)[:200]
        scores = plugin_trees(path.read_text(), X, NAMES)
        np.testing.assert_allclose(scores, trees[kind].predict(X), rtol=0, atol=1e-5)

    law()


@pytest.mark.parametrize("kind", ["numbers", "nan", "rf", "categories"])
def test_xgboost_model(trees, kind, tmp_path):
    """XGBoost loads the file, categories and missing values included."""
    xgboost = pytest.importorskip("xgboost")
    path = tmp_path / "model.json"
    export_xgboost_json(trees[kind], path, form="model")
    booster = xgboost.Booster(model_file=path)
    kinds = booster.feature_types
    assert kinds.count("c") == 2 * (kind == "categories")

    @SETTINGS
    @given(seeds)
    def law(seed):
        X = rows_of(kind, seed)
        table = xgboost.DMatrix(
            X, feature_names=NAMES, feature_types=kinds, enable_categorical=True
        )
        scores = booster.predict(table)
        np.testing.assert_allclose(scores, trees[kind].predict(X), rtol=0, atol=1e-5)

    law()


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_xgboost_model_of_deep_trees(kind, tmp_path):
    """Below its first six levels, XGBoost looks for the right child after the left."""
    xgboost = pytest.importorskip("xgboost")
    options = {} if kind == "numbers" else {"categorical_features": [4, 5]}
    ranker = LambdaMARTRanker(
        n_estimators=3, num_leaves=60, min_child_samples=1, n_jobs=1, **options
    ).fit(features(kind), DATA.y, DATA.qid)
    export_xgboost_json(ranker, tmp_path / "model.json", form="model")
    booster = xgboost.Booster(model_file=tmp_path / "model.json")
    X = rows_of(kind, 0)
    table = xgboost.DMatrix(
        X,
        feature_names=NAMES,
        feature_types=booster.feature_types,
        enable_categorical=True,
    )
    scores = booster.predict(table)
    np.testing.assert_allclose(scores, ranker.predict(X), rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", ["ranklib", "solr"])
def test_engines_without_missing_values(trees, engine, tmp_path):
    """RankLib and Solr, by slow readers; a row without NaN goes as in LightGBM."""
    path = tmp_path / "model"

    @SETTINGS
    @given(seeds)
    def law(seed):
        X = rows_of("numbers", seed, with_tiny=False)[:200]
        if engine == "ranklib":
            export_ranklib(trees["numbers"], path)
            scores = ranklib_trees(path.read_text(), X)
        else:
            export_solr(trees["numbers"], path)
            scores = solr_trees(path.read_text(), X)
        expected = trees["numbers"].predict(X)  # to which NaN is 0, as in training
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)

    law()


def test_missing_counts_as_zero(trees, tmp_path):
    """``missing="zero"``: absent features score as 0; otherwise it is refused."""
    path, X = tmp_path / "model", rows_of("nan", 0, with_tiny=False)[:200]
    expected = trees["nan"].predict(np.nan_to_num(X))
    export_ranklib(trees["nan"], path, missing="zero")
    np.testing.assert_allclose(ranklib_trees(path.read_text(), X), expected, atol=1e-5)
    export_solr(trees["nan"], path, missing="zero")
    np.testing.assert_allclose(solr_trees(path.read_text(), X), expected, atol=1e-5)
    with pytest.raises(ValueError, match="treat missing values as 0, as the format"):
        export_ranklib(trees["nan"], path)


def test_lightgbm(trees, tmp_path):
    """Its own format, to the last bit."""
    import lightgbm

    for kind, ranker in trees.items():
        export_lightgbm(ranker, tmp_path / "trees.txt")
        booster = lightgbm.Booster(model_file=tmp_path / "trees.txt")
        X = rows_of(kind, 0)
        np.testing.assert_array_equal(booster.predict(X), ranker.predict(X))


LINEAR = {
    "linear": LinearRanker(preprocess="standard"),
    "raw": LinearRanker(preprocess=None),
    "neural": NeuralRanker(scorer="linear", preprocess="standard"),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_formats(name, tmp_path):
    """RankLib has a constant; the others are off by one number for all items."""
    X, path = features("numbers"), tmp_path / "model"
    ranker = fitted(LINEAR[name], X)
    drawn = rows_of("numbers", 0, with_nan=False)
    expected = ranker.predict(drawn)
    scale = np.abs(expected).max()
    export_ranklib(ranker, path)
    scores = ranklib_linear(path.read_text(), drawn)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9 * scale)
    export_linear_json(ranker, path)
    scores = weights_by_name(json.loads(path.read_text()), drawn, NAMES)
    assert np.ptp(scores - expected) < 1e-5 * scale
    export_solr(ranker, path, name="mine", store="here")
    model = json.loads(path.read_text())
    assert (model["name"], model["store"]) == ("mine", "here")
    scores = weights_by_name(model["params"]["weights"], drawn, NAMES)
    assert np.ptp(scores - expected) < 1e-5 * scale


ROW_RANKERS = {
    "linear": LinearRanker(preprocess="log1p"),
    "neural linear": NeuralRanker(scorer="linear", **NEURAL),
    "mlp": NeuralRanker(scorer="mlp", **NEURAL),
    "wide and deep": NeuralRanker(scorer="wide_deep", **NEURAL),
    "cosine": NeuralRanker(scorer="two_tower", n_query_features=3, **NEURAL),
    "dot": NeuralRanker(
        scorer="two_tower", n_query_features=3, similarity="dot", **NEURAL
    ),
    "bilinear": NeuralRanker(
        scorer="two_tower", n_query_features=3, similarity="bilinear", **NEURAL
    ),
    "unequal": NeuralRanker(scorer="two_tower", n_query_features=2, **NEURAL),
    "unequal bilinear": NeuralRanker(
        scorer="two_tower", n_query_features=4, similarity="bilinear", **NEURAL
    ),
    "adapter": NeuralRanker(scorer="adapter", n_query_features=3, **NEURAL),
    "one feature": SingleFeatureRanker(),
    "constant": RandomRanker(),
}
LIST_RANKERS = {
    "linear": LinearRanker(preprocess="query"),
    "mlp": NeuralRanker(scorer="mlp", preprocess="query", **NEURAL),
    "voting": VotingRanker(MEMBERS, weights=[1, 2, 3]),
    "range": VotingRanker(MEMBERS, normalize="minmax"),
    "stacking": StackingRanker(MEMBERS, cv=2),
    "auto": AutoRanker(members=("linear", "lambdamart"), random_state=0),
}


@pytest.mark.parametrize("name", ROW_RANKERS)
def test_onnx_of_rows(name, tmp_path):
    """Preprocessing and layers, any number of rows, in both precisions."""
    X = DATA.X.astype(np.float32)
    X[:, 1] = np.exp(3 * X[:, 1])
    ranker = fitted(ROW_RANKERS[name], X)
    drawn = rows(X, 0)
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-9)):
        scores = onnx_scores(
            ranker, drawn.astype(dtype), tmp_path / "m.onnx", dtype=dtype
        )
        expected = ranker.predict(drawn)
        scale = 1 + np.abs(expected)
        assert np.max(np.abs(scores - expected) / scale) < tolerance


@pytest.mark.parametrize("name", LIST_RANKERS)
def test_onnx_of_lists(name, tmp_path):
    """What compares the items of a list takes one list, and says so."""
    pytest.importorskip("onnxruntime")
    X = features("numbers")
    ranker = fitted(LIST_RANKERS[name], X)
    with pytest.raises(ValueError, match="Pass one_list=True, and run the model on"):
        export_onnx(ranker, tmp_path / "m.onnx")
    path = tmp_path / "m.onnx"
    for query in np.unique(DATA.qid)[:4]:
        of_list = X[query == DATA.qid]
        scores = onnx_scores(ranker, of_list, path, one_list=True)
        np.testing.assert_allclose(scores, ranker.predict(of_list), rtol=0, atol=1e-5)
    onnx = pytest.importorskip("onnx")
    notes = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert notes["rows"] == "the items of one list"


def test_missing_values_of_a_linear_ranker(tmp_path):
    """NaN counts as the mean of all rows, or of the list."""
    X = features("nan")
    for preprocess, of_list in (("standard", slice(None)), ("query", DATA.qid == 3)):
        ranker = LinearRanker(preprocess=preprocess).fit(X, DATA.y, DATA.qid)
        path, drawn = tmp_path / "m.onnx", X[of_list]
        scores = onnx_scores(ranker, drawn, path, one_list=preprocess == "query")
        np.testing.assert_allclose(scores, ranker.predict(drawn), rtol=0, atol=1e-5)


def test_weights():
    """The arrays that predict computes with, by name; copies."""
    ranker = NeuralRanker(scorer="wide_deep", preprocess="log1p", **NEURAL)
    as_fitted(ranker, np.abs(DATA.X))
    weights = ranker.weights_
    assert list(weights)[:5] == [
        "preprocess.log_features",
        "preprocess.mean",
        "preprocess.scale",
        "deep.0.weight",
        "deep.0.bias",
    ]
    x = np.log1p(np.abs(DATA.X))
    z = (x - weights["preprocess.mean"]) / weights["preprocess.scale"]
    h = z
    for i in range(3):
        h = h @ weights[f"deep.{i}.weight"] + weights[f"deep.{i}.bias"]
        h = np.maximum(h, 0) if i < 2 else h
    scores = (h + z @ weights["wide"])[:, 0]
    np.testing.assert_allclose(scores, ranker.predict(np.abs(DATA.X)), atol=1e-12)
    weights["wide"][:] = 7.0
    assert ranker.weights_["wide"].max() < 7.0
    linear = LinearRanker(preprocess=None).fit(DATA.X, DATA.y, DATA.qid)
    assert list(linear.weights_) == ["weight"]
