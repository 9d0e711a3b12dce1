"""Parameters of LambdaMARTRanker: unknown, misread, or without effect."""

import re

import lightgbm
import numpy as np
import pandas as pd
import pytest

from ltr import LambdaMARTRanker
from ltr.datasets import make_ranking

DATA = make_ranking(
    20, list_size=(4, 12), n_features=4, n_informative=3, random_state=0
)


def fit(data=DATA, position=None, **parameters):
    parameters = {"n_estimators": 3, "n_jobs": 1, "random_state": 0} | parameters
    ranker = LambdaMARTRanker(**parameters)
    return ranker.fit(data.X, data.y, data.qid, position=position)


def set_by(name, ours):
    return (
        f"extra_params sets {name!r}, which is the parameter {ours!r} of the ranker. Set "
        "that instead."
    )


def without_effect(name, purpose):
    return (
        f"extra_params sets {name!r}, which is for {purpose} and has no effect here. "
        "Leave it out."
    )


def unknown(names):
    return (
        f"extra_params must have names of LightGBM's parameters; got {names}. LightGBM "
        "would ignore what it does not know."
    )


@pytest.mark.parametrize(
    ("extra_params", "message"),
    [
        (
            {"max_position": 500, "max_bin": 63, "bagging_by_qurey": True},
            unknown(
                "'max_position' and 'bagging_by_qurey' (did you mean "
                "'bagging_by_query'?)"
            ),
        ),
        ({"MAX_BIN": 63}, unknown("'MAX_BIN'")),
        ({"max_bin ": 63}, unknown("'max_bin ' (did you mean 'max_bin'?)")),
        ({7: 1}, unknown("7")),
        ({"eta": 0.1}, set_by("eta", "learning_rate")),
        ({"min_hessian": 1}, set_by("min_hessian", "min_child_weight")),
        ({"nrounds": 9}, set_by("nrounds", "n_estimators")),
        ({"ndcg_at": 5}, set_by("ndcg_at", "metric")),
        ({"early_stopping": 5}, set_by("early_stopping", "early_stopping")),
        ({"verbose": 1}, set_by("verbose", "verbose")),
        ({"verbosity": 2}, set_by("verbosity", "verbose")),
        ({"header": True}, without_effect("header", "LightGBM's command line")),
        ({"contrib": True}, without_effect("contrib", "LightGBM's predict")),
        ({"num_classes": 3}, without_effect("num_classes", "other objectives")),
        (
            {"workers": "10.0.0.1"},
            without_effect("workers", "training on several machines"),
        ),
        (
            {"max_bin": 15, "max_bins": 63},
            "extra_params must set each parameter once; got 'max_bin' and 'max_bins', "
            "which are one. Leave one of them out.",
        ),
        (
            [("max_bin", 63)],
            "extra_params must be a dict of LightGBM's parameters, such as "
            "{'max_bin': 63}; got [('max_bin', 63)].",
        ),
        ({"max_bin": "many"}, "max_bin must be a whole number; got 'many'."),
        ({"max_bins": 63.5}, "max_bin must be a whole number; got 63.5."),
        ({"max_bin": 0}, "max_bin must be > 1; got 0."),
        ({"max_bin": 10**30}, f"max_bin must be below 2^31; got {10**30}."),
        (
            {"max_bin": "63 seed=1"},
            "max_bin must not have spaces or '='; got '63 seed=1'.",
        ),
        (
            {"max_bin": {"a": 1}},
            "max_bin must be a string, number, boolean or list of numbers; got {'a': 1}.",
        ),
        ({"max_bin": []}, "max_bin must have numbers only; got []."),
        ({"max_bin": [[3]]}, "max_bin must have numbers only; got [[3]]."),
        (
            {"max_bin_by_feature": [3, 3, 3, "x"]},
            "max_bin_by_feature must have numbers only; got [3, 3, 3, 'x'].",
        ),
        (
            {"interaction_constraints": 5},
            "interaction_constraints must be lists of column indices; got 5.",
        ),
        ({"sigmoid": True}, "sigmoid must be a number; got True."),
        ({"sigmoid": "x"}, "sigmoid must be a number; got 'x'."),
        ({"extra_trees": 1}, "extra_trees must be True or False; got 1."),
        (
            {"boost": "dartt"},
            "boosting must be one of 'gbdt', 'gbrt', 'rf', 'random_forest', 'dart', "
            "'goss'; got 'dartt'.",
        ),
        (
            {"mc": [1, "x", 0, 0]},
            "monotone_constraints must have 1, -1 or 0 for each column of X; got "
            "[1, 'x', 0, 0].",
        ),
        (
            {"mc": [1]},
            "monotone_constraints must have one entry per column of X; got [1].",
        ),
        (
            {"interaction_constraints": [[0, 9]]},
            "interaction_constraints must have columns of X, 0 to 3; got 9.",
        ),
        (
            {"forced_splits": "/no/file"},
            "forcedsplits_filename must be the path of a file; got '/no/file'.",
        ),
        (
            {"boosting": "rf"},
            "boosting='rf' needs subsample or colsample_bytree below 1, or all trees are "
            "the same; got 1 for both. Lower one of them.",
        ),
        (
            {"cegb_penalty_feature_lazy": [1]},
            "LightGBM refuses its parameters or data: cegb_penalty_feature_lazy should "
            "be the same size as feature number. Check extra_params.",
        ),
    ],
    ids=str,
)
def test_extra_params(extra_params, message):
    """What LightGBM would ignore or misread is refused; its errors are in our words."""
    starts = ("extra_params", "boosting=", "LightGBM")
    full = message if message.startswith(starts) else f"extra_params: {message}"
    with pytest.raises(ValueError, match=f"^{re.escape(full)}$"):
        fit(extra_params=extra_params)


