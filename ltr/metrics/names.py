"""Metrics by name, such as ``"ndcg@10"``, and several of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, suggest
from ltr.metrics import (
    binary,
    correlation,
    counts,
    graded,
    interpolated,
    overlap,
    pool,
    pooled_ap,
    preferences,
)
from ltr.metrics.averages import (
    Mean,
    apply_policy,
    check_mean,
    summary,
    weighted_lists,
)
from ltr.metrics.declaration import MetricInfo, RankingMetric, score
from ltr.metrics.own import FORM, OwnFunction, declared
from ltr.metrics.ranked import RankedLists, Ties, rank_lists
from ltr.metrics.signatures import POLICIES
from ltr.metrics.syntax import NEAREST, SHORT, parse_metric
from ltr.queries import FloatArray, Queries, check_rows, group_queries
from ltr.row_values import weights_of_queries

if TYPE_CHECKING:
    import pandas as pd

Function: TypeAlias = RankingMetric[..., FloatArray | float]
METRICS: dict[str, Function] = {
    **graded.METRICS,
    **binary.METRICS,
    **counts.METRICS,
    **interpolated.METRICS,
    **pooled_ap.METRICS,
    **preferences.METRICS,
    **pool.METRICS,
    **correlation.METRICS,
    **overlap.METRICS,
}
_CUT = re.compile(r"(_[0-9.,]+|@.*|\(.*)$")


@dataclass(frozen=True)
class Metric:
    """A metric with its options.

    Attributes
    ----------
    name : str
        As it was asked for, for example ``"ndcg@10"``.
    function : callable
        One of :data:`METRICS`, declared with :func:`ranking_metric`, or of your own.
    options : dict
        Keyword arguments, ``k`` among them.
    """

    name: str
    function: Function
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> MetricInfo:
        """Record of the function."""
        return self.function.info

    @property
    def ties(self) -> Ties | None:
        """Rule for equal scores; None if the metric is one of whole orders."""
        ties: Ties = self.options.get("ties", "average")
        return None if self.info.whole_order else ties

    def with_averaged_ties(self) -> Metric:
        """Average ties, so that constant scores are worth a random order."""
        if self.options.get("ties", "average") == "average":
            return self  # also for one without ``ties``
        return replace(self, options={**self.options, "ties": "average"})

    @property
    def mean(self) -> Mean:
        """How its values are averaged over queries."""
        mean: Mean = self.options.get("mean", "arithmetic")
        return mean

    def __call__(
        self,
        y_true: ArrayLike,
        y_score: ArrayLike,
        qid: ArrayLike | Queries | None,
        *,
        query_weight: ArrayLike | None = None,
    ) -> float:
        """Mean over queries, by the weights of their rows if there are any."""
        if isinstance(self.function, OwnFunction):
            return self.function(y_true, y_score, qid, query_weight=query_weight)
        options = {**self.options, "query_weight": query_weight}
        return float(score(self.info, y_true, y_score, qid, **options))

    def per_query(
        self,
        y_true: ArrayLike,
        y_score: ArrayLike,
        qid: ArrayLike | Queries | None,
    ) -> FloatArray:
        """Values of the metric, query by query.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : array-like of shape (n_samples,)
            Scores, higher is better.
        qid : array-like of shape (n_samples,) or None
            Query of each row, in any order. None: one query.

        Returns
        -------
        values : float array of shape (n_queries,)
            In order of first appearance; NaN for queries that are left out.

        Raises
        ------
        ValueError
            If its mean over queries is geometric: the values would be averaged.
        """
        options = {**self.options, "per_query": True}
        return np.asarray(score(self.info, y_true, y_score, qid, **options))

    def of_lists(self, lists: RankedLists) -> FloatArray:
        """Values of ranked lists.

        Parameters
        ----------
        lists : RankedLists
            Lists in ranked order.

        Returns
        -------
        values : float array of shape (n_lists,)
            NaN for lists that are left out.
        """
        options = {n: v for n, v in self.options.items() if n not in POLICIES}
        measured = self.info.measure(lists, **options)
        empty = self.options.get("empty", "skip")
        return apply_policy(measured.values, measured.blank, empty)


MetricLike: TypeAlias = str | Metric | Function | Callable[..., Any]


def get_metric(name: MetricLike, **options: Any) -> Metric:
    """Look up a metric by name.

    Parameters
    ----------
    name : str, callable or Metric
        A key of :data:`METRICS` or a short name such as ``ap``, ``rr``, ``p``, ``r``,
        ``tau``, ``ic``; upper or lower case; with ``@k`` for a cut-off and options in
        brackets: ``"ndcg(gain=linear)@10"``. ir_measures' ``"nDCG(dcg='log2')@10"``,
        ``"AP(rel=2)"``, ``"IPrec@0.1"`` and trec_eval's ``"ndcg_cut_10"``, ``"gm_map"``
        are read too. Or a metric of your own, whose name is that of the function: any
        function of ``(y_true, y_score, qid)`` that returns a number, higher is better,
        or one declared with :func:`ranking_metric`, followed by ``@10`` if ``k=10``.
    **options : dict
        Keyword arguments of the metric (``gain``, ``empty``, …). Those that only other
        metrics take are ignored, so that one set serves several metrics.

    Returns
    -------
    metric : Metric
        Callable as ``metric(y_true, y_score, qid)``.

    Raises
    ------
    ValueError
        If the name is unknown, or has a cut-off that the metric does not take.
    TypeError
        If no metric takes one of the options, or a function takes other arguments.

    Examples
    --------
    >>> get_metric("nDCG@2")([1, 0, 2], [3, 2, 1], None).__round__(4)
    0.2754
    """
    return get_metrics([name], options)[0]


def get_metrics(
    metrics: MetricLike | Sequence[MetricLike], options: dict[str, Any]
) -> list[Metric]:
    """Look up several metrics, with one set of options for all.

    Parameters
    ----------
    metrics : str, callable, Metric or sequence of them
        What :func:`get_metric` takes.
    options : dict
        Each metric takes those that it has.

    Returns
    -------
    metrics : list of Metric

    Raises
    ------
    ValueError
        As :func:`get_metric`.
    TypeError
        As :func:`get_metric`.

    Examples
    --------
    >>> [metric.options for metric in get_metrics(["ndcg@3", "map"], {"k": 3})]
    [{'k': 3}, {'k': 3}]
    """
    argument = metrics
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    is_several = isinstance(metrics, Iterable) and not isinstance(metrics, Mapping)
    metrics = list(metrics) if is_several else []
    if not metrics:
        raise ArgumentError(
            "metrics must be a name, a declared function, or a sequence of one or "
            f"more of them; got {argument!r}."
        )
    measures = [
        _parsed(metric) if isinstance(metric, str) else _declared(metric, options)
        for metric in metrics
    ]
    _check_options(options, measures)
    names = [metric.name for metric in measures]
    for name, metric in zip(names, metrics, strict=True):
        if not isinstance(metric, str) and names.count(name) > 1:
            raise ValueError(
                f"metrics must have different names; got {name!r} more than once. Pass "
                "dataclasses.replace(get_metric(…), name=…)."
            )
    return [_with_options(metric, options) for metric in measures]


def _parsed(name: str) -> Metric:
    """The metric of a name, with the options that the name gives."""
    spelling = parse_metric(name)
    key = name if spelling is None else spelling[0]
    if spelling is None or key not in METRICS:
        raise ArgumentError(_unknown_metric(name, key))
    _, k, options = spelling
    info = METRICS[key].info
    for option in sorted(set(options) - set(info.options)):
        raise ValueError(
            f"metric {key!r} takes no option {option!r}; got {name!r}. Its options: "
            f"{', '.join(sorted(info.options))}."
        )
    if k is not None:
        if not info.takes_cutoff:
            raise ValueError(f"metric {key!r} takes no cut-off; got {name!r}.")
        if options.get("k", k) != k:
            raise ValueError(
                f"metric {name!r} and k={options['k']!r} differ. Leave one out."
            )
        if k < 1:
            raise ValueError(f"the cut-off of a metric must be >= 1; got {name!r}.")
        options = {**options, "k": k}
    return Metric(name, METRICS[key], options)


def _declared(metric: object, options: dict[str, Any]) -> Metric:
    """A metric that is a function, named ``"my_metric"`` or ``"my_metric@10"``."""
    if isinstance(metric, Metric):
        return metric
    if not isinstance(getattr(metric, "info", None), MetricInfo):
        if not callable(metric):
            cure = ""
            if isinstance(metric, (list, tuple)):
                cure = " Pass one of them; ltr.evaluate takes several."
            raise ArgumentError(
                f"metric must be a name, such as 'ndcg@10', or a function {FORM}; got "
                f"{metric!r}.{cure}"
            )
        metric = declared(metric)
    function: Function = metric  # type: ignore[assignment]
    names = [name for name, face in METRICS.items() if face is function]
    name = names[0] if names else function.__name__.removesuffix("_score")
    k = options.get("k") if function.info.takes_cutoff else None
    return Metric(name if k is None else f"{name}@{k}", function)


def _with_options(metric: Metric, options: dict[str, Any]) -> Metric:
    """The metric with the options that it takes; those it already has stay."""
    defaults = {name: v for name, v in options.items() if name in metric.info.options}
    k = metric.options.get("k")
    if k is not None and defaults.get("k", k) != k:
        raise ValueError(
            f"metric {metric.name!r} and k={defaults['k']!r} differ. Leave one out."
        )
    return replace(metric, options=defaults | metric.options)


def evaluate(
    y_true: ArrayLike,
    y_score: ArrayLike,
    qid: ArrayLike | None = None,
    metrics: MetricLike | Sequence[MetricLike] = ("ndcg@10", "map", "mrr"),
    *,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Several metrics at once, with bootstrap intervals over queries.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    metrics : sequence of str or callable, default=("ndcg@10", "map", "mrr")
        Names for :func:`get_metric`, or metrics of your own: functions of ``(y_true,
        y_score, qid)``, here called for each query by itself.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query, as ``fit`` takes it: at least 0 and constant within
        a query. Means are Σ w m / Σ w over the queries that count, and a query of
        weight 0 is left out. None: each query counts once.
    per_query : bool, default=False
        Return one row per query instead of means.
    **options : dict
        Options for all metrics that take them: ``gain``, ``discount``, ``ties``,
        ``empty``, ….

    Returns
    -------
    table : DataFrame
        A row per metric with columns ``mean``, ``low``, ``high`` (95 % bootstrap
        interval over queries) and ``n_lists`` (how many are counted); or, with
        ``per_query``, a row per query (index ``qid``) and a column per metric.

    Raises
    ------
    ValueError
        If a name is unknown, an input does not fit a metric, or ``query_weight`` is
        not constant within a query.
    TypeError
        If no metric takes one of the options.

    Examples
    --------
    >>> y, s, qid = [1, 0, 0, 1], [0.2, 0.9, 0.1, 0.8], ["a", "a", "b", "b"]
    >>> evaluate(y, s, qid, ["ndcg@10", "mrr"])["mean"].round(3).to_dict()
    {'ndcg@10': 0.815, 'mrr': 0.75}

    Query "a" was asked three times, "b" once:

    >>> evaluate(y, s, qid, "mrr", query_weight=[3, 3, 1, 1])["mean"].to_dict()
    {'mrr': 0.625}
    """
    import pandas as pd

    measures = get_metrics(metrics, options)
    docids = options.get("docids")
    check_rows(
        {"y_true": y_true, "y_score": y_score, "qid": qid, "docids": docids}
        | {"query_weight": query_weight}
    )
    labels = np.asarray(y_true)
    queries = group_queries(qid, len(labels), rows_of="y_true")
    weights = None
    if query_weight is not None:
        check_mean("arithmetic", per_query, weighted=True)
        weights = weights_of_queries(query_weight, queries, rows_of="y_true")

    def ranked_by(ties: Ties | None) -> RankedLists:
        lists = rank_lists(labels, y_score, queries, ties or "average", docids)
        return lists if weights is None else weighted_lists(lists, weights)[0]

    values = measure(measures, ranked_by, per_query=per_query)
    if per_query:
        index = pd.Index(list(queries.ids), name="qid", tupleize_cols=False)
        return pd.DataFrame(values, index=index)
    return summary(values, measures, None if weights is None else weights[weights > 0])


