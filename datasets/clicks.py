"""Clicks of simulated users, with the propensities that explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_MAX_EXP2_LABEL = 1000
_MODELS = ("position", "cascade", "trust")


@dataclass(frozen=True, eq=False)
class ClickLog:
    """One row for each item shown in each session, sessions one after the other.

    In every click model ``(clicks - offsets) / propensities`` has the relevance of the
    item as its mean over sessions; see :func:`ltr.losses.affine_labels`.

    Attributes
    ----------
    rows : int array of shape (n_shown,)
        Row of the data that was shown: ``X[log.rows]`` are its features.
    sessions : int array of shape (n_shown,)
        Session 0, 1, …: the ``qid`` of the clicks.
    positions : int array of shape (n_shown,)
        Rank at which it was shown, from 1.
    clicks : int array of shape (n_shown,)
        1 if it was clicked, else 0.
    propensities : float array of shape (n_shown,)
        How much the chance of a click grows with the relevance; 0 where no user gets,
        such as below a fully relevant item of the cascade model.
    offsets : float array of shape (n_shown,)
        Chance of a click without relevance; 0 but for trust bias.

    Examples
    --------
    >>> simulate_clicks([1, 0], [0.2, 0.1], n_sessions=5, eta=0.0, noise=0.0)
    ClickLog(5 sessions, 10 items shown, 5 clicks)
    """

    rows: Ints
    sessions: Ints
    positions: Ints
    clicks: Ints
    propensities: Floats
    offsets: Floats

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
    r"""Show lists in the order of scores to users, and note what they click.

    The relevance of an item is
    :math:`\gamma = \epsilon + (1-\epsilon)\, g(y) / g(y_\max)`, with
    :math:`g(y) = 2^y - 1` or :math:`y`. A user

    - of ``"position"`` examines rank k with probability
      :math:`\theta_k = k^{-\eta}` and clicks what is examined with probability γ;
    - of ``"cascade"`` reads from the top, clicks with probability γ, and leaves after a
      click with probability ``satisfaction``; the propensity is the probability of
      getting as far as that, :math:`\prod_{j<k} (1 - s \gamma_j)`;
    - of ``"trust"`` examines as for ``"position"`` and takes an examined item without
      relevance for a relevant one with probability :math:`t / k`, so that
      :math:`P(click) = \theta_k (1 - t/k) \gamma + \theta_k\, t/k`: propensity times
      relevance plus offset.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels ≥ 0.
    scores : array-like of shape (n_samples,)
        Scores of the ranker that was in use; ties are shown in the order of the rows.
    qid : array-like of shape (n_samples,), default=None
        Ids of the lists. None: one list.
    model : {"position", "cascade", "trust"}, default="position"
        What users do.
    n_sessions : int, default=1000
        Number of sessions, each with a list drawn at random.
    k : int, default=None
        How many items are shown. None: the whole list.
    gain : {"exp2", "linear"}, default="exp2"
        The function g.
    max_label : float, default=None
        Label :math:`y_\max` that is fully relevant. None: the highest in ``y``.
    noise : float, default=0.1
        The ε ≥ 0 of an item with label 0, < 1.
    eta : float, default=1.0
        Steepness η ≥ 0 of the position bias.
    satisfaction : float, default=1.0
        The s of ``"cascade"``, in [0, 1]; 1 is the cascade model, at most one click.
    trust : float, default=0.65
        The t of ``"trust"``, in [0, 1).
    random_state : int, default=None
        Seed.

    Returns
    -------
    log : ClickLog

    Raises
    ------
    ValueError
        If an option is unknown or outside its range, or arrays have other lengths.

    References
    ----------
    Position: T. Joachims, A. Swaminathan and T. Schnabel, WSDM 2017, section 6.
    Cascade: N. Craswell et al., WSDM 2008; with ``satisfaction`` < 1 after F. Guo et
    al., WSDM 2009. Trust: A. Agarwal et al., WWW 2019, equation 4, with
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
    relevance = _relevance(np.asarray(y, dtype=np.float64), gain, max_label, noise)
    codes = _codes(qid, len(relevance))
    by_score = np.asarray(scores, dtype=np.float64)
    if by_score.shape != relevance.shape or np.isnan(by_score).any():
        raise ValueError(
            "scores must be numbers, one for each label; got shape "
            f"{by_score.shape} for {len(relevance)} labels, "
            f"{int(np.isnan(by_score).sum())} of them NaN."
        )
    order = np.lexsort((-by_score, codes))
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
        propensities = _reached(satisfaction * relevance, starts, sizes)

    rng = np.random.default_rng(random_state)
    lists = rng.integers(len(sizes), size=n_sessions)
    shown = sizes[lists] if k is None else np.minimum(sizes[lists], k)
    first = np.cumsum(shown) - shown
    sessions = np.repeat(np.arange(n_sessions), shown)
    at = np.arange(len(sessions)) - np.repeat(first - starts[lists], shown)
    if model == "cascade":
        clicks = rng.random(len(at)) < relevance[at]
        leaves = clicks & (rng.random(len(at)) < satisfaction)
        clicks &= _none_before(leaves, first, shown)
    else:
        chance = propensities * relevance + offsets
        clicks = rng.random(len(at)) < chance[at]
    return ClickLog(
        rows=order[at],
        sessions=sessions,
        positions=positions[at],
        clicks=clicks.astype(np.intp),
        propensities=propensities[at],
        offsets=offsets[at],
    )


def _reached(leaves: Floats, starts: Ints, sizes: Ints) -> Floats:
    """Chance of getting to each rank, given the chance of leaving at those before."""
    reached = np.ones(len(leaves))
    for rank in range(1, int(sizes.max())):
        here = starts[sizes > rank] + rank
        reached[here] = reached[here - 1] * (1.0 - leaves[here - 1])
    return reached


def _none_before(
    events: NDArray[np.bool_], first: Ints, lengths: Ints
) -> NDArray[np.bool_]:
    """Whether no event stands before an entry in its session."""
    before: Ints = np.cumsum(events) - events
    return before == np.repeat(before[first], lengths)


def _relevance(y: Floats, gain: str, max_label: float | None, noise: float) -> Floats:
    if y.ndim != 1 or len(y) == 0 or not (np.isfinite(y) & (y >= 0)).all():
        raise ValueError(
            "y must be a one-dimensional array of labels >= 0, one or more; got shape "
            f"{y.shape} with the lowest label {y.min() if y.size else None}."
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


def _codes(qid: ArrayLike | None, n_samples: int) -> Ints:
    if qid is None:
        return np.zeros(n_samples, dtype=np.intp)
    ids = np.asarray(qid)
    if ids.shape != (n_samples,):
        raise ValueError(
            f"qid must have one entry per label; got shape {ids.shape} for "
            f"{n_samples} labels."
        )
    return pd.factorize(ids)[0]


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
    if model not in _MODELS:
        raise ValueError(f"model must be one of {', '.join(_MODELS)}; got {model!r}.")
    if gain not in ("exp2", "linear"):
        raise ValueError(f"gain must be 'exp2' or 'linear'; got {gain!r}.")
    if n_sessions < 1 or (k is not None and k < 1):
        raise ValueError(
            f"n_sessions and k must be >= 1; got n_sessions={n_sessions!r}, k={k!r}."
        )
    if eta < 0:
        raise ValueError(f"eta must be >= 0; got {eta!r}.")
    for name, value in (("noise", noise), ("trust", trust)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1); got {value!r}.")
    if not 0 <= satisfaction <= 1:
        raise ValueError(f"satisfaction must be in [0, 1]; got {satisfaction!r}.")
