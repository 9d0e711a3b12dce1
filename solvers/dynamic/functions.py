"""Dynamic programmes over subsets, in JAX: best orders, log Z, marginals, samples.

For lists of up to 15 items, 12 with comfort, every order is summed over or compared:
no callback, so all of it runs inside ``jit``, ``vmap`` and ``grad`` and on any device.

A *path* gains ``start[π_1] + Σ matrix[π_k, π_{k+1}] + end[π_n]``, an *ordering*
``Σ_{i before j} matrix[i, j]``. With "max, +" the programme finds the best order, with
"log-sum-exp, +" the log of Z = Σ_π e^{gain(π)}, the normaliser of the distribution
P(π) = e^{gain(π)} / Z over orders: a conditional random field (CRF). The gradient of
log Z is the marginals; it is computed by a second recursion from the other end, in the
memory of the first, and not by a tape.

Everywhere in this module:

* the last two axes of ``matrix`` are the list, all leading axes are the batch; under
  ``vmap`` the same batch can be several times slower, gradients above all;
* ``where`` is True for real items. What stands elsewhere, NaN included, changes neither
  value nor gradient; the others come last in every order;
* −inf forbids an arc, an end or a pair; the diagonal is not read. If no order is left,
  the value is −inf, all marginals and gradients are 0, and orders and samples are
  arbitrary;
* NaN and +inf raise a ValueError, but inside ``jit``, ``vmap`` or ``grad``, where
  numbers cannot be looked at, they go through;
* the work doubles with each item: it grows with 2^n n² for paths and 2^n n for
  orderings. Use :func:`ltr.solvers.solve_paths` and :func:`ltr.solvers.solve_orderings`
  for longer lists;
* the precision is that of ``matrix``: float32, or float64 within
  ``jax.enable_x64(True)``.

References
----------
.. [1] Held & Karp, "A dynamic programming approach to sequencing problems", Journal of
   SIAM 1962; Bellman, "Dynamic programming treatment of the travelling salesman
   problem", JACM 1962.
.. [2] Lafferty, McCallum & Pereira, "Conditional random fields", ICML 2001.
"""

from __future__ import annotations

import jax
from jax.typing import ArrayLike

from ltr.solvers.dynamic import batches as subset_batches
from ltr.solvers.dynamic.batches import PathMarginals
from ltr.solvers.dynamic.inputs import MAX_ITEMS, prepare_orderings, prepare_paths


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
        A: ``matrix[i, j]`` is the gain of placing j right after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gain of beginning, of ending with an item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    log_z : array of shape (...)
        0 for an empty list, −inf if all paths are forbidden.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> log_z = path_log_partition(jnp.zeros((3, 3)))
    >>> bool(jnp.isclose(log_z, jnp.log(6.0)))  # 3! paths
    True
    """
    return subset_batches.path_log_partition(*prepare_paths(matrix, start, end, where))


def path_marginals(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> PathMarginals:
    """Probability of each arc, of each first and of each last item of a path.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j right after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gain of beginning, of ending with an item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; the probabilities of the others are 0. None: all.

    Returns
    -------
    marginals : PathMarginals
        ``arcs`` of shape (..., n, n), ``start`` and ``end`` of shape (..., n).

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> path_marginals(jnp.zeros((2, 2))).arcs
    Array([[0. , 0.5],
           [0.5, 0. ]], dtype=float32)
    """
    return subset_batches.path_marginals(*prepare_paths(matrix, start, end, where))


def path_precedence(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> jax.Array:
    r"""Probability that i comes anywhere before j in a random path.

    The sum, over sets S with i and j, of the probability that S is the beginning of the
    path and j its last item. The expected rank of j is ``1 + precedence[:, j].sum()``;
    an ordering with ``precedence`` as its matrix maximises the expected Kendall τ
    (minimum Bayes risk).

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j right after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gain of beginning, of ending with an item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; the probabilities of the others are 0. None: all.

    Returns
    -------
    precedence : array of shape (..., n, n)
        P(i before j); ``precedence + precedence.T`` is 1 off the diagonal. No gradient
        flows through it.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> precedence = path_precedence(jnp.zeros((3, 3)), start=jnp.array([9.0, 0, 0]))
    >>> (1 + precedence.sum(axis=-2)).round(1)  # expected ranks
    Array([1. , 2.5, 2.5], dtype=float32)
    """
    return subset_batches.path_precedence(*prepare_paths(matrix, start, end, where))


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
        ``matrix[i, j]`` is the gain of placing j right after i. n ≤ 15.
    start, end : array of shape (..., n), default=None
        Gain of beginning, of ending with an item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; the others come last. None: all.

    Returns
    -------
    value : array of shape (...)
        Gain of the path.
    order : int array of shape (..., n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> best_path(jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]]))
    (Array(7., dtype=float32), Array([2, 0, 1], dtype=int32))
    """
    return subset_batches.best_path(*prepare_paths(matrix, start, end, where))


