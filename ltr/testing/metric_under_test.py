"""A metric with its options, what it claims, and the rows that it is given."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ltr.metrics import Metric, MetricInfo, get_metric
from ltr.testing.laws import Strategy, text

LARGEST = 3  # of the labels that are drawn


class Rows(NamedTuple):
    """Rows for a metric.

    Attributes
    ----------
    y_true, y_score : float arrays of shape (n_samples,)
        Label and score of each row.
    qid : int array of shape (n_samples,)
        Query of each row.
    """

    y_true: NDArray[np.float64]
    y_score: NDArray[np.float64]
    qid: NDArray[np.int64]

    def keep(self, rows: Any) -> Rows:
        """Some of the rows, or all of them in another order."""
        return Rows(self.y_true[rows], self.y_score[rows], self.qid[rows])

    def queries(self) -> list[Rows]:
        """The rows of each query, by first appearance."""
        return [self.keep(self.qid == q) for q in dict.fromkeys(self.qid.tolist())]


class PermutedRows(NamedTuple):
    """Rows, and an order of them."""

    rows: Rows
    order: list[int]


def rows(ties: bool = True, max_rows: int = 20, n_queries: int = 4) -> Strategy:
    """Labels 0 to LARGEST, scores that tie or differ all, and interleaved queries."""
    return permuted_rows(ties, max_rows, n_queries).map(lambda permuted: permuted.rows)


@st.composite
def permuted_rows(
    draw: Any, ties: bool, max_rows: int = 20, n_queries: int = 4
) -> PermutedRows:
    """Rows, and an order of them.

    The order is that of a number drawn with each row, so that rows are left out one by
    one when an input is shrunk.
    """
    score = st.sampled_from([0.0, 1.0, -1.0, 0.25, 3.0])
    if not ties:
        score = st.integers(-50, 50).map(lambda x: x / 4)
    label, query, place = (st.integers(0, n) for n in (LARGEST, n_queries - 1, 99))
    columns = draw(
        st.lists(
            st.tuples(label, score, query, place),
            min_size=1,
            max_size=max_rows,
            unique_by=None if ties else (lambda row: row[1]),
        )
    )
    y_true, y_score, qid, places = (
        np.array(column) for column in zip(*columns, strict=True)
    )
    order = np.argsort(places, kind="stable").tolist()
    return PermutedRows(Rows(y_true.astype(float), y_score, qid), order)


@dataclass(frozen=True)
class MetricClaims:
    """What a metric promises.

    Attributes
    ----------
    range : tuple of float
        Least and greatest value.
    monotone : bool
        Giving a better item the higher of two scores never lowers the value.
    averages_ties : bool
        Under equal scores the value is the mean over the orders of the tied rows.
    needs : str
        What a list must have for the metric to be defined.
    takes : tuple of str
        Its arguments.
    """

    range: tuple[float, float] = (-np.inf, np.inf)
    monotone: bool = False
    averages_ties: bool = False
    needs: str = "a relevant item"
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetricUnderTest:
    """A metric, its options and what it claims.

    Attributes
    ----------
    function : callable
        ``(y_true, y_score, *, qid, …)`` → value.
    claims : MetricClaims
        What it promises.
    options : dict
        Keyword arguments for all calls.
    """

    function: Callable[..., Any]
    claims: MetricClaims
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(
        self, rows: Rows, qid: Any = None, one_query: bool = False, **options: Any
    ) -> Any:
        """Value for rows; ``qid`` replaces their own."""
        if "qid" in self.claims.takes:
            qid = rows.qid if qid is None else qid
            options["qid"] = np.zeros(len(rows.qid), int) if one_query else qid
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mean that is not defined is NaN
            value = self.function(
                rows.y_true, rows.y_score, **{**self.options, **options}
            )
        return np.asarray(value) if options.get("per_query") else float(value)

    def describe(self, inputs: Mapping[str, Any]) -> list[str]:
        """Lines of Python for the inputs of a law."""
        lines = []
        for name, value in inputs.items():
            if isinstance(value, PermutedRows):
                lines += self.describe({"rows": value.rows})
                lines.append(f"order = {text(value.order)}")
            elif isinstance(value, Rows):
                lines += [
                    f"{column} = {text(numbers)}"
                    for column, numbers in value._asdict().items()
                    if column in self.claims.takes
                ]
            else:
                lines.append(f"{name} = {text(value)}")
        return lines


def claims_of(function: Callable[..., Any]) -> MetricClaims:
    """What a metric declares, and the arguments that its signature shows."""
    takes = ("y_true", "y_score", *list(inspect.signature(function).parameters)[2:])
    bare = function.func if isinstance(function, functools.partial) else function
    info = getattr(bare, "info", None)
    if not isinstance(info, MetricInfo):
        return MetricClaims(takes=takes)
    return MetricClaims(
        info.range,
        info.monotone,
        info.expected_under_ties,
        info.needs,
        takes=takes,
    )


def metric_under_test(metric: str | Metric | Callable[..., Any]) -> MetricUnderTest:
    """Return a metric with its options and claims."""
    if isinstance(metric, str):
        metric = get_metric(metric)
    if isinstance(metric, Metric):
        metric = functools.partial(metric.function, **metric.options)
    claims = claims_of(metric)
    # ERR divides by the largest label of all rows unless it is told a label, and then
    # a query would not be scored by itself.
    options = {"max_label": LARGEST} if "max_label" in claims.takes else {}
    set_options = metric.keywords if isinstance(metric, functools.partial) else {}
    return MetricUnderTest(metric, claims, {**options, **set_options})
