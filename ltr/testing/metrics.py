"""The laws of ranking metrics, and :func:`check_metric`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ltr.metrics import Metric
from ltr.testing.laws import (
    LawTable,
    by_name,
    check_laws,
    differ,
    expect_close,
    law,
    name_of,
    text,
)
from ltr.testing.metric_under_test import (
    MetricUnderTest,
    PermutedRows,
    Rows,
    metric_under_test,
    permuted_rows,
    rows,
)

SLACK = 1e-12


def unless_queries(metric: MetricUnderTest) -> str:
    """Why laws of queries do not apply."""
    return "" if "qid" in metric.claims.takes else "it takes no qid"


@law(permuted=permuted_rows(ties=False))
def order_of_rows_changes_nothing(
    metric: MetricUnderTest, permuted: PermutedRows
) -> None:
    """Permuting the rows changes nothing."""
    rows, order = permuted
    expect_close(metric(rows.keep(order)), metric(rows), "before permuting")


@law(permuted=permuted_rows(ties=True))
def ties_do_not_follow_the_rows(
    metric: MetricUnderTest, permuted: PermutedRows
) -> None:
    """Permuting the rows changes nothing where scores are equal, either."""
    rows, order = permuted
    expect_close(metric(rows.keep(order)), metric(rows), "before permuting")


@law(
    exempt=unless_queries,
    rows=rows(),
    name=st.sampled_from(["text", "negative", "fraction"]),
)
def names_of_queries_change_nothing(
    metric: MetricUnderTest, rows: Rows, name: str
) -> None:
    """Renaming the queries changes nothing: qid has any dtype, and no order."""
    renamed: Any = 10 - rows.qid if name == "negative" else rows.qid + 0.5
    if name == "text":
        renamed = np.array([f"query {9 - q}" for q in rows.qid])
    expect_close(
        metric(rows, qid=renamed), metric(rows), f"before renaming to {text(renamed)}"
    )


@law(exempt=unless_queries, rows=rows())
def mean_over_queries(metric: MetricUnderTest, rows: Rows) -> None:
    """The value is the mean of the values of the queries, each scored by itself.

    Queries whose value is NaN are left out.
    """
    values = [metric(query, one_query=True) for query in rows.queries()]
    expect_close(metric(rows), mean_of(values), f"the mean of {text(values)}")


@law(
    exempt=lambda metric: (
        "" if "per_query" in metric.claims.takes else "it takes no per_query"
    ),
    rows=rows(),
)
def per_query_lists_the_queries(metric: MetricUnderTest, rows: Rows) -> None:
    """per_query=True gives one value per query, in order of first appearance."""
    values = [metric(query, one_query=True) for query in rows.queries()]
    expect_close(metric(rows, per_query=True), values, "each query by itself")


def unless_weights(metric: MetricUnderTest) -> str:
    """Why laws of weights do not apply."""
    return "" if "query_weight" in metric.claims.takes else "it takes no query_weight"


WEIGHTS = st.tuples(*[st.integers(0, 3)] * 4).filter(any)  # of query 0, 1, 2 and 3


@law(
    exempt=unless_weights,
    rows=rows(),
    weights=WEIGHTS,
    scale=st.sampled_from([1.0, 1e-3, 1e6]),
)
def a_weight_repeats_a_query(
    metric: MetricUnderTest, rows: Rows, weights: tuple[int, ...], scale: float
) -> None:
    """A query of weight 2 counts as two queries, one of weight 0 as none.

    Only the ratios of the weights matter.
    """
    query_weight = np.array(weights, dtype=float)[rows.qid]
    if not query_weight.any():
        return
    repeats = [
        query._replace(qid=query.qid + 4 * copy)
        for query in rows.queries()
        for copy in range(weights[query.qid[0]])
    ]
    repeated = Rows(*map(np.concatenate, zip(*repeats, strict=True)))
    value = metric(rows, query_weight=scale * query_weight)
    expect_close(value, metric(repeated), "with repeated queries")


def mean_of(values: Any) -> float:
    """Mean of the values that are defined; NaN if none is."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan


def mean_over_orders(metric: MetricUnderTest, rows: Rows) -> float:
    """Mean of the values of all orders of tied rows."""
    ranked = np.argsort(-rows.y_score, kind="stable")
    groups = [
        list(group) for _, group in itertools.groupby(ranked, rows.y_score.__getitem__)
    ]
    orders = [
        [row for group in order for row in group]
        for order in itertools.product(*map(itertools.permutations, groups))
    ]
    return mean_of(
        each_list(metric, rows.y_true[orders], -np.arange(len(rows.qid), dtype=float))
    )


