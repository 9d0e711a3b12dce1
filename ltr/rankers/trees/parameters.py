"""Parameters of LightGBM: names, values and combinations, checked before training."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ltr.arguments import (
    ArgumentError,
    check_choice,
    check_flag,
    check_number,
    check_seed,
    check_verbose,
    check_whole,
)
from ltr.callbacks import check_callbacks
from ltr.losses.declaration import CURVATURE_KINDS
from ltr.rankers.threads import n_threads
from ltr.rankers.trees.losses import LIGHTGBM_OBJECTIVES, is_lightgbm_loss, make_loss
from ltr.rankers.warning import warn

# Well-known settings for ranking, which LGBMRanker takes, too: many small trees with
# large leaves, each of a part of rows and features. Small data needs smaller leaves.
GOOD_SETTINGS: dict[str, Any] = {
    "n_estimators": 400,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_child_samples": 50,
    "colsample_bytree": 0.7,
    "subsample": 0.8,
    "subsample_freq": 1,
}
# With fewer feature values than this, one thread is faster than several.
ONE_THREAD_BELOW = 2_000_000
# Parameters of the ranker by LightGBM's names for them.
TRANSLATED = {
    "lambdarank_truncation_level": "truncation_level",
    "lambdarank_norm": "norm",
    "lambdarank_position_bias_regularization": "position_bias_regularization",
    "learning_rate": "learning_rate",
    "num_leaves": "num_leaves",
    "max_depth": "max_depth",
    "min_data_in_leaf": "min_child_samples",
    "min_sum_hessian_in_leaf": "min_child_weight",
    "min_gain_to_split": "min_split_gain",
    "bagging_fraction": "subsample",
    "bagging_freq": "subsample_freq",
    "feature_fraction": "colsample_bytree",
    "lambda_l1": "reg_alpha",
    "lambda_l2": "reg_lambda",
}
_SET_BY = TRANSLATED | {
    "objective": "loss",
    "metric": "metric",
    "eval_at": "metric",
    "label_gain": "label_gain",
    "num_iterations": "n_estimators",
    "early_stopping_round": "n_iter_no_change",
    "categorical_feature": "categorical_features",
    "num_threads": "n_jobs",
    "seed": "random_state",
    "verbosity": "verbose",
}
_WITHOUT_EFFECT = {
    "LightGBM's command line": (
        "config task data valid input_model output_model snapshot_freq header "
        "label_column weight_column group_column ignore_column two_round save_binary "
        "precise_float_parser parser_config_file pre_partition convert_model "
        "convert_model_language output_result"
    ),
    "LightGBM's predict": (
        "start_iteration_predict num_iteration_predict predict_raw_score "
        "predict_leaf_index predict_contrib predict_disable_shape_check "
        "pred_early_stop pred_early_stop_freq pred_early_stop_margin refit_decay_rate"
    ),
    "LightGBM's own metrics": (
        "metric_freq is_provide_training_metric multi_error_top_k auc_mu_weights "
        "first_metric_only early_stopping_min_delta"
    ),
    "other objectives": (
        "num_class is_unbalance scale_pos_weight alpha fair_c poisson_max_delta_step "
        "tweedie_variance_power pos_bagging_fraction neg_bagging_fraction"
    ),
    "training on several machines": (
        "tree_learner top_k num_machines local_listen_port time_out "
        "machine_list_filename machines"
    ),
}
_CHOICES = {
    "boosting": ("gbdt", "gbrt", "rf", "random_forest", "dart", "goss"),
    "data_sample_strategy": ("bagging", "goss"),
    "device_type": ("cpu", "gpu", "cuda"),
    "monotone_constraints_method": ("basic", "intermediate", "advanced"),
}
_FILES = ("forcedsplits_filename", "forcedbins_filename")
_DARTS = "drop_rate max_drop skip_drop xgboost_dart_mode uniform_drop drop_seed"
_QUANTIZED = "num_grad_quant_bins quant_train_renew_leaf stochastic_rounding"
_IN_JAX = "a loss of ltr.losses.LOSSES that is not LightGBM's own"
_OF_LAMBDARANK = "truncation_level norm position_bias_regularization sigmoid"
# Without which setting a parameter has no effect.
_NEEDS = {
    **dict.fromkeys(_DARTS.split(), "boosting='dart'"),
    **dict.fromkeys(_QUANTIZED.split(), "use_quantized_grad=True"),
    **dict.fromkeys(_OF_LAMBDARANK.split(), "loss='lambdarank'"),
    "top_rate": "data_sample_strategy='goss'",
    "other_rate": "data_sample_strategy='goss'",
    "linear_lambda": "linear_tree=True",
    "extra_seed": "extra_trees=True",
    "monotone_constraints_method": "monotone_constraints",
    "monotone_penalty": "monotone_constraints",
    "objective_seed": "loss='xe_ndcg'",
    "reg_sqrt": "loss='mse'",
    "boost_from_average": "loss='mse'",
    "label_gain": "loss='lambdarank' or 'xe_ndcg'",
    "bagging_by_query": "subsample < 1",
    "curvature": _IN_JAX,
    "normalize": _IN_JAX,
    "learning_rate": "another boosting than 'rf'",
    "n_iter_no_change": "X_val, or early_stopping=True",
    "validation_fraction": "early_stopping=True, without X_val",
}
_NO_BOOLEAN = re.compile(r'Parameter (\w+) should be "true".* got "(.*)"')
_NO_NUMBER = re.compile(r'Parameter (\w+) should be of type (\w+), got "(.*)"')
_OUT_OF_RANGE = re.compile(r"Check failed: \((\w+)\) ([<>=!]+) \((.+?)\) at ")
_WRONG_LENGTH = re.compile(r"Check failed: .*config_?(?:->|\.)(\w+)\.size\(\)")
_SIGNS = (-1, 0, 1)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise if a parameter of a LambdaMARTRanker is of the wrong kind or out of range.

    Parameters
    ----------
    parameters : mapping of str to object
        From ``get_params`` of the ranker.
    """
    if not is_lightgbm_loss(parameters["loss"]):
        make_loss(parameters["loss"])
    check_choice("curvature", parameters["curvature"], ("auto", *CURVATURE_KINDS))
    check_choice("normalize", parameters["normalize"], (True, False))
    check_choice("importance_type", parameters["importance_type"], ("split", "gain"))
    check_number("learning_rate", parameters["learning_rate"], low=0.0, open_low=True)
    for name, low in (
        ("truncation_level", 1),
        ("n_estimators", 1),
        ("num_leaves", 2),
        ("max_depth", -1),
        ("min_child_samples", 0),
        ("subsample_freq", 0),
        ("n_iter_no_change", 1),
    ):
        check_whole(name, parameters[name], low=low)
        check_whole(name, parameters[name], high=2**31 - 1)
    for name in (
        "min_child_weight",
        "min_split_gain",
        "reg_alpha",
        "reg_lambda",
        "position_bias_regularization",
    ):
        check_number(name, parameters[name], low=0.0)
    for name in ("subsample", "colsample_bytree"):
        check_number(name, parameters[name], low=0.0, high=1.0, open_low=True)
    check_choice("norm", parameters["norm"], (True, False))
    check_choice("warm_start", parameters["warm_start"], (True, False))
    n_threads(parameters["n_jobs"])
    check_seed("random_state", parameters["random_state"])
    check_verbose(parameters["verbose"])
    check_flag("refit", parameters.get("refit", False))
    check_callbacks(parameters.get("callbacks"))


