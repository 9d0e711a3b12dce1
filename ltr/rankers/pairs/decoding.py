"""From scores of pairs to orders: what TSPRanker does at prediction time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

from ltr.lists import equal_size_blocks
from ltr.queries import FloatArray, IntArray, Queries
from ltr.rankers.neural.scaling import FeatureScaling
from ltr.scorers import PairScores, Scorer

if TYPE_CHECKING:
    from ltr.solvers import Solution

_MAX_ENTRIES = 2**22  # of the matrices in memory at a time
_ROUNDING = 1e-12  # of equal items that stood in other rows of a product, relative


def score_pairs(
    scorer: Scorer,
    params: Any,
    scaling: FeatureScaling | None,
    X: NDArray[Any],
    queries: Queries,
) -> Iterator[tuple[IntArray, PairScores]]:
    """Score the pairs of lists in NumPy and float64, lists of equal size together.

    Parameters
    ----------
    scorer : Scorer
        A pair scorer.
    params : pytree of arrays
        Its parameters.
    scaling : FeatureScaling or None
        What the features go through first.
    X : array of shape (n_samples, n_features)
        Features.
    queries : Queries
        The lists.

    Yields
    ------
    rows : int array of shape (n_lists, list_size)
        Row of each item.
    pairs : PairScores
        ``matrix`` of shape (n_lists, list_size, list_size), its diagonal 0.
    """
    params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), params)
    for block in equal_size_blocks(queries):
        size = block.shape[1]
        step = max(1, _MAX_ENTRIES // size**2)
        for begin in range(0, len(block), step):
            rows = block[begin : begin + step]
            Z = np.asarray(X[rows], dtype=np.float64, order="C")
            if scaling is not None:
                Z = scaling.transform(Z)
            pairs = scorer.apply(params, Z)
            pairs.matrix[:, np.arange(size), np.arange(size)] = 0.0
            yield rows, pairs


@dataclass(frozen=True)
class Decoder:
    """How pairs become an order.

    Attributes
    ----------
    name : {"path", "ordering", "borda", "bayes"}
        What is maximised.
    time_limit_s, work_limit : float or None
        For each list, see :func:`ltr.solvers.solve_path`.
    n_jobs : int or None
        Threads of the solver.
    """

    name: str
    time_limit_s: float | None = None
    work_limit: float | None = None
    n_jobs: int | None = None

    def check_sizes(self, queries: Queries) -> None:
        """Raise if a list is too long."""
        if self.name == "bayes":
            check_short(queries, "decoder='bayes'", "set decoder='auto'")

    def solve(self, pairs: PairScores) -> list[Solution]:
        """Orders of lists of equal size.

        The items are put in Borda order first, so that what a solver does among orders
        of equal value does not depend on the order of the rows.
        """
        from ltr.solvers import solve_orderings, solve_paths

        limits: dict[str, Any] = {
            "time_limit_s": self.time_limit_s,
            "work_limit": self.work_limit,
            "n_jobs": self.n_jobs,
        }
        if self.name == "bayes":
            pairs = pairs._replace(matrix=path_precedence(pairs))
        first, pairs = in_borda_order(pairs)
        if self.name == "path":
            ends = (
                {} if pairs.start is None else {"start": pairs.start, "end": pairs.end}
            )
            solutions = solve_paths(pairs.matrix, **ends, **limits)
        elif self.name == "borda":
            solutions = [_as_they_come(matrix) for matrix in pairs.matrix]
        else:
            solutions = solve_orderings(pairs.matrix, **limits)
        return [
            replace(solution, order=items[solution.order])
            for solution, items in zip(solutions, first, strict=True)
        ]

    def scores(self, pairs: PairScores) -> tuple[FloatArray, list[float]]:
        """How many items come after each, or Borda sums; gaps of unproven orders.

        Items that the pairs do not tell apart share the mean of theirs.
        """
        if self.name == "borda":
            return borda_scores(pairs.matrix), []
        solutions = self.solve(pairs)
        size = pairs.matrix.shape[-1]
        scores = np.empty(pairs.matrix.shape[:-1])
        for row, solution in zip(scores, solutions, strict=True):
            row[solution.order] = np.arange(size - 1, -1, -1)
        if self.name == "ordering":
            pairs = PairScores(pairs.matrix, None, None)
        _share_places(scores, pairs)
        return scores, [s.gap for s in solutions if not s.is_optimal]


def decode_rows(
    decoder: Decoder,
    verbose: int,
    scorer: Scorer,
    params: Any,
    scaling: FeatureScaling | None,
    X: NDArray[Any],
    queries: Queries,
) -> FloatArray:
    """Scores of rows by the place of each item in the decoded order of its list.

    Parameters
    ----------
    decoder : Decoder
        What makes the orders.
    verbose : int
        1 or more: say on standard error how many orders are not proven.
    scorer, params, scaling, X, queries
        As for :func:`score_pairs`.

    Returns
    -------
    scores : float array of shape (n_samples,)
    """
    decoder.check_sizes(queries)
    scores = np.empty(queries.n_samples)
    gaps: list[float] = []
    for rows, pairs in score_pairs(scorer, params, scaling, X, queries):
        scores[rows], found = decoder.scores(pairs)
        gaps += found
    if verbose and gaps:
        sys.stderr.write(
            f"{len(gaps)} of {queries.n_lists} lists are decoded without a proof; "
            f"largest gap {max(gaps):.2g}\n"
        )
    return scores


def check_short(queries: Queries, what: str, cure: str) -> None:
    """Raise if a list has more items than the sum over its orders can take."""
    from ltr.solvers.dynamic import MAX_ITEMS

    too_long = queries.sizes > MAX_ITEMS
    if too_long.any():
        longest = int(queries.sizes.argmax())
        (list_id,) = queries.ids[longest : longest + 1].tolist()
        raise ValueError(
            f"{what} sums over all orders of a list, of at most {MAX_ITEMS} items; got "
            f"{queries.sizes[longest]} in list {list_id!r}, the longest of "
            f"{too_long.sum()} with more. Leave those out, or {cure}."
        )


def borda_scores(matrix: FloatArray) -> FloatArray:
    """Row sums of ``matrix - matrix.T``, shape (..., n)."""
    return np.asarray(matrix.sum(axis=-1) - matrix.sum(axis=-2))


def in_borda_order(pairs: PairScores) -> tuple[IntArray, PairScores]:
    """The items of each list by Borda sum, shape (n_lists, n), and their pairs so."""
    first = np.argsort(-borda_scores(pairs.matrix), axis=-1, kind="stable")
    matrix = np.take_along_axis(pairs.matrix, first[:, :, None], axis=1)
    matrix = np.take_along_axis(matrix, first[:, None, :], axis=2)
    if pairs.start is None:
        return first, PairScores(matrix, None, None)
    start, end = (np.take_along_axis(p, first, axis=1) for p in pairs[1:])
    return first, PairScores(matrix, start, end)


def _share_places(scores: FloatArray, pairs: PairScores) -> None:
    """Give items that the pairs do not tell apart the mean of their scores, in place.

    Such items have equal Borda sums, so they are next to each other in that order.
    """
    first, pairs = in_borda_order(pairs)
    alike = _like_the_next(pairs)
    for row in np.flatnonzero(alike.any(axis=-1)):
        group = np.concatenate(([0], np.cumsum(~alike[row])))
        places = scores[row, first[row]]
        shared = np.bincount(group, places) / np.bincount(group)
        scores[row, first[row]] = shared[group]


def _like_the_next(pairs: PairScores) -> NDArray[np.bool_]:
    """Whether exchanging items k and k + 1 changes no pair, shape (n_lists, n - 1)."""
    matrix = pairs.matrix
    k = np.arange(matrix.shape[-1] - 1)
    by_row, by_column = np.diff(matrix, axis=1), np.diff(matrix, axis=2)
    apart = np.maximum(np.abs(by_row), np.abs(by_column.swapaxes(1, 2)))
    between = np.abs(matrix[:, k, k + 1] - matrix[:, k + 1, k])
    apart[:, k, k] = apart[:, k, k + 1] = between
    apart = apart.max(axis=-1)
    if pairs.start is not None:
        for single in pairs[1:]:
            apart = np.maximum(apart, np.abs(np.diff(single)))
    return np.asarray(apart <= _ROUNDING * np.abs(matrix).max(axis=(1, 2))[:, None])


def path_marginals(pairs: PairScores) -> PairScores:
    """Probability of each arc, first and last item, if orders are drawn as exp(sum)."""
    from ltr.solvers import dynamic

    with jax.enable_x64(True):
        found = dynamic.path_marginals(pairs.matrix, start=pairs.start, end=pairs.end)
        return PairScores(*(np.asarray(part) for part in found))


def path_precedence(pairs: PairScores) -> FloatArray:
    """Probability that i comes before j, if orders are drawn as exp(path score)."""
    from ltr.solvers import dynamic

    with jax.enable_x64(True):
        return np.asarray(
            dynamic.path_precedence(pairs.matrix, start=pairs.start, end=pairs.end)
        )


def ordering_precedence(pairs: PairScores) -> FloatArray:
    """Probability that i comes before j, if orders are drawn as exp(pair scores)."""
    from ltr.solvers import dynamic

    with jax.enable_x64(True):
        return np.asarray(dynamic.ordering_marginals(pairs.matrix))


def _as_they_come(matrix: FloatArray) -> Solution:
    """The order 0, 1, …, its linear ordering value and the bound of each pair."""
    from ltr.solvers.core.solution import TOLERANCE, solved

    started = time.perf_counter()
    n, spread = len(matrix), np.abs(matrix - matrix.T).max(initial=0.0)
    return solved(
        np.arange(n),
        np.triu(matrix, 1).sum(),
        np.triu(np.maximum(matrix, matrix.T), 1).sum(),
        tolerance=TOLERANCE * n * spread,
        method="borda",
        started=started,
    )
