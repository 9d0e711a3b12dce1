"""Saved rankers in a process without JAX, scikit-learn, pandas and LightGBM's package."""

import functools
import json
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from support.forging import forge

from ltr import (
    AutoRanker,
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
    TSPRanker,
    VotingRanker,
    save_ranker,
)
from ltr.datasets import make_ranking
from ltr.model_selection import QueryMinMaxScaler, QueryStandardScaler
from ltr.rankers.blend.numeric import NumericRanker
from ltr.rankers.neural.scaling import fit_scaling
from ltr.rankers.neural.training import LearnedState
from ltr.scorers import SCORERS
from ltr.scorers.parameters import map_leaves
from ltr.solvers import AtMost, Precedence, Quota, Window
from ltr.training.pair_table import PairScaling

BLOCKED = ("jax", "jaxlib", "optax", "sklearn", "pandas", "threadpoolctl")
DATA = make_ranking(
    12, n_features=6, n_informative=4, list_size=(3, 12), random_state=0
)
X, Y, QID = DATA.X, DATA.y, DATA.qid
TABLE = pd.DataFrame(X, columns=list("abcdef"))
TABLE["f"] = pd.Categorical(np.where(X[:, 5] > 0, "high", "low"))
COLORS = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
MISSING = np.where(np.random.default_rng(2).random(X.shape) < 0.1, np.nan, X)

CHILD = """
import sys, json
import numpy as np
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked", name=name)
    def __init__(self, names):
        globals()["BLOCKED"] = names
job = json.loads(sys.stdin.read())
sys.meta_path.insert(0, Blocked(job["blocked"]))
from ltr import load_ranker
inputs = dict(np.load(job["inputs"], allow_pickle=False))
results, seen = {}, {}
for name, table in job["rankers"]:
    ranker = load_ranker(f"{job['folder']}/{name}")
    rows = inputs[table]
    results[name] = ranker.predict(rows, inputs["qid"])
    results[name + " rank"] = ranker.rank(rows, inputs["qid"])
    results[name + " order"] = ranker.order(rows, inputs["qid"], k=3)
    if not name.startswith("pipeline-query"):
        results[name + " one list"] = ranker.order(rows[:7], k=3)
    heavy = ("jax", "optax", "sklearn", "pandas", "scipy", "lightgbm", "ltr.losses")
    seen[name] = [module for module in heavy if module in sys.modules]
np.savez(job["output"], **results)
print(json.dumps(seen))
"""


def untrained(ranker, n_features=6, seed=0):
    """A neural ranker with drawn weights: what predict reads, without a fit."""
    ranker.n_features_in_, ranker._fitted_with_qid = n_features, True
    if isinstance(ranker, TSPRanker):
        ranker.decoder_ = ranker._default_decoder
    scorer, rng = ranker.make_scorer(), np.random.default_rng(seed)
    params = map_leaves(
        lambda leaf: rng.normal(size=leaf.shape).astype(ranker.dtype),
        scorer.outline(n_features),
    )
    scaling = fit_scaling(X[:, :n_features] * 100, None, ranker.preprocess)
    n_pairs = getattr(scorer, "n_pair_features", 0)
    pairs = PairScaling(np.full(n_pairs, 0.5), np.full(n_pairs, 2.0))
    ranker._learned_state = LearnedState(
        scorer, params, scaling, pair_scaling=pairs if n_pairs else None
    )
    return ranker


def neural(scorer, **options):
    return untrained(NeuralRanker(scorer=scorer, hidden_layer_sizes=(8, 4), **options))


def trees(**options):
    options = {"n_estimators": 5, "min_child_samples": 2, **options}
    return LambdaMARTRanker(n_jobs=1, random_state=0, **options)


