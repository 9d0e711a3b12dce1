"""From scores of pairs to orders: what TSPRanker does at prediction time."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, check_choice
from ltr.queries import BoolArray, FloatArray, IntArray, Queries
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.pairs import precedence
from ltr.scorers import PairScores

if TYPE_CHECKING:
    from ltr.metrics.names import MetricLike
    from ltr.rankers.validation import ValidationRows
    from ltr.solvers import Solution

DECODERS = ("path", "ordering", "borda", "bayes")
# Relative rounding error between equal items in different rows of a matrix product.
_ROUNDING = 1e-12
_MIN_LISTS, _MAX_SHORT = 20, 12  # validation lists that choose between decoders
_MAX_SETS = 2**19  # of all lists, above which compiling a program pays
# Longer lists have less work by default, about 2 seconds at 1000 items: few of them are
# proven within the default of the solvers, and their gaps are small by then.
_LONG = 150


@dataclass(frozen=True)
class Decoder:
    """Turns the scores of pairs into an order.

    Attributes
    ----------
    name : {"path", "ordering", "borda", "bayes"}
        What is maximized.
    time_limit_s, work_limit : float or None
        For each list, see :func:`ltr.solvers.solve_path`; both None: the
        :meth:`default_work` of its size.
    n_jobs : int or None
        Lists that the solver works on at a time.
    verbose : int, default=0
        1 or more: :meth:`scores` says on standard error how many orders are unproven.
    solver : str, default="auto"
        Method of :func:`ltr.solvers.solve_path` or :func:`ltr.solvers.solve_ordering`.
    short_only : bool, default=False
        Whether ``"bayes"`` is for lists of at most 15 items, and ``"path"`` for others.
    """

    name: str
    time_limit_s: float | None = None
    work_limit: float | None = None
    n_jobs: int | None = None
    verbose: int = 0
    solver: str = "auto"
    short_only: bool = False

    @staticmethod
    def default_work(n_items: int) -> float:
        """Units of work for a list where the user sets no limit.

        20 up to 150 items; beyond, where a round of any method takes n² steps or more,
        20 (150 / n)², so .45 for 1000 items.
        """
        from ltr.solvers.core.budget import DEFAULT_WORK

        return DEFAULT_WORK * min(1.0, _LONG / max(n_items, 1)) ** 2

    def check_sizes(self, queries: Queries) -> None:
        """Raise if a list is too long."""
        if self.name == "bayes" and not self.short_only:
            check_short(queries, "decoder='bayes'", "set decoder='auto'")

    def scores(
        self, fitted: FittedScorer, X: NDArray[Any], queries: Queries
    ) -> FloatArray:
        """Score items by their places in the decoded orders.

        Parameters
        ----------
        fitted : FittedScorer
            What scores the pairs.
        X : array of shape (n_samples, n_features)
            Features.
        queries : Queries
            Query of each row.

        Returns
        -------
        scores : float array of shape (n_samples,)
            How many items of the list come after each; items that the pairs do not
            distinguish share the mean of theirs. With the Borda decoder, the Borda
            sums.
        """
        self.check_sizes(queries)
        scores = np.empty(queries.n_samples)
        gaps: list[float] = []
        for rows, pairs in fitted.pairs(X, queries):
            if self.name == "borda":
                scores[rows] = borda_scores(pairs.matrix)
                continue
            solutions = self.solve(pairs)
            scores[rows] = self._scores_of_places(solutions, pairs)
            gaps += [s.gap for s in solutions if not s.is_optimal]
        if self.verbose and gaps:
            sys.stderr.write(
                f"{len(gaps)} of {queries.n_lists} lists are decoded without a proof; "
                f"largest gap {max(gaps):.2g}\n"
            )
        return scores

    def solve(self, pairs: PairScores) -> list[Solution]:
        """Find the orders of lists of equal size.

        The items are put in Borda order first, so that what a solver picks among orders
        of equal value does not depend on the order of the rows.
        """
        from ltr.solvers import solve_orderings, solve_paths

        work_limit = self.work_limit
        if work_limit is None and self.time_limit_s is None:
            work_limit = self.default_work(pairs.matrix.shape[1])
        limits: dict[str, Any] = {
            "time_limit_s": self.time_limit_s,
            "work_limit": work_limit,
            "n_jobs": self.n_jobs,
            "method": self.solver,
        }
        if self._name_for(pairs) == "bayes":
            pairs = pairs._replace(matrix=path_precedence(pairs))
        items, pairs = in_borda_order(pairs)
        if self._name_for(pairs) == "path":
            ends = (
                {} if pairs.start is None else {"start": pairs.start, "end": pairs.end}
            )
            solutions = solve_paths(pairs.matrix, **ends, **limits)
        elif self.name == "borda":
            solutions = [_identity_order(matrix) for matrix in pairs.matrix]
        else:
            solutions = solve_orderings(pairs.matrix, **limits)
        return [
            replace(solution, order=own_items[solution.order])
            for solution, own_items in zip(solutions, items, strict=True)
        ]

    def _name_for(self, pairs: PairScores) -> str:
        """What is maximized for lists of this size."""
        is_long = pairs.matrix.shape[-1] > precedence.MAX_ITEMS
        return "path" if self.short_only and is_long else self.name

    def _scores_of_places(
        self, solutions: list[Solution], pairs: PairScores
    ) -> FloatArray:
        """How many items come after each, shape (n_lists, list_size)."""
        n_lists, size = pairs.matrix.shape[:2]
        scores = np.empty((n_lists, size))
        for row, solution in zip(scores, solutions, strict=True):
            row[solution.order] = np.arange(size - 1, -1, -1)
        if self.name == "ordering":  # start and end play no part in it
            pairs = PairScores(pairs.matrix, None, None)
        _share_places(scores, pairs)
        return scores


def bayes_is_better(
    matrices: FittedScorer,
    rows: ValidationRows,
    metric: MetricLike,
    decoder: Decoder,
) -> bool:
    """Whether validation lists prefer the Bayes decoder to paths.

    Parameters
    ----------
    matrices : FittedScorer
        What scores the pairs of the rows, as they are.
    rows : ValidationRows
        Validation rows.
    metric : str or callable
        Metric to maximize.
    decoder : Decoder
        Of paths.

    Returns
    -------
    is_better : bool
        Whether all lists have at most 12 items, there are at least 20, and the mean
        difference of the metric exceeds its standard error.
    """
    queries = rows.queries
    if queries.n_lists < _MIN_LISTS or queries.sizes.max() > _MAX_SHORT:
        return False
    from ltr.metrics import get_metric

    measure = get_metric(metric)
    paths, bayes = (
        measure.per_query(
            rows.y,
            replace(decoder, name=name, solver="auto").scores(
                matrices, rows.X, queries
            ),
            queries,
        )
        for name in ("path", "bayes")
    )
    is_defined = ~np.isnan(bayes - paths)
    difference = (bayes - paths)[is_defined]
    if len(difference) < _MIN_LISTS:
        return False
    weights = np.ones(len(difference))
    if rows.query_weight is not None:
        weights = rows.query_weight[queries.first_rows()][is_defined]
    mean = np.average(difference, weights=weights)
    error = np.sqrt(((weights * (difference - mean)) ** 2).sum()) / weights.sum()
    return bool(mean > error)


def check_short(queries: Queries, caller: str, cure: str) -> None:
    """Raise if a list has too many items for the sum over its orders."""
    too_long = queries.sizes > precedence.MAX_ITEMS
    if too_long.any():
        longest = int(queries.sizes.argmax())
        (query_id,) = queries.ids[longest : longest + 1].tolist()
        raise ValueError(
            f"{caller} sums over all orders of a query's items, at most "
            f"{precedence.MAX_ITEMS}; got {queries.sizes[longest]} items for query "
            f"{query_id!r}, the longest of {too_long.sum()} above the limit. Leave "
            f"those out, or {cure}."
        )


def borda_scores(matrix: FloatArray) -> FloatArray:
    """Row sums of ``matrix - matrix.T``, shape (..., n)."""
    return np.asarray(matrix.sum(axis=-1) - matrix.sum(axis=-2))


def in_borda_order(pairs: PairScores) -> tuple[IntArray, PairScores]:
    """Items of each list by Borda sum, shape (n_lists, n), and the pairs reordered."""
    items = np.argsort(-borda_scores(pairs.matrix), axis=-1, kind="stable")  # (b, n)
    matrix = np.take_along_axis(pairs.matrix, items[:, :, None], axis=1)
    matrix = np.take_along_axis(matrix, items[:, None, :], axis=2)
    if pairs.start is None:
        return items, PairScores(matrix, None, None)
    start = np.take_along_axis(pairs.start, items, axis=1)
    end = np.take_along_axis(pairs.end, items, axis=1)
    return items, PairScores(matrix, start, end)


def _share_places(scores: FloatArray, pairs: PairScores) -> None:
    """Give items that the pairs do not tell apart the mean of their scores, in place.

    Such items have equal Borda sums, so they are next to each other in that order.
    """
    items, pairs = in_borda_order(pairs)
    is_like_next = _is_like_next(pairs)
    for row in np.flatnonzero(is_like_next.any(axis=-1)):
        group = np.concatenate(([0], np.cumsum(~is_like_next[row])))
        places = scores[row, items[row]]
        means = np.bincount(group, places) / np.bincount(group)
        scores[row, items[row]] = means[group]


def _is_like_next(pairs: PairScores) -> BoolArray:
    """Whether exchanging items k and k + 1 changes no pair, shape (n_lists, n - 1)."""
    matrix = pairs.matrix  # (b, n, n)
    k = np.arange(matrix.shape[-1] - 1)
    # distance[:, k, j] = max(|M[k+1, j] - M[k, j]|, |M[j, k+1] - M[j, k]|); for j = k
    # and j = k + 1 that would compare with the diagonal, so M[k, k+1] with M[k+1, k].
    by_row, by_column = np.diff(matrix, axis=1), np.diff(matrix, axis=2)
    distance = np.maximum(np.abs(by_row), np.abs(by_column.swapaxes(1, 2)))
    mutual = np.abs(matrix[:, k, k + 1] - matrix[:, k + 1, k])
    distance[:, k, k] = distance[:, k, k + 1] = mutual
    distance = distance.max(axis=-1)
    if pairs.start is not None:
        for single in (pairs.start, pairs.end):
            distance = np.maximum(distance, np.abs(np.diff(single)))
    return np.asarray(distance <= _ROUNDING * np.abs(matrix).max(axis=(1, 2))[:, None])


def path_marginals(pairs: PairScores) -> PairScores:
    """Probability of each arc, first and last item, if orders are drawn as exp(sum)."""
    import jax

    from ltr.solvers import dynamic

    with jax.enable_x64(True):
        marginals = dynamic.path_marginals(
            pairs.matrix, start=pairs.start, end=pairs.end
        )
        return PairScores(*(np.asarray(part) for part in marginals))


def path_precedence(pairs: PairScores) -> FloatArray:
    """Probability that i comes before j, if orders are drawn as exp(path score)."""
    n_lists, size = pairs.matrix.shape[:2]
    if n_lists << size <= _MAX_SETS or "jax" not in sys.modules:
        return precedence.path_precedence(pairs)
    import jax

    from ltr.solvers import dynamic

    with jax.enable_x64(True):
        return np.asarray(
            dynamic.path_precedence(pairs.matrix, start=pairs.start, end=pairs.end)
        )


def ordering_precedence(pairs: PairScores) -> FloatArray:
    """Probability that i comes before j, if orders are drawn as exp(pair scores)."""
    import jax

    from ltr.solvers import dynamic

    with jax.enable_x64(True):
        return np.asarray(dynamic.ordering_marginals(pairs.matrix))


def _identity_order(matrix: FloatArray) -> Solution:
    """The order 0, 1, …, its linear ordering value, and Σ max(M[i, j], M[j, i])."""
    from ltr.solvers.core.solution import certify
    from ltr.solvers.core.tolerance import tolerance

    started = time.perf_counter()
    return certify(
        np.arange(len(matrix)),
        np.triu(matrix, 1).sum(),
        np.triu(np.maximum(matrix, matrix.T), 1).sum(),
        tolerance=tolerance(np.triu(matrix, 1)),
        method="borda",
        started=started,
    )


def check_solver(solver: str, decoder: str) -> None:
    """Raise unless the solver has a method of this name for what is decoded."""
    from ltr.solvers.orderings.solve import METHODS as ORDERING_METHODS
    from ltr.solvers.paths.solve import METHODS as PATH_METHODS

    methods = PATH_METHODS if decoder == "path" else ORDERING_METHODS
    if not (isinstance(solver, str) and solver in PATH_METHODS):
        check_choice("solver", solver, methods)
    if solver not in methods:
        raise ArgumentError(
            f"solver={solver!r} solves paths; decoder={decoder!r} takes "
            f"{', '.join(map(repr, ORDERING_METHODS))}."
        )
