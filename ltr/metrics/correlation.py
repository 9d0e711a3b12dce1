"""Metrics that compare the whole order with real-valued labels, of any sign."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.pair_counts import (
    count_pairs,
    equal_before,
    label_codes,
    smaller_before,
)
from ltr.metrics.ranked import RankedLists
from ltr.queries import BoolArray, FloatArray


def kendall_tau(lists: RankedLists, *, variant: Literal["b", "a"] = "b") -> Measured:
    """Kernel of :func:`kendall_tau_score`."""
    check_choice("variant", variant, ("b", "a"))
    pairs = count_pairs(lists)
    difference = pairs.concordant - pairs.discordant
    if variant == "a":
        scale = pairs.total
    else:
        scale = np.sqrt(pairs.different_labels) * np.sqrt(pairs.different_scores)
    tau = difference / np.where(scale == 0, 1.0, scale)
    tau = np.clip(tau, -1.0, 1.0)  # rounding may leave 1 + 2e-16
    return Measured(tau, blank=pairs.different_labels == 0)


@ranking_metric(
    kernel=kendall_tau,
    range=(-1.0, 1.0),
    labels="real",
    needs="two distinct labels",
    expected_under_ties=False,
    whole_order=True,
)
def kendall_tau_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    variant: Literal["b", "a"] = "b",
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Kendall's rank correlation of scores and labels.

    .. math:: \tau_b = \frac{C - D}{\sqrt{(N - T_y)(N - T_s)}}, \quad
        \tau_a = \frac{C - D}{N}

    where, of N pairs, C are concordant, D are discordant, :math:`T_y` are tied in the
    labels and :math:`T_s` in the scores.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    variant : {"b", "a"}, default="b"
        τ_b corrects for ties, as scipy does; τ_a counts every tied pair as half
        concordant and half discordant.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    tau : float in [−1, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped. A
        constant score has τ = 0.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Kendall, "The treatment of ties in ranking problems", Biometrika 1945.

    Examples
    --------
    >>> round(kendall_tau_score([-0.1, 0.2, 0.0], [0.3, 0.9, 0.1]), 4)
    0.3333
    """
    return score(
        kendall_tau_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        variant=variant,
    )


def spearman(lists: RankedLists) -> Measured:
    """Kernel of :func:`spearman_score`."""
    by_label = lists.by_label()
    s = _centered_ranks(lists)
    y = np.empty_like(s)
    y[by_label.rows] = _centered_ranks(by_label)
    variance = lists.sum_lists(s * s) * lists.sum_lists(y * y)
    rho = lists.sum_lists(s * y) / np.sqrt(np.where(variance == 0, 1.0, variance))
    return Measured(np.clip(rho, -1.0, 1.0), blank=lists.sum_lists(y * y) == 0)


