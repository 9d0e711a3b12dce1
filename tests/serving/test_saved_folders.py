"""What a saved folder may hold: pipelines, constraints, functions by name; forgeries."""

import functools
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from support.forging import forge
from support.saved_rankers import (
    QID,
    TABLE,
    X,
    Y,
    neural,
    with_routing,
)

from ltr import (
    AutoRanker,
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    StackingRanker,
    VotingRanker,
    save_ranker,
)
from ltr.solvers import AtMost, Quota

FORGERIES = [
    (
        "constrained",
        lambda d: d["parameters"]["constraints"]["constraints"][0].update(
            constraint="Popen"
        ),
    ),
    (
        "constrained",
        lambda d: d["parameters"]["constraints"]["constraints"][0]["fields"].update(
            x=1
        ),
    ),
    ("constrained", lambda d: d["parameters"].update(infeasible="system")),
    ("constrained", lambda d: d["members"].clear()),
    (
        "pipeline-range",
        lambda d: d["steps"][0].update({"class": "FunctionTransformer"}),
    ),
    ("pipeline-range", lambda d: d["steps"][0].update(n_features=5)),
    ("pipeline-range", lambda d: d["members"].clear()),
    ("pipeline-range", lambda d: d["steps"][0].pop("parameters")),
    ("pipeline-range", lambda d: d["steps"].append(7)),
    ("pipeline-range", lambda d: d["steps"][0].update(parameters={})),
    ("pipeline-range", lambda d: d["steps"][0].update(name="a__b")),
    ("pipeline-range", lambda d: d["steps"][0]["parameters"].update(clip=1)),
    ("pipeline-range", lambda d: d["steps"][0]["parameters"].update(feature_range=[0])),
    (
        "pipeline-range",
        lambda d: d["steps"][0].update(
            {
                "class": "StandardScaler",
                "parameters": {"copy": True, "with_mean": True, "with_std": True},
            }
        ),
    ),
    (
        "pipeline-imputer",
        lambda d: d["steps"][0]["parameters"].update(strategy="os.system"),
    ),
    (
        "pipeline-imputer",
        lambda d: d["steps"][0]["parameters"].update(missing_values="0"),
    ),
    (
        "pipeline-imputer",
        lambda d: d["steps"][0]["parameters"].update(add_indicator=False),
    ),
    ("pipeline-imputer", lambda d: d["steps"][0].update(n_features=5)),
    ("pipeline-varied", lambda d: d["steps"][0]["parameters"].update(threshold=1e9)),
    ("pipeline-varied", lambda d: d["steps"][0]["parameters"].update(threshold="1")),
    ("mlp", lambda d: d["parameters"].update(hidden_layer_sizes=[8, 5])),
    ("mlp", lambda d: d["parameters"].update(hidden_layer_sizes=[2**31])),
    ("mlp", lambda d: d["parameters"].update(hidden_layer_sizes="x")),
    ("mlp", lambda d: d["parameters"].update(scorer="os.system")),
    ("mlp", lambda d: d["parameters"].update(dtype="object")),
    ("mlp", lambda d: d["attributes"].update(n_features_in_=2**30)),
    ("mlp", lambda d: d["attributes"].pop("_fitted_with_qid")),
    ("mlp", lambda d: d.update({"class": "Popen"})),
    ("mlp", lambda d: d.update(parameters=[1])),
    ("mlp", lambda d: d.update(code="import os")),
    ("mlp", lambda d: d["parameters"].pop("scorer")),
    ("attention", lambda d: d["parameters"].update(hidden_layer_sizes=[])),
    ("trees", lambda d: d["attributes"].update(n_iter_=7)),
    ("trees", lambda d: d["parameters"].update(n_jobs=10**9)),
    ("trees", lambda d: d["categories"].update(columns=[9])),
    ("feature", lambda d: d["attributes"].update(feature_=6)),
    ("voting", lambda d: d["attributes"].update(_weights=[1.0])),
    ("voting", lambda d: d["parameters"].update(normalize="evil")),
    ("stacking", lambda d: d["members"].pop()),
    ("numeric", lambda d: d["attributes"].update(columns_=[0, 7])),
    ("path", lambda d: d["parameters"].update(n_estimators=10**9)),
    ("path", lambda d: d["parameters"].update(decoder="system")),
]


