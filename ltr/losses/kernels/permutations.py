"""Relaxed permutations: row softmax, Sinkhorn scaling, isotonic regression."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.loops import inverse, positions
from ltr.losses.kernels.ranks import mean_ranks


class _Pools(NamedTuple):
    """The stack of pools of :func:`pool_begins`; beyond the last, nothing is read."""

    n_taken: jax.Array  # items in the pools so far
    last: jax.Array  # index of the last pool
    totals: jax.Array  # Σ of the levels of each pool, (n,)
    sizes: jax.Array  # items of each pool, (n,)


def descending(scores: jax.Array, where: jax.Array) -> jax.Array:
    """Order of the scores from high to low, masked positions last."""
    return jnp.argsort(jnp.where(where, -scores, jnp.inf), axis=-1)


def real_entries(where: jax.Array) -> jax.Array:
    """Which entries of a matrix belong to a rank that exists and to a real item."""
    n_items = jnp.sum(where, axis=-1, keepdims=True, dtype=jnp.int32)
    rank = jax.lax.broadcasted_iota(jnp.int32, where.shape, where.ndim - 1)
    return (rank < n_items)[..., :, None] & where[..., None, :]


def log_row_softmax(logits: jax.Array, entries: jax.Array) -> jax.Array:
    """Log of the softmax of each row, whose largest logit is 0; 0 outside entries."""
    logits = jnp.where(entries, logits, 0.0)
    total = jnp.sum(jnp.where(entries, jnp.exp(logits), 0.0), axis=-1, keepdims=True)
    log_total = jnp.log(jnp.where(total > 0, total, 1.0))
    return jnp.where(entries, logits - log_total, 0.0)


def row_softmax(logits: jax.Array, where: jax.Array) -> jax.Array:
    """Softmax of each row; 0 at masked columns and in rows without a rank."""
    entries = real_entries(where)
    return jnp.where(entries, jnp.exp(log_row_softmax(logits, entries)), 0.0)


def times(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Matrix times vector, in full precision also on accelerators."""
    return jnp.einsum("...ij,...j->...i", matrix, vector, precision="highest")


@jax.custom_vjp
def neural_sort_logits(scores: jax.Array, where: jax.Array) -> jax.Array:
    """Exponents of NeuralSort at temperature 1, relative to the largest of each row.

    In row i the exponent falls by (2 |l - i| ± 1) times the gap from the l-th to the
    (l+1)-th largest score: this avoids the differences of large numbers that the
    formula has.
    """
    # In sorted order the exponent of column j in row i is −Σ over the gaps l between i
    # and j of |2 (l − i) + 1| gap_l: `down` sums those below row i, `up` those above.
    order = descending(scores, where)
    ranked = jnp.take_along_axis(scores, order, axis=-1)
    real = jnp.take_along_axis(where, order, axis=-1)
    gaps = jnp.where(real[..., 1:], ranked[..., :-1] - ranked[..., 1:], 0.0)
    shape = (*scores.shape, gaps.shape[-1])
    row = jax.lax.broadcasted_iota(scores.dtype, shape, scores.ndim - 1)
    gap = jax.lax.broadcasted_iota(scores.dtype, shape, scores.ndim)
    steps = gaps[..., None, :] * jnp.abs(2.0 * (gap - row) + 1.0)
    down = jnp.cumsum(jnp.where(gap >= row, steps, 0.0), axis=-1)
    steps = jnp.where(gap < row, steps, 0.0)
    up = jax.lax.cumsum(steps, axis=scores.ndim, reverse=True)
    zero = jnp.zeros((*scores.shape, 1), scores.dtype)
    falls = jnp.concatenate([zero, down], -1) + jnp.concatenate([up, zero], -1)
    back = inverse(order)[..., None, :]
    return -jnp.take_along_axis(falls, back, axis=-1)


