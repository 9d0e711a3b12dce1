"""Weights of queries by id, for runs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, plain
from ltr.files import id_text
from ltr.queries import FloatArray
from ltr.text import excerpt, line_error, open_text

if TYPE_CHECKING:
    import pandas as pd

    Weights: TypeAlias = Mapping[Any, float] | pd.Series[Any] | str | os.PathLike[str]


def read_weights(
    source: Weights | None, *, encoding: str = "utf-8"
) -> dict[str, float] | None:
    """Weights of queries by the text of their ids.

    Parameters
    ----------
    source : {qid: weight}, Series, path or None
        The weights; a file has a query and its weight on each line.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    weights : dict of str to float, or None
        At least 0.

    Raises
    ------
    ValueError
        If a query has two weights, or one that is negative or not finite.

    Examples
    --------
    >>> read_weights({"q1": 3, 2: 0.5})
    {'q1': 3.0, '2': 0.5}
    """
    if source is None:
        return None
    if isinstance(source, (str, os.PathLike)):
        return _read_file(source, encoding)
    is_frame = hasattr(source, "columns")  # its items are columns
    if isinstance(source, Mapping) or (hasattr(source, "iloc") and not is_frame):
        items: Iterable[tuple[Any, Any]] = source.items()
        weights: dict[str, float] = {}
        for qid, weight in items:
            text, value = id_text(qid), _number(weight)
            if value is None:
                raise ValueError(
                    "query_weight must be a finite number >= 0 for each query; got "
                    f"{plain(weight)!r} for {text!r}."
                )
            if text in weights:
                raise ValueError(
                    "query_weight must have one weight for each query; got two for "
                    f"{text!r}."
                )
            weights[text] = value
        return weights
    raise ArgumentError(
        "query_weight must be {qid: weight}, a Series with the queries as its index, "
        f"or the path of a file; got {type(source).__name__}."
    )


def weights_by_id(weights: Mapping[str, float], qids: NDArray[Any]) -> FloatArray:
    """Weight of each query.

    Parameters
    ----------
    weights : mapping of str to float
        From :func:`read_weights`.
    qids : object array of shape (n_queries,)
        Ids of the queries.

    Returns
    -------
    weights : float array of shape (n_queries,)

    Raises
    ------
    ValueError
        If a query has no weight, or all of them have weight 0.

    Examples
    --------
    >>> weights_by_id({"a": 1.0, "b": 2.0}, np.array(["b", "a", "b"]))
    array([2., 1., 2.])
    """
    missing = [qid for qid in qids if qid not in weights]
    if missing:
        n_others = len(missing) - 1
        others = f" and of {n_others} other{'s' * (n_others > 1)}" if n_others else ""
        raise ValueError(
            f"query_weight must have a weight for each judged query; got none of "
            f"{missing[0]!r}{others}. Give those that do not count weight 0."
        )
    values = np.array([weights[qid] for qid in qids], dtype=np.float64)
    if not values.any():
        raise ValueError(
            "query_weight must have a weight above zero for some judged query; got "
            "only zeros."
        )
    return values


def _read_file(path: str | os.PathLike[str], encoding: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    with open_text(path, encoding=encoding) as file:
        for number, line in file.lines():
            words = line.split()
            if not words:
                continue
            value = _number(words[-1])
            if len(words) != 2 or value is None:
                expected = "a line must be a query and its weight, a finite number >= 0"
                raise line_error(path, number, expected, excerpt(line))
            if words[0] in weights:
                expected = "a query must have one weight"
                raise line_error(path, number, expected, f"two for {words[0]!r}")
            weights[words[0]] = value
    return weights


def _number(weight: Any) -> float | None:
    """A weight, or None if it is no finite number >= 0."""
    try:
        value = float(weight)
    except (OverflowError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) and value >= 0 else None
