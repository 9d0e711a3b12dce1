"""Losses on arcs and pairs that need no solver, and the table of all path losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.log_sums import LOG_0
from ltr.losses.paths.blocks import (
    ArcWeight,
    expected_arcs,
    finish,
    log_softmax,
    n_arcs,
    prepare_paths,
)
from ltr.losses.paths.structured import (
    Solver,
    max_margin_loss,
    path_crf_loss,
    perturbed_fy_loss,
)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def successor_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    arc_weight: ArcWeight = "uniform",
    normalize: bool = True,
) -> jax.Array:
    r"""Cross-entropy of the true next item.

    .. math:: \ell = -\frac{1}{n+1} \Bigl( \log p^{start}_{\pi_1} + \sum_{k < n} \log
        p_{\pi_k \pi_{k+1}} + \log p^{end}_{\pi_n} \Bigr)

    where row i of p is the softmax of ``matrix[i, j]``, j ≠ i, and ``end[i]``. Without
    ``start`` and ``end`` those terms and columns are omitted, and n − 1 divides.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item j directly after item i.
    labels : array of shape (..., n)
        Higher is better; equal labels are in no order.
    start, end : array of shape (..., n), default=None
        Gain of an item in the first, in the last place. None: none.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    arc_weight : {"uniform", "top"}, default="uniform"
        ``"top"`` weights the arc to place k, from 1, by 1/log2(k + 1); the end is place
        n + 1.
    normalize : bool, default=True
        Divide by the number of arcs. False: their sum.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Yin et al., "TSPRank", KDD 2025, local mode; start, end, the diagonal and
       ties are ours.

    Examples
    --------
    >>> successor_loss(jnp.zeros((3, 3)), jnp.array([2.0, 1.0, 0.0])).round(4)
    Array(0.6931, dtype=float32)
    """
    check_choice("arc_weight", arc_weight, ("uniform", "top"))
    lists = prepare_paths(matrix, labels, start, end, where)
    to_item, first, last = expected_arcs(lists, arc_weight)
    # Row i: logits of what follows item i, other items and (last column) the end.
    rows = jnp.where(lists.arcs, lists.matrix, LOG_0)
    if end is not None:
        leave = jnp.where(lists.where, lists.end, LOG_0)
        rows = jnp.concatenate([rows, leave[..., None]], axis=-1)
        to_item = jnp.concatenate([to_item, last[..., None]], axis=-1)
    total = -jnp.sum(to_item * log_softmax(rows), axis=(-1, -2))
    if start is not None:
        begin = jnp.where(lists.where, lists.start, LOG_0)
        total -= jnp.sum(first * log_softmax(begin), axis=-1)
    return finish(total, lists, n_arcs(lists, start, end) if normalize else None)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def pairwise_logistic_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Logistic loss of ``matrix[i, j] - matrix[j, i]`` for every pair in true order.

    .. math:: \ell = \sum_{y_i > y_j} \log\bigl(1 + e^{-(A_{ij} - A_{ji})}\bigr)

    RankNet on pairs. It trains for a linear ordering; a path over such scores is wrong,
    see :class:`ltr.TSPRanker`.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item i before item j.
    labels : array of shape (..., n)
        Higher is better; pairs of equal labels do not count.
    start, end : array of shape (..., n), default=None
        Not read: an ordering has no ends.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    normalize : bool, default=False
        Divide by the number of pairs.

    Returns
    -------
    loss : array of shape (...)

    Examples
    --------
    >>> pairwise_logistic_loss(jnp.zeros((3, 3)), jnp.array([2.0, 1.0, 0.0])).round(3)
    Array(2.079, dtype=float32)
    """
    lists = prepare_paths(matrix, labels, start, end, where)
    true = lists.arcs & (lists.place[..., :, None] < lists.place[..., None, :])
    margin = lists.matrix - jnp.swapaxes(lists.matrix, -1, -2)
    total = jnp.sum(jnp.where(true, jax.nn.softplus(-margin), 0.0), axis=(-1, -2))
    return finish(total, lists, true.sum(axis=(-1, -2)) if normalize else None)


