"""TSPRank's losses as in its authors' code, for comparison only.

They differ from :mod:`ltr.losses.paths`: no start and end scores, the diagonal takes
part in the softmax, n divides sums of n − 1 terms, the "global" margin is 1, and equal
labels are told apart by the order of the rows, on which these losses therefore depend.

References
----------
.. [1] Yin et al., "TSPRank: bridging pairwise and listwise methods with a bilinear
   travelling salesman model", KDD 2025; code at github.com/waylonli/TSPRank-KDD2025,
   commit 7dbab59, ``model/loss.py`` and ``utils.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.log_sums import LOG_0
from ltr.losses.kernels.loops import inverse
from ltr.losses.paths.blocks import prepare_paths
from ltr.losses.paths.losses import gap_weighted_bce_loss
from ltr.losses.paths.structured import Solver, max_margin_loss


@ranking_loss(learns_from="two_labels", bounds=(0.0, math.inf))
def published_successor_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    rank_weighted: bool = False,
) -> jax.Array:
    r"""Cross-entropy of the next item: the "local" mode for retrieval and events.

    .. math:: \ell = -\frac{1}{n} \sum_{k < n} w_{k+1} \log
        \frac{e^{A_{\pi_k \pi_{k+1}}}}{\sum_j e^{A_{\pi_k j}}}

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        A, diagonal included.
    labels : array of shape (..., n)
        Higher is better; among equal labels, the later row is.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    rank_weighted : bool, default=False
        :math:`w_k = k`, as "local" mode trains; False: 1, as the local half of
        "hybrid" does on stocks and events.

    Returns
    -------
    loss : array of shape (...)

    Examples
    --------
    >>> published_successor_loss(jnp.zeros((2, 2)), jnp.array([1.0, 0.0])).round(4)
    Array(0.3466, dtype=float32)
    """
    lists = prepare_paths(
        matrix, ordinal_labels(labels, where=where), None, None, where
    )
    diagonal = jnp.diagonal(jnp.asarray(matrix), axis1=-2, axis2=-1)
    real = lists.where
    itself = ~lists.arcs & real[..., None] & real[..., None, :]
    own = jnp.broadcast_to(jnp.where(real, diagonal, 0.0)[..., None], itself.shape)
    rows = jnp.where(itself, own, lists.matrix)
    rows = jnp.where(lists.arcs | itself, rows, LOG_0)
    follows = lists.place[..., :, None] + 1 == lists.place[..., None, :]
    weight = lists.place[..., None, :] + 1 if rank_weighted else 1
    log_p = jnp.where(lists.arcs & follows, jax.nn.log_softmax(rows, axis=-1), 0.0)
    n = jnp.maximum(real.sum(axis=-1), 1)
    return -jnp.sum(weight * log_p, axis=(-1, -2)) / n


@ranking_loss(learns_from="two_labels", bounds=(0.0, math.inf))
def published_gap_weighted_loss(
    matrix: ArrayLike, labels: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    """Binary cross-entropy weighted by the distance in rank: "local" mode for stocks.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Logits of "i before j"; the published model decodes them as a path.
    labels : array of shape (..., n)
        Higher is better; among equal labels, the later row is.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    loss : array of shape (...)

    Examples
    --------
    >>> published_gap_weighted_loss(jnp.zeros((2, 2)), jnp.array([1.0, 0.0])).round(4)
    Array(0.3466, dtype=float32)
    """
    return gap_weighted_bce_loss(
        matrix, ordinal_labels(labels, where=where), where=where
    )


@ranking_loss(learns_from="two_labels", bounds=(0.0, math.inf))
def published_max_margin_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    solver: Solver | None = None,
) -> jax.Array:
    """Structured hinge over n: the other half of "hybrid", called global in the paper.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item j directly after item i.
    labels : array of shape (..., n)
        Higher is better; among equal labels, the later row is.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    solver : callable, default=None
        As for :func:`ltr.losses.paths.max_margin_loss`.

    Returns
    -------
    loss : array of shape (...)

    Examples
    --------
    >>> published_max_margin_loss(jnp.zeros((2, 2)), jnp.array([1.0, 0.0]))
    Array(0.5, dtype=float32)
    """
    order = ordinal_labels(labels, where=where)
    total = max_margin_loss(matrix, order, where=where, normalize=False, solver=solver)
    n = jnp.shape(matrix)[-1] if where is None else jnp.sum(where, axis=-1)
    return total / jnp.maximum(n, 1)


def ordinal_labels(labels: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Ranks from below, ties broken by position: what the published code trains on.

    Parameters
    ----------
    labels : array of shape (..., n)
        Higher is better.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    ordinal : int array of shape (..., n)
        1 for the lowest label; among equal labels, the later row ranks higher.

    Examples
    --------
    >>> ordinal_labels([2, 0, 2])
    Array([2, 1, 3], dtype=int32)
    """
    y = jnp.asarray(labels, float)
    y = y if where is None else jnp.where(jnp.asarray(where, bool), y, jnp.inf)
    return 1 + inverse(jnp.argsort(y, axis=-1)).astype(jnp.int32)


__all__ = [
    "ordinal_labels",
    "published_gap_weighted_loss",
    "published_max_margin_loss",
    "published_successor_loss",
]


@ranking_loss(learns_from="two_labels", bounds=(0.0, math.inf))
def published_hybrid_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    step: jax.Array | int = 0,
) -> jax.Array:
    """The "global" mode: successor loss at even steps, max-margin loss at odd ones.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        A, diagonal included.
    labels : array of shape (..., n)
        Higher is better; among equal labels, the later row is.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    step : int, default=0
        Number of the mini-batch; the rankers pass it.

    Returns
    -------
    loss : array of shape (...)

    Examples
    --------
    >>> matrix, labels = jnp.eye(3, k=1), jnp.array([2.0, 1.0, 0.0])
    >>> hybrid = published_hybrid_loss(matrix, labels, step=1)
    >>> hybrid == published_max_margin_loss(matrix, labels)
    Array(True, dtype=bool)
    """
    return jax.lax.cond(
        jnp.asarray(step) % 2 == 0,
        lambda: published_successor_loss(matrix, labels, where=where),
        lambda: published_max_margin_loss(matrix, labels, where=where),
    )


# By the names of ltr.losses.paths; "successor" is the mode for retrieval and events.
PUBLISHED_LOSSES: dict[str, Callable[..., jax.Array]] = {
    "successor": partial(published_successor_loss, rank_weighted=True),
    "max_margin": published_max_margin_loss,
    "hybrid": published_hybrid_loss,
    "gap_weighted": published_gap_weighted_loss,
}