def _neural_sort_forward(
    scores: jax.Array, where: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return neural_sort_logits(scores, where), (scores, where)


def _neural_sort_backward(
    residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, None]:
    """Transpose of the formula, up to a constant per row, which a softmax ignores.

    With |x|' = 0 at 0, (n + 1 − 2i) s_l − Σ_k |s_l − s_k| has the slope 2 (r_l − i) in
    s_l, where r is the mean rank.
    """
    scores, where = residuals
    cotangent = jnp.where(where[..., None, :], cotangent, 0.0)
    rank = (
        jax.lax.broadcasted_iota(cotangent.dtype, cotangent.shape, cotangent.ndim - 2)
        + 1.0
    )
    own = 2.0 * (mean_ranks(scores, where)[..., None, :] - rank)
    signs = jnp.sign(scores[..., None, :] - scores[..., :, None])
    gradient = jnp.sum(cotangent * own, axis=-2) + times(
        signs, jnp.sum(cotangent, axis=-2)
    )
    return jnp.where(where, gradient, 0.0), None


neural_sort_logits.defvjp(_neural_sort_forward, _neural_sort_backward)


def soft_sort_logits(scores: jax.Array, where: jax.Array) -> jax.Array:
    """−|s_(i) − s_j|, with the mean derivative over all orders of equal scores.

    Over these orders each of m equal scores is s_(i) equally often. Another score s_j
    of the group is below rank i more often than above it, by the share (below − above)
    / (m − 1) of the other ranks of the group, which takes the place of the sign.
    """
    constant = jax.lax.stop_gradient(scores)
    ranked = jnp.take_along_axis(constant, descending(constant, where), axis=-1)
    entries, column = real_entries(where), ranked[..., :, None]
    same = (entries & (column == constant[..., None, :])).astype(scores.dtype)
    higher = (entries & (column < constant[..., None, :])).astype(scores.dtype)
    n_others = jnp.sum(same, axis=-1) - 1.0  # m − 1, by rank
    above = positions(ranked) - jnp.sum(higher, axis=-1)  # ranks of the group above i
    mean_sign = (n_others - 2.0 * above) / jnp.maximum(n_others, 1.0)
    mean = times(same, scores) / (jnp.maximum(n_others, 0.0) + 1.0)
    ranked += mean - jax.lax.stop_gradient(mean)  # adds 0, with the derivative
    difference = ranked[..., :, None] - scores[..., None, :]  # (..., n, n)
    sign = jnp.where(same > 0, mean_sign[..., None], jnp.sign(difference))
    return -difference * sign


class _Scales(NamedTuple):
    """State of Sinkhorn scaling: the factors, and whether they make the sums 1."""

    rows: jax.Array  # (..., n)
    columns: jax.Array  # (..., n)
    column_sums: jax.Array  # of the matrix with scaled rows, (..., n)
    done: jax.Array  # of each list, (..., 1)


def sinkhorn(matrix: jax.Array, iterations: int, tolerance: ArrayLike) -> jax.Array:
    """Divide columns, then rows, by their sums until both sum to 1.

    A list stops when its columns sum to 1 within ``tolerance``, or at ``iterations``.
    The result is diag(rows) · matrix · diag(columns): only the factors change, and they
    are all that an iteration stores for the backward pass.
    """
    transposed = jnp.swapaxes(matrix, -1, -2)

    @jax.checkpoint
    def scale(scales: _Scales, _: None) -> tuple[_Scales, None]:
        columns = _inverse(scales.column_sums)
        rows = _inverse(times(matrix, columns))
        column_sums = times(transposed, rows)
        error = jnp.where(column_sums > 0, jnp.abs(columns * column_sums - 1.0), 0.0)
        done = jnp.max(error, axis=-1, keepdims=True) < tolerance
        new = _Scales(rows, columns, column_sums, done)
        return jax.tree.map(partial(jnp.where, scales.done), scales, new), None

    one = jnp.ones(matrix.shape[:-1], matrix.dtype)
    never = jnp.zeros((*matrix.shape[:-2], 1), bool)
    start = _Scales(one, one, times(transposed, one), never)
    end, _ = jax.lax.scan(scale, start, None, length=iterations)
    return end.rows[..., :, None] * matrix * end.columns[..., None, :]


def _inverse(sums: jax.Array) -> jax.Array:
    return jnp.where(sums > 0, 1.0 / jnp.where(sums > 0, sums, 1.0), 0.0)


@jax.jit
@partial(jnp.vectorize, signature="(n)->(n)")
def pool_begins(levels: jax.Array) -> jax.Array:
    """First position of the pool of each item in the least-squares non-increasing fit.

    Pool adjacent violators: each step merges the last two pools if the mean rises from
    one to the next, or else takes the next item as a pool of its own.

    Parameters
    ----------
    levels : array of shape (..., list_size)
        Values to fit; −inf at the end stays alone.

    Returns
    -------
    begin : int array of shape (..., list_size)
    """
    n = levels.shape[0]

    def step(_: jax.Array, pools: _Pools) -> _Pools:
        n_taken, last, totals, sizes = pools
        previous = jnp.maximum(last - 1, 0)
        mean = totals[last] / sizes[last].astype(totals.dtype)
        previous_mean = totals[previous] / sizes[previous].astype(totals.dtype)
        merge = (last > 0) & (mean > previous_mean)
        take = ~merge & (n_taken < n)
        target = jnp.where(merge, previous, jnp.where(take, last + 1, last))
        merged = totals[last] + jnp.where(merge, totals[previous], 0.0)
        total = jnp.where(take, levels[jnp.minimum(n_taken, n - 1)], merged)
        size = jnp.where(take, 1, sizes[last] + jnp.where(merge, sizes[previous], 0))
        return _Pools(
            n_taken + take.astype(jnp.int32),
            target,
            totals.at[target].set(total),
            sizes.at[target].set(size),
        )

    # Each item is taken once and each pool is merged away at most once: 2n − 2 steps
    # after the first item.
    zero, one = jnp.int32(0), jnp.int32(1)
    start = _Pools(one, zero, levels, jnp.ones(n, jnp.int32))
    pools = jax.lax.fori_loop(0, 2 * n - 2, step, start)
    in_use = jnp.arange(n, dtype=jnp.int32) <= pools.last
    sizes = jnp.where(in_use, pools.sizes, 0)
    begins = jnp.cumsum(sizes, dtype=jnp.int32) - sizes
    return jnp.repeat(begins, sizes, total_repeat_length=n)


@partial(jnp.vectorize, signature="(n),(n)->(n)")
def pool_means(values: jax.Array, begin: jax.Array) -> jax.Array:
    """Mean over the pool of each item, by the first position of the pool."""
    totals = jnp.zeros_like(values).at[begin].add(values)
    sizes = jnp.zeros_like(values).at[begin].add(1.0)
    return totals[begin] / sizes[begin]
