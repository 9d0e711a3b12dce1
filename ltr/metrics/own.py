"""Metrics that are plain functions of labels, scores and query ids."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError
from ltr.metrics.averages import weighted_lists
from ltr.metrics.declaration import Measured, MetricInfo, RankingMetric
from ltr.metrics.ranked import RankedLists, rank_lists
from ltr.queries import FloatArray, Queries, check_rows
from ltr.row_values import weights_of_queries

FORM = "metric(y_true, y_score, qid)"


@dataclass(frozen=True)
class OwnFunction:
    """A function of ``(y_true, y_score, qid)`` as a metric.

    Its mean over queries is what the function returns for all rows at once; its value
    for a query is what it returns for the rows of that query alone. Weights of queries
    are the affair of the function, if it takes them as ``query_weight``.

    Attributes
    ----------
    function : callable
        ``function(y_true, y_score, qid)`` or ``function(y_true, y_score, *, qid)``:
        two float arrays and the query of each row → a number, higher is better; NaN
        where it is not defined. With a parameter ``query_weight``, it is passed the
        weight of each row's query, or None.

    Raises
    ------
    ArgumentError
        If it cannot be called like this.

    Examples
    --------
    >>> def top_label(y_true, y_score, qid):
    ...     best = [y_true[qid == q][y_score[qid == q].argmax()] for q in set(qid)]
    ...     return sum(best) / len(best)
    >>> metric = OwnFunction(top_label)
    >>> metric.__name__, metric([2, 0, 1], [0.1, 0.9, 0.5], ["a", "a", "b"])
    ('top_label', 0.5)
    """

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        if not takes_rows(self.function):
            signature = f"{_name(self.function)}{_signature(self.function)}"
            raise ArgumentError(
                f"a metric of your own must be a function {FORM} that returns a "
                f"number, higher is better; got {signature}. A kernel of ranked lists "
                "is declared with @ltr.metrics.ranking_metric()."
            )

    @property
    def __name__(self) -> str:
        return _name(self.function)

    @functools.cached_property
    def _takes_qid_third(self) -> bool:
        """Whether the query ids are the third argument rather than a keyword."""
        return _binds(self.function, 3)

    @property
    def info(self) -> MetricInfo:
        """Record of the function, which declares nothing: any labels, any values."""
        return MetricInfo(
            kernel=self.measure,
            options=(),
            range=(-np.inf, np.inf),
            labels="real",
            needs=f"a value of {self.__name__}",  # type: ignore[arg-type]
            monotone=False,
            expected_under_ties=False,
            whole_order=False,
        )

    @functools.cached_property
    def takes_weights(self) -> bool:
        """Whether the weights of queries are one of its keywords."""
        parameters = inspect.signature(self.function).parameters
        return "query_weight" in parameters

    def __call__(
        self,
        y_true: ArrayLike,
        y_score: ArrayLike,
        qid: ArrayLike | Queries | None,
        *,
        query_weight: ArrayLike | None = None,
    ) -> float:
        """Call the function once, with the rows of all queries in their order."""
        lists = rank_lists(y_true, y_score, qid)
        weights = None
        if query_weight is not None:
            if not self.takes_weights:
                raise ArgumentError(
                    f"metric {self.__name__!r} returns one number for all queries, so "
                    "query_weight cannot weight them. Let the function take "
                    "query_weight=None, the weight of each row's query, or declare a "
                    "kernel with @ltr.metrics.ranking_metric()."
                )
            check_rows({"y_true": y_true, "qid": qid, "query_weight": query_weight})
            weights = weights_of_queries(query_weight, lists.queries, rows_of="y_true")
            lists, weights = weighted_lists(lists, weights)
            weights = np.repeat(weights, lists.queries.sizes)
        rows = np.argsort(lists.rows)
        ids = np.repeat(lists.queries.ids, lists.queries.sizes)
        return self._value(
            lists.labels[rows],
            lists.scores[rows],
            ids[rows],
            None if weights is None else weights[rows],
        )

    def measure(self, lists: RankedLists) -> Measured:
        """Call the function once for each list, with its rows in their order."""
        starts = lists.queries.starts
        values = np.empty(lists.queries.n_lists)
        for i, query in enumerate(lists.queries.ids):
            slots = np.arange(starts[i], starts[i + 1])
            slots = slots[np.argsort(lists.rows[slots])]
            ids = np.repeat(lists.queries.ids[i : i + 1], len(slots))
            try:
                values[i] = self._value(lists.labels[slots], lists.scores[slots], ids)
            except Exception as error:
                error.add_note(f"metric {self.__name__!r} of query {query!r} alone")
                raise
        return Measured(values, blank=np.isnan(values))

    def _value(
        self,
        y: FloatArray,
        scores: FloatArray,
        qid: NDArray[Any],
        weights: FloatArray | None = None,
    ) -> float:
        keywords = {} if weights is None else {"query_weight": weights}
        if self._takes_qid_third:
            value = self.function(y, scores, qid, **keywords)
        else:
            value = self.function(y, scores, qid=qid, **keywords)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if not isinstance(value, numbers.Real):
            kind = type(value).__name__
            if isinstance(value, np.ndarray):
                kind += f" of shape {value.shape}"
            raise TypeError(
                f"metric {self.__name__!r} must return a number, its mean over the "
                f"queries; got {kind}."
            )
        return float(value)


def declared(function: Callable[..., Any]) -> RankingMetric[..., FloatArray | float]:
    """A function of rows with a record, as :func:`ranking_metric` makes of a kernel.

    Parameters
    ----------
    function : callable
        See :class:`OwnFunction`.

    Returns
    -------
    metric : OwnFunction
    """
    return cast("RankingMetric[..., FloatArray | float]", OwnFunction(function))


def takes_rows(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with labels, scores and query ids.

    Examples
    --------
    >>> takes_rows(lambda y, s, qid: 0.0), takes_rows(lambda y, s: 0.0)
    (True, False)
    """
    return _binds(function, 3) or _binds(function, 2, qid=None)


def _binds(function: Callable[..., Any], n_arguments: int, **keywords: Any) -> bool:
    try:
        inspect.signature(function).bind(*[None] * n_arguments, **keywords)
    except (TypeError, ValueError):  # other arguments; a function written in C
        return False
    return True


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "metric" if name == "<lambda>" else name


def _signature(function: Callable[..., Any]) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):  # a function written in C
        return "(...)"