def lightgbm_params(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the parameters of a LambdaMARTRanker to LightGBM's names.

    Parameters
    ----------
    parameters : mapping of str to object
        From ``get_params`` of the ranker, checked.

    Returns
    -------
    params : dict of str to object
        All but the objective and the seed; of LightGBM's synonyms the first.

    Raises
    ------
    ArgumentError
        If ``extra_params`` has a name that LightGBM does not know or that has no effect
        here, sets what a parameter of the ranker sets, or has a value that LightGBM
        would misread.
    """
    params: dict[str, Any] = {
        name: parameters[parameter] for name, parameter in TRANSLATED.items()
    }
    if parameters["subsample"] < 1 and not parameters["subsample_freq"]:
        params["bagging_freq"] = 1
    params |= {
        "metric": "None",
        "num_threads": n_threads(parameters["n_jobs"]),
        "verbosity": -1,
        **_check_extra_params(parameters["extra_params"], parameters),
    }
    if (
        is_forest(params)
        and parameters["subsample"] == parameters["colsample_bytree"] == 1
    ):
        raise ArgumentError(
            "boosting='rf' needs subsample or colsample_bytree below 1, or all trees "
            "are the same; got 1 for both. Lower one of them."
        )
    if is_forest(params) and not is_lightgbm_loss(parameters["loss"]):
        names = ", ".join(map(repr, LIGHTGBM_OBJECTIVES))
        raise ArgumentError(
            f"boosting='rf' needs one of LightGBM's own losses, {names}; got "
            f"loss={parameters['loss']!r}. Set one of them, or another boosting."
        )
    if _samples_gradients(params) and parameters["subsample"] < 1:
        raise ArgumentError(
            "data_sample_strategy='goss' draws the rows itself, by their gradients; "
            f"got subsample={parameters['subsample']!r}. Leave one of them out."
        )
    return params


def _check_extra_params(
    extra_params: Any, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """``extra_params`` by LightGBM's first names."""
    if extra_params is None:
        return {}
    if not isinstance(extra_params, Mapping):
        raise ArgumentError(
            "extra_params must be a dict of LightGBM's parameters, such as "
            f"{{'max_bin': 63}}; got {extra_params!r}."
        )
    first_names = _first_names()
    names: dict[str, str] = {}
    for name, value in extra_params.items():
        canonical = first_names.get(name)
        parameter = name if name in parameters else _SET_BY.get(canonical or "")
        if parameter is not None:
            raise ArgumentError(
                f"extra_params sets {name!r}, which is the parameter {parameter!r} "
                "of the ranker. Set that instead."
            )
        if canonical is None:
            raise ArgumentError(_unknown_names(extra_params, first_names))
        for purpose, idle in _WITHOUT_EFFECT.items():
            if canonical in idle.split():
                raise ArgumentError(
                    f"extra_params sets {name!r}, which is for {purpose} and has no "
                    "effect here. Leave it out."
                )
        if canonical in names:
            raise ArgumentError(
                f"extra_params must set each parameter once; got {names[canonical]!r} "
                f"and {name!r}, which are one. Leave one of them out."
            )
        names[canonical] = name
        if value is not None:  # LightGBM's default
            _check_value(canonical, value)
    return {
        canonical: str(extra_params[name])
        if canonical in _FILES
        else extra_params[name]
        for canonical, name in names.items()
        if extra_params[name] is not None
    }


def _unknown_names(extra_params: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What to say of names that LightGBM does not know: each with the nearest."""
    listed = []
    for name in extra_params:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.7)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            listed.append(f"{name!r}{hint}")
    return (
        f"extra_params must have names of LightGBM's parameters; got "
        f"{' and '.join(listed)}. LightGBM would ignore what it does not know."
    )


def _first_names() -> dict[str, str]:
    """All names of LightGBM's parameters, with their first synonym."""
    from lightgbm.basic import _ConfigAliases

    _ConfigAliases.get("num_iterations")  # reads the table from the library
    synonyms = _ConfigAliases.aliases or {}
    return {name: first for first, names in synonyms.items() for name in names}


def _check_value(name: str, value: Any) -> None:
    """Raise where LightGBM would take something else than ``value`` in silence."""
    if name in _FILES:
        if not (isinstance(value, (str, Path)) and Path(value).is_file()):
            raise _wrong_value(name, "must be the path of a file", value)
    elif name in _CHOICES:
        check_choice(f"extra_params: {name}", value, _CHOICES[name])
    elif name == "interaction_constraints":
        if not _is_list(value) or not all(_is_list(group) for group in value):
            raise _wrong_value(name, "must be lists of column indices", value)
    elif name == "monotone_constraints":
        if not _is_list(value) or not all(
            np.isscalar(v) and v in _SIGNS for v in value
        ):
            raise _wrong_value(name, "must have 1, -1 or 0 for each column of X", value)
    elif _is_list(value):
        if not len(value) or not all(_is_number(entry) for entry in value):
            raise _wrong_value(name, "must have numbers only", value)
    elif isinstance(value, str):
        if re.search(r"[\s=]", value):
            raise _wrong_value(name, "must not have spaces or '='", value)
    elif not _is_number(value) and not isinstance(value, (bool, np.bool_)):
        raise _wrong_value(
            name, "must be a string, number, boolean or list of numbers", value
        )
    elif abs(value) >= 2**31 and not isinstance(value, (float, np.floating)):
        raise _wrong_value(name, "must be below 2^31", value)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) != 0


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, (int, float, np.integer, np.floating))
    return is_real and not isinstance(value, bool)


