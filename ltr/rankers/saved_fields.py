"""What ``ranker.json`` may hold: names, types, ranges, and how they fit together.

A checksum only tells that nothing changed by accident. These checks keep a document
that somebody wrote by hand, or forged, from an error or a crash at prediction time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_choice, check_number, check_whole
from ltr.rankers.neural.scaling import FeatureScaling, ListScaling, Scaling
from ltr.rankers.saved_functions import is_function

if TYPE_CHECKING:
    from ltr.rankers.trees.feature_tables import Categories
    from ltr.training.pair_table import PairScaling

_WITHIN_LISTS = "within_lists"  # an array of this name: z-scores within the list


def check_keys(name: str, value: Any, expected: set[str]) -> dict[str, Any]:
    """Return a JSON object whose keys are all expected.

    Parameters
    ----------
    name : str
        Name of the field.
    value : object
        From JSON.
    expected : set of str
        The keys that it may have.

    Returns
    -------
    value : dict

    Raises
    ------
    ValueError
        If it is no object, or has another key.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object; got {value!r:.100}.")
    for key in value:
        if key not in expected:
            raise ValueError(
                f"{name} must have the keys {', '.join(sorted(expected))} only; got "
                f"{key!r:.100}."
            )
    return value


def check_attributes(
    attributes: Mapping[str, Any], required: tuple[str, ...]
) -> Mapping[str, Any]:
    """Return the fitted attributes, each of its type and in its range.

    Parameters
    ----------
    attributes : mapping of str to object
        From JSON.
    required : tuple of str
        Those that the class cannot predict without.

    Returns
    -------
    attributes : mapping

    Raises
    ------
    ValueError
        If one is missing, or not what ``fit`` sets.
    """
    for name in required:
        if name not in attributes:
            raise ValueError(
                f"attributes must have {name}, without which no ranker predicts."
            )
    for name, value in attributes.items():
        _CHECKS[name](name, value)
    n_features = attributes.get("n_features_in_", 1)
    for column in (0, *attributes.get("columns_", ())):
        check_whole("a column in columns_", column, low=0, high=n_features - 1)
    check_whole("feature_", attributes.get("feature_", 0), low=0, high=n_features - 1)
    return attributes


def check_names(names: NDArray[Any], n_features: int) -> NDArray[Any]:
    """Return the names of the features as ``fit`` sets them.

    Parameters
    ----------
    names : array
        As saved.
    n_features : int
        How many there must be.

    Returns
    -------
    names : object array of shape (n_features,)

    Raises
    ------
    ValueError
        If they are no text, repeated, or of another number.
    """
    if names.dtype.kind != "U" or names.shape != (n_features,):
        raise ValueError(
            f"feature_names_in_ must be {n_features} names; got {names.dtype} of shape "
            f"{names.shape}."
        )
    if len(set(names.tolist())) < n_features:
        raise ValueError("feature_names_in_ must be distinct; one is repeated.")
    return names.astype(object)


def check_column_names(names: Any, n_features: int) -> list[Any]:
    """Return the names of columns that are not all text, as ``fit`` sets them.

    Parameters
    ----------
    names : object
        From JSON.
    n_features : int
        How many there must be.

    Returns
    -------
    names : list
        Lists are tuples: levels of a name.

    Raises
    ------
    ValueError
        If they are of another number, repeated, or neither text nor numbers.
    """
    if not isinstance(names, list) or len(names) != n_features:
        raise ValueError(
            f"column_names must be {n_features} names; got {names!r:.100}."
        )
    columns = [tuple(name) if isinstance(name, list) else name for name in names]
    for name in columns:
        for level in name if isinstance(name, tuple) else (name,):
            if level is not None and not isinstance(level, (str, bool, int, float)):
                raise ValueError(
                    f"column_names must be text or numbers; got {level!r:.100}."
                )
    if len(set(columns)) < n_features:
        raise ValueError("column_names must be distinct; one is repeated.")
    return columns


def scaling_arrays(scaling: Scaling | None) -> dict[str, Any]:
    """Return the feature scaling as :func:`check_scaling` reads it.

    Parameters
    ----------
    scaling : FeatureScaling, ListScaling or None
        What the features go through.

    Returns
    -------
    arrays : dict of str to array
        With ``log_features``, ``mean`` and ``scale``, or one that says that features
        are scaled within their list; empty if they are not scaled.
    """
    if isinstance(scaling, ListScaling):
        return {_WITHIN_LISTS: np.True_}
    return {} if scaling is None else dict(vars(scaling))