@pytest.mark.parametrize("number", range(len(FORGERIES)))
def test_forged_documents_are_refused(loaded, saved, tmp_path, number):
    name, change = FORGERIES[number]
    folder = tmp_path / name
    shutil.copytree(saved[0] / name, folder)
    forge(folder, change)
    with pytest.raises(ValueError, match="must|not a complete saved ranker"):
        loaded(folder)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "voting",
            lambda d: d["attributes"].update(_weights=[1.0]),
            "the saved blend must have 2 weights; got 1. Save it again.",
        ),
        (
            "trees",
            lambda d: d["attributes"].update(n_iter_=7),
            "n_iter_ must be a whole number >= 0 and <= 5; got 7.",
        ),
    ],
)
def test_both_readers_refuse_a_forgery_alike(
    loaded, saved, tmp_path, name, change, message
):
    """The reader of a process that serves, and the one that makes estimators."""
    from ltr import load_ranker

    folder = tmp_path / name
    shutil.copytree(saved[0] / name, folder)
    forge(folder, change)
    for load in (loaded, load_ranker):
        with pytest.raises(ValueError, match=f"^{re.escape(f'{folder}: {message}')}$"):
            load(folder)


def own_loss(s, y, *, where, scale=1.0):
    """A loss of the user's own, which is not called here."""
    return scale * (s * where).sum(-1)


def test_functions_are_saved_by_their_names(loaded, tmp_path):
    """Untrusted ones are refused where they are needed, which they are not to predict."""
    from ltr import load_ranker

    ranker = neural("mlp").set_params(loss=functools.partial(own_loss, scale=2.0))
    save_ranker(ranker, tmp_path / "own")
    name = f"{__name__}:own_loss"
    message = (
        f"{tmp_path / 'own'}: loss is the function {name!r}, and loading imports no "
        "code that is not trusted. If you trust it, pass load_ranker(folder, "
        f"trusted=[{name!r}])."
    )
    for trusted in ((), ["os:system"]):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            load_ranker(tmp_path / "own", trusted=trusted)
    for trusted in ([own_loss], [name]):
        loss = load_ranker(tmp_path / "own", trusted=trusted).loss
        assert (loss.func, loss.keywords) == (own_loss, {"scale": 2.0})
    served = loaded(tmp_path / "own")
    np.testing.assert_array_equal(served.predict(X), ranker.predict(X))
    with pytest.raises(ValueError, match="that is not trusted"):
        served.get_params()
    assert (
        loaded(tmp_path / "own", trusted=[name]).get_params()["loss"].func is own_loss
    )
    forge(
        tmp_path / "own", lambda d: d["parameters"].update(loss={"function": "os:no"})
    )
    for trusted, text in (
        (["os:no"], "loss must be the function 'os:no', which cannot be imported here"),
        (["os:path:join"], "trusted must hold functions, or names such as"),
        ("os:no", "trusted must be a list of functions or of their names; got 'os:no'"),
    ):
        with pytest.raises(ValueError, match=text):
            load_ranker(tmp_path / "own", trusted=trusted)


def test_scorers_of_the_library_are_saved_as_objects(loaded, tmp_path):
    """With fields that no parameter of the ranker has."""
    from ltr import load_ranker
    from ltr.scorers import AttentionScorer

    ranker = neural(AttentionScorer((8,), n_blocks=2, n_heads=2))
    save_ranker(ranker, tmp_path / "own")
    assert load_ranker(tmp_path / "own").scorer == ranker.scorer
    served = loaded(tmp_path / "own")
    np.testing.assert_array_equal(served.predict(X, QID), ranker.predict(X, QID))

    def many_blocks(document):
        document["parameters"]["scorer"]["options"]["n_blocks"] = 10**9

    forge(tmp_path / "own", many_blocks)
    for load in (load_ranker, loaded):
        with pytest.raises(ValueError, match="n_blocks of a scorer must be plain"):
            load(tmp_path / "own")