def each_list(
    metric: MetricUnderTest, y_true: NDArray[Any], y_score: NDArray[Any]
) -> NDArray[np.float64]:
    """Values of many lists, at once if the metric gives them per query.

    Labels and scores have shape (n_lists, n) or (n,).
    """
    y_true, y_score = np.broadcast_arrays(y_true, y_score)
    if len(y_true) and {"qid", "per_query"} <= set(metric.claims.takes):
        qid = np.arange(len(y_true)).repeat(y_true.shape[1])
        return np.asarray(
            metric(Rows(y_true.ravel(), y_score.ravel(), qid), per_query=True)
        )
    values = [
        metric(Rows(labels, scores, np.zeros(len(labels), int)))
        for labels, scores in zip(y_true, y_score, strict=True)
    ]
    return np.array(values)


@law(rows=rows(max_rows=5, n_queries=1))
def a_constant_score_beats_no_random_order(metric: MetricUnderTest, rows: Rows) -> None:
    """A constant score is worth a random order at most."""
    constant = rows._replace(y_score=np.zeros(len(rows.qid)))
    expected, value = mean_over_orders(metric, constant), metric(constant)
    if value > expected + SLACK:
        limit = f"at most {expected}, the mean over all orders, for a constant score"
        raise differ(limit, value)


@law(
    exempt=lambda metric: (
        "" if metric.claims.averages_ties else "averaged ties are not claimed"
    ),
    declare="@ranking_metric(expected_under_ties=False)",
    rows=rows(max_rows=5, n_queries=1),
)
def ties_are_averaged(metric: MetricUnderTest, rows: Rows) -> None:
    """The value under ties is the mean over all orders of the tied rows."""
    meaning = "the mean over all orders of the tied rows"
    expect_close(metric(rows), mean_over_orders(metric, rows), meaning)


@law(rows=rows(n_queries=1))
def no_scores_beat_the_labels(metric: MetricUnderTest, rows: Rows) -> None:
    """Scores that equal the labels have the highest value."""
    best, value = metric(rows._replace(y_score=rows.y_true)), metric(rows)
    if value > best + SLACK:
        raise differ(f"at most {best}, the value of y_score = y_true", value)


@law(
    exempt=lambda metric: "" if metric.claims.monotone else "monotone is not claimed",
    declare="@ranking_metric(monotone=False)",
    rows=rows(max_rows=8, n_queries=1),
)
def a_good_swap_never_hurts(metric: MetricUnderTest, rows: Rows) -> None:
    """Giving the better of two items the higher of their scores lowers no value."""
    y_true, y_score = rows.y_true, rows.y_score
    pairs = [
        (i, j)
        for i, j in itertools.permutations(range(len(y_true)), 2)
        if y_true[i] > y_true[j] and y_score[i] < y_score[j]
    ]
    swapped = np.tile(y_score, (len(pairs), 1))
    for row, (i, j) in zip(swapped, pairs, strict=True):
        row[[i, j]] = row[[j, i]]
    value = metric(rows)
    for (i, j), after in zip(pairs, each_list(metric, y_true, swapped), strict=True):
        if after < value - SLACK:
            moment = f"before the scores of rows {i} and {j} were swapped"
            raise differ(f"at least {value}, the value {moment}", after)


@law(
    exempt=lambda metric: "" if np.isfinite(metric.claims.range).any() else "no range",
    declare="@ranking_metric(range=(low, high))",
    rows=rows(),
)
def values_are_in_range(metric: MetricUnderTest, rows: Rows) -> None:
    """No value is outside of the range that the metric declares."""
    low, high = metric.claims.range
    for query in rows.queries():
        value = metric(query)
        if value < low - SLACK or value > high + SLACK:
            raise differ(f"between {low} and {high}", value)


@law(
    rows=rows(),
    scale=st.sampled_from([0.5, 3.0]),
    shift=st.sampled_from([-2.0, 7.0]),
)
def only_the_order_of_scores_counts(
    metric: MetricUnderTest, rows: Rows, scale: float, shift: float
) -> None:
    """Multiplying the scores by a positive number or adding one changes nothing."""
    moved = rows._replace(y_score=scale * rows.y_score + shift)
    expect_close(metric(moved), metric(rows), "before the scores were moved")


