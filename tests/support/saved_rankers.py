"""A ranker of every kind, saved, and what a process that only predicts makes of it."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

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
from ltr.scorers.parameters import map_leaves
from ltr.scorers.products import array_type
from ltr.solvers import Precedence, Window
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
        lambda leaf: rng.normal(size=leaf.shape).astype(array_type(ranker.dtype)),
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
        "mlp-bf16": (neural("mlp", dtype="bfloat16"), "X"),
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
        "imputer": SimpleImputer(strategy="median", add_indicator=True),
        "varied": VarianceThreshold(1.0),
        "query": QueryStandardScaler(),
        "query-range": QueryMinMaxScaler(),
    }
    with sklearn.config_context(enable_metadata_routing=True):
        for name, step in steps.items():
            pipeline = Pipeline(
                [("first", step), ("none", "passthrough"), ("rank", LinearRanker())]
            )
            table = "missing" if name == "imputer" else "X"
            pipeline.fit(tables[table][:60], Y[:60], qid=QID[:60])
            rankers[f"pipeline-{name}"] = pipeline, table
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


@pytest.fixture
def loaded(saved, monkeypatch):
    """Load as a process does that has imported no estimator."""
    from ltr.serving import loading

    def load(name, **options):
        with monkeypatch.context() as patch:
            patch.setattr(loading, "_ESTIMATORS", "no such module")
            return loading.load_ranker(saved[0] / name, **options)

    return load