def _wrong_value(name: str, need: str, value: Any) -> ArgumentError:
    return ArgumentError(f"extra_params: {name} {need}; got {value!r}.")


def check_interactions(params: Mapping[str, Any], n_features: int) -> None:
    """Raise if ``interaction_constraints`` names a column that ``X`` does not have."""
    groups = params.get("interaction_constraints") or ()
    for column in (column for group in groups for column in group):
        if not (isinstance(column, (int, np.integer)) and 0 <= column < n_features):
            raise _wrong_value(
                "interaction_constraints",
                f"must have columns of X, 0 to {n_features - 1}",
                column,
            )


@contextmanager
def lightgbm_errors(params: Mapping[str, Any]) -> Iterator[None]:
    """Turn LightGBM's errors about values of parameters into ours.

    Parameters
    ----------
    params : mapping of str to object
        What LightGBM is given.
    """
    from lightgbm.basic import LightGBMError

    try:
        yield
    except LightGBMError as error:
        raise ArgumentError(_in_our_words(str(error).strip(), params)) from error


def _in_our_words(message: str, params: Mapping[str, Any]) -> str:
    if match := _NO_NUMBER.search(message):
        kind = "a whole number" if match[2] == "int" else "a number"
        return f"extra_params: {match[1]} must be {kind}; got {params[match[1]]!r}."
    if match := _NO_BOOLEAN.search(message):
        return (
            f"extra_params: {match[1]} must be True or False; got {params[match[1]]!r}."
        )
    if (match := _OUT_OF_RANGE.search(message)) and match[1] in params:
        name = TRANSLATED.get(match[1]) or f"extra_params: {match[1]}"
        limit = match[3].removesuffix(".0")
        return f"{name} must be {match[2]} {limit}; got {params[match[1]]!r}."
    if (match := _WRONG_LENGTH.search(message)) and match[1] in params:
        return (
            f"extra_params: {match[1]} must have one entry per column of X; got "
            f"{params[match[1]]!r}."
        )
    if match := re.search(r"Unknown token (\S+) in data file", message):
        for name, value in params.items():
            if name not in _SET_BY and match[1].lower() == str(value).lower():
                return f"extra_params: {name} must be a number; got {value!r}."
    reason = re.sub(r" at \S+, line \d+ ?\.?$", "", " ".join(message.split())).rstrip(
        "."
    )
    return f"LightGBM refuses its parameters or data: {reason}. Check extra_params."


