"""Ranks of items in a list, tied items treated alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltr.losses.kernels.contract import Lists, masked_max
from ltr.losses.kernels.loops import inverse, item, over_items

COUNT_UP_TO = 512  # list size up to which a loop over items beats sorting on a CPU


def log2_discount(ranks: Any) -> Any:
    """1 / log2(1 + rank), of NumPy or JAX arrays."""
    return math.log(2.0) / (np if isinstance(ranks, np.ndarray) else jnp).log1p(ranks)


class TiedDiscounts(NamedTuple):
    """Discounts of items, of which those with equal values form a tie group.

    Attributes
    ----------
    mean : array of shape (..., list_size)
        Mean discount of the ranks that the tie group occupies.
    change : array of shape (..., list_size)
        Mean of |D_r − D_s| over two different ranks of the group; 0 for an item alone.
    """

    mean: jax.Array
    change: jax.Array


def change_of_discount(i: TiedDiscounts, j: TiedDiscounts) -> jax.Array:
    """|D_r − D_s| of the ranks r and s of two items, in the mean over orders of ties.

    Different groups: D falls, so the mean of the differences is that of the means.
    """
    # Means are equal within a group, and of groups after the cut-off; there, all is 0.
    apart = jnp.abs(i.mean - j.mean)
    return jnp.where(i.mean == j.mean, i.change, apart)


def tied_discounts(
    values: jax.Array,
    where: jax.Array,
    k: int | None,
    by_rank: Callable[[np.ndarray], np.ndarray] = log2_discount,
) -> TiedDiscounts:
    """Discount of each item by descending value; 0 after rank ``k``.

    Items with equal values share what is the mean over all orders of them, so the
    result does not depend on the order of the rows.

    Parameters
    ----------
    values : array of shape (..., list_size)
        What to rank by.
    where : bool array of shape (..., list_size)
        True for real items; the others have no rank and discount 0.
    k : int or None
        Last rank with a discount.
    by_rank : function, optional
        1-based ranks → discounts, falling. Default: 1 / log2(1 + rank).

    Returns
    -------
    discounts : TiedDiscounts
    """
    n = values.shape[-1]
    discounts = by_rank(np.arange(1.0, n + 1.0))
    if k is not None:
        discounts[k:] = 0.0
    greater, equal = count_ranks(jnp.where(where, values, jnp.nan))
    begin, end = greater, greater + equal
    m = jnp.maximum(equal, 1).astype(values.dtype)
    # The mean over the ranks of a tie group is a difference of prefix sums, (n + 1,).
    sums = jnp.asarray(np.concatenate([[0.0], np.cumsum(discounts)]), values.dtype)
    own = jnp.asarray(discounts, values.dtype)[jnp.minimum(greater, n - 1)]
    shared = (sums[end] - sums[begin]) / m
    mean = jnp.where(where, jnp.where(equal > 1, shared, own), 0.0)
    # A group of m from rank a on: Σ_{r<s} (D_r − D_s) = Σ_r (m − 1 − 2 (r − a)) D_r.
    first = begin.astype(values.dtype)
    steps = _range_sum(discounts * np.arange(n), begin, end, values.dtype)
    steps -= first * _range_sum(discounts, begin, end, values.dtype)  # Σ (r − a) D_r
    total = (m - 1.0) * m * shared - 2.0 * steps
    change = total * 2.0 / (m * jnp.maximum(m - 1.0, 1.0))
    # It is between 2 / m and 1 times that of the first and last rank of the group: the
    # differences to a rank between them add up to it. Far down this is more precise.
    last = jnp.asarray(discounts, values.dtype)[jnp.clip(end - 1, 0, n - 1)]
    change = jnp.clip(change, 2.0 / m * (own - last), own - last)
    return TiedDiscounts(mean, jnp.where(where & (equal > 1), change, 0.0))


def _range_sum(
    values: np.ndarray, begin: jax.Array, end: jax.Array, dtype: Any
) -> jax.Array:
    """Σ of values[begin:end], from prefix sums of twice the precision of ``dtype``."""
    prefix = np.concatenate([[0.0], np.cumsum(values)])  # (n + 1,)
    high = jnp.asarray(prefix.astype(dtype))
    low = jnp.asarray((prefix - prefix.astype(dtype)).astype(dtype))
    difference: jax.Array = (high[end] - high[begin]) + (low[end] - low[begin])
    return difference


def normalized_gains(lists: Lists, k: int | None) -> tuple[jax.Array, jax.Array]:
    """Gains up to a factor per list that keeps them in range, and 1 / IDCG with it.

    2^(y − y_max) − 2^(−y_max) never overflows, and the factor cancels.
    """
    top = masked_max(lists.labels, lists.where)
    gains = jnp.exp2(lists.labels - top) - jnp.exp2(-top)
    gains = jnp.where(lists.where, gains, 0.0)
    weighted = lists.weights * gains
    discounts = tied_discounts(weighted, lists.where, k).mean
    ideal = jnp.sum(weighted * discounts, axis=-1)
    return gains, jnp.where(ideal > 0, 1.0 / jnp.where(ideal > 0, ideal, 1.0), 0.0)


def metric_gains(
    lists: Lists, k: int | None, metric: str
) -> tuple[jax.Array, jax.Array]:
    """Gains, and 1 / IDCG@k for ``"ndcg"`` or 1 for ``"dcg"``."""
    if metric == "ndcg":
        return normalized_gains(lists, k)
    gains = jnp.where(lists.where, jnp.exp2(lists.labels) - 1.0, 0.0)
    return gains, jnp.ones(gains.shape[:-1], gains.dtype)


def mean_ranks(values: jax.Array, where: jax.Array) -> jax.Array:
    """1-based ranks by descending value; equal values share their mean rank.

    Parameters
    ----------
    values : array of shape (..., list_size)
        What to rank by.
    where : bool array of shape (..., list_size)
        True for real items; the others have rank 1.

    Returns
    -------
    ranks : array of shape (..., list_size)
    """
    greater, equal = count_ranks(jnp.where(where, values, jnp.nan))
    ranks = greater.astype(values.dtype) + 0.5 * (equal.astype(values.dtype) + 1.0)
    return jnp.where(where, ranks, 1.0)


@jax.jit
def dense_ranks(values: jax.Array, where: jax.Array) -> jax.Array:
    """Count the distinct values that are greater; NaN at masked positions.

    Parameters
    ----------
    values : array of shape (..., list_size)
        What to rank by.
    where : bool array of shape (..., list_size)
        True for real items.

    Returns
    -------
    ranks : array of shape (..., list_size)
        0 for the best group of equal values, 1 for the next.
    """
    masked = jnp.where(where, values, jnp.nan)
    order = jnp.argsort(-masked, axis=-1)  # NaN comes last
    ranked = jnp.take_along_axis(masked, order, axis=-1)
    steps = jnp.cumsum(ranked[..., 1:] != ranked[..., :-1], axis=-1)
    zero = jnp.zeros_like(ranked[..., :1])
    ranks = jnp.concatenate([zero, steps.astype(ranked.dtype)], axis=-1)
    back = inverse(order)
    return jnp.where(where, jnp.take_along_axis(ranks, back, axis=-1), jnp.nan)


@jax.jit
def lexicographic_ranks(
    first: jax.Array, second: jax.Array, where: jax.Array
) -> jax.Array:
    """Count the items that are greater by ``first`` or, if it ties, by ``second``.

    Parameters
    ----------
    first, second : arrays of shape (..., list_size)
        What to rank by.
    where : bool array of shape (..., list_size)
        True for real items.

    Returns
    -------
    ranks : int array of shape (..., list_size)
        Equal for items that tie in both. Undefined at masked positions.
    """
    first = jnp.where(where, first, jnp.nan)
    if first.shape[-1] > COUNT_UP_TO:
        order = jnp.lexsort((-second, -first), axis=-1)  # NaN comes last
        ranked = [jnp.take_along_axis(values, order, -1) for values in (first, second)]
        begin = jnp.maximum(tie_group(ranked[0])[0], tie_group(ranked[1])[0])
        return jnp.take_along_axis(begin, inverse(order), axis=-1)

    def add(j: jax.Array, ranks: jax.Array) -> jax.Array:
        first_j, second_j = item(first, j), item(second, j)
        greater = (first_j > first) | ((first_j == first) & (second_j > second))
        return ranks + greater.astype(jnp.int32)

    return over_items(add, jnp.zeros(first.shape, jnp.int32))


@jax.jit
def count_ranks(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Count the items that are greater than, and equal to, each item; NaN is neither.

    Parameters
    ----------
    values : array of shape (..., list_size)
        NaN where there is no item.

    Returns
    -------
    greater, equal : int arrays of shape (..., list_size)
        ``equal`` counts the item itself. Undefined where there is no item.
    """
    n = values.shape[-1]
    if n > COUNT_UP_TO:
        return _count_by_sorting(values)

    def compare(
        j: jax.Array, sums: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        other = item(values, j)
        return (
            sums[0] + (other > values).astype(jnp.int32),
            sums[1] + (other == values).astype(jnp.int32),
        )

    zero = jnp.zeros(values.shape, jnp.int32)
    return over_items(compare, (zero, zero))


def tie_group(ranked: jax.Array) -> tuple[jax.Array, jax.Array]:
    """First position, and one after the last, of the run of equal values around each.

    Parameters
    ----------
    ranked : array of shape (..., list_size)
        Sorted values.

    Returns
    -------
    begin, end : int arrays of shape (..., list_size)
    """
    axis = ranked.ndim - 1
    position = jax.lax.broadcasted_iota(jnp.int32, ranked.shape, axis)
    differs = ranked[..., 1:] != ranked[..., :-1]
    edge = jnp.ones((*ranked.shape[:-1], 1), bool)
    is_first = jnp.concatenate([edge, differs], axis=-1)
    is_last = jnp.concatenate([differs, edge], axis=-1)
    n = ranked.shape[-1]
    begin = jax.lax.cummax(jnp.where(is_first, position, 0), axis=axis)
    last = jax.lax.cummin(jnp.where(is_last, position, n), axis=axis, reverse=True)
    return begin, last + 1


def _count_by_sorting(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    order = jnp.argsort(-values, axis=-1)  # NaN comes last
    begin, end = tie_group(jnp.take_along_axis(values, order, axis=-1))
    back = inverse(order)
    greater = jnp.take_along_axis(begin, back, axis=-1)
    return greater, jnp.take_along_axis(end - begin, back, axis=-1)
