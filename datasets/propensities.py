"""Estimation of position bias from clicks."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_number, check_whole
from ltr.queries import FloatArray, IntArray, check_rows, group_queries

_LAST_POSITION = 1_000_000


class _Cells(NamedTuple):
    """Clicks of each item at each position where it was shown."""

    item: IntArray  # (n_cells,), number of the item
    rank: IntArray  # (n_cells,), its position, from 0
    shown: FloatArray  # (n_cells,), how often
    clicked: FloatArray  # (n_cells,), how often of those
    at_rank: FloatArray  # (n_positions,), sums of shown
    of_item: FloatArray  # (n_items,)


def estimate_propensities(
    items: ArrayLike,
    positions: ArrayLike,
    clicks: ArrayLike,
    *,
    max_iter: int = 10_000,
    tol: float = 1e-7,
) -> FloatArray:
    r"""Estimate how likely users examine each position, relative to the first.

    The position-based model, :math:`P(\text{click}) = \theta_k \gamma_i` for item i at
    position k, is fitted by maximum likelihood: expectation maximization, whose steps
    are extrapolated. It needs items that were shown at several positions, by chance,
    by experiments, or because rankers changed: they tell the effect of the position
    from that of the item.

    Parameters
    ----------
    items : array-like of shape (n_shown,)
        What was shown: the item and its query, such as ``ClickLog.rows``; any hashable
        ids.
    positions : int array-like of shape (n_shown,)
        Position at which it was shown, from 1 to 1,000,000.
    clicks : array-like of shape (n_shown,)
        1 or True if it was clicked, else 0.
    max_iter : int, default=10_000
        Maximum number of steps, ≥ 1.
    tol : float, default=1e-7
        Steps end when no propensity changes by more, > 0.

    Returns
    -------
    propensities : float array of shape (n_positions,)
        θ of positions 1, 2, …, divided by that of position 1; 0 for a position without
        a click. Pass ``propensities[positions - 1]`` as ``propensity`` of the click
        losses, or the table to :func:`ltr.losses.ips_weights`.

    Raises
    ------
    ValueError
        If lengths differ, a position is not a whole number ≥ 1, a click is neither 0
        nor 1, or no chain of clicked items connects a position to the first: then the
        data do not tell how they compare.

    Warns
    -----
    UserWarning
        If ``max_iter`` ends the steps.

    References
    ----------
    .. [1] Richardson, Dominowska & Ragno, "Predicting clicks", WWW 2007: the model.
    .. [2] Wang, Golbandi, Bendersky, Metzler & Najork, "Position bias estimation for
       unbiased learning to rank in personal search", WSDM 2018, section 4: the steps.
    .. [3] Varadhan & Roland, "Simple and globally convergent methods for accelerating
       the convergence of any EM algorithm", Scand. J. Statist. 35, 2008: scheme S3.

    Examples
    --------
    >>> from ltr.datasets import simulate_clicks
    >>> y, rng = np.array([2, 1, 1, 0]), np.random.default_rng(0)
    >>> logs = [simulate_clicks(y, rng.random(4), n_sessions=2000, random_state=i)
    ...         for i in range(30)]
    >>> rows, positions, clicks = (np.concatenate([getattr(log, name) for log in logs])
    ...     for name in ("rows", "positions", "clicks"))
    >>> estimate_propensities(rows, positions, clicks).round(1).tolist()
    [1.0, 0.5, 0.3, 0.2]
    """
    max_iter = check_whole("max_iter", max_iter, low=1)
    check_number("tol", tol, low=0.0, open_low=True)
    cells, n_positions = _count(items, positions, clicks)
    clicked = np.bincount(cells.rank, cells.clicked, n_positions).astype(np.float64)
    _check_connected(cells, clicked)

    # θ and γ in one vector; at first, the click rate of a position and of an item, both
    # below 1: there, no step would change them.
    theta = clicked / np.maximum(cells.at_rank, 1.0)
    gamma = np.bincount(cells.item, cells.clicked) / cells.of_item
    state = np.concatenate([0.9 * theta / theta.max(), np.minimum(gamma, 0.99)])
    for _ in range(max_iter):
        new = _extrapolated(cells, state, n_positions)
        change = np.abs(
            new[:n_positions] / new[0] - state[:n_positions] / state[0]
        ).max()
        state = new
        if change <= tol:
            break
    else:
        warnings.warn(
            f"The propensities still change by {change:.1e} a step after "
            f"max_iter={max_iter} steps. Raise max_iter or tol.",
            stacklevel=2,
        )
    return np.asarray(state[:n_positions] / state[0])


def _count(
    items: ArrayLike, positions: ArrayLike, clicks: ArrayLike
) -> tuple[_Cells, int]:
    check_rows({"items": items, "positions": positions, "clicks": clicks})
    ranks, hits = np.asarray(positions), np.asarray(clicks)
    if ranks.ndim != 1 or hits.shape != ranks.shape or len(ranks) == 0:
        raise ValueError(
            "items, positions and clicks must have shape (n_shown,), n_shown >= 1; got "
            f"{np.shape(items)}, {ranks.shape} and {hits.shape}."
        )
    codes = group_queries(items, len(ranks), rows_of="positions", name="items").codes
    for name, values in (("positions", ranks), ("clicks", hits)):
        if values.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must hold numbers; got {values.tolist()[0]!r:.100} at row 0. "
                "Convert them."
            )
    is_rank = (ranks >= 1) & (ranks <= _LAST_POSITION) & (ranks == np.floor(ranks))
    if not is_rank.all():
        row = int((~is_rank).argmax())
        raise ValueError(
            f"positions must be whole numbers from 1 to {_LAST_POSITION}; got "
            f"{ranks[row]} at row {row}."
        )
    is_click = (hits == 0) | (hits == 1)
    if not is_click.all():
        row = int((~is_click).argmax())
        raise ValueError(f"clicks must be 0 or 1; got {hits[row]} at row {row}.")
    n_positions = int(ranks.max())
    pairs = codes * n_positions + ranks.astype(np.intp) - 1
    distinct, cell = np.unique(pairs, return_inverse=True)
    shown = np.bincount(cell).astype(np.float64)
    clicked = np.bincount(cell, hits).astype(np.float64)
    item, rank = np.divmod(distinct, n_positions)
    at_rank = np.bincount(rank, shown).astype(np.float64)
    of_item = np.bincount(item, shown).astype(np.float64)
    return _Cells(item, rank, shown, clicked, at_rank, of_item), n_positions


def _check_connected(cells: _Cells, clicked: FloatArray) -> None:
    """Raise unless clicked items connect the positions with clicks to the first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if clicked[0] == 0:
        raise ValueError(
            "Position 1 must have a click: the others are relative to it; got none."
        )
    n_positions = len(clicked)
    is_clicked = np.bincount(cells.item, cells.clicked) > 0
    n_nodes = n_positions + len(is_clicked)
    cell = np.flatnonzero(is_clicked[cells.item])
    ends = (cells.rank[cell], n_positions + cells.item[cell])
    component = connected_components(
        coo_array((np.ones(len(cell)), ends), shape=(n_nodes, n_nodes)), directed=False
    )[1][:n_positions]
    apart = (component != component[0]) & (clicked > 0)
    if apart.any():
        raise ValueError(
            f"Position {int(apart.argmax()) + 1} shares no clicked item with position "
            "1, directly or through other positions, so the clicks do not tell how "
            "they compare. Show the same items at several positions, by swapping "
            "neighbors now and then, or pass fewer positions."
        )