def test_constraints(loaded, tmp_path):
    """Of columns and passed attributes; a ranker that was wrapped fitted has its fit."""
    from ltr import load_ranker

    ranker = LinearRanker().fit(TABLE.drop(columns="f"), Y, QID)
    rules = [Quota("f", "low", lower=(1, 1), top=3), AtMost("f", np.int64(2), top=3)]
    fair = ConstrainedRanker(ranker, rules)
    save_ranker(fair, tmp_path / "fair")
    expected = fair.predict(TABLE[:20])
    served = loaded(tmp_path / "fair")
    np.testing.assert_array_equal(served.predict(TABLE[:20]), expected)
    np.testing.assert_array_equal(
        served.rank(TABLE.drop(columns="f")[:20], attributes={"f": TABLE["f"][:20]}),
        fair.rank(TABLE[:20]),
    )
    with pytest.raises(
        ValueError, match="^a constraint refers to attribute 'f', but X"
    ):
        served.predict(TABLE.drop(columns="f")[:20])
    estimator = load_ranker(tmp_path / "fair")
    assert estimator.constraints == rules
    assert estimator.n_features_in_ == 5
    np.testing.assert_array_equal(estimator.predict(TABLE[:20]), expected)
    save_ranker(estimator, tmp_path / "again")
    with pytest.raises(ValueError, match="^constraints must have text, numbers and"):
        save_ranker(
            fair.set_params(constraints=[Quota("f", b"x", lower=1)]), tmp_path / "other"
        )


@pytest.mark.parametrize("others", [[], [("trees", LambdaMARTRanker(n_estimators=3))]])
@pytest.mark.parametrize("kind", [VotingRanker, StackingRanker, AutoRanker])
def test_constrained_members(loaded, tmp_path, kind, others):
    """A column that constraints of a member refer to is no feature of that member."""
    from ltr import load_ranker

    rules = [Quota("f", "low", upper=1, top=2)]
    members = [("fair", ConstrainedRanker(LinearRanker(), rules)), *others]
    table = TABLE[["a", "b", "f"]].assign(
        f=pd.Categorical((["low", "high"] * 40)[: len(Y)])
    )
    blend = kind(members=members) if kind is AutoRanker else kind(members)
    blend.fit(table, Y, QID)
    assert blend.n_features_in_ == table.shape[1]
    assert list(getattr(blend, "feature_names_in_", table)) == list(table)
    expected = blend.predict(table, QID)
    save_ranker(blend, tmp_path / "blend")
    for load in (load_ranker, loaded):
        again = load(tmp_path / "blend")
        np.testing.assert_array_equal(again.predict(table, QID), expected)
        with pytest.raises(ValueError, match=f"but {kind.__name__} is expecting"):
            again.predict(table.iloc[:, 1:], QID)


def test_pipelines(saved, loaded, tmp_path):
    """A loaded one is scikit-learn's; other steps are refused; so are forged ones."""
    from sklearn.decomposition import PCA

    from ltr import load_ranker

    for name in ("standard", "query"):
        pipeline = load_ranker(saved[0] / f"pipeline-{name}")
        assert [step for step, _ in pipeline.steps] == ["first", "rank"]
        scores = with_routing(pipeline.predict, X, QID)
        np.testing.assert_array_equal(scores, saved[2][f"pipeline-{name}"])
    step = load_ranker(saved[0] / "pipeline-range")[0]
    assert (step.feature_range, step.clip, step.n_samples_seen_) == ((-1, 1), True, 60)
    other = Pipeline([("pca", PCA(2)), ("rank", LinearRanker())]).fit(X, Y)
    message = (
        "step 'pca' must be one of MaxAbsScaler, MinMaxScaler, QueryMinMaxScaler, "
        "QueryStandardScaler, RobustScaler, SimpleImputer, StandardScaler, "
        "VarianceThreshold to be saved; got PCA. Pickle the pipeline."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_ranker(other, tmp_path / "pca")
    with pytest.raises(
        ValueError, match="^predict needs qid because fit was given one"
    ):
        loaded("pipeline-query").predict(X)
    folder = tmp_path / "twice"
    shutil.copytree(saved[0] / "pipeline-standard", folder)
    forge(folder, lambda d: d["parameters"].update(name="first"))
    message = "steps must have distinct names without '__'; got 'first', 'first'."
    with pytest.raises(ValueError, match=re.escape(message)):
        load_ranker(folder)
    served = loaded("pipeline-standard")
    assert repr(served).startswith("<Pipeline of 6 features, loaded to predict from ")
    assert served.named_steps["rank"].alpha_ > 0
    assert type(served) is Pipeline
