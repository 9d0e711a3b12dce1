"""Paths of up to 15 items: the best path, log Z, marginals and samples."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers.dynamic import path_recursions as recursions
from ltr.solvers.dynamic.inputs import (
    Paths,
    both_real,
    flatten_paths,
    gumbel,
    prepare_paths,
    with_tail,
)


class PathMarginals(NamedTuple):
    """Probability of each arc, and of each item being first and last.

    Attributes
    ----------
    arcs : array of shape (..., n, n)
        P(j directly after i). Row i and ``end[i]`` sum to 1, as do column j and
        ``start[j]``.
    start : array of shape (..., n)
        P(i is first).
    end : array of shape (..., n)
        P(i is last).
    """

    arcs: jax.Array
    start: jax.Array
    end: jax.Array


def path_log_partition(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> jax.Array:
    r"""Log of the sum of e^gain over all paths.

    .. math:: \log Z = \log \sum_\pi \exp \Bigl( s_{\pi_1}
        + \sum_{k<n} A_{\pi_k \pi_{k+1}} + e_{\pi_n} \Bigr)

    Its gradient is :func:`path_marginals`.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        A: ``matrix[i, j]`` is the gain of placing j directly after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gains of starting with and of ending with each item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    log_z : array of shape (...)
        0 for an empty list, −inf if all paths are forbidden.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> log_z = path_log_partition(jnp.zeros((3, 3)))
    >>> bool(jnp.isclose(log_z, jnp.log(6.0)))  # 3! paths
    True
    """
    return _path_log_partition(*prepare_paths(matrix, start, end, where))


def path_marginals(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> PathMarginals:
    """Probability of each arc of a random path, and of each item being first and last.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j directly after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gains of starting with and of ending with each item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; masked items have probability 0. None: all.

    Returns
    -------
    marginals : PathMarginals
        ``arcs`` of shape (..., n, n), ``start`` and ``end`` of shape (..., n).

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> path_marginals(jnp.zeros((2, 2))).arcs
    Array([[0. , 0.5],
           [0.5, 0. ]], dtype=float32)
    """
    return _path_marginals(*prepare_paths(matrix, start, end, where))


def path_precedence(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> jax.Array:
    r"""Probability that i precedes j in a random path.

    The sum, over the sets S that contain i and j, of the probability that the path
    visits S first and j last of S. The expected rank of j is
    ``1 + precedence[:, j].sum()``; the best linear ordering of ``precedence`` maximizes
    the expected Kendall τ (minimum Bayes risk).

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j directly after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gains of starting with and of ending with each item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; masked items have probability 0. None: all.

    Returns
    -------
    precedence : array of shape (..., n, n)
        P(i before j); ``precedence + precedence.T`` is 1 off the diagonal. No gradient
        flows through it.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> precedence = path_precedence(jnp.zeros((3, 3)), start=jnp.array([9.0, 0, 0]))
    >>> (1 + precedence.sum(axis=-2)).round(1)  # expected ranks
    Array([1. , 2.5, 2.5], dtype=float32)
    """
    return _path_precedence(*prepare_paths(matrix, start, end, where))


def best_path(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Path of greatest gain, and its gain.

    The gradient of the value is the 0/1 matrix of the arcs of the path.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j directly after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gains of starting with and of ending with each item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; masked items come last. None: all.

    Returns
    -------
    value : array of shape (...)
        Gain of the path.
    order : int array of shape (..., n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not match.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> best_path(jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]]))
    (Array(7., dtype=float32), Array([2, 0, 1], dtype=int32))
    """
    return _best_path(*prepare_paths(matrix, start, end, where))


def sample_paths(
    matrix: ArrayLike,
    key: jax.Array,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    n_samples: int = 1,
) -> jax.Array:
    """Draw independent paths with probability e^gain / Z, exactly.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j directly after i. n ≤ 15.
    key : PRNG key
        Do not reuse it.
    start, end : array of shape (..., n), default=None
        Gains of starting with and of ending with each item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; masked items come last. None: all.
    n_samples : int, default=1
        Paths per list.

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
    >>> sure = jnp.array([[0.0, 99, 0], [0, 0, 99], [0, 0, 0]])
    >>> sample_paths(sure, jax.random.key(0), n_samples=2)
    Array([[0, 1, 2],
           [0, 1, 2]], dtype=int32)
    """
    lists = prepare_paths(matrix, start, end, where)
    return _sample_paths(*lists, key, n_samples)


@jax.jit
def _path_log_partition(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> jax.Array:
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype)
    lists = flatten_paths(with_tail(Paths(matrix, start, end, where)))
    return recursions.log_partition(*lists).reshape(where.shape[:-1])


@jax.jit
def _path_marginals(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> PathMarginals:
    """∂ log Z / ∂A[i, j] = P(arc i → j): an exponential family's mean parameters."""

    def total(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
        return _path_log_partition(matrix, start, end, where).sum()

    return PathMarginals(*jax.grad(total, argnums=(0, 1, 2))(matrix, start, end))


@jax.jit
def _path_precedence(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> jax.Array:
    if not where.size:
        return jnp.zeros_like(matrix)
    paths = with_tail(Paths(matrix, start, end, where))
    lists = (jax.lax.stop_gradient(x) for x in flatten_paths(paths))
    precedence = recursions.precedences(*lists).reshape(matrix.shape)
    return jnp.where(both_real(where), precedence, 0.0)


@jax.jit
def _best_path(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Best order, and its gain read off the matrix, so that gradients flow to it."""
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype), where.astype(jnp.int32)
    paths = with_tail(Paths(matrix, start, end, where))
    lists = [jax.lax.stop_gradient(x) for x in flatten_paths(paths)]
    no_noise = jnp.zeros((len(lists[0]), 1, *matrix.shape[-2:]), matrix.dtype)
    order = recursions.best_orders(*lists, no_noise).reshape(where.shape)  # (..., n)
    along = partial(jnp.take_along_axis, axis=-1)
    rows = jnp.take_along_axis(paths.matrix, order[..., :-1, None], axis=-2)
    arcs = along(rows, order[..., 1:, None])[..., 0].sum(axis=-1)  # Σ A[π_k, π_{k+1}]
    ends = along(paths.start, order[..., :1]) + along(paths.end, order[..., -1:])
    return ends[..., 0] + arcs, order


@partial(jax.jit, static_argnames="n_samples")
def _sample_paths(
    matrix: jax.Array,
    start: jax.Array,
    end: jax.Array,
    where: jax.Array,
    key: jax.Array,
    n_samples: int,
) -> jax.Array:
    shape = (*where.shape[:-1], n_samples, where.shape[-1])
    if not where.size:
        return jnp.zeros(shape, jnp.int32)
    paths = flatten_paths(with_tail(Paths(matrix, start, end, where)))
    noise = gumbel(key, len(paths[0]), n_samples, matrix)
    lists = (jax.lax.stop_gradient(x) for x in paths)
    return recursions.sampled_orders(*lists, noise).reshape(shape)
