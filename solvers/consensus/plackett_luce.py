"""Log-worths from rankings: the model of Plackett and Luce."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_number
from ltr.queries import FloatArray, IntArray, check_rows
from ltr.solvers.consensus.bradley_terry import (
    check_connected,
    newton_step,
    standard_errors,
)
from ltr.solvers.consensus.counts import ABSENT
from ltr.solvers.core.rankings import (
    Rankings,
    check_memory,
    check_weights,
    read_levels,
)

_MAX_STEPS = 2000
_CONVERGED = 1e-9  # as in bradley_terry
_BLOCK = 2**21  # numbers in the arrays of pairs of one block of votes


class _Block(NamedTuple):
    """Votes with the same numbers of ranked and of present items."""

    items: IntArray  # (m, k), best first, items that are tied last at the end
    weight: FloatArray  # (m,)
    n_stages: int  # choices that each vote makes


@overload
def plackett_luce(
    rankings: Rankings,
    *,
    n_items: int | None = ...,
    weights: ArrayLike | None = ...,
    absent: str = ...,
    ridge: float = ...,
    return_std: Literal[False] = ...,
) -> FloatArray: ...
@overload
def plackett_luce(
    rankings: Rankings,
    *,
    n_items: int | None = ...,
    weights: ArrayLike | None = ...,
    absent: str = ...,
    ridge: float = ...,
    return_std: Literal[True],
) -> tuple[FloatArray, FloatArray]: ...
def plackett_luce(
    rankings: Rankings,
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    absent: str = "ignore",
    ridge: float = 0.0,
    return_std: bool = False,
) -> FloatArray | tuple[FloatArray, FloatArray]:
    """Fit log-worths to rankings: each place goes to one of the items not yet placed.

    Item i is chosen from a set S with probability ``exp(s_i) / sum(exp(s_j), j in S)``.
    Maximizes the log-likelihood of all choices, less ``ridge / 2 * sum(s**2)`` ([1]_,
    section 5), by Newton's method with damped steps. Rankings of two items each give
    the scores of :func:`bradley_terry`.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first, without ties.
    n_items : int, default=None
        Number of items. None: one more than the greatest item number.
    weights : array-like of shape (n_rankings,), default=None
        Weight of each ranking. None: 1.
    absent : {"ignore", "last"}, default="ignore"
        ``"ignore"``: absent items were not to be chosen from, as drivers who did not
        race. ``"last"``: they were, and come after all ranked ones in an unknown order,
        for top-k lists.
    ridge : float, default=0.0
        Strength of the L2 penalty, a normal prior of variance 1 / ridge; any value > 0
        makes the scores finite and comparable.
    return_std : bool, default=False
        Whether to return standard errors, too.

    Returns
    -------
    scores : float array of shape (n_items,)
        Log-worths with mean 0; higher is better.
    std : float array of shape (n_items,)
        Only with ``return_std``: standard errors of the scores with mean 0, from the
        inverse of the observed information, to which ``ridge`` is added.

    Raises
    ------
    TypeError, ValueError
        If a ranking holds anything but item numbers, one of them twice, or ties; or if,
        without a ridge, some items always precede the others, or never met them, so
        that no unique finite maximum exists ([1]_, assumption 1).

    References
    ----------
    .. [1] D. R. Hunter. MM algorithms for generalized Bradley-Terry models. Annals of
       Statistics 32, 2004.

    Examples
    --------
    >>> from ltr.solvers import plackett_luce
    >>> races = [[0, 1, 2], [1, 0, 2], [2, 0], [0, 2, 1]]
    >>> scores, std = plackett_luce(races, return_std=True)
    >>> scores.argmax(), bool((std > 0).all())
    (np.int64(0), True)
    """
    check_choice("absent", absent, ABSENT)
    check_number("ridge", ridge, low=0.0)
    levels = read_levels(rankings, n_items)
    n_votes, n = levels.shape
    check_memory(n, n, "rankings")
    weight = check_weights(weights, n_votes, "ranking")
    check_rows({"rankings": rankings, "weights": weights})
    _check_strict(levels)
    blocks = list(_blocks(levels, weight, absent))
    if ridge == 0 and n:
        check_connected(_precedes(blocks, n))
    scores = _newton(blocks, n, ridge)
    if not return_std:
        return scores
    return scores, standard_errors(_derivatives(scores, blocks)[1], ridge)


def _newton(blocks: list[_Block], n: int, ridge: float) -> FloatArray:
    """Maximize the penalized likelihood by damped Newton steps.

    The third derivative of a log-sum-exp along a step is at most its second times the
    range of the step over the items, so the steps of ``bradley_terry`` increase the
    objective here, too, with d the greatest range over the items of a vote.
    """
    scores = np.zeros(n)
    if n < 2:
        return scores
    # a common factor of weights and ridge changes nothing
    unit = max([ridge, *(float(block.weight.max()) for block in blocks)]) or 1.0
    for _ in range(_MAX_STEPS):
        gradient, information = _derivatives(scores, blocks)
        gradient = (gradient - ridge * scores) / unit
        step = newton_step(information / unit, ridge / unit, gradient)
        if step is None:
            break
        ranges = [np.ptp(step[block.items], axis=1).max() for block in blocks]
        d = float(max(ranges, default=0.0))
        scores += step * (np.log1p(d) / d if d else 1.0)
        scores -= scores.mean()
        if d <= _CONVERGED:
            return scores
    raise ValueError(
        f"no convergence in {_MAX_STEPS} steps: weights and ridge differ by too many "
        "orders of magnitude. Pass a larger ridge, or leave out rankings of small "
        "weight."
    )


def _check_strict(levels: FloatArray) -> None:
    """Raise if two items of a vote have the same level."""
    ordered = np.sort(levels, axis=1)  # NaN comes last, and differs from itself
    is_tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if is_tied.any():
        v = int(np.argmax(is_tied))
        level = ordered[v, 1:][ordered[v, 1:] == ordered[v, :-1]][0]
        items = np.flatnonzero(levels[v] == level).tolist()
        raise ValueError(
            f"rankings must be free of ties; rankings[{v}] ties the items {items}. "
            "Break the ties, or leave all but one of the tied items out."
        )


def _blocks(levels: FloatArray, weight: FloatArray, absent: str) -> Iterator[_Block]:
    """Group votes by length, in blocks of limited size; weights of 0 are left out."""
    n = levels.shape[1]
    n_ranked = (~np.isnan(levels)).sum(axis=1)
    order = np.argsort(levels, axis=1, kind="stable")  # NaN last
    for length in np.unique(n_ranked[n_ranked > 0]).tolist():
        k = n if absent == "last" else length
        votes = np.flatnonzero((n_ranked == length) & (weight > 0))
        if k < 2:
            continue
        size = max(1, _BLOCK // k**2)
        for start in range(0, len(votes), size):
            v = votes[start : start + size]
            yield _Block(order[v, :k], weight[v], min(length, k - 1))


def _precedes(blocks: list[_Block], n: int) -> FloatArray:
    """1 at [i, j] if some vote chooses i while j is not yet placed."""
    precedes = np.zeros((n, n))
    for items, _, n_stages in blocks:
        for stage in range(n_stages):
            precedes[items[:, stage, None], items[:, stage + 1 :]] = 1.0
    return precedes


def _derivatives(
    scores: FloatArray, blocks: list[_Block]
) -> tuple[FloatArray, FloatArray]:
    """Gradient (n,) of the log-likelihood, and W (n, n) with information D - W.

    A choice from S_t has probabilities p_a = exp(s_a - L_t), L_t the log-sum-exp over
    S_t, gradient (chosen) - p, and information diag(p) - ppᵀ, which is D - W for
    W_ab = p_a p_b. S_t has the positions a >= t, hence for a <= b
    W_ab = Σ_t≤a exp(s_a + s_b - 2 L_t).
    """
    n = len(scores)
    gradient, information = np.zeros(n), np.zeros(n * n)
    for items, weight, n_stages in blocks:
        k = items.shape[1]
        s = scores[items]  # (m, k)
        tails = np.logaddexp.accumulate(s[:, ::-1], axis=1)[:, ::-1][:, :n_stages]
        last = np.minimum(np.arange(k), n_stages - 1)  # last stage t <= a
        once = np.logaddexp.accumulate(-tails, axis=1)[:, last]
        twice = np.logaddexp.accumulate(-2 * tails, axis=1)[:, last]
        surplus: FloatArray = (np.arange(k) < n_stages) - np.exp(s + once)
        gradient += np.bincount(
            items.ravel(), (weight[:, None] * surplus).ravel(), minlength=n
        )
        a, b = np.triu_indices(k, 1)
        w = weight[:, None] * np.exp(s[:, a] + s[:, b] + twice[:, a])  # (m, pairs)
        pairs = items[:, a] * n + items[:, b]
        information += np.bincount(pairs.ravel(), w.ravel(), minlength=n * n)
    upper = information.reshape(n, n)
    return gradient, upper + upper.T