def with_routing(method, rows, qid):
    """Call a method of a pipeline with the qid, if a step takes it."""
    with sklearn.config_context(enable_metadata_routing=True):
        try:
            return method(rows, qid=qid)
        except TypeError:
            return method(rows)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder of saved rankers, their inputs, and what they predict here."""
    folder = tmp_path_factory.mktemp("rankers")
    codes = np.column_stack([X[:, :5], COLORS])
    tables = {"X": X, "missing": MISSING, "codes": codes, "single": X.astype("f4")}
    simple = [("linear", LinearRanker()), ("trees", trees())]
    rankers = {
        "random": (RandomRanker().fit(X, Y, QID), "X"),
        "feature": (SingleFeatureRanker().fit(MISSING, Y, QID), "missing"),
        "linear": (LinearRanker().fit(X, Y, QID), "missing"),
        "linear-rows": (LinearRanker(preprocess="standard").fit(X, Y, QID), "X"),
        "trees": (trees().fit(MISSING, Y, QID), "missing"),
        "trees-f4": (trees().fit(X, Y, QID), "single"),
        "trees-codes": (
            trees(categorical_features=[5]).fit(codes, Y, QID),
            "codes",
        ),
        "numeric": (NumericRanker(LinearRanker()).fit(MISSING, Y, QID), "missing"),
        "voting": (VotingRanker(simple, weights=[1, 3]).fit(X, Y, QID), "X"),
        "ranks": (VotingRanker(simple, normalize="rank").fit(X, Y, QID), "X"),
        "stacking": (
            StackingRanker(simple, cv=2, final_ranker=LinearRanker()).fit(X, Y, QID),
            "X",
        ),
        "auto": (
            AutoRanker(members=["linear", "trees"], random_state=0, n_jobs=1).fit(
                MISSING, Y, QID
            ),
            "missing",
        ),
        "neural-linear": (neural("linear", preprocess="log1p"), "X"),
        "mlp": (neural("mlp"), "single"),
        "mlp-f8": (neural("mlp", dtype="float64", preprocess="query"), "X"),
        "wide_deep": (neural("wide_deep", preprocess=None), "X"),
        "attention": (neural("attention"), "X"),
        "two_tower": (neural("two_tower", n_query_features=3), "X"),
        "unequal": (neural("two_tower", n_query_features=2), "X"),
        "bilinear": (
            neural("two_tower", n_query_features=3, similarity="bilinear"),
            "X",
        ),
        "adapter": (neural("adapter", n_query_features=3), "X"),
    }
    steps = {
        "standard": StandardScaler(),
        "range": MinMaxScaler((-1, 1), clip=True),
        "largest": MaxAbsScaler(),
        "robust": RobustScaler(with_centering=False),
        "query": QueryStandardScaler(),
        "query-range": QueryMinMaxScaler(),
    }
    with sklearn.config_context(enable_metadata_routing=True):
        for name, step in steps.items():
            pipeline = Pipeline(
                [("first", step), ("none", "passthrough"), ("rank", LinearRanker())]
            )
            pipeline.fit(X[:60], Y[:60], qid=QID[:60])
            rankers[f"pipeline-{name}"] = pipeline, "X"
    rules = [Precedence(before=1, after=0), Window(item=2, first=0, last=1)]
    constrained = ConstrainedRanker(trees(), rules, k=3, work_limit=1.0)
    of_pairs = {
        "borda": TSPRanker(hidden_layer_sizes=4, decoder="borda"),
        "path": TSPRanker(hidden_layer_sizes=4),
        "ordering": TSPRanker("pairwise", encoder="identity", low_rank=2),
        "ensemble": TSPRanker(hidden_layer_sizes=4, n_estimators=2, decoder="bayes"),
    }
    for name, ranker in of_pairs.items():
        rankers[name] = untrained(ranker), "X"
    rankers["constrained"] = constrained.fit(X, Y, QID), "X"
    scores = {}
    short = QID if (np.unique(QID, return_counts=True)[1] <= 15).all() else None
    assert short is not None, "the Bayes decoder takes lists of at most 15"
    for name, (ranker, table) in rankers.items():
        save_ranker(ranker, folder / name)
        rows = tables[table]
        if isinstance(ranker, Pipeline):  # it has no order: that of its last step
            rows, ranker = with_routing(ranker[:-1].transform, rows, QID), ranker[-1]
        scores[name] = ranker.predict(rows, QID)
        scores[f"{name} rank"] = ranker.rank(rows, QID)
        scores[f"{name} order"] = ranker.order(rows, QID, k=3)
        if not name.startswith("pipeline-query"):
            scores[f"{name} one list"] = ranker.order(rows[:7], k=3)
    np.savez(folder / "inputs.npz", qid=QID, **tables)
    return folder, [(name, table) for name, (_, table) in rankers.items()], scores


@pytest.fixture(scope="module")
def served(saved):
    """What a process without the heavy libraries predicts, and what it imports."""
    folder, rankers, _ = saved
    job = {
        "blocked": BLOCKED,
        "folder": str(folder),
        "inputs": str(folder / "inputs.npz"),
        "output": str(folder / "served.npz"),
        "rankers": rankers,
    }
    run = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert run.returncode == 0, run.stderr
    return dict(np.load(folder / "served.npz")), json.loads(run.stdout)


def test_predictions_are_those_of_the_training_process(saved, served):
    _, _, expected = saved
    actual, _ = served
    assert set(actual) == set(expected)
    for name, values in expected.items():
        assert actual[name].dtype == values.dtype, name
        np.testing.assert_array_equal(actual[name], values, err_msg=name)


def test_a_serving_process_imports_only_numpy(served):
    """SciPy comes with the solver of paths and orderings, after all other rankers."""
    _, seen = served
    allowed = {"path", "ordering", "ensemble", "constrained"}
    assert {name: seen[name] for name in seen if name not in allowed} == {
        name: [] for name in seen if name not in allowed
    }
    for name in allowed:
        assert seen[name] in ([], ["scipy"])


@pytest.fixture
def loaded(saved, monkeypatch):
    """Load as a process does that has imported no estimator."""
    from ltr.serving import loading

    def load(name, **options):
        with monkeypatch.context() as patch:
            patch.setattr(loading, "_ESTIMATORS", "no such module")
            return loading.load_ranker(saved[0] / name, **options)

    return load


def test_a_process_with_estimators_gets_the_estimator(saved):
    from ltr import load_ranker

    assert type(load_ranker(saved[0] / "mlp")) is NeuralRanker


def test_a_loaded_ranker_becomes_the_estimator(loaded, saved):
    """Whatever but predict, rank and order is asked for; its predictions stay."""
    ranker = loaded("linear-rows")
    assert type(ranker).__name__ == "LoadedRanker"
    assert repr(ranker) == (
        "<LinearRanker of 6 features, loaded to predict from "
        f"{str((saved[0] / 'linear-rows').resolve())!r}>"
    )
    assert isinstance(ranker, LinearRanker)
    assert type(ranker).__name__ == "LoadedRanker"
    scores = ranker.predict(X, QID)
    assert ranker.score(X, Y, QID) > 0
    assert type(ranker) is LinearRanker
    np.testing.assert_array_equal(ranker.predict(X, QID), scores)
    assert ranker.alpha_ == loaded("linear-rows").alpha_


def test_a_loaded_ranker_is_cloned_copied_and_pickled_as_an_estimator(loaded):
    import copy
    import pickle

    from sklearn.base import clone

    expected = loaded("ranks").predict(X, QID)
    assert type(clone(loaded("ranks"))) is VotingRanker
    for copied in (
        copy.deepcopy(loaded("ranks")),
        pickle.loads(pickle.dumps(loaded("ranks"))),
    ):
        assert type(copied) is VotingRanker
        np.testing.assert_array_equal(copied.predict(X, QID), expected)
    ranker = loaded("ranks")
    ranker.metric = "mrr"
    assert (type(ranker), ranker.get_params()["metric"]) == (VotingRanker, "mrr")


def test_a_loaded_ranker_that_was_replaced(loaded, saved, tmp_path):
    """It goes on predicting, but cannot become what is in the folder now."""
    folder = tmp_path / "model"
    save_ranker(LinearRanker(alpha=1.0).fit(X, Y, QID), folder)
    ranker = loaded(folder)
    save_ranker(LinearRanker(alpha=2.0).fit(X, Y, QID), folder)
    assert len(ranker.predict(X, QID)) == len(X)
    message = (
        f"{folder.resolve()} must still hold the ranker that was loaded; another one "
        "was saved there since. Call load_ranker again."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(X, Y, QID)


@pytest.mark.parametrize("name", ["mlp", "attention", "trees", "stacking", "path"])
def test_threads_predict_at_once(loaded, saved, name):
    """Eight threads get the bits that one gets."""
    ranker, expected = loaded(name), saved[2]
    table = dict(saved[1])[name]
    rows = {"X": X, "missing": MISSING, "single": X.astype("f4")}[table]
    results = [None] * 8

    def run(number):
        results[number] = [ranker.predict(rows, QID) for _ in range(5)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for scores in (scores for result in results for scores in result):
        np.testing.assert_array_equal(scores, expected[name])


def test_threads_predict_while_another_makes_it_an_estimator(loaded, saved):
    """No call sees half of it."""
    for _ in range(5):
        ranker, expected = loaded("ranks"), saved[2]["ranks"]
        results, stop = [], threading.Event()

        def run(ranker=ranker, results=results, stop=stop):
            while not stop.is_set():
                results.append(ranker.predict(X, QID))

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert ranker.score(X, Y, QID) > 0
        stop.set()
        for thread in threads:
            thread.join()
        results.append(ranker.predict(X, QID))
        for scores in results:
            np.testing.assert_array_equal(scores, expected)


def test_frames_and_other_tables(loaded, tmp_path):
    """Names are compared, categories decoded, and lists read, as by the estimator."""
    ranker = trees().fit(TABLE, Y, QID)
    save_ranker(ranker, tmp_path / "table")
    served = loaded(tmp_path / "table")
    np.testing.assert_array_equal(
        served.predict(TABLE, QID), ranker.predict(TABLE, QID)
    )
    assert list(served.feature_names_in_) == list("abcdef")
    assert not hasattr(loaded("mlp"), "feature_names_in_")
    simple = loaded("linear-rows")
    expected = simple.predict(X[:4])
    for rows in (X[:4].tolist(), X[:4].astype(object), np.asfortranarray(X[:4])):
        np.testing.assert_array_equal(simple.predict(rows), expected)
    assert simple.predict([]).shape == (0,)
    with pytest.warns(UserWarning, match="^X has feature names, but LinearRanker was"):
        simple.predict(pd.DataFrame(X[:4], columns=list("abcdef")))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            X[:, :5],
            "X has 5 features, but LinearRanker is expecting 6 features as input.",
        ),
        (
            X[0],
            "Expected 2D array, got 1D array instead: X must have a row for each item; "
            "got shape (6,). Pass X.reshape(1, -1) for one item.",
        ),
        (
            [[1, 2, 3, 4, 5, "six"]],
            "X must hold numbers; got text that is none, of dtype <U21. Encode it.",
        ),
        (X[:1] * 1j, "Complex data not supported: X must hold real numbers."),
        (
            np.where(X[:2] == X[1, 3], np.inf, X[:2]),
            "X must be finite or NaN; got inf at row 1, column 3. Clip or replace it.",
        ),
    ],
)
def test_messages_about_rows(loaded, rows, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loaded("linear-rows").predict(rows)


@pytest.mark.parametrize(
    "make", [lambda load: load("mlp"), lambda load: LinearRanker()]
)
def test_a_cut_off_in_the_place_of_qid(loaded, make):
    """order(X, 10) is an easy slip."""
    message = (
        "qid must have one entry per row of X; got 10. To take the first 10 rows of each "
        "query, pass k=10."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(loaded).order(X, 10)


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
        "QueryStandardScaler, RobustScaler, StandardScaler to be saved; got PCA. Pickle "
        "the pipeline."
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


def test_outlines_are_the_shapes_that_init_draws():
    """For every scorer with a name, and those of pairs; jax.tree has our order."""
    import jax

    from ltr.scorers import PairEnsemble, PairScorer, PublishedPairScorer, get_scorer
    from ltr.scorers.parameters import leaves

    scorers = [get_scorer(name, (8, 4), 3) for name in SCORERS]
    scorers += [
        get_scorer("two_tower", (), 2),
        get_scorer("two_tower", (), 2, "bilinear"),
    ]
    for encoder in ("identity", "mlp", "attention"):
        scorers += [
            PairScorer(encoder, (8, 4), low_rank=2),
            PairEnsemble(PairScorer(encoder, (8, 4), None, False, 3, (5,)), 2),
            PairScorer(encoder, (8, 4), None, True, 3),
            PublishedPairScorer(encoder, (8, 4)),
        ]
    for scorer in scorers:
        drawn = jax.eval_shape(lambda key, s=scorer: s.init(key, 6), jax.random.key(0))
        outline = scorer.outline(6)
        assert jax.tree.structure(drawn) == jax.tree.structure(outline), scorer
        shapes = [leaf.shape for leaf in jax.tree.leaves(drawn)]
        assert [leaf.shape for leaf in leaves(outline)] == shapes, scorer
