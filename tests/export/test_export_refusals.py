"""Feature sets, and what a format cannot hold."""

import json

import numpy as np
import pytest
from support.exported_rankers import (
    DATA,
    MEMBERS,
    NEURAL,
    TREES,
    as_fitted,
)

from ltr import (
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    TSPRanker,
    VotingRanker,
)
from ltr.export import (
    export_feature_set,
    export_linear_json,
    export_onnx,
    export_ranklib,
    export_solr,
    export_xgboost_json,
)


def test_feature_sets(tmp_path):
    """Queries of the user, numeric fields otherwise."""
    ranker = LinearRanker().fit([[1.0, 3.0], [0.0, 2.0]], [1, 0])
    path = tmp_path / "features.json"
    title = {"match": {"title": "{{keywords}}"}}
    options = {"features": ["title", "price"], "queries": {"title": title}}
    export_feature_set(ranker, path, name="shop", **options)
    body = json.loads(path.read_text())["featureset"]
    assert body["name"] == "shop"
    assert [f["params"] for f in body["features"]] == [["keywords"], []]
    template = body["features"][1]["template"]["function_score"]
    assert template["field_value_factor"] == {"field": "price", "missing": 0}
    kind = "org.apache.solr.ltr.feature."
    options["queries"] = {"title": {"class": f"{kind}OriginalScoreFeature"}}
    export_feature_set(ranker, path, engine="solr", name="shop", **options)
    assert json.loads(path.read_text()) == [
        {"name": "title", "store": "shop", "class": f"{kind}OriginalScoreFeature"},
        {
            "name": "price",
            "store": "shop",
            "class": f"{kind}FieldValueFeature",
            "params": {"field": "price"},
        },
    ]
    with pytest.raises(ValueError, match=r"got 'titel'\. Did you mean 'title'\?"):
        export_feature_set(
            ranker, path, features=["title", "price"], queries={"titel": title}
        )


def refused(export, ranker, tmp_path, **options):
    with pytest.raises(ValueError, match=" ") as error:
        export(ranker, tmp_path / "file", **options)
    assert not (tmp_path / "file").exists()
    return str(error.value)


def test_refusals(trees, tmp_path):
    """What a format cannot hold, and why."""
    assert refused(export_xgboost_json, trees["categories"], tmp_path) == (
        "export_xgboost_json with form='plugin' needs trees that split numbers; these "
        "split categories, which the format does not have. Fit on 0/1 columns instead of "
        "categories, or use form='model' or export_onnx."
    )
    assert refused(export_ranklib, trees["categories"], tmp_path) == (
        "export_ranklib needs trees that split numbers; these split categories, which "
        "the format does not have. Fit on 0/1 columns instead of categories, or use "
        "export_onnx."
    )
    assert "another way than the numbers beside it" in refused(
        export_solr, trees["zero"], tmp_path
    )
    X = np.abs(DATA.X)
    logs = LinearRanker(preprocess="log1p").fit(X, DATA.y, DATA.qid)
    assert refused(export_solr, logs, tmp_path) == (
        "export_solr needs scores that are linear in the features; this ranker takes "
        "the logarithm of feature 'f0'. Fit with preprocess='standard', on log1p of "
        "such features where the engine computes it too."
    )
    within = LinearRanker(preprocess="query").fit(X, DATA.y, DATA.qid)
    assert refused(export_linear_json, within, tmp_path) == (
        "export_linear_json needs scores that are linear in the features; this ranker "
        "scales them within the list, and a search engine scores each item by itself. "
        "Fit with preprocess='standard'."
    )
    assert refused(export_ranklib, VotingRanker(MEMBERS), tmp_path) == (
        "ranker must be a fitted LambdaMARTRanker for export_ranklib; got VotingRanker."
    )
    linear = LinearRanker(preprocess=None).fit(X, DATA.y, DATA.qid)
    assert refused(export_solr, linear, tmp_path, features=["a"]) == (
        "features must be 6 distinct names, one for each column of X; got ['a']."
    )
    tiny = LinearRanker(preprocess="standard").fit(X * 1e-300, DATA.y, DATA.qid)
    for export in (export_solr, export_linear_json, export_ranklib):
        message = refused(export, tiny, tmp_path)
        assert message == (
            f"{export.__name__} needs weights in the range of single precision, 1.2e-38 "
            "to 3.4e+38, as the engine computes in it; that of 'f0' is "
            f"{tiny.coef_[0] / tiny.weights_['preprocess.scale'][0]:.3g}. Fit on "
            "features of another unit, or use export_onnx with dtype='float64'."
        )
    huge = LinearRanker(preprocess="standard").fit(X * 1e300, DATA.y, DATA.qid)
    assert "export_solr needs weights in the range" in refused(
        export_solr, huge, tmp_path
    )
    assert refused(export_feature_set, linear, tmp_path, queries={"f0": 5}) == (
        "queries must be a mapping of names of features to dictionaries; got {'f0': 5}."
    )
    message = refused(
        export_feature_set, linear, tmp_path, queries={"f0": {"boost": np.nan}}
    )
    assert "queries must be what JSON can hold; that of 'f0' is not: " in message
    assert refused(export_solr, linear, tmp_path, features=6) == (
        "features must be 6 distinct names, one for each column of X; got 6."
    )
    pytest.importorskip("onnx")
    steep = LambdaMARTRanker(**{**TREES, "learning_rate": 1e40}, random_state=0)
    for export in (export_onnx, export_xgboost_json):
        assert "leaf values must be in the range of single precision" in refused(
            export, steep.fit(X, DATA.y, DATA.qid), tmp_path
        )
    attention = as_fitted(NeuralRanker(scorer="attention", **NEURAL), X)
    assert "its scores depend on the padding" in refused(
        export_onnx, attention, tmp_path
    )
    paths = TSPRanker()
    paths._learned_state, paths.n_features_in_ = attention._learned_state, 6
    assert refused(export_onnx, paths, tmp_path) == (
        "ranker must be one that scores items by their features for export_onnx; got "
        "TSPRanker. Serve it with load_ranker."
    )
