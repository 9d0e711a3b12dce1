"""Options and parameters of the wrong kind: an ArgumentError that names them."""

import re
import warnings

import numpy as np
import pytest

from ltr import (
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    TSPRanker,
)
from ltr.arguments import ArgumentError
from ltr.datasets import make_ranking
from ltr.metrics import METRICS, evaluate, get_metric, ndcg_score
from ltr.metrics.significance import bootstrap_interval, paired_randomization_test
from ltr.model_selection import (
    QueryKFold,
    QueryShuffleSplit,
    WalkForwardSplit,
    cross_validate_ranker,
)


def one_argument(values):
    """A function of one array, as a gain is; not a loss, and not a metric."""
    return np.abs(values)


VALUES = {
    "2.0": 2.0,
    "'5'": "5",
    "None": None,
    "[]": [],
    "{}": {},
    "object": object(),
    "True": True,
    "array": np.array([1, 2]),
    "nan": np.nan,
    "function": one_argument,
}
DATA = make_ranking(6, list_size=5, n_features=4, n_informative=2, random_state=0)
Y, S, QID = [1, 0, 1, 0], [0.4, 0.3, 0.2, 0.1], [0, 0, 1, 1]


def takes(call, name, skipped=()):
    """Names of the values that a call takes; others must raise an error of ours."""
    taken = set()
    for key in VALUES.keys() - set(skipped):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call(VALUES[key])
        except ArgumentError as error:
            text = str(error)
        else:
            taken.add(key)
            continue
        assert name in text, f"{key}: {text}"
    return taken


NUMBER, FLAG, OPTIONAL, OPTIONAL_NUMBER = {"2.0"}, {"True"}, {"None"}, {"2.0", "None"}
OPTIONS = {
    "k": OPTIONAL,
    "threshold": NUMBER,
    "max_label": OPTIONAL_NUMBER,
    "per_query": FLAG,
    "empty": FLAG,  # True is 1
    "cap": FLAG,
    "extrapolate": FLAG,
    "gain": {"array", "function"},
    "discount": {"function"},
    "recall": {"None", "True"},
    "beta": NUMBER,
    "multiple": NUMBER,
}


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_options_of_metrics(metric):
    """Every option of every metric takes values of its kind only."""
    face = METRICS[metric]
    for option in (*face.info.options, "per_query"):
        if option == "docids":
            continue  # any array of ids, read if ties="trec"
        taken = takes(lambda v, o=option: face(Y, S, qid=QID, **{o: v}), option)
        kinds = OPTIONS | ({"threshold": OPTIONAL_NUMBER} if metric == "rbp" else {})
        assert taken == kinds.get(option, set()), option


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 2.0}, "k must be a whole number >= 1, or None; got 2.0."),
        ({"k": "5"}, "k must be a whole number >= 1, or None; got '5'."),
        ({"k": np.float64(2)}, "k must be a whole number >= 1, or None; got 2.0."),
        (
            {"gain": 3},
            "gain must be one of 'exp2', 'linear', or a table or a function; got 3.",
        ),
        ({"per_query": "yes"}, "per_query must be True or False; got 'yes'."),
    ],
)
def test_messages_of_options(options, message):
    """In full, also through evaluate."""
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        ndcg_score(Y, S, qid=QID, **options)
    if "per_query" not in options:
        with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
            evaluate(Y, S, QID, "ndcg", **options)


A_METRIC = (
    "metric must be a name, such as 'ndcg@10', or a function metric(y_true, y_score, "
    "qid); got "
)
OWN_METRIC = (
    "a metric of your own must be a function metric(y_true, y_score, qid) that returns "
    "a number, higher is better; got {}. A kernel of ranked lists is declared with "
    "@ltr.metrics.ranking_metric()."
)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (["ndcg@5", "map"], A_METRIC + "['ndcg@5', 'map']. Pass one of them; "
         "ltr.evaluate takes several."),
        (one_argument, OWN_METRIC.format("one_argument(values)")),
        (5, A_METRIC + "5."),
        (None, A_METRIC + "None."),
    ],
    ids=["list", "function", "number", "None"],
)  # fmt: skip
def test_metrics_of_the_wrong_kind(metric, message):
    """A list, a function of other arguments, no metric: at fit already."""
    message = f"^{re.escape(message)}$"
    for ranker in (RandomRanker(), SingleFeatureRanker(), NeuralRanker("mse")):
        with pytest.raises(ArgumentError, match=message):
            ranker.set_params(metric=metric).fit(DATA.X, DATA.y, DATA.qid)
    with pytest.raises(ArgumentError, match=message):
        get_metric(metric)


