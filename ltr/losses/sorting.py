"""Differentiable sorting: NeuralSort and SoftSort matrices, soft ranks, their losses.

:func:`neural_sort` and :func:`soft_sort` relax the permutation matrix that sorts a
list, so the losses on them need O(n²) memory; :func:`soft_rank` needs O(n).
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice, check_whole
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import divide, has_two_labels, prepare
from ltr.losses.kernels.loops import inverse, positions
from ltr.losses.kernels.permutations import (
    descending,
    log_row_softmax,
    neural_sort_logits,
    pool_begins,
    pool_means,
    real_entries,
    row_softmax,
    sinkhorn,
    soft_sort_logits,
    times,
)
from ltr.losses.kernels.ranks import mean_ranks, normalized_gains

Relaxation = Literal["neural_sort", "soft_sort"]


def neural_sort(
    scores: ArrayLike, *, where: ArrayLike | None = None, temperature: ArrayLike = 1.0
) -> jax.Array:
    r"""NeuralSort: a relaxed permutation matrix that sorts the scores.

    .. math:: \hat P_{ij} = \mathrm{softmax}_j \Bigl( \bigl[ (n + 1 - 2i) s_j
        - \sum_k |s_j - s_k| \bigr] / \tau \Bigr)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores, to be sorted from high to low.
    where : bool array of shape (..., list_size), default=None
        True for real items; n counts only them. None: all.
    temperature : float, default=1.0
        τ > 0; small values are closer to the permutation matrix.

    Returns
    -------
    matrix : array of shape (..., list_size, list_size)
        Row i is a distribution over the items for rank i + 1. Masked columns are 0, and
        so are the rows after the last real item. Columns need not sum to 1.

    Notes
    -----
    Equal scores have equal columns, and ∂|x| is 0 at x = 0, so nothing depends on the
    order of the rows. The exponents are sums of gaps between neighbors in the sorted
    list, equal to the formula up to a constant per row and exact in single precision.

    References
    ----------
    .. [1] Grover et al., "Stochastic optimization of sorting networks via continuous
       relaxations", ICLR 2019, eq. (5).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> neural_sort(jnp.array([0.0, 9.0, 1.0]), temperature=0.1).round(2)
    Array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    lists = prepare(scores, 0.0, where, None)
    logits = neural_sort_logits(lists.scores, lists.where) / temperature
    return row_softmax(logits, lists.where)