def test_goss_and_subsample():
    """Two ways to draw rows; LightGBM's message is on standard error."""
    message = (
        "data_sample_strategy='goss' draws the rows itself, by their gradients; got "
        "subsample=0.5. Leave one of them out."
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(subsample=0.5, extra_params={"boosting": "goss"})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"subsample": 1e-9},
            f"subsample must leave at least one of the {len(DATA.y)} rows; got 1e-09. "
            "Raise it.",
        ),
        (
            {"subsample": 0.01, "extra_params": {"bagging_by_query": True}},
            "subsample must leave at least one of the 20 queries; got 0.01. Raise it.",
        ),
        ({"num_leaves": 10**9}, "num_leaves must be <= 131072; got 1000000000."),
        (
            {"truncation_level": 2**40},
            "truncation_level must be a whole number <= 2147483647; got 1099511627776.",
        ),
        (
            {"random_state": -1},
            "random_state must be a whole number from 0 to 2^32 - 1, a numpy RandomState, or "
            "None; got -1.",
        ),
        ({"verbose": "x"}, "verbose must be a whole number; got 'x'."),
    ],
    ids=str,
)
def test_our_parameters(parameters, message):
    """Values that LightGBM would refuse in its words, or cut to 32 bits."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit(**parameters)


def test_extra_params_that_work():
    """Any synonym, numbers as NumPy's and as text, None for the default."""
    values = ({"max_bin": 15}, {"max_bins": np.int64(15)}, {"max_bin": "15"})
    texts = [fit(extra_params=extra).booster_.model_to_string() for extra in values]
    assert texts[0] == texts[1] == texts[2] != fit().booster_.model_to_string()
    none = fit(extra_params={"max_bin": None, "boosting": None, "sigmoid": 1})
    assert none.booster_.model_to_string() == fit().booster_.model_to_string()
    constraints = {"monotone_constraints": np.array([1, 0, 0, -1])}
    fit(extra_params={**constraints, "interaction_constraints": [[0, 1], (2, 3)]})


def test_every_parameter_of_lightgbm_is_known():
    """Tables here have names that this LightGBM has, and no synonyms."""
    from ltr.rankers.trees import parameters as room

    names = set(room._first_names().values())
    tables = [*room._SET_BY, *room._CHOICES, *room._FILES]
    tables += " ".join(room._WITHOUT_EFFECT.values()).split()
    assert set(tables) <= names
    ours = LambdaMARTRanker().get_params()
    assert {name for name in room._NEEDS if name not in ours} <= names
    assert set(room._SET_BY.values()) <= set(ours)


def no_effect(name, value, need):
    return f"{name}={value!r} has no effect: it needs {need}. Set that, or leave {name} out."


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"loss": "mse", "truncation_level": 5},
            no_effect("truncation_level", 5, "loss='lambdarank'"),
        ),
        (
            {"loss": "xe_ndcg", "norm": False},
            no_effect("norm", False, "loss='lambdarank'"),
        ),
        (
            {"loss": "mse", "label_gain": "linear"},
            no_effect("label_gain", "linear", "loss='lambdarank' or 'xe_ndcg'"),
        ),
        (
            {"position_bias_regularization": 0.5},
            no_effect("position_bias_regularization", 0.5, "position in fit"),
        ),
        (
            {"n_iter_no_change": 5},
            no_effect("n_iter_no_change", 5, "X_val, or early_stopping=True"),
        ),
        (
            {"validation_fraction": 0.5},
            no_effect("validation_fraction", 0.5, "early_stopping=True, without X_val"),
        ),
        (
            {"extra_params": {"bagging_by_query": True}},
            no_effect("bagging_by_query", True, "subsample < 1"),
        ),
        (
            {"extra_params": {"rate_drop": 0.5}},
            no_effect("drop_rate", 0.5, "boosting='dart'"),
        ),
        (
            {
                "extra_params": {"boosting": "rf"},
                "subsample": 0.5,
                "learning_rate": 0.3,
            },
            no_effect("learning_rate", 0.3, "another boosting than 'rf'"),
        ),
        (
            {"loss": "mse", "extra_params": {"sigmoid": 2.0}},
            no_effect("sigmoid", 2.0, "loss='lambdarank'"),
        ),
    ],
    ids=str,
)
def test_parameters_without_effect(parameters, message):
    """A parameter that does nothing is said, with what it needs."""
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        fit(**parameters)


