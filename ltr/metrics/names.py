"""Metrics by name, such as ``"ndcg@10"``, and several of them at once."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
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
    information_coefficient_score,
    kendall_tau_score,
    pairwise_accuracy_score,
    spearman_score,
    tau_ap_score,
)
from ltr.metrics.counts import (
    f_score,
    hits_score,
    normalized_recall_score,
    r_precision_score,
    success_score,
)
from ltr.metrics.graded import dcg_score, err_score, ndcg_score, rbp_score
from ltr.metrics.interpolated import interpolated_precision_score
from ltr.metrics.overlap import average_overlap_score, rbo_score
from ltr.metrics.pool import judged_score, n_relevant_score, n_returned_score
from ltr.metrics.preferences import auc_score, bpref_score
from ltr.metrics.ranked import LEAST_IN_MEAN, Mean, RankedLists, mean_of, rank_lists
from ltr.metrics.significance import bootstrap_interval
from ltr.metrics.syntax import NEAREST, SHORT, parse_metric
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
    "f": f_score,
    "interpolated_precision": interpolated_precision_score,
    "err": err_score,
    "rbp": rbp_score,
    "hits": hits_score,
    "success": success_score,
    "r_precision": r_precision_score,
    "normalized_recall": normalized_recall_score,
    "bpref": bpref_score,
    "judged": judged_score,
    "n_returned": n_returned_score,
    "n_relevant": n_relevant_score,
    "auc": auc_score,
    "kendall_tau": kendall_tau_score,
    "tau_ap": tau_ap_score,
    "spearman": spearman_score,
    "information_coefficient": information_coefficient_score,
    "pairwise_accuracy": pairwise_accuracy_score,
    "rbo": rbo_score,
    "average_overlap": average_overlap_score,
}
_COUNTS = (n_returned_score, n_relevant_score)  # in no order
_CUT = re.compile(r"(_[0-9.,]+|@.*|\(.*)$")
_INPUTS = ("y_true", "y_score", "qid", "per_query")


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

    @property
    def ties(self) -> str | None:
        """Rule for equal scores; None if the metric is one of whole orders."""
        taken = "ties" in _parameters(self.function) or self.function in _COUNTS
        return self.options.get("ties", "average") if taken else None

    def with_averaged_ties(self) -> Metric:
        """Return the same metric, for which constant scores are a random order."""
        if self.options.get("ties", "average") == "average":
            return self  # also where ``ties`` is no option
        return replace(self, options={**self.options, "ties": "average"})

    @property
    def mean(self) -> Mean:
        """How its values are averaged over lists."""
        mean: Mean = self.options.get("mean", "arithmetic")
        return mean

    def __call__(
        self,
        y_true: ArrayLike,
        y_score: ArrayLike,
        qid: ArrayLike | Queries | RankedLists | None,
    ) -> float:
        """Mean over lists."""
        return float(self.function(y_true, y_score, qid=qid, **self.options))

    def per_query(
        self,
        y_true: ArrayLike,
        y_score: ArrayLike,
        qid: ArrayLike | Queries | RankedLists | None,
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

        Raises
        ------
        ValueError
            If its mean over lists is geometric: consumers would average the values.
        """
        values = self.function(y_true, y_score, qid=qid, per_query=True, **self.options)
        return np.asarray(values)


