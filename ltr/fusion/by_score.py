"""Fusion by score: sums, means and maxima of the scores of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ltr.arguments import check_number
from ltr.fusion.pool import Norm, Pool, Runs, pool_runs
from ltr.metrics import evaluate_run, get_metric
from ltr.queries import FloatArray

if TYPE_CHECKING:
    from ltr.metrics.names import MetricLike
    from ltr.metrics.runs import Source


def comb_sum(
    runs: Runs,
    *,
    norm: Norm = "minmax",
    weights: Sequence[float] | None = None,
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Add the scores that the runs give to a document (CombSUM).

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them: paths, tables or
        ``{qid: {docid: score}}``.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        Normalization of the scores of a run, query by query: (s − min) / (max − min),
        1/2 if all are equal; (s − mean) / standard deviation, 0 if all are equal;
        (n − rank + 1) / n; the scores as they are; or a function of an array of scores.
        A document that a run did not return gets the worst score of the run (0 for
        "rank" and "none").
    weights : sequence of float, default=None
        Weight of each run. None: 1 for all.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query, for
        every document that a run returned.

    Raises
    ------
    ValueError
        If an input is malformed or an option unknown.

    References
    ----------
    .. [1] Fox & Shaw, "Combination of multiple searches", TREC-2 1993.

    Examples
    --------
    >>> runs = [{"q": {"a": 3, "b": 2, "c": 1}}, {"q": {"b": 9, "d": 1}}]
    >>> fused = comb_sum(runs)
    >>> fused["docid"].tolist(), fused["score"].tolist()
    (['b', 'a', 'd', 'c'], [1.5, 1.0, 0.0, 0.0])
    """
    pool = pool_runs(runs, depth, encoding=encoding)
    return pool.run_of(_weighted_sum(pool, norm, weights))


