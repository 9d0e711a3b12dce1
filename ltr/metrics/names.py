"""Metrics by name, such as ``"ndcg@10"``, and several of them at once."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.binary import (
    average_precision_score,
    precision_score,
    recall_score,
    reciprocal_rank_score,
)
from ltr.metrics.correlation import (
    kendall_tau_score,
    pairwise_accuracy_score,
    spearman_score,
)
from ltr.metrics.graded import dcg_score, err_score, ndcg_score, rbp_score
from ltr.metrics.significance import bootstrap_interval
from ltr.queries import FloatArray, Queries, group_queries

if TYPE_CHECKING:
    import pandas as pd

METRICS: dict[str, Callable[..., Any]] = {
    "ndcg": ndcg_score,
    "dcg": dcg_score,
    "map": average_precision_score,
    "mrr": reciprocal_rank_score,
    "precision": precision_score,
    "recall": recall_score,
    "err": err_score,
    "rbp": rbp_score,
    "kendall_tau": kendall_tau_score,
    "spearman": spearman_score,
    "pairwise_accuracy": pairwise_accuracy_score,
}
_SHORT = {
    "ap": "map",
    "rr": "mrr",
    "p": "precision",
    "r": "recall",
    "tau": "kendall_tau",
}
_NAME = re.compile(r"(?P<metric>[a-z_]+)(@(?P<k>[0-9]+))?")


@dataclass(frozen=True)
class Metric:
    """A metric with its options.

    Attributes
    ----------
    name : str
        As it was asked for, for example ``"ndcg@10"``.
    function : callable
        One of :data:`METRICS`.
    options : dict
        Keyword arguments, ``k`` among them.
    """

    name: str
    function: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, y_true: ArrayLike, y_score: ArrayLike, qid: ArrayLike | Queries | None
    ) -> float:
        """Mean over lists."""
        return float(self.function(y_true, y_score, qid=qid, **self.options))

    def per_query(
        self, y_true: ArrayLike, y_score: ArrayLike, qid: ArrayLike | Queries | None
    ) -> FloatArray:
        """Values of the metric, list by list.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : array-like of shape (n_samples,)
            Scores, higher is better.
        qid : array-like of shape (n_samples,) or None
            List of each row. None: one list.

        Returns
        -------
        values : float array of shape (n_lists,)
            In order of first appearance; NaN for lists that are left out.
        """
        values = self.function(y_true, y_score, qid=qid, per_query=True, **self.options)
        return np.asarray(values)


def get_metric(name: str, **options: Any) -> Metric:
    """Look up a metric by name.

    Parameters
    ----------
    name : str
        A key of :data:`METRICS` or ``ap``, ``rr``, ``p``, ``r``, ``tau``; upper or
        lower case; with ``@k`` for a cut-off.
    **options : dict
        Further keyword arguments of the metric (``gain``, ``empty``, …). Those that
        only other metrics take are left out, so one set serves several metrics.

    Returns
    -------
    metric : Metric
        Callable as ``metric(y_true, y_score, qid)``.

    Raises
    ------
    ValueError
        If the name is unknown, or has a cut-off that the metric does not take.
    TypeError
        If no metric takes one of the options.

    Examples
    --------
    >>> get_metric("nDCG@2")([1, 0, 2], [3, 2, 1], None).__round__(4)
    0.2754
    """
    _check_options(options)
    match = _NAME.fullmatch(name.strip().lower().replace("-", "_"))
    key = match["metric"] if match else name
    key = _SHORT.get(key, key)
    if match is None or key not in METRICS:
        raise ValueError(_unknown_metric(name, key))
    function = METRICS[key]
    taken = inspect.signature(function).parameters
    chosen = {option: v for option, v in options.items() if option in taken}
    if match["k"] is not None:
        if "k" not in taken:
            raise ValueError(f"metric {key!r} takes no cut-off; got {name!r}.")
        if options.get("k", int(match["k"])) != int(match["k"]):
            raise ValueError(
                f"metric {name!r} and k={options['k']!r} differ. Leave one out."
            )
        chosen["k"] = int(match["k"])
        if chosen["k"] < 1:
            raise ValueError(f"the cut-off of a metric must be >= 1; got {name!r}.")
    return Metric(name, function, chosen)


def evaluate(
    y_true: ArrayLike,
    y_score: ArrayLike,
    qid: ArrayLike | None = None,
    metrics: Sequence[str] = ("ndcg@10", "map", "mrr"),
    *,
    per_query: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Several metrics at once, with bootstrap intervals over lists.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    metrics : sequence of str, default=("ndcg@10", "map", "mrr")
        Names for :func:`get_metric`.
    per_query : bool, default=False
        Return one row per list instead of means.
    **options : dict
        Options for all metrics that take them: ``gain``, ``discount``, ``ties``,
        ``empty``, ….

    Returns
    -------
    table : DataFrame
        A row per metric with columns ``mean``, ``low``, ``high`` (95 % bootstrap
        interval over lists) and ``n_lists`` (lists counted); or, with ``per_query``, a
        row per list (index ``qid``) and a column per metric.

    Raises
    ------
    ValueError
        If a name is unknown or an input does not fit a metric.
    TypeError
        If no metric takes one of the options.

    Examples
    --------
    >>> y, s, qid = [1, 0, 0, 1], [0.2, 0.9, 0.1, 0.8], ["a", "a", "b", "b"]
    >>> evaluate(y, s, qid, ["ndcg@10", "mrr"])["mean"].round(3).to_dict()
    {'ndcg@10': 0.815, 'mrr': 0.75}
    """
    import pandas as pd

    if isinstance(metrics, str):
        metrics = [metrics]
    labels = np.asarray(y_true)
    queries = group_queries(qid, len(labels), rows_of="y_true")
    values = {
        name: get_metric(name, **options).per_query(labels, y_score, queries)
        for name in metrics
    }
    if per_query:
        index = pd.Index(list(queries.ids), name="qid", tupleize_cols=False)
        return pd.DataFrame(values, index=index)
    rows = []
    for value in values.values():
        counted = value[~np.isnan(value)]
        mean = counted.mean() if len(counted) else np.nan
        rows.append((mean, *bootstrap_interval(value), len(counted)))
    index = pd.Index(list(values), name="metric")
    return pd.DataFrame(rows, index=index, columns=["mean", "low", "high", "n_lists"])


def _check_options(options: dict[str, Any]) -> None:
    inputs = {"y_true", "y_score", "qid", "per_query"}
    known = {
        option
        for function in METRICS.values()
        for option in inspect.signature(function).parameters
    } - inputs
    for option in sorted(set(options) - known):
        close = difflib.get_close_matches(option, known, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        if option in ("group", "groups", "qids", "query_id"):
            hint = " Pass the list of each row as qid."
        raise TypeError(
            f"{option!r} is not an option of any metric. Known options: "
            f"{', '.join(repr(name) for name in sorted(known))}.{hint}"
        )


def _unknown_metric(name: str, key: str) -> str:
    message = f"metric={name!r} is not a known metric. Known metrics: "
    message += ", ".join(repr(known) for known in sorted(METRICS)) + "."
    close = difflib.get_close_matches(key.split("@")[0].lower(), METRICS, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return message + hint + " A cut-off is written as in 'ndcg@10'."
