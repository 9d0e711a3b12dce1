"""Means over lists: blank lists, arithmetic and geometric means, weights, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ltr.arguments import check_choice, check_flag
from ltr.metrics.ranked import RankedLists
from ltr.metrics.significance import bootstrap_interval
from ltr.queries import BoolArray, FloatArray
from ltr.row_values import scaled_weights

if TYPE_CHECKING:
    import pandas as pd

    from ltr.metrics.names import Metric

Empty = Literal["skip", 0, 1]
Mean = Literal["arithmetic", "geometric"]
FLOOR_OF_GEOMETRIC_MEAN = 1e-5


def apply_policy(values: FloatArray, blank: BoolArray, empty: Empty) -> FloatArray:
    """Values of all lists; those of blank ones follow ``empty``.

    Parameters
    ----------
    values : float array of shape (n_lists,)
        What the kernel returned.
    blank : bool array of shape (n_lists,)
        Lists for which the metric is not defined.
    empty : {"skip", 0, 1}
        Value of a blank list; NaN for ``"skip"``.

    Returns
    -------
    values : float array of shape (n_lists,)

    Raises
    ------
    ValueError
        If ``empty`` is none of these.

    Examples
    --------
    >>> apply_policy(np.array([0.5, 0.0]), np.array([False, True]), "skip")
    array([0.5, nan])
    """
    check_choice("empty", empty, ("skip", 0, 1))
    return np.where(blank, np.nan if empty == "skip" else empty, values)


def check_mean(mean: Mean, per_query: bool, weighted: bool = False) -> None:
    """Raise unless ``mean`` is known; values per query have no mean and no weights."""
    check_choice("mean", mean, ("arithmetic", "geometric"))
    check_flag("per_query", per_query)
    if per_query and mean == "geometric":
        raise ValueError(
            "a geometric mean has a value over all queries only, none per query; pass "
            "mean='arithmetic' ('map' in place of 'gm_map')."
        )
    if per_query and weighted:
        raise ValueError(
            "query_weight weights a mean over queries; got per_query=True, which asks "
            "for the values before the mean. Leave one of them out."
        )


def mean_of(
    values: FloatArray, mean: Mean = "arithmetic", weights: FloatArray | None = None
) -> float:
    """Mean over lists.

    Parameters
    ----------
    values : float array of shape (n_lists,)
        NaN for a list that is left out.
    mean : {"arithmetic", "geometric"}, default="arithmetic"
        Sum over number, or trec_eval's geometric mean, in which values below 1e-5
        count as 1e-5 (a single 0 would make the mean 0).
    weights : float array of shape (n_lists,), default=None
        Weight of each list. None: 1.

    Returns
    -------
    mean : float
        Σ w m / Σ w over the lists that have a value; NaN if none has.

    Examples
    --------
    >>> round(mean_of(np.array([0.25, 1.0, np.nan]), "geometric"), 12)
    0.5
    >>> mean_of(np.array([1.0, 0.5]), weights=np.array([3.0, 1.0]))
    0.875
    """
    is_defined = ~np.isnan(values)
    if not is_defined.any():
        return float("nan")
    defined_values = values[is_defined]
    if mean == "geometric":
        defined_values = np.log(np.maximum(defined_values, FLOOR_OF_GEOMETRIC_MEAN))
    if weights is None:
        center = float(defined_values.mean())
    else:
        shares = scaled_weights(weights[is_defined])
        center = float(shares @ defined_values / shares.sum())
    return float(np.exp(center)) if mean == "geometric" else center


def weighted_lists(
    lists: RankedLists, weights: FloatArray
) -> tuple[RankedLists, FloatArray]:
    """Lists of positive weight: others have no part in a metric, not even its checks.

    Parameters
    ----------
    lists : RankedLists
        Lists in ranked order.
    weights : float array of shape (n_lists,)
        Weight of each list, at least 0.

    Returns
    -------
    lists : RankedLists
        Those of positive weight, in the same order.
    weights : float array of shape (n_weighted_lists,)
        Their weights.

    Examples
    --------
    >>> from ltr.metrics.ranked import rank_lists
    >>> lists = rank_lists([1, 0, 2], [0.1, 0.2, 0.3], ["a", "b", "b"])
    >>> lists, weights = weighted_lists(lists, np.array([0.0, 3.0]))
    >>> lists.labels.tolist(), lists.queries.ids.tolist(), weights.tolist()
    ([2.0, 0.0], ['b'], [3.0])
    """
    is_weighted = weights > 0
    if is_weighted.all():
        return lists, weights
    rows = lists.queries.subset(is_weighted)
    number = np.zeros(lists.queries.n_samples, dtype=np.intp)  # of a row among ``rows``
    number[rows] = np.arange(len(rows))
    slots = np.flatnonzero(is_weighted[lists.list_of_slot])
    flags = (lists.returned, lists.judged, lists.unsampled)
    returned, judged, unsampled = (
        None if flag is None else flag[slots] for flag in flags
    )
    remaining = RankedLists(
        lists.queries.of_rows(rows),
        lists.labels[slots],
        lists.scores[slots],
        number[lists.rows[slots]],
        lists.average_ties,
        returned=returned,
        judged=judged,
        unsampled=unsampled,
    )
    return remaining, weights[is_weighted]


def summary(
    values: dict[str, FloatArray],
    metrics: Sequence[Metric] = (),
    weights: FloatArray | None = None,
) -> pd.DataFrame:
    """Mean, bootstrap interval and number of queries of several metrics.

    Parameters
    ----------
    values : dict of str to float array of shape (n_queries,)
        Values by metric; NaN for a query that is left out.
    metrics : sequence of Metric, default=()
        At least those whose mean is geometric.
    weights : float array of shape (n_queries,), default=None
        Weight of each query, above 0. None: 1.

    Returns
    -------
    table : DataFrame
        A row per metric with columns ``mean``, ``low``, ``high``, ``n_lists``.

    Examples
    --------
    >>> summary({"mrr": np.array([1.0, 0.5, np.nan])})["mean"].item()
    0.75
    """
    import pandas as pd

    geometric = {metric.name for metric in metrics if metric.mean == "geometric"}
    rows = []
    for name, value in values.items():
        mean: Mean = "geometric" if name in geometric else "arithmetic"
        center = mean_of(value, mean, weights)
        if mean == "geometric":
            logs = np.log(np.maximum(value, FLOOR_OF_GEOMETRIC_MEAN))
            low, high = np.exp(bootstrap_interval(logs, query_weight=weights))
        else:
            low, high = bootstrap_interval(value, query_weight=weights)
        rows.append((center, low, high, int((~np.isnan(value)).sum())))
    index = pd.Index(list(values), name="metric")
    return pd.DataFrame(rows, index=index, columns=["mean", "low", "high", "n_lists"])
