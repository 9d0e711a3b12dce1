"""Losses whose gradient needs a best order: structured hinge and Fenchel-Young."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.solvers.differentiable.oracles import (
    Oracle,
    Parts,
    checked_scores,
    inner,
    scored_parts,
)


def structured_hinge(
    oracle: Oracle,
    matrix: ArrayLike,
    target: Parts,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    margin: float = 1.0,
) -> jax.Array:
    r"""Structured hinge loss: orders must lose by ``margin`` per non-target part.

    .. math:: \ell = \max_y \langle \theta + m (1 - y_0), y \rangle
        - \langle \theta, y_0 \rangle

    It is at least 0, and 0 if and only if the margin holds. Its gradient is y − y₀,
    where y is the maximizer.

    Parameters
    ----------
    oracle : Oracle
        Finds the best order.
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    target : Parts
        y₀, see :func:`path_parts`.
    start, end : array of shape (..., n), default=None
        θ of the first and of the last item. None: 0, without margin.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    margin : float, default=1.0
        m ≥ 0.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Tsochantaridis et al., "Large margin methods for structured and
       interdependent output variables", JMLR 2005, margin re-scaling. With
       m = 1/2, half the SPO+ loss of Elmachtoub & Grigas, "Smart 'predict, then
       optimize'", Management Science 2022.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ltr.solvers.differentiable import PathOracle, path_parts
    >>> structured_hinge(PathOracle(), jnp.zeros((3, 3)), path_parts([0, 1, 2]))
    Array(2., dtype=float32)
    """
    scores, real = checked_scores(matrix, start, end, where)
    # loss-augmented scores θ + m (1 - y₀); ⟨θ + m (1 - y₀), y₀⟩ = ⟨θ, y₀⟩
    augmented = jax.tree.map(
        lambda score, used, is_scored: (
            score + margin * is_scored * (1.0 - jnp.broadcast_to(used, score.shape))
        ),
        scores,
        target,
        scored_parts(start, end),
    )
    # no gradient flows through y*: by Danskin's theorem, ∇ max ⟨θ, y⟩ = y*
    best = oracle(augmented, real)
    return inner(augmented, best) - inner(scores, target)


def perturbed_fenchel_young(
    oracle: Oracle,
    matrix: ArrayLike,
    target: Parts,
    key: jax.Array,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    sigma: float = 1.0,
    n_samples: int = 8,
    noise: Literal["normal", "gumbel"] = "normal",
) -> jax.Array:
    r"""Fenchel-Young loss of the perturbed maximum.

    .. math:: \ell = \mathbb{E}_Z \max_y \langle \theta + \sigma Z, y \rangle
        - \langle \theta, y_0 \rangle

    It is convex in θ, and the estimate of its gradient E[y*(θ + σZ)] − y₀ is unbiased.
    As σ → 0 it becomes the structured perceptron loss.

    Parameters
    ----------
    oracle : Oracle
        Finds the best order.
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    target : Parts
        y₀, see :func:`path_parts`.
    key : PRNG key
        All lists of a call share their noise (common random numbers).
    start, end : array of shape (..., n), default=None
        θ of the first and of the last item. None: 0, without noise.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    sigma : float, default=1.0
        σ > 0.
    n_samples : int, default=8
        Draws of Z; each takes one solve per list.
    noise : {"normal", "gumbel"}, default="normal"
        Distribution of Z; Gumbel noise is shifted to mean 0.

    Returns
    -------
    loss : array of shape (...)
        Its expectation is at least 0; an estimate may be negative.

    References
    ----------
    .. [1] Berthet et al., "Learning with differentiable perturbed optimizers", NeurIPS
       2020, section 4 and eq. (8).

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from ltr.solvers.differentiable import PathOracle, path_parts
    >>> key, matrix = jax.random.key(0), 9 * jnp.eye(3, k=1)
    >>> target = path_parts([0, 1, 2])
    >>> loss = perturbed_fenchel_young(PathOracle(), matrix, target, key, sigma=0.1)
    >>> bool(jnp.abs(loss) < 0.2)
    True
    """
    scores, real = checked_scores(matrix, start, end, where)
    perturbed = jax.tree.map(  # θ + σZ: (n_samples, ..., n, n)
        lambda score, z, is_scored: score[None] + sigma * is_scored * z,
        scores,
        _noise(key, scores, n_samples, noise),
        scored_parts(start, end),
    )
    best = oracle(perturbed, jnp.broadcast_to(real[None], (n_samples, *real.shape)))
    return inner(perturbed, best).mean(axis=0) - inner(scores, target)


def _noise(key: jax.Array, scores: Parts, n_samples: int, kind: str) -> Parts:
    """Z, shared by all lists: (n_samples, 1, …, n, n) and (n_samples, 1, …, n)."""
    check_choice("noise", kind, ("normal", "gumbel"))
    n = scores.start.shape[-1]
    if kind == "normal":
        draws = jax.random.normal(key, (n_samples, n + 2, n), jnp.float32)
    else:
        draws = jax.random.gumbel(key, (n_samples, n + 2, n), jnp.float32)
        draws = draws - float(jnp.euler_gamma)  # the mean of a Gumbel variable
    draws = draws.astype(scores.matrix.dtype)
    lead = (n_samples, *(1,) * (scores.start.ndim - 1))
    return Parts(
        draws[:, :n].reshape(*lead, n, n),
        draws[:, n].reshape(*lead, n),
        draws[:, n + 1].reshape(*lead, n),
    )
