"""Metrics of lists that no machine holds."""

from __future__ import annotations

from collections.abc import Sequence
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
from ltr.metrics import get_metric
from ltr.metrics.averages import summary
from ltr.metrics.names import MetricLike, measure
from ltr.metrics.ranked import rank_lists
from ltr.queries import FloatArray

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    y_true: Any,
    y_score: Any,
    qid: Any,
    metrics: Sequence[MetricLike] = ("ndcg@10", "map", "mrr"),
    *,
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
        If a name is unknown, or an input does not fit a metric.

    Examples
    --------
    >>> from ltr.dask import evaluate                                # doctest: +SKIP
    >>> evaluate(y, ranker.predict(X), qid, client=client)           # doctest: +SKIP
    """
    client = find_client(client)
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    kernels = [get_metric(name) for name in names]
    workers = find_workers(client)
    pieces = read_pieces(client, None, y_true, qid, {"y_score": y_score})
    queries, starts = read_queries(client, pieces)
    active = workers[: min(len(workers), queries.n_lists)]
    shares = share_lists(queries.sizes, len(active))
    parts = place(client, pieces, queries, starts, shares, active)
    values = np.concatenate(
        run_together(
            client,
            active,
            _judge,
            [(part, names) for part in parts],
            doing="computing metrics",
        ),
        axis=1,
    )
    measured = dict(zip((metric.name for metric in kernels), values, strict=True))
    return summary(measured, kernels)


def _judge(part: Piece, names: Sequence[MetricLike]) -> FloatArray:
    """Value of each metric for each list, shape (n_metrics, n_lists)."""
    return values_of(names, part.y, part.columns["y_score"], part.qid)


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
