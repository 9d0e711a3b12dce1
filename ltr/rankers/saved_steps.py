"""Steps of saved pipelines as JSON and arrays: scalers, imputers, selected columns."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_choice, check_whole
from ltr.rankers.saved_columns import (
    INDICATOR,
    check_imputer,
    describe_imputer,
    fit_again,
    n_outputs,
)
from ltr.rankers.saved_fields import check_column_names, check_keys, check_names


class StepKind(NamedTuple):
    """What a fitted step consists of.

    Attributes
    ----------
    module : str
        Where its class is.
    arrays : tuple of str
        Attributes with a number for each feature, or None.
    is_by_query : bool
        Whether it scales within the query, and has learned no numbers.
    """

    module: str
    arrays: tuple[str, ...]
    is_by_query: bool = False


STEPS = {
    "MaxAbsScaler": StepKind("sklearn.preprocessing", ("scale_", "max_abs_")),
    "MinMaxScaler": StepKind(
        "sklearn.preprocessing",
        ("min_", "scale_", "data_min_", "data_max_", "data_range_"),
    ),
    "QueryMinMaxScaler": StepKind("ltr.model_selection", (), True),
    "QueryStandardScaler": StepKind("ltr.model_selection", (), True),
    "RobustScaler": StepKind("sklearn.preprocessing", ("center_", "scale_")),
    "SimpleImputer": StepKind("sklearn.impute", ("statistics_",)),
    "StandardScaler": StepKind("sklearn.preprocessing", ("mean_", "var_", "scale_")),
    "VarianceThreshold": StepKind("sklearn.feature_selection", ("variances_",)),
}
_SELECTS = ("SimpleImputer", "VarianceThreshold")  # steps that may leave columns out
_FIELDS = {"name", "class", "parameters", "n_features"}
_FIELDS |= {"fitted_with_qid", "column_names"}  # of scalers within the query
_COUNTS = "n_samples_seen_"
# arrays that a step applies: always, or if a parameter is True
_ALWAYS = {
    "MaxAbsScaler": ("scale_",),
    "MinMaxScaler": ("min_", "scale_"),
    "VarianceThreshold": ("variances_",),
}
_FLAGS: dict[str, dict[str, str | None]] = {
    "MinMaxScaler": {"clip": None},
    "RobustScaler": {"with_centering": "center_", "with_scaling": "scale_"},
    "StandardScaler": {"with_mean": "mean_", "with_std": "scale_"},
}


def describe_steps(
    steps: list[tuple[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The steps before the ranker, as JSON and arrays.

    Parameters
    ----------
    steps : list of (str, transformer)
        Fitted; ``"passthrough"`` and None are left out.

    Returns
    -------
    documents : list of dict
        For :func:`json.dumps`.
    arrays : dict of str to array
        ``step0_mean_`` and so on.

    Raises
    ------
    ValueError
        If a step is none of :data:`STEPS`.
    """
    documents: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for name, step in steps:
        if step is None or isinstance(step, str):
            continue
        kind = STEPS.get(type(step).__name__)
        if kind is None or not _is_of(step, kind):
            raise ValueError(
                f"step {name!r} must be one of {', '.join(STEPS)} to be saved; got "
                f"{type(step).__name__}. Pickle the pipeline."
            )
        prefix = f"step{len(documents)}_"
        parameters = step.get_params(deep=False)
        fitted: dict[str, NDArray[Any]] = {}
        if type(step).__name__ == "SimpleImputer":
            parameters, fitted = describe_imputer(step)
        document = {
            "name": name,
            "class": type(step).__name__,
            "parameters": {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in parameters.items()
            },
            "n_features": int(step.n_features_in_),
        }
        if kind.is_by_query:
            document["fitted_with_qid"] = bool(step._fitted_with_qid)
            if step._column_names is not None:
                document["column_names"] = list(step._column_names)
        for key in (*kind.arrays, _COUNTS):
            value = fitted.pop(key, getattr(step, key, None))
            if value is not None:
                arrays[f"{prefix}{key}"] = np.asarray(value)
        arrays |= {f"{prefix}{key}": value for key, value in fitted.items()}
        if hasattr(step, "feature_names_in_"):
            names = np.asarray(step.feature_names_in_, dtype=str)
            arrays[f"{prefix}feature_names_in_"] = names
        documents.append(document)
    return documents, arrays


class SavedStep(NamedTuple):
    """A step as it was saved, checked.

    Attributes
    ----------
    name, class_name : str
        Name in the pipeline, and class.
    parameters : dict of str to object
        Of the class.
    n_features : int
        Number of features.
    arrays : dict of str to array or None
        Its fitted attributes.
    feature_names : object array of shape (n_features,) or None
        Column names.
    column_names : list or None
        Column names of a scaler within the query.
    fitted_with_qid : bool
        Whether such a scaler needs a qid.
    """

    name: str
    class_name: str
    parameters: dict[str, Any]
    n_features: int
    arrays: dict[str, NDArray[Any] | None]
    feature_names: NDArray[Any] | None
    column_names: list[Any] | None
    fitted_with_qid: bool

    @property
    def n_outputs(self) -> int:
        """Number of features that it returns."""
        if self.class_name not in _SELECTS:
            return self.n_features
        return n_outputs(self.class_name, self.parameters, self.arrays)


