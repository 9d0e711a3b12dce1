"""Gains of graded labels, and what the best order of a list is worth."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ltr.losses.kernels.contract import Lists, masked_max
from ltr.losses.kernels.ranks import tied_discounts


def normalized_gains(lists: Lists, k: int | None) -> tuple[jax.Array, jax.Array]:
    """Gains up to a factor per list that keeps them in range, and 1 / IDCG with it.

    2^(y − y_max) − 2^(−y_max) never overflows, and the factor cancels.
    """
    top = masked_max(lists.labels, lists.where)
    gains = jnp.exp2(lists.labels - top) - jnp.exp2(-top)
    gains = jnp.where(lists.where, gains, 0.0)
    weighted = lists.weights * gains
    ideal = jnp.sum(weighted * tied_discounts(weighted, lists.where, k), axis=-1)
    return gains, jnp.where(ideal > 0, 1.0 / jnp.where(ideal > 0, ideal, 1.0), 0.0)