def warn_without_effect(
    parameters: Mapping[str, Any],
    params: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    has_position: bool,
    has_validation: bool,
    holds_out: bool,
) -> None:
    """Warn of parameters that do nothing in combination with the others.

    Parameters
    ----------
    parameters, params : mapping of str to object
        The ranker's and LightGBM's.
    defaults : mapping of str to object
        Defaults of the ranker's.
    has_position, has_validation : bool
        Whether ``fit`` was given positions, and validation rows.
    holds_out : bool
        Whether it holds out queries to validate on.
    """
    in_jax = not is_lightgbm_loss(loss := parameters["loss"])
    on = {
        "boosting='dart'": params.get("boosting") == "dart",
        "use_quantized_grad=True": bool(params.get("use_quantized_grad")),
        "data_sample_strategy='goss'": _samples_gradients(params),
        "another boosting than 'rf'": not is_forest(params),
        "linear_tree=True": bool(params.get("linear_tree")),
        "extra_trees=True": bool(params.get("extra_trees")),
        "monotone_constraints": params.get("monotone_constraints") is not None,
        "loss='lambdarank' or 'xe_ndcg'": not in_jax and loss != "mse",
        _IN_JAX: in_jax,
        "subsample < 1": params["bagging_fraction"] < 1,
        "X_val, or early_stopping=True": has_validation or holds_out,
        "early_stopping=True, without X_val": holds_out,
        **{
            f"loss={name!r}": not in_jax and loss == name
            for name in LIGHTGBM_OBJECTIVES
        },
    }
    settings = {name: params[name] for name in params if name not in _SET_BY} | {
        name: value
        for name, value in parameters.items()
        if not (value is defaults[name] or _is_equal(value, defaults[name]))
    }
    for name, value in settings.items():
        need = _NEEDS.get(name)
        if name == "position_bias_regularization" and not has_position:
            need = "position in fit"
        if need is not None and not on.get(need, False):
            warn(
                f"{name}={value!r} has no effect: it needs {need}. Set that, or leave "
                f"{name} out."
            )


def is_forest(params: Mapping[str, Any]) -> bool:
    """Whether trees are averaged, not added."""
    return params.get("boosting") in ("rf", "random_forest")


def _samples_gradients(params: Mapping[str, Any]) -> bool:
    return "goss" in (params.get("boosting"), params.get("data_sample_strategy"))


def _is_equal(value: Any, default: Any) -> bool:
    return type(value) is type(default) and np.ndim(value) == 0 and value == default