def read_steps(documents: Any, arrays: dict[str, NDArray[Any]]) -> list[SavedStep]:
    """Reverse :func:`describe_steps`, but for the objects.

    Parameters
    ----------
    documents : object
        From JSON.
    arrays : dict of str to array
        Those of the steps are removed.

    Returns
    -------
    steps : list of SavedStep

    Raises
    ------
    ValueError
        If a field is missing, of the wrong kind, or out of range.
    """
    if not isinstance(documents, list):
        raise ValueError(f"steps must be a list; got {documents!r:.100}.")
    steps = [_read_step(i, document, arrays) for i, document in enumerate(documents)]
    check_step_names([step.name for step in steps])
    for step, following in pairwise(steps):
        if step.n_outputs != following.n_features:
            raise ValueError(
                f"step {following.name!r} must take the {step.n_outputs} features that "
                f"step {step.name!r} returns; got {following.n_features}."
            )
    return steps


def _read_step(
    number: int, document: Any, arrays: dict[str, NDArray[Any]]
) -> SavedStep:
    check_keys(f"step {number}", document, _FIELDS)
    class_name, n_features = document["class"], document["n_features"]
    check_choice(f"class of step {number}", class_name, tuple(STEPS))
    check_whole("n_features of a step", n_features, low=1, high=2**31 - 1)
    if not isinstance(document["name"], str):
        raise ValueError(f"a step must have a name; got {document['name']!r:.100}.")
    parameters = document["parameters"]
    if not isinstance(parameters, dict):
        raise ValueError(f"parameters must be an object; got {parameters!r:.100}.")
    prefix = f"step{number}_"
    fitted = {
        key: arrays.pop(f"{prefix}{key}", None) for key in STEPS[class_name].arrays
    }
    for key, array in fitted.items():
        _check_array(key, array, n_features)
    if class_name == "SimpleImputer":
        fitted[INDICATOR] = arrays.pop(f"{prefix}{INDICATOR}", None)
        check_imputer(parameters, fitted, n_features)
    _check_use(class_name, parameters, fitted)
    fitted[_COUNTS] = arrays.pop(f"{prefix}{_COUNTS}", None)
    names = arrays.pop(f"{prefix}feature_names_in_", None)
    columns = document.get("column_names")
    return SavedStep(
        document["name"],
        class_name,
        {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()},
        n_features,
        fitted,
        None if names is None else check_names(names, n_features),
        None if columns is None else check_column_names(columns, n_features),
        bool(document.get("fitted_with_qid", False)),
    )


def check_step_names(names: list[Any]) -> None:
    """Raise unless a pipeline can have steps of these names.

    Examples
    --------
    >>> check_step_names(["standardscaler", "linearranker"])
    """
    is_text = all(isinstance(name, str) and "__" not in name for name in names)
    if not is_text or len(set(names)) < len(names):
        raise ValueError(
            "steps must have distinct names without '__'; got "
            f"{', '.join(map(repr, names)):.100}."
        )


def make_step(step: SavedStep) -> Any:
    """The fitted transformer.

    Raises
    ------
    ValueError
        If a parameter is invalid.
    """
    kind = STEPS[step.class_name]
    transformer = getattr(importlib.import_module(kind.module), step.class_name)()
    if step.class_name == "SimpleImputer":
        fit_again(transformer, step.parameters, step.arrays, step.n_features)
        if step.feature_names is not None:
            transformer.feature_names_in_ = step.feature_names
        return transformer
    transformer.set_params(**step.parameters)
    if hasattr(transformer, "_parameter_constraints"):
        transformer._validate_params()
    transformer.n_features_in_ = step.n_features
    if step.feature_names is not None:
        transformer.feature_names_in_ = step.feature_names
    if kind.is_by_query:
        transformer._fitted_with_qid = step.fitted_with_qid
        transformer._column_names = step.column_names
        return transformer
    for key, array in step.arrays.items():
        if key == _COUNTS and array is None:
            continue
        if array is not None and array.ndim == 0:
            setattr(transformer, key, array.item())
        else:
            setattr(transformer, key, array)
    return transformer


def _check_array(key: str, array: NDArray[Any] | None, n_features: int) -> None:
    if array is None:
        return
    kinds = "fiu" if key == "statistics_" else "f"
    if array.shape != (n_features,) or array.dtype.kind not in kinds:
        raise ValueError(
            f"{key} of a step must have one number a feature, {n_features}; got "
            f"{array.dtype} of shape {array.shape}."
        )
    is_missing = np.isnan(array)  # of a column without a value
    if np.isinf(array).any() or (key == "scale_" and (array == 0).any()):
        raise ValueError(
            f"{key} of a step must be finite; got {array[~is_missing]!r:.100}."
        )


def _check_use(
    class_name: str, parameters: dict[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Raise unless a step has the parameters and arrays that it applies."""
    needed = list(_ALWAYS.get(class_name, ()))
    for flag, key in _FLAGS.get(class_name, {}).items():
        if not isinstance(parameters.get(flag), bool):
            raise ValueError(
                f"{flag} of a {class_name} must be true or false; got "
                f"{parameters.get(flag)!r:.100}."
            )
        if parameters[flag] and key is not None:
            needed.append(key)
    for key in needed:
        if arrays[key] is None:
            raise ValueError(f"a {class_name} must have {key}; got none.")
    threshold = parameters.get("threshold")
    if class_name == "VarianceThreshold" and type(threshold) not in (int, float):
        raise ValueError(
            "threshold of a VarianceThreshold must be a number; got "
            f"{threshold!r:.100}."
        )
    if class_name == "MinMaxScaler":
        ends = parameters.get("feature_range")
        kinds = [type(end) for end in ends] if isinstance(ends, (list, tuple)) else []
        if len(kinds) != 2 or not {*kinds} <= {int, float}:
            raise ValueError(
                f"feature_range of a MinMaxScaler must be two numbers; got "
                f"{ends!r:.100}."
            )


def _is_of(step: Any, kind: StepKind) -> bool:
    module: Mapping[str, Any] = vars(importlib.import_module(kind.module))
    return module.get(type(step).__name__) is type(step)
