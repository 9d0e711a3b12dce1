"""Runs against judgments, by document id, with trec_eval's conventions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, check_choice, check_whole
from ltr.metrics.averages import check_mean, summary
from ltr.metrics.names import Metric, MetricLike, get_metrics, measure
from ltr.metrics.ranked import RankedLists, Ties, sort_lists
from ltr.metrics.run_weights import read_weights, weights_by_id
from ltr.queries import BoolArray, FloatArray, IntArray, Queries

if TYPE_CHECKING:
    import os

    import pandas as pd

    from ltr.datasets.runs import Rows
    from ltr.metrics.run_weights import Weights

    Source = str | os.PathLike[str] | pd.DataFrame | Mapping[Any, Mapping[Any, float]]

_TREC = {"ties": "trec", "gain": "linear", "empty": 0, "persistence": 0.9}
_MOST_GRADES = 10
_LOWEST = float(np.finfo(np.float64).min)


def evaluate_run(
    run: Source,
    qrels: Source,
    metrics: MetricLike | Sequence[MetricLike] = ("ndcg@10", "map", "mrr"),
    *,
    missing: Literal[0, "skip"] = 0,
    unjudged: Literal["irrelevant", "drop"] = "irrelevant",
    depth: int | None = None,
    trec_eval: Literal["10", "9"] = "10",
    query_weight: Weights | None = None,
    per_query: bool = False,
    encoding: str = "utf-8",
    **options: Any,
) -> pd.DataFrame:
    """Measure a run against relevance judgments, as trec_eval does.

    Parameters
    ----------
    run : path, table, {qid: {docid: score}} or {qid: [docid, …]}
        What a system returned; see :func:`ltr.datasets.read_run`.
    qrels : path, table or {qid: {docid: label}}
        Judgments; see :func:`ltr.datasets.read_qrels`.
    metrics : sequence of str or callable, default=("ndcg@10", "map", "mrr")
        Names for :func:`get_metric`, also as ir_measures and trec_eval write them, or
        metrics of your own.
    missing : {0, "skip"}, default=0
        Judged queries for which the run has no document: their value is 0
        (``trec_eval -c``, ir_measures), or they are left out (trec_eval without ``-c``,
        pytrec_eval).
    unjudged : {"irrelevant", "drop"}, default="irrelevant"
        Returned documents without a judgment, or with a label below 0: label 0, or out
        of the ranking (``trec_eval -J``).
    depth : int, default=None
        Documents to read of each query (``trec_eval -M``), before any are dropped.
        None: all.
    trec_eval : {"10", "9"}, default="10"
        Version of trec_eval to agree with. Up to version 9, and so in pytrec_eval and
        ir_measures, scores are rounded to float32, so that more of them are equal, and
        interpolated precision rounds recalls up.
    query_weight : {qid: weight}, Series or path, default=None
        Weight of each judged query in the means, at least 0; a query of weight 0 is
        left out, and so are weights of other queries. A Series has the queries as its
        index, a file a query and its weight on each line. None: each query counts once.
    per_query : bool, default=False
        Return one row per query instead of means.
    encoding : str, default="utf-8"
        Encoding of files.
    **options : dict
        Options of the metrics. Unless given, ``ties="trec"`` (equal scores by
        descending document id), ``gain="linear"``, ``empty=0`` (a query without a
        relevant document counts as 0) and ``persistence=0.9`` (of RBP; ir_measures has
        0.8).

    Returns
    -------
    table : DataFrame
        As that of :func:`evaluate`: a row per metric with columns ``mean``, ``low``,
        ``high``, ``n_lists``; or a row per query, in the order of the judgments.

    Raises
    ------
    ValueError
        If an input is malformed, the run has none of the judged queries, or one of
        these has no weight.
    TypeError
        If no metric takes one of the options.

    Warns
    -----
    UserWarning
        If no document that the run returned is judged for its query, or run and
        judgments look swapped.

    Notes
    -----
    Further rules, all trec_eval's: queries without judgments are left out; relevant
    documents that were not returned count in the denominator of recall, AP, R-precision
    and bpref and in the ideal order of NDCG; a label below 0 means not judged, which
    bpref and ``unjudged="drop"`` leave out, and is 0 otherwise; the ranks in a run file
    are not read. A document is relevant if its label is above ``threshold`` (0),
    trec_eval's ``-l 1``.

    Metrics of whole orders (``kendall_tau``, ``auc``, ``rbo``, …) see the documents
    with a label only, of any sign, with the missed ones tied in the last place.

    References
    ----------
    .. [1] trec_eval 10, https://github.com/usnistgov/trec_eval.

    Examples
    --------
    >>> run = {"q1": {"a": 3.0, "b": 2.0, "c": 1.0}, "q2": {"a": 1.0}}
    >>> qrels = {"q1": {"b": 1, "d": 1}, "q2": {"a": 2}, "q3": {"a": 1}}
    >>> evaluate_run(run, qrels, ["map", "recip_rank"])["mean"].round(4).to_dict()
    {'map': 0.4167, 'recip_rank': 0.5}
    """
    import pandas as pd

    from ltr.datasets.runs import qrels_rows, run_rows

    check_mean("arithmetic", per_query, weighted=query_weight is not None)
    measured = measure_run(
        run_rows(run, encoding=encoding),
        qrels_rows(qrels, encoding=encoding),
        metrics,
        query_weight=read_weights(query_weight, encoding=encoding),
        per_query=per_query,
        missing=missing,
        unjudged=unjudged,
        depth=depth,
        trec_eval=trec_eval,
        **options,
    )
    if per_query:
        return pd.DataFrame(measured.values, index=pd.Index(measured.qids, name="qid"))
    return summary(measured.values, measured.metrics, measured.weights)


class MeasuredRun(NamedTuple):
    """Values of several metrics.

    Attributes
    ----------
    values : dict of str to float array of shape (n_queries,)
        By name of the metric; NaN for a query that is left out.
    qids : object array of shape (n_queries,)
        Ids of the queries, in the order of the judgments.
    metrics : list of Metric
        The metrics.
    weights : float array of shape (n_queries,) or None, default=None
        Weights of the queries, above 0.
    """

    values: dict[str, FloatArray]
    qids: NDArray[Any]
    metrics: list[Metric]
    weights: FloatArray | None = None


def measure_run(
    run: Rows,
    qrels: Rows,
    metrics: MetricLike | Sequence[MetricLike],
    *,
    name: str = "the run",
    query_weight: Mapping[str, float] | None = None,
    per_query: bool = True,
    missing: Literal[0, "skip"] = 0,
    unjudged: Literal["irrelevant", "drop"] = "irrelevant",
    depth: int | None = None,
    trec_eval: Literal["10", "9"] = "10",
    **options: Any,
) -> MeasuredRun:
    """Measure a run as :func:`evaluate_run` does.

    Parameters
    ----------
    run, qrels : Rows
        What a system returned, and the judgments.
    metrics : sequence of str or callable
        Names for :func:`get_metric`, or metrics of your own.
    name : str, default="the run"
        The run in warnings and errors.
    query_weight : mapping of str to float, default=None
        Weight of each query, from :func:`read_weights`. None: 1.
    per_query : bool, default=True
        Whether the values per query are the result, rather than their means.
    missing, unjudged, depth, trec_eval, **options
        As in :func:`evaluate_run`.

    Returns
    -------
    measured : MeasuredRun
    """
    check_choice("missing", missing, (0, "skip"))
    check_choice("unjudged", unjudged, ("irrelevant", "drop"))
    check_choice("trec_eval", str(trec_eval), ("10", "9"))
    check_whole("depth", depth, low=1, optional=True)
    is_old = str(trec_eval) == "9"
    rounding = {"rounding": "up"} if is_old else {}
    measures = get_metrics(metrics, {**_TREC, **rounding, **options})
    rows = _join(run, qrels, missing == "skip", name)
    weights = None
    if query_weight is not None:
        weights = weights_by_id(query_weight, rows.queries.ids)
        rows, weights = rows.of_queries(weights > 0), weights[weights > 0]
    if is_old:
        rows = rows.in_single_precision()
    if depth is not None:
        rows = rows.cut(depth)
    judged_rows = rows.only_judged() if unjudged == "drop" else rows

    def ranked_by(ties: Ties | None) -> RankedLists:
        return rows.whole_orders() if ties is None else judged_rows.ranked(ties)

    values = measure(measures, ranked_by, per_query=per_query)
    return MeasuredRun(values, rows.queries.ids, measures, weights)


def check_named_runs(runs: object) -> None:
    """Raise unless runs are a mapping of names to runs.

    Parameters
    ----------
    runs : object
        What was passed for ``{name: run}``.

    Raises
    ------
    ArgumentError
        If it is a single run, or no mapping.

    Examples
    --------
    >>> check_named_runs({"bm25": {"q": {"a": 2.0}}})
    """
    from ltr.datasets.runs import is_one_run

    if not isinstance(runs, Mapping) or is_one_run(runs):
        kind = "a single run" if is_one_run(runs) else type(runs).__name__
        raise ArgumentError(f"runs must be {{name: run}}; got {kind}.")


class _Rows(NamedTuple):
    """Documents returned for judged queries, then judged ones that the run missed.

    Attributes
    ----------
    queries : Queries
        Query of each row.
    labels : float array of shape (n_rows,)
        0 for documents without a judgment.
    scores : float array of shape (n_rows,)
        −inf for documents that were not returned.
    document : int array of shape (n_rows,)
        Number of each document among ``names``, for trec_eval's rule for ties.
    names : bytes array of shape (n_names,)
        Document ids; an id that run and judgments share may stand twice.
    in_qrels, returned : bool arrays of shape (n_rows,)
        Whether the document has a judgment, and whether the run returned it.
    """

    queries: Queries
    labels: FloatArray
    scores: FloatArray
    document: IntArray
    names: NDArray[Any]
    in_qrels: BoolArray
    returned: BoolArray

    def take(self, keep: BoolArray) -> _Rows:
        """Some of the rows, at least one for each query."""
        return _Rows(
            Queries(self.queries.codes[keep], self.queries.ids),
            self.labels[keep],
            self.scores[keep],
            self.document[keep],
            self.names,
            self.in_qrels[keep],
            self.returned[keep],
        )

    def of_queries(self, counts: BoolArray) -> _Rows:
        """The rows of some of the queries."""
        keep, number = counts[self.queries.codes], np.cumsum(counts) - 1
        queries = Queries(number[self.queries.codes[keep]], self.queries.ids[counts])
        return self.take(keep)._replace(queries=queries)

    def cut(self, depth: int) -> _Rows:
        """Only the first documents of each query count as returned."""
        ranked = self.ranked("trec")
        is_beyond = np.zeros(len(self.labels), dtype=bool)
        is_beyond[ranked.rows[ranked.position >= depth]] = True
        return self._not_returned(is_beyond)

    def only_judged(self) -> _Rows:
        """Only documents with a label of at least 0 count as returned."""
        return self._not_returned(~(self.in_qrels & (self.labels >= 0)))

    def _not_returned(self, rows: BoolArray) -> _Rows:
        """Without some of the returned documents: the judged ones become missed."""
        returned = self.returned & ~rows
        scores = np.where(returned, self.scores, -np.inf)
        remaining = self._replace(scores=scores, returned=returned)
        return remaining.take(returned | self.in_qrels)

    def in_single_precision(self) -> _Rows:
        """With scores as floats of C, as trec_eval read them up to version 9."""
        with np.errstate(over="ignore"):
            single = self.scores.astype(np.float32).astype(np.float64)
        single[self.returned] = np.maximum(single[self.returned], _LOWEST)
        return self._replace(scores=single)

    def ranked(self, ties: Ties) -> RankedLists:
        """Lists for metrics of the returned documents; a label below 0 is 0."""
        judged = self.in_qrels & (self.labels >= 0)
        return sort_lists(
            self.queries,
            np.maximum(self.labels, 0.0),
            self.scores,
            ties,
            lambda rows: self.names[self.document[rows]],
            None if self.returned.all() else self.returned,
            None if judged.all() else judged,
            self.in_qrels & (self.labels < 0),
        )

    def whole_orders(self) -> RankedLists:
        """Lists for metrics of whole orders: judged documents, missed ones last."""
        judged = self.take(self.in_qrels)
        return sort_lists(judged.queries, judged.labels, judged.scores)


def _join(run: Rows, qrels: Rows, skip_missing: bool, name: str) -> _Rows:
    """Match the run with the judgments by query and document."""
    import pandas as pd

    if run.has_scores and _look_swapped(run.values, qrels.values):
        warnings.warn(
            f"the scores of {name} are a few whole numbers and the labels of the "
            "judgments are not: are they swapped? The run comes first.",
            UserWarning,
            stacklevel=4,
        )
    n_queries, n_documents = len(qrels.qid.names), len(qrels.docid.names)
    has_judgments = np.bincount(qrels.qid.codes, minlength=n_queries) > 0
    # The run's rows of judged queries. Ids are numbered as in the judgments; the
    # appended False is for −1, an id that the judgments lack.
    query = qrels.qid.find(run.qid)[run.qid.codes]
    rows = np.flatnonzero(np.append(has_judgments, False)[query])
    if len(rows) == 0:
        raise ValueError(
            f"{name} must have some of the judged queries; it has "
            f"{run.qid.first(3)}, the judgments {qrels.qid.first(3)}. Write query ids "
            "the same way in both."
        )
    query = query[rows].astype(np.int64)
    document = qrels.docid.find(run.docid)[run.docid.codes[rows]]
    # Left join: the judgment of each of these rows, or −1. A pair of query and document
    # is one integer.
    pairs = qrels.qid.codes.astype(np.int64) * n_documents + qrels.docid.codes
    returned_pairs = np.where(document < 0, -1, query * n_documents + document)
    judgment = pd.Index(pairs).get_indexer(returned_pairs)
    is_judged = judgment >= 0
    if not is_judged.any():
        warnings.warn(
            f"no document that {name} returned for a judged query has a judgment, so "
            f"every metric treats them as irrelevant. It has {run.docid.first(3)}, the "
            f"judgments {qrels.docid.first(3)}; write document ids the same way in "
            "both.",
            UserWarning,
            stacklevel=4,
        )
    # Anti-join: judgments of documents that the run missed.
    is_missed = np.ones(len(pairs), dtype=bool)
    is_missed[judgment[is_judged]] = False
    if skip_missing:
        is_missed &= (np.bincount(query, minlength=n_queries) > 0)[qrels.qid.codes]
    missed_rows = np.flatnonzero(is_missed)
    # Queries that have rows, numbered in the order of the judgments.
    codes = np.concatenate([query, qrels.qid.codes[missed_rows]])
    has_rows = np.bincount(codes, minlength=n_queries) > 0
    number = np.cumsum(has_rows) - 1
    n_missed = len(missed_rows)
    return _Rows(
        queries=Queries(number[codes], qrels.qid.text[has_rows]),
        labels=np.concatenate(
            [
                np.where(is_judged, qrels.values[judgment], 0.0),
                qrels.values[missed_rows],
            ]
        ),
        scores=np.concatenate(
            [np.maximum(run.values[rows], _LOWEST), np.full(n_missed, -np.inf)]
        ),
        document=np.concatenate(
            [
                run.docid.codes[rows],
                len(run.docid.names) + qrels.docid.codes[missed_rows],
            ]
        ),
        names=np.concatenate([run.docid.names, qrels.docid.names]),
        in_qrels=np.concatenate([is_judged, np.ones(n_missed, dtype=bool)]),
        returned=np.repeat([True, False], [len(rows), n_missed]),
    )


def _look_swapped(scores: FloatArray, labels: FloatArray) -> bool:
    """Whether the scores could be grades although the labels could not."""
    return not _are_grades(labels) and _are_grades(scores)


def _are_grades(values: FloatArray) -> bool:
    return bool((values == np.floor(values)).all() and np.ptp(values) <= _MOST_GRADES)
