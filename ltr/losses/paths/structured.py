"""Losses on whole paths: likelihood, structured hinge, perturbed best path."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import check_positive
from ltr.losses.paths.blocks import (
    Paths,
    best_gain,
    finish,
    n_arcs,
    of_true_paths,
    prepare_paths,
    true_arcs,
)

Solver = Callable[..., Any]


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def path_crf_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Negative log-likelihood of the true path among all paths.

    .. math:: \ell = \log Z - \log Z_C, \quad Z = \sum_\pi e^{g(\pi)}

    where g(π) is the sum of start, arcs and end of a path, and :math:`Z_C` sums over
    the paths that visit the blocks of equal labels in turn; without ties it is
    :math:`e^{g}` of the true path. The gradient is arc marginals minus arc marginals
    given the blocks. Convex in the scores if there are no ties.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item j directly after item i; n ≤ 15.
    labels : array of shape (..., n)
        Higher is better; equal labels are in no order.
    start, end : array of shape (..., n), default=None
        Gain of an item in the first, in the last place. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    normalize : bool, default=False
        Divide by the number of arcs.

    Returns
    -------
    loss : array of shape (...)

    Raises
    ------
    ValueError
        If n > 15.

    References
    ----------
    .. [1] Lafferty, McCallum & Pereira, "Conditional random fields", ICML 2001, over
       the paths of TSPRank; log Z after Held & Karp, 1962.

    Examples
    --------
    >>> path_crf_loss(jnp.zeros((3, 3)), jnp.array([2.0, 1.0, 0.0])).round(3)  # log 3!
    Array(1.792, dtype=float32)
    """
    from ltr.solvers.dynamic import MAX_ITEMS, path_log_partition

    lists = prepare_paths(matrix, labels, start, end, where)
    if lists.where.shape[-1] > MAX_ITEMS:
        raise ValueError(
            f"the path CRF sums over all orders, of at most {MAX_ITEMS} items; got "
            f"{lists.where.shape[-1]}. Use the successor or the perturbed_fy loss."
        )

    def log_z(paths: Paths) -> jax.Array:
        ends = {"start": paths.start, "end": paths.end}
        return path_log_partition(paths.matrix, **ends, where=paths.where)

    # log Z_C is the same recursion with −inf on every arc of no true path.
    total = log_z(lists) - of_true_paths(lists, log_z)
    return finish(total, lists, n_arcs(lists, start, end) if normalize else None)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def max_margin_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    margin: float = 1.0,
    solver: Solver | None = None,
    normalize: bool = True,
) -> jax.Array:
    r"""Structured hinge: the true path must win by a margin for every wrong arc.

    .. math:: \ell = \max_\pi \bigl( g(\pi) + m \cdot \#\{\text{arcs of } \pi
        \text{ in no true path}\} \bigr) - \max_{\pi \in C} g(\pi)

    where C are the paths that visit the blocks of equal labels in turn. At least 0.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item j directly after item i.
    labels : array of shape (..., n)
        Higher is better; equal labels are in no order.
    start, end : array of shape (..., n), default=None
        Gain of an item in the first, in the last place. None: none, and they have no
        margin.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    margin : float, default=1.0
        m ≥ 0.
    solver : callable, default=None
        Finds best paths, see :class:`ltr.solvers.differentiable.PathOracle`. None:
        exact, in the compiled program up to 12 items, by ``solve_paths`` beyond.
    normalize : bool, default=True
        Divide by the number of arcs, start and end included.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Tsochantaridis et al., "Large margin methods for structured and
       interdependent output variables", JMLR 2005, eq. (10); TSPRank's global loss.

    Examples
    --------
    >>> max_margin_loss(jnp.zeros((3, 3)), jnp.array([2.0, 1.0, 0.0]), normalize=False)
    Array(2., dtype=float32)
    """
    lists = prepare_paths(matrix, labels, start, end, where)
    true = true_arcs(lists)
    # Loss-augmented inference: the Hamming loss of a path is a sum over its arcs, so it
    # goes into the matrix, and the maximum is one more best path.
    augmented = lists._replace(
        matrix=lists.matrix + margin * (lists.arcs & ~true.matrix),
        start=lists.start + (0.0 if start is None else margin * ~true.start),
        end=lists.end + (0.0 if end is None else margin * ~true.end),
    )
    gain = partial(best_gain, solver)
    total = gain(augmented) - of_true_paths(lists, gain)
    return finish(total, lists, n_arcs(lists, start, end) if normalize else None)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    curvature="ones",
)
def perturbed_fy_loss(
    matrix: ArrayLike,
    labels: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    key: jax.Array | None = None,
    sigma: float = 1.0,
    n_samples: int = 8,
    solver: Solver | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Perturbed Fenchel-Young: the best path of noisy scores against the true one.

    .. math:: \ell = \mathbb{E}_Z \max_\pi g_{A + \sigma Z}(\pi)
        - \max_{\pi \in C} g_A(\pi)

    over standard normal Z, the same for all lists of a call. Its gradient is the mean
    number of times that an arc is in the best path, minus that of the true one.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
        Gain of item j directly after item i.
    labels : array of shape (..., n)
        Higher is better; equal labels are in no order.
    start, end : array of shape (..., n), default=None
        Gain of an item in the first, in the last place. None: none, without noise.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    key : PRNG key, default=None
        Source of Z. None: a fixed one.
    sigma : float, default=1.0
        Size of the noise, > 0.
    n_samples : int, default=8
        Draws of Z.
    solver : callable, default=None
        Finds best paths, see :class:`ltr.solvers.differentiable.PathOracle`. None:
        exact, in the compiled program up to 12 items, by ``solve_paths`` beyond.
    normalize : bool, default=False
        Divide by the number of arcs, start and end included.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Berthet et al., "Learning with differentiable perturbed optimizers", NeurIPS
       2020, eq. (8).

    Examples
    --------
    >>> loss = perturbed_fy_loss(jnp.eye(3, k=1) * 9.0, jnp.array([2.0, 1.0, 0.0]))
    >>> bool(loss < 1.0)
    True
    """
    check_positive("sigma", sigma)
    lists = prepare_paths(matrix, labels, start, end, where)
    key = jax.random.key(0) if key is None else key
    n = lists.where.shape[-1]
    noise = sigma * jax.random.normal(key, (n_samples, n + 2, n), lists.matrix.dtype)

    gain = partial(best_gain, solver)

    def best(noise: jax.Array) -> jax.Array:
        z = jnp.broadcast_to(noise, (*lists.where.shape[:-1], n + 2, n))
        return gain(
            lists._replace(
                matrix=lists.matrix + jnp.where(lists.arcs, z[..., :n, :], 0.0),
                start=lists.start + (0.0 if start is None else z[..., n, :]),
                end=lists.end + (0.0 if end is None else z[..., n + 1, :]),
            )
        )

    # F_σ(θ) − ⟨θ, y⟩ with F_σ(θ) = E max_π g(π; θ + σ Z), the mean over the draws of Z.
    total = jax.vmap(best)(noise).mean(axis=0) - of_true_paths(lists, gain)
    return finish(total, lists, n_arcs(lists, start, end) if normalize else None)
