"""Boosted trees on any loss of :mod:`ltr.losses`, by one compiled function.

Trees begin where all scores are equal, and each one takes a Newton step: LightGBM asks
for the gradient and the curvature of the loss at the scores so far. All lists are
packed once, into few padded shapes; one call of a compiled function evaluates the
:func:`ltr.losses.derivatives` of them all in single precision.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ltr.list_sizes import MAX_BATCH_ROWS, round_up
from ltr.lists import pack, padded_length, with_padding_rows
from ltr.losses import Combination, derivatives
from ltr.losses.declaration import LossFunction
from ltr.queries import BoolArray, FloatArray, IntArray, group_queries
from ltr.rankers.trees.grouped_rows import GroupedRows
from ltr.rankers.trees.stream import StreamedTable
from ltr.training.plan import LossPlan, check_one_per_list, errors_of, loss_arguments

_MAX_SHAPES = 4
# Compiling one more shape takes as long as evaluating this many padded rows.
_COMPILE_COST_ROWS = 5_000_000
# With fewer rows × trees the program is compiled in a hurry.
_SMALL_WORK = 1_000_000
# Curvature of an item is at least this share of the mean of its list. The exact ones
# only vanish where the gradient does, too. A secant is noisy, of either sign, and 0
# where a curve turns: it is also at least this share of the mean absolute gradient.
_LEAST_SHARE = 1e-3
_LEAST_SHARE_OF_SECANT = 0.1


class _Block(NamedTuple):
    """Lists of one padded size, in chunks: arrays of shape (n_chunks, b, n).

    Attributes
    ----------
    rows : int array
        Row of each item; the number of rows where there is none.
    labels : array
        Labels.
    weights : array or None
        Row weights.
    list_weights : array of shape (n_chunks, b)
        Weights of the lists.
    extras : dict of str to array
        Further inputs of the loss.
    """

    rows: Any
    labels: Any
    weights: Any
    list_weights: Any
    extras: dict[str, Any]


class StartSums(NamedTuple):
    """Sums over rows where all scores are equal.

    Attributes
    ----------
    gradient, curvature : float
        Of its absolute values, and of the curvatures.
    n_rows : int
        Number of rows.
    """

    gradient: float
    curvature: float
    n_rows: int


class LossObjective:
    """A loss as LightGBM's objective: scores of all rows → gradient and curvature.

    Both are divided by the mean curvature where all scores are equal. That changes no
    leaf without a penalty, and makes ``min_child_weight``, ``reg_alpha`` and
    ``reg_lambda`` count in rows, whatever the scale of the loss. With the curvature
    ``"ones"``, which has no scale, the gradient is divided by its mean absolute value.

    Parameters
    ----------
    plan : LossPlan
        The loss.
    numbers : dict of str to float
        Its options that need no new compilation.
    rows : GroupedRows
        Training rows.
    informative : bool array of shape (n_lists,)
        Lists to learn from; rows of the others have gradient 0.
    curvature : str
        For :func:`ltr.losses.derivatives`.
    n_trees : int
        How often the function will be called, more or less.
    seed : int
        For losses that draw, and for the signs of a secant.
    start : StartSums, optional
        Sums over all rows, of which these are a part. None: these are all.

    Raises
    ------
    ValueError
        If the loss has no gradient where all scores are equal, or it is not finite.
    """

    def __init__(
        self,
        plan: LossPlan,
        numbers: dict[str, float],
        rows: GroupedRows,
        informative: BoolArray,
        *,
        loss_name: object,
        curvature: str,
        n_trees: int,
        seed: int,
        start: StartSums | None = None,
    ) -> None:
        self._plan, self._numbers, self._curvature = plan, numbers, curvature
        self._name = loss_name
        self._kind = plan.info.curvature if curvature == "auto" else curvature
        self._key = jax.random.key(seed)
        self._n_trees = 0
        self._n_rows = len(rows.y)
        keep = informative[rows.queries.codes]
        if rows.row_weights is not None:
            keep &= rows.row_weights > 0
        draws = self._kind == "secant" or plan.info.takes("key")
        order = _canonical_order(rows) if draws else np.arange(self._n_rows)
        packed = pack(
            group_queries(rows.queries.codes[order], self._n_rows),
            keep=keep[order],
            max_list_sizes=_MAX_SHAPES,
            list_size_cost=_COMPILE_COST_ROWS / n_trees,
        )
        n_padded = sum(bucket.rows.size for bucket in packed.buckets)
        self._is_small = n_padded * n_trees <= _SMALL_WORK
        order = np.append(order, self._n_rows)  # of the rows that padding stands for
        self._blocks = tuple(
            _block(order[bucket.rows], rows) for bucket in packed.buckets
        )
        self._places = _places(self._blocks, self._n_rows)
        self.start = self._start_sums(keep)
        self._factors = self._start_factors(self.start if start is None else start)

    def __call__(self, scores: FloatArray) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and curvature at the scores, each of shape (n_rows,)."""
        gradient, curvature = self._evaluate(scores, self._n_trees)
        self._n_trees += 1
        return gradient * self._factors[0], curvature * self._factors[1]

    def _evaluate(
        self, scores: FloatArray, n_trees: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if not self._blocks:
            return np.zeros(self._n_rows, np.float32), np.ones(self._n_rows, np.float32)
        evaluate = _all_blocks_in_a_hurry if self._is_small else _all_blocks
        with jax.enable_x64(False), errors_of(self._plan):
            pair = evaluate(
                self._plan,
                self._curvature,
                self._kind,
                self._blocks,
                self._places,
                with_padding_rows(scores, np.float32),
                np.int32(self._n_rows),
                self._numbers,
                self._key,
                np.int32(n_trees),
            )
        gradient, curvature = (np.asarray(values)[: self._n_rows] for values in pair)
        if not np.isfinite(gradient.sum() + curvature.sum()):
            place = (
                f"after {n_trees} trees. Set a lower learning_rate, or another loss."
                if n_trees
                else "where all scores are equal, and there trees begin."
            )
            raise ValueError(
                f"loss={self._name!r} must have a finite gradient; got NaN or inf "
                + place
            )
        return gradient, curvature

    def _start_sums(self, keep: BoolArray) -> StartSums:
        if not self._blocks:
            return StartSums(0.0, 0.0, 0)
        gradient, curvature = self._evaluate(np.zeros(self._n_rows), 0)
        return StartSums(
            float(np.abs(gradient[keep]).sum(dtype=np.float64)),
            float(curvature[keep].sum(dtype=np.float64)),
            int(keep.sum()),
        )

    def _start_factors(self, start: StartSums) -> tuple[float, float]:
        """Factors of gradient and curvature."""
        if not start.n_rows:
            return 1.0, 1.0
        size, mean = start.gradient / start.n_rows, start.curvature / start.n_rows
        if not size > 1e-6 * mean:
            raise ValueError(
                f"loss={self._name!r} has no gradient where all scores are equal, and "
                "there trees begin, so no tree would have a split. Use another loss."
            )
        return 1.0 / (size if self._kind == "ones" else mean), 1.0 / mean


def _evaluate_blocks(
    plan: LossPlan,
    curvature: str,
    kind: str,
    blocks: tuple[_Block, ...],
    places: jax.Array,
    scores: jax.Array,
    n_rows: jax.Array,
    numbers: dict[str, Any],
    key: jax.Array,
    n_trees: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Gradient and curvature of all rows; ``scores`` has more, for padding."""
    key = jax.random.fold_in(key, n_trees)
    flat: list[tuple[jax.Array, jax.Array]] = []
    one_chunk = functools.partial(
        _one_chunk, plan, curvature, kind, scores, n_rows, numbers, n_trees
    )
    for number, block in enumerate(blocks):
        keys = jax.random.split(jax.random.fold_in(key, number), len(block.rows))
        gradient, diagonal = jax.lax.map(one_chunk, (block, keys))
        flat.append((gradient.reshape(-1), diagonal.reshape(-1)))
    zero = jnp.zeros(1, scores.dtype)  # for the rows of no block
    gradients, curvatures = zip(*flat, strict=True)
    return (
        jnp.concatenate([*gradients, zero])[places],
        jnp.concatenate([*curvatures, zero])[places],
    )


_STATIC = ("plan", "curvature", "kind")
# Level 1 takes .6 to .9 of the time to compile, and the programs are as fast.
_all_blocks = jax.jit(
    _evaluate_blocks,
    static_argnames=_STATIC,
    compiler_options={"xla_backend_optimization_level": 1},
)
_all_blocks_in_a_hurry = jax.jit(
    _evaluate_blocks,
    static_argnames=_STATIC,
    compiler_options={"xla_backend_optimization_level": 0},
)


def _one_chunk(
    plan: LossPlan,
    curvature: str,
    kind: str,
    scores: jax.Array,
    n_rows: jax.Array,
    numbers: dict[str, Any],
    n_trees: jax.Array,
    inputs: tuple[_Block, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Gradient and curvature of b lists, each of shape (b, n)."""
    block, key = inputs
    where = block.rows < n_rows
    loss_key, sign_key = jax.random.split(key)
    values, options = loss_arguments(
        plan,
        numbers,
        scores[block.rows],  # (b, n)
        weights=block.weights,
        extras=block.extras,
        key=loss_key,
        epoch=n_trees.astype(scores.dtype),  # a tree is learned from all lists
        step=n_trees,
    )

    signs = None
    if kind == "secant":
        signs = jax.random.rademacher(sign_key, values.shape, values.dtype)
    _, gradient, diagonal = derivatives(
        _checked(plan),
        values,
        block.labels,
        where=where,
        curvature=curvature,  # type: ignore[arg-type]
        signs=signs,
        **options,
    )
    size = jnp.abs(diagonal)
    n_items = jnp.maximum(where.sum(axis=-1, keepdims=True), 1)
    least = _LEAST_SHARE * size.sum(axis=-1, keepdims=True) / n_items
    if kind == "secant":
        scale = jnp.maximum(size.sum(axis=-1), jnp.abs(gradient).sum(axis=-1))
        least = _LEAST_SHARE_OF_SECANT * scale[:, None] / n_items
    tiny = jnp.finfo(size.dtype).tiny
    weight = block.list_weights[:, None]
    return gradient * weight, jnp.maximum(size, least) * weight + tiny


def _checked(plan: LossPlan) -> LossFunction:
    """The loss of a plan, which raises unless it returns one number per list."""
    if isinstance(plan.function, Combination):
        return plan.function

    @functools.wraps(plan.function)
    def loss(scores: Any, labels: Any, **inputs: Any) -> jax.Array:
        losses: jax.Array = plan.function(scores, labels, **inputs)
        check_one_per_list(plan, losses, scores)
        return losses

    return loss


def _block(bucket: IntArray, rows: GroupedRows) -> _Block:
    """Inputs of the lists with these rows, cut into chunks of one shape of the grid."""
    n_lists, size = bucket.shape
    per_chunk = max(1, min(n_lists, MAX_BATCH_ROWS // size))
    n_chunks = -(-n_lists // per_chunk)
    per_chunk = int(round_up(np.array([-(-n_lists // n_chunks)]))[0])
    numbers = np.full((n_chunks * per_chunk, size), len(rows.y), dtype=np.int32)
    numbers[:n_lists] = bucket
    numbers = numbers.reshape(n_chunks, per_chunk, size)

    def take(values: FloatArray | None) -> Any:
        if values is None:
            return None
        return jnp.asarray(with_padding_rows(values, np.float32)[numbers])

    list_weights = np.ones((n_chunks, per_chunk), np.float32)
    if rows.list_weights is not None:
        list_weights = take(rows.list_weights)[..., 0]
    return _Block(
        jnp.asarray(numbers),
        take(rows.y),
        take(rows.row_weights),
        jnp.asarray(list_weights),
        {name: take(values) for name, values in rows.extras.items()},
    )


def _places(blocks: tuple[_Block, ...], n_rows: int) -> jax.Array:
    """Place of each row in the items of all blocks, one after the other.

    A gather by it takes the place of a scatter by ``rows``, which is slow on a CPU.
    """
    numbers = np.concatenate(
        [np.zeros(0, np.int32), *(np.asarray(b.rows).ravel() for b in blocks)]
    )
    places = np.full(padded_length(n_rows), len(numbers), dtype=np.int32)
    places[numbers] = np.arange(len(numbers), dtype=np.int32)
    return jnp.asarray(places)


def _canonical_order(rows: GroupedRows) -> IntArray:
    """Rows by their content, so that draws do not depend on the order of the input."""
    tables = rows.X.tables() if isinstance(rows.X, StreamedTable) else [rows.X]
    keys: list[NDArray[np.uint64]] = []
    begin = 0
    for table in tables:
        end = begin + table.shape[0]
        keys.append(_row_keys(rows.y[begin:end], table))
        begin = end
    row_keys = np.concatenate(keys)
    codes = rows.queries.codes
    list_keys = np.zeros(rows.queries.n_lists, np.uint64)
    np.add.at(list_keys, codes, row_keys)
    return np.lexsort((row_keys, codes, list_keys[codes]))


def _row_keys(y: FloatArray, X: Any) -> NDArray[np.uint64]:
    """A key of the label and the features of each row."""
    keys = _mix(y.astype(np.float64))
    for column in _column_keys(X):
        keys = keys * np.uint64(31) + column
    return keys


def _column_keys(X: Any) -> Iterator[NDArray[np.uint64]]:
    """A key of the entry of each row, column by column."""
    if isinstance(X, np.ndarray):
        yield from (_mix(column.astype(np.float64)) for column in X.T)
        return
    table = X.tocsr()
    keys = _mix(table.data.astype(np.float64))
    keys *= 2 * table.indices.astype(np.uint64) + np.uint64(1)
    keys[table.data == 0] = 0
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(keys, dtype=np.uint64)])
    yield sums[table.indptr[1:]] - sums[table.indptr[:-1]]


def _mix(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Hash of numbers: the finalizer of SplitMix64 on their bits."""
    bits = (values + 0.0).view(np.uint64)  # −0 is 0
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