def soft_sort(
    scores: ArrayLike, *, where: ArrayLike | None = None, temperature: ArrayLike = 1.0
) -> jax.Array:
    r"""SoftSort: a relaxed permutation matrix by the distance to the sorted scores.

    .. math:: \hat P_{ij} = \mathrm{softmax}_j \bigl( -|s_{(i)} - s_j| / \tau \bigr)

    with :math:`s_{(i)}` the i-th largest score.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores, to be sorted from high to low.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    temperature : float, default=1.0
        τ > 0; small values are closer to the permutation matrix.

    Returns
    -------
    matrix : array of shape (..., list_size, list_size)
        As for :func:`neural_sort`.

    Notes
    -----
    Equal scores have equal columns; the derivative is the mean over their orders.

    References
    ----------
    .. [1] Prillo & Eisenschlos, "SoftSort: a continuous relaxation for the argsort
       operator", ICML 2020, section 3, with the distance \|x − y\|.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> soft_sort(jnp.array([0.0, 9.0, 1.0]), temperature=0.1).round(2)
    Array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    lists = prepare(scores, 0.0, where, None)
    logits = soft_sort_logits(lists.scores, lists.where) / temperature
    return row_softmax(logits, lists.where)


@ranking_loss(  # not smooth: a step of 1e-6 where Sinkhorn scaling iterates once more
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    bounds=(-1.0001, 0.0),
)
def neural_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    relaxation: Relaxation = "neural_sort",
    temperature: float = 1.0,
    k: int | None = None,
    sinkhorn_iterations: int = 50,
    sinkhorn_tolerance: float = 1e-6,
) -> jax.Array:
    r"""NeuralNDCG: −NDCG of gains sorted by a relaxed permutation matrix.

    .. math:: \ell = -\frac{1}{\mathrm{IDCG@k}} \sum_{i \le k}
        \frac{\sum_j \hat P_{ij} w_j (2^{y_j} - 1)}{\log_2(1 + i)}

    Without Sinkhorn scaling this is PiRank's loss.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the gains; ranks count every item once. None: 1.
    relaxation : {"neural_sort", "soft_sort"}, default="neural_sort"
        The matrix P̂: :func:`neural_sort` or :func:`soft_sort`.
    temperature : float, default=1.0
        τ > 0; small values are closer to the metric and flatter between swaps.
    k : int, default=None
        Cut-off of the metric, ≥ 1. None: no cut-off.
    sinkhorn_iterations : int, default=50
        Maximum number of times that columns and then rows of P̂ are divided by their
        sums. 0: never (PiRank).
    sinkhorn_tolerance : float, default=1e-6
        A list stops when its columns sum to 1 within this. 0: never.

    Returns
    -------
    loss : array of shape (...)
        In [−1, 0] if Sinkhorn scaling has converged; otherwise it may be slightly below
        −1. 0 for a list without two distinct labels.

    Raises
    ------
    ValueError
        If ``relaxation`` is unknown, ``k`` below 1 or ``sinkhorn_iterations`` below 0.

    Notes
    -----
    O(list_size²) memory. The value jumps by about ``sinkhorn_tolerance`` where a list
    stops one Sinkhorn iteration earlier.

    References
    ----------
    .. [1] Pobrotyn & Białobrzeski, "NeuralNDCG: direct optimisation of a ranking metric
       via differentiable relaxation of sorting", 2021, section 3; Sinkhorn scaling,
       here for each list on its own, as in allRank's code.
    .. [2] Swezey et al., "PiRank: scalable learning to rank via differentiable
       sorting", NeurIPS 2021.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(neural_ndcg_loss(jnp.array([9.0, 0.0]), jnp.array([1, 0]))), 4)
    -1.0
    """
    check_choice("relaxation", relaxation, ("neural_sort", "soft_sort"))
    check_whole("k", k, low=1, optional=True)
    check_whole("sinkhorn_iterations", sinkhorn_iterations, low=0)
    lists = prepare(scores, labels, where, weights)
    gains, inverse_ideal = normalized_gains(lists, k)
    inverse_ideal = jnp.where(has_two_labels(lists)[..., 0], inverse_ideal, 0.0)
    sort = neural_sort if relaxation == "neural_sort" else soft_sort
    matrix = sort(lists.scores, where=lists.where, temperature=temperature)
    matrix = sinkhorn(matrix, sinkhorn_iterations, sinkhorn_tolerance)
    rank = 1.0 + positions(gains)
    discounts = 1.0 / jnp.log2(1.0 + rank)
    if k is not None:
        discounts = jnp.where(rank <= k, discounts, 0.0)
    # P̂ g: the expected gain at each rank.  # (..., n)
    sorted_gains = times(matrix, lists.weights * gains)
    return -jnp.sum(discounts * sorted_gains, axis=-1) * inverse_ideal


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def neural_sort_cross_entropy_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Cross-entropy of the NeuralSort matrices of the labels and of the scores.

    .. math:: \ell = -\frac{1}{\sum_j w_j} \sum_{i, j} w_j
        \hat P_{ij}(y; 1) \log \hat P_{ij}(s; \tau)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; equal ones share the ranks that they occupy.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the terms; ranks count every item once. None: 1.
    temperature : float, default=1.0
        τ > 0 of the scores; that of the labels is 1.
    normalize : bool, default=False
        No effect: the value is a mean.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    O(list_size²) memory. Positive even where the scores equal the labels.

    References
    ----------
    .. [1] Grover et al., "Stochastic optimization of sorting networks via continuous
       relaxations", ICLR 2019, section 6, where the labels have an exact permutation
       matrix; the relaxed one is that of TensorFlow Ranking's
       ``NeuralSortCrossEntropyLoss``. The weights are our own addition.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> loss = neural_sort_cross_entropy_loss(jnp.zeros(2), jnp.array([1, 0]))  # log 2
    >>> round(float(loss), 4)
    0.6931
    """
    lists = prepare(scores, labels, where, weights)
    # Summed over the ranks (rows): one term per item.  # (..., n)
    target = neural_sort(lists.labels, where=lists.where)
    logits = neural_sort_logits(lists.scores, lists.where) / temperature
    by_item = -jnp.sum(
        target * log_row_softmax(logits, real_entries(lists.where)), axis=-2
    )
    mass = jnp.where(has_two_labels(lists), lists.weights, 0.0)
    return divide(jnp.sum(mass * by_item, -1), jnp.sum(mass, -1), normalize=True)