@law(
    exempt=lambda metric: "" if "k" in metric.claims.takes else "it takes no cut-off k",
    rows=rows(max_rows=8, n_queries=1),
)
def rows_below_the_cut_off_do_not_move_it(metric: MetricUnderTest, rows: Rows) -> None:
    """The order of the rows below the cut-off k changes nothing."""
    ranks = np.argsort(-rows.y_score, kind="stable")
    ranked = rows.keep(ranks)._replace(y_score=-np.arange(len(ranks), dtype=float))
    for k in range(1, len(ranks)):
        turned = ranked.y_score.copy()
        turned[k:] = turned[k:][::-1]
        expect_close(
            metric(ranked._replace(y_score=turned), k=k),
            metric(ranked, k=k),
            f"before the rows below k={k} were reversed",
        )


def unless_blank(metric: MetricUnderTest) -> str:
    """Why no query without a relevant item is left out."""
    if metric.claims.needs == "a document":
        return "it is defined for every query"
    return "" if "empty" in metric.claims.takes else "it takes no empty"


@law(
    exempt=unless_blank,
    rows=rows(),
)
def blank_queries_count_as_told(metric: MetricUnderTest, rows: Rows) -> None:
    """A query without a relevant item counts as ``empty`` says: not, as 0 or as 1."""
    blank = Rows(
        np.append(rows.y_true, [0.0, 0.0]),
        np.append(rows.y_score, [1.0, 2.0]),
        np.append(rows.qid, [9, 9]),
    )
    skipped = metric(rows, empty="skip")
    expect_close(metric(blank, empty="skip"), skipped, 'without it, for empty="skip"')
    n = len(rows.queries())
    for empty in (0, 1):
        mean = (n * metric(rows, empty=empty) + empty) / (n + 1)
        expect_close(metric(blank, empty=empty), mean, f"for empty={empty}")


METRIC_LAWS = by_name(
    order_of_rows_changes_nothing,
    names_of_queries_change_nothing,
    ties_do_not_follow_the_rows,
    mean_over_queries,
    per_query_lists_the_queries,
    a_weight_repeats_a_query,
    only_the_order_of_scores_counts,
    values_are_in_range,
    no_scores_beat_the_labels,
    a_good_swap_never_hurts,
    a_constant_score_beats_no_random_order,
    ties_are_averaged,
    rows_below_the_cut_off_do_not_move_it,
    blank_queries_count_as_told,
)


def check_metric(
    metric: str | Metric | Callable[..., Any],
    *,
    skip: Collection[str] = (),
    max_examples: int = 50,
) -> LawTable:
    """Check a ranking metric against the laws of ranking metrics.

    The laws are those of :mod:`ltr.metrics`: neither the order of the rows nor the
    names of the queries matter, equal scores are worth no more than a random order,
    the right order is best, and so on; :data:`METRIC_LAWS` has them all. What a metric
    declares is checked as well. It takes about a second.

    Parameters
    ----------
    metric : str, Metric or callable
        A metric ``(y_true, y_score, *, qid=None, …)``, a ``functools.partial`` of one,
        or a name for :func:`ltr.metrics.get_metric`. One that takes no ``qid`` is a
        metric of a single list.
    skip : collection of str, default=()
        Names of laws that the metric breaks on purpose.
    max_examples : int, default=50
        Inputs that each law is tried on.

    Returns
    -------
    table : LawTable
        Law → number of inputs, or ``"skipped: "`` and why.

    Raises
    ------
    LawBroken
        If a law does not hold, with the smallest rows that show it.
    ValueError
        If the metric or a law of ``skip`` is unknown.

    Examples
    --------
    >>> from ltr.testing import LawBroken, check_metric
    >>> check_metric("ndcg@3", max_examples=10)["ties_are_averaged"]
    10

    A sort of your own breaks ties by the order of the rows:

    >>> import numpy as np
    >>> def top_label(y_true, y_score):
    ...     return y_true[np.argsort(-y_score, kind="stable")[0]]
    >>> try:
    ...     check_metric(top_label)
    ... except LawBroken as broken:
    ...     print(broken)
    top_label breaks the law ties_do_not_follow_the_rows.
    Law: Permuting the rows changes nothing where scores are equal, either.
    Smallest input found:
        y_true = [0.0, 1.0]
        y_score = [1.0, 1.0]
        order = [1, 0]
    Expected: 0.0 (before permuting)
    Got: 1.0
    If that is intended, pass skip=("ties_do_not_follow_the_rows",).
    """
    subject = metric_under_test(metric)
    return check_laws(
        name_of(metric),
        subject,
        METRIC_LAWS,
        skip=skip,
        max_examples=max_examples,
        describe=subject.describe,
    )
