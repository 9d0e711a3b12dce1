"""The entropic assignment relaxation of paths, by Sinkhorn's scalings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers.differentiable.oracles import Parts, checked_scores, diagonal, inner
from ltr.solvers.dynamic.inputs import both_real

_NEVER = -1e30  # log 0, finite so that gradients stay NaN-free


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

    A path is a tour through the items and a depot, whose row holds the start scores and
    whose column the end scores; each node has one successor and one predecessor.
    Without subtour constraints this is an assignment, and
    :math:`\arg\max_P \langle \theta, P \rangle + \tau H(P)` over doubly stochastic P
    results from scaling the rows and columns of :math:`e^{\theta / \tau}` in turn.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    start, end : array of shape (..., n), default=None
        θ of the first and of the last item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    temperature : float, default=1.0
        τ > 0.
    n_iterations : int, default=20
        Scalings of rows and columns. Columns then sum to 1 exactly, rows nearly.

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
    r"""Cross-entropy of a path under the relaxed assignment, for any number of items.

    .. math:: \ell = -\langle y_0, \log P_\tau(\theta) \rangle

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    target : Parts
        y₀, see :func:`path_parts`.
    start, end : array of shape (..., n), default=None
        θ of the first and of the last item. None: 0.
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
    .. [1] As for :func:`sinkhorn`. The loss is the successor loss, a softmax over the
       successors of each item, normalized over predecessors too.

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
    """Log P over the items and a depot, node n; each masked item is a loop.

    Each step subtracts the logsumexp of the rows, then of the columns: with
    P = diag(u) e^{θ/τ} diag(v) these are the updates of log u and log v.
    """
    n = where.shape[-1]
    never = jnp.full((*where.shape[:-1], 1), _NEVER, scores.matrix.dtype)
    pairs = both_real(where) & ~diagonal(scores.matrix)
    loops = diagonal(scores.matrix) & ~where[..., None]
    arcs = jnp.where(pairs, scores.matrix / temperature, _NEVER)
    arcs = jnp.where(loops, 0.0, arcs)  # (..., n, n)
    start, end = (
        jnp.where(where, values / temperature, _NEVER)
        for values in (scores.start, scores.end)
    )
    item_rows = jnp.concatenate([arcs, end[..., None]], axis=-1)
    # the depot is its own successor only if there is no real item
    depot_loop = jnp.where(where.any(axis=-1, keepdims=True), never, 0.0)
    depot_row = jnp.concatenate([start, depot_loop], axis=-1)
    logs = jnp.concatenate([item_rows, depot_row[..., None, :]], axis=-2)
    logs = jnp.maximum(logs, _NEVER)  # (..., n + 1, n + 1)

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