def sample_paths(
    matrix: ArrayLike,
    key: jax.Array,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    n_samples: int = 1,
) -> jax.Array:
    """Draw paths with probability in proportion to e^gain, independently and exactly.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of placing j right after i. n ≤ 15.
    key : PRNG key
        Not to be used again.
    start, end : array of shape (..., n), default=None
        Gain of beginning, of ending with an item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items; the others come last. None: all.
    n_samples : int, default=1
        Paths per list.

    Returns
    -------
    orders : int array of shape (..., n_samples, n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> sure = jnp.array([[0.0, 99, 0], [0, 0, 99], [0, 0, 0]])
    >>> sample_paths(sure, jax.random.key(0), n_samples=2)
    Array([[0, 1, 2],
           [0, 1, 2]], dtype=int32)
    """
    lists = prepare_paths(matrix, start, end, where)
    return subset_batches.sample_paths(*lists, key, n_samples)


def ordering_log_partition(
    matrix: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    r"""Log of the sum of e^gain over all linear orderings.

    .. math:: \log Z = \log \sum_\pi \exp \sum_{k < l} A_{\pi_k \pi_l}

    Its gradient is :func:`ordering_marginals`.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        A: ``matrix[i, j]`` is the gain of i anywhere before j. n ≤ 15.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    log_z : array of shape (...)
        0 for an empty list, −inf if all orderings are forbidden.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> log_z = ordering_log_partition(jnp.zeros((3, 3)))
    >>> bool(jnp.isclose(log_z, jnp.log(6.0)))  # 3! orderings
    True
    """
    return subset_batches.ordering_log_partition(*prepare_orderings(matrix, where))


def ordering_marginals(
    matrix: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    """Probability that i comes before j in a random linear ordering.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of i anywhere before j. n ≤ 15.
    where : bool array of shape (..., n), default=None
        True for real items; the probabilities of the others are 0. None: all.

    Returns
    -------
    precedence : array of shape (..., n, n)
        P(i before j). The expected rank of j is ``1 + precedence[:, j].sum()``.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> ordering_marginals(jnp.array([[0.0, jnp.log(3.0)], [0.0, 0.0]])).round(4)
    Array([[0.  , 0.75],
           [0.25, 0.  ]], dtype=float32)
    """
    return subset_batches.ordering_marginals(*prepare_orderings(matrix, where))


def best_ordering(
    matrix: ArrayLike, *, where: ArrayLike | None = None
) -> tuple[jax.Array, jax.Array]:
    """Linear ordering of greatest gain, and its gain.

    The gradient of the value is the 0/1 matrix of "i before j".

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of i anywhere before j. n ≤ 15.
    where : bool array of shape (..., n), default=None
        True for real items; the others come last. None: all.

    Returns
    -------
    value : array of shape (...)
        Gain of the ordering.
    order : int array of shape (..., n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> best_ordering(jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]]))
    (Array(8., dtype=float32), Array([2, 0, 1], dtype=int32))
    """
    return subset_batches.best_ordering(*prepare_orderings(matrix, where))


def sample_orderings(
    matrix: ArrayLike,
    key: jax.Array,
    *,
    where: ArrayLike | None = None,
    n_samples: int = 1,
) -> jax.Array:
    """Draw linear orderings with probability in proportion to e^gain, exactly.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        ``matrix[i, j]`` is the gain of i anywhere before j. n ≤ 15.
    key : PRNG key
        Not to be used again.
    where : bool array of shape (..., n), default=None
        True for real items; the others come last. None: all.
    n_samples : int, default=1
        Orderings per list.

    Returns
    -------
    orders : int array of shape (..., n_samples, n)
        Item indices, best first.

    Raises
    ------
    ValueError
        If there are more than 15 items, or shapes do not fit.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> sure = jnp.array([[0.0, -99, -99], [0, 0, -99], [0, 0, 0]])
    >>> sample_orderings(sure, jax.random.key(0))
    Array([[2, 1, 0]], dtype=int32)
    """
    return subset_batches.sample_orderings(
        *prepare_orderings(matrix, where), key, n_samples
    )


__all__ = [
    "MAX_ITEMS",
    "PathMarginals",
    "best_ordering",
    "best_path",
    "ordering_log_partition",
    "ordering_marginals",
    "path_log_partition",
    "path_marginals",
    "path_precedence",
    "sample_orderings",
    "sample_paths",
]
