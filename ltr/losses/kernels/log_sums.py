"""For each item, the log of a weighted sum of e^x over the others, in O(n) memory.

:func:`log_pair_sum` is the kernel of the losses with one softmax per item: the items
that remain when one is drawn, or an anchor against the items that it beats. As in
:mod:`ltr.losses.kernels.pairs` a loop over the items takes the place of the n × n
matrix, e^x is evaluated once per item while it stays in range, and the gradient is in
closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from ltr.losses.kernels.loops import item, over_items

Terms = TypeVar("Terms")
PairShare = Callable[[Terms, Terms], jax.Array]
LOG_0 = -1e30  # stands for log 0; finite, so that gradients stay free of NaN


def is_another(j: jax.Array, i: jax.Array) -> jax.Array:
    """Share of j for i: 1, but 0 if j is i; the term is the position."""
    return jnp.where(j == i, 0.0, 1.0)


def log_pair_sum(
    pair_share: PairShare[Terms], log_worths: jax.Array, terms: Terms
) -> jax.Array:
    """Log of Σ_j share(j, i) e^{x_j} for each item i.

    Parameters
    ----------
    pair_share : function
        (terms of j, terms of i) → the share of j that counts for i, ≥ 0. Hashable.
    log_worths : array of shape (..., list_size)
        x; :data:`LOG_0` where there is no item.
    terms : pytree of arrays of shape (..., list_size) or ()
        What ``pair_share`` reads; no gradient flows into it.

    Returns
    -------
    log_sums : array of shape (..., list_size)
        :data:`LOG_0` where no item counts.
    """
    log_sums: jax.Array = _log_pair_sum(pair_share, log_worths, terms)
    return log_sums


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _log_pair_sum(
    pair_share: PairShare[Any], log_worths: jax.Array, terms: Any
) -> jax.Array:
    return _sums(pair_share, log_worths, terms)


@partial(jax.jit, static_argnums=0)
def _sums(pair_share: PairShare[Any], log_worths: jax.Array, terms: Any) -> jax.Array:
    top = _top(log_worths)

    def share(j: jax.Array) -> jax.Array:
        return pair_share(item(terms, j), terms)

    def in_range() -> jax.Array:
        worths = jnp.exp(log_worths - top)

        def add(j: jax.Array, total: jax.Array) -> jax.Array:
            return total + item(worths, j) * share(j)

        total = over_items(add, jnp.zeros_like(worths))
        return jnp.where(total > 0, top + _log(total), LOG_0)

    def wide() -> jax.Array:
        # Running log-sum-exp: the total is relative to the highest x so far.
        def add(
            j: jax.Array, sums: tuple[jax.Array, jax.Array]
        ) -> tuple[jax.Array, jax.Array]:
            highest, total = sums
            part, x = share(j), item(log_worths, j)
            new = jnp.where(part > 0, jnp.maximum(highest, x), highest)
            term = part * jnp.exp(jnp.minimum(x - new, 0.0))
            return new, total * jnp.exp(highest - new) + term

        start = (jnp.full_like(log_worths, LOG_0), jnp.zeros_like(log_worths))
        highest, total = over_items(add, start, unroll=1)
        return jnp.where(total > 0, highest + _log(total), LOG_0)

    return jax.lax.cond(_fits(log_worths, top), in_range, wide)


def _forward(
    pair_share: PairShare[Any], log_worths: jax.Array, terms: Any
) -> tuple[jax.Array, tuple[Any, ...]]:
    result = _sums(pair_share, log_worths, terms)
    return result, (log_worths, terms, result)


@partial(jax.jit, static_argnums=0)
def _gradient(
    pair_share: PairShare[Any], residuals: tuple[Any, ...], cotangent: jax.Array
) -> jax.Array:
    """Σ_i g_i ∂y_i / ∂x_j with y_i the result: ∂y_i / ∂x_j = share(j, i) e^{x_j − y_i}.

    The loop runs over i and treats all j at once.
    """
    log_worths, terms, result = residuals  # x, …, y
    top = _top(log_worths)
    is_sum = result > LOG_0 / 2
    cotangent = jnp.where(is_sum, cotangent, 0.0)  # g
    result = jnp.where(is_sum, result, top)

    def share(i: jax.Array) -> jax.Array:
        return pair_share(terms, item(terms, i))

    def in_range() -> jax.Array:
        per_worth = cotangent * jnp.exp(top - result)  # g_i e^{top − y_i}

        def add(i: jax.Array, total: jax.Array) -> jax.Array:
            return total + item(per_worth, i) * share(i)

        return jnp.exp(log_worths - top) * over_items(add, jnp.zeros_like(log_worths))

    def wide() -> jax.Array:
        def add(i: jax.Array, total: jax.Array) -> jax.Array:
            part = share(i)
            exponent = jnp.where(part > 0, log_worths - item(result, i), 0.0)
            return total + item(cotangent, i) * part * jnp.exp(exponent)

        return over_items(add, jnp.zeros_like(log_worths), unroll=1)

    gradient: jax.Array = jax.lax.cond(_fits(log_worths, top), in_range, wide)
    return gradient


def _backward(
    pair_share: PairShare[Any], residuals: tuple[Any, ...], cotangent: jax.Array
) -> tuple[Any, ...]:
    gradient = _gradient(pair_share, residuals, cotangent)
    return gradient, jax.tree.map(jnp.zeros_like, residuals[1])


_log_pair_sum.defvjp(_forward, _backward)


def _top(log_worths: jax.Array) -> jax.Array:
    return jnp.max(log_worths, axis=-1, keepdims=True)


def _log(total: jax.Array) -> jax.Array:
    return jnp.log(jnp.where(total > 0, total, 1.0))


def _fits(log_worths: jax.Array, top: jax.Array) -> jax.Array:
    """Whether no worth, relative to the top of its list, leaves the range of e^x."""
    limit = 0.7 * jnp.log(jnp.finfo(log_worths.dtype).tiny)
    return jnp.all((log_worths < LOG_0 / 2) | (log_worths - top > limit))
