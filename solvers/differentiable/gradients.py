"""A best order with a surrogate gradient: blackbox and identity."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers.differentiable.oracles import (
    Oracle,
    Parts,
    checked_scores,
    diagonal,
)
from ltr.solvers.dynamic.inputs import both_real


def blackbox(
    oracle: Oracle,
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    strength: float = 1.0,
) -> Parts:
    r"""Best order, with the gradient of an interpolation of the loss.

    For a loss L(y*) with gradient g, the gradient with respect to θ is

    .. math:: \frac{y^*(\theta) - y^*(\theta - \lambda g)}{\lambda}

    (Here y* maximizes; in the paper it minimizes, so both signs are flipped.)

    Parameters
    ----------
    oracle : Oracle
        Finds the best order; must be hashable.
    matrix : array of shape (..., n, n)
        θ; −inf forbids. Keep its scale fixed: λ is in its units.
    start, end : array of shape (..., n), default=None
        θ of the first and of the last item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    strength : float, default=1.0
        λ > 0; larger values are smoother and less faithful.

    Returns
    -------
    best : Parts
        Indicator y*.

    References
    ----------
    .. [1] Vlastelica et al., "Differentiation of blackbox combinatorial solvers", ICLR
       2020, algorithm 1.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from ltr.solvers.differentiable import PathOracle, blackbox
    >>> cost = jnp.array([[0.0, 1.0], [-1.0, 0.0]])  # of using an arc
    >>> loss = lambda A: (blackbox(PathOracle(), A, strength=9.0).matrix * cost).sum()
    >>> jax.grad(loss)(jnp.array([[0.0, 3.0], [1.0, 0.0]])) * 9
    Array([[ 0.,  1.],
           [-1.,  0.]], dtype=float32)
    """
    scores, real = checked_scores(matrix, start, end, where)
    return _blackbox(oracle, scores, real, jnp.asarray(strength, scores.matrix.dtype))


def identity(
    oracle: Oracle,
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Parts:
    """Best order, with the gradient of its centered and normalized scores.

    The backward pass treats the solver as the identity. Before the solver, the scores
    are centered over all parts and divided by their norm, which changes no best order
    and keeps the gradient orthogonal to shifts and scalings of the scores.

    Parameters
    ----------
    oracle : Oracle
        Finds the best order; must be hashable.
    matrix : array of shape (..., n, n)
        Scores; −inf forbids.
    start, end : array of shape (..., n), default=None
        Scores of the first and of the last item. None: 0, and no gradient.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    best : Parts
        Indicator y*.

    References
    ----------
    .. [1] Sahoo et al., "Backpropagation through combinatorial algorithms: identity
       with projection works", ICLR 2023, sections 3.2 and 3.3.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from ltr.solvers.differentiable import PathOracle, identity
    >>> matrix = jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]])
    >>> used = lambda A: identity(PathOracle(), A).matrix[2, 0]  # is arc (2, 0) in?
    >>> used(matrix), jax.grad(used)(matrix)[2, 0] > 0
    (Array(1., dtype=float32), Array(True, dtype=bool))
    """
    scores, real = checked_scores(matrix, start, end, where)
    pairs = both_real(real) & ~diagonal(scores.matrix)
    allowed = Parts(
        pairs & (scores.matrix > -jnp.inf),
        real & (scores.start > -jnp.inf) & (start is not None),
        real & (scores.end > -jnp.inf) & (end is not None),
    )
    return _identity(oracle, _project(scores, allowed), real)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _blackbox(
    oracle: Oracle, scores: Parts, where: jax.Array, strength: jax.Array
) -> Parts:
    return oracle(scores, where)


def _blackbox_forward(
    oracle: Oracle, scores: Parts, where: jax.Array, strength: jax.Array
) -> tuple[Parts, tuple[Parts, Parts, jax.Array, jax.Array]]:
    best = oracle(scores, where)
    return best, (scores, best, where, strength)


def _blackbox_backward(
    oracle: Oracle,
    residuals: tuple[Parts, Parts, jax.Array, jax.Array],
    cotangent: Parts,
) -> tuple[Parts, None, None]:
    """(y*(θ) − y*(θ − λg)) / λ: the slope of an interpolation between two optima."""
    scores, best, where, strength = residuals
    shifted = jax.tree.map(lambda s, g: s - strength * g, scores, cotangent)
    best_shifted = oracle(shifted, where)
    gradient = jax.tree.map(lambda y, z: (y - z) / strength, best, best_shifted)
    return gradient, None, None


_blackbox.defvjp(_blackbox_forward, _blackbox_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _identity(oracle: Oracle, scores: Parts, where: jax.Array) -> Parts:
    return oracle(scores, where)


_identity.defvjp(
    lambda oracle, scores, where: (oracle(scores, where), None),
    lambda oracle, _, cotangent: (cotangent, None),
)


def _project(scores: Parts, allowed: Parts) -> Parts:
    """(θ - mean θ) / ‖θ - mean θ‖ over the allowed parts of each list.

    All tours use the same number of parts, so neither the shift nor the scale changes
    the best one; the gradient of the projection is orthogonal to both.
    """

    def total(parts: list[jax.Array]) -> jax.Array:
        return parts[0].sum(axis=(-2, -1)) + (parts[1] + parts[2]).sum(axis=-1)

    def per_list(value: jax.Array) -> Parts:
        return Parts(value[..., None, None], value[..., None], value[..., None])

    safe = [jnp.where(a, s, 0.0) for s, a in zip(scores, allowed, strict=True)]
    count = total([a.astype(scores.matrix.dtype) for a in allowed])  # (...)
    mean = per_list(total(safe) / jnp.maximum(count, 1.0))
    centered = [
        jnp.where(a, s - m, 0.0) for s, m, a in zip(safe, mean, allowed, strict=True)
    ]
    square = total([c**2 for c in centered])
    norm = per_list(jnp.sqrt(jnp.where(square > 0, square, 1.0)))
    return Parts(
        *(
            jnp.where(a, c / m, jax.lax.stop_gradient(s))
            for a, c, m, s in zip(allowed, centered, norm, scores, strict=True)
        )
    )
