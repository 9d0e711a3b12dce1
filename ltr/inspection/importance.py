"""Importance of a feature: what a metric loses when the feature is permuted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from ltr.arguments import ArgumentError, check_choice, check_seed, check_whole
from ltr.inspection.tables import names_of, permuted, read_inputs, text_table
from ltr.metrics import bootstrap_interval, get_metric
from ltr.metrics.averages import mean_of
from ltr.metrics.names import MetricLike
from ltr.model_selection.scoring import predict_lists
from ltr.queries import FloatArray, IntArray, Queries, check_rows, group_queries
from ltr.row_values import scaled_weights, weights_of_queries


@dataclass(frozen=True)
class PermutationImportance:
    """What :func:`permutation_importance` returns; it prints as a table.

    Attributes
    ----------
    features : list of str
        Names of the columns.
    metric : str
        Name of the metric.
    score : float
        Its mean over queries, of the table as it is.
    drops : float array of shape (n_features, n_queries)
        What the metric of each query loses on average over the repeats; NaN where the
        metric is undefined.
    importances : float array of shape (n_features, n_repeats)
        Mean loss over queries, repeat by repeat.
    mean : float array of shape (n_features,)
        Mean loss.
    intervals : float array of shape (n_features, 2)
        Its 95 % bootstrap interval over queries.
    permute : {"rows", "lists"}
        What was permuted.

    Examples
    --------
    >>> from ltr import SingleFeatureRanker
    >>> X, y, qid = [[3.0, 1.0], [1.0, 1.0]] * 9, [1, 0] * 9, [0] * 8 + [1] * 10
    >>> ranker = SingleFeatureRanker().fit(X, y, qid)
    >>> importance = permutation_importance(ranker, X, y, qid, random_state=0)
    >>> importance.features, importance.score, float(importance.mean[1])
    (['f0', 'f1'], 1.0, 0.0)
    >>> importance
    ndcg@10 1.0000, and what it loses without
         mean    low   high
    f0 0.2377 0.2327 0.2426
    f1 0.0000 0.0000 0.0000
    """

    features: list[str]
    metric: str
    score: float
    drops: FloatArray
    importances: FloatArray
    mean: FloatArray
    intervals: FloatArray
    permute: str

    def __repr__(self) -> str:
        """What the metric loses without each feature, the largest loss first."""
        columns = np.column_stack([self.mean, self.intervals])
        title = f"{self.metric} {self.score:.4f}, and what it loses without"
        return (
            title
            + "\n"
            + text_table(columns, self.features, ["mean", "low", "high"], by=-self.mean)
        )


def permutation_importance(
    ranker: Any,
    X: Any,
    y: ArrayLike,
    qid: ArrayLike | None = None,
    *,
    metric: MetricLike | None = None,
    n_repeats: int = 5,
    permute: Literal["rows", "lists"] = "rows",
    random_state: Any = None,
    query_weight: ArrayLike | None = None,
) -> PermutationImportance:
    """How much a metric of whole lists loses when a feature is permuted.

    Parameters
    ----------
    ranker : fitted estimator
        With ``predict(X)`` or ``predict(X, qid)``.
    X : array-like of shape (n_samples, n_features)
        Features, best of queries that ``fit`` has not seen.
    y : array-like of shape (n_samples,)
        Labels.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: one query.
    metric : str or callable, default=None
        Metric for :func:`ltr.metrics.get_metric`. None: that of the ranker, else
        ``"ndcg@10"``.
    n_repeats : int, default=5
        Permutations of each feature.
    permute : {"rows", "lists"}, default="rows"
        ``"rows"``: over all rows. ``"lists"``: within each list, which keeps the level
        of the list: a feature that is the same for all items of a query, and serves
        only together with others, then loses nothing.
    random_state : int, RandomState or None, default=None
        Seed of the permutations.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the means; constant within a query. None: each
        query counts once.

    Returns
    -------
    importance : PermutationImportance
        Draw it with :class:`ltr.plotting.PermutationImportanceDisplay`.

    Raises
    ------
    ValueError
        If an input is invalid, or ``X`` is sparse.

    Notes
    -----
    Intervals are over queries, not over repeats: they say how far the importance may be
    from that on other queries. Features that carry the same information share it, and
    each of them alone may lose little.

    References
    ----------
    .. [1] Fisher, Rudin & Dominici, "All models are wrong, but many are useful", JMLR
       20, 2019: model reliance.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(40, n_features=5, n_informative=1, random_state=0)
    >>> ranker = LinearRanker().fit(data.X, data.y, data.qid)
    >>> importance = permutation_importance(
    ...     ranker, data.X, data.y, data.qid, random_state=0
    ... )
    >>> int(importance.mean.argmax()) == int(abs(ranker.coef_).argmax())
    True
    """
    check_whole("n_repeats", n_repeats, low=1)
    check_choice("permute", permute, ("rows", "lists"))
    check_seed("random_state", random_state)
    check_rows({"X": X, "y": y, "qid": qid, "query_weight": query_weight})
    measure = get_metric(
        getattr(ranker, "metric", "ndcg@10") if metric is None else metric
    )
    table, labels = read_inputs(ranker, X), np.asarray(y)
    if len(labels) != len(table):
        raise ArgumentError(
            f"y must have one label per row of X; got {len(labels)} labels for "
            f"{len(table)} rows."
        )
    queries = group_queries(qid, len(table), rows=X)
    weights = np.ones(queries.n_lists)
    if query_weight is not None:
        weights = scaled_weights(weights_of_queries(query_weight, queries))

    def per_query(changed: Any) -> FloatArray:
        return measure.per_query(labels, predict_lists(ranker, changed, qid), queries)

    values = per_query(table)
    rng = check_random_state(random_state)
    names = names_of(table)
    drops = np.empty((len(names), n_repeats, len(values)))
    for column in range(len(names)):
        for repeat in range(n_repeats):
            order = _order(rng, queries, permute)
            drops[column, repeat] = values - per_query(permuted(table, column, order))
    is_defined = ~np.isnan(drops).any(axis=(0, 1)) & (weights > 0)
    by_query, weights = drops.mean(axis=1), weights[is_defined]
    importances = drops[:, :, is_defined] @ weights / weights.sum()
    return PermutationImportance(
        features=names,
        metric=measure.name,
        score=mean_of(values[is_defined], weights=weights),
        drops=by_query,
        importances=importances,
        mean=importances.mean(axis=1),
        intervals=np.array(
            [
                bootstrap_interval(row[is_defined], query_weight=weights)
                for row in by_query
            ]
        ),
        permute=permute,
    )


def _order(rng: Any, queries: Queries, permute: str) -> IntArray:
    """A drawn order of all rows, or of the rows of each list."""
    if permute == "rows":
        return np.asarray(rng.permutation(queries.n_samples))
    order = np.empty(queries.n_samples, dtype=np.intp)
    order[queries.order] = np.lexsort(
        (rng.random_sample(queries.n_samples), queries.codes)
    )
    return order