def check_numbers(name: str, array: NDArray[Any] | None, n_numbers: int) -> Any:
    """Return a fitted array with a finite number for each feature.

    Parameters
    ----------
    name : str
        Name of the attribute.
    array : array or None
        As saved; None if there is none.
    n_numbers : int
        How many there must be.

    Returns
    -------
    array : float array of shape (n_numbers,)

    Raises
    ------
    ValueError
        If it is missing, or something else.
    """
    if array is None or array.dtype != np.float64 or array.shape != (n_numbers,):
        raise ValueError(
            f"{name} must be {n_numbers} numbers of type float64; got {array!r:.100}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array.tolist()!r:.100}.")
    return array


def check_scaling(
    arrays: Mapping[str, NDArray[Any]], n_features: int
) -> Scaling | None:
    """Return the feature scaling, one finite entry a feature.

    Parameters
    ----------
    arrays : mapping of str to array
        Of :func:`scaling_arrays`.
    n_features : int
        Number of features.

    Returns
    -------
    scaling : FeatureScaling, ListScaling or None

    Raises
    ------
    ValueError
        If an array is missing, or of another kind.
    """
    if not arrays:
        return None
    if set(arrays) == {_WITHIN_LISTS}:
        mark = arrays[_WITHIN_LISTS]
        if mark.shape != () or mark.dtype.kind != "b" or not mark:
            raise ValueError(f"{_WITHIN_LISTS} must be True; got {mark!r:.100}.")
        return ListScaling()
    kinds = {"log_features": "b", "mean": "f", "scale": "f"}
    for name in arrays:
        if name not in kinds:
            raise ValueError(f"arrays.npz has {name!r:.100}, which no ranker has.")
    for name, kind in kinds.items():
        _check_entries(name, arrays.get(name), n_features, "feature", kind)
    if (arrays["scale"] <= 0).any():
        raise ValueError("scale must be > 0; got a smaller entry.")
    return FeatureScaling(**{name: arrays[name] for name in kinds})


def check_pair_scaling(
    arrays: dict[str, NDArray[Any]], n_features: int
) -> PairScaling | None:
    """Take the scaling of the features of pairs out of the saved arrays.

    Parameters
    ----------
    arrays : dict of str to array
        With ``pair_mean`` and ``pair_scale``, which are removed, or neither.
    n_features : int
        Number of features of a pair.

    Returns
    -------
    scaling : PairScaling or None

    Raises
    ------
    ValueError
        If an array is missing, of another kind, or unexpected.
    """
    if "pair_mean" not in arrays and "pair_scale" not in arrays:
        return None
    from ltr.training.pair_table import PairScaling

    mean, scale = (
        _check_entries(name, arrays.pop(name, None), n_features, "feature of pairs")
        for name in ("pair_mean", "pair_scale")
    )
    if (scale <= 0).any():
        raise ValueError("pair_scale must be > 0; got a smaller entry.")
    return PairScaling(mean, scale)


