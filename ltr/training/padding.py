"""Training steps that do not compute the scores of padding.

Where sizes of lists differ much, most of a mini-batch is padding. A network that scores
an item by its own features alone need not see it: its items are scored in tiles, and
there are as many tiles as the items of the mini-batch fill, in one program for all
mini-batches of a shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from ltr.scorers.products import bfloat16_products
from ltr.training.plan import TrainingPlan
from ltr.training.work import skipped_work

if TYPE_CHECKING:
    from ltr.training.batches import Data

Pytree = Any
# Parameters, features (1, n, n_features) and mask (1, n) → scores (1, n)
Apply = Callable[[Pytree, Any, jax.Array], jax.Array]

_TILE = 128  # items


class RealItems(NamedTuple):
    """Items of a mini-batch, whose features are read tile by tile.

    Attributes
    ----------
    table : array or QueryRows of shape (n_rows, n_features)
        Features of all rows.
    rows : int array of shape (b, n)
        Row of each item.
    """

    table: Any
    rows: jax.Array

    def scores(self, apply: Apply, params: Pytree, where: jax.Array) -> jax.Array:
        """Scores of the items, and 0 for padding.

        Parameters
        ----------
        apply : callable
            Parameters, features of shape (1, n, n_features) and mask of shape (1, n) →
            scores of shape (1, n).
        params : pytree of arrays
            Parameters, with regard to which the scores can be differentiated.
        where : bool array of shape (b, n)
            False for padding.

        Returns
        -------
        scores : array of shape (b, n)
        """
        is_item = where.reshape(-1)
        length = -(-is_item.size // _TILE) * _TILE
        # items in front, in their order: the place of each, and what stands there
        place = jnp.cumsum(is_item) - 1
        target = jnp.where(is_item, place, length)
        rows = jnp.zeros(length, self.rows.dtype)
        rows = rows.at[target].set(self.rows.reshape(-1), mode="drop")
        scores = _tile_by_tile(apply, params, self.table, rows, place[-1] + 1)
        return jnp.where(where, scores[place].reshape(where.shape), 0.0)


class RealRows(NamedTuple):
    """Rows of features, of which a mini-batch reads those of its items.

    Attributes
    ----------
    table : array or QueryRows of shape (n_rows, n_features)
        Features.
    """

    table: Any

    def __getitem__(self, rows: jax.Array) -> RealItems:  # type: ignore[override]
        """Items of a mini-batch (b, n)."""
        return RealItems(self.table, rows)


def skip_padding(
    plan: TrainingPlan, data: Data, *, n_features: int, padding_share: float
) -> Data:
    """The same rows, of which padding is not scored where that takes less time.

    Parameters
    ----------
    plan : TrainingPlan
        What a step does.
    data : Data
        Rows on the device.
    n_features : int
        Number of input features.
    padding_share : float
        Share of the mini-batches that is padding. 1: not known, as for a piece whose
        program those to come are to share.

    Returns
    -------
    data : Data
        With :class:`RealRows` on a CPU, if a step gains by it.
    """
    one_cpu = plan.in_parts and plan.mesh is None and plan.n_query_features is None
    if not one_cpu:
        return data
    skipped = skipped_work(plan.scorer, n_features)
    gain = skipped.saved(padding_share, 1.0 - padding_share)
    return data._replace(X=RealRows(data.X)) if gain > 0 else data


def score_items(
    plan: TrainingPlan,
    params: Pytree,
    X: Any,
    where: jax.Array,
    weights: jax.Array | None,
    **inputs: Any,
) -> jax.Array:
    """Scores of the items of a mini-batch.

    Parameters
    ----------
    plan : TrainingPlan
        Scorer, and whether its products are rounded.
    params : pytree of arrays
        Parameters of the scorer.
    X, where, weights
        Of the :class:`Batch`.
    **inputs
        What else the scorer reads.

    Returns
    -------
    scores : array of shape (b, n)
    """
    if isinstance(X, RealItems):
        return X.scores(partial(_apply, plan), params, where)
    return _apply(plan, params, X, where, weights, **inputs)


def _apply(
    plan: TrainingPlan,
    params: Pytree,
    X: Any,
    where: jax.Array,
    weights: jax.Array | None = None,
    **inputs: Any,
) -> jax.Array:
    with bfloat16_products(plan.rounds_products):
        scores: jax.Array = plan.scorer.apply(params, X, where, weights, **inputs)
    return scores


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _tile_by_tile(
    apply: Apply, params: Pytree, table: Any, rows: jax.Array, n_items: jax.Array
) -> jax.Array:
    """Scores of rows, of which the first ``n_items`` count."""

    def score(tile: jax.Array, scores: jax.Array) -> jax.Array:
        X, where = _tile(table, rows, n_items, tile)
        values = apply(params, X, where)[0]
        return jax.lax.dynamic_update_slice(scores, values, (tile * _TILE,))

    dtype = jax.eval_shape(lambda: apply(params, *_tile(table, rows, n_items, 0))).dtype
    start = jnp.zeros(rows.shape, dtype)
    scores: jax.Array = jax.lax.fori_loop(0, -(-n_items // _TILE), score, start)
    return scores


def _forward(
    apply: Apply, params: Pytree, table: Any, rows: jax.Array, n_items: jax.Array
) -> tuple[jax.Array, tuple[Any, ...]]:
    scores = _tile_by_tile(apply, params, table, rows, n_items)
    return scores, (params, table, rows, n_items)


def _backward(
    apply: Apply, residuals: tuple[Any, ...], cotangents: jax.Array
) -> tuple[Any, ...]:
    params, table, rows, n_items = residuals

    def add(tile: jax.Array, gradient: Pytree) -> Pytree:
        X, where = _tile(table, rows, n_items, tile)
        _, pull_back = jax.vjp(lambda params: apply(params, X, where), params)
        own = jax.lax.dynamic_slice(cotangents, (tile * _TILE,), (_TILE,))
        return jax.tree.map(jnp.add, gradient, *pull_back(own[None]))

    zeros = jax.tree.map(jnp.zeros_like, params)
    gradient = jax.lax.fori_loop(0, -(-n_items // _TILE), add, zeros)
    return gradient, None, None, None


_tile_by_tile.defvjp(_forward, _backward)


def _tile(
    table: Any, rows: jax.Array, n_items: jax.Array, tile: jax.Array | int
) -> tuple[Any, jax.Array]:
    """Features (1, n, n_features) of a tile of rows, and which of them count."""
    first = tile * _TILE
    X = table[jax.lax.dynamic_slice(rows, (first,), (_TILE,))[None]]
    return X, (first + jnp.arange(_TILE) < n_items)[None]