@pytest.mark.parametrize("metrics", [5, None, [], {"ndcg": 1}])
def test_several_metrics(metrics):
    """What is no sequence of them."""
    message = (
        "metrics must be a name, a declared function, or a sequence of one or more of "
        f"them; got {metrics!r}."
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        evaluate(Y, S, QID, metrics)


SHARED = {
    "learning_rate": NUMBER,
    "weight_decay": NUMBER,
    "early_stopping": FLAG,
    "warm_start": FLAG,
    "verbose": FLAG,
    "normalize": FLAG,
    "preprocess": OPTIONAL,
    "random_state": OPTIONAL,
    "checkpoint_dir": OPTIONAL,
    "checkpoint_every_s": NUMBER,
    "learning_rate_schedule": {"None", "function"},
    "clip_norm": OPTIONAL_NUMBER,
    "metrics": {"None", "[]"},
    "callbacks": {"None", "[]"},
    "refit": FLAG,
    "n_jobs": OPTIONAL,
    "devices": OPTIONAL,
    "hidden_layer_sizes": {"[]", "array"},
    "pair_hidden_layer_sizes": {"[]", "array"},
}
RANKERS = {
    "random": (RandomRanker(), {}),
    "feature": (SingleFeatureRanker(), {}),
    "closed": (LinearRanker(), {"alpha": NUMBER, "preprocess": OPTIONAL}),
    "linear": (
        NeuralRanker("mse", "linear", max_epochs=0),
        {**SHARED, "n_query_features": OPTIONAL},
    ),
    "two_tower": (
        NeuralRanker("mse", "two_tower", n_query_features=2, max_epochs=0),
        {**SHARED, "in_batch": FLAG},
    ),
    "pairs": (
        TSPRanker(encoder="identity", max_epochs=0),
        {
            **SHARED,
            "low_rank": OPTIONAL,
            "compat": OPTIONAL,
            "pair_features": OPTIONAL,
            "skew": FLAG,
            "time_limit_s": OPTIONAL_NUMBER,
            "work_limit": OPTIONAL_NUMBER,
        },
    ),
    "trees": (
        LambdaMARTRanker(n_estimators=2, min_child_samples=1, n_jobs=1),
        {
            **SHARED,
            "norm": FLAG,
            "min_child_weight": NUMBER,
            "min_split_gain": NUMBER,
            "reg_alpha": NUMBER,
            "reg_lambda": NUMBER,
            "position_bias_regularization": NUMBER,
            "extra_params": {"None", "{}"},
            "categorical_features": {"None", "[]"},
            "label_gain": {"function"},
        },
    ),
    "constrained": (
        ConstrainedRanker(SingleFeatureRanker()),
        {"k": OPTIONAL, "work_limit": OPTIONAL_NUMBER, "constraints": {"[]", "{}"}},
    ),
}  # fmt: skip
# Errors about what a value means, not about its kind.
SKIPPED = {
    "loss": ["function"],
    "label_gain": ["array"],
    "categorical_features": ["array"],
    "n_query_features": ["None"],
    "pair_features": ["function"],
    "checkpoint_dir": ["'5'"],  # a folder
}


@pytest.mark.parametrize("name", RANKERS)
def test_parameters_of_rankers(name):
    """Every parameter of every ranker takes values of its kind only, at fit."""
    ranker, table = RANKERS[name]
    parameters = ranker.get_params(deep=False)
    for parameter in parameters:

        def fit(value, parameter=parameter):
            candidate = type(ranker)(**{**parameters, parameter: value})
            candidate.fit(DATA.X, DATA.y, DATA.qid)

        skipped = SKIPPED.get(parameter, [])
        taken = takes(fit, parameter, skipped)
        assert taken == table.get(parameter, set()) - set(skipped), parameter


FUNCTIONS = {
    "n_resamples": lambda v: paired_randomization_test(Y, S, n_resamples=v),
    "random_state": lambda v: paired_randomization_test(Y, S, random_state=v),
    "confidence": lambda v: bootstrap_interval(S, confidence=v),
    "n_splits": lambda v: list(QueryKFold(v).split(Y, qid=QID)),
    "shuffle": lambda v: list(QueryKFold(2, shuffle=v).split(Y, qid=QID)),
    "test_size": lambda v: list(QueryShuffleSplit(test_size=v).split(Y, qid=QID)),
    "embargo": lambda v: list(WalkForwardSplit(1, embargo=v).split(Y, dates=QID)),
    "cv": lambda v: cross_validate_ranker(
        RandomRanker(), DATA.X, DATA.y, DATA.qid, cv=v
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_of_functions(name):
    """Also of splitters and tests of significance."""
    assert takes(FUNCTIONS[name], name) == {"shuffle": FLAG}.get(name, set())