def get_metric(name: str, **options: Any) -> Metric:
    """Look up a metric by name.

    Parameters
    ----------
    name : str
        A key of :data:`METRICS` or a short name such as ``ap``, ``rr``, ``p``, ``r``,
        ``tau``, ``ic``; upper or lower case; with ``@k`` for a cut-off and options in
        brackets: ``"ndcg(gain=linear)@10"``. ir_measures' ``"nDCG(dcg='log2')@10"``,
        ``"AP(rel=2)"``, ``"IPrec@0.1"`` and trec_eval's ``"ndcg_cut_10"``, ``"gm_map"``
        are read too.
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
    parsed = parse_metric(name)
    if parsed is None or parsed[0] not in METRICS:
        raise ValueError(_unknown_metric(name, name if parsed is None else parsed[0]))
    key, k, written = parsed
    function = METRICS[key]
    taken = set(_parameters(function)) - set(_INPUTS)
    for option in sorted(set(written) - taken):
        raise ValueError(
            f"metric {key!r} takes no option {option!r}; got {name!r}. Its options: "
            f"{', '.join(sorted(taken))}."
        )
    chosen = {option: v for option, v in options.items() if option in taken} | written
    if k is not None:
        if "k" not in taken:
            raise ValueError(f"metric {key!r} takes no cut-off; got {name!r}.")
        if chosen.get("k", k) != k:
            raise ValueError(
                f"metric {name!r} and k={chosen['k']!r} differ. Leave one out."
            )
        if k < 1:
            raise ValueError(f"the cut-off of a metric must be >= 1; got {name!r}.")
        chosen["k"] = k
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
    docids = options.get("docids")
    measures = [get_metric(name, **options) for name in metrics]
    values = measure(
        measures,
        lambda ties: rank_lists(labels, y_score, queries, ties or "average", docids),  # type: ignore[arg-type]
        per_query=per_query,
    )
    if per_query:
        index = pd.Index(list(queries.ids), name="qid", tupleize_cols=False)
        return pd.DataFrame(values, index=index)
    return summary(values, measures)


def measure(
    metrics: Sequence[Metric],
    ranked_by: Callable[[str | None], RankedLists],
    *,
    per_query: bool = True,
) -> dict[str, FloatArray]:
    """Values of several metrics from one sort for each rule of ties.

    Parameters
    ----------
    metrics : sequence of Metric
        What to measure.
    ranked_by : callable
        Ranked lists for a rule of ties; for None, those of metrics of whole orders.
    per_query : bool, default=True
        Whether the values are wanted for themselves, not for :func:`summary`.

    Returns
    -------
    values : dict of str to float array of shape (n_lists,)
        By name.

    Raises
    ------
    ValueError
        If ``per_query`` and a metric has a geometric mean.

    Examples
    --------
    >>> rank = lambda ties: rank_lists([0, 1], [2, 1], None)
    >>> measure([get_metric("mrr"), get_metric("p@1")], rank)["mrr"].tolist()
    [0.5]
    """
    ranked: dict[str | None, RankedLists] = {}
    values = {}
    for metric in metrics:
        ties = metric.ties
        if ties not in ranked:
            ranked[ties] = ranked_by(ties)
        if metric.mean == "geometric" and not per_query:
            metric = replace(metric, options={**metric.options, "mean": "arithmetic"})
        values[metric.name] = metric.per_query([], [], ranked[ties])
    return values


def summary(
    values: dict[str, FloatArray], metrics: Sequence[Metric] = ()
) -> pd.DataFrame:
    """Mean, bootstrap interval and number of lists of several metrics.

    Parameters
    ----------
    values : dict of str to float array of shape (n_lists,)
        Values by metric; NaN for a list that is left out.
    metrics : sequence of Metric, default=()
        Those whose mean is geometric must be among them.

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
        counted = value[~np.isnan(value)]
        centre = mean_of(counted, mean) if len(counted) else np.nan
        if mean == "geometric":
            ends = bootstrap_interval(np.log(np.maximum(value, LEAST_IN_MEAN)))
            low, high = np.exp(ends)
        else:
            low, high = bootstrap_interval(value)
        rows.append((centre, low, high, len(counted)))
    index = pd.Index(list(values), name="metric")
    return pd.DataFrame(rows, index=index, columns=["mean", "low", "high", "n_lists"])


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _check_options(options: dict[str, Any]) -> None:
    known = {
        option for function in METRICS.values() for option in _parameters(function)
    } - set(_INPUTS)
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
    bare = _CUT.sub("", key.lower())
    if bare in NEAREST:
        nearest, why = NEAREST[bare]
        return f"metric {name!r} is not here: {why}. The nearest one is {nearest!r}."
    message = f"metric={name!r} is not a known metric. Known metrics: "
    message += ", ".join(repr(known) for known in sorted(METRICS)) + "."
    close = difflib.get_close_matches(key.split("@")[0].lower(), [*METRICS, *SHORT], 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return message + hint + " A cut-off is written as in 'ndcg@10'."
