"""A pairwise matrix with its labels: true arcs, blocks of equal labels, best gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.contract import as_dtype
from ltr.losses.kernels.log_sums import LOG_0

ArcWeight = Literal["uniform", "top"]


class Paths(NamedTuple):
    """A list, safe to compute with at masked positions, and its blocks."""

    matrix: jax.Array  # gain of each arc, 0 where there is none, (..., n, n)
    start: jax.Array  # (..., n)
    end: jax.Array  # (..., n)
    where: jax.Array  # (..., n)
    arcs: jax.Array  # True for two different real items, (..., n, n)
    place: jax.Array  # of the first item of its block, from 0, (..., n)
    block_size: jax.Array  # (..., n)
    informative: jax.Array  # whether there are two blocks, (...)


class Arcs(NamedTuple):
    """A value for each arc, each first and each last item."""

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
    """Check the inputs of a path loss and mask the padding."""
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
        gains = jnp.zeros(shape, A.dtype) if values is None else as_dtype(values, A)
        return jnp.where(real, jnp.broadcast_to(gains, shape), 0.0)

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
    # A path through the blocks stays in a block, or steps to the one that begins where
    # this one ends.  # (..., n, n)
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

    Within a block of m items each arc has probability 1/m, spread evenly over the m − 1
    inner places; an arc from a block of m items to the next, of m', has 1/(m m').
    """
    n = lists.where.shape[-1]
    k = jnp.arange(1, n + 2, dtype=lists.matrix.dtype)  # places from 1; the end is last
    weight = jnp.ones_like(k) if arc_weight == "uniform" else 1.0 / jnp.log2(k + 1.0)
    prefix = jnp.concatenate([jnp.zeros(1, k.dtype), jnp.cumsum(weight)])
    true = true_arcs(lists)
    first, m = lists.place, lists.block_size
    # The block has m − 1 inner places; each of them holds any of the m (m − 1) ordered
    # pairs with the same probability.
    inner = prefix[first + m] - prefix[first + 1]
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
    """Log-softmax of the last axis, 0 at entries that are excluded."""
    return jnp.where(rows > LOG_0, jax.nn.log_softmax(rows, axis=-1), 0.0)


def best_gain(solver: Callable[..., Any] | None, lists: Paths) -> jax.Array:
    """Gain of the best path; its gradient is the indicator of the path's arcs."""
    from ltr.solvers.differentiable import Parts, PathOracle, inner

    scores = Parts(lists.matrix, lists.start, lists.end)
    return inner(scores, PathOracle(solver)(scores, lists.where))


def of_true_paths(lists: Paths, solve: Callable[[Paths], jax.Array]) -> jax.Array:
    """Solve with −inf on arcs of no true path; without ties, add up the only one."""
    true = true_arcs(lists)

    def among_ties() -> jax.Array:
        return solve(
            lists._replace(
                matrix=jnp.where(true.matrix, lists.matrix, -jnp.inf),
                start=jnp.where(true.start, lists.start, -jnp.inf),
                end=jnp.where(true.end, lists.end, -jnp.inf),
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
    """Divide, and set lists without information to 0."""
    if divisor is not None:
        total = total / jnp.maximum(divisor, 1)
    return jnp.where(lists.informative, total, 0.0)
