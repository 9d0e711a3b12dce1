"""Parts of orders, and the oracles that find those of a best order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers import dynamic
from ltr.solvers.differentiable.host_callbacks import Solver, solve_in_graph
from ltr.solvers.dynamic.inputs import both_real, prepare_lists
from ltr.solvers.orderings import solve_orderings
from ltr.solvers.paths import solve_paths

MAX_IN_GRAPH = 12


class Parts(NamedTuple):
    """A number for each part of an order: its score θ, or its indicator y.

    Attributes
    ----------
    matrix : array of shape (..., n, n)
        For j directly after i; for an ordering, i anywhere before j.
    start, end : array of shape (..., n)
        For the first and the last item; 0 for an ordering.
    """

    matrix: jax.Array
    start: jax.Array
    end: jax.Array


class Oracle(Protocol):
    """A callable that finds y*: scores, real items → 0/1 indicator of the best order.

    Any hashable callable of this signature will do, for instance a function in JAX.

    Examples
    --------
    >>> oracle: Oracle = PathOracle()
    """

    def __call__(self, scores: Parts, where: jax.Array) -> Parts:
        """Return parts of the same shapes as the scores."""


@dataclass(frozen=True)
class PathOracle:
    """Indicator of the best path.

    Parameters
    ----------
    solver : callable, default=None
        See :func:`solve_in_graph`. None: the dynamic program up to 12 items,
        :func:`ltr.solvers.solve_paths` beyond.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> matrix, zeros = jnp.array([[0.0, 3], [1, 0]]), jnp.zeros(2)
    >>> PathOracle()(Parts(matrix, zeros, zeros), jnp.ones(2, bool)).matrix
    Array([[0., 1.],
           [0., 0.]], dtype=float32)
    """

    solver: Solver | None = None

    def __call__(self, scores: Parts, where: jax.Array) -> Parts:
        """Solve; no gradient flows through.

        Parameters
        ----------
        scores : Parts
            Gains.
        where : bool array of shape (..., n)
            True for real items.

        Returns
        -------
        used : Parts
            1 for each part of the best path, else 0; NaN if the solver found no order.
        """
        matrix, start, end = jax.lax.stop_gradient(scores)
        if self.solver is None and matrix.shape[-1] <= MAX_IN_GRAPH:
            value, order = dynamic.best_path(matrix, start=start, end=end, where=where)
        else:
            value, order = _solve(self.solver or solve_paths, scores, where)
        return _path_parts(order, where, value)


@dataclass(frozen=True)
class OrderingOracle:
    """Indicator of the best linear ordering; ``start`` and ``end`` are ignored.

    Parameters
    ----------
    solver : callable, default=None
        See :func:`solve_in_graph`. None: the dynamic program up to 12 items,
        :func:`ltr.solvers.solve_orderings` beyond.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> matrix, zeros = jnp.array([[0.0, 3], [1, 0]]), jnp.zeros(2)
    >>> OrderingOracle()(Parts(matrix, zeros, zeros), jnp.ones(2, bool)).matrix
    Array([[0., 1.],
           [0., 0.]], dtype=float32)
    """

    solver: Solver | None = None

    def __call__(self, scores: Parts, where: jax.Array) -> Parts:
        """Solve; no gradient flows through.

        Parameters
        ----------
        scores : Parts
            Gains; ``start`` and ``end`` are ignored.
        where : bool array of shape (..., n)
            True for real items.

        Returns
        -------
        used : Parts
            ``matrix`` is 1 for i before j, else 0; NaN if the solver found no order.
        """
        matrix = jax.lax.stop_gradient(scores.matrix)
        if self.solver is None and matrix.shape[-1] <= MAX_IN_GRAPH:
            value, order = dynamic.best_ordering(matrix, where=where)
        else:
            solver = self.solver or solve_orderings
            solutions = solve_in_graph(solver, matrix, where=where)
            value, order = solutions.objective, solutions.order
        place = jnp.argsort(order, axis=-1)  # position of each item
        before = place[..., :, None] < place[..., None, :]  # (..., n, n)
        precedes = jnp.where(both_real(where), before, False).astype(matrix.dtype)
        zeros = jnp.zeros(where.shape, matrix.dtype)
        return _nan_if_unsolved(Parts(precedes, zeros, zeros), value)


def path_parts(order: ArrayLike, *, where: ArrayLike | None = None) -> Parts:
    """Indicator of a path: the target y₀ of the losses.

    Parameters
    ----------
    order : int array of shape (..., n)
        Item indices, best first, masked items last.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    parts : Parts
        1 for each arc, for the first and for the last item; else 0.

    Examples
    --------
    >>> path_parts([1, 0]).matrix
    Array([[0., 0.],
           [1., 0.]], dtype=float32)
    """
    items = jnp.asarray(order)
    real = jnp.ones(items.shape, bool) if where is None else jnp.asarray(where, bool)
    return _path_parts(items, real, jnp.zeros(items.shape[:-1], float))


def inner(scores: Parts, used: Parts) -> jax.Array:
    """⟨θ, y⟩: the gain of an order or a mixture of orders, one per list.

    Parts that are not used may have the score −inf.

    Parameters
    ----------
    scores : Parts
        Gains.
    used : Parts
        Share of each part; no gradient flows into it.

    Returns
    -------
    gain : array of shape (...)

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores = Parts(jnp.array([[0.0, 3], [-jnp.inf, 0]]), jnp.ones(2), jnp.ones(2))
    >>> inner(scores, path_parts([0, 1]))
    Array(5., dtype=float32)
    """

    def gain(score: jax.Array, used: jax.Array) -> jax.Array:
        share = jax.lax.stop_gradient(used).astype(score.dtype)
        share = jnp.broadcast_to(share, score.shape)
        return jnp.where(share != 0, score, 0.0) * share  # 0 · -inf would be NaN

    gains = Parts(*(gain(s, u) for s, u in zip(scores, used, strict=True)))
    ends = (gains.start + gains.end).sum(axis=-1)
    return gains.matrix.sum(axis=(-2, -1)) + ends


def checked_scores(
    matrix: ArrayLike,
    start: ArrayLike | None,
    end: ArrayLike | None,
    where: ArrayLike | None,
) -> tuple[Parts, jax.Array]:
    """Checked scores, and the mask of real items; scores are 0 where no part exists."""
    lists = prepare_lists(matrix, start, end, where)
    real = lists.where
    pairs = both_real(real) & ~diagonal(lists.matrix)
    return Parts(
        jnp.where(pairs, lists.matrix, 0.0),
        jnp.where(real, lists.start, 0.0),
        jnp.where(real, lists.end, 0.0),
    ), real


def diagonal(matrix: jax.Array) -> jax.Array:
    """True at [i, i]."""
    return jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=bool), matrix.shape)


def scored_parts(start: ArrayLike | None, end: ArrayLike | None) -> Parts:
    """1 for parts with scores, 0 for an end that is None: no margin or noise."""
    is_scored = (True, start is not None, end is not None)
    return Parts(*(jnp.asarray(float(x)) for x in is_scored))


def _solve(
    solver: Solver, scores: Parts, where: jax.Array
) -> tuple[jax.Array, jax.Array]:
    solutions = solve_in_graph(
        solver, scores.matrix, start=scores.start, end=scores.end, where=where
    )
    return solutions.objective, solutions.order


def _path_parts(order: jax.Array, where: jax.Array, value: jax.Array) -> Parts:
    place = jnp.argsort(order, axis=-1)  # position of each item
    last_place = where.sum(axis=-1, keepdims=True) - 1
    follows = place[..., :, None] + 1 == place[..., None, :]
    parts = (
        both_real(where) & follows,
        where & (place == 0),
        where & (place == last_place),
    )
    return _nan_if_unsolved(Parts(*(x.astype(value.dtype) for x in parts)), value)


def _nan_if_unsolved(parts: Parts, value: jax.Array) -> Parts:
    """Parts as NaN for lists without an order, so that a loss shows it."""
    unsolved = ~(jnp.abs(value) < jnp.inf)
    return Parts(
        jnp.where(unsolved[..., None, None], jnp.nan, parts.matrix),
        jnp.where(unsolved[..., None], jnp.nan, parts.start),
        jnp.where(unsolved[..., None], jnp.nan, parts.end),
    )