def measure(
    metrics: Sequence[Metric],
    ranked_by: Callable[[Ties | None], RankedLists],
    *,
    per_query: bool = True,
) -> dict[str, FloatArray]:
    """Values of several metrics, with one sort for each rule for ties.

    Parameters
    ----------
    metrics : sequence of Metric
        Metrics of the lists.
    ranked_by : callable
        Ranked lists by a rule for ties; for None, those for metrics of whole orders.
    per_query : bool, default=True
        Whether the values are the result, rather than input of :func:`summary`.

    Returns
    -------
    values : dict of str to float array of shape (n_queries,)
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
    lists: dict[Ties | None, RankedLists] = {}
    values = {}
    for metric in metrics:
        check_mean(metric.mean, per_query)
        if metric.ties not in lists:
            lists[metric.ties] = ranked_by(metric.ties)
        values[metric.name] = metric.of_lists(lists[metric.ties])
    return values


def _check_options(options: dict[str, Any], metrics: Sequence[Metric]) -> None:
    """Raise if no metric takes an option, so that a typo is not ignored."""
    infos = [metric.info for metric in metrics]
    infos += [function.info for function in METRICS.values()]
    all_options = sorted({option for info in infos for option in info.options})
    for option in sorted(set(options) - set(all_options)):
        hint = suggest(option, all_options)
        if option in ("group", "groups", "qids", "query_id"):
            hint = " Pass the query of each row as qid."
        if option in ("sample_weight", "weight", "weights", "query_weights"):
            hint = " Pass the weight of each row's query as query_weight."
        raise TypeError(
            f"{option!r} is not an option of any metric. Known options: "
            f"{', '.join(map(repr, all_options))}.{hint}"
        )


def _unknown_metric(name: str, key: str) -> str:
    """Message for an unknown name: the nearest metric, and why this one is not here."""
    bare = _CUT.sub("", key.lower())
    if bare in NEAREST:
        nearest, reason = NEAREST[bare]
        return f"metric {name!r} is not here: {reason}. The nearest one is {nearest!r}."
    listed = ", ".join(repr(metric) for metric in sorted(METRICS))
    hint = suggest(key.split("@")[0].lower(), [*METRICS, *SHORT])
    return (
        f"metric={name!r} is not a known metric. Known metrics: {listed}.{hint} A "
        "cut-off is written as in 'ndcg@10'."
    )
