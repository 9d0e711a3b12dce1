"""What a ranking would be worth to users who saw another one: inverse propensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_fraction, check_number, check_whole
from ltr.metrics.ranked import number_column, rank_lists
from ltr.metrics.significance import bootstrap_interval
from ltr.queries import FloatArray, check_rows, group_queries


@dataclass(frozen=True, eq=False)
class CounterfactualEstimate:
    r"""An estimate from clicks, with its interval; see :func:`counterfactual_dcg`.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        Bootstrap interval over sessions.
    per_session : float array of shape (n_sessions,)
        Contribution of each session, by first appearance; their mean is ``value``.
        Those of two rankers on one log go to :func:`paired_t_test`.
    effective_clicks : float
        Number of equally weighted clicks that would be as certain,
        :math:`(\sum_i w_i)^2 / \sum_i w_i^2`.
    max_weight : float
        Greatest inverse propensity of a click.

    Examples
    --------
    >>> counterfactual_dcg([1, 0], [0.2, 0.9], propensities=[1.0, 0.5], qid=[7, 7])
    CounterfactualEstimate(0.6309 [0.6309, 0.6309], 1 sessions, 1.0 effective clicks)
    """

    value: float
    low: float
    high: float
    per_session: FloatArray
    effective_clicks: float
    max_weight: float

    def __repr__(self) -> str:
        return (
            f"CounterfactualEstimate({self.value:.4f} [{self.low:.4f}, "
            f"{self.high:.4f}], {len(self.per_session)} sessions, "
            f"{self.effective_clicks:.1f} effective clicks)"
        )


def counterfactual_dcg(
    clicks: ArrayLike,
    y_score: ArrayLike,
    *,
    propensities: ArrayLike,
    qid: ArrayLike,
    offsets: ArrayLike | None = None,
    k: int | None = None,
    estimator: str = "snips",
    clip: float = 0.0,
    confidence: float = 0.95,
) -> CounterfactualEstimate:
    r"""Estimate the (N)DCG of a ranking from clicks on another one.

    A click at a position that users examine with probability :math:`\theta` stands for
    :math:`w = (c - o) / \max(\theta, \tau)` clicks. With the discount
    :math:`d(r) = 1 / \log_2(1 + r)` for ranks r ≤ k of the new ranking, and n sessions,

    .. math:: \text{ips} = \frac1n \sum_s \sum_{i \in s} w_i\, d(r_i), \qquad
        \text{snips} = \frac{\sum_s \sum_i w_i\, d(r_i)}{\sum_s \sum_i w_i} .

    ``"ips"`` is unbiased for the DCG of the probability that an item is relevant.
    ``"snips"`` (self-normalized) is in [0, 1] without offsets, and equals NDCG where a
    session has one relevant item; it has a bias of order 1 / n, and a variance that is
    often far smaller. Neither knows relevant items that users could not see.

    Parameters
    ----------
    clicks : array-like of shape (n_shown,)
        Whether each item was clicked, 0 or 1.
    y_score : array-like of shape (n_shown,)
        Scores of the ranking to be judged; equal scores share their discounts.
    propensities : array-like of shape (n_shown,)
        Probability θ in [0, 1] that the position of each item was examined; relative
        ones, as of :func:`ltr.datasets.estimate_propensities`, scale ``"ips"``.
    qid : array-like of shape (n_shown,)
        Session of each row.
    offsets : array-like of shape (n_shown,), default=None
        Probability o of a click on an irrelevant item, under trust bias. None: 0.
    k : int, default=None
        Cut-off, ≥ 1. None: all ranks count.
    estimator : {"snips", "ips"}, default="snips"
        Normalized by the weight of all clicks, or DCG a session.
    clip : float, default=0.0
        τ in [0, 1]: smaller propensities are raised to it, which bounds the variance
        and costs a bias.
    confidence : float, default=0.95
        Coverage of the interval, in (0, 1).

    Returns
    -------
    estimate : CounterfactualEstimate

    Raises
    ------
    ValueError
        If shapes differ, a value is out of range, an item was clicked where the
        propensity is 0, or ``"snips"`` has no click.

    References
    ----------
    .. [1] Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased
       feedback", WSDM 2017, equation 4.
    .. [2] Swaminathan & Joachims, "The self-normalized estimator for counterfactual
       learning", NIPS 2015, equation 7.

    Examples
    --------
    >>> from ltr.datasets import simulate_clicks
    >>> y, shown, new = [0, 2, 1], [0.3, 0.2, 0.1], np.array([0.1, 0.3, 0.2])
    >>> log = simulate_clicks(y, shown, n_sessions=20_000, noise=0.0, random_state=0)
    >>> estimate = counterfactual_dcg(log.clicks, new[log.rows], qid=log.sessions,
    ...     propensities=log.propensities, estimator="ips")
    >>> round(estimate.value, 1)  # 1 + (1 / 3) / log2(3)
    1.2
    """
    check_choice("estimator", estimator, ("snips", "ips"))
    check_number("clip", clip, low=0.0, high=1.0)
    check_whole("k", k, low=1, optional=True)
    check_fraction("confidence", confidence)
    weights = _click_weights(clicks, propensities, offsets, clip)
    check_rows({"clicks": clicks, "y_score": y_score, "qid": qid})
    scores = number_column(y_score, "y_score", finite=False)
    if scores.shape != weights.shape:
        raise ValueError(
            f"y_score must have one number per row of clicks; got {len(scores)} scores "
            f"for {len(weights)} rows."
        )
    ranked = rank_lists(
        weights, scores, group_queries(qid, len(weights), rows_of="clicks")
    )
    discount = 1.0 / np.log2(2.0 + np.arange(ranked.max_size))
    discount = ranked.expected_weight(ranked.cut(discount, k))
    dcg = ranked.sum_lists(discount * ranked.labels)
    if estimator == "snips":
        total = ranked.sum_lists(ranked.labels)
        if not total.sum() > 0:
            raise ValueError(
                "estimator='snips' needs clicks: it divides by their weight, which is "
                f"{total.sum():.4g}. Pass estimator='ips'."
            )
        # The ratio of two means, linearized: its derivative by the share of session s
        # is (dcg_s − value · total_s) / mean(total).
        value = dcg.sum() / total.sum()
        dcg = value + (dcg - value * total) / total.mean()
    low, high = bootstrap_interval(dcg, confidence=confidence)
    squares = float(weights @ weights)
    return CounterfactualEstimate(
        value=float(dcg.mean()),
        low=low,
        high=high,
        per_session=dcg,
        effective_clicks=float(weights.sum() ** 2 / squares) if squares else 0.0,
        max_weight=float(weights.max()),
    )


def _click_weights(
    clicks: ArrayLike,
    propensities: ArrayLike,
    offsets: ArrayLike | None,
    clip: float,
) -> FloatArray:
    """(c − o) / max(θ, τ), 0 where nothing can be seen."""
    check_rows({"clicks": clicks, "propensities": propensities, "offsets": offsets})
    hits = number_column(clicks, "clicks")
    theta = number_column(propensities, "propensities")
    base = np.zeros(len(hits)) if offsets is None else number_column(offsets, "offsets")
    if not len(hits) == len(theta) == len(base) or len(hits) == 0:
        raise ValueError(
            "clicks, propensities and offsets must have one number per row, and at "
            f"least one row; got {len(hits)}, {len(theta)} and {len(base)}."
        )
    for name, values in (("clicks", hits), ("propensities", theta), ("offsets", base)):
        bad = (values < 0.0) | (values > 1.0)
        if name == "clicks":
            bad |= (values != 0.0) & (values != 1.0)
        if bad.any():
            row = int(bad.argmax())
            need = "0 or 1" if name == "clicks" else "in [0, 1]"
            raise ValueError(f"{name} must be {need}; got {values[row]} at row {row}.")
    theta = np.maximum(theta, clip)
    unseen = (theta == 0.0) & (hits > 0.0)
    if unseen.any():
        row = int(unseen.argmax())
        raise ValueError(
            f"propensities must be > 0 where clicks are 1; got 0 at row {row}. Raise "
            "clip, or leave such clicks out."
        )
    with np.errstate(over="ignore"):
        weights = np.divide(
            hits - base, theta, out=np.zeros(len(hits)), where=theta > 0.0
        )
    if not np.isfinite(weights).all():
        row = int((~np.isfinite(weights)).argmax())
        raise ValueError(
            "propensities must be large enough for their inverse to be a number; got "
            f"{theta[row]} at row {row}. Raise clip."
        )
    return weights