@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
def test_parameters_with_effect():
    """Together with what they need, nothing is said of it (warnings are errors)."""
    fit(extra_params={"bagging_by_query": True}, subsample=0.5)
    fit(position_bias_regularization=0.5, position=np.zeros(len(DATA.y)))
    fit(early_stopping=True, validation_fraction=0.5, n_iter_no_change=2)


def test_subsample_alone_draws_rows():
    """subsample needs no subsample_freq; LightGBM's 0 means never."""
    alone = fit(subsample=0.3).booster_.dump_model()["tree_info"]
    assert (
        alone == fit(subsample=0.3, subsample_freq=1).booster_.dump_model()["tree_info"]
    )
    assert alone != fit().booster_.dump_model()["tree_info"]


@pytest.mark.parametrize(
    ("n_jobs", "value"),
    [(10**9, "1000000000"), ("x", "'x'"), (-1025, "-1025"), (1.0, "1.0")],
)
def test_n_jobs(n_jobs, value):
    """Checked in fit, and in what follows set_params."""
    message = (
        f"n_jobs must be a whole number >= -1024 and <= 1024, or None; got {value}."
    )
    ranker = fit()
    ranker.set_params(n_jobs=n_jobs)
    for call in (
        lambda: ranker.predict(DATA.X),
        lambda: ranker.predict_contrib(DATA.X),
        lambda: ranker.fit(DATA.X, DATA.y, DATA.qid),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()


@pytest.mark.parametrize("n_jobs", [None, -1, -99, 0, 1, 1024])
def test_threads_do_not_change_scores(n_jobs):
    """At most one thread a core is started."""
    ranker = fit()
    scores = ranker.predict(DATA.X)
    assert (ranker.set_params(n_jobs=n_jobs).predict(DATA.X) == scores).all()


@pytest.mark.parametrize(
    ("X", "parameters", "reason"),
    [
        (np.ones((40, 2)), {}, "Every column of X is constant. Check the features."),
        (
            np.full((40, 2), np.nan),
            {},
            "Every column of X is constant. Check the features.",
        ),
        (
            pd.DataFrame({"a": pd.Categorical(["x"] * 40)}),
            {},
            "Every column of X is constant. Check the features.",
        ),
        (
            np.arange(40.0)[:, None],
            {"min_child_samples": 21},
            "40 rows cannot make two leaves of min_child_samples=21. Lower it.",
        ),
        (
            np.arange(40.0)[:, None],
            {"min_split_gain": 1e6, "min_child_samples": 2},
            "No split has min_child_samples=2 rows and min_child_weight=0.001 on either "
            "side, and a gain above min_split_gain=1e+06. Lower them, or check the "
            "features.",
        ),
    ],
    ids=["ones", "missing", "category", "rows", "gain"],
)
def test_no_split(X, parameters, reason):
    """The advice fits the reason."""
    ranker = LambdaMARTRanker(n_estimators=2, n_jobs=1, **parameters)
    message = f"No tree has a split, so all scores are equal. {reason}"
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        ranker.fit(X, np.arange(40) % 3, np.arange(40) // 8)


@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
def test_no_split_beside_validation():
    """Rows that validation took are missing from the leaves."""
    X, y, qid = np.arange(40.0)[:, None], np.arange(40) % 3, np.arange(40) // 8
    ranker = LambdaMARTRanker(n_estimators=2, n_jobs=1, early_stopping=True)
    message = (
        "No tree has a split, so all scores are equal. 32 rows, without the 8 that "
        "validation took, cannot make two leaves of min_child_samples=20. Lower it, or "
        "validation_fraction."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        ranker.fit(X, y, qid)


def test_warm_start_without_more_trees():
    """What to do is said; nothing is lost."""
    X, y, qid = np.arange(40.0)[:, None], np.arange(40) % 3, np.arange(40) // 8
    ranker = LambdaMARTRanker(
        n_estimators=2, n_jobs=1, min_child_samples=2, warm_start=True
    ).fit(X, y, qid)
    message = (
        "n_estimators must be above the number of trees so far to add more with "
        "warm_start; got n_estimators=2 and 2 trees. Raise it before the next fit, or "
        "set warm_start=False to begin again."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(X, y, qid)
    assert ranker.set_params(n_estimators=3).fit(X, y, qid).booster_.num_trees() == 3


def test_aliases_come_from_lightgbm():
    """A synonym that LightGBM adds later is understood."""
    assert lightgbm.basic._ConfigAliases.get("max_bin") == {"max_bin", "max_bins"}