def _step(cells: _Cells, state: FloatArray, n_positions: int) -> FloatArray:
    """One step of expectation maximization."""
    theta, gamma = state[:n_positions][cells.rank], state[n_positions:][cells.item]
    ignored = cells.shown - cells.clicked
    no_click = np.maximum(1.0 - theta * gamma, 1e-300)
    examined = cells.clicked + ignored * theta * (1.0 - gamma) / no_click
    attractive = cells.clicked + ignored * gamma * (1.0 - theta) / no_click
    new_theta = np.bincount(cells.rank, examined) / np.maximum(cells.at_rank, 1.0)
    new_gamma = np.bincount(cells.item, attractive) / cells.of_item
    return np.concatenate([new_theta, new_gamma])


def _extrapolated(cells: _Cells, state: FloatArray, n_positions: int) -> FloatArray:
    """Two steps, extrapolated if the likelihood agrees: scheme S3."""
    once = _step(cells, state, n_positions)
    twice = _step(cells, once, n_positions)
    r, v = once - state, (twice - once) - (once - state)
    if not v.any():
        return twice
    alpha = -np.sqrt((r @ r) / (v @ v))
    if alpha > -1.0:
        return twice
    far = state - 2.0 * alpha * r + alpha**2 * v
    if ((far <= 0.0) & (state > 0.0) | (far >= 1.0)).any():
        return twice
    far = _step(cells, far, n_positions)
    better = _log_likelihood(cells, far, n_positions) >= _log_likelihood(
        cells, twice, n_positions
    )
    return far if better else twice


def _log_likelihood(cells: _Cells, state: FloatArray, n_positions: int) -> float:
    chance = state[:n_positions][cells.rank] * state[n_positions:][cells.item]
    ignored = cells.shown - cells.clicked
    hit = cells.clicked > 0
    total = cells.clicked[hit] @ np.log(np.maximum(chance[hit], 1e-300))
    return float(total + ignored @ np.log(np.maximum(1.0 - chance, 1e-300)))
