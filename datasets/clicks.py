"""Clicks of simulated users, with their propensities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_number, check_whole
from ltr.queries import BoolArray, FloatArray, IntArray, check_rows, group_queries

_MAX_EXP2_LABEL = 1000
_MODELS = ("position", "cascade", "trust")


@dataclass(frozen=True, eq=False)
class ClickLog:
    """A row for each item shown in each session, session by session.

    In every click model ``(clicks - offsets) / propensities`` is an unbiased estimate
    of the relevance of the item; see :func:`ltr.losses.affine_labels`.

    Attributes
    ----------
    rows : int array of shape (n_shown,)
        Row of the data that was shown: its features are ``X[log.rows]``.
    sessions : int array of shape (n_shown,)
        Session 0, 1, …: the ``qid`` of the clicks.
    positions : int array of shape (n_shown,)
        Rank at which it was shown, from 1.
    clicks : int array of shape (n_shown,)
        1 if it was clicked, else 0.
    propensities : float array of shape (n_shown,)
        Slope of the click probability as a function of relevance; 0 where no user
        arrives, as below a fully relevant item in the cascade model.
    offsets : float array of shape (n_shown,)
        Click probability of an item of relevance 0; 0 except under trust bias.

    Examples
    --------
    >>> simulate_clicks([1, 0], [0.2, 0.1], n_sessions=5, eta=0.0, noise=0.0)
    ClickLog(5 sessions, 10 items shown, 5 clicks)
    """

    rows: IntArray
    sessions: IntArray
    positions: IntArray
    clicks: IntArray
    propensities: FloatArray
    offsets: FloatArray

    def __repr__(self) -> str:
        n_sessions = len(np.unique(self.sessions))
        return (
            f"ClickLog({n_sessions} sessions, {len(self.rows)} items shown, "
            f"{int(self.clicks.sum())} clicks)"
        )


def simulate_clicks(
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None = None,
    *,
    model: Literal["position", "cascade", "trust"] = "position",
    n_sessions: int = 1000,
    k: int | None = None,
    gain: Literal["exp2", "linear"] = "exp2",
    max_label: float | None = None,
    noise: float = 0.1,
    eta: float = 1.0,
    satisfaction: float = 1.0,
    trust: float = 0.65,
    random_state: int | None = None,
) -> ClickLog:
    r"""Show lists, sorted by score, to simulated users and log their clicks.

    The relevance of an item is
    :math:`\gamma = \epsilon + (1-\epsilon)\, g(y) / g(y_\max)`, with
    :math:`g(y) = 2^y - 1` or :math:`y`. In the model

    - ``"position"`` a user examines rank k with probability
      :math:`\theta_k = k^{-\eta}` and clicks an examined item with probability γ;
    - ``"cascade"`` a user scans from the top, clicks with probability γ, and leaves
      after a click with probability ``satisfaction``; the propensity is the probability
      of reaching rank k, :math:`\prod_{j<k} (1 - s \gamma_j)`;
    - ``"trust"`` a user examines as in ``"position"`` and takes an examined irrelevant
      item for a relevant one with probability :math:`t / k`, so that
      :math:`P(click) = \theta_k (1 - t/k) \gamma + \theta_k\, t/k`, which is
      propensity times relevance plus offset.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels ≥ 0.
    scores : array-like of shape (n_samples,)
        Scores of the logging policy; ties are shown in row order.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: all rows belong to one query.
    model : {"position", "cascade", "trust"}, default="position"
        Click model.
    n_sessions : int, default=1000
        Number of sessions ≥ 1, each for a query drawn at random.
    k : int, default=None
        Number of items shown, ≥ 1. None: the whole list.
    gain : {"exp2", "linear"}, default="exp2"
        The function g.
    max_label : float, default=None
        Label :math:`y_\max` of full relevance. None: the highest in ``y``.
    noise : float, default=0.1
        Relevance ε of an item with label 0, in [0, 1).
    eta : float, default=1.0
        Steepness η ≥ 0 of the position bias.
    satisfaction : float, default=1.0
        Probability s of ``"cascade"``, in [0, 1]; with 1 there is at most one click.
    trust : float, default=0.65
        Trust bias t of ``"trust"`` at rank 1, in [0, 1).
    random_state : int, default=None
        Seed.

    Returns
    -------
    log : ClickLog

    Raises
    ------
    ValueError
        If an option is unknown or outside its range, or lengths differ.

    References
    ----------
    Position: T. Joachims, A. Swaminathan and T. Schnabel, WSDM 2017, section 6.
    Cascade: N. Craswell et al., WSDM 2008; ``satisfaction`` < 1: F. Guo et al., WSDM
    2009. Trust: A. Agarwal et al., WWW 2019, equation 4, with
    :math:`\epsilon^+ = 1` and :math:`\epsilon_k^- = t / k`.

    Examples
    --------
    >>> y, scores = [0, 2, 1], [0.3, 0.2, 0.1]
    >>> log = simulate_clicks(y, scores, n_sessions=20_000, random_state=0)
    >>> log.rows[:3].tolist(), log.positions[:3].tolist()
    ([0, 1, 2], [1, 2, 3])
    >>> corrected = (log.clicks - log.offsets) / log.propensities
    >>> (np.bincount(log.rows, corrected) / 20_000).round(1).tolist()
    [0.1, 1.0, 0.4]
    """
    _check_options(model, n_sessions, k, gain, noise, eta, satisfaction, trust)
    check_rows({"y": y, "scores": scores, "qid": qid})
    relevance = _relevance(np.asarray(y, dtype=np.float64), gain, max_label, noise)
    codes = group_queries(qid, len(relevance), rows_of="y").codes
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != relevance.shape or np.isnan(values).any():
        raise ValueError(
            "scores must have one number per label; got shape "
            f"{values.shape} for {len(relevance)} labels, and "
            f"{int(np.isnan(values).sum())} NaN."
        )
    # from here on, arrays are concatenated lists, each in the order shown
    order = np.lexsort((-values, codes))
    relevance, sizes = relevance[order], np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    positions = np.arange(len(order)) - np.repeat(starts, sizes) + 1
    examined = positions ** -float(eta)
    offsets = np.zeros(len(order))
    propensities = examined
    if model == "trust":
        offsets = examined * trust / positions
        propensities = examined - offsets
    elif model == "cascade":
        propensities = _arrival(satisfaction * relevance, starts, sizes)

    rng = np.random.default_rng(random_state)
    queries = rng.integers(len(sizes), size=n_sessions)
    n_shown = sizes[queries] if k is None else np.minimum(sizes[queries], k)
    session_starts = np.cumsum(n_shown) - n_shown
    sessions = np.repeat(np.arange(n_sessions), n_shown)
    # entry j of a session shows entry j of its list
    shift = np.repeat(starts[queries] - session_starts, n_shown)
    shown = np.arange(len(sessions)) + shift
    if model == "cascade":
        clicks = rng.random(len(shown)) < relevance[shown]
        leaves = clicks & (rng.random(len(shown)) < satisfaction)
        clicks &= _none_before(leaves, session_starts, n_shown)
    else:
        probability = propensities * relevance + offsets
        clicks = rng.random(len(shown)) < probability[shown]
    return ClickLog(
        rows=order[shown],
        sessions=sessions,
        positions=positions[shown],
        clicks=clicks.astype(np.intp),
        propensities=propensities[shown],
        offsets=offsets[shown],
    )


def _arrival(leaving: FloatArray, starts: IntArray, sizes: IntArray) -> FloatArray:
    """Probability of reaching each rank, given the probability of leaving at each.

    P(reach k) = P(reach k − 1) · (1 − P(leave at k − 1)), rank by rank for all lists.
    """
    arrival = np.ones(len(leaving))
    for rank in range(1, int(sizes.max())):
        entries = starts[sizes > rank] + rank
        arrival[entries] = arrival[entries - 1] * (1.0 - leaving[entries - 1])
    return arrival


def _none_before(events: BoolArray, starts: IntArray, lengths: IntArray) -> BoolArray:
    """Whether no event precedes an entry in its session."""
    n_before: IntArray = np.cumsum(events) - events
    return n_before == np.repeat(n_before[starts], lengths)


def _relevance(
    y: FloatArray, gain: str, max_label: float | None, noise: float
) -> FloatArray:
    if y.ndim != 1 or len(y) == 0 or not (np.isfinite(y) & (y >= 0)).all():
        raise ValueError(
            "y must be a non-empty one-dimensional array of finite labels >= 0; got "
            f"shape {y.shape} with the lowest label {y.min() if y.size else None}."
        )
    top = float(y.max()) if max_label is None else float(max_label)
    if top < y.max():
        raise ValueError(
            f"max_label must be at least the highest label {y.max():g}; got {top:g}."
        )
    if gain == "exp2" and top > _MAX_EXP2_LABEL:
        raise ValueError(
            f"labels must be <= {_MAX_EXP2_LABEL} for gain='exp2' (2^label overflows); "
            f"got {top:g}. Pass gain='linear'."
        )
    if top == 0:
        return np.full(len(y), float(noise))
    share = y / top if gain == "linear" else np.expm1(y * np.log(2)) / (2.0**top - 1)
    return noise + (1 - noise) * share


def _check_options(
    model: str,
    n_sessions: int,
    k: int | None,
    gain: str,
    noise: float,
    eta: float,
    satisfaction: float,
    trust: float,
) -> None:
    check_choice("model", model, _MODELS)
    check_choice("gain", gain, ("exp2", "linear"))
    check_whole("n_sessions", n_sessions, low=1)
    check_whole("k", k, low=1, optional=True)
    check_number("noise", noise, low=0, high=1, open_high=True)
    check_number("eta", eta, low=0)
    check_number("satisfaction", satisfaction, low=0, high=1)
    check_number("trust", trust, low=0, high=1, open_high=True)
