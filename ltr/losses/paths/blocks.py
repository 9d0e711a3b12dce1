"""A pairwise matrix with its labels: true arcs, blocks of equal labels, best gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.contract import as_dtype

LOG_0 = -1e30
ArcWeight = Literal["uniform", "top"]


class Paths(NamedTuple):
    """A list, safe to compute with, and what is true of it."""

    matrix: jax.Array  # 0 where there is no arc
    start: jax.Array
    end: jax.Array
    where: jax.Array
    arcs: jax.Array  # True for two different real items
    place: jax.Array  # of the first of its block, from 0
    block_size: jax.Array
    informative: jax.Array  # whether there are two blocks


class Arcs(NamedTuple):
    """Something about each arc, each first and each last item."""

    matrix: jax.Array
    start: jax.Array
    end: jax.Array


def prepare_paths(
    matrix: ArrayLike,
    labels: ArrayLike,
    start: ArrayLike | None,
    end: ArrayLike | None,
    where: ArrayLike | None,
) -> Paths:
    """Check the inputs of a path loss and mask what is not there."""
    A = jnp.asarray(matrix)
    if not jnp.issubdtype(A.dtype, jnp.floating) or A.dtype.itemsize < 4:
        A = A.astype(jnp.float32)
    shape = A.shape[:-1]
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise ValueError(
            "matrix must have one row and one column per item, shape (..., n, n); got "
            f"shape {A.shape}."
        )
    for name, values in (
        ("labels", labels), ("start", start), ("end", end), ("where", where)
    ):  # fmt: skip
        if values is not None and jnp.shape(values) not in (shape, shape[-1:]):
            raise ValueError(
                f"{name} must have the shape {shape}, one value per row of matrix, or "
                f"that of one list; got {jnp.shape(values)}."
            )
    real = jnp.ones(shape, bool) if where is None else jnp.asarray(where, bool)
    real = jnp.broadcast_to(real, shape)
    different = jnp.broadcast_to(~jnp.eye(shape[-1], dtype=bool), A.shape)
    arcs = real[..., :, None] & real[..., None, :] & different
    y = jnp.broadcast_to(jax.lax.stop_gradient(as_dtype(labels, A)), shape)
    y = jnp.where(real, y, 0.0)
    above = (y[..., None, :] > y[..., :, None]) & arcs
    equal = (y[..., None, :] == y[..., :, None]) & arcs
    place = jnp.where(real, above.sum(axis=-1), 0)

    def ends(values: ArrayLike | None) -> jax.Array:
        found = jnp.zeros(shape, A.dtype) if values is None else as_dtype(values, A)
        return jnp.where(real, jnp.broadcast_to(found, shape), 0.0)

    return Paths(
        matrix=jnp.where(arcs, A, 0.0),
        start=ends(start),
        end=ends(end),
        where=real,
        arcs=arcs,
        place=place,
        block_size=jnp.where(real, 1 + equal.sum(axis=-1), 1),
        informative=jnp.any(place > 0, axis=-1),
    )


def true_arcs(lists: Paths) -> Arcs:
    """Which arcs, first and last items occur in a path through the blocks in turn."""
    place, after = lists.place, lists.place + lists.block_size
    same = place[..., :, None] == place[..., None, :]
    follows = after[..., :, None] == place[..., None, :]
    n = jnp.sum(lists.where, axis=-1, keepdims=True)
    return Arcs(
        matrix=(same | follows) & lists.arcs,
        start=(place == 0) & lists.where,
        end=(after == n) & lists.where,
    )


def expected_arcs(
    lists: Paths, arc_weight: ArcWeight
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean weight of each arc, first and last item in a random path through the blocks.

    Within a block of m items each arc has probability 1/m, at each of its m − 1 inner
    places as often; from a block of m to the next of m', 1/(m m').
    """
    n = lists.where.shape[-1]
    k = jnp.arange(1, n + 2, dtype=lists.matrix.dtype)  # places from 1; the end is last
    weight = jnp.ones_like(k) if arc_weight == "uniform" else 1.0 / jnp.log2(k + 1.0)
    up_to = jnp.concatenate([jnp.zeros(1, k.dtype), jnp.cumsum(weight)])
    true = true_arcs(lists)
    first, m = lists.place, lists.block_size
    inner = up_to[first + m] - up_to[first + 1]
    inner /= m * jnp.maximum(m - 1, 1)
    across = weight[first] / m  # of the block that is entered
    same = first[..., :, None] == first[..., None, :]
    to_item = jnp.where(
        same, inner[..., :, None], across[..., None, :] / m[..., :, None]
    )
    return (
        jnp.where(true.matrix, to_item, 0.0),
        jnp.where(true.start, weight[0] / m, 0.0),
        jnp.where(true.end, weight[jnp.minimum(first + m, n)] / m, 0.0),
    )


def log_softmax(rows: jax.Array) -> jax.Array:
    """Log-softmax of the last axis, 0 in places that cannot be chosen."""
    return jnp.where(rows > LOG_0, jax.nn.log_softmax(rows, axis=-1), 0.0)


def best_gain(solver: Callable[..., Any] | None, lists: Paths) -> jax.Array:
    """Gain of the best path; its gradient is the parts of that path."""
    from ltr.solvers.differentiable import Parts, PathOracle, inner

    scores = Parts(lists.matrix, lists.start, lists.end)
    return inner(scores, PathOracle(solver)(scores, lists.where))


def of_true_paths(lists: Paths, solve: Callable[[Paths], jax.Array]) -> jax.Array:
    """Solve with −inf on what is in no true path; without ties, just add up."""
    true = true_arcs(lists)

    def among_ties() -> jax.Array:
        never = -jnp.inf
        return solve(
            lists._replace(
                matrix=jnp.where(true.matrix, lists.matrix, never),
                start=jnp.where(true.start, lists.start, never),
                end=jnp.where(true.end, lists.end, never),
            )
        )

    def of_the_only_one() -> jax.Array:
        ends = jnp.where(true.start, lists.start, 0.0).sum(axis=-1)
        ends += jnp.where(true.end, lists.end, 0.0).sum(axis=-1)
        return jnp.where(true.matrix, lists.matrix, 0.0).sum(axis=(-1, -2)) + ends

    return jax.lax.cond(jnp.any(lists.block_size > 1), among_ties, of_the_only_one)


def n_arcs(lists: Paths, start: ArrayLike | None, end: ArrayLike | None) -> jax.Array:
    """Arcs of a path, n − 1, and one for each end that has scores."""
    n = jnp.sum(lists.where, axis=-1)
    return n - 1 + (start is not None) + (end is not None)


def finish(total: jax.Array, lists: Paths, divisor: jax.Array | None) -> jax.Array:
    """Divide, and give lists without information the value 0."""
    if divisor is not None:
        total = total / jnp.maximum(divisor, 1)
    return jnp.where(lists.informative, total, 0.0)
