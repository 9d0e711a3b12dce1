"""The assignment relaxation of paths, with entropy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers.differentiable.oracles import Parts, checked_scores, diagonal, inner
from ltr.solvers.dynamic.inputs import both_real

_NEVER = -1e30


def sinkhorn(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
    n_iterations: int = 20,
) -> Parts:
    r"""Relaxed path: entropic assignment of successors, for any number of items.

    A path is a tour through the items and one more node, whose row are the start and
    whose column the end scores; each node has one successor and one predecessor.
    Without the demand that the tour be in one piece this is an assignment, and
    :math:`\arg\max_P \langle \theta, P \rangle + \tau H(P)` over doubly stochastic P is
    found by scaling rows and columns of :math:`e^{\theta / \tau}` in turn.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    start, end : array of shape (..., n), default=None
        θ of the first, of the last item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    temperature : float, default=1.0
        τ > 0.
    n_iterations : int, default=20
        Scalings of rows and columns; the columns are exact, the rows nearly.

    Returns
    -------
    relaxed : Parts
        Shares in [0, 1]; 0 for masked items.

    References
    ----------
    .. [1] Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport",
       NeurIPS 2013; Mena et al., "Learning latent permutations with Gumbel-Sinkhorn
       networks", ICLR 2018, eq. (4).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> sinkhorn(jnp.zeros((2, 2))).start
    Array([0.5, 0.5], dtype=float32)
    """
    scores, real = checked_scores(matrix, start, end, where)
    logs = _log_sinkhorn(scores, real, temperature, n_iterations)
    return jax.tree.map(jnp.exp, logs)


def sinkhorn_loss(
    matrix: ArrayLike,
    target: Parts,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
    n_iterations: int = 20,
) -> jax.Array:
    r"""Cross-entropy of a path under the relaxed assignment: no solver, any size.

    .. math:: \ell = -\langle y_0, \log P_\tau(\theta) \rangle

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    target : Parts
        y₀, see :func:`path_parts`.
    start, end : array of shape (..., n), default=None
        θ of the first, of the last item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    temperature : float, default=1.0
        τ > 0.
    n_iterations : int, default=20
        Scalings of rows and columns.

    Returns
    -------
    loss : array of shape (...)
        At least 0.

    References
    ----------
    .. [1] As for :func:`sinkhorn`; the loss is the maximum likelihood of the successor
       loss with predecessors in the denominator too.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ltr.solvers.differentiable import path_parts
    >>> sinkhorn_loss(jnp.zeros((2, 2)), path_parts([0, 1])).round(4)  # 3 log 2
    Array(2.0794, dtype=float32)
    """
    scores, real = checked_scores(matrix, start, end, where)
    return -inner(_log_sinkhorn(scores, real, temperature, n_iterations), target)


def _log_sinkhorn(
    scores: Parts, where: jax.Array, temperature: float, n_iterations: int
) -> Parts:
    """Masked items are their own successors; the last node starts and ends."""
    n = where.shape[-1]
    never = jnp.full((*where.shape[:-1], 1), _NEVER, scores.matrix.dtype)
    pairs = both_real(where) & ~diagonal(scores.matrix)
    alone = diagonal(scores.matrix) & ~where[..., None]
    inside = jnp.where(pairs, scores.matrix / temperature, _NEVER)
    inside = jnp.where(alone, 0.0, inside)
    ends = [
        jnp.where(where, values / temperature, _NEVER)
        for values in (scores.start, scores.end)
    ]
    rows = jnp.concatenate([inside, ends[1][..., None]], axis=-1)
    itself = jnp.where(where.any(axis=-1, keepdims=True), never, 0.0)
    row = jnp.concatenate([ends[0], itself], axis=-1)
    logs = jnp.maximum(jnp.concatenate([rows, row[..., None, :]], axis=-2), _NEVER)

    def scale(logs: jax.Array, _: None) -> tuple[jax.Array, None]:
        for axis in (-1, -2):
            logs = logs - jax.nn.logsumexp(logs, axis=axis, keepdims=True)
        return logs, None

    logs, _ = jax.lax.scan(scale, logs, None, length=n_iterations)
    return Parts(
        jnp.where(pairs, logs[..., :n, :n], -jnp.inf),
        jnp.where(where, logs[..., n, :n], -jnp.inf),
        jnp.where(where, logs[..., :n, n], -jnp.inf),
    )