def _check_entries(
    name: str, array: NDArray[Any] | None, n_entries: int, unit: str, kind: str = "f"
) -> NDArray[Any]:
    """Return an array of shape (n_entries,), finite, and of this kind of dtype."""
    if array is None or array.shape != (n_entries,) or array.dtype.kind != kind:
        culprit = (
            "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        )
        raise ValueError(
            f"{name} must have one entry a {unit}, {n_entries}; got {culprit}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array.tolist()!r:.100}.")
    return array


def check_count(n: int, expected: int, what: str) -> None:
    """Raise unless the parts of a saved blend fit together.

    Parameters
    ----------
    n, expected : int
        How many there are, and how many there must be.
    what : str
        Of what, in the plural.

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    if n != expected:
        raise ValueError(
            f"the saved blend must have {expected} {what}; got {n}. Save it again."
        )


def check_categories(document: Any, n_features: int) -> Categories:
    """Return the categories of a saved table.

    Parameters
    ----------
    document : object
        From JSON.
    n_features : int
        Number of columns.

    Returns
    -------
    categories : Categories

    Raises
    ------
    ValueError
        If a column is out of range or repeated, or a category is.
    """
    from ltr.rankers.trees.feature_tables import Categories

    check_keys("categories", document, {"columns", "values"})
    columns = _columns("categories.columns", document.get("columns"), n_features)
    values = document.get("values")
    if values is None:
        return Categories(columns, None)
    if not isinstance(values, list) or any(
        not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], list)
        for pair in values
    ):
        raise ValueError(
            "categories.values must be pairs of a column and a list; got "
            f"{values!r:.100}."
        )
    _columns("categories.values", [pair[0] for pair in values], n_features)
    by_column = {}
    for column, items in values:
        name = f"categories.values of column {column}"
        for item in items:
            if not isinstance(item, (str, bool, int, float)):
                raise ValueError(
                    f"{name} must be strings, numbers or booleans; got {item!r:.100}."
                )
        by_column[column] = tuple(items)
        if len(set(by_column[column])) < len(items):
            raise ValueError(f"{name} must be distinct; one is repeated.")
    return Categories(columns, by_column)


def _columns(name: str, columns: Any, n_features: int) -> tuple[int, ...]:
    if not isinstance(columns, list):
        raise ValueError(f"{name} must be a list of columns; got {columns!r:.100}.")
    for column in columns:
        check_whole(f"a column in {name}", column, low=0, high=n_features - 1)
    if len(set(columns)) < len(columns):
        raise ValueError(f"{name} must be distinct columns; got {columns!r:.100}.")
    return tuple(columns)


def _texts(name: str, value: Any) -> None:
    is_list = isinstance(value, list) and all(isinstance(v, str) for v in value)
    if not is_list or not value or len(set(value)) < len(value):
        raise ValueError(f"{name} must be distinct names; got {value!r:.100}.")


def _weights(name: str, value: Any) -> None:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be numbers; got {value!r:.100}.")
    for weight in value:
        check_number("a weight", weight, low=0.0)
    if not sum(value):
        raise ValueError(f"{name} must have a number above 0; got {value!r:.100}.")


def _leaderboard(name: str, value: Any) -> None:
    columns = {"member", "score", "low", "high", "seconds", "status"}
    rows: list[Any] = value if isinstance(value, list) else [None]
    for row in rows:
        is_row = isinstance(row, dict) and set(row) == columns
        if not is_row or not all(
            isinstance(v, str) if key in ("member", "status") else _is_number(v)
            for key, v in row.items()
        ):
            raise ValueError(
                f"{name} must be rows with {', '.join(sorted(columns))}; got "
                f"{row!r:.100}."
            )


def _reasons(name: str, value: Any) -> None:
    if not isinstance(value, dict) or not all(
        isinstance(reason, str) for reason in value.values()
    ):
        raise ValueError(f"{name} must be reasons by name; got {value!r:.100}.")


def _increasing(name: str, value: Any) -> None:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name} must be columns; got {value!r:.100}.")
    for column in value:
        check_whole(name, column, low=0)
    if sorted(set(value)) != value:
        raise ValueError(f"{name} must ascend; got {value!r:.100}.")


def _whole(low: int) -> Callable[[str, Any], object]:
    return lambda name, value: check_whole(name, value, low=low, high=2**31 - 1)


def _score(name: str, value: Any) -> None:
    if not _is_number(value) and value is not None:
        raise ValueError(f"{name} must be a number; got {value!r:.100}.")


def _history(name: str, value: Any) -> None:
    if not isinstance(value, dict) or any(
        not isinstance(column, list) or not all(map(_is_number, column))
        for column in value.values()
    ):
        raise ValueError(
            f"{name} must be lists of numbers by name; got {value!r:.100}."
        )


def _decoder(name: str, value: Any) -> None:
    from ltr.rankers.pairs.decoding import DECODERS

    check_choice(name, value, DECODERS)


def _metric(_: str, value: Any) -> None:
    from ltr.metrics import get_metric

    if not is_function(value):  # one that is not needed to predict stays a name
        get_metric(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[str, Any], object]] = {
    "n_features_in_": _whole(1),
    "_fitted_with_qid": lambda name, value: check_choice(name, value, (True, False)),
    "_zero_based": lambda name, value: check_choice(name, value, (True, False)),
    "alpha_": lambda name, value: check_number(name, value, low=0.0),
    "n_iter_": _whole(0),
    "best_epoch_": _whole(-1),
    "best_score_": _score,
    "history_": _history,
    "_n_pair_features": _whole(0),
    "decoder_": _decoder,
    "feature_": _whole(0),
    "columns_": _increasing,
    "_names": _texts,
    "_rows": _leaderboard,
    "left_out_": _reasons,
    "metric_": _metric,
    "_weights": _weights,
    "direction_": lambda name, value: check_choice(name, value, (1, -1)),
}