@ranking_loss(
    learns_from="two_labels",
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="items",
)
def gap_weighted_bce_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    normalize: bool = True,
) -> jax.Array:
    r"""Binary cross-entropy of *i before j*, weighted by the distance in rank.

    .. math:: \ell = \frac{1}{n^2} \sum_{i, j} \frac{|r_i - r_j|}{n/2}
        \bigl(\log(1 + e^{A_{ij}}) - [r_i < r_j] A_{ij}\bigr)

    with true ranks r, equal labels sharing their mean rank. It trains for a linear
    ordering.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Logit of item i before item j.
    labels : array of shape (..., n)
        Higher is better; pairs of equal labels have weight 0.
    start, end : array of shape (..., n), default=None
        Not read: an ordering has no ends.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    normalize : bool, default=True
        Divide by n². False: the sum.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Yin et al., "TSPRank", KDD 2025, local mode on stocks, after its code.

    Examples
    --------
    >>> gap_weighted_bce_loss(jnp.zeros((2, 2)), jnp.array([1.0, 0.0])).round(4)
    Array(0.3466, dtype=float32)
    """
    lists = prepare_paths(matrix, labels, start, end, where)
    # A block of m equal labels from place p on has the mean rank p + (m − 1) / 2.
    rank = lists.place + (lists.block_size - 1) / 2
    gap = rank[..., None, :] - rank[..., :, None]
    n = jnp.sum(lists.where, axis=-1).astype(gap.dtype)
    # −log σ(A) = log(1 + e^A) − A if i is truly first, else −log σ(−A) = log(1 + e^A)
    cost = jax.nn.softplus(lists.matrix) - jnp.where(gap > 0, lists.matrix, 0.0)
    total = jnp.sum(jnp.where(lists.arcs, jnp.abs(gap) * cost, 0.0), axis=(-1, -2))
    total = 2.0 * total / jnp.maximum(n, 1.0)
    return finish(total, lists, n**2 if normalize else None)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def hybrid_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    step: jax.Array | int = 0,
    margin: float = 1.0,
    solver: Solver | None = None,
    normalize: bool = True,
) -> jax.Array:
    """Successor loss at even steps of training, max-margin loss at odd ones.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item j directly after item i.
    labels : array of shape (..., n)
        Higher is better; equal labels are in no order.
    start, end : array of shape (..., n), default=None
        Gain of an item in the first, in the last place. None: none.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    step : int, default=0
        Number of the mini-batch; the rankers pass it.
    margin : float, default=1.0
        For :func:`max_margin_loss`.
    solver : callable, default=None
        For :func:`max_margin_loss`.
    normalize : bool, default=True
        Divide by the number of arcs.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Yin et al., "TSPRank", KDD 2025: its "global" mode, after its code.

    Examples
    --------
    >>> matrix, labels = jnp.eye(3, k=1), jnp.array([2.0, 1.0, 0.0])
    >>> hybrid_loss(matrix, labels, step=1) == max_margin_loss(matrix, labels)
    Array(True, dtype=bool)
    """
    options: dict[str, Any] = {"start": start, "end": end, "where": where}
    options |= {"normalize": normalize}
    return jax.lax.cond(
        jnp.asarray(step) % 2 == 0,
        lambda: successor_loss(matrix, labels, **options),
        lambda: max_margin_loss(
            matrix, labels, **options, margin=margin, solver=solver
        ),
    )


PATH_LOSSES: dict[str, Callable[..., jax.Array]] = {
    "successor": successor_loss,
    "crf": path_crf_loss,
    "max_margin": max_margin_loss,
    "hybrid": hybrid_loss,
    "pairwise": pairwise_logistic_loss,
    "gap_weighted": gap_weighted_bce_loss,
    "perturbed_fy": perturbed_fy_loss,
}