def comb_mnz(
    runs: Runs,
    *,
    norm: Norm = "minmax",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Sum of the scores times the number of runs that returned the document (CombMNZ).

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        See :func:`comb_sum`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed or an option unknown.

    References
    ----------
    .. [1] Fox & Shaw, "Combination of multiple searches", TREC-2 1993; Lee, "Analyses
       of multiple evidence combination", SIGIR 1997.

    Examples
    --------
    >>> comb_mnz([{"q": {"a": 3, "b": 2, "c": 1}}, {"q": {"b": 9, "d": 1}}])["score"][0]
    np.float64(3.0)
    """
    pool = pool_runs(runs, depth, encoding=encoding)
    return pool.run_of(_weighted_sum(pool, norm, None) * pool.returned.sum(axis=1))


def comb_anz(
    runs: Runs,
    *,
    norm: Norm = "minmax",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Mean score over the runs that returned the document (CombANZ).

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        See :func:`comb_sum`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed or an option unknown.

    References
    ----------
    .. [1] Fox & Shaw, "Combination of multiple searches", TREC-2 1993.

    Examples
    --------
    >>> comb_anz([{"q": {"a": 3, "b": 2, "c": 1}}, {"q": {"b": 9, "d": 1}}])["score"][1]
    np.float64(0.75)
    """
    pool = pool_runs(runs, depth, encoding=encoding)
    scores = pool.normalized(norm).scores
    total = np.where(pool.returned, scores, 0.0).sum(axis=1)
    return pool.run_of(total / pool.returned.sum(axis=1))


def comb_max(
    runs: Runs,
    *,
    norm: Norm = "minmax",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Best score that a run gives to the document (CombMAX).

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        See :func:`comb_sum`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed or an option unknown.

    References
    ----------
    .. [1] Fox & Shaw, "Combination of multiple searches", TREC-2 1993.

    Examples
    --------
    >>> comb_max([{"q": {"a": 3, "b": 2, "c": 1}}, {"q": {"b": 9}}])["score"].tolist()
    [1.0, 0.5, 0.0]
    """
    pool = pool_runs(runs, depth, encoding=encoding)
    scores = pool.normalized(norm).scores
    return pool.run_of(np.where(pool.returned, scores, -np.inf).max(axis=1))


def interpolate(
    runs: Runs,
    *,
    alpha: float = 0.5,
    norm: Norm = "minmax",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Weighted mean of two runs: α times the first, 1 − α times the second.

    Parameters
    ----------
    runs : sequence or mapping of two runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    alpha : float, default=0.5
        Weight of the first run, in [0, 1]; see :func:`tune_alpha`.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        See :func:`comb_sum`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If there are not two runs, or ``alpha`` is outside [0, 1].

    References
    ----------
    .. [1] Bruch, Gai & Ingber, "An analysis of fusion functions for hybrid retrieval",
       TOIS 2023, eq. (2).

    Examples
    --------
    >>> runs = [{"q": {"a": 2, "b": 1}}, {"q": {"b": 5, "a": 1}}]
    >>> interpolate(runs, alpha=0.75)["score"].tolist()
    [0.75, 0.25]
    """
    pool = pool_runs(runs, depth, encoding=encoding)
    return pool.run_of(_mix(pool, alpha, *_filled(pool, norm).T))


def tune_alpha(
    runs: Runs,
    qrels: Source,
    metric: MetricLike = "ndcg@10",
    *,
    grid: Sequence[float] | None = None,
    norm: Norm = "minmax",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> tuple[float, pd.Series]:
    """Find the best α of :func:`interpolate` on judged queries.

    Parameters
    ----------
    runs : sequence or mapping of two runs
        Runs on the queries to tune on, which should not be those to report on.
    qrels : path, DataFrame or {qid: {docid: label}}
        Judgments.
    metric : str or callable, default="ndcg@10"
        Name for :func:`ltr.metrics.get_metric`, or a metric of your own.
    grid : sequence of float, default=None
        Values to try. None: 0, 0.05, …, 1.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        See :func:`comb_sum`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    alpha : float
        Best value; of several that are equally good, the median.
    means : Series
        Mean of the metric for each value.

    Raises
    ------
    ValueError
        If there are not two runs, or a value is outside [0, 1].

    Examples
    --------
    >>> runs = [{"q": {"a": 2, "b": 1}}, {"q": {"b": 5, "a": 1}}]
    >>> alpha, means = tune_alpha(runs, {"q": {"a": 1}}, "mrr", grid=[0.2, 0.8])
    >>> alpha, means.tolist()
    (0.8, [0.5, 1.0])
    """
    pool = pool_runs(runs, depth, encoding=encoding)
    filled = _filled(pool, norm)
    means = {}
    for alpha in np.arange(21) / 20 if grid is None else grid:
        run = pool.run_of(_mix(pool, alpha, *filled.T))
        values = evaluate_run(run, qrels, metric, per_query=True, encoding=encoding)
        means[alpha] = values.iloc[:, 0].mean()
    if not means:
        raise ValueError("grid must have at least one value; got none.")
    series = pd.Series(means, name=get_metric(metric).name)
    maxima = np.flatnonzero(series.to_numpy() == series.max())
    return float(series.index[maxima[(len(maxima) - 1) // 2]]), series


def _filled(pool: Pool, norm: Norm) -> FloatArray:
    """Normalized scores, with the worst where a document was not returned."""
    normalized = pool.normalized(norm)
    return np.where(pool.returned, normalized.scores, normalized.worst)


def _weighted_sum(
    pool: Pool, norm: Norm, weights: Sequence[float] | None
) -> FloatArray:
    return np.asarray(_filled(pool, norm) @ pool.weights(weights))


def _mix(pool: Pool, alpha: float, *columns: FloatArray) -> FloatArray:
    if pool.n_runs != 2:
        raise ValueError(f"interpolation takes two runs; got {pool.n_runs}.")
    check_number("alpha", alpha, low=0.0, high=1.0)
    return alpha * columns[0] + (1.0 - alpha) * columns[1]