def soft_rank(
    scores: ArrayLike, *, where: ArrayLike | None = None, strength: ArrayLike = 1.0
) -> jax.Array:
    r"""Fast soft ranks: the projection of the scores onto the permutahedron.

    .. math:: \hat r = \mathrm{arg\,min}_{r \in \mathrm{conv}\{\text{permutations of }
        (1, …, n)\}} \; \tfrac12 \lVert r + s / \varepsilon \rVert^2

    Where all neighbors in the sorted list differ by at least ε these are the exact
    ranks. Closer ones are pooled: they share their mean rank, minus 1 / ε times the
    difference of their score from the mean score of the pool.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores; the highest has the lowest rank.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    strength : float, default=1.0
        ε > 0 of the regularization; small values are closer to the ranks, and equal to
        them once ε is below every gap between two scores.

    Returns
    -------
    ranks : array of shape (..., list_size)
        1-based, summing to n (n + 1) / 2; equal scores have equal ranks. 0 at masked
        positions.

    Notes
    -----
    Isotonic regression by pooling adjacent violators: a sort and 2n steps of constant
    size. The derivative is exact: the pools are locally constant, and within one it is
    that of centering the scores.

    References
    ----------
    .. [1] Blondel et al., "Fast differentiable sorting and ranking", ICML 2020,
       sections 4 and 5 (quadratic regularization).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> soft_rank(jnp.array([0.0, 9.0, 0.5]))
    Array([2.75, 1.  , 2.25], dtype=float32)
    """
    lists = prepare(scores, 0.0, where, None)
    order = descending(lists.scores, lists.where)
    ranked = jnp.take_along_axis(lists.scores, order, axis=-1)
    real = jnp.take_along_axis(lists.where, order, axis=-1)
    position = positions(ranked)
    # With the scores in descending order the projection is r = v − s/ε, where v is the
    # isotonic (here non-increasing) regression of s/ε + (1, …, n): a pool forms where
    # s/ε + position fails to fall, and v is its mean there.
    levels = jnp.where(real, ranked / strength + position, -jnp.inf)
    begin = pool_begins(jax.lax.stop_gradient(levels))
    # Scores relative to the first of their pool, which is exact for large scores.
    above = jnp.take_along_axis(jax.lax.stop_gradient(ranked), begin, axis=-1)
    offset = (ranked - above) / strength
    ranks = 1.0 + pool_means(position + offset, begin) - offset
    ranks = jnp.take_along_axis(ranks, inverse(order), axis=-1)
    return jnp.where(lists.where, ranks, 0.0)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def soft_spearman_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strength: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Spearman loss: half the squared distance of soft ranks to the label ranks.

    .. math:: \ell = \tfrac12 \sum_i w_i (\hat r_i - r^y_i)^2

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; equal ones share their mean rank.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the squares; ranks count every item once. None: 1.
    strength : float, default=1.0
        ε > 0 of :func:`soft_rank`. The gradient is 0 where no two neighbors in the
        sorted list are closer than ε.
    normalize : bool, default=False
        Divide by the sum of the weights.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    References
    ----------
    .. [1] Blondel et al., "Fast differentiable sorting and ranking", ICML 2020,
       section 6. Shared label ranks and weights are our own addition.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> soft_spearman_loss(jnp.array([0.0, 9.0]), jnp.array([1, 0]))
    Array(1., dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    ranks = soft_rank(lists.scores, where=lists.where, strength=strength)
    errors = jnp.where(lists.where, ranks - mean_ranks(lists.labels, lists.where), 0.0)
    mass = jnp.where(has_two_labels(lists), lists.weights, 0.0)
    total = 0.5 * jnp.sum(mass * errors**2, axis=-1)
    return divide(total, jnp.sum(mass, axis=-1), normalize)
