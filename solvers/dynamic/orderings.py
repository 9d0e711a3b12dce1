"""Linear orderings of up to 15 items: the best, log Z, marginals and samples."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers.dynamic import ordering_recursions as recursions
from ltr.solvers.dynamic.inputs import flatten, gumbel, prepare_orderings, with_last


def ordering_log_partition(
    matrix: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    r"""Log of the sum of e^gain over all linear orderings.

    .. math:: \log Z = \log \sum_\pi \exp \sum_{k < l} A_{\pi_k \pi_l}

    Its gradient is :func:`ordering_marginals`.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        A: ``matrix[i, j]`` is the gain if i precedes j. n ≤ 15.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    log_z : array of shape (...)
        0 for an empty list, −inf if all orderings are forbidden.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> log_z = ordering_log_partition(jnp.zeros((3, 3)))
    >>> bool(jnp.isclose(log_z, jnp.log(6.0)))  # 3! orderings
    True
    """
    return _ordering_log_partition(*prepare_orderings(matrix, where))


def ordering_marginals(
    matrix: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    """Probability that i precedes j in a random linear ordering.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain if i precedes j. n ≤ 15.
    where : bool array of shape (..., n), default=None
        True for real items; masked items have probability 0. None: all.

    Returns
    -------
    precedence : array of shape (..., n, n)
        P(i before j). The expected rank of j is ``1 + precedence[:, j].sum()``.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> ordering_marginals(jnp.array([[0.0, jnp.log(3.0)], [0.0, 0.0]])).round(4)
    Array([[0.  , 0.75],
           [0.25, 0.  ]], dtype=float32)
    """
    return _ordering_marginals(*prepare_orderings(matrix, where))


def best_ordering(
    matrix: ArrayLike, *, where: ArrayLike | None = None
) -> tuple[jax.Array, jax.Array]:
    """Linear ordering of greatest gain, and its gain.

    The gradient of the value is the 0/1 matrix of "i before j".

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain if i precedes j. n ≤ 15.
    where : bool array of shape (..., n), default=None
        True for real items; masked items come last. None: all.

    Returns
    -------
    value : array of shape (...)
        Gain of the ordering.
    order : int array of shape (..., n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> best_ordering(jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]]))
    (Array(8., dtype=float32), Array([2, 0, 1], dtype=int32))
    """
    return _best_ordering(*prepare_orderings(matrix, where))


def sample_orderings(
    matrix: ArrayLike,
    key: jax.Array,
    *,
    where: ArrayLike | None = None,
    n_samples: int = 1,
) -> jax.Array:
    """Draw independent linear orderings with probability e^gain / Z, exactly.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain if i precedes j. n ≤ 15.
    key : PRNG key
        Do not reuse it.
    where : bool array of shape (..., n), default=None
        True for real items; masked items come last. None: all.
    n_samples : int, default=1
        Orderings per list.

    Returns
    -------
    orders : int array of shape (..., n_samples, n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> sure = jnp.array([[0.0, -99, -99], [0, 0, -99], [0, 0, 0]])
    >>> sample_orderings(sure, jax.random.key(0))
    Array([[2, 1, 0]], dtype=int32)
    """
    return _sample_orderings(*prepare_orderings(matrix, where), key, n_samples)


@jax.jit
def _ordering_log_partition(matrix: jax.Array, where: jax.Array) -> jax.Array:
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype)
    lists = flatten(with_last(matrix, where), 2)
    return recursions.log_partition(lists).reshape(where.shape[:-1])


@jax.jit
def _ordering_marginals(matrix: jax.Array, where: jax.Array) -> jax.Array:
    """∂ log Z / ∂A[i, j] = P(i before j)."""
    return jax.grad(lambda a: _ordering_log_partition(a, where).sum())(matrix)


@jax.jit
def _best_ordering(matrix: jax.Array, where: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Best order, and its gain read off the matrix, so that gradients flow to it."""
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype), where.astype(jnp.int32)
    n = where.shape[-1]
    entries = with_last(matrix, where)
    lists = jax.lax.stop_gradient(flatten(entries, 2))
    no_noise = jnp.zeros((len(lists), 1, n, n), matrix.dtype)
    order = recursions.best_orders(lists, no_noise).reshape(where.shape)
    # in best order, the gain is the sum of the entries above the diagonal
    rows = jnp.take_along_axis(entries, order[..., :, None], axis=-2)
    reordered = jnp.take_along_axis(rows, order[..., None, :], axis=-1)  # (..., n, n)
    before = jnp.broadcast_to(jnp.triu(jnp.ones((n, n), bool), 1), reordered.shape)
    return jnp.where(before, reordered, 0.0).sum(axis=(-2, -1)), order


@partial(jax.jit, static_argnames="n_samples")
def _sample_orderings(
    matrix: jax.Array, where: jax.Array, key: jax.Array, n_samples: int
) -> jax.Array:
    shape = (*where.shape[:-1], n_samples, where.shape[-1])
    if not where.size:
        return jnp.zeros(shape, jnp.int32)
    lists = jax.lax.stop_gradient(flatten(with_last(matrix, where), 2))
    noise = gumbel(key, len(lists), n_samples, matrix)
    return recursions.sampled_orders(lists, noise).reshape(shape)
