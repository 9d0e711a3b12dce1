"""Solvers inside JAX programs, through callbacks to the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import NDArray

from ltr.queries import BoolArray, FloatArray
from ltr.solvers.core.inputs import GREATEST
from ltr.solvers.core.solution import Solution, Status
from ltr.solvers.dynamic.inputs import prepare_lists

STATUSES = tuple(Status)
Solver = Callable[..., Sequence[Solution]]


class GraphSolutions(NamedTuple):
    """Solutions as arrays, one per list.

    Attributes
    ----------
    order : int array of shape (..., n)
        Item indices, best first; masked items last, by index. Without a solution, all
        items by index.
    objective : array of shape (...)
        Value of the order; NaN without a solution.
    bound : array of shape (...)
        No order has a greater value.
    status : int array of shape (...)
        Index into :data:`STATUSES`: 0 OPTIMAL, 1 FEASIBLE, 2 UNKNOWN, 3 INFEASIBLE. A
        list with NaN, +inf or a number above 1e290 among its gains is not solved:
        UNKNOWN.
    """

    order: jax.Array
    objective: jax.Array
    bound: jax.Array
    status: jax.Array


def solve_in_graph(
    solver: Solver,
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> GraphSolutions:
    """Call a solver from inside ``jit``, ``vmap``, ``lax.scan`` or ``grad``.

    All lists of a batch, including the axes that ``vmap`` adds, go to the solver in one
    call, in double precision. No gradient flows through the result; the losses and
    gradients of :mod:`ltr.solvers.differentiable` supply one.

    Parameters
    ----------
    solver : callable
        :func:`ltr.solvers.solve_paths`, :func:`ltr.solvers.solve_orderings`, a
        ``functools.partial`` of one that sets limits, or any function of that
        signature: ``(matrices, *, where, start, end)`` → list of Solutions. It receives
        ``start`` and ``end`` only if one of them is passed here.
    matrix : array of shape (..., n, n)
        Gains; −inf forbids an entry, the diagonal is ignored.
    start, end : array of shape (..., n), default=None
        Gains of starting with and of ending with each item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    solutions : GraphSolutions
        Orders, objectives, bounds and statuses as arrays. The status tells when a limit
        was reached, a list is infeasible or a gain is NaN; none of these raises.

    Raises
    ------
    ValueError
        If shapes do not match.

    Notes
    -----
    The callback runs on the host; for lists of at most 15 items
    :func:`ltr.solvers.dynamic.best_path` runs on the device.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from ltr.solvers import solve_paths
    >>> matrix = jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]])
    >>> solve = jax.jit(lambda matrix: solve_in_graph(solve_paths, matrix))
    >>> solutions = solve(matrix)
    >>> solutions.order, STATUSES[solutions.status].value
    (Array([2, 0, 1], dtype=int32), 'OPTIMAL')
    """
    lists = prepare_lists(matrix, start, end, where)
    dtype, shape = lists.matrix.dtype, lists.where.shape
    host = partial(_solve, solver, start is not None or end is not None)
    if not lists.where.size:
        zero = jnp.zeros(shape[:-1], dtype)
        return GraphSolutions(
            jnp.zeros(shape, jnp.int32), zero, zero, zero.astype(jnp.int32)
        )
    value = jax.ShapeDtypeStruct(shape[:-1], dtype)
    if dtype == jnp.float64:  # as two words, see _pack
        value = jax.ShapeDtypeStruct((*shape[:-1], 2), jnp.uint32)
    results = (
        jax.ShapeDtypeStruct(shape, jnp.int32),
        value,
        value,
        jax.ShapeDtypeStruct(shape[:-1], jnp.int32),
    )
    arguments = (_pack(x) for x in jax.lax.stop_gradient(lists))
    order, *values, status = jax.pure_callback(
        host, results, *arguments, vmap_method="broadcast_all"
    )
    objective, bound = (jax.lax.bitcast_convert_type(x, dtype) for x in values)
    return GraphSolutions(order, objective, bound, status)


def _solve(
    solver: Solver, takes_ends: bool, *lists: jax.Array
) -> tuple[NDArray[Any], ...]:
    """Run the solver on arrays with any leading axes, flattened to one."""
    matrix, start, end, where = (_unpack(np.asarray(x)) for x in lists)
    n, dtype = matrix.shape[-1], matrix.dtype
    real = where.reshape(-1, n)
    gains = matrix.reshape(-1, n, n).astype(np.float64)
    start_gains, end_gains = (x.reshape(-1, n).astype(np.float64) for x in (start, end))
    order = np.argsort(~real, axis=1, kind="stable").astype(np.int32)
    objective = np.full(len(real), np.nan)
    bound = np.full(len(real), np.inf)
    status = np.full(len(real), STATUSES.index(Status.UNKNOWN), dtype=np.int32)
    solvable = _are_numbers(gains, start_gains, end_gains, real)
    ends = {"start": start_gains[solvable], "end": end_gains[solvable]}
    solutions: Sequence[Solution] = []
    if solvable.any():
        options = ends if takes_ends else {}
        solutions = solver(gains[solvable], where=real[solvable], **options)
    for i, solution in zip(np.flatnonzero(solvable), solutions, strict=True):
        if solution.order is not None:
            order[i, : len(solution.order)] = solution.order
        objective[i], bound[i] = solution.objective, solution.bound
        status[i] = STATUSES.index(solution.status)
    lead = matrix.shape[:-2]
    # in single precision a bound is rounded up, so that it stays a bound
    rounded = bound.astype(dtype)
    next_up = np.nextafter(rounded, dtype.type(np.inf))
    rounded = np.where(rounded < bound, next_up, rounded)
    return (
        order.reshape(where.shape),
        _to_words(objective.reshape(lead).astype(dtype)),
        _to_words(rounded.reshape(lead)),
        status.reshape(lead),
    )


def _pack(x: jax.Array) -> jax.Array:
    """Doubles as pairs of 32-bit words.

    JAX rounds doubles on their way to a callback and back in threads that did not enter
    ``jax.enable_x64``, and a callback may run in any thread.
    """
    if x.dtype != jnp.float64:
        return x
    return jax.lax.bitcast_convert_type(x, jnp.uint32)


def _unpack(x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype != np.uint32:
        return x
    return np.ascontiguousarray(x).view(np.float64)[..., 0]


def _to_words(x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype != np.float64:
        return x
    return np.ascontiguousarray(x[..., None]).view(np.uint32)


def _are_numbers(
    matrix: FloatArray, start: FloatArray, end: FloatArray, real: BoolArray
) -> BoolArray:
    """Which lists have gains that solvers take, among those of real items: (b,)."""

    def is_wrong(gains: FloatArray) -> BoolArray:
        sizes = np.where(gains == -np.inf, 0.0, np.abs(gains))
        return np.asarray(~(sizes <= GREATEST))

    pairs = real[:, :, None] & real[:, None, :] & ~np.eye(real.shape[1], dtype=bool)
    has_error = (pairs & is_wrong(matrix)).any(axis=(1, 2))
    for gains in (start, end):
        has_error |= (real & is_wrong(gains)).any(axis=1)
    return np.asarray(~has_error)
