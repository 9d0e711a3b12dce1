"""Metrics of lists that no machine holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.dask.pieces import Piece, read_pieces
from ltr.dask.placement import (
    find_client,
    find_workers,
    place,
    read_queries,
    share_lists,
)
from ltr.dask.rounds import run_together
from ltr.metrics import Metric, get_metric
from ltr.metrics.averages import summary
from ltr.metrics.names import MetricLike, measure
from ltr.metrics.ranked import rank_lists
from ltr.queries import FloatArray, group_queries
from ltr.row_values import check_weights, constant_within_queries

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    y_true: Any,
    y_score: Any,
    qid: Any,
    metrics: Sequence[MetricLike] = ("ndcg@10", "map", "mrr"),
    *,
    query_weight: Any = None,
    client: Any = None,
) -> pd.DataFrame:
    """Several metrics at once, with bootstrap intervals over queries.

    Lists are brought together on the workers, which send a number a list.

    Parameters
    ----------
    y_true, y_score, qid : Dask arrays of shape (n_samples,)
        Labels, scores and queries, in any order and in chunks of any size.
    metrics : sequence of str or callable, default=("ndcg@10", "map", "mrr")
        As in :func:`ltr.metrics.evaluate`.
    query_weight : Dask array of shape (n_samples,), default=None
        Weight of each row's query in the means; constant within a query.
    client : distributed.Client, default=None
        The cluster. None: the client that is active.

    Returns
    -------
    table : DataFrame
        As :func:`ltr.metrics.evaluate` returns it: a row per metric with columns
        ``mean``, ``low``, ``high`` and ``n_lists``.

    Raises
    ------
    ValueError
        If a name is unknown, an input does not fit a metric, or a weight is invalid.

    Examples
    --------
    >>> from ltr.dask import evaluate                                # doctest: +SKIP
    >>> evaluate(y, ranker.predict(X), qid, client=client)           # doctest: +SKIP
    """
    client = find_client(client)
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    kernels = [get_metric(name) for name in names]
    workers = find_workers(client)
    columns = {"y_score": y_score, "query_weight": query_weight}
    pieces = read_pieces(client, None, y_true, qid, columns)
    queries, starts = read_queries(client, pieces)
    active = workers[: min(len(workers), queries.n_lists)]
    shares = share_lists(queries.sizes, len(active))
    parts = place(client, pieces, queries, starts, shares, active)
    kernels = relative_metrics(client, active, parts, kernels)
    values = np.concatenate(
        run_together(
            client,
            active,
            _judge,
            [(part, kernels) for part in parts],
            doing="computing metrics",
        ),
        axis=1,
    )
    weights = None
    if query_weight is not None:
        values, weights = values[:-1], values[-1]
        check_weights(weights, "query_weight", len(weights), unit="query")
    measured = dict(zip((metric.name for metric in kernels), values, strict=True))
    return summary(measured, kernels, weights)


def _judge(part: Piece, kernels: Sequence[Metric]) -> FloatArray:
    """Value of each metric for each list, shape (n_metrics, n_lists).

    With weights, only lists of positive weight, and the weights in the last row.
    """
    columns = part.columns
    if "query_weight" not in columns:
        return values_of(kernels, part.y, columns["y_score"], part.qid)
    queries = group_queries(part.qid, len(part.y), rows_of="y_true")
    weights = columns["query_weight"]
    if np.any(weights):  # all are 0 only if those of the other parts are
        n_rows = len(part.y)
        check_weights(weights, "query_weight", n_rows, rows_of="y_true", unit="query")
    weights = constant_within_queries(weights, queries)
    rows = queries.subset(weights > 0)
    if len(rows) == 0:
        return np.zeros((len(kernels) + 1, 0))
    values = values_of(kernels, part.y[rows], columns["y_score"][rows], part.qid[rows])
    return np.vstack([values, weights[weights > 0]])


def _largest_label(part: Piece) -> float:
    """Largest label of the queries that count; −inf if none does."""
    weights = part.columns.get("query_weight")
    labels = np.asarray(part.y, dtype=np.float64)
    if weights is not None:
        labels = labels[np.asarray(weights) > 0]
    return float(labels.max(initial=-np.inf))


def relative_metrics(
    client: Any, workers: Sequence[Any], parts: Sequence[Piece], metrics: list[Metric]
) -> list[Metric]:
    """Metrics that divide by the largest label, told that of the rows of all workers.

    Parameters
    ----------
    client : distributed.Client
        Connected to the cluster.
    workers : sequence of Worker
        Those that have lists.
    parts : sequence of future of Piece
        One a worker.
    metrics : list of Metric
        What to compute.

    Returns
    -------
    metrics : list of Metric
        The same, those without ``max_label`` but in need of it replaced.
    """
    is_relative = [
        "max_label" in metric.info.options and not metric.options.get("max_label")
        for metric in metrics
    ]
    if not any(is_relative):
        return metrics
    jobs = [(part,) for part in parts]
    doing = "finding the largest label"
    largest = max(run_together(client, workers, _largest_label, jobs, doing=doing))
    return [
        replace(metric, options={**metric.options, "max_label": largest})
        if needs_label
        else metric
        for metric, needs_label in zip(metrics, is_relative, strict=True)
    ]


def values_of(
    metrics: Sequence[MetricLike], y: Any, scores: Any, qid: Any
) -> FloatArray:
    """Values of metrics before they are averaged.

    Parameters
    ----------
    metrics : sequence of str or callable
        For :func:`ltr.metrics.get_metric`.
    y, scores, qid : arrays of shape (n_samples,)
        Labels, scores and queries.

    Returns
    -------
    values : float array of shape (n_metrics, n_lists)
        NaN for lists that do not count.
    """
    kernels = [get_metric(metric) for metric in metrics]
    values = measure(
        kernels, lambda ties: rank_lists(y, scores, qid, ties or "average"),
        per_query=False,
    )  # fmt: skip
    return np.array([values[kernel.name] for kernel in kernels])