@ranking_metric(
    kernel=spearman,
    range=(-1.0, 1.0),
    labels="real",
    needs="two distinct labels",
    expected_under_ties=False,
    whole_order=True,
)
def spearman_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Spearman's rank correlation of scores and labels, tied ranks averaged.

    In finance, its mean over days is the rank information coefficient.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    rho : float in [−1, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped. A
        constant score has ρ = 0.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Spearman, "The proof and measurement of association between two things",
       American Journal of Psychology 1904.

    Examples
    --------
    >>> round(spearman_score([-0.1, 0.2, 0.0], [0.3, 0.9, 0.1]), 4)
    0.5
    """
    return score(
        spearman_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
    )


def pairwise_accuracy(lists: RankedLists) -> Measured:
    """Kernel of :func:`pairwise_accuracy_score`."""
    pairs = count_pairs(lists)
    tied = pairs.different_labels - pairs.concordant - pairs.discordant
    blank = pairs.different_labels == 0
    correct = pairs.concordant + 0.5 * tied
    return Measured(correct / np.where(blank, 1.0, pairs.different_labels), blank)


@ranking_metric(
    kernel=pairwise_accuracy,
    labels="real",
    needs="two distinct labels",
    whole_order=True,
)
def pairwise_accuracy_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Share of the pairs with different labels that the scores order correctly.

    A pair with equal scores counts one half. For two grades this is the area under the
    ROC curve of the list.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    accuracy : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    Examples
    --------
    >>> pairwise_accuracy_score([2, 1, 0, 0], [0.9, 0.1, 0.5, 0.1])
    0.7
    """
    return score(
        pairwise_accuracy_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
    )


def tau_ap(lists: RankedLists) -> Measured:
    """Kernel of :func:`tau_ap_score`."""
    codes = label_codes(lists)
    smaller = smaller_before(lists, codes)
    equal = equal_before(lists, codes)
    larger = lists.tie_begin - smaller - equal
    inverse = np.zeros(lists.max_size)
    inverse[1:] = 1.0 / np.arange(1.0, len(inverse))
    total = lists.sum_lists((larger - smaller) * lists.expected_weight(inverse))
    tau = np.clip(total / np.maximum(lists.queries.sizes - 1, 1), -1.0, 1.0)
    return Measured(tau, blank=lists.sum_lists(codes.astype(np.float64)) == 0)


@ranking_metric(
    kernel=tau_ap,
    range=(-1.0, 1.0),
    labels="real",
    needs="two distinct labels",
    monotone=False,
    whole_order=True,
)
def tau_ap_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""AP correlation: Kendall's τ with more weight at the top.

    .. math:: \tau_{ap} = \frac{1}{n - 1} \sum_{r=2}^{n} \frac{1}{r - 1}
        \sum_{q < r} \mathrm{sign}(y_{\pi_q} - y_{\pi_r})

    A pair with equal labels counts 0; equal scores are averaged over their orders.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    tau : float in [−1, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped. A
        constant score has τ = 0; if some labels tie, no score reaches τ = 1.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Yilmaz, Aslam & Robertson, "A new rank correlation coefficient for
       information retrieval", SIGIR 2008, eq. (3).

    Examples
    --------
    >>> tau_ap_score([3, 2, 1], [0.5, 0.9, 0.1])
    0.0
    >>> tau_ap_score([3, 2, 1], [0.9, 0.1, 0.5])
    0.5
    """
    return score(
        tau_ap_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
    )


def information_coefficient(lists: RankedLists) -> Measured:
    """Kernel of :func:`information_coefficient_score`."""
    if not np.isfinite(lists.scores).all():
        raise ValueError(
            "y_score must be finite for the information coefficient; got an infinite "
            "score. Use spearman_score, which reads their order only."
        )
    s, s_constant = _standardized(lists, lists.scores)
    y, y_constant = _standardized(lists, lists.labels)
    correlation = np.clip(lists.sum_lists(s * y), -1.0, 1.0)
    return Measured(np.where(s_constant, 0.0, correlation), blank=y_constant)


@ranking_metric(
    kernel=information_coefficient,
    range=(-1.0, 1.0),
    labels="real",
    needs="two distinct labels",
    expected_under_ties=False,
    whole_order=True,
)
def information_coefficient_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Pearson's correlation of scores and labels in each list.

    In finance, where a query is a day and a label a return, this is the information
    coefficient; :func:`spearman_score` is the rank information coefficient. Unlike the
    other metrics it depends on the values of the scores, not on their order alone.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, finite, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query; mean over standard deviation is the information
        ratio.

    Returns
    -------
    ic : float in [−1, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped. A
        constant score has correlation 0.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Grinold & Kahn, "Active portfolio management", 2nd edition, 1999, chapter 6.

    Examples
    --------
    >>> round(information_coefficient_score([-0.1, 0.2, 0.0], [0.3, 0.9, 0.1]), 4)
    0.8386
    """
    return score(
        information_coefficient_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
    )


def _standardized(
    ranked: RankedLists, values: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Values of each list with mean 0 and norm 1, and which lists are constant."""
    starts, sizes = ranked.queries.starts[:-1], ranked.queries.sizes
    constant = np.maximum.reduceat(values, starts) == np.minimum.reduceat(
        values, starts
    )
    centered = values - np.repeat(ranked.sum_lists(values) / sizes, sizes)
    norm = np.sqrt(ranked.sum_lists(centered * centered))
    return centered / np.repeat(np.where(norm == 0, 1.0, norm), sizes), constant


def _centered_ranks(ranked: RankedLists) -> FloatArray:
    """Average rank of each slot minus the mean rank of its list."""
    middle = (ranked.tie_begin + ranked.tie_end - 1) / 2.0
    mean = (ranked.queries.sizes - 1) / 2.0
    return np.asarray(middle - np.repeat(mean, ranked.queries.sizes))


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "kendall_tau": kendall_tau_score,
    "spearman": spearman_score,
    "pairwise_accuracy": pairwise_accuracy_score,
    "tau_ap": tau_ap_score,
    "information_coefficient": information_coefficient_score,
}
