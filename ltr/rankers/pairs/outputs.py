"""What a fitted ranker of pairs says besides an order: matrices and probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.inputs import check_dense_X
from ltr.rankers.neural.gradient import GradientRanker
from ltr.rankers.pairs.decoding import (
    check_short,
    ordering_precedence,
    path_marginals,
    path_precedence,
    score_pairs,
)
from ltr.scorers import PairScores

_CURE = "take their best orders from decode, or their scores from pairwise_matrix"


class PairOutputs(GradientRanker):
    """Base class of rankers whose scorer is a pair scorer."""

    def pairwise_matrix(
        self, X: ArrayLike, qid: ArrayLike | None = None
    ) -> list[PairScores]:
        """Score the pairs of each list.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            List of each row, any order. None: one list.

        Returns
        -------
        pairs : list of PairScores
            One per list, by first appearance, items in the order of the rows.
            ``matrix[i, j]``: gain of item j directly after item i (of item i before
            item j for the pairwise losses); the diagonal is 0.
        """
        return self._each_list(X, qid, _lists_of)

    def successor_proba(
        self, X: ArrayLike, qid: ArrayLike | None = None
    ) -> list[PairScores]:
        """Probability of each neighbourhood, if orders are drawn as exp(path score).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            List of each row, any order. None: one list.

        Returns
        -------
        probabilities : list of PairScores
            One per list, by first appearance: ``matrix[i, j]`` that j comes directly
            after i, ``start[j]`` that j is first, ``end[i]`` that i is last.

        Raises
        ------
        ValueError
            If a list has more than 15 items, or the loss is about pairs in general and
            not about neighbours.
        """
        if self._learns_precedence:
            raise ValueError(
                f"loss={self.loss!r} says which item comes earlier, not which comes "
                "next. Use precedence_proba, or train with loss='crf'."
            )
        return self._each_list(
            X,
            qid,
            lambda pairs: _lists_of(path_marginals(pairs)),
            lambda queries: check_short(queries, "successor_proba", _CURE),
        )

    def precedence_proba(
        self, X: ArrayLike, qid: ArrayLike | None = None
    ) -> list[FloatArray]:
        """Probability that item i comes anywhere before item j.

        Orders are drawn as exp(path score); with the pairwise losses, as exp(sum over
        all pairs).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            List of each row, any order. None: one list.

        Returns
        -------
        probabilities : list of float arrays of shape (list_size, list_size)
            One per list, by first appearance.

        Raises
        ------
        ValueError
            If a list has more than 15 items.
        """
        by_loss = ordering_precedence if self._learns_precedence else path_precedence
        return self._each_list(
            X,
            qid,
            lambda pairs: list(by_loss(pairs)),
            lambda queries: check_short(queries, "precedence_proba", _CURE),
        )

    def expected_ranks(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Mean rank of each item over the distribution of :meth:`precedence_proba`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            List of each row, any order. None: one list.

        Returns
        -------
        ranks : float array of shape (n_samples,)
            From 1 (certainly best) to the size of the list, in the order of the rows.

        Raises
        ------
        ValueError
            If a list has more than 15 items.
        """
        precedence = self.precedence_proba(X, qid)
        queries = group_queries(qid, sum(len(matrix) for matrix in precedence))
        ranks = np.empty(queries.n_samples)
        by_list = [1.0 + matrix.sum(axis=0) for matrix in precedence]
        ranks[queries.order] = np.concatenate(by_list)
        return ranks

    @property
    def _learns_precedence(self) -> bool:
        """Whether the loss is about *i before j*, and not about *j right after i*."""
        raise TypeError(f"{type(self).__name__} must define _learns_precedence.")

    def _check_lists(
        self, X: ArrayLike, qid: ArrayLike | None
    ) -> tuple[NDArray[Any], Queries]:
        check_is_fitted(self)
        checked = check_dense_X(self, X, reset=False)
        return checked, group_queries(qid, len(checked))

    def _each_list(
        self,
        X: ArrayLike,
        qid: ArrayLike | None,
        compute: Callable[[PairScores], list[Any]],
        check: Callable[[Queries], None] = lambda queries: None,
    ) -> list[Any]:
        """What ``compute`` gives for each list of a block, by first appearance."""
        checked, queries = self._check_lists(X, qid)
        check(queries)
        found: list[Any] = [None] * queries.n_lists
        for rows, pairs in score_pairs(*self._learned_state[:3], checked, queries):
            for row, value in zip(rows[:, 0], compute(pairs), strict=True):
                found[queries.codes[row]] = value
        return found


def _lists_of(pairs: PairScores) -> list[PairScores]:
    """The lists of a block one by one; ends that have no scores stay None."""
    ends = [
        [None] * len(pairs.matrix) if part is None else part
        for part in (pairs.start, pairs.end)
    ]
    return [PairScores(*parts) for parts in zip(pairs.matrix, *ends, strict=True)]
